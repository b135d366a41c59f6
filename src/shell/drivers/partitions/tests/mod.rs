//! Partitions over real directories.
#![expect(clippy::disallowed_methods, reason = "tests look at the files from outside")]

mod changes;
pub mod cleaning;
mod offsets;
mod restarts;
mod upkeep;
mod waiting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::kernel::configs::layers::Texts;
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{
    ConfigResource, Image, LeaderRecoveryState, PartitionRegistration, TopicImage,
};
use crate::types::epoch::{LeaderEpoch, PartitionEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::Batch;
use crate::wire::batch_builder::{BatchBuilder, ControlType};

const ME: NodeId = NodeId(1);
const P0: PartitionId = PartitionId(0);
const START_MS: i64 = 1_700_000_000_000;

/// A node with its disk and its metadata.
struct Node {
    root: TempDir,
    image: Image,
    partitions: Partitions,
    now: Now,
}

fn broker_config() -> BrokerConfig {
    broker_config_with(&[])
}

fn broker_config_with(more: &[(&str, &str)]) -> BrokerConfig {
    let texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let texts = texts.iter().chain(more);
    let texts: Texts = texts.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    BrokerConfig::new(&texts).unwrap()
}

fn topic_id(number: u128) -> TopicId {
    TopicId(uuid::Uuid::from_u128(0x1000 + number))
}

fn registration(epoch: i32) -> PartitionRegistration {
    PartitionRegistration {
        replicas: vec![ME],
        directories: vec![DirectoryId::default()],
        isr: vec![ME],
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        eligible_leader_replicas: Vec::new(),
        last_known_elr: Vec::new(),
        leader: ME,
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(epoch),
    }
}

fn open(root: &Path, now: Now) -> Partitions {
    let directories = vec![(root.to_owned(), DirectoryId::default())];
    Partitions::open(ME, broker_config(), directories, now).unwrap()
}

impl Node {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let now = Now { mono: Mono(Duration::from_secs(1)), wall: Timestamp(START_MS) };
        let partitions = open(root.path(), now);
        let node = Self { root, image: Image::empty(), partitions, now };
        node.partitions.apply(&node.image, &Changes::default(), node.now);
        node
    }

    /// With a topic `a` of one partition.
    fn with_topic() -> Self {
        let mut node = Self::new();
        node.create("a", 1, 1);
        node
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono = self.now.mono.after(Duration::from_millis(ms));
        self.now.wall.0 += ms as i64;
    }

    fn put(&mut self, topic: TopicImage) -> Changes {
        let changed = topic.partitions.keys().map(|id| (topic.id, *id)).collect();
        let topic = Arc::new(topic);
        Arc::make_mut(&mut self.image.topics.by_name)
            .insert(topic.name.clone(), Arc::clone(&topic));
        Arc::make_mut(&mut self.image.topics.by_id).insert(topic.id, topic);
        Changes { partitions_changed: changed, ..Changes::default() }
    }

    fn create(&mut self, name: &str, number: u128, count: i32) {
        let partitions = (0..count).map(|id| (PartitionId(id), registration(0))).collect();
        let id = topic_id(number);
        let mut changes = self.put(TopicImage { name: TopicName::new(name), id, partitions });
        changes.topics_created.push(id);
        self.partitions.apply(&self.image, &changes, self.now);
    }

    fn change(&mut self, number: u128, registration: PartitionRegistration) {
        let old = self.image.topics.of_id(topic_id(number)).unwrap();
        let mut topic = TopicImage::clone(old);
        topic.partitions.insert(P0, registration);
        let changes = self.put(topic);
        self.partitions.apply(&self.image, &changes, self.now);
    }

    fn take(&mut self, number: u128) -> Changes {
        let topic = Arc::make_mut(&mut self.image.topics.by_id).remove(&topic_id(number)).unwrap();
        Arc::make_mut(&mut self.image.topics.by_name).remove(topic.name.as_str());
        Changes { topics_deleted: vec![topic], ..Changes::default() }
    }

    fn delete(&mut self, number: u128) {
        let changes = self.take(number);
        self.partitions.apply(&self.image, &changes, self.now);
    }

    fn set(&mut self, kind: i8, name: &str, key: &str, value: &str) {
        let resource = ConfigResource { kind, name: name.to_owned() };
        let configs = Arc::make_mut(&mut self.image.configs);
        let texts = Arc::make_mut(configs.entry(resource.clone()).or_default());
        texts.insert(key.to_owned(), value.to_owned());
        let changes = Changes { configs_changed: [resource].into(), ..Changes::default() };
        self.partitions.apply(&self.image, &changes, self.now);
    }

    fn partition(&self, number: u128) -> Arc<Partition> {
        self.partitions.get(topic_id(number), P0).unwrap()
    }

    /// Appends one record of 100 bytes.
    fn append(&self, number: u128) -> Appended {
        self.partition(number).append(&record(self.now.wall.0), 1, self.now).unwrap()
    }

    /// Stops in order, and starts again.
    fn restart(mut self) -> Self {
        self.partitions.close(BrokerEpoch(17));
        self.crash_and_start()
    }

    /// Starts again without having stopped: as after a crash of the process.
    fn crash(mut self) -> Self {
        self.crash_and_start()
    }

    fn crash_and_start(&mut self) -> Self {
        let root = std::mem::replace(&mut self.root, tempfile::tempdir().unwrap());
        let partitions = open(root.path(), self.now);
        partitions.apply(&self.image, &Changes::default(), self.now);
        Self { root, image: self.image.clone(), partitions, now: self.now }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The names of the directories.
    fn directories(&self) -> Vec<String> {
        list_directories(self.root.path()).unwrap()
    }
}

fn record(timestamp: i64) -> Batch {
    BatchBuilder::new(Offset(0)).record(Timestamp(timestamp), None, Some(&[7; 100])).build_batch()
}

fn transactional(sequence: i32) -> Batch {
    BatchBuilder::new(Offset(0))
        .transactional()
        .producer(ProducerId(5), ProducerEpoch(0), sequence)
        .record(Timestamp(START_MS), None, Some(b"x"))
        .build_batch()
}

fn marker(kind: ControlType) -> Batch {
    BatchBuilder::new(Offset(0))
        .transactional()
        .producer(ProducerId(5), ProducerEpoch(0), -1)
        .control_record(kind, Timestamp(START_MS), &[0, 0, 0, 0, 0, 1])
        .build_batch()
}

fn spec(offset: i64) -> ReadSpec {
    ReadSpec {
        offset: Offset(offset),
        max_bytes: 1 << 20,
        at_least_one_batch: true,
        isolation: Isolation::HighWatermark,
        current_leader_epoch: LeaderEpoch::UNKNOWN,
        last_fetched_epoch: LeaderEpoch::UNKNOWN,
    }
}

/// The base offsets of the batches that were read.
fn offsets_of(answer: &ReadAnswer) -> Vec<i64> {
    let mut bytes = Vec::new();
    for range in &answer.records {
        let mut part = vec![0; range.length_bytes as usize];
        range.source.read_exact_at(&mut part, range.position).unwrap();
        bytes.extend(part);
    }
    let batches = crate::wire::batch::Batches::new(bytes.into());
    batches.map(|batch| batch.unwrap().header.base_offset.0).collect()
}

fn read(partition: &Partition, offset: i64) -> Vec<i64> {
    offsets_of(&partition.read(&spec(offset)).unwrap())
}
