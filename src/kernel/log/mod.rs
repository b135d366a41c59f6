//! One partition's log over a small disk trait: append, read, roll, retain, recover.
//!
//! What is always true of it:
//! - Offsets rise, and none is given twice; what is below the log start is gone, what is at the log end is to come.
//! - There is a last segment, to which appends go; nothing else of a segment's files ever changes but their end.
//! - No record is taken apart: batches are known by their headers.
//! - A write or a sync that failed is the last thing that the log does: it refuses all further writes, because the system
//!   may have forgotten what it could not write. What was written before can be read.
//! - Files are made and opened when there is something to put in them: an idle partition costs a directory.
//!
//! Absent on purpose: clocks and chance (time is an argument, jitter is hashed), locks (the partition has one), and
//! topics, replicas and requests.

pub mod append;
pub mod clean_shutdown;
pub mod cleaner;
pub mod config;
pub mod disk;
pub mod entries;
pub mod file_names;
pub mod flush;
pub mod leader_epochs;
pub mod meta_properties;
pub mod offset_checkpoint;
pub mod offset_index;
pub mod partition_metadata;
pub mod producers;
pub mod read;
pub mod recovery;
pub mod retention;
pub mod roll;
pub mod segment;
pub mod time_index;
pub mod time_lookup;
pub mod transaction_index;
pub mod truncation;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::cleaner::plan::Claim;
use self::config::LogConfig;
use self::disk::{Disk, Durability};
use self::file_names::FileKind;
use self::leader_epochs::{LEADER_EPOCH_CHECKPOINT, LeaderEpochs};
use self::partition_metadata::PARTITION_METADATA;
use self::producers::Producers;
use self::segment::walk::WalkError;
use self::segment::{Segment, SegmentError};
use self::transaction_index::TransactionIndexError;
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::TopicId;
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now};
use crate::wire::batch::BatchError;

/// What makes a log unusable: the disk failed, or what is on it is not a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A write failed earlier: this log takes no more.
    #[error("a write to this log has failed before")]
    Offline,
    /// A batch where recovery does not cut.
    #[error("at position {position} of a segment: {source}")]
    Batch {
        /// Where in its segment.
        position: u32,
        /// What is wrong.
        source: BatchError,
    },
    /// The list of aborted transactions of a segment.
    #[error("transaction index: {0}")]
    TransactionIndex(#[from] TransactionIndexError),
    /// The directory belongs to another topic of that name: it was deleted and made again meanwhile.
    #[error("the directory holds topic {found}, not {expected}")]
    TopicId {
        /// What it should be.
        expected: TopicId,
        /// What `partition.metadata` says.
        found: TopicId,
    },
    /// `partition.metadata`.
    #[error("partition.metadata: {0}")]
    PartitionMetadata(#[from] partition_metadata::PartitionMetadataError),
}

impl LogError {
    /// No file could be opened, by this process or on this machine: the disk has nothing to do with it, and there may
    /// be room later.
    pub fn is_shortage_of_descriptors(&self) -> bool {
        const ENFILE: i32 = 23;
        const EMFILE: i32 = 24;
        matches!(self, Self::Io(error) if matches!(error.raw_os_error(), Some(ENFILE | EMFILE)))
    }
}

impl From<WalkError> for LogError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io(error) => Self::Io(error),
            WalkError::Batch { position, source } => Self::Batch { position, source },
        }
    }
}

impl From<SegmentError> for LogError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Io(error) => Self::Io(error),
            SegmentError::Walk(error) => error.into(),
            SegmentError::TransactionIndex(error) => Self::TransactionIndex(error),
        }
    }
}

/// A file that is to be removed a while after it was given up: who still reads it may end.
#[derive(Debug)]
struct Doomed {
    path: PathBuf,
    at: Mono,
}

/// See the module.
#[expect(clippy::struct_field_names, reason = "log start and log end are Kafka's words")]
pub struct Log<D: Disk> {
    disk: D,
    directory: Arc<Path>,
    topic_id: TopicId,
    config: Arc<LogConfig>,
    /// In the order of their offsets; never empty.
    segments: Vec<Segment<D>>,
    log_start_offset: Offset,
    log_end_offset: Offset,
    /// Everything below is durable.
    recovery_point: Offset,
    epochs: LeaderEpochs,
    /// Whether there is no file of the epochs yet.
    epochs_missing: bool,
    /// Whether the file of the epochs says something else: only of epochs without records.
    epochs_unsaved: bool,
    /// Whether the file of the epochs may be lost with the machine.
    epochs_unsynced: bool,
    producers: Producers,
    /// The offsets of the snapshots of the producers, rising.
    snapshots: Vec<Offset>,
    doomed: Vec<Doomed>,
    /// Where the last read ended that was limited by an offset: that offset, its segment, the position.
    bound: Option<(Offset, Offset, u32)>,
    /// The directory was made and may be lost with the machine.
    is_new: bool,
    failed: bool,
    /// Everything below was compacted; none if nothing ever was.
    cleaned_to: Option<Offset>,
    /// It is being compacted.
    cleaning: Option<Claim>,
}

impl<D: Disk> Log<D> {
    /// Makes the directory of a new, empty log.
    pub fn create(
        disk: D,
        directory: &Path,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        now: Now,
    ) -> Result<Self, LogError> {
        disk.create_directory(directory)?;
        let text = partition_metadata::to_text(topic_id);
        disk.write_small(&directory.join(PARTITION_METADATA), text.as_bytes())?;
        let directory = Arc::from(directory);
        let mut log = Self::bare(disk, directory, topic_id, config, Offset::ZERO);
        log.segments.push(Segment::empty(Offset::ZERO, now.wall));
        log.is_new = true;
        Ok(log)
    }

