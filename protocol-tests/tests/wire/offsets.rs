//! OffsetCommit, OffsetFetch and OffsetDelete, of groups that nobody is a member of.

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DeleteTopicsRequest, FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetFetchResponse,
};
use protocol_tests::fields::Writer;
use protocol_tests::requests::{ask_until, text, topic_name};
use uuid::Uuid;

use super::script::Script;

fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

/// Begins a conversation with a node that coordinates these groups.
fn begin(name: &'static str, groups: &[&str]) -> Script {
    let script = Script::begin_with(name, &[("offset.metadata.max.bytes", "10")]);
    let mut connection = script.node.connect();
    for group in groups {
        let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(*group)]);
        ask_until(&mut connection, 4, &find, |answer| answer.coordinators[0].error_code == 0);
        let fetch = fetch_groups(&[(group, None)], false);
        ask_until(&mut connection, 8, &fetch, |answer| answer.groups[0].error_code == 0);
    }
    script
}

/// A partition of a commit: index, offset, leader epoch, metadata.
type Committed<'a> = (i32, i64, i32, Option<&'a str>);

fn commit(version: i16, group: &str, topics: &[(&str, &[Committed<'_>])]) -> OffsetCommitRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        let partition = |&(index, offset, epoch, metadata): &Committed<'_>| {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_metadata(metadata.map(text));
            if version < 6 { partition } else { partition.with_committed_leader_epoch(epoch) }
        };
        OffsetCommitRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.iter().map(partition).collect())
    });
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_retention_time_ms(-1)
        .with_topics(topics.collect())
}

fn fetch_one(group: &str, topics: Option<&[(&str, &[i32])]>, stable: bool) -> OffsetFetchRequest {
    let topics = topics.map(|topics| {
        let topic = |(name, indexes): &(&str, &[i32])| {
            OffsetFetchRequestTopic::default()
                .with_name(topic_name(name))
                .with_partition_indexes(indexes.to_vec())
        };
        topics.iter().map(topic).collect()
    });
    let request = OffsetFetchRequest::default().with_group_id(group_id(group));
    request.with_topics(topics).with_require_stable(stable)
}

type Asked<'a> = (&'a str, Option<&'a [(&'a str, &'a [i32])]>);

fn fetch_groups(groups: &[Asked<'_>], stable: bool) -> OffsetFetchRequest {
    let groups = groups.iter().map(|(group, topics)| {
        let topics = topics.map(|topics| {
            let topic = |(name, indexes): &(&str, &[i32])| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic_name(name))
                    .with_partition_indexes(indexes.to_vec())
            };
            topics.iter().map(topic).collect()
        });
        OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(topics)
    });
    OffsetFetchRequest::default().with_groups(groups.collect()).with_require_stable(stable)
}

