//! What is asked of a whole log directory: the directories in it, and how much room it has.
#![expect(clippy::disallowed_methods, reason = "this is a door to the files")]

use std::fs;
use std::io;
use std::path::Path;

/// The names of the directories in `path`, in their order. A name that is not Unicode is none of ours.
pub fn list_directories(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The room of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total_bytes: u64,
    /// What we may still use.
    pub usable_bytes: u64,
}

/// The room of the file system that `path` lies in.
pub fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { total_bytes: bytes(found.f_blocks), usable_bytes: bytes(found.f_bavail) })
}

/// Makes durable everything that was written to the file system that `path` lies in: one call for thousands of
/// files. What of it could not be written is an error, since Linux 5.8.
pub fn sync_file_system(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_listed_and_files_are_not() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b-0", "a-1"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("meta.properties"), "").unwrap();
        assert_eq!(list_directories(root.path()).unwrap(), ["a-1", "b-0"]);
        assert!(list_directories(&root.path().join("c")).is_err());
        sync_file_system(root.path()).unwrap();
        assert!(sync_file_system(&root.path().join("c")).is_err());
        let space = space(root.path()).unwrap();
        assert!(space.total_bytes > 0 && space.usable_bytes <= space.total_bytes);
    }
}
