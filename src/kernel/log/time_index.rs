//! `.timeindex`: from which offset on a segment's records are newer than a time.
//!
//! Entries of 12 bytes, big-endian: the largest timestamp so far, and the offset (less the segment's base) of the
//! batch that has it. Timestamps rise strictly. The index in memory is the very bytes of the file, as in
//! [`offset_index`](super::offset_index).

use super::entries::{self, Entry, IndexError, entry, partition_point};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// The size of an entry.
pub const TIME_ENTRY_BYTES: usize = 12;

/// The largest timestamp up to an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The timestamp.
    pub timestamp: Timestamp,
    /// The offset of the record or batch that has it.
    pub offset: Offset,
}

/// The timestamp and the relative offset.
#[derive(Clone, Copy, Default)]
struct Pair(i64, i32);

impl Entry for Pair {
    const BYTES: usize = TIME_ENTRY_BYTES;

    fn read(bytes: &[u8]) -> Option<Self> {
        let (timestamp, rest) = bytes.split_first_chunk()?;
        let relative = rest.first_chunk()?;
        Some(Self(i64::from_be_bytes(*timestamp), i32::from_be_bytes(*relative)))
    }

    fn may_follow(self, before: Option<Self>) -> bool {
        let Self(timestamp, relative) = self;
        before.is_none_or(|Self(t, r)| timestamp > t && relative >= r) && relative >= 0
    }
}

/// The index of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeIndex {
    base: Offset,
    bytes: Vec<u8>,
}

impl TimeIndex {
    /// An index without entries for the segment that begins at `base`.
    pub const fn new(base: Offset) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// The index in these bytes of a file, every entry checked.
    pub fn parse(base: Offset, bytes: Vec<u8>) -> Result<Self, IndexError> {
        entries::check::<Pair>(&bytes)?;
        Ok(Self { base, bytes })
    }

    /// Adds an entry, if its timestamp is above the last one's and its offset not below.
    pub fn append(&mut self, timestamp: Timestamp, offset: Offset) {
        let Some(relative) = entries::relative(self.base, offset) else {
            return;
        };
        let above = match self.last() {
            None => timestamp > Timestamp::NONE,
            Some(last) => timestamp > last.timestamp && offset >= last.offset,
        };
        if above {
            self.bytes.extend_from_slice(&timestamp.0.to_be_bytes());
            self.bytes.extend_from_slice(&relative.to_be_bytes());
        }
    }

    /// The last entry.
    pub fn last(&self) -> Option<TimestampOffset> {
        entries::last(&self.bytes).map(|pair| absolute(self.base, pair))
    }

    /// How many entries there are.
    #[cfg(any(test, feature = "internals"))]
    pub fn len(&self) -> usize {
        entries::count::<Pair>(&self.bytes)
    }

    /// Whether there is no entry.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where to begin to walk for `target`: see [`lookup`].
    #[cfg(any(test, feature = "internals"))]
    pub fn lookup(&self, target: Timestamp) -> TimestampOffset {
        lookup(&self.bytes, self.base, target)
    }

    /// Removes the entries at and above `offset`.
    #[cfg(any(test, feature = "internals"))]
    pub fn truncate_to(&mut self, offset: Offset) {
        let relative = offset - self.base;
        let keep = partition_point(&self.bytes, |Pair(_, r)| i64::from(r) < relative);
        self.bytes.truncate(keep * TIME_ENTRY_BYTES);
    }

    /// The content of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The last entry whose timestamp is at or below `target`: no record before its offset is newer than it. The
/// beginning of the segment if there is none.
pub fn lookup(bytes: &[u8], base: Offset, target: Timestamp) -> TimestampOffset {
    match partition_point(bytes, |Pair(timestamp, _)| timestamp <= target.0).checked_sub(1) {
        Some(index) => absolute(base, entry(bytes, index)),
        None => TimestampOffset { timestamp: Timestamp::NONE, offset: base },
    }
}

fn absolute(base: Offset, Pair(timestamp, relative): Pair) -> TimestampOffset {
    TimestampOffset { timestamp: Timestamp(timestamp), offset: base + i64::from(relative) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_of(entries: &[(i64, i64)]) -> TimeIndex {
        let mut index = TimeIndex::new(Offset(100));
        for &(timestamp, offset) in entries {
            index.append(Timestamp(timestamp), Offset(offset));
        }
        index
    }

    #[test]
    fn a_lookup_gives_the_last_entry_that_is_not_newer() {
        let index = index_of(&[(10, 105), (20, 115), (30, 125)]);
        let check = |target: i64, timestamp: i64, offset: i64| {
            let expected =
                TimestampOffset { timestamp: Timestamp(timestamp), offset: Offset(offset) };
            assert_eq!(index.lookup(Timestamp(target)), expected, "{target}");
        };
        check(-1, -1, 100);
        check(9, -1, 100);
        check(10, 10, 105);
        check(29, 20, 115);
        check(i64::MAX, 30, 125);
    }

    #[test]
    fn timestamps_rise_strictly() {
        let index = index_of(&[(-1, 100), (10, 101), (10, 102), (9, 103), (11, 100), (12, 101)]);
        assert_eq!(index.len(), 2);
        let last = TimestampOffset { timestamp: Timestamp(12), offset: Offset(101) };
        assert_eq!(index.last(), Some(last));
    }

    /// A fuzzer found it: indexes that are missing are made anew from headers, and an offset as far down as there are
    /// numbers overflowed there.
    #[test]
    fn offsets_of_damaged_headers_are_left_out() {
        let index = index_of(&[(10, i64::MIN), (11, -1), (12, 99), (13, i64::MAX)]);
        assert!(index.bytes().is_empty());
    }

    #[test]
    fn bytes_are_those_of_kafka() {
        // golden-0/00000000000000000000.timeindex as Apache Kafka 4.3.1 left it.
        let file = [0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x04, 0, 0, 0, 4];
        let mut index = TimeIndex::new(Offset(0));
        index.append(Timestamp(1_700_000_000_004), Offset(4));
        assert_eq!(index.bytes(), file);
        assert_eq!(TimeIndex::parse(Offset(0), file.to_vec()), Ok(index));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let parse = |bytes: &[u8]| TimeIndex::parse(Offset(0), bytes.to_vec());
        assert_eq!(parse(&[0; 11]), Err(IndexError::Length(11)));
        assert_eq!(parse(&[0; 24]), Err(IndexError::Order(1)));
        let mut index = index_of(&[(10, 105), (20, 115)]).bytes().to_vec();
        index[23] = 4;
        assert_eq!(parse(&index), Err(IndexError::Order(1)));
    }

    #[test]
    fn truncation_keeps_what_is_below() {
        let check = |to: i64, left: usize| {
            let mut index = index_of(&[(10, 105), (20, 115), (30, 125)]);
            index.truncate_to(Offset(to));
            assert_eq!(index.len(), left, "{to}");
        };
        check(126, 3);
        check(125, 2);
        check(105, 0);
        check(0, 0);
    }
}
