use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, GroupId, ListOffsetsRequest,
    ListOffsetsResponse, OffsetCommitResponse, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::*;
use crate::wire::fields::Malformed;
use crate::wire::guard;
use crate::wire::reply::{Chunk, Reply};

fn bytes(hex: &str) -> Bytes {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

/// The bytes are those of Apache Kafka's own classes, release 4.3.1, as everywhere below.
#[test]
fn list_offsets_11_reads_and_writes_as_10_does() {
    let mut body = bytes("ffffffff01020274020000000100000005fffffffffffffffa00000000753000");
    assert_eq!(guard::check(2, 11, &body), Ok(()));
    let request: ListOffsetsRequest = decode(11, &mut body).unwrap();
    assert!(body.is_empty());
    assert_eq!((request.isolation_level, request.timeout_ms), (1, 30_000));
    let partition = &request.topics[0].partitions[0];
    assert_eq!((partition.partition_index, partition.timestamp), (1, -6));

    let partition = ListOffsetsPartitionResponse::default()
        .with_partition_index(1)
        .with_timestamp(-1)
        .with_offset(42)
        .with_leader_epoch(5);
    let topic =
        ListOffsetsTopicResponse::default().with_name(name()).with_partitions(vec![partition]);
    let answer = ListOffsetsResponse::default().with_topics(vec![topic]);
    let mut out = BytesMut::new();
    encode::<ListOffsetsRequest>(11, &answer, &mut out).unwrap();
    let expected = "0000000002027402000000010000ffffffffffffffff000000000000002a00000005000000";
    assert_eq!(out, bytes(expected));
}

#[test]
fn describe_log_dirs_5_asks_as_4_does() {
    let mut body = bytes("0000");
    assert_eq!(guard::check(35, 5, &body), Ok(()));
    let request: DescribeLogDirsRequest = decode(5, &mut body).unwrap();
    assert_eq!((request.topics, body.len()), (None, 0));
}

#[test]
fn describe_log_dirs_answers_as_kafka_does_at_every_version() {
    let partition = DescribeLogDirsPartition::default()
        .with_partition_index(3)
        .with_partition_size(4096)
        .with_offset_lag(2);
    let topic = DescribeLogDirsTopic::default().with_name(name()).with_partitions(vec![partition]);
    let fine = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_static_str("/a"))
        .with_total_bytes(1000)
        .with_usable_bytes(900)
        .with_topics(vec![topic]);
    let offline = DescribeLogDirsResult::default()
        .with_error_code(56)
        .with_log_dir(StrBytes::from_static_str("/b"));
    let answer = DescribeLogDirsResponse::default()
        .with_throttle_time_ms(7)
        .with_results(vec![fine, offline]);
    for (version, expected) in [
        (
            1,
            "0000000700000002000000022f610000000100017400000001000000030000000000001000\
             000000000000000200003800022f6200000000",
        ),
        (
            2,
            "00000007030000032f61020274020000000300000000000010000000000000000002000000\
             000038032f62010000",
        ),
        (
            3,
            "000000070000030000032f6102027402000000030000000000001000000000000000000200\
             0000000038032f62010000",
        ),
        (
            4,
            "000000070000030000032f6102027402000000030000000000001000000000000000000200\
             000000000000000003e80000000000000384000038032f6201ffffffffffffffffffffffff\
             ffffffff0000",
        ),
        (
            5,
            "000000070000030000032f6102027402000000030000000000001000000000000000000200\
             000000000000000003e8000000000000038401000038032f6201ffffffffffffffffffffff\
             ffffffffff000000",
        ),
    ] {
        let mut out = BytesMut::new();
        let cordoned = |result: &DescribeLogDirsResult| result.error_code == 0;
        describe_log_dirs::encode(version, &answer, cordoned, &mut out).unwrap();
        assert_eq!(out, bytes(expected), "version {version}");
    }
    assert!(encode::<DescribeLogDirsRequest>(5, &answer, &mut BytesMut::new()).is_err());
}

#[test]
fn other_versions_are_the_crates_own() {
    for (api_key, version) in [(2, 10), (35, 4), (3, 13), (11, 5)] {
        assert_eq!(crate_version(api_key, version), version);
    }
}

