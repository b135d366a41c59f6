//! What a transactional producer says: InitProducerId with a transactional id, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn
//! and TxnOffsetCommit. Producer ids are those that a new node gives out.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::AddPartitionsToTxnTopicResult;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    DescribeTransactionsRequest, EndTxnRequest, FindCoordinatorRequest, GroupId,
    InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, ProducerId, TransactionalId,
    TxnOffsetCommitRequest,
};
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{ask_until, text, topic_name};

use super::script::Script;

const READY_LIMIT: Duration = Duration::from_mins(1);
/// When the records are from: so old that it is no time of today.
pub const TIMESTAMP: i64 = 1_700_000_000_000;
/// A batch of a transaction.
const TRANSACTIONAL: i16 = 1 << 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Who produces, and in which life.
#[derive(Clone, Copy)]
pub struct Producer {
    pub transactional_id: &'static str,
    pub id: i64,
    pub epoch: i16,
}

impl Producer {
    /// Another epoch.
    pub fn at(self, epoch: i16) -> Self {
        Self { epoch, ..self }
    }

    /// Another producer id.
    fn named(self, id: i64) -> Self {
        Self { id, ..self }
    }
}

pub fn transactional_id(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

/// Begins a conversation with a node that coordinates transactions and groups by now.
pub fn begin(name: &'static str) -> Script {
    let script = Script::begin_with(
        name,
        &[
            ("transaction.state.log.num.partitions", "1"),
            ("offsets.topic.num.partitions", "1"),
            ("offset.metadata.max.bytes", "10"),
        ],
    );
    let mut connection = script.node.connect();
    for kind in [TRANSACTION, GROUP] {
        let find = FindCoordinatorRequest::default().with_key_type(kind);
        let find = find.with_coordinator_keys(vec![text("warm")]);
        ask_until(&mut connection, 4, &find, |answer| answer.coordinators[0].error_code == 0);
    }
    ask_until(&mut connection, 5, &init("warm"), |answer| answer.error_code == 0);
    let fetch = OffsetFetchRequest::default().with_group_id(GroupId(text("warm")));
    ask_until(&mut connection, 7, &fetch, |answer| answer.error_code == 0);
    script
}

fn init(id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional_id(id)))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

fn recover(producer: Producer) -> InitProducerIdRequest {
    init(producer.transactional_id)
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
}

/// A producer with a transactional id, made in the conversation.
pub fn producer(script: &mut Script, transactional_id: &'static str) -> Producer {
    let answer = script.ask(4, &init(transactional_id));
    assert_eq!(answer.error_code, 0);
    Producer { transactional_id, id: answer.producer_id.0, epoch: answer.producer_epoch }
}

fn topics(topics: &[(&str, &[i32])]) -> Vec<AddPartitionsToTxnTopic> {
    let topic = |(name, partitions): &(&str, &[i32])| {
        AddPartitionsToTxnTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.to_vec())
    };
    topics.iter().map(topic).collect()
}

fn add(producer: Producer, asked: &[(&str, &[i32])]) -> AddPartitionsToTxnRequest {
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional_id(producer.transactional_id))
        .with_v3_and_below_producer_id(ProducerId(producer.id))
        .with_v3_and_below_producer_epoch(producer.epoch)
        .with_v3_and_below_topics(topics(asked))
}

/// Kafka answers in the order of a hash table.
fn sort_added(answer: &mut AddPartitionsToTxnResponse) {
    let sort = |topics: &mut Vec<AddPartitionsToTxnTopicResult>| {
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        for topic in topics {
            topic.results_by_partition.sort_by_key(|partition| partition.partition_index);
        }
    };
    sort(&mut answer.results_by_topic_v3_and_below);
    let transactions = &mut answer.results_by_transaction;
    transactions.sort_by(|one, other| one.transactional_id.cmp(&other.transactional_id));
    for transaction in transactions {
        sort(&mut transaction.topic_results);
    }
}

