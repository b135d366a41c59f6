//! Opening a log that is there: from what files it consists, what of them is to be believed, and what they say.
//!
//! After a clean stop everything is. After any other, what lies above the recovery point is read in full: the log is cut
//! at the first batch that is damaged, and indexes and producers are made anew. An index that is missing is made anew at
//! any time; it is never taken for damage. Nothing below the recovery point is cut: what was durable once and is not
//! readable now is an error, and other replicas have it.

mod scan;
mod sort_out;

use std::path::Path;
use std::sync::Arc;

use self::scan::Scan;
use self::sort_out::Found;
use super::config::LogConfig;
use super::disk::{Disk, DiskFile as _};
use super::file_names::FileKind;
use super::leader_epochs::{
    LEADER_EPOCH_CHECKPOINT, LEADER_EPOCH_CHECKPOINT_BYTES_MAX, LeaderEpochs,
};
use super::partition_metadata::{PARTITION_METADATA, PARTITION_METADATA_BYTES_MAX};
use super::producers::snapshot::SNAPSHOT_BYTES_MAX;
use super::producers::{EndTransactionMarker, Producers};
use super::segment::Segment;
use super::segment::walk::BatchAt;
use super::{Log, LogError, partition_metadata};
use crate::types::ids::TopicId;
use crate::types::offset::Offset;
use crate::types::time::Now;
use crate::wire::batch::BatchHeader;

/// What the checkpoints of the log directory say of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "log start is Kafka's word")]
pub struct LogStart {
    /// Everything below was durable.
    pub recovery_point: Offset,
    /// The log starts here, or at its first segment if that is later.
    pub log_start_offset: Offset,
    /// The last stop was in order.
    pub clean: bool,
}

/// What was done to open a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments that were read in full.
    pub segments_read: usize,
    /// Segments of which only indexes were made anew.
    pub indexes_rebuilt: usize,
    /// Segments that were given up because one before them was cut, or has the offset of their name.
    pub segments_dropped: usize,
    /// What was cut off.
    pub bytes_cut: u64,
}

impl<D: Disk> Log<D> {
    /// Opens the log in `directory`. A topic id that the directory does not name yet is written there.
    pub fn open(
        disk: D,
        directory: &Path,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        start: LogStart,
        now: Now,
    ) -> Result<(Self, Recovery), LogError> {
        let is_new = check_topic_id(&disk, directory, topic_id)?;
        let found = sort_out::sort_out(&disk, directory)?;
        let directory = Arc::from(directory);
        let mut log = Self::bare(disk, directory, topic_id, config, start.log_start_offset);
        log.is_new = is_new;
        let mut recovery = Recovery::default();
        let is_epochs_readable = log.load_epochs()?;
        log.load_segments(&found, start, now, &mut recovery)?;
        log.find_the_end(start, now)?;
        // Nothing was flushed yet, so nobody has made its name durable.
        log.is_new |= log.recovery_point == Offset::ZERO;
        if !is_epochs_readable {
            log.epochs_from_batches()?;
        }
        log.fit_epochs()?;
        log.load_producers(start.clean, now)?;
        // Most logs stand idle: until it is used, one needs neither descriptors nor maps.
        log.release();
        Ok((log, recovery))
    }

    /// False where the file is damaged, or a crash left nothing of it.
    fn load_epochs(&mut self) -> Result<bool, LogError> {
        let path = self.directory.join(LEADER_EPOCH_CHECKPOINT);
        let Some(bytes) = self.disk.read_small(&path, LEADER_EPOCH_CHECKPOINT_BYTES_MAX)? else {
            return Ok(true);
        };
        self.epochs_missing = false;
        let read = std::str::from_utf8(&bytes).ok().and_then(|text| LeaderEpochs::parse(text).ok());
        self.epochs = read.unwrap_or_default();
        Ok(!self.epochs.entries().is_empty())
    }

