//! One process per log directory: `.lock`, taken as Java takes it, so that Kafka and this broker keep each other out.
//!
//! It is a POSIX record lock (`fcntl`), which belongs to the process and goes with it, however it ends. A second lock by
//! the same process would be given: whoever starts nodes in one process keeps their directories apart.
#![expect(clippy::disallowed_methods, reason = "the lock is a file")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};

const LOCK_FILE: &str = ".lock";

/// A directory that this process has for itself until this is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    path: PathBuf,
    /// Closing it gives the lock back.
    file: fs::File,
}

/// Why the directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "Failed to acquire lock on file .lock in {directory}. A Kafka instance in another process or thread is using \
         this directory."
    )]
    Taken {
        /// The directory.
        directory: PathBuf,
    },
    /// The file cannot be made, or the file system has no locks.
    #[error("cannot lock {directory}: {source}")]
    Io {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Takes the directory, or says at once who cannot have it.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK_FILE);
        let failed = |source| LockError::Io { directory: directory.to_owned(), source };
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(failed)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path, file }),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                Err(LockError::Taken { directory: directory.to_owned() })
            }
            Err(error) => Err(failed(error.into())),
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // As Kafka does. That it stays behind after a crash harms nobody.
        let _ = fs::remove_file(&self.path);
        let _ = fcntl_lock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_given_back_and_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(directory.path()).unwrap();
        assert!(directory.path().join(LOCK_FILE).exists());
        drop(lock);
        assert!(!directory.path().join(LOCK_FILE).exists());
        drop(DirectoryLock::take(directory.path()).unwrap());
        let missing = directory.path().join("missing");
        assert!(matches!(DirectoryLock::take(&missing), Err(LockError::Io { .. })));
    }

    #[test]
    fn the_lock_is_one_that_java_sees() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(directory.path()).unwrap();
        // Java's FileChannel.tryLock is a POSIX record lock over the whole file, which the system lists.
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let inode = format!(
            ":{} 0 EOF",
            std::os::unix::fs::MetadataExt::ino(&lock.file.metadata().unwrap())
        );
        let is_ours = |line: &str| {
            line.contains("POSIX") && line.contains(" WRITE ") && line.ends_with(&inode)
        };
        assert!(locks.lines().any(is_ours), "{locks}");
    }
}
