//! The uniform assignor: all members get equally many partitions, or one more, and keep what they had as far as that
//! allows. Members with different subscriptions are [`super::uneven`]'s.

use std::collections::BTreeSet;

use super::{Assignment, GroupAssignment, GroupSpec, uneven};
use crate::types::ids::{PartitionId, TopicId};

/// What each member is to have.
pub fn assign(group: &GroupSpec) -> GroupAssignment {
    match group.topics_of_all() {
        Some(topics) => Even::new(group, topics).build(),
        None => uneven::assign(group),
    }
}

/// All members are subscribed to the same topics.
struct Even<'a> {
    group: &'a GroupSpec,
    topics: &'a BTreeSet<TopicId>,
    /// Partitions without an owner, in the order in which they are given away.
    unassigned: Vec<(TopicId, PartitionId)>,
    /// Members that may get more, and how many.
    unfilled: Vec<(&'a str, usize)>,
    target: GroupAssignment,
    quota: usize,
    /// How many members may still have one more than the quota.
    extra: usize,
}

impl<'a> Even<'a> {
    fn new(group: &'a GroupSpec, topics: &'a BTreeSet<TopicId>) -> Self {
        let all: usize = topics.iter().map(|&topic| group.partition_count(topic) as usize).sum();
        let members = group.members.len().max(1);
        Self {
            group,
            topics,
            unassigned: Vec::new(),
            unfilled: Vec::new(),
            target: GroupAssignment::new(),
            quota: all / members,
            extra: all % members,
        }
    }

    fn build(mut self) -> GroupAssignment {
        self.find_unassigned();
        self.keep();
        self.give();
        self.target
    }

    fn find_unassigned(&mut self) {
        let members = self.group.members.values();
        let assigned: BTreeSet<(TopicId, PartitionId)> =
            members.flat_map(|member| pairs(&member.assigned)).collect();
        for &topic in self.topics {
            let partitions = (0..self.group.partition_count(topic)).map(PartitionId);
            let free = partitions.filter(|&partition| !assigned.contains(&(topic, partition)));
            self.unassigned.extend(free.map(|partition| (topic, partition)));
        }
    }

    /// Each member keeps what it had, up to its quota; what is over it is taken away.
    fn keep(&mut self) {
        let mut kept: BTreeSet<(TopicId, PartitionId)> = BTreeSet::new();
        let count = self.group.members.len();
        for (index, (id, member)) in self.group.members.iter().enumerate() {
            let mut with_extra = self.extra > 0;
            let mut quota = self.quota + usize::from(with_extra);
            let mut target = Assignment::new();
            for (topic, partition) in pairs(&member.assigned) {
                let exists =
                    self.topics.contains(&topic) && partition.0 < self.group.partition_count(topic);
                // Whoever comes first has it, should two have been promised it.
                if !exists || !kept.insert((topic, partition)) {
                    continue;
                }
                if quota > 0 {
                    quota -= 1;
                    target.entry(topic).or_default().insert(partition);
                } else {
                    self.unassigned.push((topic, partition));
                }
            }
            // The extra one waits for a member that already has it, as long as there are enough members to come.
            if quota > 0 && with_extra && count - index > self.extra {
                quota -= 1;
                with_extra = false;
            }
            if quota > 0 {
                self.unfilled.push((id, quota));
            }
            self.extra -= usize::from(with_extra);
            self.target.insert(id.clone(), target);
        }
    }

    fn give(&mut self) {
        let mut unassigned = self.unassigned.drain(..);
        for &(id, quota) in &self.unfilled {
            let target = self.target.entry(id.to_owned()).or_default();
            for (topic, partition) in unassigned.by_ref().take(quota) {
                target.entry(topic).or_default().insert(partition);
            }
        }
    }
}

/// The partitions of an assignment one by one.
pub(super) fn pairs(assignment: &Assignment) -> impl Iterator<Item = (TopicId, PartitionId)> + '_ {
    assignment.iter().flat_map(|(&topic, partitions)| {
        partitions.iter().map(move |&partition| (topic, partition))
    })
}
