//! What a reader of the load sees, and what it tells of it.

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::PartitionData;
use protocol_tests::history::{Action, Isolation, Outcome, Run, Value};
use protocol_tests::requests::{FETCH_VERSION, fetch_request};
use protocol_tests::sight::visible;

use super::link::Link;

const OFFSET_OUT_OF_RANGE: i16 = 1;
/// How long an answer may wait for something to tell.
const WAIT_MS: i32 = 10;

fn push(runs: &mut Vec<Run>, offset: i64, value: Value) {
    match runs.last_mut() {
        Some(run)
            if run.offset + i64::from(run.count) == offset && run.value + run.count == value =>
        {
            run.count += 1;
        }
        _ => runs.push(Run { offset, value, count: 1 }),
    }
}

/// What a reader from `from` on sees, as runs, and where it goes on.
fn look(data: &PartitionData, isolation: Isolation, from: i64) -> (Vec<Run>, i64) {
    let (seen, next) = visible(data, isolation == Isolation::Committed, from);
    let mut runs = Vec::new();
    for (offset, value) in seen {
        push(&mut runs, offset, Value::from_be_bytes(value.first_chunk().copied().unwrap()));
    }
    (runs, next)
}

/// Reads partitions from their positions on, which go forward, and records what it sees. Without an answer nothing
/// was seen; nothing to see is recorded now and then, where something holds up the last stable offset.
pub fn read(
    link: &mut Link<'_>,
    isolation: Isolation,
    bytes_max: i32,
    positions: &mut [(u32, i64)],
) -> Option<Vec<(i64, i64)>> {
    let mut request: FetchRequest = fetch_request(link.world.topic_id, 0, 0)
        .with_isolation_level(isolation as i8)
        .with_max_wait_ms(WAIT_MS)
        .with_min_bytes(1);
    let partitions = positions.iter().map(|(partition, position)| {
        FetchPartition::default()
            .with_partition(*partition as i32)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(*position)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(bytes_max)
    });
    request.topics[0].partitions = partitions.collect();
    let begun = link.begin();
    let answer = link.try_ask(FETCH_VERSION, &request)?;
    assert_eq!(answer.error_code, 0, "Fetch");
    let mut watermarks = vec![(-1, -1); positions.len()];
    let answered = answer.responses.iter().flat_map(|topic| &topic.partitions);
    for data in answered {
        let of = |(partition, _): &(u32, i64)| *partition as i32 == data.partition_index;
        let at = positions.iter().position(of).unwrap();
        let (partition, from) = positions[at];
        let is_read = matches!(data.error_code, 0 | OFFSET_OUT_OF_RANGE);
        assert!(is_read, "Fetch from {partition}:{from}: error {}", data.error_code);
        let (runs, next) = look(data, isolation, from);
        let (high_watermark, last_stable_offset) = (data.high_watermark, data.last_stable_offset);
        watermarks[at] = (high_watermark, last_stable_offset);
        // Who asks for what is beyond the log has been told of something that is not there any more.
        let is_held = last_stable_offset < high_watermark && link.random.once_in(16);
        if next == from && high_watermark >= from && !is_held {
            continue;
        }
        positions[at].1 = next;
        let action = Action::Read {
            partition,
            isolation,
            from,
            next,
            high_watermark,
            last_stable_offset,
            runs,
        };
        link.end(begun, Outcome::Ok, action);
    }
    Some(watermarks)
}
