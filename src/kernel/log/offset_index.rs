//! `.index`: which position of a segment's file the batch with an offset is at or after.
//!
//! Entries of 8 bytes, big-endian: the offset less the segment's base, and the position. Both rise strictly. One
//! entry stands for about `index.interval.bytes` of the log, so a lookup gives where to begin to walk. The index in
//! memory is the very bytes of the file; a closed segment's mapped file is looked into with the same functions.

use super::entries::{self, Entry, IndexError, count, entry, partition_point};
use crate::types::offset::Offset;

/// The size of an entry.
pub const OFFSET_ENTRY_BYTES: usize = 8;

/// A batch's last offset, and the position of that batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPosition {
    /// The offset.
    pub offset: Offset,
    /// The position in the segment's file.
    pub position: u32,
}

/// The relative offset and the position.
#[derive(Clone, Copy, Default, PartialEq)]
struct Pair(i32, i32);

impl Entry for Pair {
    const BYTES: usize = OFFSET_ENTRY_BYTES;

    fn read(bytes: &[u8]) -> Option<Self> {
        let pair = u64::from_be_bytes(*bytes.first_chunk()?);
        Some(Self((pair >> 32) as i32, pair as i32))
    }

    fn may_follow(self, before: Option<Self>) -> bool {
        let Self(relative, position) = self;
        let above = before.is_none_or(|Self(r, p)| relative > r && position > p);
        above && relative >= 0 && position >= 0
    }
}

/// The index of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetIndex {
    base: Offset,
    bytes: Vec<u8>,
}

impl OffsetIndex {
    /// An index without entries for the segment that begins at `base`.
    pub const fn new(base: Offset) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// The index in these bytes of a file, every entry checked.
    pub fn parse(base: Offset, bytes: Vec<u8>) -> Result<Self, IndexError> {
        entries::check::<Pair>(&bytes)?;
        // A first entry without content is what a preallocated file begins with.
        if !bytes.is_empty() && entry::<Pair>(&bytes, 0) == Pair::default() {
            return Err(IndexError::Order(0));
        }
        Ok(Self { base, bytes })
    }

    /// Adds an entry. One that is not above the last, or too far from the base, is left out: the index is sparse,
    /// and less of it only makes the walk longer.
    pub fn append(&mut self, offset: Offset, position: u32) {
        let (Some(relative), Ok(position)) =
            (entries::relative(self.base, offset), i32::try_from(position))
        else {
            return;
        };
        let above =
            self.last().is_none_or(|last| offset > last.offset && position > last.position as i32);
        if above {
            self.bytes.extend_from_slice(&relative.to_be_bytes());
            self.bytes.extend_from_slice(&position.to_be_bytes());
        }
    }

    /// The last entry.
    pub fn last(&self) -> Option<OffsetPosition> {
        entries::last(&self.bytes).map(|pair| absolute(self.base, pair))
    }

    /// How many entries there are.
    #[cfg(any(test, feature = "internals"))]
    pub fn len(&self) -> usize {
        count::<Pair>(&self.bytes)
    }

    /// Whether there is no entry.
    #[cfg(any(test, feature = "internals"))]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where to begin to walk for `target`: see [`lookup`].
    #[cfg(any(test, feature = "internals"))]
    pub fn lookup(&self, target: Offset) -> OffsetPosition {
        lookup(&self.bytes, self.base, target)
    }

    /// Removes the entries at and above `offset`.
    #[cfg(any(test, feature = "internals"))]
    pub fn truncate_to(&mut self, offset: Offset) {
        let keep = first_above(&self.bytes, i64::max(offset - self.base - 1, -1));
        self.bytes.truncate(keep * OFFSET_ENTRY_BYTES);
    }

