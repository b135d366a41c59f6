//! `.txnindex`: the aborted transactions that end in a segment, in the order of their markers (KIP-98).
//!
//! Entries of 34 bytes, big-endian: version 0, producer id, first offset, last offset (the marker's), and the last
//! stable offset once that marker was written. A segment without aborted transactions has no such file.

use crate::types::ids::ProducerId;
use crate::types::offset::Offset;

/// The size of an entry.
pub const ABORTED_TRANSACTION_BYTES: usize = 34;
const VERSION: i16 = 0;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// What was stable once the marker was written: no later entry is of a transaction that began below.
    pub last_stable_offset: Offset,
}

/// Why bytes are not an index: it is made anew from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionIndexError {
    /// Part of an entry at the end.
    #[error("{0} bytes are no multiple of an entry's size")]
    Length(usize),
    /// A version that no Kafka writes.
    #[error("version {0} is above 0")]
    Version(i16),
    /// An entry out of order, or of another segment.
    #[error("entry {0} does not belong where it stands")]
    Order(usize),
}

/// The index of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionIndex {
    entries: Vec<AbortedTransaction>,
}

impl AbortedTransaction {
    /// As the file has it.
    pub fn to_bytes(self) -> [u8; ABORTED_TRANSACTION_BYTES] {
        let mut bytes = [0; ABORTED_TRANSACTION_BYTES];
        bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
        bytes[2..10].copy_from_slice(&self.producer_id.0.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.first_offset.0.to_be_bytes());
        bytes[18..26].copy_from_slice(&self.last_offset.0.to_be_bytes());
        bytes[26..].copy_from_slice(&self.last_stable_offset.0.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8; ABORTED_TRANSACTION_BYTES]) -> Result<Self, TransactionIndexError> {
        let version = i16::from_be_bytes([bytes[0], bytes[1]]);
        if version > VERSION {
            return Err(TransactionIndexError::Version(version));
        }
        let at = |from: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[from..from + 8]);
            i64::from_be_bytes(field)
        };
        Ok(Self {
            producer_id: ProducerId(at(2)),
            first_offset: Offset(at(10)),
            last_offset: Offset(at(18)),
            last_stable_offset: Offset(at(26)),
        })
    }
}

impl TransactionIndex {
    /// The index in these bytes of the file of a segment that begins at `base`.
    pub fn parse(base: Offset, bytes: &[u8]) -> Result<Self, TransactionIndexError> {
        let (entries, rest) = bytes.as_chunks::<ABORTED_TRANSACTION_BYTES>();
        if !rest.is_empty() {
            return Err(TransactionIndexError::Length(bytes.len()));
        }
        let mut index = Self { entries: Vec::with_capacity(entries.len()) };
        for (place, entry) in entries.iter().enumerate() {
            let entry = AbortedTransaction::parse(entry)?;
            let above =
                index.entries.last().is_none_or(|last| entry.last_offset > last.last_offset);
            if !above || entry.last_offset < base {
                return Err(TransactionIndexError::Order(place));
            }
            index.entries.push(entry);
        }
        Ok(index)
    }

    /// Adds a transaction, whose marker is the newest. False, and nothing is added, if it is not.
    pub fn append(&mut self, aborted: AbortedTransaction) -> bool {
        let above = self.entries.last().is_none_or(|last| aborted.last_offset > last.last_offset);
        if above {
            self.entries.push(aborted);
        }
        above
    }

    /// The entries.
    pub fn entries(&self) -> &[AbortedTransaction] {
        &self.entries
    }

    /// Whether there is no entry, and so no file.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds to `found` the transactions that a read of `from` up to (not including) `to` has records of. True once
    /// no later segment can have more of them.
    pub fn collect(&self, from: Offset, to: Offset, found: &mut Vec<AbortedTransaction>) -> bool {
        for aborted in &self.entries {
            if aborted.last_offset >= from && aborted.first_offset < to {
                found.push(*aborted);
            }
            if aborted.last_stable_offset >= to {
                return true;
            }
        }
        false
    }

    /// Removes the transactions whose marker is at or above `offset`.
    #[cfg(any(test, feature = "internals"))]
    pub fn truncate_to(&mut self, offset: Offset) {
        let keep = self.entries.partition_point(|aborted| aborted.last_offset < offset);
        self.entries.truncate(keep);
    }

    /// The content of the file.
    #[cfg(any(test, feature = "internals"))]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.entries.iter().flat_map(|aborted| aborted.to_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aborted(first: i64, last: i64, stable: i64) -> AbortedTransaction {
        AbortedTransaction {
            producer_id: ProducerId(1),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(stable),
        }
    }

    fn index_of(entries: &[AbortedTransaction]) -> TransactionIndex {
        let mut index = TransactionIndex::default();
        for entry in entries {
            assert!(index.append(*entry));
        }
        index
    }

    #[test]
    fn bytes_are_those_of_kafka() {
        // golden-0/00000000000000000005.txnindex as Apache Kafka 4.3.1 left it.
        let mut file = [0; 34];
        (file[9], file[17], file[25], file[33]) = (1, 6, 7, 8);
        let index = index_of(&[aborted(6, 7, 8)]);
        assert_eq!(index.to_bytes(), file);
        assert_eq!(TransactionIndex::parse(Offset(5), &file), Ok(index));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        use TransactionIndexError as E;
        let check = |bytes: &[u8], expected| {
            assert_eq!(TransactionIndex::parse(Offset(5), bytes), Err(expected));
        };
        check(&[0; 33], E::Length(33));
        check(&[1; 34], E::Version(0x0101));
        check(&index_of(&[aborted(1, 4, 5)]).to_bytes(), E::Order(0));
        let mut twice = aborted(6, 7, 8).to_bytes().to_vec();
        twice.extend(aborted(6, 7, 8).to_bytes());
        check(&twice, E::Order(1));
        assert!(!index_of(&[aborted(6, 7, 8)]).append(aborted(5, 7, 8)));
    }

    #[test]
    fn a_read_finds_those_it_has_records_of() {
        let index = index_of(&[aborted(0, 10, 5), aborted(5, 20, 21), aborted(22, 30, 31)]);
        let check = |from: i64, to: i64, expected: &[i64], complete: bool| {
            let mut found = Vec::new();
            assert_eq!(index.collect(Offset(from), Offset(to), &mut found), complete);
            let found: Vec<i64> = found.iter().map(|aborted| aborted.first_offset.0).collect();
            assert_eq!(found, expected, "{from} to {to}");
        };
        check(0, 5, &[0], true);
        check(0, 6, &[0, 5], true);
        check(11, 20, &[5], true);
        check(21, 22, &[], true);
        check(0, 100, &[0, 5, 22], false);
        check(31, 100, &[], false);
    }

    #[test]
    fn truncation_keeps_those_that_ended_below() {
        let mut index = index_of(&[aborted(0, 10, 5), aborted(5, 20, 21)]);
        index.truncate_to(Offset(21));
        assert_eq!(index.entries().len(), 2);
        index.truncate_to(Offset(20));
        assert_eq!(index.entries(), [aborted(0, 10, 5)]);
        index.truncate_to(Offset(0));
        assert!(index.is_empty());
    }
}
