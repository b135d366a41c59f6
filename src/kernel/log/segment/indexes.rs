//! The indexes of a segment: in memory while it is written, mapped once it is closed, not loaded until they are needed.

use std::io;
use std::path::Path;

use super::super::disk::Disk;
use super::super::file_names::FileKind;
use super::super::offset_index::{self, OffsetIndex, OffsetPosition};
use super::super::time_index::{self, TimeIndex, TimestampOffset};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// See the module.
pub enum Indexes<D: Disk> {
    /// Nobody has asked yet.
    Unloaded,
    /// In memory, newer than their files.
    Written(Box<Written>),
    /// In their files.
    Mapped(Box<Mapped<D>>),
}

/// Indexes in memory.
pub struct Written {
    /// From offsets to positions.
    pub offsets: OffsetIndex,
    /// From times to offsets.
    pub times: TimeIndex,
}

impl Written {
    /// Without entries.
    pub const fn new(base: Offset) -> Self {
        Self { offsets: OffsetIndex::new(base), times: TimeIndex::new(base) }
    }

    /// Puts both in their files, which then have exactly the entries: Kafka trims its files to that.
    pub fn write<D: Disk>(&self, disk: &D, directory: &Path, base: Offset) -> io::Result<()> {
        let write = |file: FileKind, bytes: &[u8]| {
            let path = directory.join(file.name(base));
            disk.write_small(&path, bytes)
        };
        write(FileKind::OffsetIndex, self.offsets.bytes())?;
        write(FileKind::TimeIndex, self.times.bytes())
    }
}

/// Indexes in their files.
pub struct Mapped<D: Disk> {
    offsets: Option<D::Map>,
    times: Option<D::Map>,
}

impl<D: Disk> Mapped<D> {
    /// Maps both files; one that is not there has no entries.
    pub fn open(disk: &D, directory: &Path, base: Offset) -> io::Result<Self> {
        let map = |file: FileKind| match disk.map(&directory.join(file.name(base))) {
            Ok(map) => Ok(Some(map)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        Ok(Self { offsets: map(FileKind::OffsetIndex)?, times: map(FileKind::TimeIndex)? })
    }

    fn offsets(&self) -> &[u8] {
        self.offsets.as_deref().unwrap_or_default()
    }

    fn times(&self) -> &[u8] {
        self.times.as_deref().unwrap_or_default()
    }
}

impl<D: Disk> Indexes<D> {
    fn bytes(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Unloaded => (&[], &[]),
            Self::Written(written) => (written.offsets.bytes(), written.times.bytes()),
            Self::Mapped(mapped) => (mapped.offsets(), mapped.times()),
        }
    }

    /// The last entry at or below `target`.
    pub fn lookup_offset(&self, base: Offset, target: Offset) -> OffsetPosition {
        offset_index::lookup(self.bytes().0, base, target)
    }

    /// The last entry that is not newer than `target`.
    pub fn lookup_time(&self, base: Offset, target: Timestamp) -> TimestampOffset {
        time_index::lookup(self.bytes().1, base, target)
    }

    /// The entry with the largest timestamp.
    pub fn last_time(&self, base: Offset) -> TimestampOffset {
        self.lookup_time(base, Timestamp(i64::MAX))
    }

    /// The offset of the first entry whose position is at or above `position`.
    pub fn first_at_or_above(&self, base: Offset, position: u32) -> Option<Offset> {
        offset_index::first_at_or_above(self.bytes().0, base, position)
    }

    /// How many entries there are: offsets, times.
    pub fn entries(&self) -> (usize, usize) {
        let (offsets, times) = self.bytes();
        (
            offsets.len() / offset_index::OFFSET_ENTRY_BYTES,
            times.len() / time_index::TIME_ENTRY_BYTES,
        )
    }

    /// Moves mapped ones into memory, to be written to; none if they are damaged.
    pub fn for_writing(&mut self, base: Offset) -> Option<&mut Written> {
        if !matches!(self, Self::Written(_)) {
            let (offsets, times) = self.bytes();
            let offsets = OffsetIndex::parse(base, offsets.to_vec()).ok()?;
            let times = TimeIndex::parse(base, times.to_vec()).ok()?;
            *self = Self::Written(Box::new(Written { offsets, times }));
        }
        match self {
            Self::Written(written) => Some(written),
            _ => None,
        }
    }
}
