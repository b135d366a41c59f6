//! Server-side assignors of consumer groups (KIP-848): which member is to have which partitions.
//!
//! - [`range`]: of each topic a run of partitions to each subscriber, equal topics co-partitioned;
//! - [`uniform`]: equally many partitions to each member, moving as few as that needs.
//!
//! Pure functions of members, subscriptions and the assignment before. Every partition of a subscribed topic gets exactly
//! one owner, and each owner is subscribed to it. Members and topics are taken in the order of their ids, where Kafka
//! takes them as its hash maps have them; the choices are otherwise Kafka's. Racks are not looked at, as in Kafka 4.

mod balancer;
pub mod range;
#[cfg(test)]
mod tests;
mod uneven;
pub mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use crate::types::ids::{PartitionId, TopicId};

/// Partitions by topic; no topic without a partition.
pub type Assignment = BTreeMap<TopicId, BTreeSet<PartitionId>>;

/// What each member is to have, by member id.
pub type GroupAssignment = BTreeMap<String, Assignment>;

/// One member as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSpec {
    /// The instance id of a static member.
    pub instance_id: Option<String>,
    /// The topics it is subscribed to, all of them existing.
    pub subscribed: BTreeSet<TopicId>,
    /// What it was to have so far.
    pub assigned: Assignment,
}

/// A group as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct GroupSpec {
    /// The members by id.
    pub members: BTreeMap<String, MemberSpec>,
    /// How many partitions each subscribed topic has.
    pub partitions: BTreeMap<TopicId, i32>,
}

impl GroupSpec {
    /// The number of partitions of a topic; none of a topic that is not there.
    fn partition_count(&self, topic: TopicId) -> i32 {
        self.partitions.get(&topic).copied().unwrap_or(0)
    }

    /// The topics that everybody is subscribed to; none if members differ in their topics.
    fn topics_of_all(&self) -> Option<&BTreeSet<TopicId>> {
        let mut members = self.members.values();
        let first = &members.next()?.subscribed;
        members.all(|member| member.subscribed == *first).then_some(first)
    }
}

/// An assignor that a group may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// [`uniform`].
    Uniform,
    /// [`range`].
    Range,
}

impl Assignor {
    /// The assignor of this name; none if there is no such one.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Its name in requests and in `group.consumer.assignors`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// What each member is to have.
    pub fn assign(self, group: &GroupSpec) -> GroupAssignment {
        match self {
            Self::Uniform => uniform::assign(group),
            Self::Range => range::assign(group),
        }
    }
}
