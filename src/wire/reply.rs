//! What a connection writes: bytes that we made, and ranges of files that nobody looked at.
//!
//! A fetched batch is never read by the broker on its way out: the answer says where in which segment
//! it lies, and the connection lets the kernel copy it (sendfile) or reads it just before writing.
//! A range holds its segment's file open, so retention may unlink the file meanwhile.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

/// A file from which ranges are served. Implemented by the disk, and by memory in tests.
pub trait RangeSource: Send + Sync {
    /// Fills `into` from `position`; an error if the file ends before.
    fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()>;

    /// The file itself for sendfile, where there is one.
    fn file(&self) -> Option<BorrowedFd<'_>>;
}

/// A range of a segment file.
#[derive(Clone)]
pub struct FileRange {
    /// The segment's log file.
    pub source: Arc<dyn RangeSource>,
    /// Where the range starts.
    pub position: u64,
    /// How long it is.
    pub length_bytes: u32,
}

impl std::fmt::Debug for FileRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of a file from {}", self.length_bytes, self.position)
    }
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes in a segment file.
    File(FileRange),
}

impl Chunk {
    /// The length of this piece.
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(range) => range.length_bytes as usize,
        }
    }
}

/// One whole answer frame, the 4-byte length prefix included, in the order in which it is written.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The pieces.
    pub chunks: SmallVec<[Chunk; 2]>,
}

impl Reply {
    /// An answer which is all in memory.
    pub fn of_bytes(bytes: Bytes) -> Self {
        let mut chunks = SmallVec::new();
        chunks.push(Chunk::Bytes(bytes));
        Self { chunks }
    }

    /// The length of all pieces.
    #[cfg(any(test, feature = "internals"))]
    pub fn len_bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::len_bytes).sum()
    }
}
