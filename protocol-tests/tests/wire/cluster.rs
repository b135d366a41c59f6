//! ApiVersions, Metadata, DescribeCluster, DescribeQuorum, DescribeLogDirs, UpdateFeatures.

use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeLogDirsRequest,
    DescribeQuorumRequest, DescribeQuorumResponse, MetadataRequest, UpdateFeaturesRequest,
};
use protocol_tests::fields::{Reader, Writer};
use protocol_tests::requests::{batch_of, produce, text, topic_name};
use uuid::Uuid;

use super::script::Script;

/// The APIs of a node without groups, transactions, security and further nodes. Apache lists more.
const SERVED: [i16; 20] =
    [0, 1, 2, 3, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 44, 55, 57, 60, 74, 75];

#[test]
fn api_versions() {
    let mut script = Script::begin("api-versions");
    let hide = |answer: &mut ApiVersionsResponse| {
        answer.api_keys.retain(|listed| SERVED.contains(&listed.api_key));
        answer.finalized_features_epoch = 0;
        // Of the features, those that are about the metadata; the others come with their APIs.
        let is_metadata = |name: &str| ["kraft.version", "metadata.version"].contains(&name);
        answer.supported_features.retain(|feature| is_metadata(&feature.name));
        answer.supported_features.sort_by(|one, other| one.name.cmp(&other.name));
        answer.finalized_features.retain(|feature| is_metadata(&feature.name));
        answer.finalized_features.sort_by(|one, other| one.name.cmp(&other.name));
    };
    for version in 0..=4 {
        let request = ApiVersionsRequest::default();
        let named = request.clone().with_client_software_name(text("wire"));
        let named = named.with_client_software_version(text("1.0"));
        let request = if version < 3 { request } else { named };
        script.ask_hiding(version, &request, hide);
    }
    // A name outside the pattern, and one that is not there (KIP-511).
    for name in ["-wire", ""] {
        let request = ApiVersionsRequest::default().with_client_software_name(text(name));
        script.ask_hiding(4, &request.with_client_software_version(text("1")), hide);
    }
    script.ask_bytes(18, 99, true, &[], |_| ());
    script.end();
}

#[test]
fn metadata() {
    let mut script = Script::begin("metadata");
    let id = script.topic("wire-a", 2, &[]);
    script.topic("wire-b", 1, &[]);
    let named = |name: &str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    for version in 0..=13 {
        let ask = |topics: Option<Vec<MetadataRequestTopic>>| {
            let request = MetadataRequest::default()
                .with_topics(topics)
                .with_allow_auto_topic_creation(version < 4)
                .with_include_topic_authorized_operations(version >= 8);
            request.with_include_cluster_authorized_operations((8..=10).contains(&version))
        };
        if version > 0 {
            script.ask(version, &ask(None));
        }
        script.ask(version, &ask(Some(Vec::new())));
        script.ask(version, &ask(Some(vec![named("wire-b"), named("wire-a")])));
        script.ask(version, &ask(Some(vec![named("not a name!")])));
        if version >= 4 {
            script.ask(version, &ask(Some(vec![named("unknown")])));
        }
        if version >= 12 {
            let by_id = |id| MetadataRequestTopic::default().with_topic_id(id).with_name(None);
            let unknown = Uuid::from_u128(7);
            script.ask(version, &ask(Some(vec![by_id(id)])));
            script.ask(version, &ask(Some(vec![by_id(unknown)])));
        }
    }
    script.end();
}

#[test]
fn describe_cluster() {
    let mut script = Script::begin("describe-cluster");
    for version in 0..=2 {
        for operations in [false, true] {
            let request = DescribeClusterRequest::default();
            script.ask(version, &request.with_include_cluster_authorized_operations(operations));
        }
        if version >= 1 {
            for endpoint_type in [2, 0, 9] {
                let request = DescribeClusterRequest::default().with_endpoint_type(endpoint_type);
                script.ask(version, &request);
            }
        }
    }
    script.ask(2, &DescribeClusterRequest::default().with_include_fenced_brokers(true));
    script.end();
}

