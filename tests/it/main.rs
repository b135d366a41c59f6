//! The integration tests, in one binary.

mod boot_and_stop;
mod floors;
mod tidy;
mod tree;
