//! From answers to the bytes of a socket, in the order of the requests.
//!
//! Everything that is ready leaves in as few system calls as there can be: pieces in memory are gathered, and short
//! ranges of files are read into the thread's scratch between them; a long range goes from file to socket inside the
//! kernel (sendfile). What a slow peer leaves standing is a list of pieces, never a copy of file data.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::task::{Context, Poll};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use smallvec::SmallVec;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::buffers::{SCRATCH_BYTES, with_scratch};
use crate::shell::service::{Answer, Waiting};
use crate::wire::reply::{Chunk, FileRange, Reply};

/// Ranges up to this length are read and sent with what is around them; longer ones go by sendfile.
const GATHERED_RANGE_BYTES_MAX: usize = 32 * 1024;
/// Pieces in one system call.
const PIECES_MAX: usize = 64;
/// One sendfile, at most; a socket takes no more than its send buffer anyway.
const SENDFILE_BYTES_MAX: usize = 1024 * 1024;
/// Answers of one connection that wait for one before them; then nothing more is read from it.
pub const QUEUED_ANSWERS_MAX: usize = 100;
/// Pieces of one connection that wait for its socket; then nothing more is read from it.
const READY_PIECES_MAX: usize = 256;
/// Bytes in memory of one connection that wait for its socket; then nothing more is read from it.
const READY_BYTES_MAX: usize = 1024 * 1024;
/// Whether long ranges go by sendfile. It costs the broker less than reading and writing, here and more so on a
/// network card, although a reader on the same machine pays for it.
const SENDFILE: bool = true;

/// The answers of one connection.
#[derive(Default)]
pub struct Outbound {
    /// Pieces whose turn has come.
    ready: VecDeque<Chunk>,
    /// How much of the first of them is gone.
    sent_bytes: usize,
    /// How many bytes of them are in memory.
    memory_bytes: usize,
    /// Answers behind one that is not there yet, which is the first.
    queued: VecDeque<Answer>,
    /// The last of those must not be overtaken: nothing more is read until it is there.
    is_alone: bool,
    /// Nothing is taken any more.
    is_closing: bool,
    /// Nothing comes after what is ready.
    is_last: bool,
}

impl Outbound {
    /// Takes the answer to the next request.
    pub fn push(&mut self, answer: Answer) {
        self.is_closing |= matches!(answer, Answer::Close);
        self.is_alone |= matches!(answer, Answer::Alone(_));
        if self.queued.is_empty() {
            if let Some(waiting) = self.make_ready(answer) {
                self.queued.push_back(Answer::Later(waiting));
            }
        } else {
            self.queued.push_back(answer);
        }
    }

    /// Whether another request may be taken.
    pub fn has_room(&self) -> bool {
        !self.is_closing
            && !self.is_alone
            && self.queued.len() < QUEUED_ANSWERS_MAX
            && self.ready.len() < READY_PIECES_MAX
            && self.memory_bytes < READY_BYTES_MAX
    }

