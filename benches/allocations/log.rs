//! What an append and a read plan of one partition's log cost, over a disk that is memory.

use std::cell::RefCell;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use ottla::internals::kernel::log::Log;
use ottla::internals::kernel::log::config::LogConfig;
use ottla::internals::kernel::log::disk::{DirectoryEntry, Disk, DiskFile, Durability, OpenMode};
use ottla::internals::kernel::log::read::ReadLimits;
use ottla::internals::types::epoch::{LeaderEpoch, ProducerEpoch};
use ottla::internals::types::ids::{ProducerId, TopicId};
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::{Mono, Now, Timestamp};
use ottla::internals::wire::batch::Batch;
use ottla::internals::wire::batch_builder::BatchBuilder;
use ottla::internals::wire::reply::RangeSource;

use crate::rows::{Row, row};

/// Room for every append of a run; the pages that are not written are never there.
const FILE_BYTES: usize = 1 << 30;

/// One file, whatever it is called.
#[derive(Clone)]
struct Memory(Arc<MemoryFile>);

struct MemoryFile(Mutex<Vec<u8>>);

impl Memory {
    fn new() -> Self {
        Self(Arc::new(MemoryFile(Mutex::new(Vec::with_capacity(FILE_BYTES)))))
    }
}

impl Disk for Memory {
    type File = MemoryFile;
    type Map = Vec<u8>;

    fn open(&self, _path: &Path, _mode: OpenMode) -> io::Result<Arc<MemoryFile>> {
        Ok(Arc::clone(&self.0))
    }

    fn map(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn list(&self, _directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        Ok(Vec::new())
    }

    fn read_small(&self, _path: &Path, _limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn write_small(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn replace_small(&self, _path: &Path, _bytes: &[u8], _to: Durability) -> io::Result<()> {
        Ok(())
    }

    fn set_read_only(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl RangeSource for MemoryFile {
    fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        self.read_at(into, position).map(|_| ())
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl DiskFile for MemoryFile {
    fn write_all_at(&self, parts: &[IoSlice<'_>], _position: u64) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Ok(())
    }

    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = bytes.get(position as usize..).unwrap_or_default();
        let read = from.len().min(into.len());
        into[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn set_size(&self, _size_bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_modified(&self, _modified: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

const NOW: Now = Now { mono: Mono(std::time::Duration::ZERO), wall: Timestamp(1_800_000_000_000) };

fn log() -> Log<Memory> {
    let config = Arc::new(LogConfig::default());
    let made = Log::create(Memory::new(), Path::new("orders-0"), TopicId::METADATA, config, NOW);
    made.unwrap_or_else(|error| panic!("{error}"))
}

fn batch(producer: Option<i32>) -> Batch {
    let mut builder = BatchBuilder::new(Offset(0));
    if let Some(sequence) = producer {
        builder = builder.producer(ProducerId(7), ProducerEpoch(0), sequence);
    }
    builder.record(NOW.wall, Some(b"key"), Some(&[7; 1000])).build_batch()
}

/// Every row of the log.
pub fn rows() -> Vec<Row> {
    let plain = RefCell::new(log());
    let of_no_one = batch(None);
    let idempotent = RefCell::new((log(), 0));
    let read = Rc::new(RefCell::new(log()));
    for _ in 0..10_000 {
        let appended = read.borrow_mut().append_as_leader(&of_no_one, LeaderEpoch(0), NOW);
        black_box(appended.is_ok());
    }
    let read_from = |from: i64| {
        let read = Rc::clone(&read);
        let limits =
            ReadLimits { max_bytes: 1 << 20, at_least_one_batch: true, up_to: Offset(10_000) };
        move || {
            black_box(read.borrow_mut().read(Offset(from), limits).is_ok());
        }
    };
    let (from_the_middle, from_the_end) = (read_from(5_003), read_from(9_999));
    // The one is an index that grows now and then.
    vec![
        row("log: append 1 KiB", 1, move || {
            let appended = plain.borrow_mut().append_as_leader(&of_no_one, LeaderEpoch(0), NOW);
            black_box(appended.is_ok());
        }),
        row("log: append 1 KiB of an idempotent producer", 1, move || {
            let (log, sequence) = &mut *idempotent.borrow_mut();
            let mut batch = black_box(BATCH.with(Batch::clone));
            batch.header.base_sequence = *sequence;
            *sequence += 1;
            let appended = log.append_as_leader(&batch, LeaderEpoch(0), NOW);
            black_box(appended.is_ok());
        }),
        row("log: plan of a read from the middle", 0, from_the_middle),
        row("log: plan of a read from the end", 0, from_the_end),
    ]
}

thread_local! {
    static BATCH: Batch = batch(Some(0));
}
