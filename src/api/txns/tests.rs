//! Transactions from a client's side, through the bytes of its requests.

use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    GroupId, InitProducerIdRequest, ListTransactionsRequest, ListTransactionsResponse,
    OffsetFetchRequest, ProduceRequest, TopicName, TransactionalId, TxnOffsetCommitRequest,
    WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::{Decodable as _, HeaderVersion as _, Request, StrBytes};

use crate::api::answer::Answer;
use crate::api::data::replicas;
use crate::api::harness::{NOW_MS, Node, bytes_of, now, topic_id};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::kernel::txns::TRANSACTION_VERSION;
use crate::shell::drivers::partitions::{Origin, Partition};
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch_builder::BatchBuilder;

/// What a client of old sends, and what one of version 2 of transactions does.
const OLD: i16 = 0;
const NEW: i16 = 2;

type Producer = (i64, i16);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn id() -> TransactionalId {
    TransactionalId(text("id"))
}

/// A node with producer ids from 1000 on.
fn node() -> Node {
    let topics: [(&str, i32, &[_]); 4] = [
        ("__transaction_state", 3, &[]),
        ("__consumer_offsets", 3, &[]),
        ("a", 2, &[]),
        ("b", 1, &[]),
    ];
    let node = Node::with(&topics);
    node.finalize(TRANSACTION_VERSION, 2);
    node.ctx.producer_ids.fill(1000..2000);
    node
}

fn ask<R: Request>(node: &Node, version: i16, request: &R) -> R::Response {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    read::<R>(version, node.ask(R::KEY, version, body.freeze()))
}

fn read<R: Request>(version: i16, answer: Answer) -> R::Response {
    let mut body = Bytes::from(bytes_of(answer));
    if R::Response::header_version(version) > 0 {
        body.advance(1);
    }
    R::Response::decode(&mut body, version).unwrap()
}

fn init_at(node: &Node, version: i16, expected: Producer) -> Result<Producer, i16> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id()))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(expected.0.into())
        .with_producer_epoch(expected.1);
    let response = ask(node, version, &request);
    match response.error_code {
        0 => Ok((response.producer_id.0, response.producer_epoch)),
        code => Err(code),
    }
}

fn init(node: &Node) -> Producer {
    init_at(node, 5, (-1, -1)).unwrap()
}

fn add(node: &Node, version: i16, producer: Producer, topic: &str, indexes: &[i32]) -> Vec<i16> {
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(indexes.to_vec());
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id())
        .with_v3_and_below_producer_id(producer.0.into())
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(vec![topic]);
    let response = ask(node, version, &request);
    let topics = response.results_by_topic_v3_and_below.into_iter();
    topics.flat_map(|it| it.results_by_partition).map(|it| it.partition_error_code).collect()
}

fn end(node: &Node, version: i16, producer: Producer, commit: bool) -> Result<Producer, i16> {
    let request = EndTxnRequest::default()
        .with_transactional_id(id())
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_committed(commit);
    let response = ask(node, version, &request);
    match response.error_code {
        0 => Ok((response.producer_id.0, response.producer_epoch)),
        code => Err(code),
    }
}

fn batch((id, epoch): Producer, sequence: i32) -> Bytes {
    let producer = (ProducerId(id), ProducerEpoch(epoch));
    let builder = BatchBuilder::new(Offset(0)).producer(producer.0, producer.1, sequence);
    builder.transactional().record(Timestamp(NOW_MS), None, Some(b"v")).build()
}

/// The error and the message of each partition.
fn produce_all(
    node: &Node,
    version: i16,
    batches: &[(&str, i32, Bytes)],
) -> Vec<(i16, Option<String>)> {
    let topic = |(name, index, records): &(&str, i32, Bytes)| {
        let partition =
            PartitionProduceData::default().with_index(*index).with_records(Some(records.clone()));
        TopicProduceData::default()
            .with_name(TopicName(text(name)))
            .with_topic_id(topic_id(name).0)
            .with_partition_data(vec![partition])
    };
    let request = ProduceRequest::default()
        .with_transactional_id(Some(id()))
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(batches.iter().map(topic).collect());
    let response = ask(node, version, &request);
    let partitions = response.responses.into_iter().flat_map(|it| it.partition_responses);
    partitions.map(|it| (it.error_code, it.error_message.map(|it| it.to_string()))).collect()
}

