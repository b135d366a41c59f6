//! From a frame to an answer: header, version, handler.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::protocol::Encodable;

use super::answer::{Answer, Call};
use super::context::Ctx;
use super::table::{API_VERSIONS, row};
use crate::types::time::Now;
use crate::wire::frame;
use crate::wire::guard;
use crate::wire::reply::Reply;

pub use crate::shell::service::Origin;

/// Answers one frame (without its length prefix).
pub fn dispatch(ctx: &Arc<Ctx>, origin: &Origin, now: Now, frame: Bytes) -> Answer {
    let (header, body) = match frame::split(frame) {
        Ok(parts) => parts,
        Err(error) => return refuse(origin.peer, &error),
    };
    let call = Call {
        api_key: header.api_key,
        version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id,
        listener: Arc::clone(&origin.listener),
        listener_type: origin.listener_type,
        peer: origin.peer,
        now,
    };
    let Some(row) = row(call.api_key).filter(|row| row.listeners.contains(&call.listener_type))
    else {
        let what = format_args!("API key {} is not served at {}", call.api_key, call.listener);
        return refuse(call.peer, &what);
    };
    if call.version < row.min_version || call.version > row.max_version {
        if call.api_key == API_VERSIONS {
            return super::api_versions::unsupported_version(&call);
        }
        let what = format_args!("{} version {} is not served", row.name, call.version);
        return refuse(call.peer, &what);
    }
    if !guard::has_own_codec(call.api_key, call.version)
        && let Err(error) = guard::check(call.api_key, call.version, &body)
    {
        return refuse(call.peer, &format_args!("{} {}: {error}", row.name, call.version));
    }
    (row.handler)(ctx, call, body)
}

/// Ends a connection whose peer broke the protocol; Kafka does the same.
pub fn refuse(peer: SocketAddr, why: &dyn std::fmt::Display) -> Answer {
    tracing::debug!(%peer, %why, "closing the connection");
    Answer::Close
}

/// An ApiVersions answer, whose response header is v0 at every version (KIP-511).
pub fn encode_api_versions(call: &Call, version: i16, response: &ApiVersionsResponse) -> Answer {
    let mut body = bytes::BytesMut::new();
    if response.encode(&mut body, version).is_err() {
        return Answer::Close;
    }
    let mut out = frame::begin_answer(call.correlation_id, false, body.len());
    out.put(body);
    Answer::Now(Reply::of_bytes(out.freeze()))
}
