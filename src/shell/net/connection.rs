//! One connection: frames in, answers out, in their order, until either side ends it.
//!
//! It is one state machine rather than a reader and a writer: a request that is answered at once costs one read and
//! one write and no wake-up of another task. While an answer is not there yet, reading goes on up to a bound.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::inbound::{Broken, Inbound, Turn};
use super::memory_budget::{MemoryBudget, Queued};
use super::outbound::Outbound;
use crate::shell::service::{Memory, Origin, Service};

/// One wake-up of a connection reads no more, and then lets the others have their turn.
const TURN_READ_BYTES_MAX: usize = 1024 * 1024;
/// One wake-up of a connection writes no more, and then lets the others have their turn.
const TURN_WRITTEN_BYTES_MAX: usize = 1024 * 1024;

/// The decoded form of a request which may take no more has no place in memory of its own, like a small frame.
const UNCOUNTED_BYTES_MAX: usize = 256 * 1024;

/// What a connection's thread knows of it. Written and read by that thread only.
#[derive(Debug, Default)]
pub struct Activity {
    /// At which tick of the thread it last completed a frame or wrote something.
    last_tick: AtomicU64,
    /// Whether an answer is under way.
    is_answering: AtomicBool,
    /// Whether an answer is not there yet, so that the connection waits for us and not we for it.
    is_waiting: AtomicBool,
    /// At which tick of the thread bytes came last.
    last_bytes_tick: AtomicU64,
    /// Whether a large frame has a place in the node's memory and is not whole yet.
    has_a_place: AtomicBool,
}

impl Activity {
    /// A connection that began at `tick`.
    pub fn new(tick: u64) -> Self {
        let at = || AtomicU64::new(tick);
        Self { last_tick: at(), last_bytes_tick: at(), ..Self::default() }
    }

    /// Whether the peer did nothing useful since before `tick`.
    pub fn is_idle_since(&self, tick: u64) -> bool {
        !self.is_waiting.load(Relaxed) && self.last_tick.load(Relaxed) < tick
    }

    /// Whether a place in memory was taken for a frame of which nothing came since before `tick`.
    pub fn wastes_a_place_since(&self, tick: u64) -> bool {
        self.has_a_place.load(Relaxed) && self.last_bytes_tick.load(Relaxed) < tick
    }

    /// Whether an answer is under way.
    pub fn is_answering(&self) -> bool {
        self.is_answering.load(Relaxed)
    }
}

/// What the connections of a thread share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Counts up as time passes.
    pub tick: AtomicU64,
    /// Set once: answer what was asked, and end.
    pub is_stopping: AtomicBool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The peer left between two frames.
    #[error("closed by the peer")]
    Left,
    /// The peer left inside a frame.
    #[error("closed by the peer inside a frame")]
    LeftInsideFrame,
    /// An answer asked for it.
    #[error("closed by the answer to a request")]
    Answered,
    /// The node stops.
    #[error("the node stops")]
    Stopped,
    /// The bytes that came are not frames, or the socket failed.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The socket took no more, or the file that was to be sent failed.
    #[error("writing failed: {0}")]
    Write(io::Error),
}

/// See the module.
pub struct Connection<S> {
    stream: TcpStream,
    origin: Origin,
    service: Arc<S>,
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    inbound: Inbound,
    outbound: Outbound,
    /// The memory of decoded requests.
    decoded: MemoryBudget,
    /// A request that waits for its place in it. Nothing is read meanwhile, so the order is kept.
    held: Option<Box<(Queued, Bytes)>>,
    /// The peer sends no more; it may still want its answers.
    is_half_closed: bool,
}

impl<S: Service> Connection<S> {
    /// A connection that was just accepted.
    pub fn new(
        (stream, origin): (TcpStream, Origin),
        service: Arc<S>,
        (shared, activity): (Arc<Shared>, Arc<Activity>),
        request_bytes_max: i32,
        (budget, decoded): (MemoryBudget, MemoryBudget),
    ) -> Self {
        Self {
            stream,
            origin,
            service,
            shared,
            activity,
            inbound: Inbound::new(request_bytes_max, budget),
            outbound: Outbound::default(),
            decoded,
            held: None,
            is_half_closed: false,
        }
    }

