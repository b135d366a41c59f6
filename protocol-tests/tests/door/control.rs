//! Rows 58 to 62: ListOffsets, DescribeTopicPartitions, Metadata and CreateTopics.

use kafka_protocol::messages::create_topics_request::CreatableReplicaAssignment;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DescribeTopicPartitionsRequest, ListOffsetsRequest,
    MetadataRequest, MetadataResponse,
};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::requests::{batch_of, create_topic, new_topic, produce, topic_name};

use super::{assert_growth_below, assert_served, error};

fn list_offsets(topic: &str, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |&(partition, timestamp): &(i32, i64)| {
        ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(partitions.iter().map(partition).collect());
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

/// 58
#[test]
fn offsets_of_a_partition_are_asked_for_once() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "twice", 2, &[]);
    let answer = connection.ask(7, &list_offsets("twice", &[(0, -1), (0, -2)]));
    let partitions = &answer.topics[0].partitions;
    assert!(partitions.iter().all(|it| it.error_code == error::INVALID_REQUEST), "{answer:?}");
    assert_served(&node);
}

/// 58
#[test]
fn times_that_mean_nothing_are_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "meanings", 1, &[]);
    let batch = batch_of(&[b"v"]).sealed();
    assert_eq!(produce(&mut connection, "meanings", 0, batch).error_code, 0);
    for timestamp in [-7, -9, -100, i64::MIN] {
        let answer = connection.ask(10, &list_offsets("meanings", &[(0, timestamp)]));
        let partition = &answer.topics[0].partitions[0];
        eprintln!("{timestamp}: {partition:?}");
        let expected = (error::UNSUPPORTED_VERSION, -1);
        assert_eq!((partition.error_code, partition.offset), expected, "{timestamp}");
    }
    // A time after the last record has no offset, without an error.
    let answer = connection.ask(10, &list_offsets("meanings", &[(0, i64::MAX)]));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.offset, partition.timestamp), (0, -1, -1));
}

fn listing(
    names: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsRequest {
    let topics = names.iter().map(|name| TopicRequest::default().with_name(topic_name(name)));
    let cursor = cursor.map(|(name, partition)| {
        Cursor::default().with_topic_name(topic_name(name)).with_partition_index(partition)
    });
    DescribeTopicPartitionsRequest::default()
        .with_topics(topics.collect())
        .with_response_partition_limit(limit)
        .with_cursor(cursor)
}

/// 59: limits below 1 are 1, those above 2000 are 2000.
#[test]
fn limits_of_a_listing_are_kept_in_range() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "listed", 3, &[]);
    for (limit, expected) in [(0, 1), (-1, 1), (i32::MIN, 1), (2, 2), (i32::MAX, 3)] {
        let answer = connection.ask(0, &listing(&["listed"], limit, None));
        let partitions = answer.topics[0].partitions.len();
        let next = answer.next_cursor.map(|cursor| cursor.partition_index as usize);
        eprintln!("{limit}: {partitions} {next:?}");
        assert_eq!((partitions, next), (expected, (expected < 3).then_some(expected)), "{limit}");
    }
}

/// 59
#[test]
fn a_cursor_continues_where_it_points() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "cursor-a", 3, &[]);
    create_topic(&mut connection, "cursor-b", 1, &[]);
    let names = ["cursor-a", "cursor-b"];
    let mut ask = |cursor| {
        let answer = connection.ask(0, &listing(&names, 10, cursor));
        let topics = answer.topics.into_iter();
        let topic = |topic: kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic| {
            (topic.name.unwrap().0.to_string(), topic.error_code, topic.partitions.len())
        };
        topics.map(topic).collect::<Vec<_>>()
    };
    let entry = |name: &str, partitions| (name.to_owned(), 0, partitions);
    assert_eq!(ask(Some(("cursor-a", 1))), [entry("cursor-a", 2), entry("cursor-b", 1)]);
    assert_eq!(ask(Some(("cursor-b", 0))), [entry("cursor-b", 1)]);
    assert_eq!(ask(Some(("cursor-a", 3))), [entry("cursor-a", 0), entry("cursor-b", 1)]);
}