    /// Whether every answer has left.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.queued.is_empty()
    }

    /// Whether an answer is not there yet.
    pub fn is_waiting(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Whether an answer was to close the connection, and those before it have left.
    pub fn is_closed(&self) -> bool {
        self.is_last && self.ready.is_empty()
    }

    /// Asks the first answer that is not there yet, and moves on when it is.
    pub fn poll_queued(&mut self, cx: &mut Context<'_>) {
        while let Some(first) = self.queued.pop_front() {
            let answer = match first {
                Answer::Later(mut waiting) | Answer::Alone(mut waiting) => {
                    match waiting.as_mut().poll(cx) {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            self.queued.push_front(Answer::Later(waiting));
                            return;
                        }
                    }
                }
                answer => answer,
            };
            if let Some(waiting) = self.make_ready(answer) {
                self.queued.push_front(Answer::Later(waiting));
            }
        }
        self.is_alone = false;
    }

    /// Makes `answer` leave next, or gives back what it waits for.
    fn make_ready(&mut self, answer: Answer) -> Option<Waiting> {
        match answer {
            Answer::None => {}
            Answer::Now(reply) => self.extend(reply),
            Answer::Later(waiting) | Answer::Alone(waiting) => return Some(waiting),
            Answer::Close => {
                (self.is_closing, self.is_last) = (true, true);
                self.queued.clear();
            }
        }
        None
    }

    fn extend(&mut self, reply: Reply) {
        for chunk in reply.chunks {
            match &chunk {
                Chunk::Bytes(bytes) if bytes.is_empty() => continue,
                Chunk::File(range) if range.length_bytes == 0 => continue,
                Chunk::Bytes(bytes) => self.memory_bytes += bytes.len(),
                Chunk::File(_) => {}
            }
            self.ready.push_back(chunk);
        }
    }

    /// Writes until nothing is ready, the socket is full, or `allowance` bytes are written; says how many were.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &TcpStream,
        allowance: usize,
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while !self.ready.is_empty() && written < allowance {
            match stream.poll_write_ready(cx)? {
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(()) => {}
            }
            match stream.try_io(Interest::WRITABLE, || self.write_once(stream)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    let is_full = count < self.asked_of_the_file();
                    self.advance(count);
                    written += count;
                    if is_full {
                        wait_for_room(stream);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if self.ready.is_empty() && self.ready.capacity() > READY_PIECES_MAX / 8 {
            self.ready = VecDeque::new();
        }
        Poll::Ready(Ok(written))
    }

    /// One system call: what is gathered, or a part of a long range.
    fn write_once(&self, stream: &TcpStream) -> io::Result<usize> {
        match self.ready.front() {
            Some(Chunk::File(range)) if is_long(range) => self.write_range(stream, range),
            // The common case: one answer in one piece.
            Some(Chunk::Bytes(bytes)) if self.ready.len() == 1 => {
                let rest = bytes.get(self.sent_bytes..).unwrap_or_default();
                Ok(send(stream.as_fd(), rest, SendFlags::NOSIGNAL)?)
            }
            _ => with_scratch(|scratch| self.write_gathered(stream, scratch)),
        }
    }

    fn write_range(&self, stream: &TcpStream, range: &FileRange) -> io::Result<usize> {
        let mut position = range.position + self.sent_bytes as u64;
        let rest = range.length_bytes as usize - self.sent_bytes;
        if SENDFILE && let Some(file) = range.source.file() {
            match sendfile(stream.as_fd(), file, Some(&mut position), rest.min(SENDFILE_BYTES_MAX))
            {
                // The file ended before the range: never answer less than was announced.
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => return Ok(count),
                // Not this pair of descriptors.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let more = rest > SCRATCH_BYTES || self.ready.len() > 1;
        with_scratch(|scratch| {
            let length = rest.min(scratch.len());
            let part = scratch.get_mut(..length).unwrap_or_default();
            range.source.read_exact_at(part, position)?;
            Ok(send(stream.as_fd(), part, flags(more))?)
        })
    }

    /// Writes pieces from the front up to the next long range, as far as the scratch reaches.
    fn write_gathered(&self, stream: &TcpStream, scratch: &mut [u8]) -> io::Result<usize> {
        let mut skip = self.sent_bytes;
        let mut used = 0;
        let mut count = 0;
        for chunk in self.ready.iter().take(PIECES_MAX) {
            if let Chunk::File(range) = chunk {
                let length = range.length_bytes as usize - skip;
                if is_long(range) || used + length > scratch.len() {
                    break;
                }
                let part = scratch.get_mut(used..used + length).unwrap_or_default();
                range.source.read_exact_at(part, range.position + skip as u64)?;
                used += length;
            }
            skip = 0;
            count += 1;
        }
        let mut skip = self.sent_bytes;
        let mut unsent: &[u8] = scratch;
        let mut pieces = SmallVec::<[IoSlice<'_>; PIECES_MAX]>::new();
        for chunk in self.ready.iter().take(count) {
            let piece = match chunk {
                Chunk::Bytes(bytes) => bytes.get(skip..).unwrap_or_default(),
                Chunk::File(range) => {
                    let (piece, rest) = unsent.split_at(range.length_bytes as usize - skip);
                    unsent = rest;
                    piece
                }
            };
            pieces.push(IoSlice::new(piece));
            skip = 0;
        }
        let flags = flags(count < self.ready.len());
        Ok(sendmsg(stream.as_fd(), &pieces, &mut SendAncillaryBuffer::default(), flags)?)
    }

    /// How many bytes the next system call asks to be copied from a file; 0 if it gathers.
    fn asked_of_the_file(&self) -> usize {
        match self.ready.front() {
            Some(Chunk::File(range)) if is_long(range) => {
                (range.length_bytes as usize - self.sent_bytes).min(SENDFILE_BYTES_MAX)
            }
            _ => 0,
        }
    }

    /// `count` bytes are gone.
    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.ready.front() {
            let rest = front.len_bytes() - self.sent_bytes;
            if count < rest {
                self.sent_bytes += count;
                return;
            }
            count -= rest;
            self.sent_bytes = 0;
            if let Some(Chunk::Bytes(bytes)) = self.ready.pop_front() {
                self.memory_bytes -= bytes.len();
            }
        }
    }
}

const fn is_long(range: &FileRange) -> bool {
    range.length_bytes as usize > GATHERED_RANGE_BYTES_MAX
}

/// The socket took less of a long range than there was, so it is full, or nearly. Whoever fills the first gap that its
/// reader makes wakes the reader for each gap; so, unless the system says that there is room, which it does once a
/// third of the buffer is free, the next bytes wait until it says so. No room goes unnoticed: who asks is told.
fn wait_for_room(stream: &TcpStream) {
    let mut asked = [PollFd::new(stream, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut asked, Some(&at_once)) == Ok(0) {
        let full = || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock));
        // This is how the runtime is told.
        let _ = stream.try_io(Interest::WRITABLE, full);
    }
}

/// With `MORE`, the system waits for the next call rather than sending a short packet.
fn flags(more: bool) -> SendFlags {
    if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL }
}