/// Kafka gives all topics of a group, and their partitions, in the order of hash tables.
fn sort(answer: &mut OffsetFetchResponse) {
    answer.topics.sort_by(|one, other| one.name.cmp(&other.name));
    for topic in &mut answer.topics {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    for group in &mut answer.groups {
        group.topics.sort_by(|one, other| one.name.cmp(&other.name));
        for topic in &mut group.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
    }
}

fn ask_fetch(script: &mut Script, version: i16, request: &OffsetFetchRequest) {
    script.ask_hiding(version, request, sort);
}

#[test]
fn offset_commit() {
    let mut script = begin("offset-commit", &["g", "members"]);
    script.topic("wire-a", 2, &[]);
    script.topic("wire-b", 1, &[]);
    let (largest, larger) = ("0123456789", "0123456789a");
    for version in 2..=9 {
        let ask = |script: &mut Script, request: &OffsetCommitRequest| {
            script.ask(version, request);
        };
        let commit = |topics: &[(&str, &[Committed<'_>])]| commit(version, "g", topics);
        ask(&mut script, &commit(&[]));
        ask(&mut script, &commit(&[("wire-a", &[])]));
        ask(&mut script, &commit(&[("wire-a", &[(0, 5, 3, Some("kept")), (1, 6, -1, None)])]));
        ask(&mut script, &commit(&[("wire-a", &[(1, -5, -7, Some(""))])]));
        // What does not exist, alone and beside what does.
        ask(&mut script, &commit(&[("unknown", &[(0, 1, 0, None), (1, 1, 0, None)])]));
        ask(&mut script, &commit(&[("unknown", &[])]));
        ask(&mut script, &commit(&[("wire-a", &[(2, 1, 0, None), (-1, 1, 0, None)])]));
        let mixed: &[(&str, &[Committed<'_>])] = &[
            ("wire-b", &[(0, 1, 0, None)]),
            ("unknown", &[(0, 1, 0, None)]),
            ("wire-a", &[(0, 2, 0, None), (9, 2, 0, None), (1, 2, 0, None)]),
            ("unknown", &[(1, 1, 0, None)]),
            ("wire-b", &[(0, 3, 0, None)]),
        ];
        ask(&mut script, &commit(mixed));
        ask(&mut script, &commit(&[mixed[0], mixed[4]]));
        // The metadata's size.
        let sizes: &[Committed<'_>] =
            &[(0, 1, 0, Some(larger)), (1, 1, 0, Some(largest)), (0, 1, 0, Some(larger))];
        ask(&mut script, &commit(&[("wire-a", sizes)]));
        ask(&mut script, &commit(&[("unknown", sizes), ("wire-a", &sizes[..1])]));
        // Members of a group that has none, or is not there.
        let one: &[(&str, &[Committed<'_>])] = &[("wire-a", &[(0, 7, 0, None)])];
        for (group, generation, member) in
            [("g", 0, ""), ("g", -1, "m"), ("g", 1, "m"), ("members", 1, "m"), ("members", -2, "m")]
        {
            let request = self::commit(version, group, one)
                .with_generation_id_or_member_epoch(generation)
                .with_member_id(text(member));
            ask(&mut script, &request);
            if version >= 7 {
                ask(&mut script, &request.with_group_instance_id(Some(text("i"))));
            }
        }
        ask(&mut script, &self::commit(version, "", one));
        if version < 5 {
            ask(&mut script, &commit(one).with_retention_time_ms(60_000));
        }
        let request = fetch_one("g", None, false);
        ask_fetch(&mut script, 2, &request);
        ask_fetch(&mut script, 5, &request);
    }
    script.end();
}

#[test]
fn offset_fetch() {
    let mut script = begin("offset-fetch", &["g", "h"]);
    script.topic("wire-a", 3, &[]);
    script.topic("wire-b", 1, &[]);
    let topics: &[(&str, &[Committed<'_>])] =
        &[("wire-a", &[(0, 5, 3, Some("kept")), (2, 6, -1, None)]), ("wire-b", &[(0, 7, 0, None)])];
    script.ask(9, &commit(9, "g", topics));
    script.ask(9, &commit(9, "h", &topics[1..]));
    let some: &[(&str, &[i32])] =
        &[("wire-b", &[0, 9]), ("unknown", &[0]), ("wire-a", &[2, 1, 0, 2, -1]), ("wire-b", &[])];
    for version in 1..=7 {
        for stable in [false, true] {
            if stable && version < 7 {
                continue;
            }
            for group in ["g", "h", "unknown", ""] {
                ask_fetch(&mut script, version, &fetch_one(group, Some(some), stable));
                ask_fetch(&mut script, version, &fetch_one(group, Some(&[]), stable));
                if version >= 2 {
                    ask_fetch(&mut script, version, &fetch_one(group, None, stable));
                }
            }
        }
    }
    for version in 8..=9 {
        for stable in [false, true] {
            ask_fetch(&mut script, version, &fetch_groups(&[], stable));
            ask_fetch(&mut script, version, &fetch_groups(&[("g", Some(some))], stable));
            let several: &[Asked<'_>] = &[
                ("h", None),
                ("unknown", Some(some)),
                ("g", None),
                ("", None),
                ("g", Some(&some[..1])),
                ("h", Some(&[])),
            ];
            ask_fetch(&mut script, version, &fetch_groups(several, stable));
        }
    }
    let mut request = fetch_groups(&[("g", Some(some)), ("unknown", None)], true);
    for group in &mut request.groups {
        *group = group.clone().with_member_id(Some(text("m"))).with_member_epoch(3);
    }
    ask_fetch(&mut script, 9, &request);
    script.end();
}

/// A commit of version 10: without a member, of one partition of each topic.
fn commit_by_id(group: &str, topics: &[(Uuid, i32, i64)]) -> Vec<u8> {
    let topic = |to: Writer, &(id, index, offset): &(Uuid, i32, i64)| {
        let to = to.raw(id.as_bytes()).uvarint(2).i32(index).i64(offset).i32(4);
        to.compact(b"m").tags().tags()
    };
    let to = Writer::default().compact(group.as_bytes()).i32(-1).compact(b"").uvarint(0);
    to.array(topics, topic).tags().0
}

/// A fetch of version 10: of partitions 0 and 1 of each topic, or of all.
fn fetch_by_id(group: &str, topics: Option<&[Uuid]>) -> Vec<u8> {
    let topic = |to: Writer, id: &Uuid| {
        to.raw(id.as_bytes()).array(&[0, 1], |to, index| to.i32(*index)).tags()
    };
    let to = Writer::default().uvarint(2).compact(group.as_bytes()).uvarint(0).i32(-1);
    let to = match topics {
        Some(topics) => to.array(topics, topic),
        None => to.uvarint(0),
    };
    to.tags().i8(0).tags().0
}

#[test]
fn offsets_by_topic_id() {
    let mut script = begin("offsets-by-topic-id", &["g"]);
    let (a, b) = (script.topic("wire-a", 2, &[]), script.topic("wire-b", 1, &[]));
    let (unknown, nil) = (Uuid::from_u128(7), Uuid::nil());
    let ask = |script: &mut Script, api_key: i16, body: Vec<u8>| {
        script.ask_bytes(api_key, 10, true, &body, |_| ());
    };
    ask(&mut script, 8, commit_by_id("g", &[]));
    ask(&mut script, 8, commit_by_id("g", &[(b, 0, 1), (a, 0, 2), (b, 0, 3)]));
    ask(&mut script, 8, commit_by_id("g", &[(a, 5, 2), (unknown, 0, 1), (nil, 0, 1), (a, 1, 4)]));
    ask(&mut script, 8, commit_by_id("g", &[(unknown, 0, 1), (unknown, 1, 1)]));
    ask(&mut script, 9, fetch_by_id("g", Some(&[b, a])));
    ask(&mut script, 9, fetch_by_id("g", Some(&[unknown, a, nil, b])));
    ask(&mut script, 9, fetch_by_id("g", Some(&[])));
    ask(&mut script, 9, fetch_by_id("unknown", Some(&[b])));
    ask(&mut script, 9, fetch_by_id("unknown", None));
    // All topics are one, so that they have an order.
    let request = OffsetDeleteRequest::default()
        .with_group_id(group_id("g"))
        .with_topics(vec![delete_topic("wire-a", &[0, 1])]);
    script.ask(0, &request);
    ask(&mut script, 9, fetch_by_id("g", None));
    // The topic is another one of the same name.
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![topic_name("wire-b")]);
    let answer = script.node.connect().ask(5, &delete.with_timeout_ms(30_000));
    assert_eq!(answer.responses[0].error_code, 0);
    let all = fetch_groups(&[("g", None)], true);
    let mut connection = script.node.connect();
    ask_until(&mut connection, 8, &all, |answer| answer.groups[0].topics.is_empty());
    ask(&mut script, 9, fetch_by_id("g", None));
    let b = script.topic("wire-b", 1, &[]);
    ask(&mut script, 9, fetch_by_id("g", Some(&[b])));
    script.end();
}

fn delete_topic(name: &str, indexes: &[i32]) -> OffsetDeleteRequestTopic {
    let index = |&index| OffsetDeleteRequestPartition::default().with_partition_index(index);
    OffsetDeleteRequestTopic::default()
        .with_name(topic_name(name))
        .with_partitions(indexes.iter().map(index).collect())
}

#[test]
fn offset_delete() {
    let mut script = begin("offset-delete", &["g", "unknown"]);
    script.topic("wire-a", 3, &[]);
    script.topic("wire-b", 1, &[]);
    let topics: &[(&str, &[Committed<'_>])] =
        &[("wire-a", &[(0, 5, 3, Some("kept")), (2, 6, -1, None)]), ("wire-b", &[(0, 7, 0, None)])];
    script.ask(9, &commit(9, "g", topics));
    for topics in [
        vec![],
        vec![delete_topic("wire-a", &[1]), delete_topic("wire-b", &[])],
        vec![delete_topic("unknown", &[0, 1])],
        vec![
            delete_topic("wire-b", &[5]),
            delete_topic("unknown", &[0]),
            delete_topic("wire-a", &[2, 1, 7]),
        ],
        vec![delete_topic("wire-a", &[0]), delete_topic("wire-b", &[0])],
    ] {
        for group in ["g", "unknown", ""] {
            let request = OffsetDeleteRequest::default()
                .with_group_id(group_id(group))
                .with_topics(topics.clone());
            script.ask(0, &request);
        }
        ask_fetch(&mut script, 8, &fetch_groups(&[("g", None)], true));
    }
    script.end();
}
