//! The range assignor: of each topic, every subscriber gets a run of partitions, and the first ones get one more where it
//! does not divide. Topics with equally many partitions and the same subscribers are co-partitioned.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Assignment, GroupAssignment, GroupSpec, MemberSpec};
use crate::types::ids::{PartitionId, TopicId};

/// What of a topic is still to be given.
struct Remaining {
    partitions: i32,
    quota: i32,
    extra: i32,
    next: i32,
}

impl Remaining {
    fn new(partitions: i32, subscribers: i32) -> Self {
        let subscribers = subscribers.max(1);
        Self {
            partitions,
            quota: partitions / subscribers,
            extra: partitions % subscribers,
            next: 0,
        }
    }

    /// The next subscriber's run.
    fn take(&mut self) -> std::ops::Range<i32> {
        let start = self.next;
        let one_more = i32::from(self.extra > 0);
        self.extra -= one_more;
        self.next = (start + self.quota + one_more).min(self.partitions);
        start..self.next
    }
}

/// What each member is to have.
pub fn assign(group: &GroupSpec) -> GroupAssignment {
    let mut remaining = remaining(group);
    let mut assignments = GroupAssignment::new();
    for (id, member) in in_order(group) {
        let mut assignment = Assignment::new();
        for &topic in &member.subscribed {
            let run = remaining.get_mut(&topic).map_or(0..0, Remaining::take);
            if !run.is_empty() {
                assignment.insert(topic, run.map(PartitionId).collect());
            }
        }
        assignments.insert(id.to_owned(), assignment);
    }
    assignments
}

fn remaining(group: &GroupSpec) -> BTreeMap<TopicId, Remaining> {
    let mut subscribers: BTreeMap<TopicId, i32> = BTreeMap::new();
    for topic in group.members.values().flat_map(|member| &member.subscribed) {
        *subscribers.entry(*topic).or_default() += 1;
    }
    let remaining = subscribers
        .into_iter()
        .map(|(topic, count)| (topic, Remaining::new(group.partition_count(topic), count)));
    remaining.collect()
}

/// Static members come first, in the order of their instance ids: they keep their place when they return with another
/// member id.
fn in_order(group: &GroupSpec) -> Vec<(&str, &MemberSpec)> {
    let mut members: Vec<_> =
        group.members.iter().map(|(id, member)| (id.as_str(), member)).collect();
    members.sort_by(|(id, member), (other_id, other)| {
        match (&member.instance_id, &other.instance_id) {
            (Some(instance), Some(other)) => instance.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => id.cmp(other_id),
        }
    });
    members
}
