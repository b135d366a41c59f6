//! The log that a node of Apache Kafka 4.3.1 wrote in its short life, against what this controller writes when the
//! same happens to it.

use super::*;
use crate::types::ids::uuid_from_text;
use crate::wire::batch::Batches;
use crate::wire::record_iter::iterate;
use crate::wire::records::brokers::BrokerFeature;
use kafka_protocol::messages::AllocateProducerIdsRequest;

const LOG: &[u8] = include_bytes!("../../../wire/records/testdata/apache-4.3.1.log");
const BOOTSTRAP: &[u8] =
    include_bytes!("../../../wire/records/testdata/apache-4.3.1.bootstrap.checkpoint");

/// The records of a log, with their offsets, without those that say nothing.
fn records(log: &[u8]) -> Vec<(i64, MetadataRecord)> {
    let mut records = Vec::new();
    for batch in Batches::new(Bytes::copy_from_slice(log)) {
        let batch = batch.unwrap();
        if batch.header.is_control() {
            continue;
        }
        for record in iterate(&batch, 0).unwrap() {
            let record = record.unwrap();
            let decoded = MetadataRecord::decode(&record.value.unwrap()).unwrap();
            records.push((record.offset.0, decoded));
        }
    }
    records.retain(|(_, record)| !matches!(record, MetadataRecord::NoOp(_)));
    records
}

/// Where the order says nothing, and Apache's is that of a hash map: by name, or by topic.
fn sorted(mut records: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
    let by_name = |features: &mut Vec<BrokerFeature>| features.sort_by(|a, b| a.name.cmp(&b.name));
    for record in &mut records {
        match record {
            MetadataRecord::RegisterBroker(record) => by_name(&mut record.features),
            MetadataRecord::RegisterController(record) => by_name(&mut record.features),
            _ => {}
        }
    }
    records.sort_by_key(|record| match record {
        MetadataRecord::Config(record) => (record.resource_name.clone(), record.name.clone()),
        MetadataRecord::PartitionChange(record) => (String::new(), uuid_to_text(record.topic_id)),
        _ => (String::new(), String::new()),
    });
    records
}

/// What Apache wrote at these offsets.
fn apache(offsets: std::ops::RangeInclusive<i64>) -> Vec<MetadataRecord> {
    let all = records(LOG).into_iter();
    all.filter(|(offset, _)| offsets.contains(offset)).map(|(_, record)| record).collect()
}

/// Topic ids are drawn: Apache's in place of ours.
fn with_topic_id(mut records: Vec<MetadataRecord>, id: Uuid) -> Vec<MetadataRecord> {
    for record in &mut records {
        match record {
            MetadataRecord::Topic(record) => record.topic_id = id,
            MetadataRecord::Partition(record) => record.topic_id = id,
            _ => {}
        }
    }
    records
}

fn started_as_apache() -> (ControllerStart, DirectoryId) {
    let uuid = |text| uuid_from_text(text).unwrap();
    let endpoint = |name: &str, port| ListenerEndpoint {
        name: name.to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        security_protocol: 0,
    };
    let directory = DirectoryId(uuid("5EIy9FEKQM-dukS631KzBw"));
    let start = ControllerStart {
        bootstrap: records(BOOTSTRAP).into_iter().map(|(_, record)| record).collect(),
        broker_listeners: vec![endpoint("PLAINTEXT", 29892)],
        controller_listeners: vec![endpoint("CONTROLLER", 29893)],
        controller_incarnation_id: uuid("Hdp7fd0VQc6qnmBPFB3kVg"),
        broker_incarnation_id: uuid("x5yM_j4lQoqrAOYY3UuC5w"),
        log_dirs: vec![directory],
        ..start(&[("broker.rack", "RACK1")])
    };
    (start, directory)
}

#[test]
fn a_start_and_a_stop_write_what_apache_wrote() {
    let (start, _) = started_as_apache();
    let mut node = Node::stopped(start, &Image::empty());
    for offsets in [3..=11, 12..=12, 14..=14, 15..=15, 16..=16] {
        let output = node.controller.activate(Offset(*offsets.start())).unwrap();
        assert_eq!(sorted(node.take(&output)), sorted(apache(offsets.clone())), "{offsets:?}");
    }
    assert_eq!(node.activate(), []);

    let create = |name: &str, configs: &[(&str, &str)]| {
        let topics = vec![topic(name, 1, 1, configs)];
        Request::CreateTopics(CreateTopicsRequest::default().with_topics(topics))
    };
    let transaction_state = [
        ("compression.type", "uncompressed"),
        ("cleanup.policy", "compact"),
        ("min.insync.replicas", "1"),
        ("segment.bytes", "104857600"),
        ("unclean.leader.election.enable", "false"),
    ];
    let offsets = [
        ("compression.type", "producer"),
        ("cleanup.policy", "compact"),
        ("segment.bytes", "104857600"),
    ];
    for (name, configs, range) in [
        ("golden", &[("retention.ms", "-1")][..], 23..=25),
        ("__transaction_state", &transaction_state[..], 27..=34),
        ("__consumer_offsets", &offsets[..], 36..=40),
    ] {
        let theirs = apache(range);
        let Some(MetadataRecord::Topic(first)) = theirs.first() else { panic!("{theirs:?}") };
        let id = first.topic_id;
        let (records, _) = node.ask(&create(name, configs));
        assert_eq!(sorted(with_topic_id(records, id)), sorted(theirs), "{name}");
    }

    let request =
        AllocateProducerIdsRequest::default().with_broker_id(BrokerId(1)).with_broker_epoch(14);
    let (records, _) = node.ask(&Request::AllocateProducerIds(request));
    assert_eq!(records, apache(26..=26));
}

#[test]
fn a_stop_hands_over_what_apache_handed_over() {
    let (start, _) = started_as_apache();
    let mut delta = Delta::new(&Image::empty());
    for (_, record) in records(LOG).into_iter().filter(|(offset, _)| *offset < 42) {
        delta.replay(&record).unwrap();
    }
    let mut node = Node::stopped(start, delta.image());
    node.controller.stage = Stage::Working;
    let left = node.leave();
    assert_eq!(left.last(), apache(46..=46).last());
    assert_eq!(sorted(left), sorted(apache(42..=46)));
}
