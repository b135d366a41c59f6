use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};

use super::*;
use crate::api::harness::{NOW_MS, Node, bytes_of, now, runtime, settled};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::shell::drivers::partitions::{Origin, Partition};
use crate::shell::service::Waiting;
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::Batch;
use crate::wire::batch_builder::{BatchBuilder, ControlType};

const VERSION: i16 = 12;

fn batch(value: &[u8]) -> Batch {
    BatchBuilder::new(Offset(0)).record(Timestamp(NOW_MS), None, Some(value)).build_batch()
}

fn of(node: &Node, index: i32) -> Arc<Partition> {
    let found =
        crate::api::data::replicas::partition(&node.ctx, TopicRef::Name("t"), PartitionId(index));
    found.unwrap()
}

fn append(node: &Node, index: i32, value: &[u8]) {
    of(node, index).append(&batch(value), -1, now()).unwrap();
}

/// Asks for these partitions of topic t, each from an offset on.
fn request(partitions: &[(i32, i64)]) -> FetchRequest {
    let partition = |&(index, offset): &(i32, i64)| {
        FetchPartition::default()
            .with_partition(index)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20)
    };
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_static_str("t")))
        .with_partitions(partitions.iter().map(partition).collect());
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn ask(node: &Node, request: &FetchRequest) -> Answer {
    let mut body = BytesMut::new();
    request.encode(&mut body, VERSION).unwrap();
    node.ask(1, VERSION, body.freeze())
}

fn read(answer: Answer) -> FetchResponse {
    let bytes = bytes_of(answer);
    // The header's tags come first.
    let mut body = Bytes::from(bytes).slice(1..);
    let response = FetchResponse::decode(&mut body, VERSION).unwrap();
    assert!(body.is_empty());
    response
}

fn partitions(response: &FetchResponse) -> Vec<&PartitionData> {
    response.responses.iter().flat_map(|topic| &topic.partitions).collect()
}

/// The lengths of what each partition gave.
fn lengths(response: &FetchResponse) -> Vec<(i32, usize)> {
    let length = |it: &&PartitionData| it.records.as_ref().map_or(0, Bytes::len);
    partitions(response).iter().map(|it| (it.partition_index, length(it))).collect()
}

fn waiting(answer: Answer) -> Waiting {
    let Answer::Later(waiting) = answer else { panic!("it does not wait") };
    waiting
}

fn poll(waiting: &mut Waiting) -> Option<Answer> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(waiting).poll(&mut context) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[test]
fn a_long_poll_is_answered_by_an_append() {
    let node = Node::with(&[("t", 2, &[])]);
    let runtime = runtime();
    let _entered = runtime.enter();
    let request = request(&[(0, 0), (1, 0)]).with_max_wait_ms(i32::MAX).with_min_bytes(1);
    let mut waiting = waiting(ask(&node, &request));
    assert!(poll(&mut waiting).is_none());
    append(&node, 1, b"here");
    let response = read(poll(&mut waiting).unwrap());
    assert_eq!(lengths(&response), [(0, 0), (1, batch(b"here").bytes.len())]);
}

#[test]
fn a_long_poll_waits_until_there_is_enough_of_all_partitions() {
    let node = Node::with(&[("t", 2, &[])]);
    let runtime = runtime();
    let _entered = runtime.enter();
    let size = batch(b"12345").bytes.len();
    append(&node, 0, b"12345");
    let min_bytes = 3 * size as i32;
    let request = request(&[(0, 0), (1, 0)]).with_max_wait_ms(i32::MAX).with_min_bytes(min_bytes);
    let mut waiting = waiting(ask(&node, &request));
    assert!(poll(&mut waiting).is_none());
    append(&node, 1, b"12345");
    assert!(poll(&mut waiting).is_none());
    append(&node, 1, b"12345");
    assert_eq!(lengths(&read(poll(&mut waiting).unwrap())), [(0, size), (1, 2 * size)]);
}

#[test]
fn a_long_poll_ends_with_what_there_is() {
    let node = Node::with(&[("t", 1, &[])]);
    append(&node, 0, b"a");
    let request = request(&[(0, 0)]).with_max_wait_ms(1).with_min_bytes(1 << 20);
    let answer = ask(&node, &request);
    assert!(matches!(answer, Answer::Later(_)));
    assert_eq!(lengths(&read(settled(answer))), [(0, batch(b"a").bytes.len())]);
}

