//! From the bytes of a socket to whole frames.
//!
//! Bytes land in the thread's buffer, and every whole frame in it is handed out before the turn ends: many small
//! requests share one read. What is left of a small frame waits in a buffer of the connection; a large frame gets a
//! buffer of its own as soon as its length is known and the node's memory has a place for it.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::buffers::{LANDING_BYTES, LargeFrame, with_landing};
use super::foreign::Protocol;
use super::memory_budget::{MemoryBudget, Queued};
use crate::wire::frame::{FrameError, LENGTH_BYTES, announced_length};

/// Longer frames get a buffer of their own when they did not arrive whole.
const SMALL_FRAME_BYTES_MAX: usize = 32 * 1024;
/// Shorter frames are copied out of the landing, so that one which is held does not hold its neighbours too.
const COPIED_FRAME_BYTES_MAX: usize = 2 * 1024;
/// So much is read at the start of a frame that is likely to be large: it is copied into the frame's own buffer.
const START_BYTES: usize = 4 * 1024;

/// Why no more frames can come from a connection.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The length of a frame is out of bounds.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame without content.
    #[error("an empty frame")]
    Empty,
    /// The first bytes are those of another protocol.
    #[error("the peer speaks {0} to a listener of Kafka's protocol in plain text")]
    Foreign(Protocol),
}

/// What a turn of reading came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// So many bytes were read, or parsed that had been read before.
    Bytes(usize),
    /// The peer sends no more.
    End,
}

/// The frames of one connection.
pub struct Inbound {
    /// The beginning of a small frame; after a pause, whole frames too.
    rest: Vec<u8>,
    /// Whether the sink was full while `rest` may still hold a whole frame.
    paused: bool,
    large: Option<Box<Large>>,
    /// Whether the last frame was large: the next probably is too.
    after_large: bool,
    /// Whether a frame was taken already: after that, a wrong length is not another protocol.
    begun: bool,
    request_bytes_max: i32,
    budget: MemoryBudget,
}

/// A large frame on its way.
enum Large {
    /// There is no memory for it yet.
    Queued { place: Queued, length: usize, first: Vec<u8> },
    /// Its bytes come in.
    Filling(LargeFrame),
}

impl Inbound {
    /// Nothing has come yet.
    pub const fn new(request_bytes_max: i32, budget: MemoryBudget) -> Self {
        Self {
            rest: Vec::new(),
            paused: false,
            large: None,
            after_large: false,
            begun: false,
            request_bytes_max,
            budget,
        }
    }

    /// Whether the beginning of a frame is there.
    pub fn is_inside_a_frame(&self) -> bool {
        self.large.is_some() || !self.rest.is_empty()
    }

    /// Whether a frame that has a place in the node's memory is on its way.
    pub fn has_a_place(&self) -> bool {
        matches!(self.large.as_deref(), Some(Large::Filling(_)))
    }

    /// Reads once, and hands every whole frame to `sink` until it says `false`: it is full.
    pub fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
        sink: &mut impl FnMut(Bytes) -> bool,
    ) -> Poll<Result<Turn, Broken>> {
        if self.large.is_some() {
            return self.poll_large(cx, stream, sink);
        }
        if !self.paused {
            ready!(stream.poll_read_ready(cx))?;
        }
        with_landing(|landing| {
            let at_start = self.after_large && self.rest.is_empty();
            let most = if at_start { START_BYTES } else { LANDING_BYTES };
            landing.extend_from_slice(&self.rest);
            self.rest.clear();
            let mut fresh = 0;
            if !std::mem::take(&mut self.paused) {
                let room = most.saturating_sub(landing.len()).max(1);
                match pin!(stream.read_buf(&mut (&mut *landing).limit(room))).poll(cx) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Turn::End)),
                    Poll::Ready(Ok(count)) => fresh = count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                    Poll::Pending => {}
                }
            }
            let parsed = landing.len();
            self.take_frames(landing, sink)?;
            if fresh == 0 && landing.len() == parsed {
                return Poll::Pending;
            }
            Poll::Ready(Ok(Turn::Bytes(parsed)))
        })
    }

    /// Takes every whole frame from what has landed, and keeps the rest.
    fn take_frames(
        &mut self,
        landing: &mut BytesMut,
        sink: &mut impl FnMut(Bytes) -> bool,
    ) -> Result<(), Broken> {
        let mut open = true;
        while let Some(length) = self.length_of(landing)? {
            if landing.len() - LENGTH_BYTES < length {
                if length > SMALL_FRAME_BYTES_MAX {
                    landing.advance(LENGTH_BYTES);
                    self.begin_large(length, landing);
                    landing.clear();
                    return Ok(());
                }
                break;
            }
            if !open {
                self.paused = true;
                break;
            }
            landing.advance(LENGTH_BYTES);
            let frame = if length <= COPIED_FRAME_BYTES_MAX {
                let frame = Bytes::copy_from_slice(landing.get(..length).unwrap_or_default());
                landing.advance(length);
                frame
            } else {
                landing.split_to(length).freeze()
            };
            self.begun = true;
            self.after_large = false;
            open = sink(frame);
        }
        if landing.is_empty() {
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(landing);
        }
        Ok(())
    }

    fn length_of(&self, landing: &[u8]) -> Result<Option<usize>, Broken> {
        match announced_length(landing, self.request_bytes_max) {
            Ok(Some(0)) => Err(Broken::Empty),
            Ok(length) => Ok(length),
            Err(error) => Err(match Protocol::of(landing) {
                Some(protocol) if !self.begun => Broken::Foreign(protocol),
                _ => error.into(),
            }),
        }
    }

    fn begin_large(&mut self, length: usize, first: &[u8]) {
        self.large = Some(Box::new(match self.budget.reserve(length) {
            Ok(reservation) => Large::Filling(LargeFrame::new(length, first, reservation)),
            Err(place) => Large::Queued { place, length, first: first.to_vec() },
        }));
    }

    /// Reads on in a large frame, never beyond its end.
    fn poll_large(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
        sink: &mut impl FnMut(Bytes) -> bool,
    ) -> Poll<Result<Turn, Broken>> {
        if let Some(Large::Queued { place, length, first }) = self.large.as_deref_mut() {
            let reservation = ready!(Pin::new(place).poll(cx));
            let frame = LargeFrame::new(*length, first, reservation);
            self.large = Some(Box::new(Large::Filling(frame)));
        }
        let Some(Large::Filling(frame)) = self.large.as_deref_mut() else {
            return Poll::Pending;
        };
        let (buffer, room) = frame.room();
        let count = ready!(pin!(stream.read_buf(&mut buffer.limit(room))).poll(cx))?;
        if count == 0 {
            return Poll::Ready(Ok(Turn::End));
        }
        if frame.missing() == 0
            && let Some(Large::Filling(frame)) = self.large.take().map(|large| *large)
        {
            self.begun = true;
            self.after_large = true;
            sink(frame.freeze());
        }
        Poll::Ready(Ok(Turn::Bytes(count)))
    }
}
