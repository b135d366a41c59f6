//! Rows 65 to 67, as far as they are of offsets: what is committed and may not be, what it costs, and who may commit.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use protocol_tests::connection::{Connection, Outcome, header_of};
use protocol_tests::fields::Writer;
use protocol_tests::node::Node;
use protocol_tests::requests::{ask_until, create_topic, text, topic_name};

use super::coordinators::{group_id, of_group, producer};
use super::{assert_growth_below, assert_served, error};

fn commit(group: &str, topic: &str, partitions: &[(i32, i64, &str)]) -> OffsetCommitRequest {
    let partition = |&(index, offset, metadata): &(i32, i64, &str)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text(metadata)))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(partitions.iter().map(partition).collect());
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn codes(connection: &mut Connection, request: &OffsetCommitRequest) -> Vec<i16> {
    let answer = connection.ask(8, request);
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.error_code).collect()
}

/// 67
#[test]
fn a_commit_that_makes_no_sense_is_refused() {
    let node = Node::shared();
    let mut connection = of_group(&node, "commits");
    create_topic(&mut connection, "commits", 1, &[]);
    let (largest, larger) = ("m".repeat(4096), "m".repeat(4097));
    let mut told = |request: &OffsetCommitRequest| codes(&mut connection, request);
    let one = |offset, metadata| commit("commits", "commits", &[(0, offset, metadata)]);
    assert_eq!(told(&one(1, &larger)), [error::OFFSET_METADATA_TOO_LARGE]);
    assert_eq!(told(&one(1, &largest)), [0]);
    let long = "m".repeat(32_767);
    assert_eq!(told(&one(1, &long)), [error::OFFSET_METADATA_TOO_LARGE]);
    // Kafka looks at no offset; what comes of a strange one is the consumer's affair.
    for offset in [-1, -5, i64::MIN, i64::MAX, 1] {
        assert_eq!(told(&one(offset, "")), [0], "{offset}");
    }
    let unknown = error::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(told(&commit("commits", "nowhere", &[(0, 1, "")])), [unknown]);
    let beside = [(0, 1, ""), (1, 1, ""), (-1, 1, "")];
    assert_eq!(told(&commit("commits", "commits", &beside)), [unknown, unknown, 0]);
    // The group without a name is one that may commit.
    assert_eq!(told(&commit("", "commits", &[(0, 1, "")])), [0]);
    assert_served(&node);
}

/// 67: a million partitions, of a topic that is there and of one that is not. They are more than any client has: the
/// connection may end, or each is answered; memory is bounded either way.
#[test]
fn a_million_partitions_take_bounded_memory() {
    const COUNT: i32 = 1_000_000;
    let node = Node::start();
    let mut connection = of_group(&node, "million");
    create_topic(&mut connection, "million", 1, &[]);
    producer(&mut connection, "million");
    let partitions = |to: Writer, entry: &[u8]| {
        let each = |to: Writer, index| to.i32(index).raw(entry);
        (0..COUNT).fold(to.i32(COUNT), each)
    };
    // Offset, leader epoch, and metadata that are none.
    let committed = Writer::default().i64(1).i32(-1).i16(-1).0;
    for topic in ["million", "nowhere"] {
        let head = Writer::default().string("million").i32(-1).string("").i16(-1).i32(1);
        let commit = partitions(head.string(topic), &committed);
        let head = Writer::default().string("million").i32(1).string(topic);
        let fetch = partitions(head, &[]);
        let head = Writer::default().string("million").string("million").i64(0).i16(0).i32(1);
        let txn_commit = partitions(head.string(topic), &committed);
        for (key, version, body) in [(8, 7, commit), (9, 5, fetch), (28, 2, txn_commit)] {
            assert_growth_below(&node, 96, || {
                let mut connection = node.connect();
                connection.send_frame(&header_of(key, version, 1, false).raw(&body.0).0);
                match connection.receive() {
                    Outcome::Closed => {}
                    Outcome::Answer(answer) => assert!(answer.len() > 6 * COUNT as usize),
                }
            });
        }
    }
}

/// 65: groups that only have offsets. Each has a record in the log, and what it takes in memory is little.
#[test]
fn groups_that_only_commit_take_little() {
    const GROUPS: usize = 2000;
    let node = Node::start_with(&[("offsets.topic.num.partitions", "1")]);
    let mut connection = of_group(&node, "g");
    create_topic(&mut connection, "t", 1, &[]);
    assert_growth_below(&node, 12, || {
        for number in 0..GROUPS {
            let group = format!("group-{number}");
            assert_eq!(codes(&mut connection, &commit(&group, "t", &[(0, 1, "")])), [0]);
        }
    });
}

/// 65: and they expire.
#[test]
fn offsets_of_groups_without_members_expire() {
    let node = Node::start_with(&[
        ("offsets.topic.num.partitions", "1"),
        ("offsets.retention.check.interval.ms", "50"),
    ]);
    let mut connection = of_group(&node, "g");
    create_topic(&mut connection, "t", 1, &[]);
    // A time of its own, which old clients may give.
    let request = commit("g", "t", &[(0, 5, "")]).with_retention_time_ms(1);
    let answer = connection.ask(4, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    let fetch = OffsetFetchRequest::default().with_group_id(group_id("g")).with_topics(None);
    ask_until(&mut connection, 5, &fetch, |answer| answer.topics.is_empty());
    assert_served(&node);
}

fn join(connection: &mut Connection, instance: Option<&str>) -> JoinGroupResponse {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let request = JoinGroupRequest::default()
        .with_group_id(group_id("stale-commits"))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_group_instance_id(instance.map(text))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol.with_metadata(Bytes::new())]);
    let mut answer = connection.ask(9, &request);
    if answer.error_code == error::MEMBER_ID_REQUIRED {
        answer = connection.ask(9, &request.with_member_id(answer.member_id));
    }
    assert_eq!(answer.error_code, 0, "{answer:?}");
    answer
}

/// 66: who is not a member now, or has been replaced, commits nothing.
#[test]
fn only_a_member_commits() {
    let node = Node::shared();
    let mut connection = of_group(&node, "stale-commits");
    create_topic(&mut connection, "stale-commits", 1, &[]);
    let joined = join(&mut connection, Some("i"));
    let sync = SyncGroupRequest::default()
        .with_group_id(group_id("stale-commits"))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(Some(text("i")))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")));
    assert_eq!(connection.ask(5, &sync).error_code, 0);
    let of = |member: &str, generation, instance: Option<&str>| {
        commit("stale-commits", "stale-commits", &[(0, 1, "")])
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text))
    };
    let generation = joined.generation_id;
    let member = joined.member_id.as_str();
    for (request, expected) in [
        (of("x", generation, None), error::UNKNOWN_MEMBER_ID),
        (of("", -1, None), error::UNKNOWN_MEMBER_ID),
        (of(member, generation - 1, None), error::ILLEGAL_GENERATION),
        (of(member, generation + 1, None), error::ILLEGAL_GENERATION),
        (of("x", generation, Some("i")), error::FENCED_INSTANCE_ID),
        (of(member, generation, Some("j")), error::UNKNOWN_MEMBER_ID),
        (of(member, generation, Some("i")), 0),
    ] {
        assert_eq!(codes(&mut connection, &request), [expected], "{request:?}");
    }
    assert_served(&node);
}
