//! The tester's client: a request is written at once; after the first bytes of the answer everything is read for
//! one window of 100 ms, and what has not come by then is not there.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use protocol_tests::fields::{Reader, Writer};

const WINDOW: Duration = Duration::from_millis(100);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    deadline: Instant,
}

/// A request with header v2 and the tester's client id, without its length.
pub fn request(api_key: i16, version: i16, correlation_id: i32) -> Writer {
    Writer::default().i16(api_key).i16(version).i32(correlation_id).string("kafka-tester").tags()
}

impl Client {
    /// Takes over a connected stream. `deadline` is the stage's.
    pub fn new(stream: TcpStream, deadline: Instant) -> Self {
        stream.set_write_timeout(Some(WINDOW)).unwrap();
        Self { stream, deadline }
    }

    /// Sends one request.
    pub fn send(&mut self, request: &Writer) {
        let frame = Writer::default().i32(request.0.len() as i32).raw(&request.0);
        self.stream.write_all(&frame.0).unwrap();
    }

    /// All bytes of the answer, its length among them.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut until = self.deadline;
        let mut buffer = [0; 4096];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    if answer.is_empty() {
                        until = Instant::now() + WINDOW;
                    }
                    answer.extend_from_slice(&buffer[..read]);
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(answer.len() > 8, "no answer: {answer:02x?}");
        answer
    }

    /// The body of the answer to a request: the length must be right, and the correlation id. `has_tags` says
    /// whether its header is v1.
    pub fn body(&mut self, correlation_id: i32, has_tags: bool) -> Vec<u8> {
        let answer = self.receive();
        let mut reader = Reader(&answer);
        assert_eq!(reader.i32().unwrap() as usize, answer.len() - 4, "the length");
        assert_eq!(reader.i32().unwrap(), correlation_id, "the correlation id");
        if has_tags {
            assert_eq!(reader.tags().unwrap(), [], "the header's tags");
        }
        reader.0.to_vec()
    }
}