    /// The content of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The last entry at or below `target`; the beginning of the segment if there is none. `bytes` are whole entries,
/// of a segment that begins at `base`.
pub fn lookup(bytes: &[u8], base: Offset, target: Offset) -> OffsetPosition {
    match first_above(bytes, target - base).checked_sub(1) {
        Some(index) => absolute(base, entry(bytes, index)),
        None => OffsetPosition { offset: base, position: 0 },
    }
}

/// The offset of the first entry of an index file whose position is at or above `position`.
pub fn first_at_or_above(bytes: &[u8], base: Offset, position: u32) -> Option<Offset> {
    let index = partition_point(bytes, |Pair(_, p)| i64::from(p) < i64::from(position));
    (index < count::<Pair>(bytes)).then(|| absolute(base, entry(bytes, index)).offset)
}

/// The index of the first entry whose relative offset is above `relative`.
fn first_above(bytes: &[u8], relative: i64) -> usize {
    partition_point(bytes, |Pair(r, _)| i64::from(r) <= relative)
}

fn absolute(base: Offset, Pair(relative, position): Pair) -> OffsetPosition {
    OffsetPosition { offset: base + i64::from(relative), position: position as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_of(entries: &[(i64, u32)]) -> OffsetIndex {
        let mut index = OffsetIndex::new(Offset(100));
        for &(offset, position) in entries {
            index.append(Offset(offset), position);
        }
        index
    }

    #[test]
    fn a_lookup_gives_the_last_entry_at_or_below() {
        let index = index_of(&[(110, 4096), (120, 8192), (130, 12_288)]);
        let check = |target: i64, offset: i64, position: u32| {
            let expected = OffsetPosition { offset: Offset(offset), position };
            assert_eq!(index.lookup(Offset(target)), expected, "{target}");
        };
        check(0, 100, 0);
        check(109, 100, 0);
        check(110, 110, 4096);
        check(119, 110, 4096);
        check(129, 120, 8192);
        check(i64::MAX, 130, 12_288);
        assert_eq!(OffsetIndex::new(Offset(7)).lookup(Offset(9)).offset, Offset(7));
    }

    #[test]
    fn what_does_not_rise_is_left_out() {
        let index =
            index_of(&[(110, 10), (110, 20), (111, 10), (99, 30), (1 << 40, 40), (112, 11)]);
        assert_eq!(index.len(), 2);
        assert_eq!(index.last(), Some(OffsetPosition { offset: Offset(112), position: 11 }));
        // Headers of a damaged file may say anything.
        assert!(index_of(&[(99, 1), (-1, 2), (i64::MIN, 3), (i64::MAX, 4)]).is_empty());
    }

    #[test]
    fn bytes_are_those_of_kafka() {
        let index = index_of(&[(103, 0x0102), (104, 0x0103)]);
        assert_eq!(index.bytes(), [0, 0, 0, 3, 0, 0, 1, 2, 0, 0, 0, 4, 0, 0, 1, 3]);
        assert_eq!(OffsetIndex::parse(Offset(100), index.bytes().to_vec()), Ok(index));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let check = |bytes: &[u8], expected: IndexError| {
            assert_eq!(OffsetIndex::parse(Offset(0), bytes.to_vec()), Err(expected));
        };
        check(&[0; 7], IndexError::Length(7));
        // A preallocated file that nothing was written to, or that was not trimmed.
        check(&[0; 16], IndexError::Order(1));
        check(&[0; 8], IndexError::Order(0));
        check(&[0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], IndexError::Order(1));
        check(&[0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 9], IndexError::Order(1));
        check(&[255, 0, 0, 1, 0, 0, 0, 9], IndexError::Order(0));
    }

    #[test]
    fn truncation_keeps_what_is_below() {
        let check = |to: i64, left: usize| {
            let mut index = index_of(&[(110, 1), (120, 2), (130, 3)]);
            index.truncate_to(Offset(to));
            assert_eq!(index.len(), left, "{to}");
        };
        check(131, 3);
        check(130, 2);
        check(121, 2);
        check(111, 1);
        check(110, 0);
        check(0, 0);
    }
}
