//! A segment that a cleaning writes: `.cleaned` files that nobody else sees, until they take their place.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile};
use super::super::segment::indexes::Written;
use super::super::time_index::TimestampOffset;
use super::super::transaction_index::AbortedTransaction;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::Batch;

/// No file of a segment has positions above.
const SIZE_BYTES_MAX: u32 = i32::MAX as u32;

/// The files of one, open. There is one of transactions only where some are to be noted.
pub struct Files<D: Disk> {
    /// `.index.cleaned`
    pub offsets: Arc<D::File>,
    /// `.timeindex.cleaned`
    pub times: Arc<D::File>,
    /// `.txnindex.cleaned`
    pub transactions: Option<Arc<D::File>>,
}

/// See the module.
pub struct Output<D: Disk> {
    log: Arc<D::File>,
    /// What is written of it.
    written_bytes: u32,
    /// What is not yet.
    buffer: Vec<u8>,
    buffer_bytes: usize,
    indexes: Written,
    interval_bytes: u32,
    bytes_since_entry: u32,
    largest: TimestampOffset,
    aborted: Vec<AbortedTransaction>,
}

impl<D: Disk> Output<D> {
    /// An empty one, whose `.log.cleaned` is there.
    pub fn new(
        log: Arc<D::File>,
        base_offset: Offset,
        interval_bytes: u32,
        buffer_bytes: usize,
    ) -> Self {
        Self {
            log,
            written_bytes: 0,
            buffer: Vec::new(),
            buffer_bytes,
            indexes: Written::new(base_offset),
            interval_bytes,
            bytes_since_entry: 0,
            largest: TimestampOffset { timestamp: Timestamp::NONE, offset: base_offset },
            aborted: Vec::new(),
        }
    }

    /// The length of its batches.
    pub const fn size_bytes(&self) -> u32 {
        self.written_bytes.saturating_add(self.buffer.len() as u32)
    }

    /// Whether it has aborted transactions.
    pub const fn has_aborted(&self) -> bool {
        !self.aborted.is_empty()
    }

    /// Adds an aborted transaction.
    pub fn abort(&mut self, aborted: AbortedTransaction) {
        if self.aborted.last().is_none_or(|last| aborted.last_offset > last.last_offset) {
            self.aborted.push(aborted);
        }
    }

    /// Adds a batch. Its indexes are what an append would have made of it.
    pub fn push(&mut self, batch: &Batch) -> io::Result<()> {
        let (position, size) = (self.size_bytes(), batch.bytes.len() as u32);
        if position.checked_add(size).is_none_or(|end| end > SIZE_BYTES_MAX) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let header = &batch.header;
        if header.max_timestamp > self.largest.timestamp {
            let offset = header.last_offset();
            self.largest = TimestampOffset { timestamp: header.max_timestamp, offset };
        }
        if self.bytes_since_entry > self.interval_bytes {
            self.indexes.offsets.append(header.last_offset(), position);
            self.indexes.times.append(self.largest.timestamp, self.largest.offset);
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry = self.bytes_since_entry.saturating_add(size);
        self.buffer.extend_from_slice(&batch.bytes);
        if self.buffer.len() >= self.buffer_bytes { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let at = u64::from(self.written_bytes);
        self.log.write_all_at(&[IoSlice::new(&self.buffer)], at)?;
        self.written_bytes = self.written_bytes.saturating_add(self.buffer.len() as u32);
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left of it, and makes all of it durable.
    pub fn finish(&mut self, files: &Files<D>, modified: Timestamp) -> io::Result<()> {
        self.write_out()?;
        self.indexes.times.append(self.largest.timestamp, self.largest.offset);
        put(&*files.offsets, self.indexes.offsets.bytes())?;
        put(&*files.times, self.indexes.times.bytes())?;
        if let Some(transactions) = &files.transactions {
            let bytes: Vec<u8> =
                self.aborted.iter().flat_map(|aborted| aborted.to_bytes()).collect();
            put(&**transactions, &bytes)?;
        }
        // Retention counts from there where records have no time.
        self.log.set_modified(modified)?;
        self.log.sync()
    }
}

fn put(file: &impl DiskFile, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(&[IoSlice::new(bytes)], 0)?;
    file.sync()
}
