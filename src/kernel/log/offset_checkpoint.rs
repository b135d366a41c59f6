//! The text of a log directory's checkpoints: an offset for each partition.
//!
//! `recovery-point-offset-checkpoint` (flushed up to there), `replication-offset-checkpoint` (the high watermark),
//! `log-start-offset-checkpoint` (only where it is above the first segment's base) and `cleaner-offset-checkpoint`.
//! Lines: version 0, the count, then `topic partition offset`. Strict, as Kafka's reader is; an empty file has no
//! partitions.

use std::fmt::Write as _;

use crate::types::ids::{PartitionId, TopicName};
use crate::types::offset::Offset;

/// Up to where each log was flushed.
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
/// Where each log begins, if not with its first segment.
pub const LOG_START_CHECKPOINT: &str = "log-start-offset-checkpoint";
/// The high watermarks.
pub const REPLICATION_CHECKPOINT: &str = "replication-offset-checkpoint";
/// Up to where each log was compacted.
pub const CLEANER_CHECKPOINT: &str = "cleaner-offset-checkpoint";
/// No honest file is longer (a million partitions with names of 200 characters); a longer one is not read.
pub const OFFSET_CHECKPOINT_BYTES_MAX: u64 = 256 * 1024 * 1024;

const VERSION: &str = "0";

/// A partition's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// The offset.
    pub offset: Offset,
}

/// Why a text is not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Another version.
    #[error("unrecognized version of the checkpoint file: {0}")]
    Version(String),
    /// A line that is not what it should be.
    #[error("malformed line in checkpoint file: {0}")]
    Line(String),
    /// More or fewer lines than the count says.
    #[error("expected {expected} entries in checkpoint file, but found {found}")]
    Count {
        /// What the count says.
        expected: usize,
        /// What there is.
        found: usize,
    },
}

/// The lines of a checkpoint of any kind, the version and the count checked.
pub(super) fn parse_lines<T>(
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    let mut lines = text.lines();
    let Some(version) = lines.next() else {
        return Ok(Vec::new());
    };
    let malformed = |line: &str| CheckpointError::Line(line.to_owned());
    match version.trim().parse::<i32>() {
        Ok(0) => {}
        Ok(_) => return Err(CheckpointError::Version(version.to_owned())),
        Err(_) => return Err(malformed(version)),
    }
    let Some(count) = lines.next() else {
        return Ok(Vec::new());
    };
    let expected: usize = count.trim().parse().map_err(|_| malformed(count))?;
    let entries = lines.map(|line| parse(line).ok_or_else(|| malformed(line)));
    let entries = entries.collect::<Result<Vec<T>, _>>()?;
    if entries.len() == expected {
        Ok(entries)
    } else {
        Err(CheckpointError::Count { expected, found: entries.len() })
    }
}

/// Reads a checkpoint.
pub fn parse(text: &str) -> Result<Vec<PartitionOffset>, CheckpointError> {
    parse_lines(text, |line| {
        let mut fields = line.split_ascii_whitespace();
        let topic = TopicName::new(fields.next()?);
        let partition = PartitionId(fields.next()?.parse().ok().filter(|id| *id >= 0)?);
        let offset = Offset(fields.next()?.parse().ok()?);
        fields.next().is_none().then_some(PartitionOffset { topic, partition, offset })
    })
}

/// The text of a checkpoint of these partitions, in their order.
pub fn to_text<'a>(
    offsets: impl ExactSizeIterator<Item = (&'a str, PartitionId, Offset)>,
) -> String {
    let mut text = String::with_capacity(8 + offsets.len() * 32);
    let _ = writeln!(text, "{VERSION}\n{}", offsets.len());
    for (topic, partition, offset) in offsets {
        let _ = writeln!(text, "{topic} {partition} {offset}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Apache Kafka 4.3.1 left this.
    const RECOVERY_POINTS: &str =
        "0\n3\n__consumer_offsets 0 1\ngolden 0 8\n__transaction_state 0 7\n";

    #[test]
    fn what_apache_writes_is_read_and_written_alike() {
        let offsets = parse(RECOVERY_POINTS).unwrap();
        let found: Vec<_> = offsets.iter().map(|o| (o.topic.as_str(), o.offset.0)).collect();
        assert_eq!(found, [("__consumer_offsets", 1), ("golden", 8), ("__transaction_state", 7)]);
        let again = offsets.iter().map(|o| (o.topic.as_str(), o.partition, o.offset));
        assert_eq!(to_text(again), RECOVERY_POINTS);
        assert_eq!(to_text(std::iter::empty()), "0\n0\n");
    }

    #[test]
    fn an_empty_file_has_no_partitions() {
        assert_eq!(parse(""), Ok(Vec::new()));
        assert_eq!(parse("0\n0\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        use CheckpointError as E;
        let line = |line: &str| E::Line(line.to_owned());
        let check = |text: &str, expected: E| assert_eq!(parse(text), Err(expected), "{text}");
        check("x\n0\n", line("x"));
        check("1\n0\n", E::Version("1".to_owned()));
        check("0\nx\n", line("x"));
        check("0\n-1\n", line("-1"));
        check("0\n2\na 0 1\n", E::Count { expected: 2, found: 1 });
        check("0\n0\na 0 1\n", E::Count { expected: 0, found: 1 });
        for bad in ["a 0", "a 0 1 2", "a x 1", "a -1 1", "a 0 x", ""] {
            check(&format!("0\n1\n{bad}\n"), line(bad));
        }
    }
}
