//! From a new image to a node that acts upon it, in this order: partitions, configuration, coordinators, everyone else.
//!
//! The partitions come first: whoever finds a topic in the published image finds its partitions too.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::controller::decider::{Publication, Publish};
use super::coordinators::FollowsMetadata;
use super::partitions::Partitions;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::kernel::metadata::image::{ConfigResource, Image};
use crate::kernel::raft::view::QuorumView;

/// `ConfigResource.kind` of a broker.
const BROKER: i8 = 4;
/// The name under which all brokers are configured.
const ALL_BROKERS: &str = "";

/// What everyone may read at any time.
#[derive(Clone, Debug)]
pub struct Published {
    /// The metadata.
    pub image: Arc<ArcSwap<Image>>,
    /// The configuration, with what is set at run time.
    pub config: Arc<ArcSwap<BrokerConfig>>,
    /// The quorum of the metadata log.
    pub quorum: Arc<ArcSwap<QuorumView>>,
}

/// See the module.
pub struct Publisher {
    published: Published,
    partitions: Arc<Partitions>,
    coordinators: Vec<Arc<dyn FollowsMetadata>>,
    /// As it was set before the start.
    fixed: BrokerConfig,
}

impl Publisher {
    /// Publishes to `published` what `partitions` and `coordinators` have taken.
    pub const fn new(
        published: Published,
        partitions: Arc<Partitions>,
        coordinators: Vec<Arc<dyn FollowsMetadata>>,
        fixed: BrokerConfig,
    ) -> Self {
        Self { published, partitions, coordinators, fixed }
    }

    /// Whether `resource` is this broker, or all brokers.
    fn is_ours(&self, resource: &ConfigResource) -> bool {
        let name = &resource.name;
        resource.kind == BROKER && (name == ALL_BROKERS || *name == self.fixed.node_id.to_string())
    }

    /// What is set at run time was checked when it was set. What another version accepted and this one cannot work
    /// with is passed over, rather than keeping the node from starting.
    fn publish_config(&self, image: &Image) {
        let set =
            |name: &str| -> Texts { image.overrides(BROKER, name).cloned().unwrap_or_default() };
        let node = self.fixed.node_id.to_string();
        match self.fixed.with_dynamic(&set(ALL_BROKERS), &set(&node)) {
            Ok(config) => self.published.config.store(Arc::new(config)),
            Err(errors) => {
                tracing::warn!(?errors, "what is set for the broker at run time is passed over");
            }
        }
    }
}

impl Publish for Publisher {
    fn publish(&mut self, publication: Publication) {
        let Publication { image, changes, quorum, now } = publication;
        self.partitions.apply(&image, &changes, now);
        if changes.configs_changed.iter().any(|resource| self.is_ours(resource)) {
            self.publish_config(&image);
        }
        for coordinator in &self.coordinators {
            coordinator.apply(&image, &changes, now);
        }
        self.published.image.store(image);
        self.published.quorum.store(Arc::new(quorum));
    }
}
