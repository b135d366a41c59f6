//! What a handler is told about a call, and what it gives back.

use std::net::SocketAddr;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use crate::types::time::Now;

pub use crate::shell::service::{Answer, ListenerType, MemoryExtension};

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
    /// Whose door that is.
    pub listener_type: ListenerType,
    /// Who asks.
    pub peer: SocketAddr,
    /// When it came.
    pub now: Now,
    /// The place in memory of its decoded form, for a handler that returns before it is done with that.
    pub memory: MemoryExtension,
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
            listener_type: ListenerType::Broker,
            peer: SocketAddr::from(([127, 0, 0, 1], 9)),
            now: Now::default(),
            memory: MemoryExtension::default(),
        }
    }
}
