//! A member of a consumer group: what it said of itself, how far it has come, what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::records::{self, ClassicMemberMetadata, MemberMetadata};
use crate::kernel::groups::assignors::Assignment;
use crate::types::ids::{PartitionId, TopicId, TopicName};
use crate::wire::coordinator_records::consumer::ConsumerGroupCurrentMemberAssignmentValue;

/// The member epoch of one that joins.
pub const JOINING_EPOCH: i32 = 0;
/// The member epoch of one that leaves, and of one that is gone while its other records are still there.
pub const LEAVING_EPOCH: i32 = -1;
/// The member epoch of a static member that leaves and will be back.
pub const LEAVING_STATIC_EPOCH: i32 = -2;

/// Partitions by topic, each with the epoch at which the member got it; no topic without a partition.
pub type PartitionEpochs = BTreeMap<TopicId, BTreeMap<PartitionId, i32>>;

/// Where a member is on its way to the target assignment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it is to have at its epoch.
    #[default]
    Stable,
    /// It must give partitions back first.
    UnrevokedPartitions,
    /// It waits for partitions which others have not given back yet.
    UnreleasedPartitions,
    /// A state that a newer broker wrote: the member must join again.
    Unknown,
}

impl MemberState {
    fn from_number(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }

    const fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupMember {
    /// Its id: one text, which all that names the member shares.
    pub id: Arc<str>,
    /// The epoch it has reached.
    pub epoch: i32,
    /// The epoch before: it comes with that if the answer to its last heartbeat was lost.
    pub previous_epoch: i32,
    /// Where it is on its way.
    pub state: MemberState,
    /// Its own name, if it is a static member.
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The client's address.
    pub client_host: String,
    /// The topics it subscribes to by name.
    pub subscribed_topics: BTreeSet<TopicName>,
    /// The expression it subscribes with; empty, or none in the records of Kafka 4.0, if it does not.
    pub subscribed_regex: Option<String>,
    /// How long it may take to give partitions back.
    pub rebalance_timeout_ms: i32,
    /// The assignor it asks for.
    pub server_assignor: Option<String>,
    /// What it has.
    pub assigned: PartitionEpochs,
    /// What it must give back.
    pub pending_revocation: PartitionEpochs,
    /// What it needs as a member that speaks the classic protocol, if it does.
    pub classic: Option<ClassicMemberMetadata>,
}

impl ConsumerGroupMember {
    /// A member of which nothing is known but its id.
    pub fn new(id: &str) -> Self {
        Self {
            id: Arc::from(id),
            epoch: JOINING_EPOCH,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            subscribed_topics: BTreeSet::new(),
            subscribed_regex: Some(String::new()),
            rebalance_timeout_ms: -1,
            server_assignor: None,
            assigned: PartitionEpochs::new(),
            pending_revocation: PartitionEpochs::new(),
            classic: None,
        }
    }

    /// Whether it speaks the classic protocol.
    pub const fn uses_classic_protocol(&self) -> bool {
        self.classic.is_some()
    }

    /// The expression it subscribes with, if it does.
    pub fn regex(&self) -> Option<&str> {
        self.subscribed_regex.as_deref().filter(|regex| !regex.is_empty())
    }

    /// Whether it has what it is to have at this epoch.
    pub fn is_reconciled_to(&self, assignment_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == assignment_epoch
    }

    /// The epoch at which it got a partition that it has, or that it has still to give back (KIP-1251).
    pub fn assignment_epoch(&self, topic: TopicId, partition: PartitionId) -> Option<i32> {
        let of = |partitions: &PartitionEpochs| partitions.get(&topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.pending_revocation))
    }

    /// Takes what a record says of itself.
    pub fn describe(&mut self, value: MemberMetadata) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.subscribed_topics =
            value.subscribed_topic_names.iter().map(|name| TopicName::new(name)).collect();
        self.subscribed_regex = value.subscribed_topic_regex;
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.server_assignor = value.server_assignor;
        self.classic = value.classic_member_metadata;
    }

    /// Takes what a record says it has.
    pub fn arrive(&mut self, value: &ConsumerGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::from_number(value.state);
        self.assigned = records::partitions_of(&value.assigned_partitions, self.epoch);
        self.pending_revocation =
            records::partitions_of(&value.partitions_pending_revocation, self.epoch);
    }

    /// What a record says of itself.
    pub fn description(&self) -> MemberMetadata {
        let mut value = MemberMetadata::default();
        value.instance_id.clone_from(&self.instance_id);
        value.rack_id.clone_from(&self.rack_id);
        value.client_id.clone_from(&self.client_id);
        value.client_host.clone_from(&self.client_host);
        let names = self.subscribed_topics.iter().map(|name| name.as_str().to_owned());
        value.subscribed_topic_names = names.collect();
        value.subscribed_topic_regex.clone_from(&self.subscribed_regex);
        value.rebalance_timeout_ms = self.rebalance_timeout_ms;
        value.server_assignor.clone_from(&self.server_assignor);
        value.classic_member_metadata.clone_from(&self.classic);
        value
    }

    /// What a record says it has.
    pub fn whereabouts(&self) -> ConsumerGroupCurrentMemberAssignmentValue {
        ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.number(),
            assigned_partitions: records::topic_partitions(&self.assigned),
            partitions_pending_revocation: records::topic_partitions(&self.pending_revocation),
        }
    }

    /// The member with another epoch; the one it had becomes the previous one.
    #[must_use]
    pub(super) fn at_epoch(mut self, epoch: i32) -> Self {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
        self
    }
}

/// All partitions without their epochs.
pub fn without_epochs(partitions: &PartitionEpochs) -> Assignment {
    let topics = partitions.iter();
    topics.map(|(&topic, epochs)| (topic, epochs.keys().copied().collect())).collect()
}

/// All partitions at one epoch.
pub fn at_epoch(assignment: &Assignment, epoch: i32) -> PartitionEpochs {
    let epochs = |partitions: &BTreeSet<PartitionId>| {
        partitions.iter().map(|&partition| (partition, epoch)).collect()
    };
    assignment.iter().map(|(&topic, partitions)| (topic, epochs(partitions))).collect()
}
