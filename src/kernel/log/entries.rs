//! Entries of one size that rise, one after the other: what `.index` and `.timeindex` have in common.

use crate::types::offset::Offset;

/// Why bytes are not an index: it is made anew from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Part of an entry at the end.
    #[error("{0} bytes are no multiple of an entry's size")]
    Length(usize),
    /// An entry that is not above the one before it: also what follows the entries in a file that was preallocated
    /// and never trimmed.
    #[error("entry {0} is not above the entry before it")]
    Order(usize),
}

/// One entry of an index, with its offset as it stands there: less the segment's base.
pub trait Entry: Copy + Default {
    /// The size of an entry.
    const BYTES: usize;

    /// The entry at the start of these bytes; none if they are too few.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Whether it may come after that one, or be the first.
    fn may_follow(self, before: Option<Self>) -> bool;
}

/// How many entries there are.
pub fn count<E: Entry>(bytes: &[u8]) -> usize {
    bytes.len() / E::BYTES
}

/// The entry at `index`; zeros beyond the end.
pub fn entry<E: Entry>(bytes: &[u8], index: usize) -> E {
    bytes.get(index * E::BYTES..).and_then(E::read).unwrap_or_default()
}

/// The last entry.
pub fn last<E: Entry>(bytes: &[u8]) -> Option<E> {
    count::<E>(bytes).checked_sub(1).map(|index| entry(bytes, index))
}

/// Whether these are whole entries that rise.
pub fn check<E: Entry>(bytes: &[u8]) -> Result<(), IndexError> {
    if !bytes.len().is_multiple_of(E::BYTES) {
        return Err(IndexError::Length(bytes.len()));
    }
    let mut before = None;
    for index in 0..count::<E>(bytes) {
        let entry: E = entry(bytes, index);
        if !entry.may_follow(before) {
            return Err(IndexError::Order(index));
        }
        before = Some(entry);
    }
    Ok(())
}

/// An offset as it stands in an entry; none where it is below the segment that begins at `base`, or too far above. The
/// headers that indexes are made of are believed, and those of a damaged file may say anything.
pub fn relative(base: Offset, offset: Offset) -> Option<i32> {
    let relative = offset.0.checked_sub(base.0)?;
    i32::try_from(relative).ok().filter(|relative| *relative >= 0)
}

/// How many entries are `below`; all that are come first.
pub fn partition_point<E: Entry>(bytes: &[u8], below: impl Fn(E) -> bool) -> usize {
    let (mut low, mut high) = (0, count::<E>(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if below(entry(bytes, middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
