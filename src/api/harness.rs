//! A node without sockets, for tests: partitions in a directory of their own, and requests as bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::answer::{Answer, Call};
use super::api_versions;
use super::cluster::auto_creation::AutoCreation;
use super::context::{Ctx, NodeInfo};
use super::coordinators::Coordinators;
use super::data;
use super::data::producer_ids::ProducerIds;
use super::txns;
use crate::kernel::authorizer::Authorizer;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::kernel::controller::{Reply, Request};
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{
    BrokerRegistration, ConfigResource, Image, LeaderRecoveryState, ListenerEndpoint,
    PartitionRegistration, TopicImage,
};
use crate::kernel::raft::view::QuorumView;
use crate::kernel::replica::fetch_session::FetchSessions;
use crate::shell::clock::Clock;
use crate::shell::drivers::controller::handle::{Handle, Message};
use crate::shell::drivers::partitions::Partitions;
use crate::shell::drivers::publisher::Published;
use crate::types::epoch::{BrokerEpoch, LeaderEpoch, PartitionEpoch};
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicId, TopicName};
use crate::types::time::{Now, Timestamp};
use crate::wire::reply::Chunk;

const TOPIC: i8 = 2;
/// The time at which everything happens.
pub const NOW_MS: i64 = 1_764_000_000_000;

/// A node.
pub struct Node {
    /// What handlers get.
    pub ctx: Arc<Ctx>,
    /// What the controller is asked.
    pub asked: mpsc::Receiver<Message<Request, Reply>>,
    /// Told of each image of this node's own making.
    pub coordinators: Coordinators,
    /// The data directory.
    pub root: TempDir,
}

/// A topic to start with: its name, how many partitions it has, what is set for it.
pub type Topic<'a> = (&'a str, i32, &'a [(&'a str, &'a str)]);

/// The id that a topic has here.
pub fn topic_id(name: &str) -> TopicId {
    let number = name.bytes().fold(0_u128, |number, byte| number << 8 | u128::from(byte));
    TopicId(Uuid::from_u128(0xaa << 120 | number))
}

/// The time at which everything happens.
pub fn now() -> Now {
    Now { wall: Timestamp(NOW_MS), ..Now::default() }
}

fn registration(node_id: NodeId) -> PartitionRegistration {
    PartitionRegistration {
        replicas: vec![node_id],
        directories: vec![DirectoryId::default()],
        isr: vec![node_id],
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        eligible_leader_replicas: Vec::new(),
        last_known_elr: Vec::new(),
        leader: node_id,
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    }
}

fn broker(id: NodeId) -> BrokerRegistration {
    BrokerRegistration {
        id,
        epoch: BrokerEpoch(1),
        incarnation_id: Uuid::from_u128(1),
        listeners: vec![ListenerEndpoint {
            name: "PLAINTEXT".to_owned(),
            host: "two".to_owned(),
            port: 9092,
            security_protocol: 0,
        }],
        features: BTreeMap::new(),
        rack: None,
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
        cordoned_log_dirs: None,
    }
}

