//! A request that is sent many times: its bytes are made once, then a few of them change.

use kafka_protocol::protocol::Request;

use crate::connection::frame_of;
use crate::record_batch::seal;

/// Where the API's key is: after the length.
const API_KEY_AT: usize = 4;
/// Where the correlation id is: after the length, the key and the version.
const CORRELATION_ID_AT: usize = 8;
/// Where a batch has its producer: id, epoch and sequence number.
const PRODUCER_AT: usize = 43;

/// A frame with its length.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<u8>);

impl Template {
    pub fn of<R: Request>(version: i16, request: &R) -> Self {
        let frame = frame_of(version, 0, request);
        let length = (frame.len() as i32).to_be_bytes();
        Self([&length, frame.as_ref()].concat())
    }

    pub fn api_key(&self) -> i16 {
        i16::from_be_bytes([self.0[API_KEY_AT], self.0[API_KEY_AT + 1]])
    }

    /// Where bytes are that occur once, if they do.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        let windows = self.0.windows(bytes.len()).enumerate();
        let mut found = windows.filter(|(_, window)| *window == bytes).map(|(at, _)| at);
        let at = found.next();
        assert!(found.next().is_none(), "{bytes:02x?} is there twice");
        at
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Lets the batch at `range` be one of this producer, with its checksum.
    pub fn put_producer(
        &mut self,
        batch: std::ops::Range<usize>,
        (id, epoch): (i64, i16),
        sequence: i32,
    ) {
        let batch = &mut self.0[batch];
        let producer = &mut batch[PRODUCER_AT..PRODUCER_AT + 14];
        producer[..8].copy_from_slice(&id.to_be_bytes());
        producer[8..10].copy_from_slice(&epoch.to_be_bytes());
        producer[10..].copy_from_slice(&sequence.to_be_bytes());
        seal(batch);
    }

    pub fn numbered(&mut self, correlation_id: i32) -> &[u8] {
        self.put(CORRELATION_ID_AT, &correlation_id.to_be_bytes());
        &self.0
    }
}
