//! Transactions of librdkafka, which works by version 1 of them: `AddPartitionsToTxn`, `AddOffsetsToTxn`, `EndTxn` without
//! a bump.

use std::time::Duration;

use protocol_tests::node::Node;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::librdkafka::{Sent, assert_no_more, config, consumer, create, enqueue, take};

const LIMIT: Duration = Duration::from_mins(1);
const COMMITTED: [(&str, &str); 1] = [("isolation.level", "read_committed")];

fn producer(node: &Node, id: &str) -> BaseProducer {
    let producer: BaseProducer = config(node, &[("transactional.id", id)]).create().unwrap();
    producer.init_transactions(LIMIT).unwrap();
    producer
}

fn values(taken: Vec<(i32, i64, Sent)>) -> Vec<String> {
    let mut values: Vec<_> = taken
        .into_iter()
        .map(|(_, _, sent)| String::from_utf8(sent.value.unwrap()).unwrap())
        .collect();
    values.sort();
    values
}

#[test]
fn what_is_committed_is_seen_and_nothing_else() {
    let node = Node::start();
    create(&node, "t", 3, &[]);
    let producer = producer(&node, "id");
    let mut expected = Vec::new();
    for round in 0..10 {
        producer.begin_transaction().unwrap();
        for number in 0..5 {
            let value = format!("{round}-{number}");
            enqueue(&producer, "t", number % 3, &Sent::value(value.clone()));
            if round % 2 == 0 {
                expected.push(value);
            }
        }
        if round % 2 == 0 {
            producer.commit_transaction(LIMIT).unwrap();
        } else {
            producer.flush(LIMIT).unwrap();
            producer.abort_transaction(LIMIT).unwrap();
        }
    }
    let committed = consumer(&node, &COMMITTED, "t", 3);
    assert_eq!(values(take(&committed, expected.len())), expected);
    assert_no_more(&committed);
    // Those who take everything get what was aborted, too.
    let all = consumer(&node, &[("isolation.level", "read_uncommitted")], "t", 3);
    assert_eq!(take(&all, 50).len(), 50);
    // What is open is not seen before it is committed.
    producer.begin_transaction().unwrap();
    enqueue(&producer, "t", 0, &Sent::value("open"));
    producer.flush(LIMIT).unwrap();
    assert_no_more(&committed);
    producer.commit_transaction(LIMIT).unwrap();
    assert_eq!(values(take(&committed, 1)), ["open"]);
}

#[test]
fn a_second_producer_fences_the_first() {
    let node = Node::start();
    create(&node, "t", 1, &[]);
    let first = producer(&node, "id");
    first.begin_transaction().unwrap();
    enqueue(&first, "t", 0, &Sent::value("lost"));
    first.flush(LIMIT).unwrap();
    let second = producer(&node, "id");
    let refused = first.commit_transaction(LIMIT).unwrap_err();
    let KafkaError::Transaction(error) = refused else { panic!("{refused}") };
    assert!(error.is_fatal() && error.code() == RDKafkaErrorCode::Fenced, "{error}");
    second.begin_transaction().unwrap();
    enqueue(&second, "t", 0, &Sent::value("kept"));
    second.commit_transaction(LIMIT).unwrap();
    let committed = consumer(&node, &COMMITTED, "t", 1);
    assert_eq!(values(take(&committed, 1)), ["kept"]);
    assert_no_more(&committed);
}

/// Offsets count with the transaction that they are part of.
#[test]
fn offsets_are_part_of_a_transaction() {
    let node = Node::start();
    create(&node, "t", 1, &[]);
    let group: BaseConsumer =
        config(&node, &[("group.id", "g"), ("enable.auto.commit", "false")]).create().unwrap();
    let producer = producer(&node, "id");
    let committed = |group: &BaseConsumer| {
        let mut asked = TopicPartitionList::new();
        asked.add_partition("t", 0);
        let told = group.committed_offsets(asked, LIMIT).unwrap();
        told.elements()[0].offset().to_raw()
    };
    let metadata = group.group_metadata().unwrap();
    let mut before = committed(&group);
    for (offset, commit) in [(5, true), (9, false), (7, true)] {
        producer.begin_transaction().unwrap();
        enqueue(&producer, "t", 0, &Sent::value("v"));
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
        producer.send_offsets_to_transaction(&offsets, &metadata, LIMIT).unwrap();
        if commit {
            producer.commit_transaction(LIMIT).unwrap();
            before = Some(offset);
        } else {
            producer.flush(LIMIT).unwrap();
            producer.abort_transaction(LIMIT).unwrap();
        }
        assert_eq!(committed(&group), before);
    }
}

/// One that is open when the node is killed ends as its producer wants, with its offsets.
#[test]
fn transactions_end_after_kills() {
    let mut node = Node::start();
    create(&node, "t", 1, &[]);
    let keys = [("group.id", "g"), ("enable.auto.commit", "false")];
    let group: BaseConsumer = config(&node, &keys).create().unwrap();
    let metadata = group.group_metadata().unwrap();
    let producer = producer(&node, "id");
    let mut asked = TopicPartitionList::new();
    asked.add_partition("t", 0);
    let (mut expected, mut committed) = (Vec::new(), None);
    for (offset, value, commit) in [(3, "a", true), (5, "not b", false), (7, "c", true)] {
        producer.begin_transaction().unwrap();
        enqueue(&producer, "t", 0, &Sent::value(value));
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
        producer.send_offsets_to_transaction(&offsets, &metadata, LIMIT).unwrap();
        producer.flush(LIMIT).unwrap();
        node.kill();
        node.restart();
        if commit {
            producer.commit_transaction(LIMIT).unwrap();
            expected.push(value);
            committed = Some(offset);
        } else {
            producer.abort_transaction(LIMIT).unwrap();
        }
        let told = group.committed_offsets(asked.clone(), LIMIT).unwrap();
        assert_eq!(told.elements()[0].offset().to_raw(), committed);
    }
    let reader = consumer(&node, &COMMITTED, "t", 1);
    assert_eq!(values(take(&reader, expected.len())), expected);
    assert_no_more(&reader);
}