fn produce(node: &Node, version: i16, producer: Producer, sequence: i32) -> i16 {
    produce_all(node, version, &[("a", 0, batch(producer, sequence))])[0].0
}

fn partition(node: &Node, topic: &str, index: i32) -> std::sync::Arc<Partition> {
    replicas::partition(&node.ctx, TopicRef::Name(topic), PartitionId(index)).ok().unwrap()
}

/// The end of a partition, and up to where those read who want what is committed.
fn ends(node: &Node, topic: &str, index: i32) -> (i64, i64) {
    let offsets = partition(node, topic, index).offsets();
    (offsets.log_end.0, offsets.last_stable.0)
}

fn describe(node: &Node) -> (String, Vec<(String, Vec<i32>)>) {
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id()]);
    let state = ask(node, 0, &request).transaction_states.into_iter().next().unwrap();
    assert_eq!(state.error_code, 0);
    let topics = state.topics.iter().map(|it| (it.topic.to_string(), it.partitions.clone()));
    (state.transaction_state.to_string(), topics.collect())
}

/// A transaction with the requests of either kind of client: InitProducerId, AddPartitionsToTxn, Produce, EndTxn.
#[test]
fn a_transaction_is_seen_when_it_is_committed() {
    for client in [OLD, NEW] {
        let node = node();
        let mut producer = init(&node);
        for (round, commit) in [true, false, true].into_iter().enumerate() {
            let from = round as i64 * 3;
            let sequence = if client == OLD { round as i32 * 2 } else { 0 };
            if client == OLD {
                assert_eq!(add(&node, 3, producer, "a", &[0]), [0]);
            }
            let version = if client == OLD { 11 } else { 12 };
            assert_eq!(produce(&node, version, producer, sequence), 0);
            assert_eq!(produce(&node, version, producer, sequence + 1), 0);
            assert_eq!(ends(&node, "a", 0), (from + 2, from), "nothing is seen before");
            assert_eq!(describe(&node), ("Ongoing".to_owned(), vec![("a".to_owned(), vec![0])]));
            let ended = end(&node, if client == OLD { 3 } else { 5 }, producer, commit).unwrap();
            assert_eq!(ends(&node, "a", 0), (from + 3, from + 3), "the marker is there");
            let state = if commit { "CompleteCommit" } else { "CompleteAbort" };
            assert_eq!(describe(&node), (state.to_owned(), Vec::new()));
            if client == NEW {
                assert_eq!(ended, (producer.0, producer.1 + 1));
                producer = ended;
            }
        }
    }
}

/// The offsets of a group take part, and their marker goes through the group coordinator.
#[test]
fn add_offsets_to_txn_takes_the_group_along() {
    let node = node();
    let producer = init(&node);
    let add_offsets = |version, epoch| {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(id())
            .with_producer_id(producer.0.into())
            .with_producer_epoch(epoch)
            .with_group_id(GroupId(text("group")));
        ask(&node, version, &request).error_code
    };
    assert_eq!(add_offsets(4, producer.1), 0);
    assert_eq!(add_offsets(1, 9), ErrorCode::InvalidProducerEpoch.code());
    assert_eq!(add_offsets(2, 9), ErrorCode::ProducerFenced.code());
    let index = node.ctx.groups.partition_for("group").0;
    assert_eq!(describe(&node).1, [("__consumer_offsets".to_owned(), vec![index])]);
    end(&node, 3, producer, true).unwrap();
    assert_eq!(ends(&node, "__consumer_offsets", index), (1, 1));
}

fn commit_offset(node: &Node, version: i16, producer: Producer, offset: i64) -> i16 {
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName(text("a")))
        .with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(id())
        .with_group_id(GroupId(text("group")))
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    let response = ask(node, version, &request);
    response.topics[0].partitions[0].error_code
}

