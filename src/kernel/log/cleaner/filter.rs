//! What of a batch stays.
//!
//! - Of each key the last record; a tombstone until its delete horizon, which the first cleaning sets that keeps it
//!   (KIP-534).
//! - Nothing of an aborted transaction. A marker until a cleaning has met nothing of its transaction, and then
//!   until the delete horizon which that cleaning set.
//! - Everything above what the map knows.
//! - A batch without records where a producer's state stands or falls with it, and where a cleaning ends.
//!
//! A batch that loses nothing stays as it is, byte by byte. One that does is written anew: same offsets, same
//! producer, same epochs, same codec.

use std::sync::Arc;

use super::offset_map::OffsetMap;
use super::transactions::{Marked, Transactions};
use crate::kernel::log::config::LogConfig;
use crate::kernel::log::producers::{EndTransactionMarker, Producers};
use crate::kernel::log::transaction_index::AbortedTransaction;
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;
use crate::types::time::Timestamp;
use crate::wire::batch::{Batch, BatchHeader, TimestampType};
use crate::wire::compression::{Codec, CompressionError, compress, decompress};
use crate::wire::record_iter::RecordError;
use crate::wire::record_view::{RecordView, RecordViews};

/// A batch that unpacks to more is not cleaned, and its partition is not either.
pub const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// The last batch of each producer that is known: where its last sequence stands, or if it has written nothing in
/// its epoch, that epoch.
#[derive(Debug, Default)]
pub struct LastBatches(SeededMap<ProducerId, (Option<Offset>, ProducerEpoch)>);

impl LastBatches {
    /// Those of a log.
    pub fn of(producers: &Producers) -> Self {
        let last = |entry: &super::super::producers::ProducerEntry| {
            (entry.batches.last().map(|batch| batch.last_offset), entry.epoch)
        };
        Self(producers.sorted().into_iter().map(|(id, entry)| (id, last(entry))).collect())
    }

    fn holds(&self, header: &BatchHeader) -> bool {
        if !header.has_producer_id() {
            return false;
        }
        match self.0.get(&header.producer_id) {
            Some((Some(last_offset), _)) => header.last_offset() == *last_offset,
            Some((None, epoch)) => header.is_control() && header.producer_epoch == *epoch,
            None => false,
        }
    }
}

/// What becomes of a batch.
#[derive(Debug)]
pub enum Kept {
    /// It goes.
    Nothing,
    /// It stays as it is.
    Whole,
    /// This takes its place.
    Anew(Batch),
}

/// What a cleaning knows.
pub struct Filter<'a> {
    map: &'a OffsetMap,
    transactions: Transactions,
    last_batches: &'a LastBatches,
    /// The batch that ends here stays, empty if need be: else the log would not say where it ended.
    end: Offset,
    /// The time of the cleaning.
    now: Timestamp,
    config: Arc<LogConfig>,
    payload: Vec<u8>,
}

/// Unpacks the records of a batch.
pub fn unpack(batch: &Batch) -> Result<bytes::Bytes, RecordError> {
    let header = &batch.header;
    if header.record_count < 0 {
        return Err(RecordError::Count(header.record_count));
    }
    let codec = codec_of(header)?;
    if header.record_count == 0 {
        return Ok(bytes::Bytes::new());
    }
    Ok(decompress(codec, &batch.payload(), UNPACKED_BYTES_MAX)?)
}

fn codec_of(header: &BatchHeader) -> Result<Codec, RecordError> {
    let unknown = RecordError::UnknownCodec((header.attributes & 7) as u8);
    header.compression().ok_or(unknown)
}

/// The offset of a record.
pub const fn offset_of(header: &BatchHeader, record: &RecordView<'_>) -> Offset {
    Offset(header.base_offset.0.wrapping_add(record.offset_delta as i64))
}

/// What of its records a batch may keep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Records {
    /// None.
    Drop,
    /// All: those of a control batch.
    Keep,
    /// Those that the map lets stay.
    Ask,
}

/// What stays of a batch's records, in the payload of the filter.
struct Staying {
    count: i32,
    max_timestamp: Timestamp,
}

impl<'a> Filter<'a> {
    /// At the beginning of a log that is cleaned at `now` up to `end`.
    pub fn new(
        map: &'a OffsetMap,
        aborted: Vec<AbortedTransaction>,
        last_batches: &'a LastBatches,
        end: Offset,
        now: Timestamp,
        config: Arc<LogConfig>,
    ) -> Self {
        let transactions = Transactions::new(aborted);
        Self { map, transactions, last_batches, end, now, config, payload: Vec::new() }
    }

