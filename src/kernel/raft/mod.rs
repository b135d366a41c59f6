//! KRaft's consensus (KIP-595, KIP-853) as a machine without I/O: what happened goes in, what must happen comes out.
//!
//! The caller carries out the returned effects one after the other, in their order: a vote is on disk before anyone
//! can see it. Today a quorum is one voter; a set which names other nodes is refused by name, never half served.

pub mod batches;
pub mod checkpoint;
pub mod control;
mod json;
pub mod machine;
pub mod quorum_state;
pub mod snapshot_directory;
pub mod snapshot_id;
pub mod snapshot_retention;
pub mod view;
pub mod voters;

#[cfg(test)]
mod tests;
