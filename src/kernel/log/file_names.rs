//! Names of files and directories of the logs: what a name means, and the name of what is made.
//!
//! A file of a segment is named by its base offset in 20 digits. What is being deleted or replaced carries one more
//! suffix, so that a start knows what to do with it. A partition's directory is `topic-partition`; while it is
//! deleted, quarantined or moved, a dot, 32 hexadecimal digits and what happens to it follow.

use uuid::Uuid;

use crate::types::ids::{PartitionId, TopicName};
use crate::types::offset::Offset;

const OFFSET_DIGITS: usize = 20;
/// The longest name of a topic, and of a directory.
const TOPIC_NAME_CHARS_MAX: usize = 249;
const DIRECTORY_NAME_BYTES_MAX: usize = 255;
const UNIQUE_DIGITS: usize = 32;

const DELETED: &str = ".deleted";
const CLEANED: &str = ".cleaned";
const SWAP: &str = ".swap";

/// What a file of a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `.log`: the batches.
    Log,
    /// `.index`: offsets to positions.
    OffsetIndex,
    /// `.timeindex`: timestamps to offsets.
    TimeIndex,
    /// `.txnindex`: aborted transactions.
    TransactionIndex,
    /// `.snapshot`: the producers, up to the offset in the name.
    ProducerSnapshot,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileFate {
    /// It is in use.
    Live,
    /// `.deleted`: waits for its removal; a start removes it.
    Deleted,
    /// `.cleaned`: compaction's output before it was whole; a start removes it.
    Cleaned,
    /// `.swap`: compaction's whole output; a start puts it in place of what it was made from.
    Swap,
}

/// A file of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentFile {
    /// The first offset of the segment; for a snapshot, the offset after its last.
    pub offset: Offset,
    /// What it holds.
    pub kind: FileKind,
    /// What becomes of it.
    pub fate: FileFate,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Log,
        Self::OffsetIndex,
        Self::TimeIndex,
        Self::TransactionIndex,
        Self::ProducerSnapshot,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
            Self::ProducerSnapshot => ".snapshot",
        }
    }

    /// The name of a file in use.
    pub fn name(self, offset: Offset) -> String {
        SegmentFile { offset, kind: self, fate: FileFate::Live }.name()
    }
}

impl FileFate {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Deleted => DELETED,
            Self::Cleaned => CLEANED,
            Self::Swap => SWAP,
        }
    }
}

/// The last offset at which a segment can begin: one that began later would have offsets that do not exist.
pub const LAST_SEGMENT_OFFSET: Offset = Offset(i64::MAX - i32::MAX as i64 - 1);

impl SegmentFile {
    /// Reads a name; none if it is not a segment's file.
    pub fn parse(name: &str) -> Option<Self> {
        let (digits, rest) = name.split_at_checked(OFFSET_DIGITS)?;
        let offset = Offset(parse_digits(digits)?);
        let of = |fate: FileFate| {
            let suffix = rest.strip_suffix(fate.suffix())?;
            let kind = FileKind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
            // The name of a snapshot says where a log ended, not where something begins.
            let is_offset = kind == FileKind::ProducerSnapshot || offset <= LAST_SEGMENT_OFFSET;
            is_offset.then_some(Self { offset, kind, fate })
        };
        [FileFate::Live, FileFate::Deleted, FileFate::Cleaned, FileFate::Swap]
            .into_iter()
            .find_map(of)
    }

    /// The name.
    pub fn name(self) -> String {
        let offset = self.offset.0;
        format!("{offset:0OFFSET_DIGITS$}{}{}", self.kind.suffix(), self.fate.suffix())
    }
}

fn parse_digits(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// What becomes of a partition's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DirectoryFate {
    /// It is in use.
    Live,
    /// `-delete`: its partition was deleted; a timer, or the next start, removes it.
    Delete,
    /// `-stray`: it is no replica of this node's; kept for the operator, not served.
    Stray,
    /// `-future`: being filled on another disk of this node, to take the partition's place (KIP-113).
    Future,
}

/// A partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDirectory {
    /// The topic; cut short in a name that would be too long otherwise.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// What becomes of it.
    pub fate: DirectoryFate,
}

impl DirectoryFate {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Delete => "-delete",
            Self::Stray => "-stray",
            Self::Future => "-future",
        }
    }
}

impl PartitionDirectory {
    /// Reads a name; none if it is not a partition's directory.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, fate) = [DirectoryFate::Delete, DirectoryFate::Stray, DirectoryFate::Future]
            .into_iter()
            .find_map(|fate| Some((strip_unique(name.strip_suffix(fate.suffix())?)?, fate)))
            .unwrap_or((name, DirectoryFate::Live));
        let (topic, partition) = rest.rsplit_once('-')?;
        let digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
        let partition = partition.parse().ok().filter(|_| digits)?;
        is_topic_name(topic).then(|| Self {
            topic: TopicName::new(topic),
            partition: PartitionId(partition),
            fate,
        })
    }
}

