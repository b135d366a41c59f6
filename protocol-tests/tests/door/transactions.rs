//! Rows 44 and 69 to 71: transactional ids, epochs and states that are not right. What each version answers byte for byte
//! is in the golden frames; here is what may not be believed, what it costs, and what stays.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest, InitProducerIdRequest,
    ProducerId, WriteTxnMarkersRequest,
};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{
    ask_until, batch_of, create_topic, fetch, produce_request, topic_name,
};

use super::coordinators::{init, producer, transactional_id};
use super::{assert_growth_below, assert_served, error};

/// The attribute of a batch of a transaction.
const TRANSACTIONAL: i16 = 1 << 4;

/// Who produces.
#[derive(Clone, Copy)]
pub struct Producer {
    transactional_id: &'static str,
    pub id: i64,
    epoch: i16,
}

impl Producer {
    pub fn new(connection: &mut Connection, transactional_id: &'static str) -> Self {
        let answer = producer(connection, transactional_id);
        assert_eq!(answer.error_code, 0, "{answer:?}");
        Self { transactional_id, id: answer.producer_id.0, epoch: answer.producer_epoch }
    }

    pub fn at(self, epoch: i16) -> Self {
        Self { epoch, ..self }
    }

    /// Error and base offset of a batch of one record.
    pub fn write(
        self,
        connection: &mut Connection,
        version: i16,
        topic: &str,
        sequence: i32,
    ) -> (i16, i64) {
        self.write_as(connection, version, Some(self.transactional_id), topic, sequence)
    }

    /// Of a record that is from this time.
    pub fn write_at(
        self,
        connection: &mut Connection,
        version: i16,
        topic: &str,
        timestamp: i64,
    ) -> (i16, i64) {
        let batch = RecordBatch::new(timestamp).record(None, Some(b"v"));
        self.send(connection, version, Some(self.transactional_id), topic, (batch, 0))
    }

    fn write_as(
        self,
        connection: &mut Connection,
        version: i16,
        transactional: Option<&str>,
        topic: &str,
        sequence: i32,
    ) -> (i16, i64) {
        self.send(connection, version, transactional, topic, (batch_of(&[b"v"]), sequence))
    }

    fn send(
        self,
        connection: &mut Connection,
        version: i16,
        transactional: Option<&str>,
        topic: &str,
        (batch, sequence): (RecordBatch, i32),
    ) -> (i16, i64) {
        let mut batch = batch.from_producer(self.id, self.epoch, sequence);
        batch.attributes = TRANSACTIONAL;
        let request = produce_request(topic, 0, Some(batch.sealed().into()))
            .with_transactional_id(transactional.map(transactional_id));
        let answer = connection.ask(version, &request);
        let partition = &answer.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    fn add(self, connection: &mut Connection, topic: &str) -> i16 {
        let topic = AddPartitionsToTxnTopic::default().with_name(topic_name(topic));
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(transactional_id(self.transactional_id))
            .with_v3_and_below_producer_id(ProducerId(self.id))
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic.with_partitions(vec![0])]);
        // Apache may still be writing the markers of the transaction before.
        let code = |answer: &kafka_protocol::messages::AddPartitionsToTxnResponse| {
            let topics = &answer.results_by_topic_v3_and_below;
            topics[0].results_by_partition[0].partition_error_code
        };
        let is_settled = |answer: &_| code(answer) != error::CONCURRENT_TRANSACTIONS;
        code(&ask_until(connection, 3, &request, is_settled))
    }

    /// Error, and the producer's next epoch as far as it is told.
    pub fn end(self, connection: &mut Connection, version: i16, committed: bool) -> (i16, i16) {
        let request = EndTxnRequest::default()
            .with_transactional_id(transactional_id(self.transactional_id))
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_committed(committed);
        let is_settled = |answer: &kafka_protocol::messages::EndTxnResponse| {
            answer.error_code != error::CONCURRENT_TRANSACTIONS
        };
        let answer = ask_until(connection, version, &request, is_settled);
        (answer.error_code, answer.producer_epoch)
    }
}

/// 44: the bit alone makes no transaction, and nothing of it is kept.
#[test]
fn a_transactional_batch_needs_its_transaction() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "needs", 1, &[]);
    let p = Producer::new(&mut connection, "needs");
    // No id; an id in the request, whose transaction does not have the partition; somebody else's id.
    for version in [9, 10, 11, 12] {
        let refused = p.write_as(&mut connection, version, None, "needs", 0);
        assert_eq!(refused, (error::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1));
    }
    assert_eq!(p.write(&mut connection, 10, "needs", 0), (error::INVALID_TXN_STATE, -1));
    assert_eq!(p.write(&mut connection, 11, "needs", 0), (error::TRANSACTION_ABORTABLE, -1));
    for version in [10, 11, 12] {
        let foreign = p.write_as(&mut connection, version, Some("nobody"), "needs", 0);
        assert_eq!(foreign, (error::INVALID_PRODUCER_ID_MAPPING, -1), "{version}");
        let fenced = p.at(p.epoch + 1).write(&mut connection, version, "needs", 0);
        assert_eq!(fenced, (error::INVALID_PRODUCER_EPOCH, -1), "{version}");
    }
    assert_eq!(fetch(&mut connection, topic, 0, 0).high_watermark, 0);
    // A client of version 2 need not say so before.
    assert_eq!(p.write(&mut connection, 12, "needs", 0), (0, 0));
    assert_eq!(p.end(&mut connection, 5, true).0, 0);
    assert_served(&node);
}

