//! What a reader of committed records sees in a partition.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_response::PartitionData;

use super::Topic;
use crate::connection::Connection;
use crate::fields::Reader;
use crate::record_batch::RecordBatch;
use crate::requests::{FETCH_VERSION, fetch_request};

const READ_COMMITTED: i8 = 1;
const IS_TRANSACTIONAL: i16 = 0x10;
const IS_CONTROL: i16 = 0x20;
const FETCH_BYTES: i32 = 8 << 20;
/// How long the markers of the last transactions may take.
const MARKERS_LIMIT: Duration = Duration::from_secs(30);

/// The batches that are whole; the last one may be cut.
fn whole_batches(bytes: &[u8]) -> Vec<RecordBatch> {
    let mut reader = Reader(bytes);
    let mut batches = Vec::new();
    while let Some(length) = reader.0.get(8..12) {
        let length = i32::from_be_bytes(length.try_into().unwrap());
        if reader.0.len() < 12 + length as usize {
            break;
        }
        batches.push(RecordBatch::take(&mut reader).unwrap());
    }
    batches
}

/// What a partition has from an offset on, once all transactions in it are over.
fn fetch(connection: &mut Connection, topic: &Topic, partition: i32, offset: i64) -> PartitionData {
    let deadline = Instant::now() + MARKERS_LIMIT;
    let mut request =
        fetch_request(topic.id, partition, offset).with_isolation_level(READ_COMMITTED);
    request.topics[0].partitions[0].partition_max_bytes = FETCH_BYTES;
    loop {
        let mut answer = connection.ask(FETCH_VERSION, &request);
        assert_eq!(answer.error_code, 0, "Fetch");
        let data = answer.responses.remove(0).partitions.remove(0);
        assert_eq!(data.error_code, 0, "Fetch");
        if data.last_stable_offset == data.high_watermark {
            return data;
        }
        assert!(Instant::now() < deadline, "partition {partition} has a transaction that hangs");
    }
}

/// The base offsets and record counts of the batches that are committed, with right checksums, in their order.
pub(super) fn committed_batches(
    connection: &mut Connection,
    topic: &Topic,
    partition: i32,
) -> Vec<(i64, i32)> {
    let (mut seen, mut next) = (Vec::new(), 0);
    loop {
        let data = fetch(connection, topic, partition, next);
        let aborted = data.aborted_transactions.iter().flatten();
        let mut aborted: Vec<(i64, i64)> =
            aborted.map(|it| (it.first_offset, it.producer_id.0)).collect();
        aborted.sort_unstable();
        let mut aborted = aborted.into_iter().peekable();
        let mut hidden = BTreeSet::new();
        for batch in whole_batches(data.records.as_deref().unwrap_or_default()) {
            assert_eq!(batch.base_offset, next, "a gap in partition {partition}");
            next += i64::from(batch.last_offset_delta) + 1;
            while let Some((_, producer)) = aborted.next_if(|(first, _)| *first < next) {
                hidden.insert(producer);
            }
            let is_hidden = hidden.contains(&batch.producer_id);
            if batch.attributes & IS_CONTROL != 0 {
                // A marker ends the transaction, whichever way.
                hidden.remove(&batch.producer_id);
            } else if !is_hidden || batch.attributes & IS_TRANSACTIONAL == 0 {
                seen.push((batch.base_offset, batch.count));
            }
        }
        if next == data.high_watermark {
            return seen;
        }
    }
}
