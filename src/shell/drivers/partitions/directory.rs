//! One log directory: its checkpoints, its clean mark, and whether it can still be written.
//!
//! A directory that failed once is offline until the next start: what the system could not write it may have
//! forgotten, so nothing is tried again, and all partitions in it answer that.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kernel::log::clean_shutdown::{self, CLEAN_SHUTDOWN, CLEAN_SHUTDOWN_BYTES_MAX};
use crate::kernel::log::disk::{Disk as _, Durability};
use crate::kernel::log::offset_checkpoint::{
    self, CLEANER_CHECKPOINT, LOG_START_CHECKPOINT, OFFSET_CHECKPOINT_BYTES_MAX,
    RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::kernel::log::recovery::LogStart;
use crate::shell::disk::files::Files;
use crate::types::epoch::BrokerEpoch;
use crate::types::ids::{DirectoryId, PartitionId, TopicName};
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;

/// A log directory.
#[derive(Debug)]
pub struct LogDirectory {
    path: PathBuf,
    id: DirectoryId,
    offline: AtomicBool,
    /// Held from when the lines of a checkpoint are collected until they are written: two writers at once would
    /// spoil the file, and the slower one would bring back what is gone.
    checkpoints: Mutex<()>,
    /// Partitions that lie in it; new ones go where there are fewest.
    partitions: AtomicUsize,
    /// There is a checkpoint of the cleaner.
    has_cleaned: AtomicBool,
}

/// What the last run left about the logs of a directory.
#[derive(Debug, Default)]
pub struct Left {
    /// It stopped in order, as this incarnation of the broker.
    pub clean: Option<BrokerEpoch>,
    recovery_points: Offsets,
    log_starts: Offsets,
    high_watermarks: Offsets,
    cleaned_to: Offsets,
}

type Offsets = SeededMap<(TopicName, PartitionId), Offset>;

/// A line of a checkpoint.
pub type Line<'a> = (&'a str, PartitionId, Offset);

impl LogDirectory {
    /// The directory at `path`; nothing is read yet.
    pub const fn new(path: PathBuf, id: DirectoryId) -> Self {
        let (offline, partitions) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (checkpoints, has_cleaned) = (Mutex::new(()), AtomicBool::new(false));
        Self { path, id, offline, checkpoints, partitions, has_cleaned }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its id in the metadata (KIP-858).
    pub const fn id(&self) -> DirectoryId {
        self.id
    }

    /// Whether it has failed.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// It failed: nothing is written to it any more.
    pub fn fail(&self, doing: &str, error: &dyn std::fmt::Display) {
        if !self.offline.swap(true, Ordering::AcqRel) {
            let path = self.path.display();
            tracing::error!(%path, doing, %error, "the log directory failed and is offline now");
        }
    }

    /// Notes the failure of an operation on it; none is left then.
    pub fn failing<T, E: std::fmt::Display>(&self, doing: &str, result: Result<T, E>) -> Option<T> {
        result.inspect_err(|error| self.fail(doing, error)).ok()
    }

    /// To be held while a checkpoint is made.
    pub fn checkpoint_turn(&self) -> MutexGuard<'_, ()> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many partitions lie in it.
    pub fn partition_count(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }

    /// A partition comes.
    pub fn count_up(&self) {
        self.partitions.fetch_add(1, Ordering::Relaxed);
    }

    /// A partition went.
    pub fn count_down(&self) {
        self.partitions.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is a checkpoint of the cleaner, which may speak of partitions that are gone.
    pub fn has_cleaned(&self) -> bool {
        self.has_cleaned.load(Ordering::Relaxed)
    }

    /// There is one now.
    pub fn note_cleaned(&self) {
        self.has_cleaned.store(true, Ordering::Relaxed);
    }

    /// Reads what the last run left, and takes the clean mark away: from now on a crash is a crash.
    pub fn read_left(&self) -> io::Result<Left> {
        let path = self.path.join(CLEAN_SHUTDOWN);
        let text = Files.read_small(&path, CLEAN_SHUTDOWN_BYTES_MAX)?;
        let clean = text.map(|text| clean_shutdown::parse(&String::from_utf8_lossy(&text)));
        if clean.is_some() {
            Files.remove(&path)?;
            Files.sync_directory(&self.path)?;
        }
        let cleaned_to = self.read(CLEANER_CHECKPOINT)?;
        if !cleaned_to.is_empty() {
            self.note_cleaned();
        }
        Ok(Left {
            cleaned_to,
            clean,
            recovery_points: self.read(RECOVERY_POINT_CHECKPOINT)?,
            log_starts: self.read(LOG_START_CHECKPOINT)?,
            high_watermarks: self.read(REPLICATION_CHECKPOINT)?,
        })
    }

    /// A damaged checkpoint is worth nothing, as in Kafka: recovery then reads more than it had to.
    fn read(&self, name: &'static str) -> io::Result<Offsets> {
        let path = self.path.join(name);
        let Some(bytes) = Files.read_small(&path, OFFSET_CHECKPOINT_BYTES_MAX)? else {
            return Ok(Offsets::default());
        };
        let lines = offset_checkpoint::parse(&String::from_utf8_lossy(&bytes));
        let lines = lines.unwrap_or_else(|error| {
            let path = path.display();
            tracing::warn!(%path, %error, "the checkpoint is damaged: its offsets are taken for 0");
            Vec::new()
        });
        Ok(lines.into_iter().map(|line| ((line.topic, line.partition), line.offset)).collect())
    }

    /// Replaces a checkpoint.
    pub fn write<'a>(
        &self,
        name: &str,
        lines: impl ExactSizeIterator<Item = Line<'a>>,
    ) -> io::Result<()> {
        let text = offset_checkpoint::to_text(lines);
        Files.replace_small(&self.path.join(name), text.as_bytes(), Durability::Durable)
    }

    /// Leaves the mark by which the next start knows that nothing is to be recovered. The last thing that is
    /// written.
    pub fn mark_clean(&self, broker_epoch: BrokerEpoch) -> io::Result<()> {
        let text = clean_shutdown::to_text(broker_epoch);
        let path = self.path.join(CLEAN_SHUTDOWN);
        Files.replace_small(&path, text.as_bytes(), Durability::Durable)
    }
}

/// What lies in each directory, in the order of both. Directories without anything are left out.
pub fn by_directory<T>(
    directories: &[Arc<LogDirectory>],
    things: impl IntoIterator<Item = T>,
    of: impl Fn(&T) -> &Arc<LogDirectory>,
) -> Vec<(&Arc<LogDirectory>, Vec<T>)> {
    let mut sorted: Vec<_> = directories.iter().map(|it| (it, Vec::new())).collect();
    for thing in things {
        let place = sorted.iter().position(|(directory, _)| Arc::ptr_eq(directory, of(&thing)));
        if let Some((_, things)) = place.and_then(|place| sorted.get_mut(place)) {
            things.push(thing);
        }
    }
    sorted.retain(|(_, things)| !things.is_empty());
    sorted
}

impl Left {
    /// How the log of a partition is to be opened, and its high watermark.
    pub fn of(&self, topic: &TopicName, partition: PartitionId) -> (LogStart, Offset) {
        let key = (topic.clone(), partition);
        let of = |offsets: &Offsets| offsets.get(&key).copied().unwrap_or(Offset::ZERO);
        let start = LogStart {
            recovery_point: of(&self.recovery_points),
            log_start_offset: of(&self.log_starts),
            clean: self.clean.is_some(),
        };
        (start, of(&self.high_watermarks))
    }

