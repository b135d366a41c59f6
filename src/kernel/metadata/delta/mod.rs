//! Replays records into a working image, which shares with the first one what did not change.
//!
//! Replaying is where the log is believed or not: a record that contradicts those before it is an error, and whoever
//! replays stops there, since all that follows builds upon it. A record that is refused changes nothing.

use std::sync::Arc;

use uuid::Uuid;

use super::acls::Acl;
use super::changes::Changes;
use super::image::{ConfigResource, Image, Provenance, TopicImage};
use super::{brokers, carried};
use crate::kernel::configs::layers::Texts;
use crate::types::epoch::BrokerEpoch;
use crate::types::ids::{NodeId, PartitionId, ProducerId, TopicId, TopicName};
use crate::wire::records::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, ProducerIdsRecord, RegisterBrokerRecord,
    RegisterControllerRecord, UnregisterBrokerRecord,
};

/// The kind of a topic's configuration.
pub(super) const TOPIC_CONFIG: i8 = 2;

/// Why a record contradicts those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A topic of an id that there is.
    #[error("there is a topic of the id {0} already")]
    TopicIdExists(TopicId),
    /// A topic of a name that there is.
    #[error("there is a topic named {0} already")]
    TopicNameExists(TopicName),
    /// A topic of an id that there is not.
    #[error("there is no topic of the id {0}")]
    NoTopicId(TopicId),
    /// A topic of a name that there is not.
    #[error("there is no topic named {0}")]
    NoTopicName(String),
    /// A partition that there is not.
    #[error("topic {0} has no partition {1}")]
    NoPartition(TopicId, PartitionId),
    /// A partition of an index below 0.
    #[error("topic {0} cannot have a partition {1}")]
    PartitionIndex(TopicId, PartitionId),
    /// Another number of directories than of replicas.
    #[error("partition {1} of topic {0} has {2} replicas in {3} directories")]
    Directories(TopicId, PartitionId, usize, usize),
    /// A recovery state that does not exist.
    #[error("there is no leader recovery state {0}")]
    LeaderRecoveryState(i8),
    /// A broker that is not registered.
    #[error("broker {0} is not registered")]
    NoBroker(NodeId),
    /// A broker that is registered with another epoch.
    #[error("broker {id} is registered with epoch {epoch}, not {said}", epoch = epoch.0, said = said.0)]
    BrokerEpoch {
        /// The broker.
        id: NodeId,
        /// What the record says.
        said: BrokerEpoch,
        /// What its registration says.
        epoch: BrokerEpoch,
    },
    /// A change of a broker's state that does not exist.
    #[error("there is no change {0} of the state of a broker")]
    BrokerState(i8),
    /// A controller that is not registered.
    #[error("controller {0} is not registered")]
    NoController(NodeId),
    /// Producer ids that are given out twice.
    #[error("producer ids from {said} on follow those up to {next}", said = said.0, next = next.0)]
    ProducerIds {
        /// What the record says.
        said: ProducerId,
        /// The first that was free.
        next: ProducerId,
    },
    /// An ACL of an id that there is not.
    #[error("there is no ACL of the id {0}")]
    NoAcl(Uuid),
}

/// An image in the making.
#[derive(Clone, Debug)]
pub struct Delta {
    image: Image,
    changes: Changes,
    /// Stands in for a topic in one of its two maps while it is changed in the other.
    stand_in: Arc<TopicImage>,
}

impl Delta {
    /// Begins with `image`.
    pub fn new(image: &Image) -> Self {
        let nothing = TopicImage {
            name: TopicName::new(""),
            id: TopicId::ZERO,
            partitions: std::collections::BTreeMap::new(),
        };
        Self { image: image.clone(), changes: Changes::default(), stand_in: Arc::new(nothing) }
    }

    /// The image as it is after the records so far; its place in the log is still that of the first image.
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// What differs so far.
    #[cfg(any(test, feature = "internals"))]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The image as of this place in the log, and what differs from the first one.
    pub fn finish(mut self, at: Provenance) -> (Image, Changes) {
        self.image.at = at;
        (self.image, self.changes)
    }

