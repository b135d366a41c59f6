//! Drive the machines of the kernel: locks, queues, threads; the machines decide.

pub mod controller;
pub mod metadata_log;