#[test]
fn nobody_waits_who_need_not() {
    let node = Node::with(&[("t", 2, &[])]);
    append(&node, 0, b"a");
    let check = |what: &str, request: FetchRequest, waits: bool| {
        let answer = ask(&node, &request);
        assert_eq!(matches!(answer, Answer::Later(_)), waits, "{what}");
    };
    let at = |partitions: &[(i32, i64)]| {
        request(partitions).with_max_wait_ms(i32::MAX).with_min_bytes(1)
    };
    check("for the end of a log", at(&[(0, 1)]), true);
    check("for nothing", at(&[(0, 1)]).with_min_bytes(0), false);
    check("for less than nothing", at(&[(0, 1)]).with_min_bytes(-1), false);
    check("for no time", at(&[(0, 1)]).with_max_wait_ms(0), false);
    check("for a negative time", at(&[(0, 1)]).with_max_wait_ms(-1), false);
    check("for what is there", at(&[(0, 0)]), false);
    check("for what one partition has", at(&[(1, 0), (0, 0)]), false);
    check("with an error", at(&[(0, 1), (1, 5)]), false);
    check("with only an unknown partition", at(&[(7, 0)]), false);
    check("with an unknown partition beside", at(&[(7, 0), (0, 1)]), true);
    check("for more than it may have", at(&[(0, 0)]).with_min_bytes(99).with_max_bytes(1), false);
}

/// What one request may read ends with its segment: there is no use in waiting for more.
#[test]
fn nobody_waits_at_the_end_of_a_segment() {
    let node = Node::with(&[("t", 1, &[("internal.segment.bytes", "100")])]);
    let check = |offset: i64, waits: bool| {
        let request = request(&[(0, offset)]).with_max_wait_ms(i32::MAX).with_min_bytes(1 << 19);
        assert_eq!(matches!(ask(&node, &request), Answer::Later(_)), waits, "{offset}");
    };
    append(&node, 0, b"a");
    check(0, true);
    append(&node, 0, b"a");
    check(0, false);
    check(1, true);
    check(2, true);
}

#[test]
fn limits_hold_after_the_first_batch() {
    let node = Node::with(&[("t", 3, &[])]);
    let size = batch(&[0; 100]).bytes.len();
    for index in [1, 1, 1, 2] {
        append(&node, index, &[0; 100]);
    }
    let all = [(0, 0), (1, 0), (2, 0)];
    let check = |max_bytes: i32, partition_max_bytes: i32, expected: [usize; 3]| {
        let mut request = request(&all).with_max_bytes(max_bytes);
        for partition in &mut request.topics[0].partitions {
            partition.partition_max_bytes = partition_max_bytes;
        }
        let response = read(ask(&node, &request));
        let got: Vec<_> = lengths(&response).into_iter().map(|it| it.1).collect();
        assert_eq!(got, expected, "{max_bytes} {partition_max_bytes}");
    };
    check(1, 1 << 20, [0, size, 0]);
    check(0, 0, [0, size, 0]);
    check(-1, -1, [0, size, 0]);
    check(i32::MAX, i32::MAX, [0, 3 * size, size]);
    check(1 << 20, size as i32, [0, size, size]);
    check(4 * size as i32, 1 << 20, [0, 3 * size, size]);
}

#[test]
fn the_broker_has_a_limit_too() {
    let node = Node::with(&[("t", 1, &[])]);
    append(&node, 0, b"a");
    append(&node, 0, b"a");
    let mut config = node.ctx.config.load().as_ref().clone();
    config.fetch_max_bytes = 1;
    node.ctx.config.store(Arc::new(config));
    assert_eq!(lengths(&read(ask(&node, &request(&[(0, 0)])))), [(0, batch(b"a").bytes.len())]);
}

#[test]
fn an_offset_within_a_batch_gives_the_whole_batch() {
    let node = Node::with(&[("t", 1, &[])]);
    let mut builder = BatchBuilder::new(Offset(0));
    for _ in 0..3 {
        builder.push(Timestamp(NOW_MS), None, Some(b"a"), &[]);
    }
    let batch = builder.build_batch();
    of(&node, 0).append(&batch, -1, now()).unwrap();
    let response = read(ask(&node, &request(&[(0, 2)])));
    let records = partitions(&response)[0].records.clone().unwrap();
    assert_eq!(Batch::parse(&records).unwrap().header.base_offset, Offset(0));
    assert_eq!(records.len(), batch.bytes.len());
}

