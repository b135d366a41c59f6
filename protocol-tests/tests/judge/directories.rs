//! One directory, two brokers: what one wrote the other serves, byte for byte, and goes on.

use bytes::Bytes;
use kafka_protocol::messages::{ApiVersionsRequest, InitProducerIdRequest, ProducerId};
use protocol_tests::node::Node;
use protocol_tests::program::broker;
use protocol_tests::requests::{
    FETCH_VERSION, ask_until, batch_of, create_topic, fetch_request, produce,
};
use uuid::Uuid;

use super::apache::Apache;

/// A topic with records, and what has been read of each partition.
struct Topic {
    name: String,
    id: Uuid,
    partitions: Vec<Bytes>,
}

/// Batches with and without a producer in three partitions, of which one stays empty, over several segments.
fn write(node: &Node, name: &str) -> Topic {
    let mut connection = node.connect();
    let keys = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    let id = create_topic(&mut connection, name, 3, &keys);
    let mut topic = Topic { name: name.to_owned(), id, partitions: Vec::new() };
    append(node, &topic);
    topic.partitions = read(node, id);
    assert!(topic.partitions[0].len() > 1_500_000 && topic.partitions[2].is_empty());
    topic
}

/// Appends to two partitions.
fn append(node: &Node, topic: &Topic) {
    let mut connection = node.connect();
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let id = ask_until(&mut connection, 4, &request, |it| it.error_code == 0).producer_id.0;
    let value = vec![b'v'; 100_000];
    for number in 0..16 {
        let batch = batch_of(&[value.as_slice(), b"short"]).from_producer(id, 0, 2 * number);
        let answer = produce(&mut connection, &topic.name, 0, batch.sealed());
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }
    let answer = produce(&mut connection, &topic.name, 1, batch_of(&[b"one"]).sealed());
    assert_eq!(answer.error_code, 0, "{answer:?}");
}

/// All bytes of the three partitions.
fn read(node: &Node, id: Uuid) -> Vec<Bytes> {
    let mut connection = node.connect();
    let ready = |answer: &kafka_protocol::messages::FetchResponse| {
        answer.responses[0].partitions[0].error_code == 0
    };
    let partition = |index| {
        let mut whole = Vec::new();
        loop {
            let offset = protocol_tests::record_batch::RecordBatch::all(&whole).unwrap();
            let next = |it: &protocol_tests::record_batch::RecordBatch| {
                it.base_offset + i64::from(it.last_offset_delta) + 1
            };
            let offset = offset.last().map_or(0, next);
            let request = fetch_request(id, index, offset);
            let answer = ask_until(&mut connection, FETCH_VERSION, &request, ready);
            let data = answer.responses.into_iter().next().unwrap().partitions.remove(0);
            if data.high_watermark == offset {
                return Bytes::from(whole);
            }
            whole.extend_from_slice(&data.records.unwrap());
        }
    };
    (0..3).map(partition).collect()
}

fn assert_serves(node: &Node, topics: &[Topic], when: &str) {
    assert_eq!(node.connect().ask(0, &ApiVersionsRequest::default()).error_code, 0);
    for topic in topics {
        let partitions = read(node, topic.id);
        for (index, (now, before)) in partitions.iter().zip(&topic.partitions).enumerate() {
            assert!(now == before, "{when}: {}-{index}", topic.name);
        }
    }
}

/// The next broker takes over: it serves all that is there, appends to it, and adds a topic of its own.
fn go_on(node: &mut Node, next: std::path::PathBuf, topics: &mut Vec<Topic>, when: &str) {
    node.restart_as(next);
    assert_serves(node, topics, when);
    append(node, &topics[0]);
    topics[0].partitions = read(node, topics[0].id);
    let name = format!("topic-{}", topics.len());
    topics.push(write(node, &name));
}

/// Ours first, formatted for the release in question, then Apache and ours by turns.
#[test]
fn ours_goes_to_apache_and_back() {
    for apache in Apache::brokers() {
        let mut node = Node::start_release(apache.release());
        let mut topics = vec![write(&node, "topic-0")];
        for round in 0..2 {
            assert_eq!(node.stop().code(), Some(0));
            go_on(&mut node, apache.broker(), &mut topics, apache.version);
            if round == 0 {
                node.stop();
            } else {
                node.kill();
            }
            go_on(&mut node, broker(), &mut topics, "ours again");
        }
        node.kill();
        go_on(&mut node, broker(), &mut topics, "ours after a kill");
    }
}

/// Formatted and used by Apache, left cleanly or killed.
#[test]
fn apaches_goes_to_ours() {
    for apache in Apache::brokers() {
        for end in [|node: &mut Node| drop_status(node.stop()), Node::kill as fn(&mut Node)] {
            let mut node = Node::start_broker(apache.broker());
            let mut topics = vec![write(&node, "topic-0")];
            end(&mut node);
            go_on(&mut node, broker(), &mut topics, apache.version);
            node.stop();
            go_on(&mut node, broker(), &mut topics, "again");
        }
    }
}

/// A JVM ends with the number of the signal.
fn drop_status(_: std::process::ExitStatus) {}
