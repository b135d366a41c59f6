//! Offsets by time (ListOffsets): the first record that is not older than a time, and the newest record.
//!
//! The indexes lead to one batch; only its records are looked at. Records that cannot be read, because their codec is
//! damaged or they unpack to too much, are no reason to fail: the batch's first offset is as good an answer.

use super::disk::Disk;
use super::segment::Segment;
use super::segment::walk::BatchAt;
use super::{Log, LogError};
use crate::types::epoch::LeaderEpoch;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::TimestampType;
use crate::wire::record_iter;

/// No batch is unpacked into more than this for a time.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A record by its time.
pub type TimedOffset = (Timestamp, Offset, LeaderEpoch);

impl<D: Disk> Log<D> {
    /// The first record below `up_to` whose timestamp is `timestamp` or later.
    pub fn offset_for_timestamp(
        &mut self,
        timestamp: Timestamp,
        up_to: Offset,
    ) -> Result<Option<TimedOffset>, LogError> {
        let start = self.log_start_offset;
        let mut segments = std::mem::take(&mut self.segments);
        let found = self.search(&mut segments, timestamp, start);
        self.segments = segments;
        Ok(found?.filter(|(_, offset, _)| *offset < up_to))
    }

    fn search(
        &self,
        segments: &mut [Segment<D>],
        timestamp: Timestamp,
        start: Offset,
    ) -> Result<Option<TimedOffset>, LogError> {
        let (disk, directory) = (&self.disk, &*self.directory);
        for segment in segments {
            if segment.largest_timestamp(disk, directory)? < timestamp {
                continue;
            }
            let near = segment.lookup_time(disk, directory, timestamp)?;
            for batch in segment.walk_towards(disk, directory, near.offset.max(start))? {
                let batch = batch?;
                if batch.header.max_timestamp >= timestamp
                    && batch.header.last_offset() >= start
                    && let Some(found) = self.record_from(segment, &batch, timestamp, start)?
                {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        Ok(None)
    }

    /// The first record of a batch that is at or above both.
    fn record_from(
        &self,
        segment: &mut Segment<D>,
        at: &BatchAt,
        timestamp: Timestamp,
        start: Offset,
    ) -> Result<Option<TimedOffset>, LogError> {
        let header = &at.header;
        let epoch = header.partition_leader_epoch;
        if header.timestamp_type() == TimestampType::LogAppendTime {
            return Ok(Some((header.max_timestamp, header.base_offset.max(start), epoch)));
        }
        let batch = segment.read_batch(&self.disk, &self.directory, at)?;
        let unreadable = (header.max_timestamp, header.base_offset.max(start), epoch);
        let Ok(records) = record_iter::iterate(&batch, UNPACKED_BYTES_MAX) else {
            return Ok(Some(unreadable));
        };
        for record in records {
            let Ok(record) = record else {
                return Ok(Some(unreadable));
            };
            if record.timestamp >= timestamp && record.offset >= start {
                return Ok(Some((record.timestamp, record.offset, epoch)));
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp; the first of them if there are several.
    pub fn max_timestamp(&mut self) -> Result<Option<TimedOffset>, LogError> {
        let mut segments = std::mem::take(&mut self.segments);
        let found = self.newest(&mut segments);
        self.segments = segments;
        found
    }

    fn newest(&self, segments: &mut [Segment<D>]) -> Result<Option<TimedOffset>, LogError> {
        let (disk, directory) = (&self.disk, &*self.directory);
        let mut newest: Option<(usize, Timestamp, Offset)> = None;
        for (index, segment) in segments.iter_mut().enumerate() {
            let largest = segment.max_timestamp(disk, directory)?;
            if newest.is_none_or(|(_, timestamp, _)| largest.timestamp > timestamp) {
                newest = Some((index, largest.timestamp, largest.offset));
            }
        }
        let Some((index, timestamp, offset)) = newest.filter(|(_, newest, _)| newest.0 >= 0) else {
            return Ok(None);
        };
        let segment = &mut segments[index];
        for batch in segment.walk_towards(disk, directory, offset)? {
            let batch = batch?;
            if batch.header.max_timestamp == timestamp {
                return self.newest_in(segment, &batch);
            }
        }
        Ok(None)
    }

    fn newest_in(
        &self,
        segment: &mut Segment<D>,
        at: &BatchAt,
    ) -> Result<Option<TimedOffset>, LogError> {
        let header = &at.header;
        let of = |offset| Some((header.max_timestamp, offset, header.partition_leader_epoch));
        if header.timestamp_type() == TimestampType::LogAppendTime {
            return Ok(of(header.last_offset()));
        }
        let batch = segment.read_batch(&self.disk, &self.directory, at)?;
        let records = record_iter::iterate(&batch, UNPACKED_BYTES_MAX);
        let found = records.ok().and_then(|mut records| {
            let is_newest = |record: &record_iter::Record| record.timestamp == header.max_timestamp;
            records.by_ref().flatten().find(is_newest).map(|record| record.offset)
        });
        Ok(of(found.unwrap_or(header.base_offset)))
    }
}