    /// Up to where a partition was compacted; none if it never was.
    pub fn cleaned_to(&self, topic: &TopicName, partition: PartitionId) -> Option<Offset> {
        self.cleaned_to.get(&(topic.clone(), partition)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_leaves_is_read_by_the_next_and_the_mark_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(root.path().to_owned(), DirectoryId::default());
        assert_eq!(directory.read_left().unwrap().clean, None);

        let line = |offset| [("a", PartitionId(1), Offset(offset))].into_iter();
        directory.write(RECOVERY_POINT_CHECKPOINT, line(5)).unwrap();
        directory.write(LOG_START_CHECKPOINT, line(2)).unwrap();
        directory.write(REPLICATION_CHECKPOINT, line(7)).unwrap();
        directory.mark_clean(BrokerEpoch(14)).unwrap();
        let left = directory.read_left().unwrap();
        assert_eq!(left.clean, Some(BrokerEpoch(14)));
        let start =
            LogStart { recovery_point: Offset(5), log_start_offset: Offset(2), clean: true };
        assert_eq!(left.of(&TopicName::new("a"), PartitionId(1)), (start, Offset(7)));
        let unknown = left.of(&TopicName::new("a"), PartitionId(0));
        assert_eq!((unknown.0.recovery_point, unknown.1), (Offset(0), Offset(0)));
        assert_eq!(directory.read_left().unwrap().clean, None);
    }

    #[test]
    fn a_damaged_checkpoint_is_worth_nothing() {
        let root = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(root.path().to_owned(), DirectoryId::default());
        Files.write_small(&root.path().join(LOG_START_CHECKPOINT), b"0\n2\na 0 1\n").unwrap();
        let left = directory.read_left().unwrap();
        assert_eq!(left.of(&TopicName::new("a"), PartitionId(0)).0.log_start_offset, Offset(0));
    }

    #[test]
    fn a_failure_is_for_good() {
        let directory = LogDirectory::new(PathBuf::from("/nowhere"), DirectoryId::default());
        assert_eq!(directory.failing("count", Ok::<_, io::Error>(1)), Some(1));
        assert!(!directory.is_offline());
        assert_eq!(directory.failing("mark", directory.mark_clean(BrokerEpoch(1))), None);
        assert!(directory.is_offline());
    }
}
