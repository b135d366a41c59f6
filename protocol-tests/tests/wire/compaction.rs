//! A topic is compacted while clients read and write it: what they see has holes, and is what was written.

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest,
    OffsetCommitRequest, OffsetFetchRequest, ProducerId,
};
use protocol_tests::compacted::{Compacted, NODE_KEYS, TOPIC, set_topic_key, wait_until_clean};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::requests::{ask_until, create_topic, ends_of, text, topic_name};

#[test]
fn readers_get_the_last_value_of_each_key_from_any_offset() {
    let mut node = Node::start_with(&NODE_KEYS);
    let mut topic = Compacted::create(&node);
    for _ in 0..4 {
        topic.write_round(&node);
    }
    let (_, before) = topic.read_from(&node, 0);
    topic.compact(&node);
    topic.assert_is_whole(&node);
    let (_, after) = topic.read_from(&node, 0);
    assert!(after.len() < before.len(), "{} of {}", after.len(), before.len());
    assert!(after.iter().all(|record| before.contains(record)), "each is at its offset");
    let end = node.connect().ask(7, &ends_of(TOPIC, 1));
    let end = end.topics[0].partitions[0].offset;
    for offset in 0..end {
        // Within a hole, the next that there is; within a batch, all of the batch.
        let (batches, records) = topic.read_from(&node, offset);
        let first = batches.first().unwrap();
        assert!(first.base_offset + i64::from(first.last_offset_delta) >= offset);
        let wanted: Vec<_> = after.iter().filter(|(at, ..)| *at >= offset).collect();
        let got: Vec<_> = records.iter().filter(|(at, ..)| *at >= offset).collect();
        assert_eq!(got, wanted, "from {offset}");
    }
    topic.write_round(&node);
    topic.compact(&node);
    node.kill();
    node.restart();
    topic.assert_is_whole(&node);
    topic.write_round(&node);
    topic.compact(&node);
    topic.assert_is_whole(&node);
    let (_, records) = topic.read_from(&node, 0);
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, key, _) in &records {
        *times.entry(key).or_default() += 1;
    }
    // Twice where the last round, which is not compacted yet, wrote it again.
    assert!(times.values().all(|count| *count <= 3), "{times:?}");
    assert_eq!(times["only 1"], 1);
}

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

fn find(connection: &mut Connection, kind: i8, key: &str) {
    let find = FindCoordinatorRequest::default()
        .with_key_type(kind)
        .with_coordinator_keys(vec![text(key)]);
    ask_until(connection, 4, &find, |it| it.coordinators[0].error_code == 0);
}

fn commit(connection: &mut Connection, group: &str, offset: i64) {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    ask_until(connection, 8, &request, |it| it.topics[0].partitions[0].error_code == 0);
}

fn committed(connection: &mut Connection, group: &str) -> i64 {
    find(connection, GROUP, group);
    let topic = OffsetFetchRequestTopics::default()
        .with_name(topic_name("t"))
        .with_partition_indexes(vec![0]);
    let of = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![of]);
    let answer = ask_until(connection, 8, &request, |it| it.groups[0].error_code == 0);
    answer.groups[0].topics[0].partitions[0].committed_offset
}

/// The epoch that a transactional id has next, with the producer's id.
fn begin(connection: &mut Connection, name: &str) -> (i64, i16) {
    find(connection, TRANSACTION, name);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(text(name).into()))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = ask_until(connection, 4, &request, |it| it.error_code == 0);
    (answer.producer_id.0, answer.producer_epoch)
}

/// The logs of the coordinators do not grow for ever, and say the same all the same.
#[test]
fn coordinators_know_after_the_compaction_of_their_logs_what_they_knew_before() {
    const ROUNDS: i64 = 30;
    let mut node = Node::start_with(&NODE_KEYS);
    let connection = &mut node.connect();
    create_topic(connection, "t", 1, &[]);
    let groups = ["one", "two", "gone"];
    find(connection, GROUP, "one");
    let (id, first_epoch) = begin(connection, "producer");
    let internal = ["__consumer_offsets", "__transaction_state"];
    for topic in internal {
        // Records of different milliseconds are in different segments.
        set_topic_key(&node, topic, "segment.ms", "1");
    }
    for round in 1..=ROUNDS {
        for group in groups {
            commit(connection, group, round);
        }
        assert_eq!(begin(connection, "producer"), (id, first_epoch + round as i16));
    }
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text("gone"))]);
    assert_eq!(connection.ask(2, &delete).results[0].error_code, 0);
    for topic in internal {
        set_topic_key(&node, topic, "min.cleanable.dirty.ratio", "0.0001");
        // Of the records that are there, most.
        wait_until_clean(&node, topic, ROUNDS * 2 / 3);
    }
    for killed in [false, true] {
        if killed {
            node.kill();
        } else {
            node.stop();
        }
        node.restart();
        let connection = &mut node.connect();
        let offsets = groups.map(|group| committed(connection, group));
        assert_eq!(offsets, [ROUNDS, ROUNDS, -1]);
        let last = first_epoch + ROUNDS as i16 + 1 + i16::from(killed);
        assert_eq!(begin(connection, "producer"), (id, last));
    }
}
