//! What a handler may touch.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::api_versions;
use super::cluster::auto_creation::AutoCreation;
use super::data::producer_ids::ProducerIds;
use crate::kernel::authorizer::Authorizer;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::controller::{Reply, Request};
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::metadata::image::Image;
use crate::kernel::raft::view::QuorumView;
use crate::kernel::replica::fetch_session::FetchSessions;
use crate::kernel::txns::TransactionShard;
use crate::shell::drivers::controller::handle::Handle;
use crate::shell::drivers::coordinators::Coordinator;
use crate::shell::drivers::markers::Markers;
use crate::shell::drivers::partitions::Partitions;
use crate::types::ids::NodeId;

/// Who this node is; none of it changes while it runs.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// `node.id`.
    pub node_id: NodeId,
    /// The id of the cluster, as its `meta.properties` have it.
    pub cluster_id: Arc<str>,
}

/// The node, as far as handlers see it.
pub struct Ctx {
    /// Who it is.
    pub node: NodeInfo,
    /// The published metadata. Everything in it is on disk, and the partitions of this node have seen it.
    pub image: Arc<ArcSwap<Image>>,
    /// The configuration with what is set at run time.
    pub config: Arc<ArcSwap<BrokerConfig>>,
    /// Who says what anybody may do; none where everybody may do everything.
    pub authorizer: Option<Arc<Authorizer>>,
    /// The quorum of the metadata log.
    pub quorum: Arc<ArcSwap<QuorumView>>,
    /// The door to the controller.
    pub controller: Handle<Request, Reply>,
    /// The partitions of this node.
    pub partitions: Arc<Partitions>,
    /// The groups that this node coordinates, and their committed offsets.
    pub groups: Arc<Coordinator<GroupShard>>,
    /// The transactional ids that this node coordinates.
    pub transactions: Arc<Coordinator<TransactionShard>>,
    /// The ends of transactions, for the partitions of this node.
    pub markers: Arc<Markers>,
    /// What clients were told of the APIs.
    pub api_versions: api_versions::Bodies,
    /// The topics in the making because a client asked for their metadata.
    pub auto_creation: AutoCreation,
    /// What fetching clients asked for before.
    pub fetch_sessions: Mutex<FetchSessions>,
    /// The producer ids that are left of this node's block.
    pub producer_ids: ProducerIds,
}