/// 44: a transactional record outside of any transaction, after one has ended, is refused (KIP-890): it would hold up
/// readers for ever.
#[test]
fn what_comes_after_the_end_is_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "after", 1, &[]);
    let p = Producer::new(&mut connection, "after");
    assert_eq!(p.add(&mut connection, "after"), 0);
    assert_eq!(p.write(&mut connection, 11, "after", 0), (0, 0));
    assert_eq!(p.end(&mut connection, 4, true).0, 0);
    let end =
        |data: kafka_protocol::messages::fetch_response::PartitionData| data.last_stable_offset;
    while end(fetch(&mut connection, topic, 0, 0)) != 2 {}
    // The coordinator may still be about to note that the marker is written; an old client is told to come again then.
    let old = |connection: &mut Connection| p.write(connection, 10, "after", 1);
    let mut answer = old(&mut connection);
    while answer == (error::NOT_ENOUGH_REPLICAS, -1) {
        answer = old(&mut connection);
    }
    assert_eq!(answer, (error::INVALID_TXN_STATE, -1));
    assert_eq!(p.write(&mut connection, 11, "after", 1), (error::TRANSACTION_ABORTABLE, -1));
    assert_eq!(end(fetch(&mut connection, topic, 0, 0)), 2);
}

/// 69
#[test]
fn an_init_that_makes_no_sense_is_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    producer(&mut connection, "init");
    let mut refused = |request: InitProducerIdRequest| connection.ask(4, &request).error_code;
    assert_eq!(refused(init("")), error::INVALID_REQUEST);
    for timeout_ms in [0, -1, i32::MIN, 900_001, i32::MAX] {
        let request = init("init").with_transaction_timeout_ms(timeout_ms);
        assert_eq!(refused(request), error::INVALID_TRANSACTION_TIMEOUT, "{timeout_ms}");
    }
    let of = |id, epoch| init("init").with_producer_id(ProducerId(id)).with_producer_epoch(epoch);
    // Half of what a producer has, and what none has.
    assert_eq!(refused(of(7, -1)), error::INVALID_REQUEST);
    assert_eq!(refused(of(-1, 7)), error::INVALID_REQUEST);
    assert_eq!(refused(of(-5, -5)), error::PRODUCER_FENCED);
    // The longest text that there is.
    assert_eq!(refused(init(&"i".repeat(32_767))), 0);
    assert_served(&node);
}

/// 69: ids cost what their records cost, up to a bound; and they expire.
#[test]
fn transactional_ids_take_bounded_memory_and_expire() {
    let node = Node::start_with(&[
        ("transaction.state.log.num.partitions", "1"),
        ("transactional.id.expiration.ms", "1000"),
        ("transaction.remove.expired.transaction.cleanup.interval.ms", "100"),
    ]);
    let mut connection = node.connect();
    producer(&mut connection, "first");
    let long = "l".repeat(32_000);
    assert_growth_below(&node, 64, || {
        for number in 0..2500 {
            let id = if number % 2 == 0 { format!("{number}{long}") } else { number.to_string() };
            let code = connection.ask(4, &init(&id)).error_code;
            assert!([0, error::COORDINATOR_NOT_AVAILABLE].contains(&code), "{number}: {code}");
        }
    });
    for id in ["first", "2499"] {
        let ids = vec![transactional_id(id)];
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(ids);
        ask_until(&mut connection, 0, &describe, |answer| {
            answer.transaction_states[0].error_code == error::TRANSACTIONAL_ID_NOT_FOUND
        });
    }
    // And there is room again.
    let after = init(&format!("after{long}"));
    ask_until(&mut connection, 4, &after, |answer| answer.error_code == 0);
}