fn committed_offset(node: &Node) -> i64 {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text("a")))
        .with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("group")))
        .with_topics(Some(vec![topic]));
    let response = ask(node, 8, &OffsetFetchRequest::default().with_groups(vec![group]));
    response.groups[0].topics[0].partitions[0].committed_offset
}

/// Offsets count once their transaction is committed; its coordinator vouches for them as for records.
#[test]
fn txn_offset_commit_counts_with_its_transaction() {
    for client in [OLD, NEW] {
        let node = node();
        let (old_add, commit_version, end_version) = (client == OLD, 3 + client, 3 + client);
        let mut producer = init(&node);
        for (offset, commit) in [(5, true), (9, false), (7, true)] {
            let before = committed_offset(&node);
            if old_add {
                let invalid = ErrorCode::InvalidTxnState.code();
                assert_eq!(commit_offset(&node, 3, producer, offset), invalid, "not taken along");
                let abortable = ErrorCode::TransactionAbortable.code();
                assert_eq!(commit_offset(&node, 4, producer, offset), abortable);
                let request = AddOffsetsToTxnRequest::default()
                    .with_transactional_id(id())
                    .with_producer_id(producer.0.into())
                    .with_producer_epoch(producer.1)
                    .with_group_id(GroupId(text("group")));
                assert_eq!(ask(&node, 3, &request).error_code, 0);
            }
            assert_eq!(commit_offset(&node, commit_version, producer, offset), 0);
            assert_eq!(commit_offset(&node, commit_version, producer, offset), 0);
            assert_eq!(committed_offset(&node), before);
            let ended = end(&node, end_version, producer, commit).unwrap();
            assert_eq!(committed_offset(&node), if commit { offset } else { before });
            // What comes late would never be decided.
            let late = commit_offset(&node, commit_version, producer, 99);
            let (not_part, fenced) = (ErrorCode::InvalidTxnState, ErrorCode::InvalidProducerEpoch);
            assert_eq!(late, if old_add { not_part } else { fenced }.code());
            if client == NEW {
                producer = ended;
            }
        }
    }
}

#[test]
fn what_is_not_in_a_transaction_is_refused_in_the_words_of_the_clients_version() {
    let check = |version, expected: ErrorCode, message: Option<&str>| {
        let node = node();
        let producer = init(&node);
        let answers = produce_all(&node, version, &[("a", 0, batch(producer, 0))]);
        let message = message.map(str::to_owned);
        assert_eq!(answers, [(expected.code(), message)], "version {version}");
        assert_eq!(ends(&node, "a", 0).0, i64::from(expected == ErrorCode::None));
    };
    let not_added = Some("Partition was not added to the transaction");
    check(10, ErrorCode::InvalidTxnState, not_added);
    check(11, ErrorCode::TransactionAbortable, None);
    check(12, ErrorCode::None, None);
    check(13, ErrorCode::None, None);
}

#[test]
fn a_producer_that_is_fenced_or_unknown_writes_nothing() {
    let node = node();
    let producer = init(&node);
    let next = init(&node);
    for version in [11, 12] {
        let fenced = ErrorCode::InvalidProducerEpoch.code();
        assert_eq!(produce(&node, version, producer, 0), fenced);
        let unknown = ErrorCode::InvalidProducerIdMapping.code();
        assert_eq!(produce(&node, version, (77, 0), 0), unknown);
    }
    let two = [("a", 0, batch(next, 0)), ("a", 1, batch((77, 0), 0))];
    let message = Some("Transactional records contained more than one producer ID".to_owned());
    let mapping = ErrorCode::InvalidProducerIdMapping.code();
    assert_eq!(produce_all(&node, 12, &two), [(mapping, message.clone()), (mapping, message)]);
    assert_eq!(ends(&node, "a", 0).0, 0);
}

