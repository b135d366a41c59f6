//! Compaction: of each key the last record stays (KIP-58, KIP-534 for tombstones, KIP-98 for transactions).
//!
//! A cleaning goes through the dirty part of a log once, to know the latest offset of each key, and then through
//! all closed segments up to there: what stays of them is written beside them and takes their place, several small
//! ones together. Offsets, epochs, producers and codecs stay what they were; what is gone leaves holes.
//!
//! What is always true of it:
//! - Closed segments do not change, so they are read without the log's lock. It is taken to open a file and to put
//!   a cleaned segment in its place, which are renames: see `swap`.
//! - What the log loses meanwhile, by truncation, retention or deletion, ends the cleaning: see `plan`. It counts
//!   for nothing then, but for the segments that were in their place already, each of which is right by itself.
//! - What is not understood (a damaged batch, an unknown codec) is an error, and nothing is written over it.

mod digest;
mod filter;
mod offset_map;
mod output;
pub mod plan;
mod source;
mod swap;
mod transactions;

use std::io;

use self::digest::Secret;
use self::filter::{Filter, Kept, offset_of, unpack};
use self::offset_map::OffsetMap;
use self::output::Output;
use self::plan::{Plan, Source};
use self::source::Batches;
use self::swap::Cleaned;
use self::transactions::Transactions;
use super::disk::Disk;
use super::offset_index::OFFSET_ENTRY_BYTES;
use super::segment::RELATIVE_OFFSET_MAX;
use super::time_index::TIME_ENTRY_BYTES;
use super::{Log, LogError};
use crate::types::offset::Offset;
use crate::wire::record_iter::RecordError;
use crate::wire::record_view::RecordViews;

/// What is read, and what is written, at once: at least this much.
const BUFFER_BYTES_MIN: usize = 4096;

/// What a cleaning may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The table of keys.
    pub map_bytes: usize,
    /// How full that may become.
    pub load_factor: f64,
    /// What is read, and what is written, at once.
    pub buffer_bytes: usize,
    /// For the digests of keys; drawn anew for each cleaning.
    pub secret: Secret,
}

/// What a cleaning has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything below is clean.
    pub cleaned_to: Offset,
    /// The length of the segments before.
    pub before_bytes: u64,
    /// And after.
    pub after_bytes: u64,
}

/// Why a log was not cleaned.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The log, or who cleans it, wants it no more.
    #[error("the cleaning was given up")]
    GivenUp,
    /// The disk, or a batch.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The records of a batch.
    #[error("in the batch at offset {offset}: {source}")]
    Records {
        /// Its base offset.
        offset: Offset,
        /// What is wrong.
        source: RecordError,
    },
}

impl From<io::Error> for CleanError {
    fn from(error: io::Error) -> Self {
        Self::Log(error.into())
    }
}

/// The way to a log that others use meanwhile.
pub trait Door<D: Disk> {
    /// Does something with the log while nobody else does; none if there is no log any more.
    fn with_log<R>(
        &self,
        act: impl FnOnce(&mut Log<D>) -> Result<R, LogError>,
    ) -> Result<Option<R>, LogError>;
}

/// Cleans a log. `pace` is told of all bytes that are read and written, and may take its time; false ends the
/// cleaning.
pub fn clean<D: Disk>(
    door: &impl Door<D>,
    plan: Plan<D>,
    limits: &Limits,
    pace: &mut dyn FnMut(u64) -> bool,
) -> Result<Report, CleanError> {
    let ticket = plan.ticket.clone();
    let buffer_bytes = limits.buffer_bytes.max(BUFFER_BYTES_MIN);
    let mut cleaning = Cleaning { door, plan, buffer_bytes, pace, report: Report::default() };
    let cleaned = cleaning.run(limits);
    let cleaned_to = cleaned.is_ok().then_some(cleaning.report.cleaned_to);
    let ended = door.with_log(|log| {
        log.end_cleaning(&ticket, cleaned_to);
        Ok(())
    });
    cleaned?;
    ended?;
    Ok(cleaning.report)
}

