use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestPartition;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics;
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::expiry::Left;
use super::*;
use crate::kernel::groups::classic::offsets::OffsetsExpire;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::ids::{PartitionId, TopicName};
use crate::types::offset::Offset;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const METADATA_MAX_SIZE: i32 = 10;
const ID: TopicId = TopicId(Uuid::from_u128(7));
const OTHER_ID: TopicId = TopicId(Uuid::from_u128(8));

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn partition(index: i32, offset: i64, metadata: &str) -> CommitPartition {
    CommitPartition {
        index: PartitionId(index),
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(3),
        metadata: text(metadata),
    }
}

fn request(topics: &[(&str, Vec<CommitPartition>)]) -> CommitRequest {
    let topic = |(name, partitions): &(&str, Vec<CommitPartition>)| CommitTopic {
        name: TopicName::new(name),
        id: ID,
        partitions: partitions.clone(),
    };
    CommitRequest {
        group_id: text("g"),
        member_id: text(""),
        group_instance_id: None,
        generation_id_or_member_epoch: -1,
        api_version: 9,
        retention_time_ms: -1,
        topics: topics.iter().map(topic).collect(),
    }
}

fn decide(request: &CommitRequest, in_transaction: bool) -> Commit {
    commit(request, in_transaction, None, NOW, METADATA_MAX_SIZE).unwrap()
}

fn value(offset: i64) -> OffsetCommitValue {
    OffsetCommitValue {
        offset,
        leader_epoch: 3,
        metadata: String::new(),
        commit_timestamp: NOW.0,
        expire_timestamp: -1,
        topic_id: ID.0,
    }
}

fn key_of(topic: &str, index: i32) -> OffsetCommitKey {
    key("g", topic, index)
}

fn at(offset: i64) -> Replayed {
    Replayed { offset: Offset(offset), transaction: None, timestamp: NOW }
}

fn within(offset: i64, producer: i64) -> Replayed {
    let transaction = Some((ProducerId(producer), ProducerEpoch(0)));
    Replayed { transaction, ..at(offset) }
}

fn marker(offset: i64, producer: i64, committed: bool) -> Marker {
    Marker {
        offset: Offset(offset),
        producer_id: ProducerId(producer),
        producer_epoch: ProducerEpoch(0),
        committed,
    }
}

/// What is committed for partition 0 of topic `t`, what a reader of stable offsets is told about it.
fn seen(offsets: &Offsets) -> (i64, i16) {
    let asked = [asked("t", Uuid::nil(), &[0])];
    let read = |stable| offsets.fetch("g", Some(&asked), stable)[0].partitions[0].clone();
    (read(false).committed_offset, read(true).error_code)
}

fn asked(topic: &str, id: Uuid, indexes: &[i32]) -> OffsetFetchRequestTopics {
    OffsetFetchRequestTopics::default()
        .with_name(kafka_protocol::messages::TopicName(text(topic)))
        .with_topic_id(id)
        .with_partition_indexes(indexes.to_vec())
}

fn tombstones(records: &[GroupRecord]) -> Vec<(&str, &str, i32)> {
    let of = |record| match record {
        &GroupRecord::OffsetCommit(ref key, None) => {
            (key.group.as_str(), key.topic.as_str(), key.partition)
        }
        other => panic!("{other:?} is no tombstone of an offset"),
    };
    records.iter().map(of).collect()
}

