//! Groups and their committed offsets; and where coordinators are found, those of transactions too.

pub mod find_coordinator;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
mod sorted_out;
pub mod txn_offset_commit;
