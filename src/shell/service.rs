//! The door between connections and those who answer: a frame goes in, an [`Answer`] comes out.
//!
//! The net layer knows no API, and the APIs know no socket: both know this page.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::wire::reply::Reply;

/// Whose door a listener is, in the word of Kafka's message definitions: it decides which APIs are behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerType {
    /// For clients, and for brokers among themselves.
    Broker,
    /// For controllers, for brokers, and for tools that speak with a controller directly (KIP-919).
    Controller,
}

/// Where a frame came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The name of the listener.
    pub listener: Arc<str>,
    /// Whose door it is.
    pub listener_type: ListenerType,
    /// The other end.
    pub peer: SocketAddr,
}

/// An answer which is not there yet. Dropped unfinished when its client has gone.
pub type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What becomes of a request.
pub enum Answer {
    /// Nothing is sent: Produce with acks=0.
    None,
    /// This is sent.
    Now(Reply),
    /// What this resolves to is sent; answers keep the order of their requests.
    Later(Waiting),
    /// As [`Answer::Later`], of a request that those behind it must not overtake: nothing of the connection is looked at
    /// until it is answered, as in Kafka no request is before the one ahead of it.
    Alone(Waiting),
    /// The connection ends, after the answers to what came before.
    Close,
}

/// A place in the node's memory, given back when its last holder is dropped. Most requests are too small to have one.
#[derive(Clone, Debug, Default)]
pub struct Memory(Option<Arc<dyn fmt::Debug + Send + Sync>>);

impl Memory {
    /// The place that `reservation` stands for.
    pub fn of(reservation: impl fmt::Debug + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(reservation)))
    }

    /// Whether there is a place.
    #[cfg(test)]
    pub const fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// For those who may have to hold it for longer, and otherwise do not.
    pub fn extension(&self) -> MemoryExtension {
        MemoryExtension(self.0.as_ref().map(Arc::downgrade))
    }
}

/// Extends the time for which a place is held. Does not hold it by itself.
#[derive(Clone, Debug, Default)]
pub struct MemoryExtension(Option<Weak<dyn fmt::Debug + Send + Sync>>);

impl MemoryExtension {
    /// Another holder of the place, while there is one.
    pub fn hold(&self) -> Memory {
        Memory(self.0.as_ref().and_then(Weak::upgrade))
    }
}

/// Answers frames. Called on the thread of the connection, which serves others too: what takes long is
/// [`Answer::Later`].
pub trait Service: Send + Sync + 'static {
    /// The most that the decoded form of a frame may take beside the frame. What is not little has a place in the
    /// node's memory before the frame is answered.
    fn decoded_bytes(&self, frame: &Bytes) -> usize;

    /// Answers one frame, without its length prefix. A frame of up to a few KiB is a buffer of its own; a larger one
    /// may share memory with its neighbours, so what outlives the request must be copied. `memory` is the place of the
    /// decoded form: whoever keeps that holds on to it.
    fn call(&self, origin: &Origin, frame: Bytes, memory: Memory) -> Answer;
}
