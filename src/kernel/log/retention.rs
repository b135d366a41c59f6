//! What is given up, and when: by age, by size, and below the log start.
//!
//! A segment goes whole, from the front, and never one that the high watermark has not passed. Its files are renamed
//! first and removed a while later, so that who reads them may end.

use std::io;
use std::time::Duration;

use super::disk::Disk;
use super::file_names::{FileFate, FileKind, SegmentFile};
use super::segment::Segment;
use super::{Doomed, Log, LogError};
use crate::types::offset::Offset;
use crate::types::time::Now;

impl<D: Disk> Log<D> {
    /// Moves the log start up to `offset`: what is below is gone for readers, and its segments go with the next
    /// [`Self::retain`]. The caller has compared `offset` with the high watermark.
    pub fn delete_records_before(&mut self, offset: Offset) -> Result<(), LogError> {
        self.check_online()?;
        let offset = offset.min(self.log_end_offset);
        if offset <= self.log_start_offset {
            return Ok(());
        }
        // What is being compacted may be what goes.
        self.cleaning = None;
        self.log_start_offset = offset;
        self.producers.on_log_start(offset);
        if self.epochs.truncate_from_start(offset) {
            let saved = self.save_epochs();
            self.failing(saved)?;
        }
        Ok(())
    }

    /// Gives up the segments that are below the log start, too much, or too old. Says how many.
    pub fn retain(&mut self, now: Now, high_watermark: Offset) -> Result<usize, LogError> {
        self.check_online()?;
        let below = self.count_below_the_start();
        let mut dropped = self.drop_first(below, now, high_watermark)?;
        if self.config.delete {
            let too_much = self.count_too_much();
            dropped += self.drop_first(too_much, now, high_watermark)?;
            let too_old = self.count_too_old(now)?;
            dropped += self.drop_first(too_old, now, high_watermark)?;
        }
        Ok(dropped)
    }

    fn count_below_the_start(&self) -> usize {
        let start = self.log_start_offset;
        self.segments.windows(2).take_while(|pair| pair[1].base_offset <= start).count()
    }

    fn count_too_much(&self) -> usize {
        let size_bytes = self.size_bytes();
        let Some(mut excess) =
            self.config.retention_bytes.and_then(|limit| size_bytes.checked_sub(limit))
        else {
            return 0;
        };
        let goes = |segment: &&Segment<D>| {
            let left = excess.checked_sub(u64::from(segment.size_bytes));
            excess = left.unwrap_or(excess);
            left.is_some()
        };
        self.segments.iter().take_while(goes).count()
    }

    fn count_too_old(&mut self, now: Now) -> Result<usize, LogError> {
        let Some(limit_ms) = self.config.retention_ms else {
            return Ok(0);
        };
        let mut count = 0;
        for segment in &mut self.segments {
            let newest = segment.largest_timestamp(&self.disk, &self.directory)?;
            if now.wall.0.saturating_sub(newest.0) <= limit_ms {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    /// Drops so many segments from the front, as far as the high watermark allows. There is always a last one: if that is
    /// to go, an empty one takes its place first.
    fn drop_first(
        &mut self,
        count: usize,
        now: Now,
        high_watermark: Offset,
    ) -> Result<usize, LogError> {
        let mut count = count.min(self.segments.len());
        while count > 0 {
            let end = self.segments.get(count).map(|next| next.base_offset);
            if end.unwrap_or(self.log_end_offset) <= high_watermark {
                break;
            }
            count -= 1;
        }
        if count == self.segments.len() {
            if self.segments.last().is_some_and(|last| last.size_bytes == 0) {
                count -= 1;
            } else {
                self.roll(self.log_end_offset, now)?;
            }
        }
        let Some(start) = self.segments.get(count).map(|first| first.base_offset) else {
            return Ok(0);
        };
        if count == 0 {
            return Ok(0);
        }
        self.delete_records_before(start)?;
        let dropped: Vec<Segment<D>> = self.segments.drain(..count).collect();
        for segment in &dropped {
            let doomed = self.doom_segment(segment, now);
            self.failing(doomed)?;
        }
        Ok(dropped.len())
    }

    /// Gives up the files of a segment, and the snapshot of the producers at its beginning.
    pub(super) fn doom_segment(&mut self, segment: &Segment<D>, now: Now) -> io::Result<()> {
        let offset = segment.base_offset;
        for kind in FileKind::ALL {
            self.doom_file(kind, offset, now)?;
        }
        self.snapshots.retain(|at| *at != offset);
        self.bound = None;
        Ok(())
    }

    pub(super) fn doom_file(&mut self, kind: FileKind, offset: Offset, now: Now) -> io::Result<()> {
        let delay = Duration::from_millis(self.config.file_delete_delay_ms);
        let name = SegmentFile { offset, kind, fate: FileFate::Deleted }.name();
        let (from, to) = (self.path(kind, offset), self.directory.join(name));
        match self.disk.rename(&from, &to) {
            Ok(()) => self.doomed.push(Doomed { path: to, at: now.mono.after(delay) }),
            // Not every segment has every file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Removes the files that have waited for it (`file.delete.delay.ms`). Says how many still wait.
    pub fn remove_due_files(&mut self, now: Now) -> Result<usize, LogError> {
        let (due, wait) =
            std::mem::take(&mut self.doomed).into_iter().partition(|file| file.at <= now.mono);
        self.doomed = wait;
        let due: Vec<Doomed> = due;
        for file in due {
            self.disk.remove(&file.path)?;
        }
        Ok(self.doomed.len())
    }
}
