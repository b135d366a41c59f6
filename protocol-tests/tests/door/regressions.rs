//! Faults that other brokers had with groups and transactions, each with the test that would find it here. K is KAFKA-;
//! where no file is named, the test is below.
//!
//! | fault | test |
//! |---|---|
//! | K-4682, K-8069, K-13636: offsets expire while their group lives | kernel/groups: `offsets_expire_as_the_group_and_they_themselves_say`, `offsets_expire_where_nobody_uses_them` |
//! | K-9065: a load without end | shell/drivers/coordinators: `a_load_replays_the_whole_log` |
//! | K-17306, K-19862: tombstones without what they end, a log that is compacted while it is read | kernel/groups: `the_state_is_that_of_the_log_and_of_the_compacted_log` |
//! | K-14024: a commit that is stuck in a rebalance | kernel/groups: `a_member_commits_in_its_generation_and_lives_by_it`, `nothing_is_committed_between_join_and_sync_but_in_a_transaction` |
//! | K-13214: an error that passes costs a member its place | kernel/groups: `who_has_missed_the_answer_is_told_again`, `an_assignment_that_cannot_be_written_is_void` |
//! | K-9137: fetch sessions push each other out | kernel/replica: `who_makes_room_for_whom` |
//! | K-14402: a late write after the end holds up readers for ever | kernel/log: `a_marker_takes_the_guard_away`; api/txns: `a_late_write_does_not_hang`; `transactions` |
//! | K-17754: a late EndTxn decides the next transaction | kernel/txns and `transactions`: `a_late_end_does_not_decide_the_next_transaction` |
//! | K-17582: where a reader stands after an abort | `a_reader_goes_on_behind_what_was_aborted` |
//! | K-14884, K-14920: verification and the order of sequences | kernel/log: `nothing_is_written_above_the_lowest_sequence_that_waits`; shell/net: `what_must_not_be_overtaken_is_not` |
//! | K-15784: what is in memory of a commit is not in the log | kernel/groups: `a_commit_that_cannot_be_written_changes_nothing`; shell/drivers/coordinators: `a_failed_disk_drops_the_shard` |
//! | K-9144: a producer expires, and its coordinator's epoch goes back | `a_marker_is_a_sign_of_life` |
//! | K-7190, K-7298: a producer is unknown once retention took its records | `a_producer_is_known_when_its_records_are_gone` |
//! | K-9666, K-18660, K-19367, K-20090: epochs that end or overflow | kernel/txns: `after_the_last_epoch_comes_another_producer_id`, `an_end_at_the_last_epoch_gives_another_producer_id`, `an_abort_at_the_last_epoch_needs_no_producer_id`; kernel/log: `the_last_epoch_can_be_ended` |
//! | K-19999: a marker that comes twice is refused for ever | api/txns: `write_txn_markers_ends_what_hangs_and_is_fenced`; `transactions` |
//! | K-13574: an error for a write that is there | `tests/history`: what was answered with an error may be there or not |
//! | K-14034, Redpanda #5026: a sequence that comes again after an abort is taken for a duplicate | `a_sequence_after_an_abort_is_no_duplicate` |
//! | Redpanda #6018: a transaction's start is lost with its coordinator | `an_open_transaction_and_what_is_committed_outlive_a_kill` |
//! | Redpanda #3232: an abort of an old epoch ends a later transaction | `transactions`: `a_marker_of_a_coordinator_that_is_over_is_refused` |
//! | Redpanda #2326: offsets that move by one | `an_open_transaction_and_what_is_committed_outlive_a_kill` |

use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DescribeProducersRequest, DescribeTransactionsRequest,
    OffsetCommitRequest, OffsetFetchRequest,
};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::requests::{
    FETCH_VERSION, ask_until, batch_of, create_topic, fetch, fetch_request, produce, topic_name,
};
use uuid::Uuid;

use super::coordinators::{group_id, of_group, transactional_id};
use super::error;
use super::transactions::Producer;

/// Waits until nothing of the partition is open: Apache writes markers after it has answered.
fn settle(connection: &mut Connection, topic: Uuid) {
    loop {
        let data = fetch(connection, topic, 0, 0);
        if data.last_stable_offset == data.high_watermark {
            return;
        }
    }
}

/// K-17582: what a reader of committed records is given after an abort: the records, that they were aborted, and the
/// marker; behind it it goes on.
#[test]
fn a_reader_goes_on_behind_what_was_aborted() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "behind", 1, &[]);
    let p = Producer::new(&mut connection, "behind");
    for sequence in 0..3 {
        assert_eq!(p.write(&mut connection, 12, "behind", sequence), (0, i64::from(sequence)));
    }
    assert_eq!(p.end(&mut connection, 5, false).0, 0);
    settle(&mut connection, topic);
    let batch = batch_of(&[b"after"]).sealed();
    assert_eq!(produce(&mut connection, "behind", 0, batch).base_offset, 4);
    let mut committed = |offset: i64| {
        let request = fetch_request(topic, 0, offset).with_isolation_level(1);
        let mut answer = connection.ask(FETCH_VERSION, &request);
        answer.responses.remove(0).partitions.remove(0)
    };
    let data = committed(0);
    assert_eq!((data.last_stable_offset, data.high_watermark), (5, 5));
    let aborted = data.aborted_transactions.unwrap();
    let told: Vec<_> = aborted.iter().map(|it| (it.producer_id.0, it.first_offset)).collect();
    assert_eq!(told, [(p.id, 0)]);
    // From the marker on there is nothing that was aborted.
    assert!(committed(4).aborted_transactions.is_none_or(|aborted| aborted.is_empty()));
}

