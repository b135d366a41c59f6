//! Rows 42 and 43: producers' ids, epochs and sequences.

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::requests::{all_batches, ask_until, batch_of, create_topic, produce};
use uuid::Uuid;

use super::error;

/// A new id, which is never given out again.
fn new_producer_id(connection: &mut Connection) -> i64 {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    // Apache has to fetch a block of ids first: COORDINATOR_LOAD_IN_PROGRESS.
    let answer = ask_until(connection, 4, &request, |answer| answer.error_code != 14);
    assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
    answer.producer_id.0
}

struct Producer {
    connection: Connection,
    topic: &'static str,
    id: i64,
}

impl Producer {
    fn new(node: &Node, topic: &'static str) -> (Self, Uuid) {
        let mut connection = node.connect();
        let topic_id = create_topic(&mut connection, topic, 1, &[]);
        let id = new_producer_id(&mut connection);
        (Self { connection, topic, id }, topic_id)
    }

    /// Sends as many records as there are numbers from `sequence`; error and base offset.
    fn send(&mut self, epoch: i16, sequence: i32, records: usize) -> (i16, i64) {
        let values = vec![b"v".as_slice(); records];
        let batch = batch_of(&values).from_producer(self.id, epoch, sequence).sealed();
        let answer = produce(&mut self.connection, self.topic, 0, batch);
        (answer.error_code, answer.base_offset)
    }
}

#[test]
fn ids_are_given_out_once() {
    let node = Node::shared();
    let mut connection = node.connect();
    let mut ids: Vec<_> = (0..50).map(|_| new_producer_id(&mut connection)).collect();
    ids.dedup();
    assert!(ids.len() == 50 && ids.is_sorted());
}

/// 43: a repeated batch is acknowledged with the offset that it got first.
#[test]
fn the_last_five_batches_are_known() {
    let node = Node::shared();
    let (mut producer, topic_id) = Producer::new(&node, "window");
    for number in 0..7 {
        assert_eq!(producer.send(0, number * 3, 3), (0, i64::from(number) * 3));
    }
    for number in 2..7 {
        assert_eq!(producer.send(0, number * 3, 3), (0, i64::from(number) * 3), "{number}");
    }
    assert_eq!(all_batches(&mut node.connect(), topic_id, 0).len(), 7);
}

/// 43: an older one is not known any more.
#[test]
fn a_batch_before_the_last_five_is_out_of_order() {
    let node = Node::shared();
    let (mut producer, _) = Producer::new(&node, "older");
    for number in 0..7 {
        producer.send(0, number, 1);
    }
    for number in [0, 1] {
        assert_eq!(producer.send(0, number, 1), (error::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    }
}

/// 42
#[test]
fn a_gap_is_out_of_order() {
    let node = Node::shared();
    let (mut producer, _) = Producer::new(&node, "gaps");
    assert_eq!(producer.send(0, 0, 2), (0, 0));
    for sequence in [1, 3, 100] {
        let expected = (error::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
        assert_eq!(producer.send(0, sequence, 2), expected, "{sequence}");
    }
    assert_eq!(producer.send(0, 2, 2), (0, 2));
}

/// 42: a new epoch begins at 0, and the old one is over.
#[test]
fn an_old_epoch_is_fenced() {
    let node = Node::shared();
    let (mut producer, _) = Producer::new(&node, "epochs");
    assert_eq!(producer.send(1, 0, 1), (0, 0));
    assert_eq!(producer.send(0, 1, 1), (error::INVALID_PRODUCER_EPOCH, -1));
    assert_eq!(producer.send(2, 1, 1), (error::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(producer.send(2, 0, 1), (0, 1));
}

/// 42
#[test]
fn a_producer_without_a_sequence_is_invalid() {
    let node = Node::shared();
    let (mut producer, _) = Producer::new(&node, "no-sequence");
    assert_eq!(producer.send(0, -1, 1), (error::INVALID_RECORD, -1));
    assert_eq!(producer.send(0, 0, 1), (0, 0));
}

/// 43: the number after the largest is 0.
#[test]
fn sequences_wrap_to_zero() {
    let node = Node::shared();
    let (mut producer, _) = Producer::new(&node, "wrap");
    // A producer that nobody knows may begin anywhere: its state may have expired.
    assert_eq!(producer.send(0, i32::MAX - 1, 2), (0, 0));
    assert_eq!(producer.send(0, 0, 2), (0, 2));
    assert_eq!(producer.send(0, 2, 1), (0, 4));
}

/// 43: inside one batch as well.
#[test]
fn a_batch_may_span_the_wrap() {
    let node = Node::shared();
    let (mut producer, _) = Producer::new(&node, "span");
    assert_eq!(producer.send(0, i32::MAX - 1, 4), (0, 0));
    assert_eq!(producer.send(0, 2, 1), (0, 4));
    assert_eq!(producer.send(0, i32::MAX - 1, 4), (0, 0));
}

/// What the broker knows of producers outlives it, whether it was stopped or killed.
#[test]
fn batches_are_known_after_a_restart() {
    let mut node = Node::start();
    let (mut producer, topic_id) = Producer::new(&node, "restart");
    for number in 0..3 {
        assert_eq!(producer.send(0, number, 1), (0, i64::from(number)));
    }
    // Of the five, the last one is what a snapshot has.
    let kill: fn(&mut Node) = Node::kill;
    let stop: fn(&mut Node) = |node| assert!(node.stop().code().is_some());
    for end in [kill, stop] {
        end(&mut node);
        node.restart();
        producer.connection = node.connect();
        assert_eq!(producer.send(0, 2, 1), (0, 2));
        assert_eq!(producer.send(0, 7, 1), (error::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
        assert!(new_producer_id(&mut producer.connection) > producer.id);
    }
    assert_eq!(producer.send(0, 3, 1), (0, 3));
    assert_eq!(all_batches(&mut producer.connection, topic_id, 0).len(), 4);
}
