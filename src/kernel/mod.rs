//! Every decision the broker takes, as functions of (state, input, now) that return effects as data.
//!
//! No async, no clock, no files, no sockets, no randomness, no API versions. What must happen in the
//! world is returned to the caller, in the order in which it must happen.

pub mod authorizer;
pub mod configs;
pub mod controller;
pub mod coordinator;
pub mod groups;
pub mod log;
pub mod machine;
pub mod metadata;
pub mod raft;
pub mod replica;
pub mod txns;
