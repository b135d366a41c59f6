//! What a handler is told about a call, and what it gives back.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use crate::types::time::Now;
use crate::wire::reply::Reply;

/// A request's circumstances: everything but its body.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which API.
    pub api_key: i16,
    /// Which version of it; within the range of its row in the table.
    pub version: i16,
    /// What the answer repeats.
    pub correlation_id: i32,
    /// What the client calls itself; a slice of the frame, copy it to keep it.
    pub client_id: Option<StrBytes>,
    /// The name of the listener through which it came: answers name the endpoints of this listener.
    pub listener: Arc<str>,
    /// Who asks.
    pub peer: SocketAddr,
    /// When it came.
    pub now: Now,
}

/// An answer which is not there yet.
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

#[cfg(test)]
impl Call {
    /// A call from nowhere in particular.
    pub fn for_test(api_key: i16, version: i16) -> Self {
        Self {
            api_key,
            version,
            correlation_id: 0x0102_0304,
            client_id: None,
            listener: Arc::from("PLAINTEXT"),
            peer: SocketAddr::from(([127, 0, 0, 1], 9)),
            now: Now::default(),
        }
    }
}
