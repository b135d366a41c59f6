//! What is expected was answered by Apache Kafka 4.3.1.

use kafka_protocol::messages::describe_topic_partitions_request::{
    Cursor as AskedCursor, TopicRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::*;
use crate::api::cluster::view::tests::{broker, image, partition, topic, topic_id};
use crate::kernel::metadata::image::Image;
use crate::wire::records::PartitionRecord;

/// Topics `a` of three partitions and `b` of one.
fn cluster() -> Image {
    let elr = PartitionRecord {
        eligible_leader_replicas: Some(vec![2]),
        last_known_elr: Some(vec![3]),
        ..partition("b", 0, -1, &[1, 2])
    };
    image([
        broker(1, &["PLAINTEXT"], false),
        topic("a"),
        partition("a", 0, 1, &[1]).into(),
        partition("a", 1, 1, &[1]).into(),
        partition("a", 2, 1, &[1]).into(),
        topic("b"),
        elr.into(),
    ])
}

fn request(
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsRequest {
    let asked = |&name: &&str| TopicRequest::default().with_name(TopicName(text(name)));
    let cursor = cursor.map(|(name, index)| {
        AskedCursor::default().with_topic_name(TopicName(text(name))).with_partition_index(index)
    });
    DescribeTopicPartitionsRequest::default()
        .with_topics(topics.iter().map(asked).collect())
        .with_response_partition_limit(limit)
        .with_cursor(cursor)
}

/// The answer as a line: topics with their errors and partitions, then the cursor.
fn line(request: &DescribeTopicPartitionsRequest) -> String {
    let image = cluster();
    let response =
        answer(View { image: &image, listener: "PLAINTEXT" }, &Access::default(), 2000, request);
    let topic = |topic: &DescribeTopicPartitionsResponseTopic| {
        let name = topic.name.as_deref().map(StrBytes::as_str).unwrap();
        let partitions: Vec<String> =
            topic.partitions.iter().map(|it| it.partition_index.to_string()).collect();
        match topic.error_code {
            0 => format!("{name}[{}]", partitions.join(" ")),
            code => format!("{name}!{code}"),
        }
    };
    let mut parts: Vec<String> = response.topics.iter().map(topic).collect();
    parts.extend(
        response
            .next_cursor
            .map(|it| format!("-> {}:{}", it.topic_name.as_str(), it.partition_index)),
    );
    parts.join(" ")
}

#[test]
fn topics_come_by_name_and_page_by_page() {
    let check = |topics: &[&str], limit: i32, cursor: Option<(&str, i32)>, expected: &str| {
        assert_eq!(
            line(&request(topics, limit, cursor)),
            expected,
            "{topics:?} {limit} {cursor:?}"
        );
    };
    check(&["b", "a", "b"], 10, None, "a[0 1 2] b[0]");
    check(&[], 10, None, "a[0 1 2] b[0]");
    check(&["b", "a"], 2, None, "a[0 1] -> a:2");
    check(&["b", "a"], 2, Some(("a", 2)), "a[2] b[0]");
    check(&["b", "a"], 3, None, "a[0 1 2] -> b:0");
    check(&["b", "a"], 3, Some(("b", 0)), "b[0]");
    check(&[], 1, Some(("a", 1)), "a[1] -> a:2");
    // A topic that has gone since then is passed over, or is the next one after it.
    check(&[], 9, Some(("aa", 7)), "b[0]");
    check(&["a"], 9, Some(("a", 9)), "a[]");
    check(&["a"], 9, Some(("a", i32::MAX)), "a[]");
    // Limits below 1 count as 1.
    check(&["b", "a"], 0, None, "a[0] -> a:1");
    check(&["b", "a"], -1, None, "a[0] -> a:1");
    // Unknown topics take no room, but end the page where there is none.
    check(&["x", "y", "a/b"], 1, None, "a/b!17 x!3 y!3");
    check(&["b", "x"], 1, None, "b[0] -> x:0");
}

#[test]
fn cursors_that_make_no_sense_refuse_every_topic() {
    let check = |topics: &[&str], cursor: Option<(&str, i32)>, expected: &str| {
        assert_eq!(line(&request(topics, 5, cursor)), expected);
    };
    check(&["b", "a"], Some(("aa", 0)), "b!42 a!42");
    check(&["a"], Some(("a", -1)), "a!42");
    check(&[], Some(("a", -1)), "");
    check(&["zz", ""], None, "zz!-1 !-1");
}

#[test]
fn the_limit_of_the_broker_counts_too() {
    let image = cluster();
    let view = View { image: &image, listener: "PLAINTEXT" };
    let response = answer(view, &Access::default(), 2, &request(&["a"], 2000, None));
    assert_eq!(response.topics[0].partitions.len(), 2);
    assert_eq!(response.next_cursor.unwrap().partition_index, 2);
}

#[test]
fn a_partition_is_told_in_full() {
    let image = cluster();
    let view = View { image: &image, listener: "PLAINTEXT" };
    let response = answer(view, &Access::default(), 2000, &request(&["b", "x"], 10, None));
    let topic = &response.topics[0];
    assert_eq!((topic.topic_id, topic.topic_authorized_operations), (topic_id("b"), 3576));
    let told = |nodes: &[BrokerId]| nodes.iter().map(|id| id.0).collect::<Vec<_>>();
    let partition = &topic.partitions[0];
    assert_eq!((partition.leader_id.0, partition.leader_epoch), (-1, 5));
    assert_eq!(told(&partition.replica_nodes), [1, 2]);
    assert_eq!(told(&partition.isr_nodes), [1, 2]);
    assert_eq!(told(&partition.offline_replicas), [2]);
    assert_eq!(told(partition.eligible_leader_replicas.as_deref().unwrap()), [2]);
    assert_eq!(told(partition.last_known_elr.as_deref().unwrap()), [3]);
    assert_eq!(response.topics[1].topic_authorized_operations, 3576);
    assert_eq!(response.topics[1].topic_id, uuid::Uuid::nil());
}
