//! Walks the batches of a segment by their headers.

use std::io;
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile};
use crate::wire::batch::{BATCH_HEADER_BYTES, BatchError, BatchHeader};

/// What is read at once: about what lies between two entries of the index.
const WINDOW_BYTES: usize = 4096;

/// A batch, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchAt {
    /// Its header.
    pub header: BatchHeader,
    /// Where its first byte is.
    pub position: u32,
}

impl BatchAt {
    /// The length of the whole batch.
    pub const fn size_bytes(&self) -> u32 {
        self.header.size_bytes() as u32
    }

    /// Where the next batch begins.
    pub const fn end(&self) -> u32 {
        self.position.saturating_add(self.size_bytes())
    }
}

/// Why the walk cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What is there is no batch, or ends before its end.
    #[error("at position {position}: {source}")]
    Batch {
        /// Where.
        position: u32,
        /// What is wrong.
        source: BatchError,
    },
}

/// See the module. Ends after the first error.
pub struct Walk<D: Disk> {
    file: Arc<D::File>,
    position: u32,
    end: u32,
    window: [u8; WINDOW_BYTES],
    window_from: u32,
    window_len: usize,
}

impl<D: Disk> Walk<D> {
    /// The batches of `file` between two positions.
    pub const fn new(file: Arc<D::File>, position: u32, end: u32) -> Self {
        let window = [0; WINDOW_BYTES];
        Self { file, position, end, window, window_from: position, window_len: 0 }
    }

    /// The next batch, which stays the next one; none at the end, and where there is none.
    pub fn peek(&mut self) -> Option<BatchAt> {
        if self.position < self.end { self.read().ok() } else { None }
    }

    fn read(&mut self) -> Result<BatchAt, WalkError> {
        let position = self.position;
        let wrong = |source| WalkError::Batch { position, source };
        let left = (self.end - position) as usize;
        let at = (position - self.window_from) as usize;
        if at + BATCH_HEADER_BYTES > self.window_len {
            let window = &mut self.window[..WINDOW_BYTES.min(left)];
            self.window_len = self.file.read_at(window, u64::from(position))?;
            self.window_from = position;
        }
        let at = (position - self.window_from) as usize;
        let bytes = self.window.get(at..self.window_len).unwrap_or_default();
        let header = BatchHeader::parse(bytes).map_err(wrong)?;
        if header.size_bytes() > left {
            let cut = BatchError::Cut { size_bytes: header.size_bytes(), have_bytes: left };
            return Err(wrong(cut));
        }
        header.check_offsets().map_err(wrong)?;
        Ok(BatchAt { header, position })
    }
}

impl<D: Disk> Iterator for Walk<D> {
    type Item = Result<BatchAt, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.end {
            return None;
        }
        let batch = self.read();
        match &batch {
            Ok(batch) => self.position = batch.end(),
            Err(_) => self.end = self.position,
        }
        Some(batch)
    }
}
