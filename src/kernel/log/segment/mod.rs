//! One segment: batches in a `.log` file, and what finds them there.
//!
//! Files are opened, and indexes loaded, when they are first needed: a partition that nobody uses costs neither. The
//! index of the segment that is written lies in memory and goes to its files when the segment is closed; a closed
//! segment's files are mapped. Batches are known by their headers alone; what is in them is nobody's business here.

pub mod indexes;
pub mod walk;

use std::io;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use self::indexes::{Indexes, Mapped, Written};
use self::walk::{BatchAt, Walk, WalkError};
use super::disk::{Disk, DiskFile, OpenMode};
use super::file_names::FileKind;
use super::time_index::TimestampOffset;
use super::transaction_index::{AbortedTransaction, TransactionIndex, TransactionIndexError};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::Batch;
use crate::wire::reply::RangeSource as _;

/// A segment may not hold offsets further than this from its first.
pub const RELATIVE_OFFSET_MAX: i64 = i32::MAX as i64;
/// So many of the latest batches are found without looking into the file: those that consumers at the end ask for.
const RECENT_BATCHES_MAX: usize = 16;

/// The interval of indexes that are made anew because they were damaged: Kafka's default.
const REPAIRED_INTERVAL_BYTES: u32 = 4096;
/// No honest transaction index is longer: that of a segment full of aborted transactions of one record.
const TRANSACTION_INDEX_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What is wrong with the files of a segment.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The batches.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The list of aborted transactions.
    #[error("transaction index: {0}")]
    TransactionIndex(#[from] TransactionIndexError),
}

/// What a batch says of itself once its offsets are assigned.
#[derive(Clone, Copy, Debug)]
pub struct NewBatch {
    /// The first offset.
    pub base_offset: Offset,
    /// The last offset.
    pub last_offset: Offset,
    /// The largest timestamp.
    pub max_timestamp: Timestamp,
}

/// One segment of a log.
pub struct Segment<D: Disk> {
    /// The offset that its files are named after.
    pub base_offset: Offset,
    /// The length of its batches.
    pub size_bytes: u32,
    /// When it was made, or its newest write was found at the start.
    pub created: Timestamp,
    /// When its file last changed, as the disk said at the start or the clock at an append.
    pub modified: Timestamp,
    file: Option<Arc<D::File>>,
    indexes: Indexes<D>,
    /// The largest timestamp so far; none until it was asked for.
    max_timestamp: Option<TimestampOffset>,
    /// The largest timestamp of the first batch: what time-based rolling counts from.
    first_timestamp: Option<Timestamp>,
    bytes_since_index_entry: u32,
    /// The positions of the latest batches, in a ring.
    recent: Option<Box<Recent>>,
    /// The aborted transactions that end here; none until somebody asked.
    aborted: Option<TransactionIndex>,
}

struct Recent {
    batches: [(Offset, u32); RECENT_BATCHES_MAX],
    next: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { batches: [(Offset::UNKNOWN, 0); RECENT_BATCHES_MAX], next: 0 }
    }
}

impl<D: Disk> Segment<D> {
    /// A segment without batches; nothing is made on disk.
    pub fn empty(base_offset: Offset, now: Timestamp) -> Self {
        let indexes = Indexes::Written(Box::new(Written::new(base_offset)));
        let aborted = Some(TransactionIndex::default());
        Self { indexes, aborted, ..Self::found(base_offset, 0, now) }
    }

    /// A segment whose files are there.
    pub const fn found(base_offset: Offset, size_bytes: u32, modified: Timestamp) -> Self {
        Self {
            base_offset,
            size_bytes,
            created: modified,
            modified,
            file: None,
            indexes: Indexes::Unloaded,
            max_timestamp: None,
            first_timestamp: None,
            bytes_since_index_entry: 0,
            recent: None,
            aborted: None,
        }
    }

    /// The `.log` file, which is made if it is not there.
    pub fn file(&mut self, disk: &D, directory: &Path) -> io::Result<Arc<D::File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let path = directory.join(FileKind::Log.name(self.base_offset));
        let file = disk.open(&path, OpenMode::Create)?;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Closes files and drops maps; who reads still keeps what is read.
    pub fn release(&mut self) {
        self.file = None;
        if matches!(self.indexes, Indexes::Mapped(_)) {
            self.indexes = Indexes::Unloaded;
        }
        if self.aborted.as_ref().is_some_and(|aborted| !aborted.is_empty()) {
            self.aborted = None;
        }
    }