/// 59
#[test]
fn a_cursor_to_a_negative_partition_is_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "negative", 3, &[]);
    let answer = connection.try_ask(0, &listing(&["negative"], 10, Some(("negative", -1))));
    eprintln!("{answer:?}");
    if let Some(answer) = answer {
        assert!(answer.topics.iter().all(|it| it.error_code == error::INVALID_REQUEST));
    }
    assert_served(&node);
}

fn metadata(names: Option<&[String]>, create: bool) -> MetadataRequest {
    let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    MetadataRequest::default()
        .with_topics(names.map(|names| names.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(create)
}

fn errors(answer: &MetadataResponse) -> Vec<i16> {
    answer.topics.iter().map(|topic| topic.error_code).collect()
}

/// 60
#[test]
fn no_list_is_all_topics_and_an_empty_one_is_none() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "one-of-all", 1, &[]);
    for version in [1, 4, 12] {
        let create = version < 4;
        assert!(!connection.ask(version, &metadata(None, create)).topics.is_empty());
        assert!(connection.ask(version, &metadata(Some(&[]), create)).topics.is_empty());
    }
    // Version 0 knows no null: there the empty list is all.
    assert!(!connection.ask(0, &metadata(Some(&[]), true)).topics.is_empty());
}

/// 60
#[test]
fn many_unknown_topics_are_as_many_errors() {
    const NAMES: usize = 100_000;
    let node = Node::start();
    let names: Vec<_> = (0..NAMES).map(|number| format!("unknown-{number}")).collect();
    // The request has 1.8 MB, its answer 5 MB.
    assert_growth_below(&node, 96, || {
        let mut connection = node.connect();
        let answer = connection.ask(9, &metadata(Some(&names), false));
        assert_eq!(errors(&answer), vec![error::UNKNOWN_TOPIC_OR_PARTITION; NAMES]);
        assert!(connection.ask(9, &metadata(None, false)).topics.is_empty());
    });
}

/// 60: the first answer says unknown, and then the topic is there.
#[test]
fn an_unknown_topic_is_made_when_that_is_allowed() {
    let node = Node::shared();
    let mut connection = node.connect();
    let names = ["made-on-demand".to_owned()];
    let first = errors(&connection.ask(9, &metadata(Some(&names), true)));
    assert_eq!(first, [error::UNKNOWN_TOPIC_OR_PARTITION]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while errors(&connection.ask(9, &metadata(Some(&names), true))) != [0] {
        assert!(std::time::Instant::now() < deadline, "it is not made");
    }
}

/// Names that are none.
fn bad_names() -> Vec<String> {
    let named = ["", ".", "..", "/../x", "a/b", "a b", "nul\0", "emoji😀", "ümlaut", "a\nb", "a:b"];
    named.map(str::to_owned).into_iter().chain(["a".repeat(250), "a".repeat(10_000)]).collect()
}

fn creation(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(30_000)
}

/// The error of each topic, in the order of the answer.
fn created(connection: &mut Connection, topics: Vec<CreatableTopic>) -> Vec<i16> {
    let answer = connection.ask(7, &creation(topics));
    answer.topics.iter().map(|topic| topic.error_code).collect()
}

/// 61
#[test]
fn a_name_that_is_none_is_never_a_path() {
    let node = Node::start();
    let before = files(&node);
    let mut connection = node.connect();
    for name in bad_names() {
        let errors_of_creation = created(&mut connection, vec![new_topic(&name, 1, &[])]);
        assert_eq!(errors_of_creation, [error::INVALID_TOPIC], "{name:?}");
        let answer = connection.ask(9, &metadata(Some(std::slice::from_ref(&name)), true));
        assert_eq!(errors(&answer), [error::INVALID_TOPIC], "{name:?}");
        let batch = batch_of(&[b"v"]).sealed();
        let error_of_produce = produce(&mut connection, &name, 0, batch).error_code;
        eprintln!("{name:?}: produce {error_of_produce}");
        assert_ne!(error_of_produce, 0, "{name:?}");
    }
    let longest = "a".repeat(249);
    create_topic(&mut connection, &longest, 1, &[]);
    assert_eq!(files(&node), before + 1, "the directory of the longest name");
}

/// How many files and directories the node has.
fn files(node: &Node) -> usize {
    std::fs::read_dir(node.data())
        .unwrap()
        .filter(|it| it.as_ref().unwrap().path().is_dir())
        .count()
}

/// 61: a dot and an underscore are the same in the name of a metric.
#[test]
fn names_that_collide_are_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    assert_eq!(created(&mut connection, vec![new_topic("col_li.de", 1, &[])]), [0]);
    for name in ["col.li.de", "col_li_de", "col.li_de"] {
        let errors = created(&mut connection, vec![new_topic(name, 1, &[])]);
        assert_eq!(errors, [error::INVALID_TOPIC], "{name}");
    }
}