/// Several partitions are vouched for at once, and each has its own verdict.
#[test]
fn each_partition_has_its_verdict() {
    let node = node();
    let producer = init(&node);
    assert_eq!(add(&node, 3, producer, "a", &[1]), [0]);
    let batches = [("a", 0), ("a", 1), ("b", 0)].map(|(it, index)| (it, index, batch(producer, 0)));
    let codes = |version| {
        let answers = produce_all(&node, version, &batches);
        answers.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let abortable = ErrorCode::TransactionAbortable.code();
    assert_eq!(codes(11), [abortable, 0, abortable]);
    assert_eq!(codes(12), [0; 3]);
    let all = vec![("a".to_owned(), vec![0, 1]), ("b".to_owned(), vec![0])];
    assert_eq!(describe(&node).1, all);
}

/// KAFKA-14402: a write that comes after the end of its transaction has no marker after it, and would hang.
#[test]
fn a_late_write_does_not_hang() {
    for (client, produce_version, end_version) in [(OLD, 11, 3), (NEW, 12, 5)] {
        let node = node();
        let producer = init(&node);
        if client == OLD {
            add(&node, 3, producer, "a", &[0]);
        }
        assert_eq!(produce(&node, produce_version, producer, 0), 0);
        end(&node, end_version, producer, false).unwrap();
        let late = produce(&node, produce_version, producer, 1);
        let expected = if client == OLD {
            ErrorCode::TransactionAbortable
        } else {
            ErrorCode::InvalidProducerEpoch
        };
        assert_eq!(late, expected.code());
        assert_eq!(ends(&node, "a", 0), (2, 2));
    }
}

/// With verification switched off, old clients are believed.
#[test]
fn verification_can_be_switched_off() {
    let node = node();
    let producer = init(&node);
    let mut config = crate::kernel::configs::broker::BrokerConfig::clone(&node.ctx.config.load());
    config.transaction_partition_verification_enable = false;
    node.ctx.config.store(std::sync::Arc::new(config));
    assert_eq!(produce(&node, 11, producer, 0), 0);
    assert_eq!(describe(&node).0, "Empty");
}

#[test]
fn partitions_that_do_not_exist_keep_the_others_out() {
    let node = node();
    let producer = init(&node);
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let not_attempted = ErrorCode::OperationNotAttempted.code();
    assert_eq!(add(&node, 3, producer, "a", &[0, 7]), [not_attempted, unknown]);
    assert_eq!(describe(&node), ("Empty".to_owned(), Vec::new()));
    let fenced = (producer.0, producer.1 + 1);
    assert_eq!(add(&node, 1, fenced, "a", &[0]), [ErrorCode::InvalidProducerEpoch.code()]);
    assert_eq!(add(&node, 2, fenced, "a", &[0]), [ErrorCode::ProducerFenced.code()]);
}

/// From version 4 on brokers ask, of several transactions at once, and may only want to know.
#[test]
fn add_partitions_to_txn_from_a_broker() {
    let node = node();
    let producer = init(&node);
    let transaction = |name: &str, verify_only, indexes: &[i32]| {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(text("a")))
            .with_partitions(indexes.to_vec());
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(TransactionalId(text(name)))
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_verify_only(verify_only)
            .with_topics(vec![topic])
    };
    let asked = |version, transactions: Vec<AddPartitionsToTxnTransaction>| {
        let request = AddPartitionsToTxnRequest::default().with_transactions(transactions);
        let response = ask(&node, version, &request);
        assert_eq!(response.error_code, 0);
        let codes = response.results_by_transaction.into_iter().map(|it| {
            let partitions = it.topic_results.into_iter().flat_map(|it| it.results_by_partition);
            partitions.map(|it| it.partition_error_code).collect::<Vec<_>>()
        });
        codes.collect::<Vec<_>>()
    };
    let (abortable, mapping) =
        (ErrorCode::TransactionAbortable.code(), ErrorCode::InvalidProducerIdMapping.code());
    let verify = vec![transaction("id", true, &[0, 1]), transaction("other", true, &[0])];
    assert_eq!(asked(4, verify.clone()), [vec![abortable; 2], vec![mapping]]);
    assert_eq!(asked(5, vec![transaction("id", false, &[1])]), [[0]]);
    assert_eq!(asked(5, verify), [vec![abortable, 0], vec![mapping]]);
}

