//! Every effect: files, sockets, threads, the clock. It takes no decision that a machine of the kernel could take.

pub mod clock;
pub mod disk;
pub mod drivers;
pub mod log_output;
pub mod net;
pub mod random;
pub mod resources;
pub mod service;
pub mod tasks;
