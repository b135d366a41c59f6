//! What is expected was answered by Apache Kafka 4.3.1.

use kafka_protocol::messages::describe_quorum_request::PartitionData as AskedPartition;
use kafka_protocol::protocol::Decodable as _;
use uuid::Uuid;

use super::*;
use crate::kernel::raft::voters::{Endpoint, ReplicaKey};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::DirectoryId;
use crate::types::offset::Offset;
use crate::wire::messages;

const DIRECTORY: Uuid = Uuid::from_u128(0xd1);

fn replica(id: i32, last_fetch: i64) -> ReplicaView {
    let endpoint = Endpoint { host: format!("host{id}"), port: 9093 };
    ReplicaView {
        key: ReplicaKey { id: NodeId(id), directory_id: Some(DirectoryId(DIRECTORY)) },
        log_end_offset: Offset(417),
        last_fetch: Timestamp(last_fetch),
        last_caught_up: Timestamp(last_fetch - 1),
        endpoints: vec![("CONTROLLER".to_owned(), endpoint)],
    }
}

fn quorum() -> QuorumView {
    QuorumView {
        leader_id: NodeId(1),
        leader_epoch: LeaderEpoch(3),
        high_watermark: Offset(416),
        kraft_version: 1,
        voters: vec![replica(1, -1), replica(2, 50)],
        observers: vec![replica(7, 40)],
    }
}

fn ask(this: i32, version: i16, topics: &[(&str, &[i32])]) -> DescribeQuorumResponse {
    let partition = |&index: &i32| AskedPartition::default().with_partition_index(index);
    let topic = |&(name, partitions): &(&str, &[i32])| {
        AskedTopic::default()
            .with_topic_name(text(name).into())
            .with_partitions(partitions.iter().map(partition).collect())
    };
    let request = DescribeQuorumRequest::default().with_topics(topics.iter().map(topic).collect());
    let response = answer(&quorum(), NodeId(this), Timestamp(99), &request);
    let mut bytes = bytes::BytesMut::new();
    let response = for_version(version, response);
    messages::encode::<DescribeQuorumRequest>(version, &response, &mut bytes).unwrap();
    DescribeQuorumResponse::decode(&mut bytes.freeze(), version).unwrap()
}

#[test]
fn each_version_tells_what_it_has_fields_for() {
    let states = |version: i16| {
        let response = ask(1, version, &[(TopicName::METADATA, &[0])]);
        let partition = &response.topics[0].partitions[0];
        assert_eq!(
            (partition.error_code, partition.leader_id.0, partition.leader_epoch),
            (0, 1, 3)
        );
        assert_eq!(partition.high_watermark, 416);
        let state = |it: &ReplicaState| {
            assert_eq!(it.log_end_offset, 417);
            assert_eq!(it.replica_directory_id, if version < 2 { Uuid::nil() } else { DIRECTORY });
            (it.replica_id.0, it.last_fetch_timestamp, it.last_caught_up_timestamp)
        };
        let voters: Vec<_> = partition.current_voters.iter().map(state).collect();
        (voters, state(&partition.observers[0]), response.nodes.len())
    };
    assert_eq!(states(0), (vec![(1, -1, -1), (2, -1, -1)], (7, -1, -1), 0));
    assert_eq!(states(1), (vec![(1, 99, 99), (2, 50, 49)], (7, 40, 39), 0));
    assert_eq!(states(2), (vec![(1, 99, 99), (2, 50, 49)], (7, 40, 39), 2));
    let response = ask(1, 2, &[(TopicName::METADATA, &[0])]);
    assert_eq!(response.error_message.as_deref(), Some(""));
    assert_eq!(response.topics[0].partitions[0].error_message.as_deref(), Some(""));
    let listener = &response.nodes[1].listeners[0];
    assert_eq!((&*listener.name, &*listener.host, listener.port), ("CONTROLLER", "host2", 9093));
}

#[test]
fn other_partitions_are_not_hosted() {
    let message = "This server does not host this topic-partition.";
    let check = |topics: &[(&str, &[i32])], expected: &[(&str, &[i32])]| {
        let response = ask(1, 2, topics);
        assert_eq!((response.error_code, response.nodes.len()), (0, 0));
        let told: Vec<(String, Vec<i32>)> = response
            .topics
            .iter()
            .map(|topic| {
                let partition = |it: &PartitionData| {
                    assert_eq!((it.error_code, it.error_message.as_deref()), (3, Some(message)));
                    assert_eq!((it.leader_id.0, it.leader_epoch, it.high_watermark), (0, 0, 0));
                    it.partition_index
                };
                (topic.topic_name.to_string(), topic.partitions.iter().map(partition).collect())
            })
            .collect();
        let expected: Vec<(String, Vec<i32>)> =
            expected.iter().map(|(name, ids)| ((*name).to_owned(), ids.to_vec())).collect();
        assert_eq!(told, expected);
    };
    check(&[], &[]);
    check(&[("x", &[0])], &[("x", &[0])]);
    check(&[(TopicName::METADATA, &[1])], &[(TopicName::METADATA, &[1])]);
    check(&[(TopicName::METADATA, &[0, 1])], &[(TopicName::METADATA, &[0, 1])]);
    let two: &[(&str, &[i32])] = &[(TopicName::METADATA, &[0]), ("y", &[])];
    check(two, two);
}

#[test]
fn who_does_not_lead_says_so() {
    let response = ask(2, 2, &[(TopicName::METADATA, &[0])]);
    assert_eq!(response.error_code, 6);
    assert!(response.topics.is_empty());
}
