//! Transactions: what their clients, other brokers and administrators ask.
//!
//! The coordinator is the kernel's machine ([`crate::kernel::txns`]); handlers adapt versions, and bring producer ids along
//! where it needs one. [`vouching`] is how the leader of a partition asks it before a transactional write.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod asking;
pub mod describe_producers;
pub mod describe_transactions;
pub mod end_txn;
pub mod list_transactions;
pub mod vouching;
pub mod write_txn_markers;

#[cfg(test)]
mod tests;
