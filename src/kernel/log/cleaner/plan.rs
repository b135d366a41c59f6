//! Whether a log is dirty enough to be cleaned, and what a cleaning of it is to do.
//!
//! Only segments that are closed are cleaned, below the last stable offset, and those in which no record is younger
//! than `min.compaction.lag.ms`. What lies between the end of the last cleaning and there is dirty.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::config::LogConfig;
use super::super::disk::Disk;
use super::super::segment::Segment;
use super::super::transaction_index::AbortedTransaction;
use super::super::{Log, LogError};
use super::filter::LastBatches;
use crate::types::offset::Offset;
use crate::types::time::{Now, Timestamp};

/// What of a log a cleaning would clean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cleanable {
    /// Everything below was cleaned before.
    pub first_dirty: Offset,
    /// The cleaning goes up to here: a segment's first offset.
    pub end: Offset,
    /// What lies in segments that begin below `first_dirty`.
    pub clean_bytes: u64,
    /// What lies between.
    pub dirty_bytes: u64,
    /// Dirty records are older than `max.compaction.lag.ms`.
    pub is_overdue: bool,
}

impl Cleanable {
    /// The dirty share.
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact to the byte")]
    pub fn ratio(&self) -> f64 {
        let total = self.clean_bytes.saturating_add(self.dirty_bytes);
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }

    /// Whether it is dirty enough.
    pub fn is_due(&self, config: &LogConfig) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.ratio() > config.min_cleanable_dirty_ratio)
    }
}

