//! A disk in memory that remembers every operation, so that a test can look at each crash.
//!
//! What was written is there for whoever reads on; [`SimulatedDisk::after_crash`] makes the disk that a new process
//! would find had the machine stopped after so many operations.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{DirectoryEntry, Disk, DiskFile, Durability, OpenMode};
use crate::types::time::Timestamp;
use crate::wire::reply::RangeSource;

type Inode = usize;

/// What a crash leaves of the operations before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Everything: the process died, not the machine.
    Nothing,
    /// Only what was synced; names count as synced with their directory.
    Unsynced,
    /// Everything but the end of the last write, of which this many bytes came through.
    Torn {
        /// How many.
        kept_bytes: usize,
    },
}

#[derive(Clone, Debug)]
enum Operation {
    Create(PathBuf, Inode),
    Write(Inode, u64, Vec<u8>),
    SetSize(Inode, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Sync(Inode),
    SyncDirectory(PathBuf),
    CreateDirectory(PathBuf),
    RemoveDirectory(PathBuf),
}

#[derive(Clone, Debug, Default)]
struct Image {
    names: BTreeMap<PathBuf, Inode>,
    directories: Vec<PathBuf>,
    contents: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    /// The state before the first operation.
    first: Image,
    operations: Vec<Operation>,
    /// So many operations that change something succeed; then every one fails.
    fail_after: Option<usize>,
    /// What the system says to whoever opens a file.
    fail_opens_with: Option<i32>,
}

/// A disk in memory.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

/// A file on it.
#[derive(Debug)]
pub struct SimulatedFile {
    disk: SimulatedDisk,
    inode: Inode,
}

/// The content of a file as it was when it was mapped.
#[derive(Debug)]
pub struct SimulatedMap(Vec<u8>);

impl Deref for SimulatedMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Image {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create(path, inode) => {
                if self.contents.len() <= *inode {
                    self.contents.resize(inode + 1, Vec::new());
                }
                self.names.insert(path.clone(), *inode);
            }
            Operation::Write(inode, position, bytes) => self.write(*inode, *position, bytes),
            Operation::SetSize(inode, size) => {
                if let Some(content) = self.contents.get_mut(*inode) {
                    content.resize(*size as usize, 0);
                }
            }
            Operation::Rename(from, to) => self.rename(from, to),
            Operation::Remove(path) => {
                self.names.remove(path);
            }
            Operation::CreateDirectory(path) => self.directories.push(path.clone()),
            Operation::RemoveDirectory(path) => {
                self.names.retain(|name, _| !name.starts_with(path));
                self.directories.retain(|name| !name.starts_with(path));
            }
            Operation::Sync(_) | Operation::SyncDirectory(_) => {}
        }
    }

    fn write(&mut self, inode: Inode, position: u64, bytes: &[u8]) {
        if self.contents.len() <= inode {
            self.contents.resize(inode + 1, Vec::new());
        }
        let content = &mut self.contents[inode];
        let (start, end) = (position as usize, position as usize + bytes.len());
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(bytes);
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        if let Some(inode) = self.names.remove(from) {
            self.names.insert(to.to_owned(), inode);
            return;
        }
        let moved = |path: &Path| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        let names = std::mem::take(&mut self.names);
        let renamed = |(path, inode): (PathBuf, Inode)| (moved(&path).unwrap_or(path), inode);
        self.names = names.into_iter().map(renamed).collect();
        for directory in &mut self.directories {
            if let Some(to) = moved(directory) {
                *directory = to;
            }
        }
    }
}

impl SimulatedDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.state();
        if state.fail_after.is_some_and(|limit| state.operations.len() >= limit) {
            return Err(io::Error::other("the disk fails"));
        }
        state.image.apply(&operation);
        state.operations.push(operation);
        Ok(())
    }

    /// How many operations have changed something so far.
    pub fn operations(&self) -> usize {
        self.state().operations.len()
    }

    /// After `operations` more of them every change fails.
    pub fn fail_after(&self, operations: usize) {
        let mut state = self.state();
        state.fail_after = Some(state.operations.len() + operations);
    }

    /// Every open fails with this error of the system, until there is none.
    pub fn fail_opens_with(&self, raw_os_error: Option<i32>) {
        self.state().fail_opens_with = raw_os_error;
    }

    /// The disk as it is found after a crash behind the first `operations` operations.
    #[must_use]
    pub fn after_crash(&self, operations: usize, loss: Loss) -> Self {
        let state = self.state();
        let done = &state.operations[..operations.min(state.operations.len())];
        let mut image = state.first.clone();
        match loss {
            Loss::Nothing => done.iter().for_each(|operation| image.apply(operation)),
            Loss::Torn { kept_bytes } => {
                for (index, operation) in done.iter().enumerate() {
                    match operation {
                        Operation::Write(inode, position, bytes) if index + 1 == done.len() => {
                            let kept = &bytes[..kept_bytes.min(bytes.len())];
                            image.write(*inode, *position, kept);
                        }
                        whole => image.apply(whole),
                    }
                }
            }
            Loss::Unsynced => {
                let kept = |(index, operation): (usize, &Operation)| {
                    is_durable(&done[index + 1..], operation).then(|| operation.clone())
                };
                for operation in done.iter().enumerate().filter_map(kept) {
                    image.apply(&operation);
                }
                // What lies in a directory whose own name was lost is lost with it.
                for (index, operation) in done.iter().enumerate() {
                    if let Operation::CreateDirectory(path) = operation
                        && !is_durable(&done[index + 1..], operation)
                        && !state.first.directories.contains(path)
                    {
                        image.apply(&Operation::RemoveDirectory(path.clone()));
                    }
                }
            }
        }
        Self::of(image)
    }

    fn of(image: Image) -> Self {
        let state = State { image: image.clone(), first: image, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Puts a file there, as if it had been there before the first operation.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let inode = state.image.contents.len();
        for operation in
            [Operation::Create(path.to_owned(), inode), Operation::Write(inode, 0, bytes.to_vec())]
        {
            state.image.apply(&operation);
            state.first.contents.resize(inode, Vec::new());
            state.first.apply(&operation);
        }
    }

    /// The content of a file; none if there is none.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.image.names.get(path).map(|inode| state.image.contents[*inode].clone())
    }

    /// The names of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().image.names.keys().cloned().collect()
    }
}