#[test]
fn readers_of_committed_records_are_told_what_was_aborted() {
    let node = Node::with(&[("t", 1, &[])]);
    let producer = (ProducerId(7), ProducerEpoch(0));
    let transactional = BatchBuilder::new(Offset(0))
        .producer(producer.0, producer.1, 0)
        .transactional()
        .record(Timestamp(NOW_MS), None, Some(b"a"))
        .build_batch();
    let marker = BatchBuilder::new(Offset(0))
        .producer(producer.0, producer.1, -1)
        .transactional()
        .control_record(ControlType::Abort, Timestamp(NOW_MS), &[0; 6])
        .build_batch();
    let partition = of(&node, 0);
    append(&node, 0, b"before");
    partition.append(&transactional, -1, now()).unwrap();
    append(&node, 0, b"after");

    let committed = request(&[(0, 0)]).with_isolation_level(1);
    let response = read(ask(&node, &committed));
    let open = partitions(&response)[0];
    assert_eq!((open.high_watermark, open.last_stable_offset), (3, 1));
    assert_eq!(lengths(&response), [(0, batch(b"before").bytes.len())]);
    assert_eq!(open.aborted_transactions.as_ref().map(Vec::len), Some(0));

    partition.append_from(&marker, Origin::COORDINATOR, -1, now()).unwrap();
    let response = read(ask(&node, &committed));
    let decided = partitions(&response)[0];
    assert_eq!(decided.last_stable_offset, 4);
    let aborted = decided.aborted_transactions.as_ref().unwrap();
    let aborted: Vec<_> = aborted.iter().map(|it| (it.producer_id.0, it.first_offset)).collect();
    assert_eq!(aborted, [(7, 1)]);

    let response = read(ask(&node, &request(&[(0, 0)])));
    assert_eq!(partitions(&response)[0].aborted_transactions, None);
}

#[test]
fn a_session_goes_back_whatever_becomes_of_its_request() {
    let node = Node::with(&[("t", 1, &[])]);
    let runtime = runtime();
    let _entered = runtime.enter();
    let session_id = read(ask(&node, &request(&[(0, 0)]).with_session_epoch(0))).session_id;
    assert_ne!(session_id, 0);
    let next = |epoch: i32| {
        request(&[(0, 0)])
            .with_topics(Vec::new())
            .with_session_id(session_id)
            .with_session_epoch(epoch)
            .with_min_bytes(1)
            .with_max_wait_ms(i32::MAX)
    };
    // A client that leaves while it waits.
    drop(waiting(ask(&node, &next(1))));
    let mut waiting = waiting(ask(&node, &next(2)));
    assert!(poll(&mut waiting).is_none());
    // A second request meanwhile is one too many.
    assert_eq!(read(ask(&node, &next(3))).error_code, ErrorCode::InvalidFetchSessionEpoch.code());
    append(&node, 0, b"a");
    assert_eq!(read(poll(&mut waiting).unwrap()).session_id, session_id);
    // What is not news is left out.
    let idle = next(3).with_max_wait_ms(0);
    assert_eq!(lengths(&read(ask(&node, &idle))), [(0, batch(b"a").bytes.len())]);
}

#[test]
fn in_a_session_who_gave_records_comes_last_next_time() {
    let node = Node::with(&[("t", 3, &[])]);
    for index in 0..3 {
        append(&node, index, b"a");
    }
    let small = |session_id: i32, epoch: i32| {
        request(&[(0, 0), (1, 0), (2, 0)])
            .with_session_id(session_id)
            .with_session_epoch(epoch)
            .with_max_bytes(1)
    };
    let first = read(ask(&node, &small(0, 0)));
    let with_records = |response: &FetchResponse| {
        let found = lengths(response).into_iter().find(|it| it.1 > 0);
        found.map(|it| it.0)
    };
    assert_eq!(with_records(&first), Some(0));
    let order: Vec<_> = (1..5)
        .map(|epoch| with_records(&read(ask(&node, &small(first.session_id, epoch)))))
        .collect();
    assert_eq!(order, [Some(0), Some(1), Some(2), Some(0)]);
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let node = Node::with(&[]);
    assert!(matches!(node.ask(1, VERSION, Bytes::from_static(b"\x00\x01")), Answer::Close));
}