/// That a log is being cleaned. The log holds one half and drops it when what is cleaned is not there any more:
/// records were deleted or cut off, the policy was changed, the log is gone.
#[derive(Debug)]
pub struct Claim(Arc<AtomicBool>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The cleaning's half.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<AtomicBool>);

impl Ticket {
    /// Whether the log wants the cleaning no more.
    pub fn is_void(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A segment that is to be cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its first offset.
    pub base_offset: Offset,
    /// The length of its batches.
    pub size_bytes: u32,
    /// When it was last written.
    pub modified: Timestamp,
}

/// What a cleaning is to do.
pub struct Plan<D: Disk> {
    pub(super) disk: D,
    pub(super) directory: Arc<Path>,
    pub(super) config: Arc<LogConfig>,
    pub(super) ticket: Ticket,
    /// What is dirty.
    pub range: Cleanable,
    /// All segments below the end, also those that are clean.
    pub(super) sources: Vec<Source>,
    /// Where the first dirty batch begins in the first of the dirty segments.
    pub(super) first_position: u32,
    pub(super) aborted: Vec<AbortedTransaction>,
    pub(super) last_batches: LastBatches,
    /// The time of the cleaning.
    pub(super) now: Now,
}

impl<D: Disk> Log<D> {
    /// Everything below was cleaned, as the checkpoint of an earlier run says.
    pub const fn set_cleaned_to(&mut self, cleaned_to: Option<Offset>) {
        self.cleaned_to = cleaned_to;
    }

    /// Everything below was cleaned; none if the log never was.
    pub const fn cleaned_to(&self) -> Option<Offset> {
        self.cleaned_to
    }

    /// What a cleaning would clean now; none if it is not wanted, under way, or not worth it.
    pub fn cleanable(
        &mut self,
        last_stable: Offset,
        now: Now,
    ) -> Result<Option<Cleanable>, LogError> {
        if !self.config.compact || self.cleaning.is_some() || self.segments.len() < 2 {
            return Ok(None);
        }
        self.check_online()?;
        let range = self.range(last_stable, now)?;
        Ok(range.is_due(&self.config).then_some(range))
    }

    fn range(&mut self, last_stable: Offset, now: Now) -> Result<Cleanable, LogError> {
        let config = Arc::clone(&self.config);
        let first_dirty = self.first_dirty();
        let closed = self.segments.len().saturating_sub(1);
        let from = self.segment_of(first_dirty).min(closed);
        let stable = self.segment_of(last_stable).min(closed);
        let end = match self.first_young(from, now)? {
            Some(young) => young.min(stable),
            None => stable,
        };
        let overdue_below = Timestamp(now.wall.0.saturating_sub(config.max_compaction_lag_ms));
        let is_overdue = config.max_compaction_lag_ms < i64::MAX
            && self.has_older(from..end.max(from), overdue_below)?;
        let bytes = |segments: &[Segment<D>]| {
            segments.iter().map(|segment| u64::from(segment.size_bytes)).sum()
        };
        let clean = self.segments.partition_point(|segment| segment.base_offset < first_dirty);
        let end_offset = self.segments.get(end).map_or(first_dirty, |segment| segment.base_offset);
        Ok(Cleanable {
            first_dirty,
            end: end_offset,
            clean_bytes: bytes(self.segments.get(..clean).unwrap_or_default()),
            dirty_bytes: bytes(self.segments.get(from..end).unwrap_or_default()),
            is_overdue,
        })
    }

    /// Where the last cleaning ended, if that is still within the log.
    fn first_dirty(&self) -> Offset {
        let known = self.log_start_offset..=self.log_end_offset;
        self.cleaned_to.filter(|at| known.contains(at)).unwrap_or(self.log_start_offset)
    }

    /// The first closed segment from `from` on with a record that is younger than `min.compaction.lag.ms`.
    fn first_young(&mut self, from: usize, now: Now) -> Result<Option<usize>, LogError> {
        let lag_ms = self.config.min_compaction_lag_ms;
        if lag_ms <= 0 {
            return Ok(None);
        }
        let limit = Timestamp(now.wall.0.saturating_sub(lag_ms));
        let closed = self.segments.len().saturating_sub(1);
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        for (index, segment) in self.segments.iter_mut().enumerate().take(closed).skip(from) {
            if segment.largest_timestamp(&disk, &directory)? > limit {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Whether a segment of these begins with a record that is older than `limit`.
    fn has_older(
        &mut self,
        indexes: std::ops::Range<usize>,
        limit: Timestamp,
    ) -> Result<bool, LogError> {
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        for segment in self.segments.get_mut(indexes).unwrap_or_default() {
            let first = segment.first_timestamp(&disk, &directory)?;
            if first.is_some_and(|first| first.0 > 0 && first < limit) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins a cleaning, if there is one to do. There is one at a time.
    pub fn begin_cleaning(
        &mut self,
        last_stable: Offset,
        now: Now,
    ) -> Result<Option<Plan<D>>, LogError> {
        let Some(range) = self.cleanable(last_stable, now)? else {
            return Ok(None);
        };
        let end = self.segments.partition_point(|segment| segment.base_offset < range.end);
        let source = |segment: &Segment<D>| Source {
            base_offset: segment.base_offset,
            size_bytes: segment.size_bytes,
            modified: segment.modified,
        };
        let sources: Vec<Source> =
            self.segments.get(..end).unwrap_or_default().iter().map(source).collect();
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        let from = self.segment_of(range.first_dirty);
        let first_position = match self.segments.get_mut(from) {
            Some(segment) => segment
                .find(&disk, &directory, range.first_dirty)?
                .map_or(segment.size_bytes, |batch| batch.position),
            None => 0,
        };
        let first = self.first_segment_offset();
        let aborted = self.aborted_transactions(first, range.end)?;
        let flag = Arc::new(AtomicBool::new(false));
        self.cleaning = Some(Claim(Arc::clone(&flag)));
        Ok(Some(Plan {
            disk,
            directory,
            config: Arc::clone(&self.config),
            ticket: Ticket(flag),
            range,
            sources,
            first_position,
            aborted,
            last_batches: LastBatches::of(&self.producers),
            now,
        }))
    }

    /// Whether this cleaning is still wanted.
    pub(super) fn is_cleaned_by(&self, ticket: &Ticket) -> bool {
        !self.failed && self.cleaning.as_ref().is_some_and(|claim| Arc::ptr_eq(&claim.0, &ticket.0))
    }

    /// Ends a cleaning that got so far; none if it was given up.
    pub(super) fn end_cleaning(&mut self, ticket: &Ticket, cleaned_to: Option<Offset>) {
        if self.is_cleaned_by(ticket) {
            self.cleaning = None;
            self.cleaned_to = cleaned_to.or(self.cleaned_to);
        }
    }

    /// What a cleaning looks at is not there any more. What was cleaned is dirty again from `from` on.
    pub(in super::super) fn void_cleaning(&mut self, from: Offset) {
        self.cleaning = None;
        self.cleaned_to = self.cleaned_to.map(|cleaned_to| cleaned_to.min(from));
    }
}
