//! Which partition is compacted next, and what is written down when it was.

use std::sync::Arc;

use super::{Partition, Partitions};
use crate::kernel::log::cleaner::plan::Plan;
use crate::kernel::log::cleaner::{Limits, Report};
use crate::kernel::log::offset_checkpoint::CLEANER_CHECKPOINT;
use crate::shell::disk::files::Files;
use crate::types::time::Now;

/// A cleaning that was begun.
pub struct Begun {
    /// Of this partition.
    pub partition: Arc<Partition>,
    plan: Plan<Files>,
}

impl Partitions {
    /// Drops what lies below the start of compacted logs, and where the policy is `compact,delete` what retention
    /// takes; as often as they are looked at, as Kafka's cleaner does. Gives how many have something to clean.
    pub fn look_for_dirt(&self, now: Now) -> usize {
        let mut dirty = 0;
        for partition in self.all() {
            if partition.is_compacted() {
                // A failure was noted where it happened.
                let _ = partition.retain(now);
                dirty += usize::from(partition.cleanable(now).is_some());
            }
        }
        dirty
    }

    /// Begins to clean the dirtiest log that nobody cleans, but for those that `is_passed_over` says so of.
    pub fn begin_cleaning(
        &self,
        now: Now,
        is_passed_over: impl Fn(&Partition) -> bool,
    ) -> Option<Begun> {
        let candidates = self
            .all()
            .into_iter()
            .filter(|partition| partition.is_compacted() && !is_passed_over(partition));
        let mut dirty: Vec<_> = candidates
            .filter_map(|partition| {
                partition.cleanable(now).map(|range| (range.ratio(), partition))
            })
            .collect();
        dirty.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        // Another thread may have begun with it meanwhile.
        dirty.into_iter().find_map(|(_, partition)| {
            let plan = partition.begin_cleaning(now)?;
            Some(Begun { partition, plan })
        })
    }

    /// Does what was begun, and writes down how far it came. None if it was given up, or failed.
    pub fn clean(
        &self,
        begun: Begun,
        limits: &Limits,
        pace: &mut dyn FnMut(u64) -> bool,
    ) -> Option<Report> {
        let Begun { partition, plan } = begun;
        let report = partition.clean(plan, limits, pace)?;
        self.checkpoint_cleaned_of(partition.directory());
        Some(report)
    }

    /// Writes down up to where the logs of a directory were compacted.
    pub(super) fn checkpoint_cleaned_of(&self, directory: &Arc<super::LogDirectory>) {
        let turn = directory.checkpoint_turn();
        let lines = self.lines_of(directory);
        let lines: Vec<_> = lines
            .iter()
            .filter_map(|(partition, offsets)| {
                let cleaned_to = offsets.cleaned_to?;
                partition.note_checkpointed(true);
                Some((partition.topic.as_str(), partition.id, cleaned_to))
            })
            .collect();
        if !lines.is_empty() || directory.has_cleaned() {
            directory.note_cleaned();
            let written = directory.write(CLEANER_CHECKPOINT, lines.into_iter());
            directory.failing("write the cleaner's offsets to", written);
        }
        drop(turn);
    }
}
