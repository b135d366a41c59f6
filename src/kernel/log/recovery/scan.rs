//! Reads a segment in full: every checksum, every offset. Ends at the first batch that cannot be believed.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::super::append::is_within;
use super::super::disk::{Disk, DiskFile};
use super::super::producers::EndTransactionMarker;
use super::super::segment::indexes::Written;
use super::super::time_index::TimestampOffset;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::{BATCH_HEADER_BYTES, Batch, BatchHeader, CHECKED_FROM};

/// What is read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// A marker is a batch of one small record; a control batch that is longer is not looked into.
const MARKER_BATCH_BYTES_MAX: usize = 64 * 1024;

/// A batch whose checksum is right.
#[derive(Debug)]
pub struct Scanned {
    /// Its header.
    pub header: BatchHeader,
    /// What it ends, if it ends a transaction.
    pub marker: Option<EndTransactionMarker>,
}

/// See the module.
pub struct Scan<D: Disk> {
    file: Arc<D::File>,
    base_offset: Offset,
    next_offset: Offset,
    /// Everything before is good.
    position: u32,
    end: u32,
    interval_bytes: u32,
    last_entry_at: u32,
    written: Written,
    largest: TimestampOffset,
    /// What was read last: bytes from `chunk_from` on, of which `chunk_len` are good.
    chunk: Vec<u8>,
    chunk_from: u64,
    chunk_len: usize,
}

impl<D: Disk> Scan<D> {
    /// Nothing is read yet.
    pub fn new(
        file: Arc<D::File>,
        base_offset: Offset,
        size_bytes: u32,
        interval_bytes: u32,
    ) -> Self {
        Self {
            file,
            base_offset,
            next_offset: base_offset,
            position: 0,
            end: size_bytes,
            interval_bytes,
            last_entry_at: 0,
            written: Written::new(base_offset),
            largest: TimestampOffset { timestamp: Timestamp::NONE, offset: base_offset },
            chunk: vec![0; CHUNK_BYTES.min(size_bytes as usize).max(BATCH_HEADER_BYTES)],
            chunk_from: 0,
            chunk_len: 0,
        }
    }

    /// The next batch that is good; none at the end, and at the first that is not. Errors are the disk's.
    pub fn next(&mut self) -> io::Result<Option<Scanned>> {
        let Some(header) = self.header()? else {
            return Ok(None);
        };
        if self.checksum(&header)? != Some(header.crc) || !self.follows(&header) {
            return Ok(None);
        }
        let marker = self.marker(&header)?;
        if header.max_timestamp > self.largest.timestamp {
            let offset = header.last_offset();
            self.largest = TimestampOffset { timestamp: header.max_timestamp, offset };
        }
        if self.position - self.last_entry_at > self.interval_bytes {
            self.written.offsets.append(header.last_offset(), self.position);
            self.written.times.append(self.largest.timestamp, self.largest.offset);
            self.last_entry_at = self.position;
        }
        self.position += header.size_bytes() as u32;
        self.next_offset = header.last_offset().next();
        Ok(Some(Scanned { header, marker }))
    }

    /// The offset after those that are good.
    pub const fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// What is good, its indexes, and the largest timestamp.
    pub fn finish(self) -> (u32, Written, TimestampOffset) {
        (self.position, self.written, self.largest)
    }

    /// So many bytes at `at`, or as many as there are and the chunk can hold.
    fn bytes(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        let wanted = wanted.min(self.chunk.len());
        let end = self.chunk_from + self.chunk_len as u64;
        if at < self.chunk_from || at + wanted as u64 > end {
            self.chunk_len = self.file.read_at(&mut self.chunk, at)?;
            self.chunk_from = at;
        }
        let from = (at - self.chunk_from) as usize;
        let until = self.chunk_len.min(from + wanted);
        Ok(self.chunk.get(from..until).unwrap_or_default())
    }

    fn header(&mut self) -> io::Result<Option<BatchHeader>> {
        let left = (self.end - self.position) as usize;
        let bytes = self.bytes(u64::from(self.position), BATCH_HEADER_BYTES.min(left))?;
        let header = BatchHeader::parse(bytes).ok();
        Ok(header.filter(|header| header.size_bytes() <= left))
    }

    fn checksum(&mut self, header: &BatchHeader) -> io::Result<Option<u32>> {
        let mut at = u64::from(self.position) + CHECKED_FROM as u64;
        let mut left = header.size_bytes() - CHECKED_FROM;
        let mut crc = 0;
        while left > 0 {
            let bytes = self.bytes(at, left)?;
            if bytes.is_empty() {
                // The file is shorter than it was.
                return Ok(None);
            }
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len() as u64;
            left -= bytes.len();
        }
        Ok(Some(crc))
    }

    /// Offsets rise, and the segment can hold them.
    const fn follows(&self, header: &BatchHeader) -> bool {
        header.check_offsets().is_ok()
            && header.base_offset.0 >= self.next_offset.0
            && is_within(self.base_offset, header.last_offset())
    }

    fn marker(&self, header: &BatchHeader) -> io::Result<Option<EndTransactionMarker>> {
        let size_bytes = header.size_bytes();
        if !header.is_control() || !header.has_producer_id() || size_bytes > MARKER_BATCH_BYTES_MAX
        {
            return Ok(None);
        }
        let mut bytes = vec![0; size_bytes];
        self.file.read_at(&mut bytes, u64::from(self.position))?;
        let batch = Batch::parse(&Bytes::from(bytes)).ok();
        Ok(batch.and_then(|batch| EndTransactionMarker::of_batch(&batch)))
    }
}
