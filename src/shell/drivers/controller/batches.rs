//! Packs the records of several decisions into few batches of the metadata log.
//!
//! What one decision writes atomically stays in one batch, since a batch is in the log whole or not at all; the bounds
//! are Kafka's, so that its brokers read what we wrote.

use bytes::Bytes;

/// Kafka's controller puts no more records into a batch.
pub const BATCH_RECORDS_MAX: usize = 10_000;
/// Kafka's raft client reads no longer batch.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What the framing of a record costs at most: length, attributes, deltas, key, value length, headers.
const RECORD_OVERHEAD_BYTES: usize = 24;
/// What a batch costs before its first record.
const BATCH_OVERHEAD_BYTES: usize = 61;

/// Record values, batch by batch.
#[derive(Debug, Default)]
pub struct Batches {
    done: Vec<Vec<Bytes>>,
    open: Vec<Bytes>,
    open_bytes: usize,
}

/// An atomic decision that no batch can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Batches {
    /// Whether an atomic decision with these values can be written.
    pub fn check_atomic(values: &[Bytes]) -> Result<(), TooLarge> {
        let fits = values.len() <= BATCH_RECORDS_MAX
            && BATCH_OVERHEAD_BYTES + size_bytes(values) <= BATCH_BYTES_MAX;
        if fits { Ok(()) } else { Err(TooLarge) }
    }

    /// Adds what one decision writes; a caller asks [`Self::check_atomic`] first where it must stay whole.
    pub fn push(&mut self, values: Vec<Bytes>, atomic: bool) {
        if atomic {
            self.make_room(values.len(), size_bytes(&values));
            for value in values {
                self.push_one(value);
            }
        } else {
            for value in values {
                self.make_room(1, value.len() + RECORD_OVERHEAD_BYTES);
                self.push_one(value);
            }
        }
    }

    /// The values of each batch, in order; no batch is empty.
    pub fn finish(mut self) -> Vec<Vec<Bytes>> {
        self.close();
        self.done
    }

    fn push_one(&mut self, value: Bytes) {
        self.open_bytes += value.len() + RECORD_OVERHEAD_BYTES;
        self.open.push(value);
    }

    fn make_room(&mut self, records: usize, bytes: usize) {
        let fits = self.open.len() + records <= BATCH_RECORDS_MAX
            && BATCH_OVERHEAD_BYTES + self.open_bytes + bytes <= BATCH_BYTES_MAX;
        if !fits {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
            self.open_bytes = 0;
        }
    }
}

fn size_bytes(values: &[Bytes]) -> usize {
    values.iter().map(|value| value.len() + RECORD_OVERHEAD_BYTES).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, bytes: usize) -> Vec<Bytes> {
        vec![Bytes::from(vec![0; bytes]); count]
    }

    fn lengths(batches: Batches) -> Vec<usize> {
        batches.finish().iter().map(Vec::len).collect()
    }

    #[test]
    fn decisions_share_batches_and_atomic_ones_stay_whole() {
        let mut batches = Batches::default();
        batches.push(values(6000, 10), true);
        batches.push(values(3000, 10), true);
        batches.push(values(6000, 10), true);
        batches.push(values(5000, 10), false);
        assert_eq!(lengths(batches), [9000, 10_000, 1000]);
        assert_eq!(lengths(Batches::default()), Vec::<usize>::new());
    }

    #[test]
    fn a_batch_is_no_longer_than_kafka_reads() {
        let mut batches = Batches::default();
        batches.push(values(9, 1 << 20), false);
        assert_eq!(lengths(batches), [7, 2]);
        let mut batches = Batches::default();
        batches.push(values(5, 1 << 20), true);
        batches.push(values(5, 1 << 20), true);
        assert_eq!(lengths(batches), [5, 5]);
    }

    #[test]
    fn what_no_batch_can_hold_is_said_before() {
        assert_eq!(Batches::check_atomic(&values(10_000, 10)), Ok(()));
        assert_eq!(Batches::check_atomic(&values(10_001, 10)), Err(TooLarge));
        assert_eq!(Batches::check_atomic(&values(8, 1 << 20)), Err(TooLarge));
    }
}