    /// Where it comes from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Works until it ends.
    pub async fn run(&mut self) -> End {
        let end = std::future::poll_fn(|cx| self.poll(cx)).await;
        if matches!(end, End::Broken(Broken::Frame(_) | Broken::Empty | Broken::Foreign(_))) {
            // What came before the fault was asked rightly.
            std::future::poll_fn(|cx| self.poll_last_answers(cx)).await;
        }
        end
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let end = self.poll_work(cx);
        self.note_answers();
        self.activity.has_a_place.store(self.inbound.has_a_place(), Relaxed);
        end
    }

    fn note_answers(&self) {
        self.activity.is_answering.store(!self.outbound.is_empty(), Relaxed);
        let is_waiting = self.outbound.is_waiting() || self.held.is_some();
        self.activity.is_waiting.store(is_waiting, Relaxed);
    }

    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let (mut read, mut written) = (0, 0);
        loop {
            self.outbound.poll_queued(cx);
            let allowance = TURN_WRITTEN_BYTES_MAX - written.min(TURN_WRITTEN_BYTES_MAX);
            match self.outbound.poll_write(cx, &self.stream, allowance) {
                Poll::Ready(Ok(0)) | Poll::Pending => {}
                Poll::Ready(Ok(count)) => {
                    written += count;
                    self.is_active();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(End::Write(error)),
            }
            if let Some(end) = self.end_when_all_is_said() {
                return Poll::Ready(end);
            }
            if read >= TURN_READ_BYTES_MAX || written >= TURN_WRITTEN_BYTES_MAX {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(held) = &mut self.held {
                let reservation = ready!(held.0.as_mut().poll(cx));
                if let Some((_, frame)) = self.held.take().map(|held| *held) {
                    let answer = self.service.call(&self.origin, frame, Memory::of(reservation));
                    self.outbound.push(answer);
                }
                continue;
            }
            if self.is_half_closed || !self.outbound.has_room() {
                return Poll::Pending;
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(Turn::Bytes(count))) => {
                    read += count;
                    self.activity.last_bytes_tick.store(self.shared.tick.load(Relaxed), Relaxed);
                }
                Poll::Ready(Ok(Turn::End)) if self.inbound.is_inside_a_frame() => {
                    return Poll::Ready(End::LeftInsideFrame);
                }
                Poll::Ready(Ok(Turn::End)) => self.is_half_closed = true,
                Poll::Ready(Err(broken)) => return Poll::Ready(broken.into()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Turn, Broken>> {
        let Self { stream, origin, service, shared, activity, inbound, outbound, .. } = self;
        let (decoded, held) = (&self.decoded, &mut self.held);
        inbound.poll_turn(cx, stream, &mut |frame| {
            activity.last_tick.store(shared.tick.load(Relaxed), Relaxed);
            let memory = match service.decoded_bytes(&frame) {
                0..=UNCOUNTED_BYTES_MAX => Memory::default(),
                bytes => match decoded.reserve(bytes) {
                    Ok(reservation) => Memory::of(reservation),
                    Err(place) => {
                        *held = Some(Box::new((place, frame)));
                        return false;
                    }
                },
            };
            outbound.push(service.call(origin, frame, memory));
            outbound.has_room()
        })
    }

    fn is_active(&self) {
        self.activity.last_tick.store(self.shared.tick.load(Relaxed), Relaxed);
    }

    fn end_when_all_is_said(&self) -> Option<End> {
        if self.outbound.is_closed() {
            Some(End::Answered)
        } else if !self.outbound.is_empty() || self.waits_for_memory() {
            None
        } else if self.is_half_closed {
            Some(End::Left)
        } else if self.shared.is_stopping.load(Relaxed) {
            Some(End::Stopped)
        } else {
            None
        }
    }

    /// Who stops asks for no more memory.
    fn waits_for_memory(&self) -> bool {
        self.held.is_some() && !self.shared.is_stopping.load(Relaxed)
    }

    /// Sends what is owed, and reads no more.
    fn poll_last_answers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.outbound.poll_queued(cx);
            self.note_answers();
            if self.outbound.is_empty() || self.outbound.is_closed() {
                return Poll::Ready(());
            }
            match self.outbound.poll_write(cx, &self.stream, TURN_WRITTEN_BYTES_MAX) {
                Poll::Ready(Ok(0)) | Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(_)) => self.is_active(),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
            }
        }
    }
}
