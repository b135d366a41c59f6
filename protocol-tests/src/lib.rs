//! What the black-box tests share: a broker process with files and ports of its own, and raw clients.
//!
//! - `program`: a process whose pipes are read and whose life is bounded.
//! - `node`: a broker with files and ports of its own.
//! - `connection`: a raw client of frames and requests.
//! - `fields`: the primitive types of Kafka's protocol, written and read.
//! - `requests`: those that most tests make.
//! - `compacted`: a compacted topic at work.
//! - `random`: choices that a seed repeats.
//! - `sight`: what a reader sees in an answer to Fetch.
//! - `record_batch`: batches made and checked byte by byte, good ones and bad ones.
//! - `history` and `check`: what clients did and what became of it; and what a node must never let them see.
//! - `load`: load on groups and transactions, and what it costs.
//!
//! Nothing here comes from the broker: what it sends is judged by code of its own. The broker is the binary
//! of this workspace, or the program that the variable `OTTLA_BROKER` names: it is given the path of a
//! server.properties, so that the tests can be proved on Apache Kafka.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod check;
pub mod compacted;
pub mod connection;
pub mod fields;
pub mod history;
pub mod load;
pub mod node;
pub mod program;
pub mod random;
pub mod record_batch;
pub mod requests;
pub mod sight;