    fn bare(
        disk: D,
        directory: Arc<Path>,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        start: Offset,
    ) -> Self {
        Self {
            disk,
            directory,
            topic_id,
            config,
            segments: Vec::with_capacity(1),
            log_start_offset: start,
            log_end_offset: start,
            recovery_point: start,
            epochs: LeaderEpochs::default(),
            epochs_missing: true,
            epochs_unsaved: false,
            epochs_unsynced: false,
            producers: Producers::new(start),
            snapshots: Vec::new(),
            doomed: Vec::new(),
            bound: None,
            is_new: false,
            failed: false,
            cleaned_to: None,
            cleaning: None,
        }
    }

    /// The first offset that there is.
    pub const fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// The offset of the next record.
    pub const fn log_end_offset(&self) -> Offset {
        self.log_end_offset
    }

    /// Everything below is durable.
    pub const fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// The first offset of the first segment.
    pub fn first_segment_offset(&self) -> Offset {
        self.segments.first().map_or(self.log_start_offset, |segment| segment.base_offset)
    }

    /// The length of all batches.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.size_bytes)).sum()
    }

    /// How many segments there are.
    #[cfg(any(test, feature = "internals"))]
    pub const fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes another configuration, for what happens from now on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        if !config.compact {
            self.cleaning = None;
        }
        self.config = config;
    }

    /// Whether a write has failed.
    #[cfg(any(test, feature = "internals"))]
    pub const fn is_offline(&self) -> bool {
        self.failed
    }

    /// Who led it from which offset on.
    pub const fn leader_epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Who writes to it.
    pub const fn producers(&self) -> &Producers {
        &self.producers
    }

    /// The first offset of the oldest transaction that is open, or ended above the high watermark.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        self.producers.first_unstable_offset().map(|offset| offset.max(self.log_start_offset))
    }

    /// Transactions that ended below are stable now.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.producers.on_high_watermark(high_watermark);
    }

    /// Forgets producers that have long been silent (`producer.id.expiration.ms`).
    pub fn expire_producers(&mut self, now: Now) {
        self.producers.expire(now.wall, self.config.producer_id_expiration_ms);
    }

    /// Notes that `epoch` begins where the log ends now. Its file says so a moment later, at [`Self::write_epochs`] or with
    /// the first record (that of a new log at once): a start that had to write a file for each of thousands of logs before
    /// it could answer would take seconds. What a crash loses of it the next start's epoch replaces.
    pub fn assign_epoch_start(&mut self, epoch: LeaderEpoch) -> Result<(), LogError> {
        self.check_online()?;
        self.epochs_unsaved |= self.epochs.assign(epoch, self.log_end_offset);
        if self.epochs_missing { self.save_unsaved_epochs() } else { Ok(()) }
    }

    /// The next record is of `epoch`.
    fn assign_epoch(&mut self, epoch: LeaderEpoch, start: Offset) -> Result<(), LogError> {
        self.epochs_unsaved |= self.epochs.assign(epoch, start);
        self.save_unsaved_epochs()
    }

    /// Writes down the epoch that the leader began, as Kafka does when it begins it.
    pub fn write_epochs(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        self.save_unsaved_epochs()
    }

    fn save_unsaved_epochs(&mut self) -> Result<(), LogError> {
        if self.epochs_unsaved {
            let saved = self.save_epochs();
            self.failing(saved)?;
        }
        Ok(())
    }

    fn save_epochs(&mut self) -> io::Result<()> {
        let path = self.directory.join(LEADER_EPOCH_CHECKPOINT);
        let text = self.epochs.to_text();
        if self.epochs.earliest().is_some_and(|first| first.start_offset == self.log_end_offset) {
            // There is nothing to keep if this is cut short; a start makes it anew from the batches.
            self.disk.write_small(&path, text.as_bytes())?;
        } else {
            self.disk.replace_small(&path, text.as_bytes(), Durability::Cached)?;
        }
        self.epochs_missing = false;
        self.epochs_unsaved = false;
        self.epochs_unsynced = true;
        Ok(())
    }

    /// The largest epoch up to `requested`, and the offset after its last record.
    pub fn end_offset_for_epoch(&self, requested: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(requested, self.log_end_offset)
    }

    /// How many files it holds open.
    pub fn open_files(&self) -> usize {
        self.segments.iter().filter(|segment| segment.is_open()).count()
    }

    /// Closes files and drops maps, to be opened again when they are needed.
    pub fn release(&mut self) {
        self.segments.iter_mut().for_each(Segment::release);
    }

    fn path(&self, kind: FileKind, offset: Offset) -> PathBuf {
        self.directory.join(kind.name(offset))
    }

    const fn check_online(&self) -> Result<(), LogError> {
        if self.failed { Err(LogError::Offline) } else { Ok(()) }
    }

    /// Notes a failure: it is the last thing that this log writes.
    fn failing<T, E: Into<LogError>>(&mut self, result: Result<T, E>) -> Result<T, LogError> {
        result.map_err(|error| {
            self.failed = true;
            error.into()
        })
    }

    fn active(&mut self) -> Result<&mut Segment<D>, LogError> {
        self.segments.last_mut().ok_or(LogError::Offline)
    }
}

#[cfg(test)]
mod tests;