#[test]
fn offset_commit_10_names_topics_by_their_id() {
    let body = bytes(
        "026700000003026d026902000000000000000100000000000000020300000001000000000000002a0000000502\
         780000000002000000000000002bffffffff00000000",
    );
    let request = offset_commit::decode(body.clone()).unwrap();
    let (group, member) = (&**request.group_id, &*request.member_id);
    assert_eq!((group, request.generation_id_or_member_epoch, member), ("g", 3, "m"));
    assert_eq!(request.group_instance_id.as_deref(), Some("i"));
    let topic = &request.topics[0];
    let id = Uuid::from_u64_pair(1, 2);
    assert_eq!((topic.topic_id, topic.name.as_str(), request.topics.len()), (id, "", 1));
    let partitions = topic.partitions.iter().map(|it| {
        let metadata = it.committed_metadata.as_deref();
        (it.partition_index, it.committed_offset, it.committed_leader_epoch, metadata)
    });
    assert_eq!(partitions.collect::<Vec<_>>(), [(1, 42, 5, Some("x")), (2, 43, -1, None)]);
    assert_eq!(request.retention_time_ms, -1);
    for length in 0..body.len() {
        assert!(offset_commit::decode(body.slice(..length)).is_err(), "{length}");
    }

    let partition = |index, code| {
        OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
    };
    let topic = OffsetCommitResponseTopic::default()
        .with_topic_id(id)
        .with_partitions(vec![partition(1, 0), partition(2, 12)]);
    let answer = OffsetCommitResponse::default().with_throttle_time_ms(7).with_topics(vec![topic]);
    let expected = "000000070200000000000000010000000000000002030000000100000000000002000c000000";
    assert_eq!(framed(&offset_commit::encode(9, &answer)), bytes(expected));
}

#[test]
fn offset_fetch_10_names_topics_by_their_id() {
    let body = bytes(
        "030267026d0000000302000000000000000100000000000000020300000001000000020000026800ffffffff00\
         000100",
    );
    let request = offset_fetch::decode(body.clone()).unwrap();
    assert!(request.require_stable);
    let [g, h] = &request.groups[..] else { panic!("{request:?}") };
    assert_eq!((g.group_id.as_str(), g.member_id.as_deref(), g.member_epoch), ("g", Some("m"), 3));
    assert_eq!((h.group_id.as_str(), h.member_id.as_deref(), h.member_epoch), ("h", None, -1));
    assert_eq!(h.topics, None);
    let id = Uuid::from_u64_pair(1, 2);
    let topics = g.topics.as_ref().unwrap();
    assert_eq!((topics.len(), topics[0].topic_id, topics[0].name.as_str()), (1, id, ""));
    assert_eq!(topics[0].partition_indexes, [1, 2]);
    for length in 0..body.len() {
        assert!(offset_fetch::decode(body.slice(..length)).is_err(), "{length}");
    }

    let partition = |index, offset, epoch, metadata, code| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(epoch)
            .with_metadata(Some(StrBytes::from_static_str(metadata)))
            .with_error_code(code)
    };
    let topic = OffsetFetchResponseTopics::default()
        .with_topic_id(id)
        .with_partitions(vec![partition(1, 42, 5, "x", 0), partition(2, -1, -1, "", 88)]);
    let group = |id| OffsetFetchResponseGroup::default().with_group_id(GroupId(id));
    let groups = vec![
        group(StrBytes::from_static_str("g")).with_topics(vec![topic]),
        group(StrBytes::from_static_str("h")).with_error_code(16),
    ];
    let answer = OffsetFetchResponse::default().with_throttle_time_ms(7).with_groups(groups);
    let expected = "0000000703026702000000000000000100000000000000020300000001000000000000002a000000\
                    05027800000000000002ffffffffffffffffffffffff010058000000000002680100100000";
    assert_eq!(framed(&offset_fetch::encode(9, &answer)), bytes(expected));
}

/// No count and no length makes these codecs take more than the bytes can hold.
#[test]
fn offsets_by_topic_id_are_never_taken_on_trust() {
    let check = |body: &str, expected| {
        assert_eq!(offset_commit::decode(bytes(body)).err(), Some(expected), "{body}");
    };
    let request = "0267ffffffff0100";
    check(&format!("{request}ffffffff07"), Malformed::Elements);
    check(&format!("{request}00"), Malformed::Null);
    check(&format!("{request}0200000000000000010000000000000002ffffffff07"), Malformed::Elements);
    let check = |body: &str, expected| {
        assert_eq!(offset_fetch::decode(bytes(body)).err(), Some(expected), "{body}");
    };
    check("ffffffff07", Malformed::Elements);
    let group = "02026700ffffffff";
    check(&format!("{group}ffffffff07"), Malformed::Elements);
    check(&format!("{group}0200000000000000010000000000000002ffffffff07"), Malformed::Elements);
}

/// The body of an answer to request number 9.
fn framed(reply: &Reply) -> Bytes {
    let [Chunk::Bytes(frame)] = &reply.chunks[..] else { panic!("in pieces") };
    let length = i32::from_be_bytes(*frame.first_chunk().unwrap());
    assert_eq!(length as usize, frame.len() - 4);
    assert_eq!(frame[4..9], [0, 0, 0, 9, 0]);
    frame.slice(9..)
}