#[test]
fn a_commit_writes_a_record_for_each_partition() {
    let topics = [("t", vec![partition(0, 5, ""), partition(1, -5, "m")])];
    let mut asked = request(&topics);
    let record = |index, offset, metadata: &str, expire_timestamp, topic_id: TopicId| {
        let (metadata, topic_id) = (metadata.to_owned(), topic_id.0);
        let value = OffsetCommitValue { metadata, expire_timestamp, topic_id, ..value(offset) };
        GroupRecord::OffsetCommit(key_of("t", index), Some(value))
    };
    let both = |expire: i64, id| vec![record(0, 5, "", expire, id), record(1, -5, "m", expire, id)];
    assert_eq!(decide(&asked, false).records, both(-1, ID));
    // As in Kafka, a transaction's commit does not know the topic's id.
    assert_eq!(decide(&asked, true).records, both(-1, TopicId::ZERO));
    // With a time of their own they are what that version of the record has room for.
    for retention_ms in [1000, 0] {
        asked.retention_time_ms = retention_ms;
        let old =
            both(NOW.0 + retention_ms, TopicId::ZERO).into_iter().map(|record| match record {
                GroupRecord::OffsetCommit(key, Some(value)) => {
                    let value = OffsetCommitValue { leader_epoch: -1, ..value };
                    GroupRecord::OffsetCommit(key, Some(value))
                }
                other => other,
            });
        assert_eq!(decide(&asked, false).records, old.collect::<Vec<_>>());
        assert_eq!(decide(&asked, true).records, both(-1, TopicId::ZERO));
    }
}

#[test]
fn metadata_has_a_limit_in_units_of_utf_16() {
    let check = |metadata: &str, max_size: i32, expected: &[usize]| {
        let topics = [
            ("t", vec![partition(0, 1, ""), partition(1, 2, metadata)]),
            ("u", vec![partition(0, 3, metadata)]),
        ];
        let found = commit(&request(&topics), false, None, NOW, max_size).unwrap();
        assert_eq!(found.too_large, expected, "{metadata} {max_size}");
        assert_eq!(found.records.len(), 3 - expected.len());
    };
    check("0123456789", 10, &[]);
    check("0123456789a", 10, &[1, 2]);
    check("äöüäöüäöüä", 10, &[]);
    check("äöüäöüäöüäö", 10, &[1, 2]);
    // Two units, four bytes.
    check("𝄞𝄞𝄞𝄞𝄞", 10, &[]);
    check("𝄞𝄞𝄞𝄞𝄞a", 10, &[1, 2]);
    check("", 0, &[]);
    check("", -1, &[0, 1, 2]);
}

