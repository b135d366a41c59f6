//! What is done to a partition from time to time, and at its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Partition, State, Store, lock};
use crate::kernel::configs::topic::TopicConfig;
use crate::kernel::log::config::LogConfig;
use crate::kernel::log::disk::Disk as _;
use crate::kernel::log::flush::Flush;
use crate::kernel::log::{Log, LogError};
use crate::shell::disk::files::Files;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now};

/// What the checkpoints of a directory say of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    /// Everything below is durable.
    pub recovery_point: Offset,
    /// The first offset, where that is not the first of the first segment.
    pub log_start_offset: Option<Offset>,
    /// Up to where consumers read.
    pub high_watermark: Offset,
    /// Everything below was compacted; none if nothing ever was.
    pub cleaned_to: Option<Offset>,
}

/// What there is of a partition on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The length of all batches.
    pub size_bytes: u64,
    /// How far the log is behind the high watermark.
    pub offset_lag: i64,
}

impl Partition {
    /// What the checkpoints are to say; none while there is no log.
    pub(in super::super) fn checkpointed(&self) -> Option<Checkpointed> {
        let mut state = self.lock();
        let high_watermark = state.leadership.high_watermark();
        let log = state.log().ok()?;
        let start = log.log_start_offset();
        Some(Checkpointed {
            recovery_point: log.recovery_point(),
            log_start_offset: Some(start).filter(|start| *start > log.first_segment_offset()),
            high_watermark,
            cleaned_to: log.cleaned_to(),
        })
    }

    /// Whether a checkpoint of the directory speaks of it.
    pub(in super::super) fn is_checkpointed(&self) -> bool {
        self.checkpointed.load(Ordering::Acquire)
    }

    /// A checkpoint of the directory may speak of it from now on.
    pub(in super::super) fn note_checkpointed(&self, is: bool) {
        self.checkpointed.store(is, Ordering::Release);
    }

    /// Its size; none while there is no log.
    pub(in super::super) fn size(&self) -> Option<Size> {
        let mut state = self.lock();
        let high_watermark = state.leadership.high_watermark();
        let log = state.log().ok()?;
        let offset_lag = (high_watermark - log.log_end_offset()).max(0);
        Some(Size { size_bytes: log.size_bytes(), offset_lag })
    }

    /// Takes another configuration, for what happens from now on.
    pub(in super::super) fn set_config(&self, topic: Arc<TopicConfig>, log: Arc<LogConfig>) {
        let mut state = self.lock();
        self.config.store(topic);
        if let Ok(open) = state.log() {
            open.set_config(log);
        }
        // What the high watermark waited for may be asked for no more.
        let before = self.shown();
        self.move_high_watermark(&mut state);
        let after = self.publish(&mut state);
        drop(state);
        self.wake(before, after, 0);
    }

    /// Makes durable what was appended so far. The mutex is not held while the disk works.
    pub(in super::super) fn flush(&self, now: Now) -> Result<(), ErrorCode> {
        let turn = lock(&self.flushing);
        let flushed = self.flush_in_turn(now);
        drop(turn);
        flushed
    }

    /// The same, for who holds the turn.
    pub(super) fn flush_in_turn(&self, now: Now) -> Result<(), ErrorCode> {
        self.flush_with(now, Log::begin_flush)
    }

    /// Makes durable what lies in segments that are full, as Kafka does after each roll.
    pub(in super::super) fn flush_closed(&self, now: Now) -> Result<(), ErrorCode> {
        let turn = lock(&self.flushing);
        let flushed = self.flush_with(now, Log::begin_flush_of_closed);
        drop(turn);
        flushed
    }

    fn flush_with(
        &self,
        now: Now,
        begin: impl FnOnce(&mut Log<Files>) -> Result<Option<Flush<Files>>, LogError>,
    ) -> Result<(), ErrorCode> {
        self.check_online()?;
        let failed = |error: LogError| self.on_log_error("flush", &error);
        let begun = begin(self.lock().log()?).map_err(failed)?;
        let result = begun.as_ref().map(Flush::run);
        let mut state = self.lock();
        state.flushed_at = now.mono;
        if let (Some(flush), Some(result)) = (begun, result) {
            state.log()?.end_flush(&flush, result).map_err(failed)?;
        }
        Ok(())
    }