    /// Whether it holds a file open.
    pub const fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// The batches from `position` on, one header at a time.
    pub fn walk(&mut self, disk: &D, directory: &Path, position: u32) -> io::Result<Walk<D>> {
        Ok(Walk::new(self.file(disk, directory)?, position, self.size_bytes))
    }

    /// Appends a batch: `parts` are its bytes, in order, written in one go.
    pub fn append(
        &mut self,
        disk: &D,
        directory: &Path,
        batch: NewBatch,
        parts: &[IoSlice<'_>],
        index_interval_bytes: u32,
    ) -> Result<(), WalkError> {
        let position = self.size_bytes;
        let largest = self.max_timestamp(disk, directory)?;
        self.file(disk, directory)?.write_all_at(parts, u64::from(position))?;
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if position == 0 {
            self.first_timestamp = Some(batch.max_timestamp);
        }
        let largest = if batch.max_timestamp > largest.timestamp {
            TimestampOffset { timestamp: batch.max_timestamp, offset: batch.last_offset }
        } else {
            largest
        };
        self.max_timestamp = Some(largest);
        if self.bytes_since_index_entry > index_interval_bytes {
            let written = self.written_indexes(disk, directory)?;
            written.offsets.append(batch.last_offset, position);
            written.times.append(largest.timestamp, largest.offset);
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry = self.bytes_since_index_entry.saturating_add(size as u32);
        self.size_bytes = self.size_bytes.saturating_add(size as u32);
        let recent = self.recent.get_or_insert_with(Box::default);
        recent.batches[recent.next] = (batch.base_offset, position);
        recent.next = (recent.next + 1) % RECENT_BATCHES_MAX;
        Ok(())
    }

    /// The batch that holds `target`, or the first one after it; none if there is none in this segment.
    pub fn find(
        &mut self,
        disk: &D,
        directory: &Path,
        target: Offset,
    ) -> Result<Option<BatchAt>, WalkError> {
        if self.size_bytes == 0 {
            return Ok(None);
        }
        let walk = match self.recent_position(target) {
            Some(position) => self.walk(disk, directory, position)?,
            None => self.walk_towards(disk, directory, target)?,
        };
        for batch in walk {
            let batch = batch?;
            if batch.header.last_offset() >= target {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn recent_position(&self, target: Offset) -> Option<u32> {
        let recent = self.recent.as_ref()?;
        let found = recent.batches.iter().find(|(base, _)| *base == target)?;
        Some(found.1)
    }

    /// The batches from where the index says to look for `target`. An index that does not point at a batch is damaged, and
    /// is made anew.
    pub fn walk_towards(
        &mut self,
        disk: &D,
        directory: &Path,
        target: Offset,
    ) -> Result<Walk<D>, WalkError> {
        self.load_indexes(disk, directory)?;
        let entry = self.indexes.lookup_offset(self.base_offset, target);
        let mut walk = self.walk(disk, directory, entry.position)?;
        let expected = self.base_offset..=entry.offset;
        if entry.position == 0
            || walk.peek().is_some_and(|first| expected.contains(&first.header.base_offset))
        {
            return Ok(walk);
        }
        self.index_again(disk, directory, REPAIRED_INTERVAL_BYTES)?;
        let entry = self.indexes.lookup_offset(self.base_offset, target);
        Ok(self.walk(disk, directory, entry.position)?)
    }

    /// The last entry of the time index that is not newer than `target`.
    pub fn lookup_time(
        &mut self,
        disk: &D,
        directory: &Path,
        target: Timestamp,
    ) -> io::Result<TimestampOffset> {
        self.load_indexes(disk, directory)?;
        Ok(self.indexes.lookup_time(self.base_offset, target))
    }

    /// The offset of the first index entry at or above a position: an upper bound for what a read of that far can hold.
    pub fn upper_bound_of(
        &mut self,
        disk: &D,
        directory: &Path,
        position: u32,
    ) -> io::Result<Option<Offset>> {
        self.load_indexes(disk, directory)?;
        Ok(self.indexes.first_at_or_above(self.base_offset, position))
    }

    /// The largest timestamp, and the last offset of the batch that has it; −1 if there is none.
    pub fn max_timestamp(&mut self, disk: &D, directory: &Path) -> io::Result<TimestampOffset> {
        if let Some(known) = self.max_timestamp {
            return Ok(known);
        }
        self.load_indexes(disk, directory)?;
        let last = self.indexes.last_time(self.base_offset);
        self.max_timestamp = Some(last);
        Ok(last)
    }

    /// The largest timestamp, or where no batch has one the time of the last write: what retention counts from.
    pub fn largest_timestamp(&mut self, disk: &D, directory: &Path) -> io::Result<Timestamp> {
        let found = self.max_timestamp(disk, directory)?.timestamp;
        Ok(if found.0 >= 0 { found } else { self.modified })
    }

    /// The largest timestamp of the first batch.
    pub fn first_timestamp(
        &mut self,
        disk: &D,
        directory: &Path,
    ) -> Result<Option<Timestamp>, WalkError> {
        if self.first_timestamp.is_none() && self.size_bytes > 0 {
            let first = self.walk(disk, directory, 0)?.next().transpose()?;
            self.first_timestamp = first.map(|batch| batch.header.max_timestamp);
        }
        Ok(self.first_timestamp)
    }

    /// The offset after the last batch.
    pub fn read_next_offset(&mut self, disk: &D, directory: &Path) -> Result<Offset, WalkError> {
        if self.size_bytes == 0 {
            return Ok(self.base_offset);
        }
        let mut next = self.base_offset;
        for batch in self.walk_towards(disk, directory, Offset(i64::MAX))? {
            next = batch?.header.last_offset().next();
        }
        Ok(next)
    }

    /// The aborted transactions that end in this segment.
    pub fn aborted(
        &mut self,
        disk: &D,
        directory: &Path,
    ) -> Result<&TransactionIndex, SegmentError> {
        let base_offset = self.base_offset;
        if self.aborted.is_none() {
            let path = directory.join(FileKind::TransactionIndex.name(base_offset));
            let bytes = disk.read_small(&path, TRANSACTION_INDEX_BYTES_MAX)?.unwrap_or_default();
            let read = TransactionIndex::parse(base_offset, &bytes)?;
            self.aborted = Some(read);
        }
        Ok(self.aborted.get_or_insert_default())
    }

    /// Adds an aborted transaction, also to the file, which is made with the first one.
    pub fn append_aborted(
        &mut self,
        disk: &D,
        directory: &Path,
        aborted: AbortedTransaction,
    ) -> Result<(), SegmentError> {
        let entries = self.aborted(disk, directory)?.entries().len();
        if self.aborted.get_or_insert_default().append(aborted) {
            let path = directory.join(FileKind::TransactionIndex.name(self.base_offset));
            let file = disk.open(&path, OpenMode::Create)?;
            let bytes = aborted.to_bytes();
            file.write_all_at(&[IoSlice::new(&bytes)], (entries * bytes.len()) as u64)?;
        }
        Ok(())
    }

    /// Forgets all aborted transactions, also in the file: they are about to be found again.
    pub fn reset_aborted(&mut self, disk: &D, directory: &Path) -> io::Result<()> {
        self.aborted = Some(TransactionIndex::default());
        disk.remove(&directory.join(FileKind::TransactionIndex.name(self.base_offset)))
    }

    /// Forgets the aborted transactions from `offset` on, also in the file.
    #[cfg(any(test, feature = "internals"))]
    pub fn truncate_aborted(
        &mut self,
        disk: &D,
        directory: &Path,
        offset: Offset,
    ) -> Result<(), SegmentError> {
        let before = self.aborted(disk, directory)?.entries().len();
        let aborted = self.aborted.get_or_insert_default();
        aborted.truncate_to(offset);
        let left = aborted.entries().len();
        if left < before {
            let path = directory.join(FileKind::TransactionIndex.name(self.base_offset));
            let size_bytes = left * super::transaction_index::ABORTED_TRANSACTION_BYTES;
            disk.open(&path, OpenMode::Existing)?.set_size(size_bytes as u64)?;
        }
        Ok(())
    }

    /// Makes the indexes anew from the headers of the batches, which are believed.
    pub fn index_again(
        &mut self,
        disk: &D,
        directory: &Path,
        index_interval_bytes: u32,
    ) -> Result<(), WalkError> {
        let mut written = Written::new(self.base_offset);
        let mut largest = TimestampOffset { timestamp: Timestamp::NONE, offset: self.base_offset };
        let mut last_entry_at = 0;
        for batch in self.walk(disk, directory, 0)? {
            let batch = batch?;
            let (timestamp, offset) = (batch.header.max_timestamp, batch.header.last_offset());
            if timestamp > largest.timestamp {
                largest = TimestampOffset { timestamp, offset };
            }
            if batch.position - last_entry_at > index_interval_bytes {
                written.offsets.append(offset, batch.position);
                written.times.append(largest.timestamp, largest.offset);
                last_entry_at = batch.position;
            }
        }
        self.rebuilt(self.size_bytes, written, largest);
        Ok(())
    }

    /// Reads a whole batch.
    pub fn read_batch(
        &mut self,
        disk: &D,
        directory: &Path,
        at: &BatchAt,
    ) -> Result<Batch, WalkError> {
        let mut bytes = vec![0; at.size_bytes() as usize];
        self.file(disk, directory)?.read_exact_at(&mut bytes, u64::from(at.position))?;
        let wrong = |source| WalkError::Batch { position: at.position, source };
        Batch::parse(&Bytes::from(bytes)).map_err(wrong)
    }

    /// How many entries the indexes have.
    pub fn index_entries(&mut self, disk: &D, directory: &Path) -> io::Result<(usize, usize)> {
        self.load_indexes(disk, directory)?;
        Ok(self.indexes.entries())
    }

    fn load_indexes(&mut self, disk: &D, directory: &Path) -> io::Result<()> {
        if matches!(self.indexes, Indexes::Unloaded) {
            let mapped = Mapped::open(disk, directory, self.base_offset)?;
            self.indexes = Indexes::Mapped(Box::new(mapped));
        }
        Ok(())
    }

    /// The indexes in memory, to be written to: those of the active segment. Damaged ones are made anew.
    pub fn written_indexes(
        &mut self,
        disk: &D,
        directory: &Path,
    ) -> Result<&mut Written, WalkError> {
        self.load_indexes(disk, directory)?;
        if self.indexes.for_writing(self.base_offset).is_none() {
            self.index_again(disk, directory, REPAIRED_INTERVAL_BYTES)?;
        }
        let damaged = || WalkError::Io(io::ErrorKind::InvalidData.into());
        self.indexes.for_writing(self.base_offset).ok_or_else(damaged)
    }

    /// Puts indexes in place that were made anew from the batches.
    pub fn rebuilt(&mut self, size_bytes: u32, written: Written, largest: TimestampOffset) {
        self.size_bytes = size_bytes;
        self.indexes = Indexes::Written(Box::new(written));
        self.max_timestamp = Some(largest);
        self.bytes_since_index_entry = 0;
        self.recent = None;
        self.first_timestamp = None;
    }

    /// Writes the indexes to their files, with a last entry for the largest timestamp, as Kafka does when a segment is
    /// closed or rolled; from then on they are mapped.
    pub fn write_indexes(&mut self, disk: &D, directory: &Path) -> Result<(), WalkError> {
        if !matches!(self.indexes, Indexes::Written(_)) {
            return Ok(());
        }
        let largest = self.max_timestamp(disk, directory)?;
        let base_offset = self.base_offset;
        let written = self.written_indexes(disk, directory)?;
        written.times.append(largest.timestamp, largest.offset);
        written.write(disk, directory, base_offset)?;
        self.indexes = Indexes::Unloaded;
        Ok(())
    }

    /// Makes the files that a segment has in Kafka, also one without batches, and writes its indexes.
    pub fn make_files(&mut self, disk: &D, directory: &Path) -> Result<(), WalkError> {
        self.file(disk, directory)?;
        self.write_indexes(disk, directory)
    }

    /// Whether the indexes in memory are newer than their files.
    pub const fn has_unwritten_indexes(&self) -> bool {
        matches!(self.indexes, Indexes::Written(_))
    }

    /// Cuts the segment at `position`, before the batch that begins there with `offset` or above.
    #[cfg(any(test, feature = "internals"))]
    pub fn truncate(
        &mut self,
        disk: &D,
        directory: &Path,
        offset: Offset,
        position: u32,
        now: Timestamp,
    ) -> Result<(), WalkError> {
        let written = self.written_indexes(disk, directory)?;
        written.offsets.truncate_to(offset);
        written.times.truncate_to(offset);
        self.file(disk, directory)?.set_size(u64::from(position))?;
        self.size_bytes = position;
        self.recent = None;
        self.bytes_since_index_entry = 0;
        if position == 0 {
            self.created = now;
            self.first_timestamp = None;
        }
        self.max_timestamp = None;
        self.rescan_max_timestamp(disk, directory)
    }

    /// The largest timestamp of a segment whose time index may lack the last of it.
    #[cfg(any(test, feature = "internals"))]
    pub fn rescan_max_timestamp(&mut self, disk: &D, directory: &Path) -> Result<(), WalkError> {
        let mut largest = self.max_timestamp(disk, directory)?;
        for batch in self.walk_towards(disk, directory, largest.offset)? {
            let header = batch?.header;
            if header.max_timestamp > largest.timestamp {
                largest = TimestampOffset {
                    timestamp: header.max_timestamp,
                    offset: header.last_offset(),
                };
            }
        }
        self.max_timestamp = Some(largest);
        Ok(())
    }
}