/// Makes these partitions part of the transaction, in the conversation.
pub fn add_partitions(
    script: &mut Script,
    version: i16,
    producer: Producer,
    asked: &[(&str, &[i32])],
) {
    script.ask_hiding(version, &add(producer, asked), sort_added);
}

pub fn end(producer: Producer, committed: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(transactional_id(producer.transactional_id))
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(committed)
}

/// Waits until no markers of this id are under way: Kafka writes them after it has answered.
pub fn settle(script: &Script, id: &str) {
    let request =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional_id(id)]);
    let mut connection = script.node.connect();
    let deadline = Instant::now() + READY_LIMIT;
    loop {
        let answer = connection.ask(0, &request);
        let state = &answer.transaction_states[0].transaction_state;
        if !state.starts_with("Prepare") {
            return;
        }
        assert!(Instant::now() < deadline, "{state}");
    }
}

/// One record of the transaction. Versions before 12 want the partition to be part of it.
pub fn produce(
    script: &mut Script,
    version: i16,
    producer: Producer,
    to: (&str, i32),
    sequence: i32,
) {
    let mut batch = RecordBatch::new(TIMESTAMP).record(None, Some(b"v")).from_producer(
        producer.id,
        producer.epoch,
        sequence,
    );
    batch.attributes = TRANSACTIONAL;
    let data = PartitionProduceData::default().with_index(to.1);
    let data = data.with_records(Some(Bytes::from(batch.sealed())));
    let topic = TopicProduceData::default().with_name(topic_name(to.0));
    let request = ProduceRequest::default()
        .with_transactional_id(Some(transactional_id(producer.transactional_id)))
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic.with_partition_data(vec![data])]);
    script.ask(version, &request);
}

#[test]
fn init_producer_id_with_a_transactional_id() {
    const IDS: [&str; 6] = ["v0", "v1", "v2", "v3", "v4", "v5"];
    let mut script = begin("init-transactional-producer");
    script.topic("t", 1, &[]);
    for (version, id) in (0..).zip(IDS) {
        let ask = |script: &mut Script, request: &InitProducerIdRequest| {
            let answer = script.ask(version, request);
            Producer {
                transactional_id: id,
                id: answer.producer_id.0,
                epoch: answer.producer_epoch,
            }
        };
        for timeout_ms in [0, -1, i32::MIN, 900_001, i32::MAX] {
            ask(&mut script, &init(id).with_transaction_timeout_ms(timeout_ms));
        }
        ask(&mut script, &init(id));
        let mut producer = ask(&mut script, &init(id).with_transaction_timeout_ms(900_000));
        if version >= 3 {
            // What the producer has; what it had; what it never had; half of it; somebody else's.
            producer = ask(&mut script, &recover(producer));
            let before = producer.at(producer.epoch - 1);
            producer = ask(&mut script, &recover(before));
            ask(&mut script, &recover(producer.at(0)));
            ask(&mut script, &recover(producer.at(producer.epoch + 1)));
            ask(&mut script, &recover(producer.at(-1)));
            ask(&mut script, &recover(producer.at(-2)));
            ask(&mut script, &recover(producer.at(i16::MAX)));
            ask(&mut script, &recover(producer.named(-1)));
            ask(&mut script, &recover(producer.named(-2)));
            ask(&mut script, &recover(producer.named(producer.id + 100)));
            ask(&mut script, &recover(Producer { transactional_id: "unknown", ..producer }));
        }
        // While a transaction is open: it is aborted first.
        add_partitions(&mut script, 3, producer, &[("t", &[0])]);
        ask(&mut script, &init(id));
        settle(&script, id);
        let next = ask(&mut script, &init(id));
        add_partitions(&mut script, 3, producer, &[("t", &[0])]);
        add_partitions(&mut script, 3, next, &[("t", &[0])]);
        if version >= 3 {
            ask(&mut script, &recover(next));
            settle(&script, id);
            ask(&mut script, &recover(next));
            ask(&mut script, &recover(next));
        }
    }
    script.end();
}

