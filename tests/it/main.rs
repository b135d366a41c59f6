//! The integration tests, in one binary.

mod boot_and_stop;
