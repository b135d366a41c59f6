//! The data path: Produce, Fetch, ListOffsets and their kin.
//!
//! A handler here finds the partitions that a request names, asks each of them once, and writes the answer. No record is
//! looked at, nothing is copied, and the one wait there is, for records to come, holds no lock.

pub mod delete_records;
pub mod describe_log_dirs;
pub mod fetch;
pub mod init_producer_id;
pub mod list_offsets;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod producer_ids;
pub mod replicas;

/// Topics that clients neither write to nor delete from.
pub const INTERNAL_TOPICS: [&str; 3] =
    ["__consumer_offsets", "__transaction_state", "__share_group_state"];

#[cfg(test)]
mod apache;