/// 62
#[test]
fn topics_that_cannot_be_made_are_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    let factor = |factor| new_topic("x", 1, &[]).with_replication_factor(factor);
    let assigned = |partitions: &[(i32, &[i32])]| {
        let assignment = |(partition, brokers): &(i32, &[i32])| {
            CreatableReplicaAssignment::default()
                .with_partition_index(*partition)
                .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
        };
        new_topic("x", -1, &[])
            .with_replication_factor(-1)
            .with_assignments(partitions.iter().map(assignment).collect())
    };
    let both = assigned(&[(0, &[1])]).with_num_partitions(1).with_replication_factor(1);
    for (what, topic, expected) in [
        ("0 partitions", new_topic("x", 0, &[]), error::INVALID_PARTITIONS),
        ("-5 partitions", new_topic("x", -5, &[]), error::INVALID_PARTITIONS),
        ("factor 0", factor(0), error::INVALID_REPLICATION_FACTOR),
        ("factor -2", factor(-2), error::INVALID_REPLICATION_FACTOR),
        ("factor 99", factor(99), error::INVALID_REPLICATION_FACTOR),
        ("both", both, error::INVALID_REQUEST),
        ("unknown broker", assigned(&[(0, &[7])]), 39),
        ("no broker", assigned(&[(0, &[])]), 39),
        ("twice a broker", assigned(&[(0, &[1, 1])]), 39),
        ("a gap", assigned(&[(1, &[1])]), 39),
        ("the log of the quorum", new_topic("__cluster_metadata", 1, &[]), error::INVALID_REQUEST),
        ("no such key", new_topic("x", 1, &[("no.such.key", "1")]), error::INVALID_CONFIG),
        ("not a number", new_topic("x", 1, &[("retention.ms", "soon")]), error::INVALID_CONFIG),
        ("out of range", new_topic("x", 1, &[("segment.bytes", "1")]), error::INVALID_CONFIG),
    ] {
        let errors = created(&mut connection, vec![topic]);
        eprintln!("{what}: {errors:?}");
        assert_eq!(errors, [expected], "{what}");
    }
    let names = ["x".to_owned()];
    let answer = connection.ask(9, &metadata(Some(&names), false));
    assert_eq!(errors(&answer), [error::UNKNOWN_TOPIC_OR_PARTITION]);
}

/// 62
#[test]
fn a_name_twice_in_a_request_is_refused() {
    let node = Node::shared();
    let mut connection = node.connect();
    let topics = vec![new_topic("dup", 1, &[]), new_topic("dup", 2, &[])];
    assert_eq!(created(&mut connection, topics), [error::INVALID_REQUEST]);
    assert_eq!(created(&mut connection, vec![new_topic("dup", 1, &[])]), [0]);
    assert_eq!(created(&mut connection, vec![new_topic("dup", 1, &[])]), [36]);
}

/// 62: a request makes so many partitions and no more.
#[test]
fn a_billion_partitions_are_refused() {
    let node = Node::start();
    assert_growth_below(&node, 16, || {
        let mut connection = node.connect();
        for partitions in [1_000_000_000, i32::MAX, 10_001] {
            let request = creation(vec![new_topic("x", partitions, &[])]);
            let answer = connection.try_ask(7, &request);
            eprintln!("{answer:?}");
            assert!(answer.is_none_or(|answer| answer.topics[0].error_code != 0));
        }
    });
}
