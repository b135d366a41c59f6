//! Cutting the end of a log: a replica gives up what the leader does not have.

use super::disk::Disk;
#[cfg(any(test, feature = "internals"))]
use super::segment::Segment;
use super::{Log, LogError};
use crate::types::offset::Offset;
use crate::types::time::Now;

impl<D: Disk> Log<D> {
    /// Drops the records from `offset` on, and whole batches only: one that holds `offset` goes with what is in it. Nothing
    /// happens if the log ends below.
    #[cfg(any(test, feature = "internals"))]
    pub fn truncate_to(&mut self, offset: Offset, now: Now) -> Result<(), LogError> {
        self.check_online()?;
        if offset >= self.log_end_offset {
            if self.epochs.truncate_from_end(self.log_end_offset) {
                let saved = self.save_epochs();
                self.failing(saved)?;
            }
            return Ok(());
        }
        if offset < self.first_segment_offset() {
            return self.truncate_fully_and_start_at(offset, now);
        }
        let truncated = self.try_truncate(offset, now);
        self.failing(truncated)
    }

    #[cfg(any(test, feature = "internals"))]
    fn try_truncate(&mut self, offset: Offset, now: Now) -> Result<(), LogError> {
        let first_gone = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let gone: Vec<Segment<D>> = self.segments.drain(first_gone.max(1)..).collect();
        for segment in &gone {
            self.doom_segment(segment, now)?;
        }
        self.bound = None;
        self.void_cleaning(offset);
        let Some(last) = self.segments.last_mut() else {
            return Err(LogError::Offline);
        };
        let mut end = offset.max(last.base_offset);
        if let Some(batch) = last.find(&self.disk, &self.directory, offset)? {
            end = end.min(batch.header.base_offset);
            let (position, wall) = (batch.position, now.wall);
            last.truncate_aborted(&self.disk, &self.directory, end)?;
            last.truncate(&self.disk, &self.directory, end, position, wall)?;
        } else {
            last.written_indexes(&self.disk, &self.directory)?;
        }
        self.log_end_offset = end;
        self.log_start_offset = self.log_start_offset.min(end);
        self.recovery_point = self.recovery_point.min(end);
        if self.epochs.truncate_from_end(end) {
            self.save_epochs()?;
        }
        self.producers_up_to(end, self.log_start_offset, now)
    }

    /// Drops everything; the next record has `offset`.
    pub fn truncate_fully_and_start_at(
        &mut self,
        offset: Offset,
        now: Now,
    ) -> Result<(), LogError> {
        self.check_online()?;
        self.void_cleaning(offset);
        let gone = std::mem::take(&mut self.segments);
        for segment in &gone {
            let doomed = self.doom_segment(segment, now);
            self.failing(doomed)?;
        }
        let made = self.push_empty(offset, now.wall);
        self.failing(made)?;
        for at in std::mem::take(&mut self.snapshots) {
            let dropped = self.drop_snapshot(at);
            self.failing(dropped)?;
        }
        self.log_start_offset = offset;
        self.log_end_offset = offset;
        self.recovery_point = self.recovery_point.min(offset);
        self.producers.reset(offset);
        self.epochs.clear();
        let saved = self.save_epochs();
        self.failing(saved)
    }
}
