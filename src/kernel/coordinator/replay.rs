//! From the batches of a log to a machine.
//!
//! Records of unknown types are passed over; one that cannot be decoded ends the load, as in Kafka.

use bytes::Bytes;

use super::step::Running;
use crate::kernel::log::producers::EndTransactionMarker;
use crate::kernel::machine::{Machine, Marker, Replayed, ShardId};
use crate::types::offset::Offset;
use crate::wire::batch::{Batch, BatchError, Batches};
use crate::wire::record_iter::{RecordError, iterate};

/// A batch that unpacks to more ends the load.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Why a batch cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// What was read is not a batch.
    #[error("after offset {0}: {1}")]
    Batch(Offset, BatchError),
    /// The records of a batch cannot be walked.
    #[error("in the batch at offset {0}: {1}")]
    Records(Offset, RecordError),
    /// A record is of a known type, but cannot be decoded.
    #[error("at offset {0}: {1}")]
    Decode(Offset, String),
}

/// A machine whose log is being read.
#[derive(Debug)]
pub struct Replay<M> {
    machine: M,
    next: Offset,
    passed_over: u64,
}

impl<M: Machine> Replay<M> {
    /// Before the first batch of a log that starts at `log_start`.
    pub fn new(id: ShardId, log_start: Offset) -> Self {
        Self { machine: M::new(id), next: log_start, passed_over: 0 }
    }

    /// The first offset that was not read.
    pub const fn next(&self) -> Offset {
        self.next
    }

    /// How many records there were of types that are not known.
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// What it has become so far.
    #[cfg(test)]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The log was read.
    pub fn finish(self) -> Running<M> {
        Running::new(self.machine, self.next)
    }

    /// Takes batches that were read from [`Self::next`] on: the first of them whole, the last cut where the read ended.
    /// Nothing is kept of the bytes. It is asked before each batch whether the load is to end there.
    pub fn take_read(
        &mut self,
        bytes: Bytes,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), ReplayError> {
        let before = self.next;
        for batch in Batches::new(bytes) {
            if is_over() {
                break;
            }
            match batch {
                Ok(batch) => self.take(&batch)?,
                // The end of the read.
                Err(BatchError::Cut { .. } | BatchError::HeaderCut { .. })
                    if self.next > before =>
                {
                    break;
                }
                Err(error) => return Err(ReplayError::Batch(self.next, error)),
            }
        }
        Ok(())
    }

    /// Takes a batch. What of it was read before, because a read began in its middle, is passed over.
    pub fn take(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        if batch.header.last_offset() >= self.next {
            self.replay(batch)?;
            self.next = batch.header.last_offset().next();
        }
        Ok(())
    }

    fn replay(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let header = &batch.header;
        if header.is_control() {
            // Other kinds of control, and markers that compaction has emptied, say nothing to a machine.
            if let Some(marker) = EndTransactionMarker::of_batch(batch) {
                self.machine.replay_marker(Marker {
                    offset: header.base_offset,
                    producer_id: header.producer_id,
                    producer_epoch: header.producer_epoch,
                    committed: !marker.abort,
                });
            }
            return Ok(());
        }
        let of_batch = |error| ReplayError::Records(header.base_offset, error);
        let transaction =
            header.is_transactional().then_some((header.producer_id, header.producer_epoch));
        for record in iterate(batch, UNPACKED_BYTES_MAX).map_err(of_batch)?.slices() {
            let record = record.map_err(of_batch)?;
            if record.offset < self.next {
                continue;
            }
            let at = Replayed { offset: record.offset, transaction, timestamp: record.timestamp };
            let is_known = self.machine.load(record.key, record.value, at);
            let is_known =
                is_known.map_err(|error| ReplayError::Decode(record.offset, error.to_string()))?;
            self.passed_over += u64::from(!is_known);
        }
        Ok(())
    }
}
