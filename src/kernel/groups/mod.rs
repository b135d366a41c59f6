//! The group coordinator: consumer groups, their members, and the offsets they commit.
//!
//! A shard ([`shard::GroupShard`]) owns the groups whose ids belong to one partition of `__consumer_offsets`. What it is
//! asked and what it replies is in [`requests`], its groups are in [`table`], and the rules of each kind of group have a
//! folder: [`classic`] for groups whose members agree among themselves. What they have read is in [`offsets`].
#![allow(dead_code, reason = "under construction: its callers come next")]

pub mod classic;
pub mod offsets;
pub mod requests;
pub mod shard;
pub mod table;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub mod world;