fn image(node_id: NodeId, topics: &[Topic<'_>]) -> Image {
    let mut image = Image::empty();
    for (name, count, set) in topics {
        let partitions = (0..*count).map(|index| (PartitionId(index), registration(node_id)));
        let topic = Arc::new(TopicImage {
            name: TopicName::new(name),
            id: topic_id(name),
            partitions: partitions.collect(),
        });
        let by_name = Arc::make_mut(&mut image.topics.by_name);
        by_name.insert(topic.name.clone(), Arc::clone(&topic));
        Arc::make_mut(&mut image.topics.by_id).insert(topic.id, topic);
        let texts = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let resource = ConfigResource { kind: TOPIC, name: (*name).to_owned() };
        Arc::make_mut(&mut image.configs).insert(resource, Arc::new(texts.collect::<Texts>()));
    }
    image
}

/// What a node is configured with here.
pub fn broker_config() -> BrokerConfig {
    let texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let texts = texts.map(|(key, value)| (key.to_owned(), value.to_owned()));
    BrokerConfig::new(&Texts::from(texts)).unwrap()
}

impl Node {
    /// A node that knows this metadata and has no partition.
    pub fn new(config: BrokerConfig, image: Image) -> Self {
        let node_id = config.node_id;
        let root = tempfile::tempdir().unwrap();
        let directories = vec![(root.path().to_owned(), DirectoryId::default())];
        let partitions = Partitions::open(node_id, config.clone(), directories, now()).unwrap();
        let partitions = Arc::new(partitions);
        let published = Published {
            image: Arc::new(ArcSwap::from_pointee(image)),
            config: Arc::new(ArcSwap::from_pointee(config)),
            quorum: Arc::new(ArcSwap::from_pointee(QuorumView::default())),
        };
        let coordinators = Coordinators::start(&published, &partitions, Clock::new()).unwrap();
        let (queue, asked) = mpsc::channel();
        let ctx = Arc::new(Ctx {
            node: NodeInfo { node_id, cluster_id: Arc::from("cluster") },
            image: published.image,
            authorizer: Authorizer::of(&published.config.load().explicit).unwrap().map(Arc::new),
            config: published.config,
            controller: Handle::new(queue),
            quorum: published.quorum,
            groups: Arc::clone(&coordinators.groups),
            transactions: Arc::clone(&coordinators.transactions),
            markers: Arc::clone(&coordinators.markers),
            api_versions: api_versions::Bodies::default(),
            auto_creation: AutoCreation::default(),
            partitions,
            fetch_sessions: Mutex::new(FetchSessions::new(1000)),
            producer_ids: ProducerIds::default(),
        });
        Self { ctx, asked, coordinators, root }
    }

    /// A node that leads all partitions of these topics.
    pub fn with(topics: &[Topic<'_>]) -> Self {
        let config = broker_config();
        let node = Self::new(config.clone(), image(config.node_id, topics));
        let image = node.ctx.image.load();
        let all = image.topics.by_id.values();
        let changes = Changes {
            topics_created: all.clone().map(|topic| topic.id).collect(),
            partitions_changed: all
                .flat_map(|topic| topic.partitions.keys().map(|index| (topic.id, *index)))
                .collect(),
            ..Changes::default()
        };
        node.apply(&image, &changes);
        drop(image);
        node
    }

    /// Another node, at host `two`, leads a partition from now on.
    pub fn elect(&self, leader: NodeId, index: PartitionId, name: &str) {
        let mut image = Image::clone(&self.ctx.image.load());
        let mut topic = TopicImage::clone(image.topics.named(name).unwrap());
        let partition = topic.partitions.get_mut(&index).unwrap();
        partition.replicas.push(leader);
        partition.isr.push(leader);
        partition.directories.push(DirectoryId::default());
        partition.leader = leader;
        partition.leader_epoch = partition.leader_epoch.next();
        partition.partition_epoch = PartitionEpoch(partition.partition_epoch.0 + 1);
        let changes = Changes {
            partitions_changed: [(topic.id, index)].into_iter().collect(),
            ..Changes::default()
        };
        let topic = Arc::new(topic);
        let by_name = Arc::make_mut(&mut image.topics.by_name);
        by_name.insert(topic.name.clone(), Arc::clone(&topic));
        Arc::make_mut(&mut image.topics.by_id).insert(topic.id, topic);
        Arc::make_mut(&mut image.brokers).insert(leader, Arc::new(broker(leader)));
        let image = Arc::new(image);
        self.apply(&image, &changes);
        self.ctx.image.store(image);
    }

    /// A topic is gone from now on.
    pub fn delete(&self, name: &str) {
        let mut image = Image::clone(&self.ctx.image.load());
        let topic = Arc::make_mut(&mut image.topics.by_name).remove(name).unwrap();
        Arc::make_mut(&mut image.topics.by_id).remove(&topic.id);
        let changes = Changes { topics_deleted: vec![topic], ..Changes::default() };
        let image = Arc::new(image);
        self.apply(&image, &changes);
        self.ctx.image.store(image);
    }

    /// A feature has this level from now on.
    pub fn finalize(&self, feature: &str, level: i16) {
        let mut image = Image::clone(&self.ctx.image.load());
        Arc::make_mut(&mut image.features).insert(feature.to_owned(), level);
        let changes = Changes { features_changed: true, ..Changes::default() };
        let image = Arc::new(image);
        self.apply(&image, &changes);
        self.ctx.image.store(image);
    }

    fn apply(&self, image: &Arc<Image>, changes: &Changes) {
        self.ctx.partitions.apply(image, changes, now());
        for coordinator in &self.coordinators.followers {
            coordinator.apply(image, changes, now());
        }
    }

    /// Asks, as a client does.
    pub fn ask(&self, api_key: i16, version: i16, body: Bytes) -> Answer {
        let call = Call { now: now(), ..Call::for_test(api_key, version) };
        let ctx = &self.ctx;
        match api_key {
            0 => data::produce::handle(ctx, &call, body),
            1 => data::fetch::handle(ctx, call, body),
            2 => data::list_offsets::handle(ctx, &call, body),
            9 => super::groups::offset_fetch::handle(ctx, call, body),
            28 => super::groups::txn_offset_commit::handle(ctx, call, body),
            21 => data::delete_records::handle(ctx, &call, body),
            22 => data::init_producer_id::handle(ctx, call, body),
            23 => data::offset_for_leader_epoch::handle(ctx, &call, body),
            24 => txns::add_partitions_to_txn::handle(ctx, call, body),
            25 => txns::add_offsets_to_txn::handle(ctx, call, body),
            26 => txns::end_txn::handle(ctx, call, body),
            27 => txns::write_txn_markers::handle(ctx, call, body),
            35 => data::describe_log_dirs::handle(ctx, &call, body),
            61 => txns::describe_producers::handle(ctx, &call, body),
            65 => txns::describe_transactions::handle(ctx, call, body),
            66 => txns::list_transactions::handle(ctx, call, body),
            other => panic!("no handler for {other}"),
        }
    }
}

/// A runtime for the answers that wait.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// The answer once it is there.
pub fn settled(answer: Answer) -> Answer {
    match answer {
        Answer::Later(waiting) | Answer::Alone(waiting) => settled(runtime().block_on(waiting)),
        now => now,
    }
}

/// The bytes of an answer after its correlation id, those in files included.
pub fn bytes_of(answer: Answer) -> Vec<u8> {
    let Answer::Now(reply) = settled(answer) else { panic!("no answer") };
    let mut bytes = Vec::with_capacity(reply.len_bytes());
    for chunk in &reply.chunks {
        match chunk {
            Chunk::Bytes(chunk) => bytes.extend_from_slice(chunk),
            Chunk::File(range) => {
                let start = bytes.len();
                bytes.resize(start + range.length_bytes as usize, 0);
                range.source.read_exact_at(&mut bytes[start..], range.position).unwrap();
            }
        }
    }
    let length = i32::from_be_bytes(*bytes.first_chunk().unwrap());
    assert_eq!(length as usize, bytes.len() - 4, "the length of the frame");
    assert_eq!(bytes[4..8], Call::for_test(0, 0).correlation_id.to_be_bytes());
    bytes.split_off(8)
}
