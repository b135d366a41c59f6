//! The group coordinator: consumer groups, their members, and the offsets they commit.
//!
//! A shard ([`shard::GroupShard`]) owns the groups whose ids belong to one partition of `__consumer_offsets`. What it is
//! asked and what it replies is in [`requests`], its groups are in [`table`], and the rules of each kind of group have a
//! folder: [`classic`] for groups whose members agree among themselves, [`consumer`] for those whose members are told by
//! the coordinator (KIP-848), by its [`assignors`]. What they have read is in [`offsets`].

pub mod assignors;
pub mod classic;
pub mod consumer;
pub mod offsets;
pub mod requests;
pub mod shard;
pub mod table;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub mod world;
