//! A partition that is compacted: its log is looked at, opened and swapped under the mutex, and read without it.

use std::sync::atomic::Ordering;

use super::{Partition, ends};
use crate::kernel::log::cleaner::plan::{Cleanable, Plan};
use crate::kernel::log::cleaner::{CleanError, Door, Limits, Report, clean};
use crate::kernel::log::{Log, LogError};
use crate::shell::disk::files::Files;
use crate::types::offset::Offset;
use crate::types::time::Now;

impl Door<Files> for Partition {
    fn with_log<R>(
        &self,
        act: impl FnOnce(&mut Log<Files>) -> Result<R, LogError>,
    ) -> Result<Option<R>, LogError> {
        if self.directory.is_offline() {
            return Ok(None);
        }
        let mut state = self.lock();
        state.log().ok().map(act).transpose()
    }
}

impl Partition {
    /// Whether it is to be compacted at all.
    pub(in super::super) fn is_compacted(&self) -> bool {
        self.config.load().compact && !self.set_aside.load(Ordering::Relaxed)
    }

    /// What a cleaning would clean now; none if there is none to do.
    pub(in super::super) fn cleanable(&self, now: Now) -> Option<Cleanable> {
        self.look(|log, last_stable| log.cleanable(last_stable, now)).flatten()
    }

    /// Begins a cleaning, if there is one to do.
    pub(in super::super) fn begin_cleaning(&self, now: Now) -> Option<Plan<Files>> {
        self.look(|log, last_stable| log.begin_cleaning(last_stable, now)).flatten()
    }

    fn look<R>(
        &self,
        look: impl FnOnce(&mut Log<Files>, Offset) -> Result<R, LogError>,
    ) -> Option<R> {
        if self.directory.is_offline() {
            return None;
        }
        let mut state = self.lock();
        let leadership = state.leadership;
        let log = state.log().ok()?;
        let last_stable = ends(log, &leadership).last_stable;
        let looked = look(log, last_stable);
        drop(state);
        looked.inspect_err(|error| self.on_clean_error(error)).ok()
    }

    /// Does what was begun. None if it was given up, or failed, which was told.
    pub(in super::super) fn clean(
        &self,
        plan: Plan<Files>,
        limits: &Limits,
        pace: &mut dyn FnMut(u64) -> bool,
    ) -> Option<Report> {
        match clean(self, plan, limits, pace) {
            Ok(report) => Some(report),
            Err(CleanError::GivenUp) => None,
            Err(CleanError::Log(error)) => {
                self.on_clean_error(&error);
                None
            }
            Err(error @ CleanError::Records { .. }) => {
                self.put_aside(&error);
                None
            }
        }
    }

    /// A disk that fails takes the directory with it, as everywhere; one that is full, and descriptors that are
    /// short, may be better the next time. What is damaged stays damaged: others read on, and compaction passes it
    /// over.
    fn on_clean_error(&self, error: &LogError) {
        match error {
            LogError::Io(io) if is_full(io) || error.is_shortage_of_descriptors() => {
                let (topic, partition) = (&self.topic, self.id);
                tracing::warn!(%topic, %partition, %error, "compaction has no room; it tries again");
            }
            LogError::Io(io) if io.kind() != std::io::ErrorKind::FileTooLarge => {
                self.on_log_error("compact", error);
            }
            LogError::Offline => {}
            _ => self.put_aside(error),
        }
    }

    fn put_aside(&self, error: &dyn std::fmt::Display) {
        if !self.set_aside.swap(true, Ordering::Relaxed) {
            let (topic, partition) = (&self.topic, self.id);
            let what = "the log cannot be compacted and is left as it is until the next start";
            tracing::error!(%topic, %partition, %error, "{what}");
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
