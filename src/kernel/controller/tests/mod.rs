//! Dialogues with a controller: what it is asked, what it writes, what it answers; and the whole life of a node of
//! Apache's, decided again.

mod apache;
mod changing;
mod creating;
mod living;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, TopicName};
use uuid::Uuid;

use super::requests::text;
use super::*;
use crate::kernel::metadata::image::BrokerRegistration;
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::{NodeId, uuid_to_text};
use crate::types::time::Timestamp;
use crate::wire::records::{FeatureLevelRecord, PartitionChangeRecord};

/// Node 1 with these keys on top.
pub fn config(keys: &[(&str, &str)]) -> Arc<BrokerConfig> {
    let base = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.voters", "1@localhost:9093"),
        ("log.dirs", "/data"),
    ];
    let texts = base.iter().chain(keys).map(|(key, text)| ((*key).into(), (*text).into()));
    Arc::new(BrokerConfig::new(&texts.collect()).unwrap())
}

/// A registered broker that is at work.
pub fn broker(id: i32) -> BrokerRegistration {
    BrokerRegistration {
        id: NodeId(id),
        epoch: BrokerEpoch(100 + i64::from(id)),
        incarnation_id: Uuid::from_u128(id as u128),
        listeners: Vec::new(),
        features: BTreeMap::new(),
        rack: None,
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: vec![DIRECTORY],
        cordoned_log_dirs: None,
    }
}

const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_u128(0xd1));

fn start(keys: &[(&str, &str)]) -> ControllerStart {
    let listener = |name: &str, port| ListenerEndpoint {
        name: name.to_owned(),
        host: "localhost".to_owned(),
        port,
        security_protocol: 0,
    };
    ControllerStart {
        config: config(keys),
        open_transaction: None,
        kraft_version: 0,
        bootstrap: Vec::new(),
        broker_listeners: vec![listener("PLAINTEXT", 9092)],
        controller_listeners: vec![listener("CONTROLLER", 9093)],
        broker_incarnation_id: Uuid::from_u128(0xb1),
        controller_incarnation_id: Uuid::from_u128(0xc1),
        log_dirs: vec![DIRECTORY],
        previous_broker_epoch: BrokerEpoch::UNKNOWN,
    }
}

fn level(name: &str, feature_level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: name.to_owned(), feature_level }.into()
}

/// A controller, the end of its log, and its chance, which counts.
struct Node {
    controller: Controller,
    next: Offset,
    draws: u128,
}

impl Node {
    /// Has taken up its work in a new cluster.
    fn new(keys: &[(&str, &str)]) -> Self {
        Self::started(start(keys), &Image::empty())
    }

    fn started(start: ControllerStart, image: &Image) -> Self {
        let mut node = Self::stopped(start, image);
        node.activate();
        node
    }

    fn stopped(start: ControllerStart, image: &Image) -> Self {
        Self { controller: Controller::new(start, Delta::new(image)), next: Offset(1), draws: 0 }
    }

    fn take(&mut self, output: &Output) -> Vec<MetadataRecord> {
        self.next = self.next + output.values.len() as i64;
        output.values.iter().map(|value| MetadataRecord::decode(value).unwrap()).collect()
    }

    fn activate(&mut self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        while let Some(output) = self.controller.activate(self.next) {
            records.extend(self.take(&output));
        }
        records
    }

    fn leave(&mut self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        while let Some(output) = self.controller.leave() {
            records.extend(self.take(&output));
        }
        records
    }

    fn ask(&mut self, request: &Request) -> (Vec<MetadataRecord>, Reply) {
        let draws = &mut self.draws;
        let mut random = || {
            *draws += 1;
            draws.to_be_bytes()
        };
        let (output, reply) = self.controller.decide(request, &mut random, &|_| true);
        assert!(output.atomic || output.values.is_empty());
        (self.take(&output), reply)
    }

