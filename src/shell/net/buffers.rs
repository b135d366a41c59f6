//! The memory of a connection thread: what bytes land in, what file ranges are read into, large buffers for reuse.
//!
//! It belongs to the thread and is lent for one turn of one connection, so an idle connection holds none. Pages that
//! were touched once are used again: the page faults of a fresh megabyte cost more than copying it.

use std::cell::{Cell, RefCell};

use bytes::{Bytes, BytesMut};

use super::memory_budget::Reservation;

/// So much is read from a socket at once, at most.
pub const LANDING_BYTES: usize = 64 * 1024;
/// So much is read from files for one write to a socket, at most.
pub const SCRATCH_BYTES: usize = 64 * 1024;
/// Larger buffers go back to the system.
const POOLED_BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A thread keeps no more than this.
const POOL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A buffer for a frame that no kept one is large enough for starts with this and doubles as bytes arrive.
const FIRST_BYTES: usize = 256 * 1024;

thread_local! {
    static LANDING: Cell<BytesMut> = Cell::new(BytesMut::new());
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::NONE) };
}

/// Lends the thread's landing: empty, with room for [`LANDING_BYTES`]. What was split off and is still held leaves
/// with its holder, and the next turn gets fresh memory.
pub fn with_landing<R>(turn: impl FnOnce(&mut BytesMut) -> R) -> R {
    let mut landing = LANDING.take();
    landing.clear();
    landing.reserve(LANDING_BYTES);
    let result = turn(&mut landing);
    LANDING.set(landing);
    result
}

/// Lends the thread's scratch: [`SCRATCH_BYTES`] with anything in them.
pub fn with_scratch<R>(turn: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut scratch = SCRATCH.take();
    scratch.resize(SCRATCH_BYTES, 0);
    let result = turn(&mut scratch);
    SCRATCH.set(scratch);
    result
}

/// Makes this thread keep large buffers for reuse.
pub fn keep_buffers() {
    POOL.with_borrow_mut(|pool| pool.is_open = true);
}

/// Gives back to the system what was not used since the last call.
pub fn trim() {
    POOL.with_borrow_mut(Pool::trim);
}

/// Whether this thread keeps a buffer that nobody uses.
pub fn keeps_any() -> bool {
    POOL.with_borrow(|pool| !pool.buffers.is_empty())
}

/// Buffers that are not in use.
struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    /// How many were not needed since the last trim.
    spare: usize,
    is_open: bool,
}

impl Pool {
    const NONE: Self = Self { buffers: Vec::new(), bytes: 0, spare: 0, is_open: false };

    /// The smallest buffer that holds `bytes`, if one does and is not far too large.
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let fitting = bytes..=bytes.saturating_mul(4).max(FIRST_BYTES);
        let candidates = self.buffers.iter().enumerate();
        let (index, _) = candidates
            .filter(|(_, buffer)| fitting.contains(&buffer.capacity()))
            .min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = self.buffers.swap_remove(index);
        self.bytes -= buffer.capacity();
        self.spare = self.spare.min(self.buffers.len());
        Some(buffer)
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if self.is_open && bytes <= POOLED_BUFFER_BYTES_MAX && self.bytes + bytes <= POOL_BYTES_MAX
        {
            buffer.clear();
            self.bytes += bytes;
            self.buffers.push(buffer);
        }
    }

    fn trim(&mut self) {
        for _ in 0..self.spare {
            if let Some(buffer) = self.buffers.pop() {
                self.bytes -= buffer.capacity();
            }
        }
        self.spare = self.buffers.len();
    }
}

/// A frame that is too large for the landing: it has a buffer of its own, which grows as bytes arrive and never
/// because a length was announced, and returns to the thread's pool when nobody holds the frame any more.
pub struct LargeFrame {
    bytes: Vec<u8>,
    length: usize,
    /// Its place in the memory of the node, as long as it lives.
    _reservation: Reservation,
}

