//! Which files a log consists of; what an interrupted deletion or compaction left is finished or undone first.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::disk::{DirectoryEntry, Disk};
use super::super::file_names::{FileFate, FileKind, SegmentFile};
use super::super::segment::walk::Walk;
use super::super::{LogError, disk};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// A `.log` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundLog {
    /// Its length.
    pub size_bytes: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// Whether both indexes are there, and have entries if they must.
    pub has_indexes: bool,
}

/// What there is.
#[derive(Debug, Default)]
pub struct Found {
    /// The segments, in their order.
    pub logs: BTreeMap<Offset, FoundLog>,
    /// The snapshots of the producers, in their order.
    pub snapshots: Vec<Offset>,
}

/// Goes through the directory as Kafka's loader does: what waits for deletion or was not finished by compaction goes;
/// what compaction finished takes the place of what it was made from; an index without a segment goes.
pub fn sort_out<D: Disk>(disk: &D, directory: &Path) -> Result<Found, LogError> {
    let mut files: Vec<(SegmentFile, DirectoryEntry)> = Vec::new();
    for entry in disk.list(directory)? {
        if let Some(file) = SegmentFile::parse(&entry.name) {
            files.push((file, entry));
        }
    }
    let cleaned = files.iter().filter(|(file, _)| file.fate == FileFate::Cleaned);
    let min_cleaned = cleaned.map(|(file, _)| file.offset).min().unwrap_or(Offset(i64::MAX));
    let is_left = |file: &SegmentFile| match file.fate {
        FileFate::Deleted | FileFate::Cleaned => false,
        // A split that did not finish (KAFKA-6264).
        FileFate::Swap => file.offset < min_cleaned,
        FileFate::Live => true,
    };
    remove_unless(disk, directory, &mut files, is_left)?;
    finish_swaps(disk, directory, &mut files)?;
    let of_kind = |kind| {
        let of = move |(file, _): &&(SegmentFile, DirectoryEntry)| file.kind == kind;
        files.iter().filter(of)
    };
    let size_of = |kind, offset| {
        let mut named = of_kind(kind).filter(|(file, _)| file.offset == offset);
        named.next().map(|(_, entry)| entry.size_bytes)
    };
    let mut found = Found::default();
    for (file, entry) in of_kind(FileKind::Log) {
        // A time index has an entry as soon as there is a batch; one that has none was lost with the machine.
        let has_indexes = size_of(FileKind::OffsetIndex, file.offset).is_some()
            && size_of(FileKind::TimeIndex, file.offset).is_some_and(|bytes| bytes > 0);
        let DirectoryEntry { size_bytes, modified, .. } = *entry;
        found.logs.insert(file.offset, FoundLog { size_bytes, modified, has_indexes });
    }
    found.snapshots = of_kind(FileKind::ProducerSnapshot).map(|(file, _)| file.offset).collect();
    found.snapshots.sort_unstable();
    let belongs = |file: &SegmentFile| {
        matches!(file.kind, FileKind::Log | FileKind::ProducerSnapshot)
            || found.logs.contains_key(&file.offset)
    };
    remove_unless(disk, directory, &mut files, belongs)?;
    Ok(found)
}

fn remove_unless<D: Disk>(
    disk: &D,
    directory: &Path,
    files: &mut Vec<(SegmentFile, DirectoryEntry)>,
    stays: impl Fn(&SegmentFile) -> bool,
) -> Result<(), LogError> {
    for (file, entry) in &*files {
        if !stays(file) {
            disk.remove(&directory.join(&entry.name))?;
        }
    }
    files.retain(|(file, _)| stays(file));
    Ok(())
}

/// Removes what lies in the range of the swapped segments, then gives those their names.
fn finish_swaps<D: Disk>(
    disk: &D,
    directory: &Path,
    files: &mut Vec<(SegmentFile, DirectoryEntry)>,
) -> Result<(), LogError> {
    let is_swap = |file: &SegmentFile| file.fate == FileFate::Swap;
    let mut range = (Offset(i64::MAX), Offset(i64::MIN));
    let mut bases = Vec::new();
    for (file, entry) in files.iter().filter(|(file, _)| is_swap(file)) {
        if file.kind == FileKind::Log {
            let next = next_offset(disk, &directory.join(&entry.name), file.offset)?;
            // One whose records have all gone takes its own name's place all the same.
            range = (range.0.min(file.offset), range.1.max(next).max(file.offset.next()));
            bases.push(file.offset);
        }
    }
    // What is known of producers at the beginning of a segment is as true of the new one.
    let is_kept = |file: &SegmentFile| {
        file.kind == FileKind::ProducerSnapshot && bases.contains(&file.offset)
    };
    let stays = |file: &SegmentFile| {
        is_swap(file) || file.offset < range.0 || file.offset >= range.1 || is_kept(file)
    };
    remove_unless(disk, directory, files, stays)?;
    for (file, entry) in files.iter_mut().filter(|(file, _)| is_swap(file)) {
        file.fate = FileFate::Live;
        disk.rename(&directory.join(&entry.name), &directory.join(file.name()))?;
        entry.name = file.name();
    }
    Ok(())
}

fn next_offset<D: Disk>(disk: &D, path: &Path, base: Offset) -> Result<Offset, LogError> {
    let file = disk.open(path, disk::OpenMode::Existing)?;
    let size_bytes = disk::DiskFile::size_bytes(&*file)?;
    let mut next = base;
    for batch in Walk::<D>::new(file, 0, u32::try_from(size_bytes).unwrap_or(u32::MAX)) {
        next = batch?.header.last_offset().next();
    }
    Ok(next)
}