#[test]
fn clients_are_fenced_in_the_words_of_their_version() {
    let node = node();
    let producer = init(&node);
    let fenced = ErrorCode::ProducerFenced.code();
    let old = ErrorCode::InvalidProducerEpoch.code();
    let other = (producer.0, producer.1 + 5);
    assert_eq!(init_at(&node, 3, other), Err(old));
    assert_eq!(init_at(&node, 4, other), Err(fenced));
    assert_eq!(end(&node, 1, other, true), Err(old));
    assert_eq!(end(&node, 2, other, true), Err(fenced));
    let invalid = ErrorCode::InvalidTxnState.code();
    assert_eq!(end(&node, 3, producer, true), Err(invalid));
    // The id goes on where it was.
    assert_eq!(init_at(&node, 3, producer), Ok((producer.0, producer.1 + 1)));
}

#[test]
fn without_its_topic_there_is_no_coordinator() {
    let node = Node::with(&[("a", 1, &[])]);
    assert_eq!(init_at(&node, 5, (-1, -1)), Err(ErrorCode::NotCoordinator.code()));
    let answers = produce_all(&node, 12, &[("a", 0, batch((7, 0), 0))]);
    let message = "Unable to verify the partition has been added to the transaction. \
                   Underlying error: COORDINATOR_NOT_AVAILABLE";
    assert_eq!(answers, [(ErrorCode::NotEnoughReplicas.code(), Some(message.to_owned()))]);
}

/// What is gone needs no marker: the transaction is complete without.
#[test]
fn markers_of_deleted_topics_are_not_waited_for() {
    let node = node();
    let producer = init(&node);
    let batches = [("a", 0), ("b", 0)].map(|(it, index)| (it, index, batch(producer, 0)));
    produce_all(&node, 12, &batches);
    node.delete("b");
    end(&node, 5, producer, true).unwrap();
    assert_eq!(describe(&node).0, "CompleteCommit");
    assert_eq!(ends(&node, "a", 0), (2, 2));
}

/// One marker for partitions of a topic.
struct Marker {
    producer: Producer,
    committed: bool,
    coordinator_epoch: i32,
    transaction_version: i8,
}

fn write_markers(node: &Node, version: i16, marker: &Marker, places: &[(&str, i32)]) -> Vec<i16> {
    use bytes::BufMut as _;
    let mut body = BytesMut::new();
    body.put_u8(2);
    body.put_i64(marker.producer.0);
    body.put_i16(marker.producer.1);
    body.put_u8(u8::from(marker.committed));
    body.put_u8(places.len() as u8 + 1);
    for (topic, index) in places {
        body.put_u8(topic.len() as u8 + 1);
        body.put_slice(topic.as_bytes());
        body.put_u8(2);
        body.put_i32(*index);
        body.put_u8(0);
    }
    body.put_i32(marker.coordinator_epoch);
    if version >= 2 {
        body.put_i8(marker.transaction_version);
    }
    body.put_u16(0);
    let mut answer = Bytes::from(bytes_of(node.ask(27, version, body.freeze())));
    answer.advance(1);
    let response = WriteTxnMarkersResponse::decode(&mut answer, 1).unwrap();
    let topics = response.markers.into_iter().flat_map(|it| it.topics);
    topics.flat_map(|it| it.partitions).map(|it| it.error_code).collect()
}

