//! The disk of the log store on real files.
//!
//! Appends go to the page cache; what must be durable is asked for. Small files are replaced whole: a crash leaves
//! the old one or the new one.
#![expect(clippy::disallowed_methods, reason = "this is the door to the files")]

use std::fs;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustix::io::pwritev;

use super::map::Map;
use crate::kernel::log::disk::{DirectoryEntry, Disk, DiskFile, Durability, OpenMode};
use crate::types::time::Timestamp;
use crate::wire::reply::RangeSource;

/// No append has more parts than this.
const PARTS_MAX: usize = 64;

/// The mode of a file that does not change.
const READ_ONLY: u32 = 0o400;

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

/// A file of it.
#[derive(Debug)]
pub struct RealFile {
    file: fs::File,
}

/// What a file is called while it is written.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn modified(metadata: &fs::Metadata) -> Timestamp {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let ms = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Timestamp(ms.unwrap_or_default())
}

impl Disk for Files {
    type File = RealFile;
    type Map = Map;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<RealFile>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(mode == OpenMode::Create);
        Ok(Arc::new(RealFile { file: options.open(path)? }))
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        Map::of(&fs::File::open(path)?)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let size_bytes = metadata.len();
                entries.push(DirectoryEntry { name, size_bytes, modified: modified(&metadata) });
            }
        }
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn read_small(&self, path: &Path, limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    fn write_small(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }

    fn replace_small(&self, path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
        let temporary = temporary(path);
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        if durability == Durability::Durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        if durability == Durability::Durable {
            self.sync_directory(parent(path))?;
        }
        Ok(())
    }

    fn set_read_only(&self, path: &Path) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(READ_ONLY))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }
}

impl RangeSource for RealFile {
    fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(into, position)
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

impl DiskFile for RealFile {
    fn write_all_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut written = if parts.len() <= PARTS_MAX {
            retry(|| pwritev(&self.file, parts, position))?
        } else {
            0
        };
        if written == total {
            return Ok(());
        }
        // A short write, which is rare: what is left goes part by part.
        let mut at = position.saturating_add(written as u64);
        for part in parts {
            let left = part.get(written.min(part.len())..).unwrap_or_default();
            written -= part.len() - left.len();
            self.file.write_all_at(left, at)?;
            at = at.saturating_add(left.len() as u64);
        }
        Ok(())
    }

    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(left) = into.get_mut(filled..).filter(|left| !left.is_empty()) {
            match self.file.read_at(left, position.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_len(size_bytes)
    }

    fn set_modified(&self, modified: Timestamp) -> io::Result<()> {
        let since = Duration::from_millis(modified.0.max(0).cast_unsigned());
        self.file.set_modified(UNIX_EPOCH + since)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Calls again while a signal interrupts, which says nothing about the disk.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_one_after_the_other_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        assert!(Files.open(&path, OpenMode::Existing).is_err());
        let file = Files.open(&path, OpenMode::Create).unwrap();
        file.write_all_at(&[IoSlice::new(b"abc"), IoSlice::new(b"defg")], 2).unwrap();
        let many: Vec<u8> = (0..200).collect();
        let parts: Vec<IoSlice<'_>> = many.chunks(2).map(IoSlice::new).collect();
        file.write_all_at(&parts, 9).unwrap();
        assert_eq!(file.size_bytes().unwrap(), 209);
        let mut read = [0; 8];
        assert_eq!(file.read_at(&mut read, 1).unwrap(), 8);
        assert_eq!(&read, b"\0abcdefg");
        assert_eq!(file.read_at(&mut read, 205).unwrap(), 4);
        assert_eq!(read[..4], [196, 197, 198, 199]);
        file.sync().unwrap();
        file.set_size(3).unwrap();
        file.set_modified(Timestamp(12_345)).unwrap();
        assert!(file.read_exact_at(&mut read, 0).is_err());
        let names: Vec<_> = Files.list(directory.path()).unwrap();
        assert_eq!((names.len(), names[0].size_bytes), (1, 3));
        assert_eq!(names[0].modified, Timestamp(12_345));
    }

    #[test]
    fn a_small_file_is_replaced_whole_and_removed_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quorum-state");
        assert_eq!(Files.read_small(&path, 10).unwrap(), None);
        for (text, durability) in [("one", Durability::Cached), ("two", Durability::Durable)] {
            Files.replace_small(&path, text.as_bytes(), durability).unwrap();
            assert_eq!(Files.read_small(&path, 3).unwrap().unwrap(), text.as_bytes());
        }
        assert!(Files.read_small(&path, 2).is_err(), "longer than its limit");
        Files.remove(&path).unwrap();
        Files.remove(&path).unwrap();
        assert!(Files.list(directory.path()).unwrap().is_empty());
    }
}
