//! Apache Kafka as the judge of a node's work: its tools and clients against the node, and its brokers on the node's
//! directories and the other way round.
//!
//! `make judge` runs it: it needs a JDK of 17 and Maven, and installs kcat when that is missing. Apache's jars
//! are kept in `target/judge`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod acls;
mod apache;
mod compaction;
mod controllers;
mod differential;
mod directories;
mod dumps;
mod groups;
mod java_client;
mod jvm;
mod kcat;
mod kills;
mod offsets;
mod take_over;
mod tools;
mod transactions;

/// Records for a client that reads lines: a key and a value on each.
fn lines(count: usize, separator: char) -> String {
    let records = (0..count).map(|number| format!("key-{number}{separator}value {number}"));
    records.chain([String::new()]).collect::<Vec<_>>().join("\n")
}
