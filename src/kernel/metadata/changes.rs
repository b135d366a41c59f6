//! What differs between an image and the one that a delta makes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::image::{ConfigResource, TopicImage};
use crate::types::ids::{NodeId, PartitionId, TopicId};

/// What changed. A topic that came and went within one delta leaves no trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Topics which are new, in the order in which they came.
    pub topics_created: Vec<TopicId>,
    /// Topics which are gone, as they last were.
    pub topics_deleted: Vec<Arc<TopicImage>>,
    /// Partitions which are new or changed, of topics which are there.
    pub partitions_changed: BTreeSet<(TopicId, PartitionId)>,
    /// Resources of which a value was set or deleted.
    pub configs_changed: BTreeSet<ConfigResource>,
    /// Brokers which came, changed or went.
    pub brokers_changed: BTreeSet<NodeId>,
    /// Whether a feature has another level.
    pub features_changed: bool,
}

impl Changes {
    /// A topic came.
    pub(super) fn topic_created(&mut self, id: TopicId) {
        self.topics_created.push(id);
    }

    /// A topic went.
    pub(super) fn topic_deleted(&mut self, topic: Arc<TopicImage>) {
        for &partition in topic.partitions.keys() {
            self.partitions_changed.remove(&(topic.id, partition));
        }
        match self.topics_created.iter().position(|&id| id == topic.id) {
            Some(index) => {
                self.topics_created.remove(index);
            }
            None => self.topics_deleted.push(topic),
        }
    }
}
