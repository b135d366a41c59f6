//! The door between connections and those who answer: a frame goes in, an [`Answer`] comes out.
//!
//! The net layer knows no API, and the APIs know no socket: both know this page.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

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
    /// The connection ends, after the answers to what came before.
    Close,
}

/// Answers frames. Called on the thread of the connection, which serves others too: what takes long is
/// [`Answer::Later`].
pub trait Service: Send + Sync + 'static {
    /// Answers one frame, without its length prefix. A frame of up to a few KiB is a buffer of its own; a larger one
    /// may share memory with its neighbours, so what outlives the request must be copied.
    fn call(&self, origin: &Origin, frame: Bytes) -> Answer;
}
