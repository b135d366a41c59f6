//! What a log asks of a disk: few operations, synchronous, each of them one that a crash may come before or after.
//!
//! Nothing is durable until it is asked for: a file's content by [`DiskFile::sync`], its name by
//! [`Disk::sync_directory`]. Real files are in `shell::disk`; `simulated` has a disk whose every crash can be seen.

#[cfg(any(test, feature = "internals"))]
pub mod simulated;

use std::io;
use std::io::IoSlice;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::types::time::Timestamp;
use crate::wire::reply::RangeSource;

/// Whether a file must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must.
    Existing,
    /// It is made, empty, if it is not there.
    Create,
}

/// Whether a small file is on disk, or only in the page cache, when its writer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// In the page cache: a crash of the machine may lose it, one of the process does not.
    Cached,
    /// On disk, its name included.
    Durable,
}

/// A file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// Its length.
    pub size_bytes: u64,
    /// When its content last changed.
    pub modified: Timestamp,
}

/// A place for files. Cheap to clone.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// The content of a file that does not change, without a copy where that can be.
    type Map: Deref<Target = [u8]> + Send + Sync;

    /// Opens a file for reading and writing.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<Self::File>>;

    /// The content of a file that is written no more. It is dropped before the file is cut.
    fn map(&self, path: &Path) -> io::Result<Self::Map>;

    /// The regular files of a directory, in the order of their names.
    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>>;

    /// A whole small file; none if there is none. One that is longer than `limit_bytes` is an error.
    fn read_small(&self, path: &Path, limit_bytes: u64) -> io::Result<Option<Vec<u8>>>;

    /// Writes a new small file in place: a crash may leave half of it.
    fn write_small(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Puts a small file in the place of another, whole or not at all: written beside it and renamed.
    fn replace_small(&self, path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()>;

    /// Nobody writes this file any more, not even by mistake: mode 0400.
    fn set_read_only(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and those above it.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Renames a file or a directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; one that is not there is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and what is in it.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// An open file. Handles may be shared; positions are always said.
pub trait DiskFile: RangeSource + Sized + 'static {
    /// Writes all of `parts`, one after the other, from `position` on: one call of the system where it can be.
    fn write_all_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Fills `into` from `position` as far as the file goes; says how much that was.
    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize>;

    /// Its length.
    fn size_bytes(&self) -> io::Result<u64>;

    /// Cuts it, or fills it up with zeros.
    fn set_size(&self, size_bytes: u64) -> io::Result<()>;

    /// Says when its content last changed, as [`Disk::list`] shows it from now on.
    fn set_modified(&self, modified: Timestamp) -> io::Result<()>;

    /// Makes its content durable. A failure is final: what the system could not write it may have forgotten.
    fn sync(&self) -> io::Result<()>;
}
