//! CreateTopics, DeleteTopics, CreatePartitions, DescribeTopicPartitions.

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DescribeTopicPartitionsRequest,
};
use protocol_tests::requests::{new_topic, topic_name};
use uuid::Uuid;

use super::script::Script;

#[test]
fn create_topics() {
    let mut script = Script::begin("create-topics");
    let hide = |answer: &mut CreateTopicsResponse| {
        for topic in &mut answer.topics {
            topic.topic_id = Uuid::nil();
            // Keys that Kafka does not have, and one that it sets with eligible.leader.replicas.version.
            let configs = topic.configs.iter_mut();
            configs.for_each(|configs| {
                configs.retain(|it| {
                    !it.name.starts_with("ottla.") && &*it.name != "min.insync.replicas"
                });
            });
        }
    };
    for version in 2..=7 {
        let request = |validate_only| {
            let topics = vec![
                new_topic(&format!("wire-{version}"), 3, &[("retention.ms", "1000")]),
                new_topic(&format!("bad-config-{version}"), 1, &[("retention.ms", "x")]),
                new_topic(&format!("bad-factor-{version}"), 1, &[]).with_replication_factor(5),
                new_topic(&format!("bad-count-{version}"), 0, &[]),
                new_topic("bad name", 1, &[]),
            ];
            let request = CreateTopicsRequest::default().with_topics(topics);
            request.with_timeout_ms(30_000).with_validate_only(validate_only)
        };
        for validate_only in [true, false, false] {
            script.ask_hiding(version, &request(validate_only), hide);
        }
        if version >= 4 {
            // Defaults of the broker (KIP-464).
            let topic = new_topic(&format!("defaults-{version}"), -1, &[]);
            let topics = vec![topic.with_replication_factor(-1)];
            let request = CreateTopicsRequest::default().with_topics(topics);
            script.ask_hiding(version, &request.with_timeout_ms(30_000), hide);
        }
        script.ask(version, &CreateTopicsRequest::default().with_timeout_ms(30_000));
    }
    script.end();
}

#[test]
fn delete_topics() {
    let mut script = Script::begin("delete-topics");
    for version in 1..=6 {
        let name = format!("wire-{version}");
        let id = script.topic(&name, 1, &[]);
        let by_name = |name: &str| DeleteTopicState::default().with_name(Some(topic_name(name)));
        let by_id = |id| DeleteTopicState::default().with_name(None).with_topic_id(id);
        let request = DeleteTopicsRequest::default().with_timeout_ms(30_000);
        if version < 6 {
            let names = |names: &[&str]| names.iter().map(|name| topic_name(name)).collect();
            script.ask(version, &request.clone().with_topic_names(names(&[&name])));
            script.ask(version, &request.clone().with_topic_names(names(&["unknown"])));
            script.ask(version, &request.with_topic_names(Vec::new()));
        } else {
            let unknown = Uuid::from_u128(9);
            script.ask(version, &request.clone().with_topics(vec![by_id(unknown)]));
            script.ask(version, &request.clone().with_topics(vec![by_name("unknown")]));
            script.ask(version, &request.clone().with_topics(vec![by_id(id)]));
            script.topic("wire-by-name", 1, &[]);
            script.ask(version, &request.with_topics(vec![by_name("wire-by-name")]));
        }
    }
    script.end();
}

#[test]
fn create_partitions() {
    let mut script = Script::begin("create-partitions");
    script.topic("wire", 1, &[]);
    let topic = |name: &str, count, brokers: Option<&[&[i32]]>| {
        let assignment = |brokers: &&[i32]| {
            let ids = brokers.iter().map(|id| BrokerId(*id)).collect();
            CreatePartitionsAssignment::default().with_broker_ids(ids)
        };
        CreatePartitionsTopic::default()
            .with_name(topic_name(name))
            .with_count(count)
            .with_assignments(brokers.map(|brokers| brokers.iter().map(assignment).collect()))
    };
    for version in 0..=3 {
        let next = i32::from(version) + 2;
        let mut ask = |topic, validate_only| {
            let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
            let request = request.with_timeout_ms(30_000).with_validate_only(validate_only);
            script.ask(version, &request);
        };
        ask(topic("wire", next, None), true);
        ask(topic("wire", next, None), false);
        ask(topic("wire", next, None), false);
        ask(topic("wire", 1, None), false);
        ask(topic("wire", 0, None), false);
        ask(topic("unknown", 3, None), false);
        ask(topic("wire", next + 1, Some(&[&[9]])), false);
        ask(topic("wire", next + 1, Some(&[&[1], &[1]])), false);
        ask(topic("wire", next + 1, Some(&[])), false);
    }
    script.end();
}

#[test]
fn describe_topic_partitions() {
    let mut script = Script::begin("describe-topic-partitions");
    script.topic("wire-b", 3, &[]);
    script.topic("wire-a", 1, &[]);
    let mut ask = |names: &[&str], limit, cursor: Option<(&str, i32)>| {
        let topic = |name: &&str| TopicRequest::default().with_name(topic_name(name));
        let cursor = cursor.map(|(name, partition)| {
            Cursor::default().with_topic_name(topic_name(name)).with_partition_index(partition)
        });
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(names.iter().map(topic).collect())
            .with_response_partition_limit(limit)
            .with_cursor(cursor);
        script.ask(0, &request);
    };
    ask(&["wire-b", "wire-a"], 2000, None);
    ask(&["wire-b", "wire-a", "unknown"], 2000, None);
    ask(&["wire-b", "wire-a"], 2, None);
    ask(&["wire-b", "wire-a"], 2, Some(("wire-b", 1)));
    ask(&[], 2000, None);
    ask(&["bad name"], 2000, None);
    script.end();
}
