//! Reads: where in which file the batches lie that an offset asks for. No batch is looked at beyond its header, and no
//! byte of it is copied.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::disk::Disk;
use super::segment::walk::WalkError;
use super::transaction_index::AbortedTransaction;
use super::{Log, LogError};
use crate::types::offset::Offset;
use crate::wire::reply::FileRange;

/// How much a read may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// So many bytes, the last batch cut if need be.
    pub max_bytes: u32,
    /// The first batch is given whole, whatever its size.
    pub at_least_one_batch: bool,
    /// Nothing from this offset on: the high watermark, or the last stable offset.
    pub up_to: Offset,
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct ReadPlan {
    /// Where the batches lie; none if there is nothing to read.
    pub ranges: SmallVec<[FileRange; 2]>,
    /// The length of all ranges.
    pub size_bytes: u32,
    /// No record in the ranges is at or above this offset. Aborted transactions are looked for up to here.
    pub upper_bound: Offset,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No record has had this offset, or it is gone.
    #[error("offset {offset} is not within {log_start_offset} and {log_end_offset}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The first that there is.
        log_start_offset: Offset,
        /// The next that there will be.
        log_end_offset: Offset,
    },
    /// The disk, or what is on it.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<WalkError> for ReadError {
    fn from(error: WalkError) -> Self {
        Self::Log(error.into())
    }
}

impl<D: Disk> Log<D> {
    /// Finds the batches from `from` on, in one segment: the first of them may begin below it.
    pub fn read(&mut self, from: Offset, limits: ReadLimits) -> Result<ReadPlan, ReadError> {
        if from < self.log_start_offset || from > self.log_end_offset {
            return Err(ReadError::OutOfRange {
                offset: from,
                log_start_offset: self.log_start_offset,
                log_end_offset: self.log_end_offset,
            });
        }
        let nothing = ReadPlan { upper_bound: from, ..ReadPlan::default() };
        if from >= limits.up_to.min(self.log_end_offset) {
            return Ok(nothing);
        }
        let (disk, directory) = (self.disk.clone(), Arc::clone(&self.directory));
        for index in self.segment_of(from)..self.segments.len() {
            let found = self.segments[index].find(&disk, &directory, from)?;
            let Some(first) = found else {
                continue;
            };
            let end = self.end_position(index, limits.up_to)?;
            let wanted = if limits.at_least_one_batch {
                limits.max_bytes.max(first.size_bytes())
            } else {
                limits.max_bytes
            };
            let length_bytes = wanted.min(end.saturating_sub(first.position));
            if length_bytes < first.size_bytes() {
                // Part of a batch helps nobody since Fetch v3 (KIP-74).
                return Ok(nothing);
            }
            let upper_bound =
                self.upper_bound(index, first.position.saturating_add(length_bytes))?;
            let source = self.segments[index].file(&disk, &directory).map_err(LogError::Io)?;
            let position = u64::from(first.position);
            let range = FileRange { source, position, length_bytes };
            return Ok(ReadPlan {
                ranges: smallvec![range],
                size_bytes: length_bytes,
                upper_bound,
            });
        }
        Ok(nothing)
    }

    /// Whether `offset` lies in an older segment than `other` does. A read ends with its segment.
    pub fn is_in_older_segment(&self, offset: Offset, other: Offset) -> bool {
        self.segments.len() > 1 && self.segment_of(offset) < self.segment_of(other)
    }

    /// The index of the segment that would hold `offset`.
    pub(super) fn segment_of(&self, offset: Offset) -> usize {
        let above = self.segments.partition_point(|segment| segment.base_offset <= offset);
        above.saturating_sub(1)
    }

    /// Where in a segment the first batch lies that reaches `up_to`; the segment's end if none does.
    fn end_position(&mut self, index: usize, up_to: Offset) -> Result<u32, WalkError> {
        let size_bytes = self.segments[index].size_bytes;
        let next_base = self.segments.get(index + 1).map(|next| next.base_offset);
        if up_to >= next_base.unwrap_or(self.log_end_offset) {
            return Ok(size_bytes);
        }
        let base_offset = self.segments[index].base_offset;
        if let Some((known, base, position)) = self.bound
            && known == up_to
            && base == base_offset
        {
            return Ok(position);
        }
        let found = self.segments[index].find(&self.disk, &self.directory, up_to)?;
        let position = found.map_or(size_bytes, |batch| batch.position);
        self.bound = Some((up_to, base_offset, position));
        Ok(position)
    }

    fn upper_bound(&mut self, index: usize, position: u32) -> Result<Offset, ReadError> {
        let segment = &mut self.segments[index];
        let next =
            segment.upper_bound_of(&self.disk, &self.directory, position).map_err(LogError::Io)?;
        let next_base = self.segments.get(index + 1).map(|next| next.base_offset);
        Ok(next.or(next_base).unwrap_or(self.log_end_offset))
    }

    /// The aborted transactions that have records between two offsets (KIP-98), in the order of their markers.
    pub fn aborted_transactions(
        &mut self,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<AbortedTransaction>, LogError> {
        let mut found = Vec::new();
        for index in self.segment_of(from)..self.segments.len() {
            let aborted = self.segments[index].aborted(&self.disk, &self.directory)?;
            if aborted.collect(from, to, &mut found) {
                break;
            }
        }
        Ok(found)
    }
}
