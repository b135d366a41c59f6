//! Golden frames for each API and version: what Apache Kafka 4.3.1 answered, byte for byte but for ids, times and
//! addresses, is what is answered. See `script` for how they are recorded.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod acls;
mod cluster;
mod compaction;
mod configs;
mod consumer_groups;
mod coordinators;
mod data;
mod groups;
mod markers;
mod mutations;
mod offsets;
mod script;
mod sessions;
mod topics;
mod transactions;
