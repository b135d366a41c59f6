//! Requests and answers of the APIs whose messages are the protocol crate's: all but Produce, Fetch and ApiVersions.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::protocol::{HeaderVersion, Request};

use super::answer::{Answer, Call};
use super::dispatch::refuse;
use crate::wire::reply::Reply;
use crate::wire::{frame, messages};

/// Reads a request which has passed the guard. What cannot be read ends the connection, as everywhere.
pub fn decode<R: Request>(call: &Call, mut body: Bytes) -> Result<R, Answer> {
    messages::decode(call.version, &mut body).map_err(|error| refuse(call.peer, &error))
}

/// Room for the body of an answer, which most need no more than.
const SMALL_BODY_BYTES: usize = 112;

/// The whole answer to a request `R`.
pub fn reply<R: Request>(call: &Call, response: &R::Response) -> Answer {
    let mut out = begin::<R>(call, SMALL_BODY_BYTES);
    match messages::encode::<R>(call.version, response, &mut out) {
        Ok(()) => Answer::Now(Reply::of_bytes(frame::end_answer(out))),
        Err(error) => refuse(call.peer, &error),
    }
}

/// The whole answer to a request `R` around a body that is written already.
pub fn frame_of<R: Request>(call: &Call, body: &[u8]) -> Answer {
    let mut out = begin::<R>(call, body.len());
    out.put_slice(body);
    Answer::Now(Reply::of_bytes(frame::end_answer(out)))
}

fn begin<R: Request>(call: &Call, body_bytes: usize) -> BytesMut {
    let version = messages::crate_version(R::KEY, call.version);
    let is_flexible = R::Response::header_version(version) > 0;
    frame::begin_answer(call.correlation_id, is_flexible, body_bytes)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
    use kafka_protocol::protocol::Encodable as _;

    use super::*;

    /// Versions of both forms, and one that the crate does not know.
    #[test]
    fn an_answer_is_framed_as_its_version_has_it() {
        for (version, header_bytes) in [(5, 8), (6, 9), (11, 9)] {
            let response = ListOffsetsResponse::default().with_throttle_time_ms(7);
            let call = Call::for_test(2, version);
            let Answer::Now(reply) = reply::<ListOffsetsRequest>(&call, &response) else {
                panic!("no answer to version {version}");
            };
            let [crate::wire::reply::Chunk::Bytes(frame)] = &reply.chunks[..] else { panic!() };
            let length = i32::from_be_bytes(*frame.first_chunk().unwrap());
            assert_eq!(length as usize, frame.len() - 4);
            assert_eq!(frame[4..8], call.correlation_id.to_be_bytes());
            assert_eq!(frame[header_bytes..header_bytes + 4], 7_i32.to_be_bytes());
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_connection() {
        let call = Call::for_test(2, 5);
        let mut body = BytesMut::new();
        ListOffsetsRequest::default().with_isolation_level(1).encode(&mut body, 5).unwrap();
        let body = body.freeze();
        let request: ListOffsetsRequest = decode(&call, body.clone()).ok().unwrap();
        assert_eq!(request.isolation_level, 1);
        let cut: Result<ListOffsetsRequest, Answer> = decode(&call, body.slice(..3));
        assert!(matches!(cut, Err(Answer::Close)));
    }
}
