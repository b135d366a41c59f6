//! The few file operations of formatting: small files, replaced whole and durably.
//!
//! The log directories are not open yet when they are formatted, so the disk of the log store cannot be used.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::FormatError;
use crate::kernel::log::meta_properties::META_PROPERTIES_BYTES_MAX;

/// The mode of a file that may be replaced.
pub const WRITABLE: u32 = 0o644;
/// The mode of a snapshot, which never changes.
pub const READ_ONLY: u32 = 0o400;

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FormatError {
    let path = path.to_owned();
    move |source| FormatError::Io { path, source }
}

/// Makes a directory and those above it.
#[expect(clippy::disallowed_methods, reason = "before the disk of the log store is open")]
pub fn create_directories(path: &Path) -> Result<(), FormatError> {
    fs::create_dir_all(path).map_err(io_error(path))
}

/// The text of a small file; none if there is no such file.
#[expect(clippy::disallowed_methods, reason = "before the disk of the log store is open")]
pub fn read_text(path: &Path) -> Result<Option<String>, FormatError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    let mut text = String::new();
    file.take(META_PROPERTIES_BYTES_MAX).read_to_string(&mut text).map_err(io_error(path))?;
    Ok(Some(text))
}

/// The names in a directory, in order; none if there is no such directory.
#[expect(clippy::disallowed_methods, reason = "before the disk of the log store is open")]
pub fn list_names(path: &Path) -> Result<Vec<String>, FormatError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(path)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(io_error(path))?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Puts a file in place, whole or not at all: written beside it, flushed, renamed, and the directory flushed.
#[expect(clippy::disallowed_methods, reason = "before the disk of the log store is open")]
pub fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FormatError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let write = || {
        // One left over from a crash may be read-only, and is not to be written through.
        if let Err(error) = fs::remove_file(temporary)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
            _ => fs::File::open(".")?.sync_all(),
        }
    };
    write().map_err(io_error(path))
}
