//! Topics and partitions, out of records and into them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::delta::{Delta, ReplayError, TOPIC_CONFIG, directories, nodes, numbers};
use super::image::{ConfigResource, LeaderRecoveryState, PartitionRegistration, TopicImage};
use crate::types::epoch::{LeaderEpoch, PartitionEpoch};
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicId, TopicName};
use crate::wire::records::{PartitionChangeRecord, PartitionRecord, TopicRecord};

/// What a change record says where the leader stays: neither it nor its epoch changes.
const NO_LEADER_CHANGE: i32 = -2;
/// What a change record says where the recovery state stays.
const NO_STATE_CHANGE: i8 = -1;

impl Delta {
    pub(super) fn topic(&mut self, record: &TopicRecord) -> Result<(), ReplayError> {
        let (image, changes) = self.parts();
        let (id, name) = (TopicId(record.topic_id), TopicName::new(&record.name));
        if image.topics.by_id.contains_key(&id) {
            return Err(ReplayError::TopicIdExists(id));
        }
        if image.topics.by_name.contains_key(&name) {
            return Err(ReplayError::TopicNameExists(name));
        }
        let topic = TopicImage { name: name.clone(), id, partitions: BTreeMap::new() };
        let topic = Arc::new(topic);
        Arc::make_mut(&mut image.topics.by_name).insert(name, Arc::clone(&topic));
        Arc::make_mut(&mut image.topics.by_id).insert(id, topic);
        changes.topic_created(id);
        Ok(())
    }

    /// The topic's configuration goes with it.
    pub(super) fn remove_topic(&mut self, id: TopicId) -> Result<(), ReplayError> {
        let (image, changes) = self.parts();
        let topic = Arc::make_mut(&mut image.topics.by_id).remove(&id);
        let topic = topic.ok_or(ReplayError::NoTopicId(id))?;
        Arc::make_mut(&mut image.topics.by_name).remove(&topic.name);
        let resource = ConfigResource { kind: TOPIC_CONFIG, name: topic.name.as_str().to_owned() };
        if image.configs.contains_key(&resource) {
            Arc::make_mut(&mut image.configs).remove(&resource);
            changes.configs_changed.insert(resource);
        }
        changes.topic_deleted(topic);
        Ok(())
    }

    pub(super) fn partition(&mut self, record: &PartitionRecord) -> Result<(), ReplayError> {
        let (topic_id, id) = (TopicId(record.topic_id), PartitionId(record.partition_id));
        if id.0 < 0 {
            return Err(ReplayError::PartitionIndex(topic_id, id));
        }
        let partition = of_record(record)?;
        self.with_topic(topic_id, |topic, changes| {
            topic.partitions.insert(id, partition);
            changes.partitions_changed.insert((topic_id, id));
            Ok(())
        })
    }

    pub(super) fn change_partition(
        &mut self,
        record: &PartitionChangeRecord,
    ) -> Result<(), ReplayError> {
        let (topic_id, id) = (TopicId(record.topic_id), PartitionId(record.partition_id));
        self.with_topic(topic_id, |topic, changes| {
            let partition = topic.partitions.get_mut(&id);
            let partition = partition.ok_or(ReplayError::NoPartition(topic_id, id))?;
            *partition = merged(partition, record)?;
            changes.partitions_changed.insert((topic_id, id));
            Ok(())
        })
    }

