//! What the black-box tests share: a broker process with files and ports of its own, and raw clients.
//!
//! - `program`: a process whose pipes are read and whose life is bounded.
//! - `fields`: the primitive types of Kafka's protocol, written and read.
//! - `record_batch`: batches made and checked byte by byte, good ones and bad ones.
//!
//! Nothing here comes from the broker: what it sends is judged by code of its own. The broker is the binary
//! of this workspace, or the program that the variable `OTTLA_BROKER` names: it is given the path of a
//! server.properties, so that the tests can be proved on Apache Kafka.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod fields;
pub mod program;
pub mod record_batch;
