use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, ListOffsetsRequest, ListOffsetsResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::*;
use crate::wire::guard;

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