    /// Takes the next batch. Gives what becomes of it, and the transaction that it aborts, if that stays in the
    /// index.
    pub fn pass(
        &mut self,
        batch: &Batch,
    ) -> Result<(Kept, Option<AbortedTransaction>), RecordError> {
        let header = &batch.header;
        let (records, marks_nothing, aborts) = if header.is_control() {
            let marker = EndTransactionMarker::of_batch(batch);
            let marked = self.transactions.on_control(header, marker.as_ref());
            let aborts = match marked {
                Marked::Aborts(aborted) => Some(aborted),
                _ => None,
            };
            let is_empty = marked == Marked::Empty;
            let is_due = header.has_delete_horizon() && header.base_timestamp <= self.now;
            let records = if is_empty && is_due { Records::Drop } else { Records::Keep };
            (records, is_empty, aborts)
        } else if self.transactions.on_batch(header) {
            (Records::Drop, false, None)
        } else {
            (Records::Ask, false, None)
        };
        let stays_empty =
            self.last_batches.holds(header) || header.last_offset().next() == self.end;
        if records == Records::Drop {
            let kept = if stays_empty { emptied(header) } else { Kept::Nothing };
            return Ok((kept, aborts));
        }
        let kept = self.records(batch, records, marks_nothing)?;
        let kept = match kept {
            Kept::Nothing if stays_empty => emptied(header),
            kept => kept,
        };
        Ok((kept, aborts))
    }

    fn records(
        &mut self,
        batch: &Batch,
        records: Records,
        marks_nothing: bool,
    ) -> Result<Kept, RecordError> {
        let header = &batch.header;
        if header.record_count == 0 {
            return Ok(Kept::Nothing);
        }
        let unpacked = unpack(batch)?;
        let (mut kept, mut all, mut tombstones) = (0, true, marks_nothing);
        for record in RecordViews::new(&unpacked, header.record_count) {
            let record = record?;
            if records == Records::Keep || self.stays(header, &record) {
                kept += 1;
                tombstones |= !record.has_value;
            } else {
                all = false;
            }
        }
        if kept == 0 {
            return Ok(Kept::Nothing);
        }
        let sets_horizon = tombstones && !header.has_delete_horizon();
        if all && !sets_horizon {
            return Ok(Kept::Whole);
        }
        let horizon = if sets_horizon {
            Some(Timestamp(self.now.0.saturating_add(self.config.delete_retention_ms)))
        } else {
            header.has_delete_horizon().then_some(header.base_timestamp)
        };
        self.anew(header, &unpacked, records, horizon).map(Kept::Anew)
    }

    fn stays(&self, header: &BatchHeader, record: &RecordView<'_>) -> bool {
        let offset = offset_of(header, record);
        if offset >= self.map.end() {
            return true;
        }
        let Some(key) = record.key else {
            // From before the topic was compacted.
            return false;
        };
        let is_last = self.map.get(key).is_none_or(|latest| offset >= latest);
        let is_due = header.has_delete_horizon() && header.base_timestamp <= self.now;
        is_last && (record.has_value || !is_due)
    }

    fn anew(
        &mut self,
        header: &BatchHeader,
        unpacked: &[u8],
        records: Records,
        horizon: Option<Timestamp>,
    ) -> Result<Batch, RecordError> {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        let mut base = horizon;
        let mut staying = Staying { count: 0, max_timestamp: Timestamp::NONE };
        for record in RecordViews::new(unpacked, header.record_count) {
            let record = record?;
            if records != Records::Keep && !self.stays(header, &record) {
                continue;
            }
            let own = Timestamp(header.base_timestamp.0.wrapping_add(record.timestamp_delta));
            let time = if append_time { header.max_timestamp } else { own };
            let base = *base.get_or_insert(time);
            record.put(&mut payload, time.0.wrapping_sub(base.0));
            staying.count += 1;
            staying.max_timestamp = staying.max_timestamp.max(time);
        }
        let base_timestamp = base.unwrap_or(Timestamp::NONE);
        let header = BatchHeader {
            base_timestamp,
            max_timestamp: staying.max_timestamp,
            record_count: staying.count,
            ..*header
        };
        let header = horizon.map_or(header, |horizon| header.with_delete_horizon(horizon));
        let codec = codec_of(&header)?;
        let built = if codec == Codec::None {
            Batch::assemble(header, &payload)
        } else {
            let packed = compress(codec, None, &payload).map_err(damaged)?;
            Batch::assemble(header, &packed)
        };
        self.payload = payload;
        Ok(built)
    }
}

const fn damaged(error: CompressionError) -> RecordError {
    RecordError::Compression(error)
}

fn emptied(header: &BatchHeader) -> Kept {
    Kept::Anew(Batch::assemble(header.without_records(), &[]))
}
