//! Making durable what was written, and ending in order.
//!
//! A flush takes three steps, so that the slow one needs no lock: what is to be synced is noted, it is synced, and
//! the recovery point moves.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, OpenMode};
use super::file_names::FileKind;
use super::leader_epochs::LEADER_EPOCH_CHECKPOINT;
use super::partition_metadata::PARTITION_METADATA;
use super::{Log, LogError};
use crate::types::offset::Offset;

/// What a flush is to make durable.
pub struct Flush<D: Disk> {
    disk: D,
    directory: Arc<Path>,
    files: Vec<Arc<D::File>>,
    /// Files that may be missing: their absence is as good as their durability.
    paths: Vec<PathBuf>,
    /// Names were made since the last flush.
    has_new_names: bool,
    /// The directory itself was.
    is_new: bool,
    up_to: Offset,
}

impl<D: Disk> Flush<D> {
    /// Makes it durable. This may take long, and needs no lock.
    pub fn run(&self) -> io::Result<()> {
        for file in &self.files {
            file.sync()?;
        }
        for path in &self.paths {
            unless_gone(self.disk.open(path, OpenMode::Existing).and_then(|file| file.sync()))?;
        }
        if self.has_new_names {
            unless_gone(self.disk.sync_directory(&self.directory))?;
        }
        match self.directory.parent() {
            Some(parent) if self.is_new => unless_gone(self.disk.sync_directory(parent)),
            _ => Ok(()),
        }
    }
}

/// What was removed, or renamed because its partition is deleted, needs no durability.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl<D: Disk> Log<D> {
    /// Notes what is to be synced so that everything appended so far is durable; none if it is.
    pub fn begin_flush(&mut self) -> Result<Option<Flush<D>>, LogError> {
        self.flush_up_to(self.log_end_offset)
    }

    /// Notes what is to be synced of the segments that are full; none if they are durable.
    pub fn begin_flush_of_closed(&mut self) -> Result<Option<Flush<D>>, LogError> {
        let active = self.segments.last().map(|active| active.base_offset);
        self.flush_up_to(active.unwrap_or(self.log_end_offset))
    }

    fn flush_up_to(&mut self, up_to: Offset) -> Result<Option<Flush<D>>, LogError> {
        self.check_online()?;
        if up_to <= self.recovery_point {
            return Ok(None);
        }
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        let mut flush = Flush {
            disk: disk.clone(),
            directory: Arc::clone(&directory),
            files: Vec::new(),
            paths: Vec::new(),
            has_new_names: false,
            is_new: std::mem::take(&mut self.is_new),
            up_to,
        };
        if std::mem::take(&mut self.epochs_unsynced) {
            flush.paths.push(directory.join(LEADER_EPOCH_CHECKPOINT));
            flush.has_new_names = true;
        }
        if flush.is_new {
            flush.paths.push(directory.join(PARTITION_METADATA));
            flush.has_new_names = true;
        }
        for index in self.segment_of(self.recovery_point)..self.segments.len() {
            let is_active = index + 1 == self.segments.len();
            let segment = &mut self.segments[index];
            let base_offset = segment.base_offset;
            if base_offset >= up_to {
                break;
            }
            flush.has_new_names |= base_offset >= self.recovery_point;
            if segment.size_bytes > 0 {
                flush.files.push(segment.file(&disk, &directory)?);
            }
            flush.paths.push(self.path(FileKind::TransactionIndex, base_offset));
            if !is_active {
                flush.paths.push(self.path(FileKind::OffsetIndex, base_offset));
                flush.paths.push(self.path(FileKind::TimeIndex, base_offset));
            }
        }
        let new = self.snapshots.iter().filter(|at| **at > self.recovery_point && **at <= up_to);
        let snapshots: Vec<Offset> = new.copied().collect();
        flush.paths.extend(snapshots.iter().map(|at| self.path(FileKind::ProducerSnapshot, *at)));
        Ok(Some(flush))
    }

    /// Takes up what became of a flush. A failure is final.
    pub fn end_flush(&mut self, flush: &Flush<D>, result: io::Result<()>) -> Result<(), LogError> {
        self.failing(result)?;
        self.recovery_point = self.recovery_point.max(flush.up_to.min(self.log_end_offset));
        Ok(())
    }

    /// Makes everything appended so far durable, here and now.
    pub fn flush(&mut self) -> Result<Offset, LogError> {
        if let Some(flush) = self.begin_flush()? {
            let result = flush.run();
            self.end_flush(&flush, result)?;
        }
        Ok(self.recovery_point)
    }

    /// Ends in order: everything durable, indexes in their files as Kafka leaves them, and a snapshot of the
    /// producers. A start that finds the directory's clean mark believes all of it.
    pub fn close(&mut self) -> Result<(), LogError> {
        if let Some(flush) = self.begin_close()? {
            let result = flush.run();
            self.end_flush(&flush, result)?;
        }
        self.release();
        Ok(())
    }

    /// Does of [`Self::close`] what needs no sync, and notes what is to be synced; none if everything is durable.
    /// Who closes many logs may sync the whole file system instead of each file.
    pub fn begin_close(&mut self) -> Result<Option<Flush<D>>, LogError> {
        self.write_epochs()?;
        let closed = self.try_close();
        self.failing(closed)?;
        self.begin_flush()
    }

    fn try_close(&mut self) -> Result<(), LogError> {
        self.take_snapshot()?;
        if let Some(active) = self.segments.last_mut() {
            active.make_files(&self.disk, &self.directory)?;
        }
        Ok(())
    }
}