#[test]
fn describe_quorum() {
    let mut script = Script::begin("describe-quorum");
    let hide = |answer: &mut DescribeQuorumResponse| {
        for node in &mut answer.nodes {
            node.listeners.iter_mut().for_each(|listener| listener.port = 0);
        }
        let partitions = answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions {
            (partition.high_watermark, partition.leader_epoch) = (0, 0);
            for replica in partition.current_voters.iter_mut().chain(&mut partition.observers) {
                replica.replica_directory_id = Uuid::nil();
                replica.log_end_offset = 0;
                replica.last_fetch_timestamp = replica.last_fetch_timestamp.min(0);
                replica.last_caught_up_timestamp = replica.last_caught_up_timestamp.min(0);
            }
        }
    };
    for version in 0..=2 {
        for (name, partition) in
            [("__cluster_metadata", 0), ("__cluster_metadata", 1), ("something", 0)]
        {
            let partition = PartitionData::default().with_partition_index(partition);
            let topic = TopicData::default().with_topic_name(topic_name(name));
            let topics = vec![topic.with_partitions(vec![partition])];
            let request = DescribeQuorumRequest::default().with_topics(topics);
            script.ask_hiding(version, &request, hide);
        }
        script.ask_hiding(version, &DescribeQuorumRequest::default(), hide);
    }
    script.end();
}

#[test]
fn describe_log_dirs() {
    let mut script = Script::begin("describe-log-dirs");
    script.topic("wire", 2, &[]);
    let mut batch = batch_of(&[b"v"]);
    (batch.base_timestamp, batch.max_timestamp) = (1, 1);
    let answer = produce(&mut script.connection, "wire", 1, batch.sealed());
    assert_eq!(answer.error_code, 0);
    let topic = |name: &str, partitions: &[i32]| {
        let topic = DescribableLogDirTopic::default().with_topic(topic_name(name));
        topic.with_partitions(partitions.to_vec())
    };
    let requests = [
        None,
        Some(Vec::new()),
        Some(vec![topic("wire", &[0, 1])]),
        Some(vec![topic("wire", &[1, 7]), topic("unknown", &[0])]),
    ];
    for version in 1..=4 {
        for topics in &requests {
            let request = DescribeLogDirsRequest::default().with_topics(topics.clone());
            script.ask_hiding(version, &request, |answer| {
                for result in &mut answer.results {
                    (result.total_bytes, result.usable_bytes) = (0, 0);
                    // The quorum's log is longer or shorter, and other topics lie where they like.
                    result.topics.retain(|topic| topic.name.0.starts_with("wire"));
                    result.topics.sort_by(|one, other| one.name.cmp(&other.name));
                    for topic in &mut result.topics {
                        topic.partitions.sort_by_key(|partition| partition.partition_index);
                    }
                }
            });
        }
    }
    // Version 5 (KIP-1066) says of a directory whether it is cordoned: its last field.
    let body = Writer::default().array(&["wire"], |writer, name| {
        writer.compact(name.as_bytes()).array(&[1], |writer, index| writer.i32(*index)).tags()
    });
    script.ask_bytes(35, 5, true, &body.tags().0, |answer| {
        // Before it the bytes of the volume, after it the ends of the directory, the list and the answer.
        let end = answer.len();
        let tail = &answer[end - 3..];
        assert_eq!(tail, [0, 0, 0], "not cordoned, and no tags");
        answer[end - 19..end - 3].fill(0);
        assert_eq!(Reader(answer).i32().unwrap(), 18);
    });
    script.end();
}

#[test]
fn update_features() {
    let mut script = Script::begin("update-features");
    let update = |feature: &str, level| {
        FeatureUpdateKey::default().with_feature(text(feature)).with_max_version_level(level)
    };
    let upgrade_type = |version, key: FeatureUpdateKey| {
        if version == 0 { key } else { key.with_upgrade_type(1) }
    };
    for version in 0..=2 {
        for key in [
            update("metadata.version", 30),
            update("metadata.version", 99),
            update("metadata.version", 20),
            update("no.such.feature", 1),
        ] {
            let keys = vec![upgrade_type(version, key)];
            let request = UpdateFeaturesRequest::default().with_feature_updates(keys);
            script.ask(version, &request.with_validate_only(version > 0).with_timeout_ms(30_000));
        }
        let request = UpdateFeaturesRequest::default().with_timeout_ms(30_000);
        script.ask(version, &request);
    }
    script.end();
}
