//! The change of a partition whose in-sync replicas or whose brokers change: who leads, who is in sync, who may be
//! elected later.
//!
//! As Kafka's `PartitionChangeBuilder` decides. Deliberately absent: preferred elections and reassignments, which a
//! cluster of one broker has no use for.

use std::collections::BTreeSet;

use crate::kernel::metadata::image::{LeaderRecoveryState, PartitionRegistration};
use crate::types::ids::{NodeId, PartitionId, TopicId};
use crate::wire::records::PartitionChangeRecord;

/// What a change record says where the leader stays.
const NO_LEADER_CHANGE: i32 = -2;
/// From this metadata.version on, a smaller ISR alone starts no new leader epoch (KAFKA-15021).
const NO_EPOCH_BUMP_ON_SHRINK: i16 = 12;

/// The rules of the cluster and of the topic.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The level of metadata.version.
    pub metadata_version: i16,
    /// Whether there are eligible leader replicas.
    pub elr_enabled: bool,
    /// `min.insync.replicas`, at most the number of replicas.
    pub min_isr: usize,
    /// `unclean.leader.election.enable`.
    pub unclean: bool,
}

/// What changes about a partition.
pub struct PartitionChange<'a> {
    /// The partition as it is.
    pub partition: &'a PartitionRegistration,
    /// What holds for it.
    pub rules: Rules,
    /// Whether a replica may lead.
    pub is_acceptable_leader: &'a dyn Fn(NodeId) -> bool,
    /// The new in-sync replicas.
    pub isr: Vec<NodeId>,
    /// A replica that may have lost what it acknowledged.
    pub unclean_shutdown: Option<NodeId>,
    /// The new state of the leader.
    pub leader_recovery_state: LeaderRecoveryState,
}

struct Elected {
    node: NodeId,
    unclean: bool,
}

impl PartitionChange<'_> {
    /// The record of the change; none where nothing changes.
    pub fn build(mut self, topic: TopicId, id: PartitionId) -> Option<PartitionChangeRecord> {
        let unchanged = PartitionChangeRecord {
            partition_id: id.0,
            topic_id: topic.0,
            ..PartitionChangeRecord::default()
        };
        let mut record = unchanged.clone();
        let mut elr = self.eligible();
        self.elect(&mut elr, &mut record);
        if record.isr.is_some() || !self.rules.elr_enabled {
            elr.clear();
        }
        if elr != self.partition.eligible_leader_replicas {
            record.eligible_leader_replicas = Some(numbers(&elr));
        }
        // Without eligible leader replicas the last member never leaves the ISR.
        let may_be_set = !self.isr.is_empty() || self.rules.elr_enabled;
        if record.isr.is_none() && may_be_set && self.isr != self.partition.isr {
            record.isr = Some(numbers(&self.isr));
        }
        self.start_epoch_on_shrink(&mut record);
        self.remember_last_leader(&mut record);
        if self.leader_recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = self.leader_recovery_state as i8;
        }
        (record != unchanged).then_some(record)
    }

    /// Who left the ISR while it was too small, and may still be elected cleanly.
    fn eligible(&self) -> Vec<NodeId> {
        let elr = &self.partition.eligible_leader_replicas;
        if !self.rules.elr_enabled {
            return elr.clone();
        }
        if self.isr.len() >= self.rules.min_isr {
            return Vec::new();
        }
        let candidates: BTreeSet<NodeId> = elr.iter().chain(&self.partition.isr).copied().collect();
        let is_eligible =
            |id: &NodeId| !self.isr.contains(id) && self.unclean_shutdown != Some(*id);
        candidates.into_iter().filter(is_eligible).collect()
    }

    fn elect(&mut self, elr: &mut Vec<NodeId>, record: &mut PartitionChangeRecord) {
        let Elected { node, unclean } = self.choose(elr);
        if node == self.partition.leader {
            return;
        }
        record.leader = node.0;
        if elr.contains(&node) {
            self.isr = vec![node];
            elr.retain(|id| *id != node);
        }
        if unclean {
            record.isr = Some(vec![node.0]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering as i8;
            }
        }
    }

    fn choose(&self, elr: &[NodeId]) -> Elected {
        let partition = self.partition;
        let acceptable = |id: NodeId| (self.is_acceptable_leader)(id);
        let is_valid = |id: NodeId| {
            (self.isr.contains(&id) || self.isr.is_empty() && elr.contains(&id)) && acceptable(id)
        };
        let clean = |node| Elected { node, unclean: false };
        if is_valid(partition.leader) {
            return clean(partition.leader);
        }
        let replicas = || partition.replicas.iter().copied();
        if let Some(node) = replicas().find(|id| is_valid(*id)) {
            return clean(node);
        }
        if let [last] = partition.last_known_elr[..] {
            let is_last_hope = self.rules.elr_enabled && elr.is_empty() && self.isr.is_empty();
            if is_last_hope && acceptable(last) {
                return Elected { node: last, unclean: true };
            }
        }
        if self.rules.unclean
            && let Some(node) = replicas().find(|id| acceptable(*id))
        {
            return Elected { node, unclean: true };
        }
        clean(NodeId::NONE)
    }

    fn start_epoch_on_shrink(&self, record: &mut PartitionChangeRecord) {
        if self.rules.metadata_version >= NO_EPOCH_BUMP_ON_SHRINK
            || record.leader != NO_LEADER_CHANGE
        {
            return;
        }
        let shrinks = |isr: &Vec<i32>| self.partition.isr.iter().any(|id| !isr.contains(&id.0));
        if record.isr.as_ref().is_some_and(shrinks) {
            record.leader = self.partition.leader.0;
        }
    }

    /// With eligible leader replicas, a partition without a leader remembers its last one.
    fn remember_last_leader(&self, record: &mut PartitionChangeRecord) {
        if !self.rules.elr_enabled {
            return;
        }
        let last_known = &self.partition.last_known_elr;
        if record.leader == NodeId::NONE.0 && last_known.is_empty() {
            record.last_known_elr = Some(vec![self.partition.leader.0]);
        } else if record.leader >= 0 && !last_known.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }
}

fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

#[cfg(test)]
mod tests;
