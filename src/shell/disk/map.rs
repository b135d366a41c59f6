//! Files in memory without a copy: the index files of closed segments, never log data.
#![expect(unsafe_code, reason = "mapping a file is unsafe in Rust")]

use std::fs::File;
use std::io;
use std::ops::Deref;

/// The content of a file.
#[derive(Debug)]
pub enum Map {
    /// An empty file, which the system does not map.
    Empty,
    /// Any other.
    Mapped(memmap2::Mmap),
}

impl Map {
    /// Maps a whole file, read-only.
    pub fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self::Empty);
        }
        // SAFETY: the index of a closed segment is written no more, and whoever cuts or replaces one drops its map
        // first (`kernel::log::segment`). Another process is kept out by the directory's lock.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Self::Mapped(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Mapped(map) => map,
        }
    }
}