/// Row 71 of the bad inputs, and KAFKA-19999.
#[test]
fn write_txn_markers_ends_what_hangs_and_is_fenced() {
    let node = node();
    let hanging = |producer: Producer| {
        let records = batch(producer, 0);
        let header = crate::wire::batch::BatchHeader::parse(&records).unwrap();
        let batch = crate::wire::batch::Batch { header, bytes: records };
        partition(&node, "a", 1).append_from(&batch, Origin::CLIENT, -1, now()).unwrap();
    };
    hanging((7, 3));
    assert_eq!(ends(&node, "a", 1), (1, 0));
    let marker = |epoch, coordinator_epoch, transaction_version| Marker {
        producer: (7, epoch),
        committed: false,
        coordinator_epoch,
        transaction_version,
    };
    let (unknown, old) =
        (ErrorCode::UnknownTopicOrPartition.code(), ErrorCode::InvalidProducerEpoch.code());
    let places = [("a", 1), ("a", 9), ("nope", 0)];
    assert_eq!(write_markers(&node, 1, &marker(2, 4, 0), &places[..1]), [old]);
    assert_eq!(write_markers(&node, 2, &marker(3, 4, 2), &places[..1]), [old], "its own epoch");
    assert_eq!(write_markers(&node, 1, &marker(3, 4, 0), &places), [0, unknown, unknown]);
    assert_eq!(ends(&node, "a", 1), (2, 2));
    // From a coordinator that was replaced.
    let fenced = ErrorCode::TransactionCoordinatorFenced.code();
    assert_eq!(write_markers(&node, 1, &marker(3, 3, 0), &places[..1]), [fenced]);
    // Once more, as when the answer was lost.
    hanging((8, 0));
    let bumped = Marker { producer: (8, 1), ..marker(0, 4, 2) };
    for _ in 0..2 {
        assert_eq!(write_markers(&node, 2, &bumped, &places[..1]), [0]);
    }
    // A group's partition goes through its coordinator.
    assert_eq!(write_markers(&node, 2, &bumped, &[("__consumer_offsets", 1)]), [0]);
    let none: Vec<i16> = Vec::new();
    assert_eq!(write_markers(&node, 2, &bumped, &[]), none);
}

#[test]
fn list_transactions_filters() {
    let node = node();
    let producer = init(&node);
    produce(&node, 12, producer, 0);
    let list = |version, request: ListTransactionsRequest| ask(&node, version, &request);
    let ids = |response: &ListTransactionsResponse| {
        assert_eq!(response.error_code, 0);
        let states = response.transaction_states.iter();
        states
            .map(|it| (it.transactional_id.to_string(), it.transaction_state.to_string()))
            .collect::<Vec<_>>()
    };
    let any = ListTransactionsRequest::default;
    let found = [("id".to_owned(), "Ongoing".to_owned())];
    let check = |version, request: ListTransactionsRequest, is_there: bool| {
        let expected = if is_there { &found[..] } else { &[] };
        assert_eq!(ids(&list(version, request.clone())), expected, "{request:?}");
    };
    for version in 0..=2 {
        check(version, any(), true);
    }
    check(0, any().with_state_filters(vec![text("Ongoing")]), true);
    check(0, any().with_state_filters(vec![text("Empty")]), false);
    check(0, any().with_producer_id_filters(vec![producer.0.into()]), true);
    check(0, any().with_producer_id_filters(vec![7.into()]), false);
    let matching = |pattern: &str| any().with_transactional_id_pattern(Some(text(pattern)));
    for (pattern, is_there) in
        [("", true), ("i.", true), ("i", false), ("x|id", true), ("d", false)]
    {
        check(2, matching(pattern), is_there);
    }
    let unknown = list(0, any().with_state_filters(vec![text("Sleeping")]));
    assert_eq!((unknown.unknown_state_filters.len(), ids(&unknown).len()), (1, 0));
    for pattern in ["(", ")(", "(a*)*\\1", "a{1000}{1000}"] {
        let refused = list(2, matching(pattern)).error_code;
        assert_eq!(refused, ErrorCode::InvalidRegularExpression.code(), "{pattern}");
    }
}

#[test]
fn describe_transactions_of_what_is_not_there() {
    let node = node();
    let ids = ["", "nobody"].map(|it| TransactionalId(text(it))).to_vec();
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    let codes = ask(&node, 0, &request).transaction_states.into_iter().map(|it| it.error_code);
    let (invalid, not_found) = (ErrorCode::InvalidRequest, ErrorCode::TransactionalIdNotFound);
    assert_eq!(codes.collect::<Vec<_>>(), [invalid.code(), not_found.code()]);
}
