//! Writers outside transactions: plain ones, who do not know what became of a batch when the node is killed, and
//! idempotent ones, who have several batches on their way and send them again until they know.

use std::collections::VecDeque;

use bytes::Bytes;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use protocol_tests::history::{Action, Begun, Outcome, Value, Writer};
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{PRODUCE_VERSION, now_ms, produce_request};

use super::link::{Link, error};
use super::{PARTITIONS, SOURCES, TOPIC};

/// How many batches an idempotent producer may have on its way, as Kafka's clients.
const IN_FLIGHT_MAX: usize = 5;
/// How many records a batch has at most.
const RECORDS_MAX: u64 = 6;
/// A value is its number and as many bytes as that says.
const PADDING_MAX: u32 = 90;

/// A batch of the values from `first` on.
pub fn batch(first: Value, count: u32) -> RecordBatch {
    let padding = [b'.'; PADDING_MAX as usize];
    (first..first + count).fold(RecordBatch::new(now_ms()), |batch, value| {
        let value = [&value.to_be_bytes(), &padding[..(value % PADDING_MAX) as usize]].concat();
        batch.record(None, Some(&value))
    })
}

/// Values for a new batch: the first, and how many.
pub fn new_values(link: &mut Link<'_>) -> (Value, u32) {
    let count = 1 + link.random.below(RECORDS_MAX) as u32;
    (link.world.recorder.values(count), count)
}

fn only(mut answer: kafka_protocol::messages::ProduceResponse) -> PartitionProduceResponse {
    answer.responses.remove(0).partition_responses.remove(0)
}

/// Sends a batch once: error and offset, or nothing when the connection ends before.
pub fn produce(
    link: &mut Link<'_>,
    version: i16,
    request: &ProduceRequest,
) -> Option<(i16, Option<i64>)> {
    let answer = only(link.try_ask(version, request)?);
    Some((answer.error_code, (answer.base_offset >= 0).then_some(answer.base_offset)))
}

/// One who sends each batch once.
pub fn plain(mut link: Link<'_>, _: u32) {
    while !link.world.is_over() {
        let partition = link.random.below(SOURCES.into()) as u32;
        let (first, count) = new_values(&mut link);
        let records = Some(Bytes::from(batch(first, count).sealed()));
        let request = produce_request(TOPIC, partition as i32, records);
        let begun = link.begin();
        let (code, offset) = produce(&mut link, PRODUCE_VERSION, &request)
            .unwrap_or((error::UNKNOWN_SERVER_ERROR, None));
        let writer = Writer::Plain;
        let action = Action::Write { partition, first, count, writer, offset };
        link.end(begun, error::outcome(code), action);
    }
}

/// A batch on its way.
struct Sent {
    begun: Begun,
    partition: u32,
    first: Value,
    count: u32,
    request: ProduceRequest,
}

/// One who numbers its batches.
pub fn idempotent(mut link: Link<'_>, _: u32) {
    let mut producer = (0, 0);
    let mut sequences = [0; PARTITIONS as usize];
    let mut left = 0;
    let mut window: VecDeque<Sent> = VecDeque::new();
    while !link.world.is_over() || !window.is_empty() {
        if left == 0 && window.is_empty() {
            producer = link.init_producer_id(None, 60_000);
            sequences.fill(0);
            left = 500 + link.random.below(5000);
        }
        let has_room = window.len() < IN_FLIGHT_MAX && left > 0 && !link.world.is_over();
        if has_room && (window.is_empty() || !link.random.once_in(3)) {
            left -= 1;
            let partition = link.random.below(SOURCES.into()) as u32;
            let (first, count) = new_values(&mut link);
            let sequence = &mut sequences[partition as usize];
            let batch = batch(first, count).from_producer(producer.0, producer.1, *sequence);
            *sequence += count as i32;
            let records = Some(Bytes::from(batch.sealed()));
            let request = produce_request(TOPIC, partition as i32, records);
            let sent = Sent { begun: link.begin(), partition, first, count, request };
            link.send(PRODUCE_VERSION, &sent.request);
            window.push_back(sent);
            continue;
        }
        take_answer(&mut link, &mut window);
    }
}

/// The answer to the first batch of the window; all are sent again when there is none.
fn take_answer(link: &mut Link<'_>, window: &mut VecDeque<Sent>) {
    let answer = link.receive::<ProduceRequest>(PRODUCE_VERSION).map(only);
    let code = answer.as_ref().map_or(error::REQUEST_TIMED_OUT, |answer| answer.error_code);
    let offset = answer.map(|answer| answer.base_offset).filter(|offset| *offset >= 0);
    match code {
        error::NONE | error::DUPLICATE_SEQUENCE_NUMBER => {
            let Some(sent) = window.pop_front() else { return };
            let Sent { begun, partition, first, count, .. } = sent;
            let writer = Writer::Idempotent;
            let action = Action::Write { partition, first, count, writer, offset };
            link.end(begun, Outcome::Ok, action);
        }
        code => {
            // Whatever is on its way comes before what is sent now, or never.
            let may_repeat = matches!(code, 3 | 5 | 6 | error::REQUEST_TIMED_OUT);
            let first = window.front().map(|sent| sent.first);
            assert!(may_repeat, "an idempotent batch, from value {first:?}: error {code}");
            link.hang_up();
            for sent in window.iter() {
                link.send(PRODUCE_VERSION, &sent.request);
            }
        }
    }
}