/// K-9144: the last that is known of a producer is the time of its marker, however old the records are.
#[test]
fn a_marker_is_a_sign_of_life() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "life", 1, &[]);
    let p = Producer::new(&mut connection, "life");
    let began = protocol_tests::requests::now_ms();
    assert_eq!(p.write_at(&mut connection, 12, "life", 1_600_000_000_000), (0, 0));
    assert_eq!(p.end(&mut connection, 5, true).0, 0);
    settle(&mut connection, topic);
    let asked = TopicRequest::default().with_name(topic_name("life"));
    let request = DescribeProducersRequest::default()
        .with_topics(vec![asked.with_partition_indexes(vec![0])]);
    let answer = connection.ask(0, &request);
    let known = &answer.topics[0].partitions[0].active_producers[0];
    assert!(known.last_timestamp >= began, "{known:?}");
    assert_eq!((known.producer_id.0, known.coordinator_epoch), (p.id, 0));
}

/// K-7190, K-7298 (KIP-360): its next sequence is expected all the same.
#[test]
fn a_producer_is_known_when_its_records_are_gone() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "gone", 1, &[]);
    let id = Producer::new(&mut connection, "gone").id;
    let write = |sequence: i32| {
        let batch = batch_of(&[b"v"]).from_producer(id, 0, sequence).sealed();
        let answer = produce(&mut node.connect(), "gone", 0, batch);
        (answer.error_code, answer.base_offset)
    };
    assert_eq!((write(0), write(1)), ((0, 0), (0, 1)));
    let all = DeleteRecordsPartition::default().with_partition_index(0).with_offset(-1);
    let topic = DeleteRecordsTopic::default().with_name(topic_name("gone"));
    let request = DeleteRecordsRequest::default().with_timeout_ms(30_000);
    let request = request.with_topics(vec![topic.with_partitions(vec![all])]);
    assert_eq!(connection.ask(2, &request).topics[0].partitions[0].low_watermark, 2);
    assert_eq!(write(7), (error::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(write(2), (0, 2));
}

/// K-14034, Redpanda #5026: after an abort the client begins again with sequence 0, in a new epoch; it gets a new offset.
#[test]
fn a_sequence_after_an_abort_is_no_duplicate() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topic = create_topic(&mut connection, "again", 1, &[]);
    let mut p = Producer::new(&mut connection, "again");
    for round in 0..3 {
        let offset = round * 2;
        assert_eq!(p.write(&mut connection, 12, "again", 0), (0, offset));
        // The same once more is a duplicate.
        assert_eq!(p.write(&mut connection, 12, "again", 0), (0, offset));
        let (code, epoch) = p.end(&mut connection, 5, false);
        assert_eq!(code, 0);
        settle(&mut connection, topic);
        p = p.at(epoch);
    }
}

/// Redpanda #6018 and #2326: neither the start of a transaction nor a committed offset is another one afterwards.
#[test]
fn an_open_transaction_and_what_is_committed_outlive_a_kill() {
    let mut node = Node::start();
    let mut connection = of_group(&node, "outlives");
    let topic = create_topic(&mut connection, "outlives", 1, &[]);
    let p = Producer::new(&mut connection, "outlives");
    assert_eq!(p.write(&mut connection, 12, "outlives", 0), (0, 0));
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(41);
    let committed = OffsetCommitRequestTopic::default().with_name(topic_name("outlives"));
    let commit = OffsetCommitRequest::default()
        .with_group_id(group_id("outlives"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![committed.with_partitions(vec![partition])]);
    assert_eq!(connection.ask(8, &commit).topics[0].partitions[0].error_code, 0);
    let ids = vec![transactional_id("outlives")];
    let describe = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    let seen = |connection: &mut Connection| {
        let is_there = |answer: &kafka_protocol::messages::DescribeTransactionsResponse| {
            answer.transaction_states[0].error_code == 0
        };
        let mut answer = ask_until(connection, 0, &describe, is_there);
        answer.transaction_states.remove(0)
    };
    let before = seen(&mut connection);
    for _ in 0..2 {
        node.kill();
        node.restart();
        connection = of_group(&node, "outlives");
        assert_eq!(seen(&mut connection), before);
        let data = fetch(&mut connection, topic, 0, 0);
        assert_eq!((data.last_stable_offset, data.high_watermark), (0, 1));
        let all = OffsetFetchRequest::default().with_group_id(group_id("outlives"));
        let fetched = connection.ask(7, &all.with_topics(None));
        assert_eq!(fetched.topics[0].partitions[0].committed_offset, 41);
    }
    assert_eq!(p.end(&mut connection, 5, true).0, 0);
    settle(&mut connection, topic);
    assert_eq!(fetch(&mut connection, topic, 0, 0).high_watermark, 2);
}