    /// Of one topic, or of all where no name is given.
    pub(super) fn clear_elr(&mut self, name: &str) -> Result<(), ReplayError> {
        let (image, _) = self.parts();
        let ids: Vec<TopicId> = if name.is_empty() {
            let topics = image.topics.by_id.values().filter(|topic| has_elr(topic));
            topics.map(|topic| topic.id).collect()
        } else {
            let topic = image.topics.named(name);
            vec![topic.ok_or_else(|| ReplayError::NoTopicName(name.to_owned()))?.id]
        };
        for id in ids {
            self.with_topic(id, |topic, changes| {
                for (&partition_id, partition) in &mut topic.partitions {
                    if clear(partition) {
                        changes.partitions_changed.insert((id, partition_id));
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn has_elr(topic: &TopicImage) -> bool {
    topic.partitions.values().any(|partition| {
        !partition.eligible_leader_replicas.is_empty() || !partition.last_known_elr.is_empty()
    })
}

/// Whether there was something to clear; it counts as a change of the partition.
fn clear(partition: &mut PartitionRegistration) -> bool {
    if partition.eligible_leader_replicas.is_empty() && partition.last_known_elr.is_empty() {
        return false;
    }
    partition.eligible_leader_replicas.clear();
    partition.last_known_elr.clear();
    partition.partition_epoch = PartitionEpoch(partition.partition_epoch.0.wrapping_add(1));
    true
}

fn recovery_state(number: i8) -> Result<LeaderRecoveryState, ReplayError> {
    match number {
        0 => Ok(LeaderRecoveryState::Recovered),
        1 => Ok(LeaderRecoveryState::Recovering),
        other => Err(ReplayError::LeaderRecoveryState(other)),
    }
}

/// A partition as its record says. Records from before KIP-858 name no directories.
fn of_record(record: &PartitionRecord) -> Result<PartitionRegistration, ReplayError> {
    let replicas = record.replicas.len();
    let directories = match record.directories.len() {
        0 => vec![DirectoryId::MIGRATING; replicas],
        count if count == replicas => directories(&record.directories),
        count => {
            let (topic_id, id) = (TopicId(record.topic_id), PartitionId(record.partition_id));
            return Err(ReplayError::Directories(topic_id, id, replicas, count));
        }
    };
    Ok(PartitionRegistration {
        replicas: nodes(&record.replicas),
        directories,
        isr: nodes(&record.isr),
        removing_replicas: nodes(&record.removing_replicas),
        adding_replicas: nodes(&record.adding_replicas),
        eligible_leader_replicas: nodes(record.eligible_leader_replicas.as_deref().unwrap_or(&[])),
        last_known_elr: nodes(record.last_known_elr.as_deref().unwrap_or(&[])),
        leader: NodeId(record.leader),
        leader_recovery_state: recovery_state(record.leader_recovery_state)?,
        leader_epoch: LeaderEpoch(record.leader_epoch),
        partition_epoch: PartitionEpoch(record.partition_epoch),
    })
}

/// The record that says a partition.
pub(super) fn to_record(
    topic_id: TopicId,
    id: PartitionId,
    partition: &PartitionRegistration,
) -> PartitionRecord {
    let unless_empty = |ids: &[NodeId]| (!ids.is_empty()).then(|| numbers(ids));
    PartitionRecord {
        partition_id: id.0,
        topic_id: topic_id.0,
        replicas: numbers(&partition.replicas),
        isr: numbers(&partition.isr),
        removing_replicas: numbers(&partition.removing_replicas),
        adding_replicas: numbers(&partition.adding_replicas),
        leader: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        partition_epoch: partition.partition_epoch.0,
        directories: partition.directories.iter().map(|id| id.0).collect(),
        leader_recovery_state: partition.leader_recovery_state as i8,
        eligible_leader_replicas: unless_empty(&partition.eligible_leader_replicas),
        last_known_elr: unless_empty(&partition.last_known_elr),
    }
}

/// A partition with a change. A named leader, be it the same, begins an epoch; every change counts.
pub fn merged(
    partition: &PartitionRegistration,
    record: &PartitionChangeRecord,
) -> Result<PartitionRegistration, ReplayError> {
    let or =
        |new: &Option<Vec<i32>>, old: &[NodeId]| new.as_deref().map_or_else(|| old.to_vec(), nodes);
    let replicas = or(&record.replicas, &partition.replicas);
    let (leader, leader_epoch) = match record.leader {
        NO_LEADER_CHANGE => (partition.leader, partition.leader_epoch),
        leader => (NodeId(leader), LeaderEpoch(partition.leader_epoch.0.wrapping_add(1))),
    };
    let leader_recovery_state = match record.leader_recovery_state {
        NO_STATE_CHANGE => partition.leader_recovery_state,
        state => recovery_state(state)?,
    };
    Ok(PartitionRegistration {
        directories: merged_directories(partition, record, &replicas)?,
        replicas,
        isr: or(&record.isr, &partition.isr),
        removing_replicas: or(&record.removing_replicas, &partition.removing_replicas),
        adding_replicas: or(&record.adding_replicas, &partition.adding_replicas),
        eligible_leader_replicas: or(
            &record.eligible_leader_replicas,
            &partition.eligible_leader_replicas,
        ),
        last_known_elr: or(&record.last_known_elr, &partition.last_known_elr),
        leader,
        leader_recovery_state,
        leader_epoch,
        partition_epoch: PartitionEpoch(partition.partition_epoch.0.wrapping_add(1)),
    })
}

/// A replica that stays keeps its directory; a new one has none yet.
fn merged_directories(
    partition: &PartitionRegistration,
    record: &PartitionChangeRecord,
    replicas: &[NodeId],
) -> Result<Vec<DirectoryId>, ReplayError> {
    let named = record.directories.as_deref().unwrap_or(&[]);
    if named.is_empty() {
        if record.replicas.is_none() {
            return Ok(partition.directories.clone());
        }
        let directory = |replica: &NodeId| {
            let index = partition.replicas.iter().position(|old| old == replica);
            let kept = index.and_then(|index| partition.directories.get(index));
            kept.copied().unwrap_or(DirectoryId::UNASSIGNED)
        };
        return Ok(replicas.iter().map(directory).collect());
    }
    if named.len() != replicas.len() {
        let (topic_id, id) = (TopicId(record.topic_id), PartitionId(record.partition_id));
        return Err(ReplayError::Directories(topic_id, id, replicas.len(), named.len()));
    }
    Ok(directories(named))
}