    /// What was written, a record a line, and what was answered for each topic.
    fn create(&mut self, topics: Vec<CreatableTopic>) -> (String, Vec<(i16, String)>) {
        let request = CreateTopicsRequest::default().with_topics(topics);
        let (records, reply) = self.ask(&Request::CreateTopics(request));
        let Reply::CreateTopics(response) = reply else { panic!("{reply:?}") };
        let answer =
            |topic: &kafka_protocol::messages::create_topics_response::CreatableTopicResult| {
                (topic.error_code, topic.error_message.as_deref().unwrap_or("-").to_owned())
            };
        (show(&records), response.topics.iter().map(answer).collect())
    }

    fn publish(&mut self) -> (Arc<Image>, Changes) {
        self.controller.publish(Provenance {
            offset: Offset(self.next.0 - 1),
            epoch: LeaderEpoch(1),
            timestamp: Timestamp(0),
        })
    }
}

fn topic(name: &str, partitions: i32, factor: i16, configs: &[(&str, &str)]) -> CreatableTopic {
    let config = |(key, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(*key)).with_value(Some(text(*value)))
    };
    CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(factor)
        .with_configs(configs.iter().map(config).collect())
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition, brokers): &(i32, &[i32])| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    };
    topic(name, -1, -1, &[]).with_assignments(assignments.iter().map(assignment).collect())
}

/// Records as short text, one a line.
fn show(records: &[MetadataRecord]) -> String {
    records.iter().map(show_one).collect::<Vec<_>>().join("\n")
}

fn show_one(record: &MetadataRecord) -> String {
    match record {
        MetadataRecord::Topic(record) => format!("topic {}", record.name),
        MetadataRecord::RemoveTopic(record) => format!("remove {}", uuid_to_text(record.topic_id)),
        MetadataRecord::Config(record) => {
            let value = record.value.as_deref().unwrap_or("null");
            format!(
                "config {}:{} {}={value}",
                record.resource_type, record.resource_name, record.name
            )
        }
        MetadataRecord::Partition(record) => {
            assert_eq!((record.leader_epoch, record.partition_epoch), (0, 0));
            assert_eq!(record.directories, vec![DIRECTORY.0; record.replicas.len()]);
            let (id, leader) = (record.partition_id, record.leader);
            format!("partition {id} {:?} isr {:?} leader {leader}", record.replicas, record.isr)
        }
        MetadataRecord::PartitionChange(record) => show_change(record),
        MetadataRecord::FeatureLevel(record) => format!("{} {}", record.name, record.feature_level),
        MetadataRecord::ClearElr(record) => format!("clear-elr '{}'", record.topic_name),
        MetadataRecord::BrokerRegistrationChange(record) => format!(
            "broker {}@{} fenced {} shutdown {} cordoned {:?}",
            record.broker_id,
            record.broker_epoch,
            record.fenced,
            record.in_controlled_shutdown,
            record.cordoned_log_dirs
        ),
        MetadataRecord::RegisterBroker(record) => {
            let dirs = record.log_dirs.len();
            format!("register broker {}@{} dirs {dirs}", record.broker_id, record.broker_epoch)
        }
        MetadataRecord::RegisterController(record) => {
            format!("register controller {}", record.controller_id)
        }
        MetadataRecord::ProducerIds(record) => {
            format!(
                "producer ids {}@{} {}",
                record.broker_id, record.broker_epoch, record.next_producer_id
            )
        }
        MetadataRecord::BeginTransaction(record) => {
            format!("begin {}", record.name.as_deref().unwrap_or_default())
        }
        MetadataRecord::EndTransaction(_) => "end".to_owned(),
        MetadataRecord::AbortTransaction(record) => {
            format!("abort {}", record.reason.as_deref().unwrap_or_default())
        }
        MetadataRecord::NoOp(_) => "no-op".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn show_change(record: &PartitionChangeRecord) -> String {
    let list = |name: &str, value: &Option<Vec<i32>>| {
        value.as_ref().map(|value| format!(" {name} {value:?}")).unwrap_or_default()
    };
    let number = |name: &str, value: i32, none: i32| {
        if value == none { String::new() } else { format!(" {name} {value}") }
    };
    [
        format!("change {}", record.partition_id),
        list("isr", &record.isr),
        number("leader", record.leader, -2),
        number("state", record.leader_recovery_state.into(), -1),
        list("elr", &record.eligible_leader_replicas),
        list("last", &record.last_known_elr),
    ]
    .concat()
}