/// 70: transactions of versions 0 and 1, in which the epoch stays.
#[test]
fn an_end_has_the_right_id_epoch_and_state() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "ends", 1, &[]);
    let p = Producer::new(&mut connection, "ends");
    let nobody = Producer { transactional_id: "nobody", ..p };
    let other = Producer { id: p.id + 1000, ..p };
    for version in 0..=4 {
        let fenced =
            if version < 2 { error::INVALID_PRODUCER_EPOCH } else { error::PRODUCER_FENCED };
        // Nothing is open: what could be ended?
        if version == 0 {
            assert_eq!(p.end(&mut connection, 0, true).0, error::INVALID_TXN_STATE);
            assert_eq!(p.end(&mut connection, 0, false).0, error::INVALID_TXN_STATE);
        }
        assert_eq!(p.add(&mut connection, "ends"), 0);
        for wrong in [nobody, other] {
            let refused = wrong.end(&mut connection, version, true).0;
            assert_eq!(refused, error::INVALID_PRODUCER_ID_MAPPING, "{version}");
            assert_eq!(wrong.add(&mut connection, "ends"), error::INVALID_PRODUCER_ID_MAPPING);
        }
        for wrong in [p.at(p.epoch + 1), p.at(p.epoch - 1)] {
            assert_eq!(wrong.end(&mut connection, version, true).0, fenced, "{version}");
            assert_eq!(wrong.add(&mut connection, "ends"), error::PRODUCER_FENCED);
        }
        // The same decision once more is no mistake: its answer was lost. The opposite is one.
        let committed = version % 2 == 0;
        assert_eq!(p.end(&mut connection, version, committed).0, 0);
        assert_eq!(p.end(&mut connection, version, committed).0, 0);
        assert_eq!(p.end(&mut connection, version, !committed).0, error::INVALID_TXN_STATE);
    }
    assert_served(&node);
}

/// 70: of version 2, in which each transaction has an epoch of its own: what comes late decides nothing (KAFKA-17754).
#[test]
fn a_late_end_does_not_decide_the_next_transaction() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "late", 1, &[]);
    let mut p = Producer::new(&mut connection, "late");
    let mut offset = 0;
    for committed in [true, false] {
        assert_eq!(p.write(&mut connection, 12, "late", 0), (0, offset));
        let wrong = p.at(p.epoch + 1).end(&mut connection, 5, committed);
        assert_eq!(wrong.0, error::PRODUCER_FENCED);
        let (code, epoch) = p.end(&mut connection, 5, committed);
        assert_eq!((code, epoch), (0, p.epoch + 1));
        // Its answer was lost: it is given again, and the opposite is not.
        assert_eq!(p.end(&mut connection, 5, committed), (0, epoch));
        assert_eq!(p.end(&mut connection, 5, !committed).0, error::INVALID_TXN_STATE);
        let next = p.at(epoch);
        assert_eq!(next.write(&mut connection, 12, "late", 0), (0, offset + 2));
        for decision in [true, false] {
            assert_eq!(p.end(&mut connection, 5, decision).0, error::PRODUCER_FENCED);
        }
        // Still open.
        assert_eq!(fetch(&mut connection, topic, 0, 0).last_stable_offset, offset + 2);
        let (code, epoch) = next.end(&mut connection, 5, !committed);
        assert_eq!(code, 0);
        (p, offset) = (next.at(epoch), offset + 4);
    }
    assert_served(&node);
}

/// 71: a coordinator that is over ends nothing; an end that comes twice is one (KAFKA-19999).
#[test]
fn a_marker_of_a_coordinator_that_is_over_is_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "markers", 1, &[]);
    let p = Producer::new(&mut connection, "markers");
    assert_eq!(p.add(&mut connection, "markers"), 0);
    assert_eq!(p.write(&mut connection, 11, "markers", 0), (0, 0));
    let mut mark = |producer: Producer, coordinator_epoch: i32, name: &str| {
        let topic = WritableTxnMarkerTopic::default().with_name(topic_name(name));
        let marker = WritableTxnMarker::default()
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_transaction_result(true)
            .with_coordinator_epoch(coordinator_epoch)
            .with_topics(vec![topic.with_partition_indexes(vec![0])]);
        let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
        let answer = connection.ask(1, &request);
        answer.markers[0].topics[0].partitions[0].error_code
    };
    assert_eq!(mark(p, 5, "unknown"), error::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(mark(p, 5, "markers"), 0);
    assert_eq!(mark(p, 5, "markers"), 0);
    assert_eq!(mark(p, 4, "markers"), error::TRANSACTION_COORDINATOR_FENCED);
    assert_eq!(mark(p.at(p.epoch + 1), 6, "markers"), 0);
    assert_eq!(mark(p, 6, "markers"), error::INVALID_PRODUCER_EPOCH);
    let data = fetch(&mut connection, topic, 0, 0);
    assert_eq!(data.last_stable_offset, data.high_watermark);
    // What the transaction's own coordinator decides later changes nothing for the partition.
    let ended = p.end(&mut connection, 4, true).0;
    assert_eq!(ended, 0);
    assert!(is_foreign() || fetch(&mut connection, topic, 0, 0).high_watermark >= 4);
    assert_served(&node);
}
