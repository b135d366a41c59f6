//! The batches of a closed segment, whole, one after the other, in large reads.
//!
//! Every checksum is compared: a batch that is written anew gets another, and damage would look right then.

use std::sync::Arc;

use bytes::Bytes;

use super::super::LogError;
use super::super::disk::{Disk, DiskFile};
use crate::wire::batch::{Batch, BatchError};

/// See the module.
pub struct Batches<D: Disk> {
    file: Arc<D::File>,
    /// What is in `left` begins here.
    position: u32,
    end: u32,
    buffer_bytes: usize,
    left: Bytes,
    /// So many bytes were read since somebody asked.
    read_bytes: u64,
}

impl<D: Disk> Batches<D> {
    /// Those between two positions.
    pub const fn new(file: Arc<D::File>, position: u32, end: u32, buffer_bytes: usize) -> Self {
        Self { file, position, end, buffer_bytes, left: Bytes::new(), read_bytes: 0 }
    }

    /// How much was read since the last time.
    pub const fn take_read_bytes(&mut self) -> u64 {
        std::mem::replace(&mut self.read_bytes, 0)
    }

    /// The next one; none at the end.
    pub fn next(&mut self) -> Result<Option<Batch>, LogError> {
        let position = self.position;
        let wrong = |source| LogError::Batch { position, source };
        if position >= self.end {
            return Ok(None);
        }
        let batch = match Batch::parse(&self.left) {
            Ok(batch) => batch,
            Err(error) => {
                let wanted_bytes = match error {
                    BatchError::HeaderCut { .. } => self.buffer_bytes,
                    BatchError::Cut { size_bytes, .. } => size_bytes.max(self.buffer_bytes),
                    error => return Err(wrong(error)),
                };
                self.fill(wanted_bytes)?;
                match Batch::parse(&self.left) {
                    Ok(batch) => batch,
                    // Larger than what is read at once.
                    Err(BatchError::Cut { size_bytes, .. })
                        if size_bytes <= (self.end - position) as usize =>
                    {
                        self.fill(size_bytes)?;
                        Batch::parse(&self.left).map_err(wrong)?
                    }
                    Err(error) => return Err(wrong(error)),
                }
            }
        };
        batch.check_crc().map_err(wrong)?;
        self.left = self.left.slice(batch.bytes.len()..);
        self.position = position.saturating_add(batch.bytes.len() as u32);
        Ok(Some(batch))
    }

    fn fill(&mut self, wanted_bytes: usize) -> Result<(), LogError> {
        let mut bytes = vec![0; wanted_bytes.min((self.end - self.position) as usize)];
        let read = self.file.read_at(&mut bytes, u64::from(self.position))?;
        bytes.truncate(read);
        self.read_bytes = self.read_bytes.saturating_add(read as u64);
        self.left = Bytes::from(bytes);
        Ok(())
    }
}