    fn load_segments(
        &mut self,
        found: &Found,
        start: LogStart,
        now: Now,
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        self.snapshots.clone_from(&found.snapshots);
        let mut bases = found.logs.iter().peekable();
        let mut is_cut = false;
        while let Some((base_offset, log)) = bases.next() {
            let size_bytes = u32::try_from(log.size_bytes).unwrap_or(u32::MAX);
            let mut segment = Segment::found(*base_offset, size_bytes, log.modified);
            if is_cut {
                self.doom_segment(&segment, now)?;
                recovery.segments_dropped += 1;
                continue;
            }
            let end = bases.peek().map_or(Offset(i64::MAX), |(next, _)| **next);
            let is_durable = start.clean || end <= start.recovery_point;
            if is_durable {
                if size_bytes > 0 && !log.has_indexes {
                    let interval = self.config.index_interval_bytes;
                    segment.index_again(&self.disk, &self.directory, interval)?;
                    recovery.indexes_rebuilt += 1;
                }
            } else {
                let cut_bytes = self.recover(&mut segment, start, now)?;
                recovery.segments_read += 1;
                recovery.bytes_cut += cut_bytes;
                is_cut = cut_bytes > 0;
                // A segment whose name is an offset of the one before it has not been written by anybody: offsets rise.
                while let Some((stray, log)) = bases.next_if(|(it, _)| **it < self.log_end_offset) {
                    let size_bytes = u32::try_from(log.size_bytes).unwrap_or(u32::MAX);
                    self.doom_segment(&Segment::found(*stray, size_bytes, log.modified), now)?;
                    recovery.segments_dropped += 1;
                }
                if let Some((next, _)) = bases.peek().filter(|_| !is_cut) {
                    self.producers.advance_to(**next);
                    self.take_snapshot()?;
                }
            }
            if bases.peek().is_some() && !is_cut && segment.has_unwritten_indexes() {
                segment.write_indexes(&self.disk, &self.directory)?;
            }
            self.segments.push(segment);
        }
        Ok(())
    }

    /// Reads a whole segment, cuts it at the first damage, and makes anew what belongs to it. Says how much was cut.
    fn recover(
        &mut self,
        segment: &mut Segment<D>,
        start: LogStart,
        now: Now,
    ) -> Result<u64, LogError> {
        let base_offset = segment.base_offset;
        self.log_end_offset = base_offset;
        if self.producers.end_offset() != base_offset {
            self.producers_up_to(base_offset, start.log_start_offset, now)?;
        }
        segment.reset_aborted(&self.disk, &self.directory)?;
        let file = segment.file(&self.disk, &self.directory)?;
        let before = segment.size_bytes;
        let mut scan = Scan::<D>::new(file, base_offset, before, self.config.index_interval_bytes);
        while let Some(batch) = scan.next()? {
            let epoch = batch.header.partition_leader_epoch;
            if self.epochs.latest().is_none_or(|latest| epoch > latest.epoch) {
                self.epochs_unsynced |= self.epochs.assign(epoch, batch.header.base_offset);
            }
            self.replay(segment, &batch.header, batch.marker.as_ref(), true)?;
        }
        self.log_end_offset = scan.next_offset();
        let (size_bytes, written, largest) = scan.finish();
        if size_bytes < before {
            segment.file(&self.disk, &self.directory)?.set_size(u64::from(size_bytes))?;
        }
        segment.rebuilt(size_bytes, written, largest);
        Ok(u64::from(before - size_bytes))
    }

    /// Takes a batch that is in the log already into the producers.
    fn replay(
        &mut self,
        segment: &mut Segment<D>,
        header: &BatchHeader,
        marker: Option<&EndTransactionMarker>,
        note_aborted: bool,
    ) -> Result<(), LogError> {
        match marker {
            Some(marker) => {
                let aborted = self.producers.apply_marker(header, marker);
                if let Some(aborted) = aborted.filter(|_| note_aborted) {
                    segment.append_aborted(&self.disk, &self.directory, aborted)?;
                }
            }
            None => self.producers.apply(header),
        }
        Ok(())
    }

    fn find_the_end(&mut self, start: LogStart, now: Now) -> Result<(), LogError> {
        let first = self.segments.first().map(|segment| segment.base_offset);
        self.log_start_offset = start.log_start_offset.max(first.unwrap_or(Offset::ZERO));
        let end = match self.segments.last_mut() {
            Some(last) => last.read_next_offset(&self.disk, &self.directory)?,
            None => self.log_start_offset,
        };
        if end < self.log_start_offset || self.segments.is_empty() {
            for segment in std::mem::take(&mut self.segments) {
                self.doom_segment(&segment, now)?;
            }
            self.epochs.clear();
            self.push_empty(self.log_start_offset, now.wall)?;
        }
        self.log_end_offset = end.max(self.log_start_offset);
        self.recovery_point = if start.clean {
            self.log_end_offset
        } else {
            start.recovery_point.min(self.log_end_offset)
        };
        Ok(())
    }

    fn epochs_from_batches(&mut self) -> Result<(), LogError> {
        self.epochs.clear();
        for segment in &mut self.segments {
            for batch in segment.walk(&self.disk, &self.directory, 0)? {
                let header = batch?.header;
                self.epochs.assign(header.partition_leader_epoch, header.base_offset);
            }
        }
        self.epochs_unsynced = true;
        Ok(())
    }

    fn fit_epochs(&mut self) -> Result<(), LogError> {
        let cut = self.epochs.truncate_from_end(self.log_end_offset);
        let moved = self.epochs.truncate_from_start(self.log_start_offset);
        if moved || self.epochs_unsynced {
            self.save_epochs()?;
        } else {
            self.epochs_unsaved |= cut;
        }
        Ok(())
    }