#[test]
fn add_partitions_to_txn() {
    let mut script = begin("add-partitions-to-txn");
    script.topic("a", 2, &[]);
    script.topic("b", 1, &[]);
    let p = producer(&mut script, "p");
    for version in 0..=3 {
        let all: &[&[(&str, &[i32])]] = &[
            &[],
            &[("a", &[])],
            &[("a", &[0])],
            &[("a", &[0, 0, 1]), ("b", &[0]), ("a", &[1])],
            // What does not exist keeps the rest out.
            &[("a", &[0, 7, 0, 7]), ("unknown", &[0]), ("b", &[0])],
            &[("a", &[-1])],
            &[("", &[0])],
            &[("__consumer_offsets", &[0])],
        ];
        for asked in all {
            add_partitions(&mut script, version, p, asked);
        }
        let asked: &[(&str, &[i32])] = &[("a", &[1])];
        for wrong in [
            p.at(p.epoch + 1),
            p.at(p.epoch - 1),
            p.named(p.id + 1),
            p.named(-1),
            Producer { transactional_id: "unknown", ..p },
            Producer { transactional_id: "", ..p },
        ] {
            add_partitions(&mut script, version, wrong, asked);
        }
        script.ask(1, &end(p, version % 2 == 0));
        settle(&script, "p");
    }
    script.end();
}

/// Versions 4 and 5 are for brokers: several transactions, and questions.
#[test]
fn add_partitions_to_several_transactions() {
    let mut script = begin("add-partitions-to-txns");
    script.topic("a", 2, &[]);
    let (p, q) = (producer(&mut script, "p"), producer(&mut script, "q"));
    let of = |producer: Producer, verify_only, asked: &[(&str, &[i32])]| {
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(transactional_id(producer.transactional_id))
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_verify_only(verify_only)
            .with_topics(topics(asked))
    };
    for version in [4, 5] {
        let mut ask = |transactions: Vec<AddPartitionsToTxnTransaction>| {
            let request = AddPartitionsToTxnRequest::default().with_transactions(transactions);
            script.ask_hiding(version, &request, sort_added);
        };
        // None at all is what Kafka never answers.
        ask(vec![of(p, true, &[("a", &[0])])]);
        ask(vec![of(p, false, &[("a", &[0])]), of(q, true, &[("a", &[0, 1])])]);
        ask(vec![of(p, true, &[("a", &[0, 1])]), of(q, false, &[("a", &[1])])]);
        ask(vec![of(p, true, &[])]);
        ask(vec![of(p, false, &[("a", &[5]), ("unknown", &[0])])]);
        ask(vec![of(p, true, &[("a", &[5]), ("unknown", &[0]), ("a", &[0])])]);
        for verify_only in [true, false] {
            let twice: &[(&str, &[i32])] = &[("a", &[0, 0, 1]), ("a", &[1])];
            ask(vec![of(p, verify_only, twice)]);
            ask(vec![of(p, verify_only, &[("__consumer_offsets", &[0])])]);
            ask(vec![of(p.at(9), verify_only, &[("a", &[0])])]);
            ask(vec![of(p.named(99), verify_only, &[("a", &[0])])]);
            let unknown = Producer { transactional_id: "unknown", ..p };
            ask(vec![of(unknown, verify_only, &[("a", &[0])])]);
            let unnamed = Producer { transactional_id: "", ..p };
            ask(vec![of(unnamed, verify_only, &[("a", &[0])])]);
        }
        for one in [p, q] {
            script.ask(1, &end(one, true));
            settle(&script, one.transactional_id);
        }
    }
    script.end();
}

