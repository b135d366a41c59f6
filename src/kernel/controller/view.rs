//! What decisions ask of the image and of this node's configuration.

use uuid::Uuid;

use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::{BrokerLayers, Texts};
use crate::kernel::metadata::image::{BrokerRegistration, Image, PartitionRegistration};
use crate::types::ids::{DirectoryId, NodeId};
use crate::wire::records::PartitionRecord;

/// The number of topics among the kinds of resources.
pub const TOPIC: i8 = 2;
/// The number of groups among the resources.
pub const GROUP: i8 = 32;
/// The number of brokers among the kinds of resources.
pub const BROKER: i8 = 4;

/// The feature of eligible leader replicas (KIP-966).
pub const ELR: &str = "eligible.leader.replicas.version";

static NONE: Texts = Texts::new();

/// The image that a decision builds upon, and the controller's configuration.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// With everything decided before, on disk or not.
    pub image: &'a Image,
    /// Of this node, as it was set before the start.
    pub config: &'a BrokerConfig,
}

impl<'a> View<'a> {
    /// Whether the cluster keeps eligible leader replicas.
    pub fn elr_enabled(&self) -> bool {
        self.image.features.get(ELR).is_some_and(|level| *level >= 1)
    }

    /// What is set for a resource.
    pub fn overrides(&self, kind: i8, name: &str) -> &'a Texts {
        self.image.overrides(kind, name).unwrap_or(&NONE)
    }

    /// The layers of this node's values.
    pub fn layers(&self) -> BrokerLayers<'a> {
        BrokerLayers {
            dynamic_broker: self.overrides(BROKER, &self.config.node_id.to_string()),
            dynamic_default: self.overrides(BROKER, ""),
            fixed: &self.config.explicit,
        }
    }

    /// The registration of a broker.
    pub fn broker(&self, id: NodeId) -> Option<&'a BrokerRegistration> {
        self.image.brokers.get(&id).map(AsRef::as_ref)
    }

    /// Whether a broker may lead: it is registered, not fenced and not about to leave.
    pub fn is_active(&self, id: NodeId) -> bool {
        self.broker(id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    /// The directory of a new replica: the only one that the broker has, or to be chosen by the broker (KIP-858).
    pub fn default_directory(&self, id: NodeId) -> DirectoryId {
        match self.broker(id).map(|broker| broker.log_dirs.as_slice()) {
            Some([]) => DirectoryId::MIGRATING,
            Some([only]) => *only,
            Some(_) | None => DirectoryId::UNASSIGNED,
        }
    }

    /// A new partition on `replicas`, led by the first of them that is active; none if none is.
    pub fn new_partition(
        &self,
        topic: Uuid,
        id: i32,
        replicas: &[NodeId],
    ) -> Option<PartitionRecord> {
        let is_active = |replica: &NodeId| self.is_active(*replica);
        let isr: Vec<i32> = replicas.iter().copied().filter(is_active).map(|id| id.0).collect();
        Some(PartitionRecord {
            partition_id: id,
            topic_id: topic,
            replicas: replicas.iter().map(|id| id.0).collect(),
            leader: *isr.first()?,
            isr,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: replicas.iter().map(|id| self.default_directory(*id).0).collect(),
            ..PartitionRecord::default()
        })
    }

    /// Whether the directory that holds a broker's replica of the partition is in use.
    pub fn has_online_directory(&self, partition: &PartitionRegistration, id: NodeId) -> bool {
        let Some(broker) = self.broker(id) else { return false };
        let place = partition.replicas.iter().position(|replica| *replica == id);
        let directory = place.and_then(|place| partition.directories.get(place)).copied();
        match directory.unwrap_or(DirectoryId::MIGRATING) {
            DirectoryId::UNASSIGNED | DirectoryId::MIGRATING => true,
            DirectoryId::LOST => false,
            // Before metadata.version 17 a registration has no directories (KAFKA-16162).
            directory => broker.log_dirs.is_empty() || broker.log_dirs.contains(&directory),
        }
    }
}
