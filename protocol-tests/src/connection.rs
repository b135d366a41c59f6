//! A raw client: frames as they are, or the requests of the protocol crate at any of their versions.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::fields::Writer;

/// How long an answer may take before the test has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The largest answer that a test wants.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// What our requests call their client.
pub const CLIENT_ID: &str = "protocol-tests";

/// One connection. Requests are numbered.
#[derive(Debug)]
pub struct Connection {
    /// The socket, for what a well-behaved client never does.
    pub stream: TcpStream,
    correlation_id: i32,
}

/// How a connection took what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a frame, which is here without its length.
    Answer(Bytes),
    /// By closing the connection.
    Closed,
}

impl Connection {
    /// Takes over a connected socket.
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        stream.set_write_timeout(Some(ANSWER_LIMIT)).unwrap();
        Self { stream, correlation_id: 0 }
    }

    /// Sends bytes without a frame around them. The other end may have closed already: what it says counts.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends one frame.
    pub fn send_frame(&mut self, frame: &[u8]) {
        self.send_raw(&Writer::default().i32(frame.len() as i32).raw(frame).0);
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame, or the end of the connection; panics when neither comes in time.
    pub fn receive(&mut self) -> Outcome {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return Outcome::Closed;
        }
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap();
        assert!(length <= ANSWER_BYTES_MAX, "a frame of {length} bytes");
        let mut frame = vec![0; length];
        if !self.fill(&mut frame) {
            return Outcome::Closed;
        }
        Outcome::Answer(frame.into())
    }

    /// Fills `buffer`; false when the connection ends before. A reset is an end like another.
    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match self.stream.read_exact(buffer) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) => {
                false
            }
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }

    /// The number of the next request.
    pub fn next_correlation_id(&mut self) -> i32 {
        self.correlation_id += 1;
        self.correlation_id
    }

    /// Sends a request of the protocol crate and does not wait.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) {
        let correlation_id = self.next_correlation_id();
        self.send_frame(&frame_of(version, correlation_id, request));
    }

    /// The answer to a request that was sent.
    pub fn receive_answer<R: Request>(&mut self, version: i16) -> R::Response {
        match self.receive() {
            Outcome::Answer(frame) => decode::<R>(version, frame).1,
            Outcome::Closed => panic!("API {} version {version}: closed", R::KEY),
        }
    }

    /// Sends a request and reads its answer.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        self.receive_answer::<R>(version)
    }

    /// As [`Self::ask`]; nothing when the connection is closed.
    pub fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send(version, request);
        match self.receive() {
            Outcome::Answer(frame) => Some(decode::<R>(version, frame).1),
            Outcome::Closed => None,
        }
    }

    /// Sends a body that the protocol crate would not write, after a right header.
    pub fn ask_body(&mut self, key: i16, version: i16, is_flexible: bool, body: &[u8]) -> Outcome {
        let correlation_id = self.next_correlation_id();
        let header = header_of(key, version, correlation_id, is_flexible);
        self.send_frame(&header.raw(body).0);
        self.receive()
    }
}

/// A request header, v2 when the request is flexible and v1 when it is not.
pub fn header_of(key: i16, version: i16, correlation_id: i32, is_flexible: bool) -> Writer {
    let header = Writer::default().i16(key).i16(version).i32(correlation_id).string(CLIENT_ID);
    if is_flexible { header.tags() } else { header }
}

/// The frame of a request, without its length.
pub fn frame_of<R: Request>(version: i16, correlation_id: i32, request: &R) -> Bytes {
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)))
        .encode(&mut frame, R::header_version(version))
        .unwrap();
    request.encode(&mut frame, version).unwrap();
    frame.freeze()
}

/// An answer's correlation id and body. No byte may be left over.
pub fn decode<R: Request>(version: i16, mut frame: Bytes) -> (i32, R::Response) {
    let what = format!("the answer to API {} version {version}", R::KEY);
    let header_version = R::Response::header_version(version);
    let header = ResponseHeader::decode(&mut frame, header_version);
    let header = header.unwrap_or_else(|error| panic!("the header of {what}: {error}"));
    let body = R::Response::decode(&mut frame, version);
    let body = body.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(frame.is_empty(), "{what} has {} bytes too many", frame.len());
    (header.correlation_id, body)
}
