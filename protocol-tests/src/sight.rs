//! What a reader sees in an answer to Fetch, as Kafka's clients do: whole batches, no markers, and at
//! read_committed nothing of the transactions that the answer names as aborted.

use std::collections::BTreeSet;

use kafka_protocol::messages::fetch_response::PartitionData;

use crate::fields::Reader;
use crate::record_batch::RecordBatch;

const IS_TRANSACTIONAL: i16 = 0x10;
const IS_CONTROL: i16 = 0x20;
/// The type of a marker that aborts.
const ABORT: i16 = 0;

/// The batches at the front of `bytes` that are whole: the last one may be cut.
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

/// The type of a marker, which is in its key.
fn marker_type(batch: &RecordBatch) -> i16 {
    let mut reader = Reader(&batch.records);
    reader.varint().unwrap();
    reader.i8().unwrap();
    reader.varint().unwrap();
    reader.varint().unwrap();
    let length = reader.varint().unwrap();
    let mut key = Reader(reader.raw(length as usize).unwrap());
    key.i16().unwrap();
    key.i16().unwrap()
}

/// What a reader from `from` on sees, offsets and values, and where it goes on. One of committed records has asked for
/// them.
pub fn visible(data: &PartitionData, committed: bool, from: i64) -> (Vec<(i64, Vec<u8>)>, i64) {
    let mut aborted: Vec<(i64, i64)> = match &data.aborted_transactions {
        Some(aborted) if committed => {
            aborted.iter().map(|it| (it.first_offset, it.producer_id.0)).collect()
        }
        _ => Vec::new(),
    };
    aborted.sort_unstable();
    let mut aborted = aborted.into_iter().peekable();
    let mut hidden = BTreeSet::new();
    let (mut seen, mut next) = (Vec::new(), from);
    for batch in whole_batches(data.records.as_deref().unwrap_or_default()) {
        let last = batch.base_offset + i64::from(batch.last_offset_delta);
        next = next.max(last + 1);
        while let Some((_, producer_id)) = aborted.next_if(|(first, _)| *first <= last) {
            hidden.insert(producer_id);
        }
        if batch.attributes & IS_CONTROL != 0 {
            if marker_type(&batch) == ABORT {
                hidden.remove(&batch.producer_id);
            }
            continue;
        }
        let is_transactional = batch.attributes & IS_TRANSACTIONAL != 0;
        if is_transactional && hidden.contains(&batch.producer_id) {
            continue;
        }
        let values = (batch.base_offset..).zip(batch.values());
        seen.extend(values.filter(|(offset, _)| *offset >= from));
    }
    (seen, next)
}
