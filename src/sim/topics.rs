//! The topics of the simulated cluster, as its metadata has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{
    Image, LeaderRecoveryState, PartitionRegistration, TopicImage,
};
use crate::types::epoch::{LeaderEpoch, PartitionEpoch};
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicId, TopicName};

/// All topics; what follows is where they stand.
pub const NAMES: [&str; 4] = ["__consumer_offsets", "__transaction_state", "a", "b"];
/// The offsets of groups.
pub const OFFSETS: usize = 0;
/// The states of transactions.
pub const TRANSACTIONS: usize = 1;
/// The first one that clients write to.
pub const FIRST_OF_CLIENTS: usize = 2;
/// The one that comes and goes.
pub const FLEETING: usize = 3;

/// A partition: the place of its topic in the list, and its number.
pub type Place = (usize, i32);

/// The place of a topic in the list.
pub fn place_of(name: &str) -> Option<usize> {
    NAMES.iter().position(|it| *it == name)
}

/// The id of the `times`-th topic of that name.
pub fn topic_id(topic: usize, times: u32) -> TopicId {
    TopicId(Uuid::from_u128(0x1000 + topic as u128 * 0x100 + u128::from(times)))
}

fn registration() -> PartitionRegistration {
    PartitionRegistration {
        replicas: vec![NodeId(1)],
        directories: vec![DirectoryId::MIGRATING],
        isr: vec![NodeId(1)],
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        eligible_leader_replicas: Vec::new(),
        last_known_elr: Vec::new(),
        leader: NodeId(1),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    }
}

/// Puts a topic there, or gives it more partitions.
pub fn put(image: &mut Image, topic: usize, id: TopicId, partitions: i32, changes: &mut Changes) {
    let name = TopicName::new(NAMES[topic]);
    if image.topics.named(NAMES[topic]).is_none() {
        changes.topics_created.push(id);
    }
    let partitions: BTreeMap<PartitionId, PartitionRegistration> =
        (0..partitions).map(|at| (PartitionId(at), registration())).collect();
    changes.partitions_changed.extend(partitions.keys().map(|at| (id, *at)));
    let made = Arc::new(TopicImage { name: name.clone(), id, partitions });
    Arc::make_mut(&mut image.topics.by_name).insert(name, Arc::clone(&made));
    Arc::make_mut(&mut image.topics.by_id).insert(id, made);
    image.at.offset.0 += 1;
}

/// Takes a topic away.
pub fn remove(image: &mut Image, topic: usize, changes: &mut Changes) {
    let gone = Arc::make_mut(&mut image.topics.by_name).remove(NAMES[topic]);
    let Some(gone) = gone else { return };
    Arc::make_mut(&mut image.topics.by_id).remove(&gone.id);
    image.at.offset.0 += 1;
    changes.topics_deleted.push(gone);
}

/// How many partitions a topic has; none if it is not there.
pub fn partitions(image: &Image, topic: usize) -> i32 {
    image.topics.named(NAMES[topic]).map_or(0, |it| it.partitions.len() as i32)
}