#[test]
fn add_offsets_to_txn() {
    let mut script = begin("add-offsets-to-txn");
    let p = producer(&mut script, "p");
    for version in 0..=4 {
        for (producer, group) in [
            (p, "g"),
            (p, "g"),
            (p, ""),
            (p.at(p.epoch + 1), "g"),
            (p.at(-1), "g"),
            (p.named(p.id + 1), "g"),
            (Producer { transactional_id: "unknown", ..p }, "g"),
            (Producer { transactional_id: "", ..p }, "g"),
        ] {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(transactional_id(producer.transactional_id))
                .with_producer_id(ProducerId(producer.id))
                .with_producer_epoch(producer.epoch)
                .with_group_id(GroupId(text(group)));
            script.ask(version, &request);
        }
        script.ask(1, &end(p, true));
        settle(&script, "p");
    }
    script.end();
}

/// Up to version 4 the epoch stays.
#[test]
fn end_txn() {
    const IDS: [&str; 5] = ["v0", "v1", "v2", "v3", "v4"];
    let mut script = begin("end-txn");
    script.topic("t", 1, &[]);
    for (version, id) in (0..).zip(IDS) {
        let p = producer(&mut script, id);
        // Nothing was ever begun.
        script.ask(version, &end(p, true));
        script.ask(version, &end(p, false));
        for committed in [true, false] {
            add_partitions(&mut script, 3, p, &[("t", &[0])]);
            for wrong in [
                p.at(p.epoch + 1),
                p.at(p.epoch - 1),
                p.named(p.id + 1),
                p.named(-1),
                Producer { transactional_id: "unknown", ..p },
                Producer { transactional_id: "", ..p },
            ] {
                script.ask(version, &end(wrong, committed));
            }
            script.ask(version, &end(p, committed));
            settle(&script, id);
            // Late: the same once more, and the opposite.
            script.ask(version, &end(p, committed));
            script.ask(version, &end(p, !committed));
        }
    }
    script.end();
}

/// From version 5 on each end gives the producer an epoch of its own for the next transaction (KIP-890).
#[test]
fn end_txn_with_epochs_that_rise() {
    let mut script = begin("end-txn-of-version-2");
    script.topic("t", 1, &[]);
    let mut p = producer(&mut script, "p");
    let ask = |script: &mut Script, producer: Producer, committed| {
        let answer = script.ask(5, &end(producer, committed));
        Producer { id: answer.producer_id.0, epoch: answer.producer_epoch, ..producer }
    };
    // Nothing was begun: an abort is taken all the same, a commit not.
    ask(&mut script, p, true);
    p = ask(&mut script, p, false);
    settle(&script, "p");
    for committed in [true, false] {
        produce(&mut script, 12, p, ("t", 0), 0);
        ask(&mut script, p.at(p.epoch + 1), committed);
        ask(&mut script, p.at(p.epoch - 1), committed);
        ask(&mut script, p.named(p.id + 1), committed);
        ask(&mut script, Producer { transactional_id: "unknown", ..p }, committed);
        ask(&mut script, Producer { transactional_id: "", ..p }, committed);
        let next = ask(&mut script, p, committed);
        settle(&script, "p");
        // Late: the same once more, and the opposite.
        ask(&mut script, p, committed);
        ask(&mut script, p, !committed);
        // What is written late, or too early, and what the next transaction writes.
        produce(&mut script, 12, p, ("t", 0), 1);
        produce(&mut script, 12, next.at(next.epoch + 1), ("t", 0), 0);
        produce(&mut script, 12, next, ("t", 0), 0);
        ask(&mut script, p, committed);
        p = ask(&mut script, next, !committed);
        settle(&script, "p");
        // Twice nothing.
        ask(&mut script, p, true);
        p = ask(&mut script, p, false);
        settle(&script, "p");
    }
    // Clients of both kinds.
    add_partitions(&mut script, 3, p, &[("t", &[0])]);
    script.ask(4, &end(p, true));
    settle(&script, "p");
    script.ask(5, &end(p, true));
    script.end();
}