    /// The producers at the end of the log. A log without any snapshot that was closed in order is not read for them: no
    /// Kafka of today leaves one with records, and a directory that was made by hand has no producers to protect.
    fn load_producers(&mut self, clean: bool, now: Now) -> Result<(), LogError> {
        self.drop_stray_snapshots()?;
        if clean && self.snapshots.is_empty() {
            self.producers = Producers::new(self.log_end_offset);
            return Ok(());
        }
        let (end, start) = (self.log_end_offset, self.log_start_offset);
        self.producers_up_to(end, start, now)
    }

    /// Snapshots that belong to no segment go, but for the last one if it lies above all of them: a clean stop left it.
    fn drop_stray_snapshots(&mut self) -> Result<(), LogError> {
        let last_base = self.segments.last().map_or(Offset::ZERO, |segment| segment.base_offset);
        let is_base = |at: &Offset| self.segments.iter().any(|segment| segment.base_offset == *at);
        let strays: Vec<Offset> =
            self.snapshots.iter().copied().filter(|at| !is_base(at)).collect();
        let kept = strays.last().copied().filter(|at| *at >= last_base);
        for stray in strays.into_iter().filter(|at| Some(*at) != kept) {
            self.drop_snapshot(stray)?;
        }
        Ok(())
    }

    pub(super) fn drop_snapshot(&mut self, at: Offset) -> Result<(), LogError> {
        self.snapshots.retain(|other| *other != at);
        Ok(self.disk.remove(&self.path(FileKind::ProducerSnapshot, at))?)
    }

    /// The producers as they were at `end`: from the newest snapshot that is good, and the batches after it.
    pub(super) fn producers_up_to(
        &mut self,
        end: Offset,
        log_start: Offset,
        now: Now,
    ) -> Result<(), LogError> {
        let outside = |at: &Offset| *at > end || *at <= log_start;
        let passed: Vec<Offset> = self.snapshots.iter().copied().filter(outside).collect();
        for at in passed {
            self.drop_snapshot(at)?;
        }
        self.producers = Producers::new(log_start);
        while let Some(at) = self.snapshots.last().copied() {
            let path = self.path(FileKind::ProducerSnapshot, at);
            let bytes = self.disk.read_small(&path, SNAPSHOT_BYTES_MAX)?.unwrap_or_default();
            let expiration_ms = self.config.producer_id_expiration_ms;
            match Producers::of_snapshot(&bytes, at, now.wall, expiration_ms) {
                Ok(producers) => {
                    self.producers = producers;
                    break;
                }
                Err(_) => self.drop_snapshot(at)?,
            }
        }
        let from = self.producers.end_offset();
        if from < end {
            self.replay_between(from, end)?;
        }
        self.producers.advance_to(end);
        Ok(())
    }

    fn replay_between(&mut self, from: Offset, end: Offset) -> Result<(), LogError> {
        let mut segments = std::mem::take(&mut self.segments);
        let replayed = segments.iter_mut().try_for_each(|segment| {
            if segment.base_offset >= end {
                return Ok(());
            }
            let Some(first) = segment.find(&self.disk, &self.directory, from)? else {
                return Ok(());
            };
            for batch in segment.walk(&self.disk, &self.directory, first.position)? {
                let batch = batch?;
                if batch.header.base_offset >= end {
                    break;
                }
                let marker = self.marker(segment, &batch)?;
                self.replay(segment, &batch.header, marker.as_ref(), false)?;
            }
            Ok(())
        });
        self.segments = segments;
        replayed
    }

    fn marker(
        &self,
        segment: &mut Segment<D>,
        batch: &BatchAt,
    ) -> Result<Option<EndTransactionMarker>, LogError> {
        if !batch.header.is_control() || !batch.header.has_producer_id() {
            return Ok(None);
        }
        let batch = segment.read_batch(&self.disk, &self.directory, batch)?;
        Ok(EndTransactionMarker::of_batch(&batch))
    }
}

/// Compares the topic id in the directory; writes it where there is none, or where a crash left only the beginning of the
/// file, or zeros. True if it was written.
fn check_topic_id<D: Disk>(
    disk: &D,
    directory: &Path,
    topic_id: TopicId,
) -> Result<bool, LogError> {
    let path = directory.join(PARTITION_METADATA);
    let bytes = disk.read_small(&path, PARTITION_METADATA_BYTES_MAX)?.unwrap_or_default();
    let text = partition_metadata::to_text(topic_id);
    if text.as_bytes() == bytes {
        return Ok(false);
    }
    if text.as_bytes().starts_with(&bytes) || bytes.iter().all(|byte| *byte == 0) {
        disk.write_small(&path, text.as_bytes())?;
        return Ok(true);
    }
    let found = partition_metadata::parse(&String::from_utf8_lossy(&bytes))?;
    if found == topic_id { Ok(false) } else { Err(LogError::TopicId { expected: topic_id, found }) }
}