/// What follows `topic-partition` in the name of a directory that is not in use: a dot and 32 hexadecimal digits.
fn strip_unique(name: &str) -> Option<&str> {
    let (rest, unique) = name.split_at_checked(name.len().checked_sub(UNIQUE_DIGITS)?)?;
    let is_hex = unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    rest.strip_suffix('.').filter(|_| is_hex)
}

fn is_topic_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= TOPIC_NAME_CHARS_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(legal)
}

/// `topic-partition`.
pub fn partition_directory(topic: &str, partition: PartitionId) -> String {
    format!("{topic}-{partition}")
}

/// The name of a directory that is not in use any more, or not yet. The topic is cut where the name would not fit a
/// file system's 255 bytes; a directory in use keeps its name.
pub fn fated_directory(
    topic: &str,
    partition: PartitionId,
    fate: DirectoryFate,
    unique: Uuid,
) -> String {
    if fate == DirectoryFate::Live {
        return partition_directory(topic, partition);
    }
    let tail = format!("-{partition}.{}{}", unique.as_simple(), fate.suffix());
    let room = DIRECTORY_NAME_BYTES_MAX.saturating_sub(tail.len()).min(topic.len());
    // Names of topics are ASCII; one that is not is kept whole rather than cut within a character.
    let topic = topic.get(..room).unwrap_or(topic);
    format!("{topic}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segments() {
        use FileFate as F;
        use FileKind as K;
        let check = |name: &str, offset: i64, kind: FileKind, fate: FileFate| {
            let file = SegmentFile { offset: Offset(offset), kind, fate };
            assert_eq!(SegmentFile::parse(name), Some(file), "{name}");
            assert_eq!(file.name(), name);
        };
        check("00000000000000000000.log", 0, K::Log, F::Live);
        check("00000000000000000005.index", 5, K::OffsetIndex, F::Live);
        check("00000000000000000005.timeindex.deleted", 5, K::TimeIndex, F::Deleted);
        check("00000000000000000017.txnindex.swap", 17, K::TransactionIndex, F::Swap);
        check("00000000000000000017.log.cleaned", 17, K::Log, F::Cleaned);
        check("09223372036854775807.snapshot", i64::MAX, K::ProducerSnapshot, F::Live);
        assert_eq!(K::Log.name(Offset(8)), "00000000000000000008.log");
    }

    #[test]
    fn other_files_are_not_segments() {
        for name in [
            "",
            "leader-epoch-checkpoint",
            "partition.metadata",
            "00000000000000000000",
            "00000000000000000000.txt",
            "00000000000000000000.log.deleted.deleted",
            "0000000000000000000.log",
            "+0000000000000000001.log",
            "99999999999999999999.log",
            // Offsets in it would overflow; found by the fuzzer.
            "09223372034707292160.log",
            "09223372036854775807.index",
            "00000000000000000000-0000000000.checkpoint",
        ] {
            assert_eq!(SegmentFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_directories() {
        use DirectoryFate as F;
        let check = |name: &str, topic: &str, partition: i32, fate: DirectoryFate| {
            let expected = PartitionDirectory {
                topic: TopicName::new(topic),
                partition: PartitionId(partition),
                fate,
            };
            assert_eq!(PartitionDirectory::parse(name), Some(expected), "{name}");
            let unique = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
            assert_eq!(fated_directory(topic, PartitionId(partition), fate, unique), name);
        };
        let hex = "0123456789abcdef0123456789abcdef";
        check("golden-0", "golden", 0, F::Live);
        check("a-b-17", "a-b", 17, F::Live);
        check("a.b_c--2", "a.b_c-", 2, F::Live);
        check(&format!("golden-0.{hex}-delete"), "golden", 0, F::Delete);
        check(&format!("golden-3.{hex}-stray"), "golden", 3, F::Stray);
        check(&format!("a-delete-1.{hex}-future"), "a-delete", 1, F::Future);
        check("a-1.x-delete-0", "a-1.x-delete", 0, F::Live);
    }

    #[test]
    fn a_long_topic_is_cut_in_the_name() {
        let topic = "t".repeat(TOPIC_NAME_CHARS_MAX);
        let unique = Uuid::from_u128(1);
        let name = fated_directory(&topic, PartitionId(12), DirectoryFate::Delete, unique);
        assert_eq!(name.len(), DIRECTORY_NAME_BYTES_MAX);
        let read = PartitionDirectory::parse(&name).unwrap();
        assert_eq!((read.partition, read.fate), (PartitionId(12), DirectoryFate::Delete));
        assert!(topic.starts_with(read.topic.as_str()));
        let live = fated_directory(&topic, PartitionId(12), DirectoryFate::Live, unique);
        assert_eq!(live, format!("{topic}-12"));
    }

    #[test]
    fn other_directories_are_not_partitions() {
        for name in
            ["", "golden", "golden-", "-0", "golden-x", "golden-+1", "a/b-0", "..-0", "lost+found"]
        {
            assert_eq!(PartitionDirectory::parse(name), None, "{name}");
        }
        assert_eq!(PartitionDirectory::parse("golden-0.0123-delete"), None);
        assert_eq!(PartitionDirectory::parse("golden-99999999999"), None);
    }
}
