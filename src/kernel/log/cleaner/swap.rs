//! How what a cleaning wrote takes the place of what it was made from.
//!
//! All of it is durable as `.cleaned` first. Then, each step a rename: its files become `.swap`, the log first,
//! which is when it is decided; the old files become `.deleted`; `.swap` goes from the names of the new ones. A
//! start that finds a `.cleaned` removes it and what belongs to it; one that finds a `.swap` removes what lies in
//! its range and does the rest. So there is the old or the new after any crash: a file system keeps the order of
//! renames in a directory.

use std::io;
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, OpenMode};
use super::super::file_names::{FileFate, FileKind, SegmentFile};
use super::super::segment::Segment;
use super::super::{Log, LogError};
use super::output::Files;
use super::plan::{Source, Ticket};
use crate::types::offset::Offset;
use crate::types::time::Now;

/// The files of a segment, in the order in which they are renamed.
const KINDS: [FileKind; 4] =
    [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex];

/// What a cleaned segment is, when it takes its place.
#[derive(Clone, Copy, Debug)]
pub struct Cleaned<'a> {
    /// What it was made from: neighbours.
    pub sources: &'a [Source],
    /// The length of its batches.
    pub size_bytes: u32,
}

impl<D: Disk> Log<D> {
    /// Opens a segment to be read; none if it is gone or the cleaning is not wanted.
    pub(super) fn open_source(
        &self,
        ticket: &Ticket,
        source: &Source,
    ) -> Result<Option<Arc<D::File>>, LogError> {
        if !self.is_cleaned_by(ticket) || self.place_of(std::slice::from_ref(source)).is_none() {
            return Ok(None);
        }
        let path = self.path(FileKind::Log, source.base_offset);
        Ok(Some(self.disk.open(&path, OpenMode::Existing)?))
    }

    /// Makes the `.log.cleaned` of a segment.
    pub(super) fn create_cleaned(
        &self,
        ticket: &Ticket,
        base: Offset,
    ) -> Result<Option<Arc<D::File>>, LogError> {
        if !self.is_cleaned_by(ticket) {
            return Ok(None);
        }
        Ok(Some(self.create_file(FileKind::Log, base)?))
    }

    /// Makes what else it has.
    pub(super) fn create_cleaned_indexes(
        &self,
        ticket: &Ticket,
        base: Offset,
        has_aborted: bool,
    ) -> Result<Option<Files<D>>, LogError> {
        if !self.is_cleaned_by(ticket) {
            return Ok(None);
        }
        let transactions = if has_aborted {
            Some(self.create_file(FileKind::TransactionIndex, base)?)
        } else {
            None
        };
        Ok(Some(Files {
            offsets: self.create_file(FileKind::OffsetIndex, base)?,
            times: self.create_file(FileKind::TimeIndex, base)?,
            transactions,
        }))
    }

    fn create_file(&self, kind: FileKind, base: Offset) -> io::Result<Arc<D::File>> {
        let name = SegmentFile { offset: base, kind, fate: FileFate::Cleaned }.name();
        let file = self.disk.open(&self.directory.join(name), OpenMode::Create)?;
        // One that was given up may have left something.
        file.set_size(0)?;
        Ok(file)
    }

    /// Removes what a cleaning that was given up has written.
    pub(super) fn discard_cleaned(&self, base: Offset) -> Result<(), LogError> {
        for kind in KINDS {
            let name = SegmentFile { offset: base, kind, fate: FileFate::Cleaned }.name();
            self.disk.remove(&self.directory.join(name))?;
        }
        Ok(())
    }

    /// Where these segments are, if they are all there, neighbours, closed, and as long as they were.
    fn place_of(&self, sources: &[Source]) -> Option<usize> {
        let first = sources.first()?;
        let at = self.segments.partition_point(|it| it.base_offset < first.base_offset);
        let there = self.segments.get(at..at.checked_add(sources.len())?)?;
        let same = |(segment, source): (&Segment<D>, &Source)| {
            segment.base_offset == source.base_offset && segment.size_bytes == source.size_bytes
        };
        let is_closed = at + sources.len() < self.segments.len();
        (is_closed && there.iter().zip(sources).all(same)).then_some(at)
    }

    /// Puts a cleaned segment in its place. False if the cleaning is not wanted any more; nothing is changed then.
    pub(super) fn swap_in(
        &mut self,
        ticket: &Ticket,
        cleaned: Cleaned<'_>,
        now: Now,
    ) -> Result<bool, LogError> {
        let place = self.place_of(cleaned.sources).filter(|_| self.is_cleaned_by(ticket));
        let (Some(at), Some(first), Some(last)) =
            (place, cleaned.sources.first(), cleaned.sources.last())
        else {
            return Ok(false);
        };
        let base = first.base_offset;
        self.bound = None;
        let mut new = Segment::found(base, cleaned.size_bytes, last.modified);
        let renamed = self.rename_all(base, FileFate::Cleaned, FileFate::Swap);
        self.failing(renamed)?;
        let old: Vec<Segment<D>> = self.segments.drain(at..at + cleaned.sources.len()).collect();
        for segment in &old {
            let doomed = self.doom_replaced(segment, base, now);
            self.failing(doomed)?;
        }
        let renamed = self.rename_all(base, FileFate::Swap, FileFate::Live);
        self.failing(renamed)?;
        new.created = old.first().map_or(new.created, |segment| segment.created);
        self.segments.insert(at, new);
        Ok(true)
    }

    fn rename_all(&self, base: Offset, from: FileFate, to: FileFate) -> io::Result<()> {
        for kind in KINDS {
            let path = |fate| self.directory.join(SegmentFile { offset: base, kind, fate }.name());
            match self.disk.rename(&path(from), &path(to)) {
                // Not every segment has aborted transactions.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && kind == FileKind::TransactionIndex => {}
                renamed => renamed?,
            }
        }
        Ok(())
    }

    /// Gives up the files of a segment that was cleaned into another. What its first offset says of producers stays
    /// true.
    fn doom_replaced(&mut self, segment: &Segment<D>, base: Offset, now: Now) -> io::Result<()> {
        if segment.base_offset != base {
            return self.doom_segment(segment, now);
        }
        KINDS.into_iter().try_for_each(|kind| self.doom_file(kind, base, now))
    }
}
