use bytes::{Buf as _, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ProduceRequest as Request, ProduceResponse, TopicName, TransactionalId,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};

use super::*;
use crate::api::harness::{NOW_MS, Node, bytes_of, topic_id};
use crate::kernel::metadata::image::Image;
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::{NodeId, PartitionId, ProducerId};
use crate::types::time::Timestamp;
use crate::wire::batch_builder::BatchBuilder;

fn record() -> BatchBuilder {
    BatchBuilder::new(Offset(0)).record(Timestamp(5), Some(b"k"), Some(b"v"))
}

fn request(acks: i16, topics: &[(&'static str, &[i32])], records: &Bytes) -> Request {
    let topics = topics.iter().map(|(name, partitions)| {
        let partition = |index: &i32| {
            PartitionProduceData::default().with_index(*index).with_records(Some(records.clone()))
        };
        TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_static_str(name)))
            .with_topic_id(topic_id(name).0)
            .with_partition_data(partitions.iter().map(partition).collect())
    });
    Request::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(topics.collect())
}

fn ask(node: &Node, version: i16, request: &Request) -> Answer {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    node.ask(0, version, body.freeze())
}

fn read(version: i16, answer: Answer) -> ProduceResponse {
    let mut body = Bytes::from(bytes_of(answer));
    if version >= 9 {
        body.advance(1);
    }
    ProduceResponse::decode(&mut body, version).unwrap()
}

fn results(response: &ProduceResponse) -> Vec<(i16, i64)> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|it: &PartitionProduceResponse| (it.error_code, it.base_offset)).collect()
}

#[test]
fn one_request_appends_to_several_topics() {
    let node = Node::with(&[("a", 2, &[]), ("b", 1, &[])]);
    let records = record().build();
    for version in [3, 8, 9, 13] {
        let request = request(-1, &[("a", &[0, 1, 9]), ("nope", &[0]), ("b", &[0])], &records);
        let response = read(version, ask(&node, version, &request));
        let unknown = if version < 13 { 3 } else { 100 };
        let offset = [3, 8, 9, 13].iter().position(|it| *it == version).unwrap() as i64;
        let expected = [(0, offset), (0, offset), (3, -1), (unknown, -1), (0, offset)];
        assert_eq!(results(&response), expected, "version {version}");
    }
}

/// Kafka's maps keep one of them: it answers once, and says of the batches before the last nothing at all.
#[test]
fn batches_of_one_partition_are_all_appended_and_have_one_answer() {
    let node = Node::with(&[("a", 2, &[]), ("b", 1, &[])]);
    let good = record().build();
    let twice: &[(&'static str, &[i32])] = &[("a", &[1, 0, 1]), ("b", &[0]), ("a", &[0, 9])];
    let response = read(8, ask(&node, 8, &request(-1, twice, &good)));
    let named: Vec<_> = response.responses.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(named, ["a", "b"]);
    let indexes: Vec<_> =
        response.responses[0].partition_responses.iter().map(|it| it.index).collect();
    assert_eq!(indexes, [1, 0, 9]);
    assert_eq!(results(&response), [(0, 1), (0, 1), (3, -1), (0, 0)]);

    let many = [8, 7, 6, 5, 4, 3, 2, 0, 1, 0];
    let response = read(8, ask(&node, 8, &request(-1, &[("a", &many)], &good)));
    assert_eq!(results(&response).len(), 9);
    assert_eq!(results(&response)[7..], [(0, 3), (0, 2)]);

    // A failure is told, whichever of them failed.
    for damaged in [0, 1] {
        let mut request = request(-1, &[("b", &[0, 0])], &good);
        let batch = BatchBuilder::new(Offset(7)).record(Timestamp(5), None, None).build();
        request.topic_data[0].partition_data[damaged].records = Some(batch);
        let response = read(8, ask(&node, 8, &request));
        assert_eq!(results(&response), [(ErrorCode::InvalidRecord.code(), -1)], "{damaged}");
    }
    let response = read(8, ask(&node, 8, &request(-1, &[("b", &[0])], &good)));
    assert_eq!(results(&response), [(0, 3)], "the good ones of before are there");
}

/// Kafka cannot tell whether such a batch is of a transaction, and gives up on the request.
#[test]
fn what_does_not_begin_like_a_batch_fails_the_request_in_kafkas_words() {
    let node = Node::with(&[("a", 2, &[])]);
    let good = record().build();
    let magic = |magic: u8| {
        let mut batch = good.to_vec();
        batch[16] = magic;
        Bytes::from(batch)
    };
    for (batch, words) in [
        (magic(3), "Invalid magic found in record: 3"),
        (magic(0xff), "Invalid magic found in record: -1"),
        (
            Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13]),
            "Record size 13 is less than the minimum record overhead (14)",
        ),
    ] {
        let mut request = request(-1, &[("a", &[0, 1, 9])], &good);
        request.topic_data[0].partition_data[1].records = Some(batch);
        let response = read(8, ask(&node, 8, &request));
        assert_eq!(results(&response), [(ErrorCode::CorruptMessage.code(), -1); 3]);
        let answers = &response.responses[0].partition_responses;
        assert!(answers.iter().all(|it| it.error_message.as_deref() == Some(words)), "{answers:?}");
    }
    let response = read(8, ask(&node, 8, &request(-1, &[("a", &[0])], &good)));
    assert_eq!(results(&response), [(0, 0)], "nothing was appended");
}

