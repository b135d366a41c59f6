//! From a log to a machine: everything from its start to its end is replayed, in large reads.
//!
//! The end is the log's, not the high watermark: a new leader's log becomes committed as it is. Records of unknown
//! types are passed over; one that cannot be decoded ends the load, as in Kafka.

use std::sync::Arc;

use bytes::Bytes;

use crate::kernel::log::producers::EndTransactionMarker;
use crate::kernel::machine::{Machine, Marker, Replayed, ShardId};
use crate::shell::drivers::partitions::{Isolation, Partition, ReadSpec};
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::wire::batch::{Batch, BatchError, Batches};
use crate::wire::record_iter::{RecordError, iterate};

/// A batch that unpacks to more ends the load.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Why a log could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The partition gave no records.
    #[error("the log cannot be read: {0}")]
    Read(ErrorCode),
    /// The file gave no bytes.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What was read is not a batch.
    #[error("after offset {0}: {1}")]
    Batch(Offset, BatchError),
    /// The records of a batch cannot be walked.
    #[error("in the batch at offset {0}: {1}")]
    Records(Offset, RecordError),
    /// A record is of a known type, but cannot be decoded.
    #[error("at offset {0}: {1}")]
    Decode(Offset, String),
    /// The node stops.
    #[error("the node stops")]
    Stopped,
}

/// A load under way.
pub(super) struct Load<'a, M> {
    partition: &'a Arc<Partition>,
    machine: M,
    next: Offset,
    passed_over: u64,
}

/// Reads a whole log. `may_go_on` is asked between reads. Gives the machine and the end of what it has seen.
pub(super) fn load<M: Machine>(
    id: ShardId,
    partition: &Arc<Partition>,
    buffer_bytes: u32,
    may_go_on: &dyn Fn() -> bool,
) -> Result<(M, Offset), LoadError> {
    let next = partition.offsets().log_start;
    let mut load = Load { partition, machine: M::new(id), next, passed_over: 0 };
    while load.next < partition.offsets().log_end {
        if !may_go_on() {
            return Err(LoadError::Stopped);
        }
        if !load.read(id.leader_epoch, buffer_bytes)? {
            break;
        }
    }
    if load.passed_over > 0 {
        let count = load.passed_over;
        tracing::warn!(?partition, count, "passed over records of types that are not known");
    }
    Ok((load.machine, load.next))
}

impl<M: Machine> Load<'_, M> {
    /// Reads some, and replays it. False if there was nothing.
    fn read(&mut self, epoch: LeaderEpoch, max_bytes: u32) -> Result<bool, LoadError> {
        let spec = ReadSpec {
            offset: self.next,
            max_bytes,
            at_least_one_batch: true,
            isolation: Isolation::LogEnd,
            current_leader_epoch: epoch,
            last_fetched_epoch: LeaderEpoch::UNKNOWN,
        };
        let answer = self.partition.read(&spec).map_err(LoadError::Read)?;
        let before = self.next;
        for range in &answer.records {
            let mut bytes = vec![0; range.length_bytes as usize];
            range.source.read_exact_at(&mut bytes, range.position)?;
            for batch in Batches::new(Bytes::from(bytes)) {
                let batch = match batch {
                    Ok(batch) => batch,
                    // The end of the read; the first batch always comes whole.
                    Err(BatchError::Cut { .. } | BatchError::HeaderCut { .. })
                        if self.next > before =>
                    {
                        break;
                    }
                    Err(error) => return Err(LoadError::Batch(self.next, error)),
                };
                if batch.header.last_offset() >= self.next {
                    self.replay(&batch)?;
                    self.next = batch.header.last_offset().next();
                }
            }
        }
        Ok(self.next > before)
    }

    fn replay(&mut self, batch: &Batch) -> Result<(), LoadError> {
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
        let of_batch = |error| LoadError::Records(header.base_offset, error);
        let transaction =
            header.is_transactional().then_some((header.producer_id, header.producer_epoch));
        for record in iterate(batch, UNPACKED_BYTES_MAX).map_err(of_batch)? {
            let record = record.map_err(of_batch)?;
            if record.offset < self.next {
                continue;
            }
            let decoded = M::decode(record.key.as_ref(), record.value.as_ref());
            let decoded =
                decoded.map_err(|error| LoadError::Decode(record.offset, error.to_string()))?;
            let Some(decoded) = decoded else {
                self.passed_over += 1;
                continue;
            };
            let at = Replayed { offset: record.offset, transaction, timestamp: record.timestamp };
            self.machine.replay(decoded, at);
        }
        Ok(())
    }
}