    /// Applies one record. Those of transactions are left to whoever reads the log: they say which of the others
    /// count.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        match record {
            MetadataRecord::Topic(record) => self.topic(record),
            MetadataRecord::RemoveTopic(record) => self.remove_topic(TopicId(record.topic_id)),
            MetadataRecord::Partition(record) => self.partition(record),
            MetadataRecord::PartitionChange(record) => self.change_partition(record),
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name),
            MetadataRecord::RegisterBroker(record) => {
                self.register_broker(record);
                Ok(())
            }
            MetadataRecord::UnregisterBroker(record) => self.unregister_broker(record),
            MetadataRecord::BrokerRegistrationChange(record) => {
                let change = brokers::Change::of_record(record)?;
                self.change_broker(record.broker_id, record.broker_epoch, change)
            }
            MetadataRecord::FenceBroker(record) => {
                self.change_broker(record.id, record.epoch, brokers::Change::fenced(true))
            }
            MetadataRecord::UnfenceBroker(record) => {
                self.change_broker(record.id, record.epoch, brokers::Change::fenced(false))
            }
            MetadataRecord::RegisterController(record) => {
                self.register_controller(record);
                Ok(())
            }
            MetadataRecord::UnregisterController(record) => {
                self.unregister_controller(NodeId(record.controller_id))
            }
            MetadataRecord::Config(record) => {
                self.config(record);
                Ok(())
            }
            MetadataRecord::FeatureLevel(record) => {
                self.feature_level(record);
                Ok(())
            }
            MetadataRecord::ProducerIds(record) => self.producer_ids(record),
            MetadataRecord::AccessControlEntry(record) => {
                Arc::make_mut(&mut self.image.acls).add(record.id, Acl::of_record(record));
                Ok(())
            }
            MetadataRecord::RemoveAccessControlEntry(record) => self.remove_acl(record.id),
            MetadataRecord::ClientQuota(_)
            | MetadataRecord::UserScramCredential(_)
            | MetadataRecord::RemoveUserScramCredential(_)
            | MetadataRecord::DelegationToken(_)
            | MetadataRecord::RemoveDelegationToken(_) => {
                carried::replay(Arc::make_mut(&mut self.image.carried), record);
                Ok(())
            }
            MetadataRecord::NoOp(_)
            | MetadataRecord::ZkMigrationState(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => Ok(()),
        }
    }

    /// Both doors to what is changed, for the files beside this one.
    pub(super) const fn parts(&mut self) -> (&mut Image, &mut Changes) {
        (&mut self.image, &mut self.changes)
    }

    /// Changes a topic in both maps. It is copied only if the first image, or an image that was taken since, has it.
    pub(super) fn with_topic<T>(
        &mut self,
        id: TopicId,
        change: impl FnOnce(&mut TopicImage, &mut Changes) -> Result<T, ReplayError>,
    ) -> Result<T, ReplayError> {
        let topics = &mut self.image.topics;
        let topic = Arc::make_mut(&mut topics.by_id).get_mut(&id);
        let topic = topic.ok_or(ReplayError::NoTopicId(id))?;
        // Both maps hold every topic; with the other's hold on it, `make_mut` would copy the topic each time.
        let Some(same) = Arc::make_mut(&mut topics.by_name).get_mut(topic.name.as_str()) else {
            return Err(ReplayError::NoTopicId(id));
        };
        *same = Arc::clone(&self.stand_in);
        let result = change(Arc::make_mut(topic), &mut self.changes);
        *same = Arc::clone(topic);
        result
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let broker = brokers::of_record(record);
        self.changes.brokers_changed.insert(broker.id);
        Arc::make_mut(&mut self.image.brokers).insert(broker.id, Arc::new(broker));
    }

    fn unregister_broker(&mut self, record: &UnregisterBrokerRecord) -> Result<(), ReplayError> {
        let id = NodeId(record.broker_id);
        brokers::registered(&self.image, id, BrokerEpoch(record.broker_epoch))?;
        self.changes.brokers_changed.insert(id);
        Arc::make_mut(&mut self.image.brokers).remove(&id);
        Ok(())
    }

    fn change_broker(
        &mut self,
        id: i32,
        epoch: i64,
        change: brokers::Change,
    ) -> Result<(), ReplayError> {
        let id = NodeId(id);
        let broker = brokers::registered(&self.image, id, BrokerEpoch(epoch))?;
        let broker = Arc::new(change.apply(broker));
        self.changes.brokers_changed.insert(id);
        Arc::make_mut(&mut self.image.brokers).insert(id, broker);
        Ok(())
    }

    fn register_controller(&mut self, record: &RegisterControllerRecord) {
        let controller = brokers::controller_of_record(record);
        Arc::make_mut(&mut self.image.controllers).insert(controller.id, Arc::new(controller));
    }

    fn unregister_controller(&mut self, id: NodeId) -> Result<(), ReplayError> {
        let removed = Arc::make_mut(&mut self.image.controllers).remove(&id);
        removed.map(drop).ok_or(ReplayError::NoController(id))
    }

    fn config(&mut self, record: &ConfigRecord) {
        let kind = record.resource_type;
        let resource = ConfigResource { kind, name: record.resource_name.clone() };
        self.changes.configs_changed.insert(resource.clone());
        let configs = Arc::make_mut(&mut self.image.configs);
        if let Some(value) = &record.value {
            let texts = configs.entry(resource).or_default();
            Arc::make_mut(texts).insert(record.name.clone(), value.clone());
        } else if let Some(texts) = configs.get_mut(&resource) {
            let set: &mut Texts = Arc::make_mut(texts);
            set.remove(&record.name);
            if set.is_empty() {
                configs.remove(&resource);
            }
        }
    }

    fn feature_level(&mut self, record: &FeatureLevelRecord) {
        self.changes.features_changed = true;
        let features = Arc::make_mut(&mut self.image.features);
        if record.feature_level == 0 {
            features.remove(&record.name);
        } else {
            features.insert(record.name.clone(), record.feature_level);
        }
    }

    fn remove_acl(&mut self, id: Uuid) -> Result<(), ReplayError> {
        if !self.image.acls.contains_id(id) {
            return Err(ReplayError::NoAcl(id));
        }
        Arc::make_mut(&mut self.image.acls).remove(id);
        Ok(())
    }

    fn producer_ids(&mut self, record: &ProducerIdsRecord) -> Result<(), ReplayError> {
        let (said, next) = (ProducerId(record.next_producer_id), self.image.next_producer_id);
        if said < next {
            return Err(ReplayError::ProducerIds { said, next });
        }
        self.image.next_producer_id = said;
        Ok(())
    }
}

/// Numbers as ids.
pub(super) fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

/// Ids as numbers.
pub(super) fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

/// UUIDs as directories.
pub(super) fn directories(ids: &[Uuid]) -> Vec<crate::types::ids::DirectoryId> {
    ids.iter().copied().map(crate::types::ids::DirectoryId).collect()
}

#[cfg(test)]
mod tests;
