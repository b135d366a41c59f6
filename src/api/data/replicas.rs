//! From what a request names to a partition of this node, or to the error that says why there is none.

use std::sync::Arc;

use crate::api::context::Ctx;
use crate::kernel::metadata::image::{Image, TopicImage};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::shell::drivers::partitions::Partition;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId};
use crate::wire::fields::{CurrentLeader, NodeEndpoint};

/// Why a partition cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no such topic, or it has no such partition.
    Unknown(ErrorCode),
    /// There is, but not on this node: another one leads it.
    Elsewhere,
}

impl Missing {
    /// What clients are told.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Unknown(code) => code,
            Self::Elsewhere => ErrorCode::NotLeaderOrFollower,
        }
    }
}

/// The topic that a request names.
pub fn topic<'a>(image: &'a Image, topic: TopicRef<'_>) -> Option<&'a Arc<TopicImage>> {
    match topic {
        TopicRef::Id(id) => image.topics.of_id(id),
        TopicRef::Name(name) => image.topics.named(name),
    }
}

/// The partition that a request names.
pub fn partition(
    ctx: &Ctx,
    topic: TopicRef<'_>,
    index: PartitionId,
) -> Result<Arc<Partition>, Missing> {
    let known = match topic {
        TopicRef::Id(id) => ctx.partitions.get(id, index),
        TopicRef::Name(name) => {
            let image = ctx.image.load();
            image.topics.named(name).and_then(|topic| ctx.partitions.get(topic.id, index))
        }
    };
    known.ok_or_else(|| missing(&ctx.image.load(), topic, index))
}

/// Why there is no such partition here. A topic that is unknown by its id has an error of its own (KIP-516).
fn missing(image: &Image, named: TopicRef<'_>, index: PartitionId) -> Missing {
    match (topic(image, named), named) {
        (Some(topic), _) if topic.partitions.contains_key(&index) => Missing::Elsewhere,
        (None, TopicRef::Id(_)) => Missing::Unknown(ErrorCode::UnknownTopicId),
        _ => Missing::Unknown(ErrorCode::UnknownTopicOrPartition),
    }
}

/// The leader of a partition and where clients of this listener reach it, for those who came to the wrong node
/// (KIP-951).
pub fn leader(
    image: &Image,
    named: TopicRef<'_>,
    index: PartitionId,
    listener: &str,
) -> (CurrentLeader, Option<NodeEndpoint>) {
    let partition = topic(image, named).and_then(|topic| topic.partitions.get(&index));
    let Some(partition) = partition else {
        let none = CurrentLeader { leader_id: NodeId::NONE, leader_epoch: LeaderEpoch::UNKNOWN };
        return (none, None);
    };
    let leader =
        CurrentLeader { leader_id: partition.leader, leader_epoch: partition.leader_epoch };
    (leader, endpoint(image, partition.leader, listener))
}

/// Where clients of this listener reach a node; none if it is fenced.
fn endpoint(image: &Image, node_id: NodeId, listener: &str) -> Option<NodeEndpoint> {
    let broker = image.brokers.get(&node_id).filter(|broker| !broker.fenced)?;
    let found = broker.listeners.iter().find(|it| it.name == listener)?;
    Some(NodeEndpoint {
        node_id,
        host: found.host.clone(),
        port: i32::from(found.port),
        rack: broker.rack.clone(),
    })
}

/// Adds an endpoint unless its node is there already.
pub fn add_endpoint(endpoints: &mut Vec<NodeEndpoint>, endpoint: Option<NodeEndpoint>) {
    if let Some(endpoint) = endpoint
        && endpoints.iter().all(|there| there.node_id != endpoint.node_id)
    {
        endpoints.push(endpoint);
    }
}
