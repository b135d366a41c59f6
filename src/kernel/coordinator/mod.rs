//! What it takes to run a [`Machine`](super::machine::Machine) over a log, apart from threads, locks, waiting and the
//! disk: a driver has those, the simulated world has its own, and both go through here.
//!
//! - [`step`]: lets the machine decide, appends what it decided, replays it, and says who is to be told what.
//! - [`replay`]: from the batches of a log to a machine.
//! - [`marker`]: the batch that ends a transaction.
//!
//! What was appended is replayed at once, and nothing else is. What a refusal of the log means is decided here.

pub mod marker;
#[cfg(test)]
pub mod recorded;
pub mod replay;
pub mod step;

pub use self::marker::EndOfTransaction;
pub use self::replay::{Replay, ReplayError};
pub use self::step::{Failed, Running, ShardLog};

use crate::types::ids::PartitionId;

/// Which of `count` partitions has a group, or a transactional id: Java's `String.hashCode`, over UTF-16, without its
/// sign, by the number of partitions. `i32::MIN`, which has no positive counterpart, counts as 0 (Kafka's `Utils.abs`).
pub fn partition_of(key: &str, count: i32) -> PartitionId {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    let hash = key.encode_utf16().fold(0, step);
    PartitionId(hash.checked_abs().unwrap_or(0) % count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_kafka_looks_for_them() {
        for (key, count, expected) in [
            ("", 50, 0),
            ("abc", 50, 96_354 % 50),
            ("hello", 50, 99_162_322 % 50),
            // Its hash is i32::MIN.
            ("polygenelubricants", 50, 0),
            // Two UTF-16 units: 0xd83d · 31 + 0xde00.
            ("😀", 1000, (0xd83d * 31 + 0xde00) % 1000),
            ("a", 0, 0),
        ] {
            assert_eq!(partition_of(key, count), PartitionId(expected), "{key:?}");
        }
    }
}