#[test]
fn a_partition_that_may_not_be_committed_refuses_the_whole_request() {
    let topics =
        [("t", vec![partition(0, 1, ""), partition(1, 2, "far too large"), partition(2, 3, "")])];
    let late = |index: i32| {
        let check = move |_: &CommitTopic, partition: &CommitPartition| {
            let is_late = partition.index == PartitionId(index);
            if is_late { Err(ErrorCode::StaleMemberEpoch) } else { Ok(()) }
        };
        commit(&request(&topics), false, Some(&check), NOW, METADATA_MAX_SIZE)
            .map(|commit| commit.records.len())
    };
    assert_eq!(late(0), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(late(2), Err(ErrorCode::StaleMemberEpoch));
    // What is refused for itself is not looked at.
    assert_eq!(late(1), Ok(2));
}

/// Steps of a log about one partition, then what is committed and what a reader of stable offsets is told.
#[test]
fn a_transaction_counts_from_its_marker_unless_something_later_was_there_before() {
    #[derive(Debug)]
    enum Step {
        Commit(i64),
        Pend(i64, i64),
        Forget,
        End(i64, bool),
    }
    use Step::{Commit, End, Forget, Pend};
    let unstable = ErrorCode::UnstableOffsetCommit.code();
    let check = |steps: &[Step], expected: (i64, i16)| {
        let mut offsets = Offsets::default();
        for (offset, step) in steps.iter().enumerate() {
            let offset = offset as i64;
            match *step {
                Commit(to) => offsets.replay_record(&key_of("t", 0), Some(value(to)), &at(offset)),
                Pend(producer, to) => {
                    offsets.replay_record(
                        &key_of("t", 0),
                        Some(value(to)),
                        &within(offset, producer),
                    );
                }
                Forget => offsets.replay_record(&key_of("t", 0), None, &at(offset)),
                End(producer, committed) => {
                    offsets.replay_marker(&marker(offset, producer, committed));
                }
            }
        }
        assert_eq!(seen(&offsets), expected, "{steps:?}");
    };
    check(&[], (-1, 0));
    check(&[Commit(5)], (5, 0));
    check(&[Commit(5), Commit(3)], (3, 0));
    check(&[Commit(5), Forget], (-1, 0));
    check(&[Forget], (-1, 0));
    check(&[Pend(1, 5)], (-1, unstable));
    check(&[Commit(4), Pend(1, 5)], (4, unstable));
    check(&[Commit(4), Pend(1, 5), End(1, false)], (4, 0));
    check(&[Commit(4), Pend(1, 5), End(1, true)], (5, 0));
    check(&[Commit(4), Pend(1, 5), Pend(1, 6), End(1, true)], (6, 0));
    check(&[Pend(1, 5), Commit(4), End(1, true)], (4, 0));
    check(&[Pend(1, 5), Pend(2, 6), End(2, true)], (6, unstable));
    check(&[Pend(1, 5), Pend(2, 6), End(2, true), End(1, true)], (6, 0));
    check(&[Pend(1, 5), Pend(2, 6), End(2, false), End(1, true)], (5, 0));
    // A tombstone is later than what is pending.
    check(&[Pend(1, 5), Forget, End(1, true)], (-1, 0));
    check(&[Commit(4), Pend(1, 5), Pend(2, 6), Forget], (-1, 0));
    check(&[Pend(1, 5), Forget, Pend(1, 6)], (-1, unstable));
    check(&[Pend(1, 5), Forget, Pend(1, 6), End(1, true)], (6, 0));
    // Markers of transactions without offsets here, and of those that have ended.
    check(&[End(1, true), Commit(4), End(1, true)], (4, 0));
    check(&[Pend(1, 5), End(1, true), End(1, true)], (5, 0));
}

#[test]
fn nothing_is_left_of_what_is_gone() {
    let mut offsets = Offsets::default();
    offsets.replay_record(&key_of("t", 0), Some(value(1)), &at(0));
    offsets.replay_record(&key_of("t", 1), Some(value(1)), &within(1, 1));
    offsets.replay_record(&key_of("u", 1), Some(value(1)), &within(2, 1));
    assert!(offsets.has_group("g"));
    assert_eq!(offsets.count(), 1);
    for (topic, index) in [("t", 0), ("t", 1), ("u", 1)] {
        offsets.replay_record(&key_of(topic, index), None, &at(3));
    }
    assert!(!offsets.has_group("g"));
    assert_eq!(offsets, Offsets::default());
}

fn some_offsets() -> Offsets {
    let mut offsets = Offsets::default();
    let metadata = OffsetCommitValue { metadata: "kept".to_owned(), ..value(7) };
    offsets.replay_record(&key_of("t", 10), Some(metadata), &at(0));
    offsets.replay_record(&key_of("t", 2), Some(value(8)), &at(1));
    offsets.replay_record(
        &key_of("s", 0),
        Some(OffsetCommitValue { leader_epoch: -1, ..value(9) }),
        &at(2),
    );
    offsets.replay_record(&key("h", "t", 0), Some(value(10)), &at(3));
    offsets.replay_record(&key_of("t", 2), Some(value(11)), &within(4, 1));
    offsets.replay_record(&key_of("u", 0), Some(value(12)), &within(5, 1));
    offsets
}

type Fetched<'a> = (&'a str, Vec<(i32, i64, i32, &'a str, i16)>);

fn flat(topics: &[OffsetFetchResponseTopics]) -> Vec<Fetched<'_>> {
    let mut all = Vec::new();
    for topic in topics {
        let partitions = topic.partitions.iter().map(|it| {
            let metadata = it.metadata.as_ref().map_or("null", |text| text.as_str());
            let (offset, epoch) = (it.committed_offset, it.committed_leader_epoch);
            (it.partition_index, offset, epoch, metadata, it.error_code)
        });
        all.push((topic.name.0.as_str(), partitions.collect()));
    }
    all
}

#[test]
fn what_is_fetched_is_what_was_asked_for_in_that_order() {
    let offsets = some_offsets();
    let nil = Uuid::nil();
    let topics = [asked("t", nil, &[2, 10, 3, 2]), asked("none", nil, &[0]), asked("u", nil, &[0])];
    let unstable = ErrorCode::UnstableOffsetCommit.code();
    let found = offsets.fetch("g", Some(&topics), false);
    let two = (2, 8, 3, "", 0);
    let t = vec![two, (10, 7, 3, "kept", 0), (3, -1, -1, "", 0), two];
    let nothing = |topic, error| (topic, vec![(0, -1, -1, "", error)]);
    assert_eq!(flat(&found), [("t", t), nothing("none", 0), nothing("u", 0)]);
    let found = offsets.fetch("g", Some(&topics), true);
    let two = (2, -1, -1, "", unstable);
    let t = vec![two, (10, 7, 3, "kept", 0), (3, -1, -1, "", 0), two];
    assert_eq!(flat(&found), [("t", t), nothing("none", 0), nothing("u", unstable)]);
    // A group that is not known has nothing, which is no error.
    let found = offsets.fetch("k", Some(&[asked("t", nil, &[2])]), true);
    assert_eq!(flat(&found), [("t", vec![(2, -1, -1, "", 0)])]);
}

#[test]
fn all_that_is_committed_is_fetched_in_order() {
    let offsets = some_offsets();
    let unstable = ErrorCode::UnstableOffsetCommit.code();
    let s = ("s", vec![(0, 9, -1, "", 0)]);
    let all = |two| [s.clone(), ("t", vec![two, (10, 7, 3, "kept", 0)])];
    assert_eq!(flat(&offsets.fetch("g", None, false)), all((2, 8, 3, "", 0)));
    assert_eq!(flat(&offsets.fetch("g", None, true)), all((2, -1, -1, "", unstable)));
    assert_eq!(offsets.fetch("k", None, true), []);
}

#[test]
fn an_offset_of_a_topic_that_had_the_name_before_is_not_fetched() {
    let mut offsets = Offsets::default();
    offsets.replay_record(&key_of("t", 0), Some(value(5)), &at(0));
    let unknown = OffsetCommitValue { topic_id: Uuid::nil(), ..value(6) };
    offsets.replay_record(&key_of("t", 1), Some(unknown), &at(1));
    let check = |id: Uuid, expected: [i64; 2]| {
        let found = offsets.fetch("g", Some(&[asked("t", id, &[0, 1])]), true);
        assert_eq!(found[0].topic_id, id);
        let found = found[0].partitions.iter().map(|it| it.committed_offset);
        assert_eq!(found.collect::<Vec<_>>(), expected);
    };
    check(ID.0, [5, 6]);
    check(OTHER_ID.0, [-1, 6]);
    check(Uuid::nil(), [5, 6]);
}

#[test]
fn offsets_are_deleted_where_they_are_and_nobody_reads() {
    let offsets = some_offsets();
    let topic = |name: &str, indexes: &[i32]| {
        let index = |&index| OffsetDeleteRequestPartition::default().with_partition_index(index);
        OffsetDeleteRequestTopic::default()
            .with_name(kafka_protocol::messages::TopicName(text(name)))
            .with_partitions(indexes.iter().map(index).collect())
    };
    let topics = [topic("t", &[10, 3, 2]), topic("s", &[0]), topic("u", &[0])];
    let (records, answers) = offsets.delete("g", &topics, &|topic| topic == "s");
    assert_eq!(tombstones(&records), [("g", "t", 10), ("g", "t", 2), ("g", "u", 0)]);
    let subscribed = ErrorCode::GroupSubscribedToTopic.code();
    let answered: Vec<_> = answers
        .iter()
        .flat_map(|topic| {
            let name = topic.name.0.as_str();
            topic.partitions.iter().map(move |it| (name, it.partition_index, it.error_code))
        })
        .collect();
    let expected = [("t", 10, 0), ("t", 3, 0), ("t", 2, 0), ("s", 0, subscribed), ("u", 0, 0)];
    assert_eq!(answered, expected);
}

#[test]
fn a_group_goes_with_all_that_it_has_committed_or_is_about_to() {
    let offsets = some_offsets();
    let expected = [("g", "s", 0), ("g", "t", 2), ("g", "t", 10), ("g", "u", 0)];
    assert_eq!(tombstones(&offsets.delete_all("g")), expected);
    assert_eq!(offsets.delete_all("k"), []);
}

#[test]
fn a_topic_goes_with_its_offsets_but_not_with_those_of_its_namesakes() {
    let mut offsets = some_offsets();
    offsets.replay_record(&key("i", "t", 0), Some(value(5)), &at(6));
    let other = OffsetCommitValue { topic_id: OTHER_ID.0, ..value(5) };
    offsets.replay_record(&key("i", "t", 1), Some(other), &at(7));
    let unknown = OffsetCommitValue { topic_id: Uuid::nil(), ..value(5) };
    offsets.replay_record(&key("i", "t", 2), Some(unknown.clone()), &at(8));
    offsets.replay_record(&key("i", "t", 3), Some(unknown), &within(9, 2));
    let of_t =
        [("g", "t", 2), ("g", "t", 10), ("h", "t", 0), ("i", "t", 0), ("i", "t", 2), ("i", "t", 3)];
    assert_eq!(tombstones(&offsets.delete_topic("t", ID)), of_t);
    assert_eq!(tombstones(&offsets.delete_topic("u", ID)), [("g", "u", 0)]);
    assert_eq!(offsets.delete_topic("v", ID), []);
}

const RETENTION_MS: i64 = 1000;

fn committed_ago(age_ms: i64) -> OffsetCommitValue {
    OffsetCommitValue { commit_timestamp: NOW.0 - age_ms, ..value(5) }
}

/// As KIP-211 has it.
#[test]
fn offsets_expire_as_the_group_and_they_themselves_say() {
    let check = |value: OffsetCommitValue,
                 expiry: OffsetsExpire,
                 is_subscribed: bool,
                 expires: bool| {
        let mut offsets = Offsets::default();
        offsets.replay_record(&key_of("t", 0), Some(value.clone()), &at(0));
        let mut records = Vec::new();
        let subscribed = |_: &str| is_subscribed;
        let left = offsets.expire("g", expiry, &subscribed, NOW, RETENTION_MS, &mut records);
        let gone = (left == Left::Nothing, records.len());
        assert_eq!(gone, (expires, usize::from(expires)), "{value:?} {expiry:?} {is_subscribed}");
    };
    let old = committed_ago(RETENTION_MS);
    let young = committed_ago(RETENTION_MS - 1);
    let since = |age_ms: i64| OffsetsExpire::After(Timestamp(NOW.0 - age_ms));
    check(old.clone(), OffsetsExpire::AfterCommit, false, true);
    check(young.clone(), OffsetsExpire::AfterCommit, false, false);
    check(old.clone(), OffsetsExpire::AfterCommit, true, false);
    check(old.clone(), OffsetsExpire::Never, false, false);
    check(old.clone(), since(RETENTION_MS), false, true);
    check(young.clone(), since(RETENTION_MS), false, true);
    check(old.clone(), since(RETENTION_MS - 1), false, false);
    // Those with a time of their own.
    let until = |at: i64, value: &OffsetCommitValue| OffsetCommitValue {
        expire_timestamp: NOW.0 + at,
        ..value.clone()
    };
    check(until(0, &young), OffsetsExpire::AfterCommit, false, true);
    check(until(1, &old), OffsetsExpire::AfterCommit, false, false);
    check(until(0, &young), since(0), false, true);
    check(until(0, &young), OffsetsExpire::Never, false, false);
    check(until(0, &young), OffsetsExpire::AfterCommit, true, false);
}

#[test]
fn a_group_has_something_left_while_a_transaction_is_open() {
    let mut offsets = Offsets::default();
    let expire = |offsets: &Offsets| {
        let mut records = Vec::new();
        let nothing = |_: &str| false;
        let expiry = OffsetsExpire::AfterCommit;
        let left = offsets.expire("g", expiry, &nothing, NOW, RETENTION_MS, &mut records);
        (left, tombstones(&records).into_iter().map(|(.., index)| index).collect::<Vec<_>>())
    };
    assert_eq!(expire(&offsets), (Left::Nothing, vec![]));
    for index in [2, 0, 1] {
        offsets.replay_record(&key_of("t", index), Some(committed_ago(RETENTION_MS)), &at(0));
    }
    assert_eq!(expire(&offsets), (Left::Nothing, vec![0, 1, 2]));
    offsets.replay_record(&key_of("t", 1), Some(committed_ago(0)), &within(3, 1));
    assert_eq!(expire(&offsets), (Left::Something, vec![0, 2]));
    for index in [0, 1, 2] {
        offsets.replay_record(&key_of("t", index), None, &at(4));
    }
    assert_eq!(expire(&offsets), (Left::Nothing, vec![]));
    offsets.replay_record(&key_of("u", 0), Some(committed_ago(0)), &within(5, 1));
    assert_eq!(expire(&offsets), (Left::Something, vec![]));
}

#[test]
fn a_topic_that_the_group_reads_keeps_the_group() {
    let mut offsets = Offsets::default();
    offsets.replay_record(&key_of("t", 0), Some(committed_ago(RETENTION_MS)), &at(0));
    offsets.replay_record(&key_of("u", 0), Some(committed_ago(RETENTION_MS)), &at(1));
    let mut records = Vec::new();
    let reads = |topic: &str| topic == "u";
    let expiry = OffsetsExpire::AfterCommit;
    let left = offsets.expire("g", expiry, &reads, NOW, RETENTION_MS, &mut records);
    assert_eq!((left, tombstones(&records)), (Left::Something, vec![("g", "t", 0)]));
}

/// An entry of a log of offsets, as it is written.
#[derive(Clone, Debug)]
enum Entry {
    Record { producer: Option<i64>, key: OffsetCommitKey, value: Option<OffsetCommitValue> },
    Marker { producer: i64, committed: bool },
}

type Log = Vec<(i64, Entry)>;

fn any_entry() -> impl Strategy<Value = Entry> {
    let record = (0..4_i64, 0..2_u8, 0..2_u8, 0..2_i32, 0..100_i64, any::<bool>()).prop_map(
        |(producer, group, topic, index, offset, rare)| {
            let metadata = if rare { format!("at {offset}") } else { String::new() };
            Entry::Record {
                producer: (producer > 0).then_some(producer),
                key: key(&group.to_string(), &topic.to_string(), index),
                value: Some(OffsetCommitValue { metadata, ..value(offset) }),
            }
        },
    );
    let tombstone = (0..2_u8, 0..2_u8, 0..2_i32).prop_map(|(group, topic, index)| Entry::Record {
        producer: None,
        key: key(&group.to_string(), &topic.to_string(), index),
        value: None,
    });
    let marker = (1..4_i64, any::<bool>())
        .prop_map(|(producer, committed)| Entry::Marker { producer, committed });
    prop_oneof![6 => record, 1 => tombstone, 3 => marker]
}

fn replay_into(offsets: &mut Offsets, log: &[(i64, Entry)]) {
    for (offset, entry) in log {
        match entry {
            Entry::Record { producer, key, value } => {
                let record = GroupRecord::OffsetCommit(key.clone(), value.clone());
                let (key, value) = record.encode();
                let record = GroupRecord::decode(&key, value.as_ref()).unwrap().unwrap();
                let GroupRecord::OffsetCommit(key, value) = record else { panic!("{record:?}") };
                let at = producer.map_or_else(|| at(*offset), |it| within(*offset, it));
                offsets.replay_record(&key, value, &at);
            }
            Entry::Marker { producer, committed } => {
                offsets.replay_marker(&marker(*offset, *producer, *committed));
            }
        }
    }
}

fn replayed(log: &[(i64, Entry)]) -> Offsets {
    let mut offsets = Offsets::default();
    replay_into(&mut offsets, log);
    offsets
}

/// How the transaction ends that a producer has open at `index`, if it ends.
fn end_of(log: &[(i64, Entry)], index: usize, of: i64) -> Option<bool> {
    log[index..].iter().find_map(|(_, entry)| match entry {
        Entry::Marker { producer, committed } if *producer == of => Some(*committed),
        _ => None,
    })
}

/// What Kafka's cleaner leaves: below the first record of an open transaction, of each key the last record, no record of
/// an aborted transaction, and no marker of a transaction of which nothing is left.
fn compacted(log: &[(i64, Entry)], keep_tombstones: bool, keep_markers: bool) -> Log {
    let fate = |index: usize| match &log[index].1 {
        Entry::Record { producer: Some(producer), .. } => end_of(log, index, *producer),
        _ => Some(true),
    };
    let open = (0..log.len()).find(|&index| fate(index).is_none()).unwrap_or(log.len());
    let is_last = |index: usize, key: &OffsetCommitKey| {
        (index + 1..open).all(|later| match &log[later].1 {
            Entry::Record { key: other, .. } => other != key || fate(later) != Some(true),
            Entry::Marker { .. } => true,
        })
    };
    let stays = |index: usize| match &log[index].1 {
        Entry::Record { key, value, .. } => {
            fate(index) == Some(true) && is_last(index, key) && (value.is_some() || keep_tombstones)
        }
        Entry::Marker { .. } => true,
    };
    let kept: Log = (0..log.len())
        .filter(|&index| index >= open || stays(index))
        .map(|index| log[index].clone())
        .collect();
    let has_records = |index: usize, of: i64| {
        let before = kept[..index].iter().rev();
        let own = before.take_while(
            |(_, entry)| !matches!(entry, Entry::Marker { producer, .. } if *producer == of),
        );
        own.into_iter().any(
            |(_, entry)| matches!(entry, Entry::Record { producer: Some(it), .. } if *it == of),
        )
    };
    let is_needed = |index: &usize| match kept[*index].1 {
        Entry::Marker { producer, .. } => keep_markers || has_records(*index, producer),
        Entry::Record { .. } => true,
    };
    (0..kept.len()).filter(is_needed).map(|index| kept[index].clone()).collect()
}

proptest! {
    /// However often the log was compacted and loaded in between, the state is that of all that was written.
    #[test]
    fn the_state_is_that_of_the_log_and_of_the_compacted_log(
        entries in prop::collection::vec(any_entry(), 1..40),
        cuts in prop::collection::vec((0..40_usize, any::<bool>(), any::<bool>()), 1..4),
    ) {
        let whole: Log = (0..).zip(entries).collect();
        let mut running = Offsets::default();
        let mut log: Log = Vec::new();
        for (offset, entry) in &whole {
            replay_into(&mut running, &[(*offset, entry.clone())]);
            log.push((*offset, entry.clone()));
            for (at, keep_tombstones, keep_markers) in &cuts {
                if *at as i64 == *offset {
                    let before = log.len();
                    log = compacted(&log, *keep_tombstones, *keep_markers);
                    prop_assert!(log.len() <= before);
                }
            }
            prop_assert_eq!(&replayed(&log), &running, "{:?}", log);
        }
        prop_assert_eq!(replayed(&whole), running);
    }
}
