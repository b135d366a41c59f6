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

pub use crate::shell::service::{Memory, Origin};

/// A frame of fewer bytes decodes to little, whatever it says.
const SMALL_FRAME_BYTES: usize = 1024;
/// How often the decoded form of a request is there at once: the controller is given a copy.
const DECODED_COPIES: usize = 2;

/// The most that the decoded form of a frame may take; nothing where that is little, or where the frame will be refused.
/// What has a codec of its own (Produce and Fetch before all) keeps to the size of the frame.
pub fn decoded_bytes(frame: &Bytes) -> usize {
    if frame.len() < SMALL_FRAME_BYTES {
        return 0;
    }
    let Ok((header, body)) = frame::split(frame.clone()) else { return 0 };
    if guard::has_own_codec(header.api_key, header.api_version) {
        return 0;
    }
    let elements = guard::elements(header.api_key, header.api_version, &body);
    let decoded = |elements: usize| 4 * body.len() + elements * guard::ELEMENT_MAX_BYTES;
    elements.map_or(0, |elements| DECODED_COPIES * decoded(elements))
}

/// Answers one frame (without its length prefix). `memory` is the place of its decoded form, held by who keeps that
/// when this has returned.
pub fn dispatch(
    ctx: &Arc<Ctx>,
    origin: &Origin,
    now: Now,
    (frame, memory): (Bytes, &Memory),
) -> Answer {
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
        memory: memory.extension(),
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
    answer_api_versions(call, &body)
}

/// The same, of a body that is encoded.
pub fn answer_api_versions(call: &Call, body: &[u8]) -> Answer {
    let mut out = frame::begin_answer(call.correlation_id, false, body.len());
    out.put_slice(body);
    Answer::Now(Reply::of_bytes(frame::end_answer(out)))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::{
        DeleteTopicsRequest, MetadataRequest, RequestHeader, TopicName,
        metadata_request::MetadataRequestTopic,
    };
    use kafka_protocol::protocol::{Encodable as _, StrBytes};

    use super::*;
    use crate::api::answer::ListenerType;
    use crate::api::harness::{Node, now};

    const TOPICS: usize = 2000;

    fn name() -> TopicName {
        TopicName(StrBytes::from_static_str("x"))
    }

    fn frame(key: i16, version: i16, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        let header = RequestHeader::default().with_request_api_key(key);
        let mut frame = BytesMut::new();
        header.with_request_api_version(version).encode(&mut frame, 1).unwrap();
        write(&mut frame);
        frame.freeze()
    }

    fn delete_topics() -> Bytes {
        let request = DeleteTopicsRequest::default().with_topic_names(vec![name(); TOPICS]);
        frame(20, 3, |out| request.encode(out, 3).unwrap())
    }

    fn metadata() -> Bytes {
        let topic = MetadataRequestTopic::default().with_name(Some(name()));
        let request = MetadataRequest::default().with_topics(Some(vec![topic; TOPICS]));
        let request = request.with_allow_auto_topic_creation(false);
        frame(3, 4, |out| request.encode(out, 4).unwrap())
    }

    #[test]
    fn what_decodes_to_more_than_it_is_says_so() {
        let at_least = TOPICS * size_of::<TopicName>() * DECODED_COPIES;
        for frame in [delete_topics(), metadata()] {
            assert!(decoded_bytes(&frame) > at_least, "{}", decoded_bytes(&frame));
            // What is refused is not decoded, and a little is nothing.
            assert_eq!(decoded_bytes(&frame.slice(..frame.len() - 1)), 0);
            assert_eq!(decoded_bytes(&frame.slice(..100)), 0);
        }
        let produce = frame(0, 3, |out| out.extend_from_slice(&[0; 5000]));
        assert_eq!(decoded_bytes(&produce), 0);
    }

    /// The place of a request that the controller has is held until it is answered, that of another until the handler
    /// is done.
    #[test]
    fn a_place_in_memory_is_held_as_long_as_the_request() {
        let node = Node::with(&[]);
        let origin = Origin {
            listener: "PLAINTEXT".into(),
            listener_type: ListenerType::Broker,
            peer: SocketAddr::from(([127, 0, 0, 1], 9)),
        };
        let ask = |frame: Bytes| {
            let memory = Memory::of(());
            let extension = memory.extension();
            let answer = dispatch(&node.ctx, &origin, now(), (frame, &memory));
            drop(memory);
            (answer, extension)
        };
        let (answer, extension) = ask(metadata());
        assert!(matches!(answer, Answer::Now(_)) && !extension.hold().is_held());
        let (answer, extension) = ask(delete_topics());
        assert!(matches!(answer, Answer::Later(_)) && extension.hold().is_held());
        // The client has gone.
        drop(answer);
        assert!(!extension.hold().is_held());
    }
}