struct Cleaning<'a, D: Disk, L> {
    door: &'a L,
    plan: Plan<D>,
    buffer_bytes: usize,
    pace: &'a mut dyn FnMut(u64) -> bool,
    report: Report,
}

impl<D: Disk, L: Door<D>> Cleaning<'_, D, L> {
    fn run(&mut self, limits: &Limits) -> Result<(), CleanError> {
        let map = self.build_map(limits)?;
        let end = map.end();
        let aborted = std::mem::take(&mut self.plan.aborted);
        let last_batches = std::mem::take(&mut self.plan.last_batches);
        let (config, now) = (self.plan.config.clone(), self.plan.now);
        let range_end = self.plan.range.end;
        let mut filter = Filter::new(&map, aborted, &last_batches, range_end, now.wall, config);
        for group in self.groups(end) {
            let base = group.first().map_or(Offset::ZERO, |source| source.base_offset);
            if let Err(error) = self.clean_group(&group, &mut filter) {
                self.with_log(|log| log.discard_cleaned(base).map(Some))?;
                return Err(error);
            }
        }
        self.report.cleaned_to = end;
        // The names are durable before a checkpoint says so.
        let synced = self.plan.disk.sync_directory(&self.plan.directory);
        Ok(synced.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?)
    }

    /// Does something with the log; what is gone, or not wanted, ends the cleaning.
    fn with_log<R>(
        &self,
        act: impl FnOnce(&mut Log<D>) -> Result<Option<R>, LogError>,
    ) -> Result<R, CleanError> {
        self.door.with_log(act)?.flatten().ok_or(CleanError::GivenUp)
    }

    /// Goes on, unless somebody wants an end.
    fn go_on(&mut self, bytes: u64) -> Result<(), CleanError> {
        if self.plan.ticket.is_void() || !(self.pace)(bytes) {
            return Err(CleanError::GivenUp);
        }
        Ok(())
    }

    fn open(&self, source: &Source, position: u32) -> Result<Batches<D>, CleanError> {
        let file = self.with_log(|log| log.open_source(&self.plan.ticket, source))?;
        Ok(Batches::new(file, position, source.size_bytes, self.buffer_bytes))
    }

    /// The latest offset of each key in the dirty part, as far as there is room for keys.
    fn build_map(&mut self, limits: &Limits) -> Result<OffsetMap, CleanError> {
        let range = self.plan.range;
        let keys_max = u64::try_from(range.end - range.first_dirty).unwrap_or(0);
        let Limits { map_bytes, load_factor, secret, .. } = *limits;
        let mut map = OffsetMap::new(secret, map_bytes, load_factor, keys_max, range.first_dirty);
        let mut transactions = Transactions::new(self.plan.aborted.clone());
        let from = self.plan.sources.partition_point(|it| it.base_offset <= range.first_dirty);
        let dirty = self.plan.sources.split_off(from.saturating_sub(1));
        self.plan.sources.extend_from_slice(&dirty);
        let mut position = self.plan.first_position;
        for (index, source) in dirty.iter().enumerate() {
            let mut batches = self.open(source, std::mem::take(&mut position))?;
            while let Some(batch) = batches.next()? {
                self.go_on(batches.take_read_bytes())?;
                let header = &batch.header;
                if header.is_control() {
                    let marker = super::producers::EndTransactionMarker::of_batch(&batch);
                    transactions.on_control(header, marker.as_ref());
                } else if !transactions.on_batch(header) && !put_all(&mut map, &batch)? {
                    return Ok(map);
                }
                map.advance_to(header.last_offset().next());
            }
            let next = dirty.get(index + 1).map_or(range.end, |next| next.base_offset);
            map.advance_to(next);
        }
        Ok(map)
    }

    /// Neighbours that fit into one segment, from the beginning up to `end`.
    fn groups(&self, end: Offset) -> Vec<Vec<Source>> {
        let config = &self.plan.config;
        let entry_bytes = OFFSET_ENTRY_BYTES.max(TIME_ENTRY_BYTES) as u64;
        let interval_bytes = u64::from(config.index_interval_bytes).max(1);
        let index_bytes = |size: u64| size / interval_bytes * entry_bytes;
        let sources = &self.plan.sources;
        let mut groups: Vec<Vec<Source>> = Vec::new();
        let mut group_bytes = 0;
        for (index, source) in sources.iter().enumerate() {
            if source.base_offset >= end {
                break;
            }
            let size = u64::from(source.size_bytes);
            let next = sources.get(index + 1);
            let ends_before = next.map_or(self.plan.range.end, |next| next.base_offset);
            let fits = |group: &Vec<Source>| {
                let total = group_bytes + size;
                let first = group.first().map_or(source.base_offset, |first| first.base_offset);
                total <= u64::from(config.segment_bytes)
                    && index_bytes(total) <= u64::from(config.segment_index_bytes)
                    && (source.size_bytes == 0 || ends_before - first <= RELATIVE_OFFSET_MAX)
            };
            if let Some(group) = groups.last_mut().filter(|group| fits(group)) {
                group.push(*source);
                group_bytes += size;
            } else {
                groups.push(vec![*source]);
                group_bytes = size;
            }
        }
        groups
    }

    fn clean_group(&mut self, group: &[Source], filter: &mut Filter<'_>) -> Result<(), CleanError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(());
        };
        let (base, ticket) = (first.base_offset, self.plan.ticket.clone());
        let log = self.with_log(|log| log.create_cleaned(&ticket, base))?;
        let interval_bytes = self.plan.config.index_interval_bytes;
        let mut output = Output::<D>::new(log, base, interval_bytes, self.buffer_bytes);
        for source in group {
            let mut batches = self.open(source, 0)?;
            while let Some(batch) = batches.next()? {
                let before_bytes = output.size_bytes();
                let offset = batch.header.base_offset;
                let passed = filter.pass(&batch);
                let (kept, aborted) =
                    passed.map_err(|source| CleanError::Records { offset, source })?;
                match kept {
                    Kept::Nothing => {}
                    Kept::Whole => output.push(&batch)?,
                    Kept::Anew(anew) => output.push(&anew)?,
                }
                if let Some(aborted) = aborted {
                    output.abort(aborted);
                }
                let written_bytes = output.size_bytes().saturating_sub(before_bytes);
                self.go_on(batches.take_read_bytes() + u64::from(written_bytes))?;
            }
            self.report.before_bytes += u64::from(source.size_bytes);
        }
        let has_aborted = output.has_aborted();
        let files = self.with_log(|log| log.create_cleaned_indexes(&ticket, base, has_aborted))?;
        output.finish(&files, last.modified)?;
        let now = self.plan.now;
        let cleaned = Cleaned { sources: group, size_bytes: output.size_bytes() };
        let is_in = self.with_log(|log| log.swap_in(&ticket, cleaned, now).map(Some))?;
        if !is_in {
            return Err(CleanError::GivenUp);
        }
        self.report.after_bytes += u64::from(output.size_bytes());
        Ok(())
    }
}

/// Notes all keys of a batch. False if there was no room for one of them: the map ends before it.
fn put_all(map: &mut OffsetMap, batch: &crate::wire::batch::Batch) -> Result<bool, CleanError> {
    let header = &batch.header;
    let failed = |source| CleanError::Records { offset: header.base_offset, source };
    let unpacked = unpack(batch).map_err(failed)?;
    let start = map.end();
    for record in RecordViews::new(&unpacked, header.record_count) {
        let record = record.map_err(failed)?;
        let offset = offset_of(header, &record);
        if offset < start {
            continue;
        }
        if let Some(key) = record.key
            && !map.put(key, offset)
        {
            return Ok(false);
        }
        map.advance_to(offset.next());
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
