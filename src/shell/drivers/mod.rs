//! Drive the machines of the kernel: locks, queues, threads; the machines decide.

pub mod background;
pub mod cleaner;
pub mod controller;
pub mod coordinators;
pub mod markers;
pub mod metadata_log;
pub mod partitions;
pub mod publisher;
