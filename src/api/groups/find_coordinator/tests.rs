//! Frames as Apache Kafka 4.3.1 answered them, and what the controller is asked.

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::protocol::Encodable as _;

use super::*;
use crate::api::cluster::view::tests::{broker, image, partition, topic};
use crate::api::harness::{Node, broker_config, bytes_of};
use crate::kernel::controller::Request;
use crate::shell::drivers::controller::handle::Message;

/// Broker 1 leads partition 0 of the offsets topic, nobody partition 1, a fenced broker 2, one without the listener
/// partition 3; the transaction topic is not there.
fn node() -> Node {
    let of = |index, leader| partition("__consumer_offsets", index, leader, &[1]).into();
    let topic = topic("__consumer_offsets");
    let brokers = [
        broker(1, &["PLAINTEXT"], false),
        broker(2, &["PLAINTEXT"], true),
        broker(3, &["OTHER"], false),
    ];
    let partitions = [of(0, 1), of(1, -1), of(2, 2), of(3, 3)];
    Node::new(broker_config(), image(brokers.into_iter().chain([topic]).chain(partitions)))
}

fn ask(node: &Node, version: i16, key_type: i8, keys: &[&str]) -> Vec<u8> {
    let keys: Vec<_> = keys.iter().map(|key| text(*key)).collect();
    let request = FindCoordinatorRequest::default().with_key_type(key_type);
    let request = match version {
        ..MIN_BATCHED_VERSION => request.with_key(keys[0].clone()),
        _ => request.with_coordinator_keys(keys),
    };
    let mut body = bytes::BytesMut::new();
    request.encode(&mut body, version).unwrap();
    bytes_of(handle(&node.ctx, &Call::for_test(10, version), body.freeze()))
}

fn frame(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const UNAVAILABLE: &[u8] = b"The coordinator is not available.";
const MALFORMED: &[u8] =
    b"This most likely occurs because of a request being malformed by the client library or \
    the message was sent to an incompatible broker. See the broker logs for more details.";
const NOBODY: &[u8] = &[255, 255, 255, 255, 1, 255, 255, 255, 255];
const BROKER: &[u8] = &[0, 0, 0, 1, 6, b'h', b'o', b's', b't', b'1', 0, 0, 0x23, 0x29];

/// What Apache Kafka 4.3.1 answers, but for the address.
#[tokio::test]
async fn find_coordinator_answers_as_kafka_does() {
    let node = node();
    let check = |version, key_type, keys: &[&str], expected: &[&[u8]]| {
        let answer = ask(&node, version, key_type, keys);
        assert_eq!(answer, frame(expected), "{version} {key_type} {keys:?}");
    };
    let old = [0, 0, 0, 1, 0, 5, b'h', b'o', b's', b't', b'1', 0, 0, 0x23, 0x29];
    check(0, 0, &["d"], &[&[0, 0], &old]);
    for version in [1, 2] {
        check(version, GROUP, &["d"], &[&[0, 0, 0, 0, 0, 0, 0, 4], b"NONE", &old]);
    }
    check(3, GROUP, &["d"], &[&[0, 0, 0, 0, 0, 0, 0, 5], b"NONE", BROKER, &[0]]);
    check(3, GROUP, &[""], &[&[0, 0, 0, 0, 0, 0, 0, 5], b"NONE", BROKER, &[0]]);
    // Keys of partitions 0, 1, 2, 3, and the first again.
    let found = |key: &'static [u8]| [&[key.len() as u8 + 1], key, BROKER, &[0, 0, 1, 0]].concat();
    let lost = |key: &'static [u8]| [&[2], key, NOBODY, &[0, 15, 1, 0]].concat();
    for version in 4..=6 {
        let keys = ["d", "a", "b", "c", "", "d"];
        let parts = [found(b"d"), lost(b"a"), lost(b"b"), lost(b"c"), found(b""), found(b"d")];
        let expected = [&[0, 0, 0, 0, 0, 7], &parts.concat()[..], &[0]].concat();
        check(version, GROUP, &keys, &[&expected]);
        check(version, GROUP, &[], &[&[0, 0, 0, 0, 0, 1, 0]]);
        let expected: &[&[u8]] = &[&[0, 0, 0, 0, 0, 2], &lost(b"t"), &[0]];
        check(version, TRANSACTION, &["t"], expected);
    }
    let head: &[u8] = &[0, 0, 0, 0, 0, 15, 0, 33];
    check(2, TRANSACTION, &["t"], &[head, UNAVAILABLE, &[255, 255, 255, 255, 0, 0], &[255; 4]]);
}

#[tokio::test]
async fn find_coordinator_refuses_types_that_nobody_coordinates() {
    let node = node();
    let check = |version, key_type, keys: &[&str], expected: &[&[u8]]| {
        let answer = ask(&node, version, key_type, keys);
        assert_eq!(answer, frame(expected), "{version} {key_type} {keys:?}");
    };
    let old = [&[255; 4][..], &[0, 0], &[255; 4]].concat();
    check(2, -1, &["a"], &[&[0, 0, 0, 0, 0, 42, 0, 171], MALFORMED, &old]);
    for key_type in [2, 3] {
        let head: &[u8] = &[0, 0, 0, 0, 0, 0, 42, 172, 1];
        check(3, key_type, &["a"], &[head, MALFORMED, NOBODY, &[0]]);
    }
    let refused = |key: &[u8]| [&[2], key, NOBODY, &[0, 42, 172, 1], MALFORMED, &[0]].concat();
    let (a, b) = (refused(b"a"), refused(b"b"));
    check(4, 3, &["a", "b"], &[&[0, 0, 0, 0, 0, 3], &a, &b, &[0]]);
    check(4, 9, &[], &[&[0, 0, 0, 0, 0, 1, 0]]);
    for version in [4, 6] {
        let expected: &[&[u8]] = &[&[0, 0, 0, 0, 0, 2, 2, b'a'], NOBODY, &[0, 42, 1, 0, 0]];
        check(version, SHARE, &["a"], expected);
    }
}

#[tokio::test]
async fn find_coordinator_has_its_topic_made_once_at_a_time() {
    let node = node();
    let asked = || match node.asked.try_recv() {
        Ok(Message::Call(call)) => match call.request {
            Request::CreateTopics(request) => request.topics,
            other => panic!("{other:?}"),
        },
        _ => Vec::new(),
    };
    ask(&node, 4, GROUP, &["d"]);
    ask(&node, 4, TRANSACTION, &[]);
    tokio::task::yield_now().await;
    assert!(asked().is_empty(), "one is there, none is needed");
    for _ in 0..2 {
        ask(&node, 4, TRANSACTION, &["t", "u"]);
        tokio::task::yield_now().await;
    }
    let topics: Vec<CreatableTopic> = asked();
    let [made] = &topics[..] else { panic!("{topics:?}") };
    assert_eq!((made.num_partitions, made.replication_factor), (50, 3), "as configured");
    let set = made.configs.iter().map(|set| (set.name.as_str(), set.value.as_deref()));
    assert_eq!(
        set.collect::<Vec<_>>(),
        [
            ("unclean.leader.election.enable", Some("false")),
            ("compression.type", Some("uncompressed")),
            ("cleanup.policy", Some("compact")),
            ("min.insync.replicas", Some("2")),
            ("segment.bytes", Some("104857600")),
        ]
    );
    assert!(asked().is_empty(), "it was in the making");
}
