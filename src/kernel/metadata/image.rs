//! The metadata of the cluster at one offset of its log. It is never changed: a delta makes the next one, and the parts
//! that did not change are shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::acls::Acls;
use crate::kernel::configs::layers::Texts;
use crate::types::epoch::{BrokerEpoch, LeaderEpoch, PartitionEpoch};
use crate::types::ids::{DirectoryId, NodeId, PartitionId, ProducerId, TopicId, TopicName};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// Where in the log an image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The last record that it contains; −1 before the first.
    pub offset: Offset,
    /// The raft epoch of that record.
    pub epoch: LeaderEpoch,
    /// The append time of that record.
    pub timestamp: Timestamp,
}

/// Everything that the records up to [`Provenance::offset`] say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it stands.
    pub at: Provenance,
    /// Finalised feature levels, those above 0, by name; `metadata.version` is one of them.
    pub features: Arc<BTreeMap<String, i16>>,
    /// The registered brokers.
    pub brokers: Arc<BTreeMap<NodeId, Arc<BrokerRegistration>>>,
    /// The registered controllers.
    pub controllers: Arc<BTreeMap<NodeId, Arc<ControllerRegistration>>>,
    /// The topics.
    pub topics: Topics,
    /// What is set for resources; no entry where nothing is.
    pub configs: Arc<BTreeMap<ConfigResource, Arc<Texts>>>,
    /// The first producer id that is in no block yet.
    pub next_producer_id: ProducerId,
    /// Who may do what.
    pub acls: Arc<Acls>,
    /// Records of parts that this version carries on but does not act upon (quotas, SCRAM credentials, delegation
    /// tokens), by what identifies them, so that a snapshot loses nothing.
    pub carried: Arc<BTreeMap<Vec<u8>, bytes::Bytes>>,
}

/// Topics by name and by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// In the order of the names.
    pub by_name: Arc<BTreeMap<TopicName, Arc<TopicImage>>>,
    /// The same topics.
    pub by_id: Arc<BTreeMap<TopicId, Arc<TopicImage>>>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicImage {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: TopicId,
    /// Its partitions; their ids are 0 to n − 1.
    pub partitions: BTreeMap<PartitionId, PartitionRegistration>,
}

/// Whether the leader has recovered from an unclean election (KIP-704).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(i8)]
pub enum LeaderRecoveryState {
    /// It has, or there was none.
    #[default]
    Recovered = 0,
    /// It has not yet.
    Recovering = 1,
}

/// One partition as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRegistration {
    /// The assigned brokers; the first is the preferred leader.
    pub replicas: Vec<NodeId>,
    /// The directory of each replica, in the order of `replicas` (KIP-858).
    pub directories: Vec<DirectoryId>,
    /// The in-sync replicas.
    pub isr: Vec<NodeId>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<NodeId>,
    /// Replicas that a reassignment brings in.
    pub adding_replicas: Vec<NodeId>,
    /// Eligible leader replicas (KIP-966).
    pub eligible_leader_replicas: Vec<NodeId>,
    /// The last known eligible leader replicas (KIP-966).
    pub last_known_elr: Vec<NodeId>,
    /// The leader; −1 if there is none.
    pub leader: NodeId,
    /// Whether the leader has recovered.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Rises with each change of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Rises with each change.
    pub partition_epoch: PartitionEpoch,
}

/// Where a broker or controller listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerEndpoint {
    /// The listener's name.
    pub name: String,
    /// What clients connect to.
    pub host: String,
    /// What clients connect to.
    pub port: u16,
    /// The security protocol's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// The levels of a feature that a node can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureRange {
    /// The lowest.
    pub min: i16,
    /// The highest.
    pub max: i16,
}

/// One broker as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// The broker.
    pub id: NodeId,
    /// Which of its incarnations, by the offset of its registration.
    pub epoch: BrokerEpoch,
    /// Drawn anew at each start.
    pub incarnation_id: Uuid,
    /// Where it listens.
    pub listeners: Vec<ListenerEndpoint>,
    /// What it can work with.
    pub features: BTreeMap<String, FeatureRange>,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// A fenced broker leads nothing, and clients are not told of it.
    pub fenced: bool,
    /// It is about to leave.
    pub in_controlled_shutdown: bool,
    /// Its log directories.
    pub log_dirs: Vec<DirectoryId>,
    /// Those that take no new partitions (KIP-1066); none where the record does not say.
    pub cordoned_log_dirs: Option<Vec<DirectoryId>>,
}

/// One controller, which registers too (KIP-919).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// The controller.
    pub id: NodeId,
    /// Drawn anew at each start.
    pub incarnation_id: Uuid,
    /// Always false since Kafka 4.0.
    pub zk_migration_ready: bool,
    /// Where it listens.
    pub listeners: Vec<ListenerEndpoint>,
    /// What it can work with.
    pub features: BTreeMap<String, FeatureRange>,
}

/// What configuration is set for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    pub kind: i8,
    /// Its name; empty for all brokers.
    pub name: String,
}

impl Image {
    /// The image before the first record.
    pub fn empty() -> Self {
        Self {
            at: Provenance {
                offset: Offset::UNKNOWN,
                epoch: LeaderEpoch::UNKNOWN,
                timestamp: Timestamp::NONE,
            },
            features: Arc::default(),
            brokers: Arc::default(),
            controllers: Arc::default(),
            topics: Topics::default(),
            configs: Arc::default(),
            next_producer_id: ProducerId(0),
            acls: Arc::default(),
            carried: Arc::default(),
        }
    }

    /// The level of `metadata.version`; 0 before there is one.
    pub fn metadata_version(&self) -> i16 {
        self.features.get("metadata.version").copied().unwrap_or(0)
    }

    /// The brokers that clients are told of, in the order of their ids.
    pub fn live_brokers(&self) -> impl Iterator<Item = &BrokerRegistration> {
        self.brokers.values().map(AsRef::as_ref).filter(|broker| !broker.fenced)
    }

    /// Whether this broker is registered and not fenced.
    pub fn is_live(&self, id: NodeId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| !broker.fenced)
    }

    /// What is set for a resource; none if nothing is.
    pub fn overrides(&self, kind: i8, name: &str) -> Option<&Texts> {
        let resource = ConfigResource { kind, name: name.to_owned() };
        self.configs.get(&resource).map(AsRef::as_ref)
    }
}

impl BrokerRegistration {
    /// Where it listens under this name.
    pub fn listener(&self, name: &str) -> Option<&ListenerEndpoint> {
        self.listeners.iter().find(|listener| listener.name == name)
    }
}

impl Topics {
    /// The topic of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// The topic of this id.
    pub fn of_id(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.by_id.get(&id)
    }
}