#[test]
fn without_acks_there_is_no_answer_and_a_failure_ends_the_connection() {
    let node = Node::with(&[("a", 1, &[])]);
    let (records, damaged) = (record().build(), Bytes::from_static(b"damaged"));
    let silent = ask(&node, 8, &request(0, &[("a", &[0])], &records));
    assert!(matches!(silent, Answer::None));
    let failed = ask(&node, 8, &request(0, &[("a", &[0])], &damaged));
    assert!(matches!(failed, Answer::Close));
    let unknown = ask(&node, 8, &request(0, &[("a", &[0]), ("nope", &[0])], &records));
    assert!(matches!(unknown, Answer::Close));
    let response = read(8, ask(&node, 8, &request(1, &[("a", &[0])], &records)));
    assert_eq!(results(&response), [(0, 2)], "both batches before are there");
}

#[test]
fn log_append_time_is_told() {
    let node = Node::with(&[("a", 1, &[("message.timestamp.type", "LogAppendTime")])]);
    let response = read(8, ask(&node, 8, &request(-1, &[("a", &[0])], &record().build())));
    let partition = &response.responses[0].partition_responses[0];
    assert_eq!((partition.error_code, partition.log_append_time_ms), (0, NOW_MS));
}

#[test]
fn a_topic_has_its_own_rules() {
    let check = |key: &str, value: &str, batch: BatchBuilder, expected: ErrorCode| {
        let node = Node::with(&[("a", 1, &[(key, value)])]);
        let response = read(8, ask(&node, 8, &request(-1, &[("a", &[0])], &batch.build())));
        assert_eq!(results(&response)[0].0, expected.code(), "{key}={value}");
    };
    let keyless = || BatchBuilder::new(Offset(0)).record(Timestamp(5), None, Some(b"v"));
    let at = |ms: i64| BatchBuilder::new(Offset(0)).record(Timestamp(ms), None, Some(b"v"));
    check("cleanup.policy", "compact", keyless(), ErrorCode::InvalidRecord);
    check("cleanup.policy", "compact", record(), ErrorCode::None);
    check("cleanup.policy", "compact,delete", keyless(), ErrorCode::InvalidRecord);
    check("max.message.bytes", "10", record(), ErrorCode::MessageTooLarge);
    check("message.timestamp.before.max.ms", "10", at(NOW_MS - 11), ErrorCode::InvalidTimestamp);
    check("message.timestamp.before.max.ms", "10", at(NOW_MS - 10), ErrorCode::None);
    check("message.timestamp.after.max.ms", "10", at(NOW_MS + 11), ErrorCode::InvalidTimestamp);
    check("message.timestamp.after.max.ms", "10", at(NOW_MS + 10), ErrorCode::None);
    for codec in ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        check("compression.type", codec, record(), ErrorCode::None);
    }
    // Capped by the number of replicas, as Kafka's leader has it.
    check("min.insync.replicas", "2", record(), ErrorCode::None);
}

#[test]
fn transactions_have_to_wait_for_their_coordinator() {
    let node = Node::with(&[("a", 1, &[])]);
    let (id, epoch) = (ProducerId(7), ProducerEpoch(0));
    let batch = record().producer(id, epoch, 0).transactional().build();
    let request = request(-1, &[("a", &[0])], &batch);
    let without_id = read(8, ask(&node, 8, &request));
    let refused = ErrorCode::TransactionalIdAuthorizationFailed.code();
    assert_eq!(results(&without_id), [(refused, -1)]);
    let with_id =
        request.with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("x"))));
    let response = read(8, ask(&node, 8, &with_id));
    assert_eq!(results(&response), [(ErrorCode::NotEnoughReplicas.code(), -1)]);
    let message = response.responses[0].partition_responses[0].error_message.clone().unwrap();
    assert!(message.ends_with("COORDINATOR_NOT_AVAILABLE"), "{message}");
}

#[test]
fn internal_topics_are_for_the_tools_of_administrators() {
    let node = Node::with(&[("__consumer_offsets", 1, &[])]);
    let request = request(-1, &[("__consumer_offsets", &[0])], &record().build());
    let response = read(8, ask(&node, 8, &request));
    assert_eq!(results(&response), [(ErrorCode::InvalidTopicException.code(), -1)]);
    let mut body = BytesMut::new();
    request.encode(&mut body, 8).unwrap();
    let client_id = Some(StrBytes::from_static_str("__admin_client"));
    let call = Call { client_id, ..Call::for_test(0, 8) };
    let response = read(8, handle(&node.ctx, &call, body.freeze()));
    assert_eq!(results(&response), [(0, 0)]);
}

/// KIP-951: who leads now, so that the client need not ask.
#[test]
fn a_producer_at_the_wrong_node_is_told_who_leads() {
    let node = Node::with(&[("a", 1, &[])]);
    let other = NodeId(2);
    node.elect(other, PartitionId(0), "a");
    let request = request(-1, &[("a", &[0])], &record().build());
    for (version, is_told) in [(9, false), (10, true), (13, true)] {
        let response = read(version, ask(&node, version, &request));
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, ErrorCode::NotLeaderOrFollower.code());
        let leader = &partition.current_leader;
        assert_eq!((leader.leader_id.0, leader.leader_epoch) == (2, 1), is_told);
        let hosts: Vec<_> = response.node_endpoints.iter().map(|it| it.host.as_str()).collect();
        assert_eq!(hosts, if is_told { vec!["two"] } else { vec![] }, "version {version}");
    }
    let image: Arc<Image> = node.ctx.image.load_full();
    assert_eq!(image.brokers.len(), 1);
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let node = Node::with(&[]);
    assert!(matches!(node.ask(0, 8, Bytes::from_static(b"\x00")), Answer::Close));
}