    /// How often `flush.ms` asks for a flush, and when for the next, if there is anything to flush; none if it does
    /// not.
    pub(in super::super) fn flush_due(&self) -> Option<(Duration, Option<Mono>)> {
        let flush_ms = u64::try_from(self.config.load().flush_ms).ok()?;
        if flush_ms >= i64::MAX as u64 {
            return None;
        }
        let mut state = self.lock();
        let flushed_at = state.flushed_at;
        let log = state.log().ok()?;
        let is_dirty = log.recovery_point() < log.log_end_offset();
        let every = Duration::from_millis(flush_ms.max(1));
        Some((every, is_dirty.then(|| flushed_at.after(every))))
    }

    /// Gives up what retention takes.
    pub(in super::super) fn retain(&self, now: Now) -> Result<(), ErrorCode> {
        self.maintain("retain", |log, high_watermark| log.retain(now, high_watermark).map(drop))
    }

    /// Writes down the epoch that began with this leader, if that is still to be done.
    pub(in super::super) fn write_epochs(&self) -> Result<(), ErrorCode> {
        self.maintain("write the leader epochs of", |log, _| log.write_epochs())
    }

    /// Removes the files that were given up long enough ago.
    pub(in super::super) fn remove_due_files(&self, now: Now) -> Result<(), ErrorCode> {
        self.maintain("remove files of", |log, _| log.remove_due_files(now).map(drop))
    }

    /// Forgets producers that have long been silent.
    pub(in super::super) fn expire_producers(&self, now: Now) -> Result<(), ErrorCode> {
        self.maintain("expire producers of", |log, _| {
            log.expire_producers(now);
            Ok(())
        })
    }

    fn maintain(
        &self,
        doing: &str,
        maintain: impl FnOnce(&mut Log<Files>, Offset) -> Result<(), LogError>,
    ) -> Result<(), ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        let high_watermark = state.leadership.high_watermark();
        maintain(state.log()?, high_watermark).map_err(|error| self.on_log_error(doing, &error))?;
        self.publish(&mut state);
        Ok(())
    }

    /// How many files it holds open.
    pub(in super::super) fn open_files(&self) -> usize {
        self.lock().log().map_or(0, |log| log.open_files())
    }

    /// Looks whether it was used since the last look; closes its files if it was not and `must_close` asks for it.
    pub(in super::super) fn pass_idle(&self, must_close: bool) {
        let was_used = self.used.swap(false, Ordering::Relaxed);
        if must_close
            && !was_used
            && let Ok(log) = self.lock().log()
        {
            log.release();
        }
    }

    /// Closes the log in order but for what is to be synced, which it gives; none if everything is durable.
    pub(in super::super) fn begin_close(&self) -> Result<Option<Flush<Files>>, ErrorCode> {
        self.check_online()?;
        self.lock().log()?.begin_close().map_err(|error| self.on_log_error("close", &error))
    }

    /// What became of the sync that [`Self::begin_close`] asked for.
    pub(in super::super) fn end_close(
        &self,
        flush: &Flush<Files>,
        result: io::Result<()>,
    ) -> Result<(), ErrorCode> {
        let ended = self.lock().log()?.end_flush(flush, result);
        ended.map_err(|error| self.on_log_error("close", &error))
    }

    /// No request is answered any more: the node ends.
    pub(in super::super) fn end(&self) {
        self.lock().store = Store::Unreadable(ErrorCode::NotLeaderOrFollower);
        self.wake_all();
    }

    /// The partition is here no more: its directory gets another name, and requests that still hold the partition
    /// are told so. Gives the directory's new path.
    pub(in super::super) fn leave(&self, name: &str) -> Option<PathBuf> {
        // What a flush still writes must not end up with a partition of the same name.
        let turn = lock(&self.flushing);
        let store = {
            let State { store, .. } = &mut *self.lock();
            std::mem::replace(store, Store::Gone)
        };
        drop(turn);
        self.directory.count_down();
        self.wake_all();
        let Store::Open(log) = store else {
            return None;
        };
        rename(log.directory(), &self.directory.path().join(name), |doing, error| {
            self.directory.fail(doing, error);
        })
    }
}

fn rename(from: &Path, to: &Path, fail: impl FnOnce(&str, &io::Error)) -> Option<PathBuf> {
    match Files.rename(from, to) {
        Ok(()) => Some(to.to_owned()),
        Err(error) => {
            fail("rename a partition's directory in", &error);
            None
        }
    }
}