/// Produce before and after its partition takes part, in the words of each version.
#[test]
fn produce_in_a_transaction() {
    let mut script = begin("produce-in-a-transaction");
    script.topic("t", 2, &[]);
    for (version, id) in (9..).zip(["v9", "v10", "v11", "v12"]) {
        let p = producer(&mut script, id);
        produce(&mut script, version, p, ("t", 0), 0);
        produce(&mut script, version, p.at(p.epoch + 1), ("t", 0), 0);
        produce(&mut script, version, p.named(p.id + 1), ("t", 0), 0);
        let unknown = Producer { transactional_id: "unknown", ..p };
        produce(&mut script, version, unknown, ("t", 0), 0);
        produce(&mut script, version, p, ("unknown", 0), 0);
        add_partitions(&mut script, 3, p, &[("t", &[0, 1])]);
        for sequence in [0, 1, 1, 5] {
            produce(&mut script, version, p, ("t", 1), sequence);
        }
        if version < 12 {
            script.ask(4, &end(p, true));
            settle(&script, id);
            // Late.
            produce(&mut script, version, p, ("t", 1), 2);
        }
    }
    script.end();
}

#[test]
fn txn_offset_commit() {
    let mut script = begin("txn-offset-commit");
    script.topic("a", 2, &[]);
    script.topic("b", 1, &[]);
    for (version, id) in (0..).zip(["v0", "v1", "v2", "v3", "v4", "v5"]) {
        let p = producer(&mut script, id);
        let one: &[(&str, &[Committed<'_>])] = &[("a", &[(0, 7, 2, Some("kept"))])];
        // The group is not part of the transaction yet: up to version 4 that has to be said before.
        if version < 5 {
            script.ask(version, &commit(p, "g", one));
            let add = AddOffsetsToTxnRequest::default()
                .with_transactional_id(transactional_id(id))
                .with_producer_id(ProducerId(p.id))
                .with_producer_epoch(p.epoch)
                .with_group_id(GroupId(text("g")));
            script.ask(3, &add);
        }
        script.ask(version, &commit(p, "g", &[]));
        script.ask(version, &commit(p, "", one));
        script.ask(version, &commit(p, "g", one));
        let mixed: &[(&str, &[Committed<'_>])] = &[
            ("b", &[(0, -5, 0, None)]),
            ("unknown", &[(0, 1, 0, None)]),
            ("a", &[(0, 2, 0, Some("0123456789a")), (9, 2, 0, None), (1, 2, 0, None)]),
            ("unknown", &[(1, 1, 0, None)]),
        ];
        script.ask(version, &commit(p, "g", mixed));
        script.ask(version, &commit(p, "g", &mixed[1..2]));
        for wrong in [
            p.at(p.epoch + 1),
            p.at(p.epoch - 1),
            p.named(p.id + 1),
            Producer { transactional_id: "unknown", ..p },
            Producer { transactional_id: "", ..p },
        ] {
            script.ask(version, &commit(wrong, "g", one));
        }
        if version >= 3 {
            for (member, generation) in [("m", 1), ("", 1), ("m", -1), ("m", -2)] {
                let request = commit(p, "g", one).with_generation_id(generation);
                let request = request.with_member_id(text(member));
                script.ask(version, &request);
                script.ask(version, &request.with_group_instance_id(Some(text("i"))));
            }
        }
        script.ask(version.max(4), &end(p, true));
        settle(&script, id);
        // Late.
        script.ask(version, &commit(p, "g", one));
    }
    script.end();
}

/// A partition of a commit: index, offset, leader epoch, metadata.
type Committed<'a> = (i32, i64, i32, Option<&'a str>);

fn commit(
    producer: Producer,
    group: &str,
    topics: &[(&str, &[Committed<'_>])],
) -> TxnOffsetCommitRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        let partition = |&(index, offset, epoch, metadata): &Committed<'_>| {
            TxnOffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(epoch)
                .with_committed_metadata(metadata.map(text))
        };
        TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.iter().map(partition).collect())
    });
    TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional_id(producer.transactional_id))
        .with_group_id(GroupId(text(group)))
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_generation_id(-1)
        .with_topics(topics.collect())
}