impl LargeFrame {
    /// A frame of `length` that begins with `first`.
    pub fn new(length: usize, first: &[u8], reservation: Reservation) -> Self {
        let kept = POOL.with_borrow_mut(|pool| pool.take(length));
        let mut bytes =
            kept.unwrap_or_else(|| Vec::with_capacity(length.min(FIRST_BYTES.max(first.len()))));
        bytes.extend_from_slice(first);
        Self { bytes, length, _reservation: reservation }
    }

    /// How much is missing.
    pub fn missing(&self) -> usize {
        self.length - self.bytes.len()
    }

    /// The buffer, with room for at least one of the missing bytes, and how many of them fit.
    pub fn room(&mut self) -> (&mut Vec<u8>, usize) {
        if self.bytes.len() == self.bytes.capacity() {
            let larger = self.length.min(self.bytes.capacity().saturating_mul(2));
            self.bytes.reserve_exact(larger - self.bytes.len());
        }
        let room = self.missing().min(self.bytes.capacity() - self.bytes.len());
        (&mut self.bytes, room)
    }

    /// The whole frame.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for LargeFrame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for LargeFrame {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.bytes);
        // A thread that is ending has no pool any more.
        let _ = POOL.try_with(|pool| pool.borrow_mut().give(buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_is_used_again_unless_a_part_of_it_is_held() {
        let address = || with_landing(|landing| landing.as_ptr() as usize);
        let first = address();
        let dropped = with_landing(|landing| {
            landing.extend_from_slice(&[7; 1000]);
            landing.split_to(900).freeze()
        });
        drop(dropped);
        assert_eq!(address(), first);
        let held = with_landing(|landing| {
            landing.extend_from_slice(&[7; 1000]);
            landing.split_to(900).freeze()
        });
        assert_ne!(address(), first);
        assert_eq!(held, [7; 900][..]);
    }

    #[test]
    fn a_large_frame_grows_with_what_came_and_its_buffer_is_used_again() {
        keep_buffers();
        let length = 3 * FIRST_BYTES;
        let mut frame = LargeFrame::new(length, &[1; 10], Reservation::default());
        assert_eq!(frame.bytes.capacity(), FIRST_BYTES);
        while frame.missing() > 0 {
            let capacity = frame.bytes.capacity();
            let (buffer, room) = frame.room();
            buffer.extend(std::iter::repeat_n(2, room));
            assert!(frame.bytes.capacity() <= (2 * capacity).min(length));
        }
        let address = frame.bytes.as_ptr() as usize;
        assert!(!keeps_any());
        let bytes = frame.freeze();
        assert_eq!((bytes.len(), bytes[9], bytes[10]), (length, 1, 2));
        drop(bytes.slice(5..));
        drop(bytes);
        assert!(keeps_any());
        let again = LargeFrame::new(length - 1, &[], Reservation::default());
        assert_eq!(again.bytes.as_ptr() as usize, address);
    }

    #[test]
    fn what_was_not_used_between_two_trims_is_given_back() {
        let mut pool = Pool { is_open: true, ..Pool::NONE };
        for _ in 0..100 {
            pool.give(Vec::with_capacity(FIRST_BYTES));
        }
        assert_eq!((pool.buffers.len(), pool.bytes), (32, POOL_BYTES_MAX));
        pool.trim();
        let used = pool.take(FIRST_BYTES).unwrap();
        pool.give(used);
        pool.trim();
        assert_eq!((pool.buffers.len(), pool.bytes), (1, FIRST_BYTES));
        pool.give(Vec::with_capacity(POOLED_BUFFER_BYTES_MAX + 1));
        assert_eq!(pool.buffers.len(), 1);
        // A small frame does not take a buffer that a large one could use.
        pool.give(Vec::with_capacity(8 * FIRST_BYTES));
        assert!(pool.take(FIRST_BYTES + 1).is_none());
    }
}
