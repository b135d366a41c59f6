//! Batches of the metadata log and of snapshots: uncompressed, of one append time, without a producer.

use bytes::Bytes;

use super::control::ControlRecord;
use crate::types::epoch::LeaderEpoch;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::{BatchError, BatchHeader, Batches};
use crate::wire::batch_builder::BatchBuilder;
use crate::wire::record_iter::{Record, RecordError, iterate};

/// Metadata batches are not compressed; one that is may not unpack into more than this.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why bytes are not a row of batches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchReadError {
    /// A batch that is cut short or damaged.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A record of a batch.
    #[error("the batch at offset {base_offset}: {source}")]
    Record {
        /// The batch.
        base_offset: Offset,
        /// What is wrong.
        source: RecordError,
    },
}

/// A control batch.
pub fn control(
    base: Offset,
    epoch: LeaderEpoch,
    now: Timestamp,
    records: &[ControlRecord],
) -> Bytes {
    let builder = BatchBuilder::new(base).leader_epoch(epoch);
    let add = |builder: BatchBuilder, record: &ControlRecord| {
        builder.control_record(record.kind(), now, &record.value())
    };
    records.iter().fold(builder, add).build()
}

/// A batch of metadata records.
pub fn records(base: Offset, epoch: LeaderEpoch, now: Timestamp, values: &[Bytes]) -> Bytes {
    let mut builder = BatchBuilder::new(base).leader_epoch(epoch);
    for value in values {
        builder.push(now, None, Some(value), &[]);
    }
    builder.build()
}

/// Walks all records of whole batches that lie one after another; checksums are compared.
pub fn read<E: From<BatchReadError>>(
    bytes: &Bytes,
    mut each: impl FnMut(&BatchHeader, Record) -> Result<(), E>,
) -> Result<(), E> {
    for batch in Batches::new(bytes.clone()) {
        let batch = batch.map_err(BatchReadError::from)?;
        batch.check_crc().map_err(BatchReadError::from)?;
        let base_offset = batch.header.base_offset;
        let wrong = |source| BatchReadError::Record { base_offset, source };
        for record in iterate(&batch, UNPACKED_BYTES_MAX).map_err(wrong)? {
            each(&batch.header, record.map_err(wrong)?)?;
        }
    }
    Ok(())
}
