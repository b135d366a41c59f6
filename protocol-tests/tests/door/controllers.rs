//! The controller's listener (KIP-919): what it answers, and what came to the wrong door.

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DescribeClusterRequest, DescribeQuorumRequest, MetadataRequest,
};
use protocol_tests::connection::{Connection, Outcome};
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;
use protocol_tests::requests::{ask_until, new_topic, text, topic_name};

use super::{api_versions, assert_served, error};

/// The APIs of a controller that work in a node of one voter: Apache lists them all, and others.
const KEYS: [i16; 13] = [18, 19, 20, 29, 30, 31, 32, 33, 37, 44, 55, 57, 60];

fn cluster(endpoint_type: i8) -> DescribeClusterRequest {
    DescribeClusterRequest::default().with_endpoint_type(endpoint_type)
}

#[test]
fn its_apis_are_listed_and_others_end_the_connection() {
    let node = Node::shared();
    let listed = |mut connection: Connection| -> Vec<(i16, i16, i16)> {
        let answer = connection.ask(4, &api_versions());
        let ranges = answer.api_keys.iter();
        ranges.map(|api| (api.api_key, api.min_version, api.max_version)).collect()
    };
    let of_controller = listed(node.connect_to_controller());
    let of_broker = listed(node.connect());
    let with_key = |key: i16| move |range: &&(i16, i16, i16)| range.0 == key;
    for key in KEYS {
        let range = of_controller.iter().find(with_key(key));
        assert!(range.is_some() && range == of_broker.iter().find(with_key(key)), "{key}");
    }
    assert!(is_foreign() || of_controller.len() == KEYS.len());
    let mut connection = node.connect_to_controller();
    connection.send(9, &MetadataRequest::default());
    assert_eq!(connection.receive(), Outcome::Closed);
    assert_served(&node);
}

#[test]
fn a_cluster_is_described_by_those_who_are_asked_for() {
    let node = Node::shared();
    let answer = node.connect_to_controller().ask(1, &cluster(2));
    assert_eq!((answer.error_code, answer.endpoint_type), (0, 2));
    let named: Vec<_> = answer.brokers.iter().map(|it| (it.broker_id.0, it.port)).collect();
    assert_eq!(named, [(1, i32::from(node.controller_address().port()))]);
    assert_eq!(answer.controller_id, BrokerId(1));
    let of_brokers = node.connect().ask(1, &cluster(1));
    assert_eq!(answer.cluster_id, of_brokers.cluster_id);
    let check = |mut connection: Connection, version: i16, endpoint_type: i8, code: i16| {
        let request = if version == 0 { cluster(1) } else { cluster(endpoint_type) };
        let answer = connection.ask(version, &request);
        assert_eq!(answer.error_code, code, "{version} {endpoint_type}");
        assert!(answer.brokers.is_empty());
    };
    check(node.connect(), 1, 2, error::MISMATCHED_ENDPOINT_TYPE);
    check(node.connect(), 1, 3, error::UNSUPPORTED_ENDPOINT_TYPE);
    check(node.connect_to_controller(), 1, 1, error::MISMATCHED_ENDPOINT_TYPE);
    check(node.connect_to_controller(), 1, 0, error::UNSUPPORTED_ENDPOINT_TYPE);
    check(node.connect_to_controller(), 0, 1, error::INVALID_REQUEST);
}

/// What is asked of the controller here and there is one thing.
#[test]
fn what_a_controller_is_told_brokers_know() {
    let node = Node::start();
    let mut controller = node.connect_to_controller();
    let request = CreateTopicsRequest::default()
        .with_topics(vec![new_topic("told-the-controller", 3, &[])])
        .with_timeout_ms(30_000);
    let created = controller.ask(7, &request);
    assert_eq!(created.topics[0].error_code, 0, "{created:?}");
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name("told-the-controller")));
    let request = MetadataRequest::default().with_topics(Some(vec![topic]));
    // Apache's brokers learn of it a moment later.
    let answer = ask_until(&mut node.connect(), 12, &request, |answer| {
        let topic = &answer.topics[0];
        topic.error_code == 0 && topic.partitions.iter().all(|it| it.error_code == 0)
    });
    let topic = &answer.topics[0];
    assert_eq!((topic.topic_id, topic.partitions.len()), (created.topics[0].topic_id, 3));

    let asked = TopicData::default()
        .with_topic_name(topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default()]);
    let answer = controller.ask(2, &DescribeQuorumRequest::default().with_topics(vec![asked]));
    assert_eq!(answer.topics[0].partitions[0].leader_id, BrokerId(1));
    assert_eq!(answer.nodes[0].listeners[0].name, text("CONTROLLER"));
}