/// Whether an operation came through, given those that followed it.
fn is_durable(later: &[Operation], operation: &Operation) -> bool {
    let is_synced = |of: Inode| later.iter().any(|it| matches!(it, Operation::Sync(i) if *i == of));
    let is_listed = |path: &Path| {
        let parent = path.parent();
        let syncs = |it: &Operation| matches!(it, Operation::SyncDirectory(of) if Some(of.as_path()) == parent);
        later.iter().any(syncs)
    };
    match operation {
        Operation::Write(inode, ..) | Operation::SetSize(inode, _) => is_synced(*inode),
        // A synced file keeps the name that it was made with: Linux writes the entry with it.
        Operation::Create(path, inode) => is_listed(path) || is_synced(*inode),
        Operation::Rename(_, path) | Operation::Remove(path) | Operation::CreateDirectory(path) => {
            is_listed(path)
        }
        _ => true,
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;
    type Map = SimulatedMap;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<SimulatedFile>> {
        if let Some(error) = self.state().fail_opens_with {
            return Err(io::Error::from_raw_os_error(error));
        }
        let found = self.state().image.names.get(path).copied();
        let inode = match (found, mode) {
            (Some(inode), _) => inode,
            (None, OpenMode::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Create) => {
                let inode = self.state().image.contents.len();
                self.change(Operation::Create(path.to_owned(), inode))?;
                inode
            }
        };
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn map(&self, path: &Path) -> io::Result<SimulatedMap> {
        self.content(path).map(SimulatedMap).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let state = self.state();
        if !state.image.directories.iter().any(|it| it == directory)
            && !state.image.names.keys().any(|it| it.starts_with(directory))
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry = |(path, inode): (&PathBuf, &Inode)| {
            let name = path.file_name()?.to_str()?.to_owned();
            let size_bytes = state.image.contents[*inode].len() as u64;
            let entry = DirectoryEntry { name, size_bytes, modified: Timestamp(0) };
            (path.parent() == Some(directory)).then_some(entry)
        };
        Ok(state.image.names.iter().filter_map(entry).collect())
    }

    fn read_small(&self, path: &Path, limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let content = self.content(path);
        if content.as_ref().is_some_and(|content| content.len() as u64 > limit_bytes) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }

    fn write_small(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.open(path, OpenMode::Create)?;
        file.set_size(0)?;
        file.write_all_at(&[IoSlice::new(bytes)], 0)
    }

    fn replace_small(&self, path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        self.write_small(&temporary, bytes)?;
        if durability == Durability::Durable {
            self.open(&temporary, OpenMode::Existing)?.sync()?;
        }
        self.rename(&temporary, path)?;
        if durability == Durability::Durable {
            self.sync_directory(path.parent().unwrap_or(path))?;
        }
        Ok(())
    }

    fn set_read_only(&self, path: &Path) -> io::Result<()> {
        self.open(path, OpenMode::Existing).map(|_| ())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::CreateDirectory(path.to_owned()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let exists = self.state().image.names.keys().any(|path| path.starts_with(from))
            || self.state().image.directories.iter().any(|path| path == from);
        if !exists {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(Operation::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.content(path).is_none() {
            return Ok(());
        }
        self.change(Operation::Remove(path.to_owned()))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::RemoveDirectory(path.to_owned()))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::SyncDirectory(path.to_owned()))
    }
}

impl RangeSource for SimulatedFile {
    fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        let read = self.read_at(into, position)?;
        if read == into.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl DiskFile for SimulatedFile {
    fn write_all_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.disk.change(Operation::Write(self.inode, position, bytes))
    }

    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let content = &state.image.contents[self.inode];
        let from = content.get(position as usize..).unwrap_or_default();
        let read = from.len().min(into.len());
        into[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.disk.state().image.contents[self.inode].len() as u64)
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.disk.change(Operation::SetSize(self.inode, size_bytes))
    }

    fn set_modified(&self, _modified: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change(Operation::Sync(self.inode))
    }
}
