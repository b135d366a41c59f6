//! When a new segment begins: the active one is full, has been filling for too long, or cannot hold the next offset.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::sync::Arc;

use super::append::is_within;
use super::config::LogConfig;
use super::disk::Disk;
use super::file_names::FileKind;
use super::offset_index::OFFSET_ENTRY_BYTES;
use super::segment::Segment;
use super::time_index::TIME_ENTRY_BYTES;
use super::{Log, LogError};
use crate::types::offset::Offset;
use crate::types::time::{Now, Timestamp};
use crate::wire::batch::BatchHeader;

impl<D: Disk> Log<D> {
    /// Whether the active segment cannot take this batch. Time counts in record time, from the first batch's largest
    /// timestamp, and by the clock only where batches have none.
    pub(super) fn must_roll(
        &mut self,
        header: &BatchHeader,
        size_bytes: u32,
        now: Now,
    ) -> Result<bool, LogError> {
        let config = Arc::clone(&self.config);
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        let segment = self.active()?;
        let base_offset = segment.base_offset;
        if !is_within(base_offset, header.last_offset())
            || segment.size_bytes > config.segment_bytes.saturating_sub(size_bytes)
        {
            return Ok(true);
        }
        if segment.size_bytes == 0 {
            return Ok(false);
        }
        let waited_ms = match segment.first_timestamp(&disk, &directory)? {
            Some(first) if first.0 >= 0 => header.max_timestamp.0.saturating_sub(first.0),
            _ => now.wall.0.saturating_sub(segment.created.0),
        };
        let (offsets, times) = segment.index_entries(&disk, &directory)?;
        let max_bytes = config.segment_index_bytes as usize;
        let is_full = offsets >= max_bytes / OFFSET_ENTRY_BYTES
            || times >= (max_bytes / TIME_ENTRY_BYTES).saturating_sub(1);
        Ok(is_full || waited_ms > config.segment_ms - self.jitter_ms(&config, base_offset))
    }

    /// What is taken off `segment.ms` for a segment, so that partitions made at once do not roll at once: by chance as
    /// far as anyone can see, but the same each time.
    fn jitter_ms(&self, config: &LogConfig, base_offset: Offset) -> i64 {
        let max = config.segment_jitter_ms.min(config.segment_ms);
        if max <= 0 {
            return 0;
        }
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        hasher.write(self.topic_id.0.as_bytes());
        hasher.write(self.directory.as_os_str().as_encoded_bytes());
        hasher.write_i64(base_offset.0);
        (hasher.finish() % max.unsigned_abs()) as i64
    }

    /// Begins a segment at `base_offset`. The one before gets its indexes, and a snapshot of the producers is taken, so
    /// that recovery need not begin further back.
    pub(super) fn roll(&mut self, base_offset: Offset, now: Now) -> Result<(), LogError> {
        let rolled = self.try_roll(base_offset, now.wall);
        self.failing(rolled)
    }

    fn try_roll(&mut self, base_offset: Offset, now: Timestamp) -> Result<(), LogError> {
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        if let Some(active) = self.segments.last_mut() {
            if active.base_offset == base_offset {
                // It is empty: Kafka makes it anew, which changes nothing.
                return Ok(());
            }
            if active.size_bytes > 0 {
                active.write_indexes(&disk, &directory)?;
            } else {
                active.make_files(&disk, &directory)?;
            }
        }
        for kind in
            [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex]
        {
            // Leftovers of a log that was cut and has grown again.
            disk.remove(&self.path(kind, base_offset))?;
        }
        self.push_empty(base_offset, now)?;
        self.producers.advance_to(base_offset);
        Ok(self.take_snapshot()?)
    }

    /// Adds a segment without batches. Its file is made at once where its name says something: that of a log whose records
    /// have all gone is all that keeps an offset from being given twice.
    pub(super) fn push_empty(&mut self, base_offset: Offset, now: Timestamp) -> io::Result<()> {
        let mut segment = Segment::empty(base_offset, now);
        if base_offset > Offset::ZERO {
            segment.file(&self.disk, &self.directory)?;
        }
        self.segments.push(segment);
        Ok(())
    }

    /// Writes a snapshot of the producers, unless nothing was appended since the last one. It is made durable with the
    /// segment before it.
    pub(super) fn take_snapshot(&mut self) -> io::Result<()> {
        let at = self.producers.end_offset();
        let last = self.snapshots.last().copied().unwrap_or(self.log_start_offset);
        if at <= last {
            return Ok(());
        }
        let bytes = self.producers.to_snapshot();
        self.disk.write_small(&self.path(FileKind::ProducerSnapshot, at), &bytes)?;
        self.snapshots.push(at);
        Ok(())
    }
}
