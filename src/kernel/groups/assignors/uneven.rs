//! The uniform assignor where members differ in their topics: first everybody keeps what they had, then free partitions
//! go to those with the fewest, then partitions move within each topic until that makes nothing better.

use std::collections::{BTreeMap, BTreeSet};

use super::balancer::{Balancer, Load};
use super::uniform::pairs;
use super::{Assignment, GroupAssignment, GroupSpec};
use crate::types::ids::{PartitionId, TopicId};

/// How often all topics are gone through; each time costs as much as an assignment.
const ROUNDS_MAX: usize = 16;

/// What each member is to have.
pub(super) fn assign(group: &GroupSpec) -> GroupAssignment {
    let mut uneven = Uneven::new(group);
    uneven.keep();
    uneven.give();
    uneven.balance();
    uneven.target()
}

struct Topic {
    id: TopicId,
    /// The members subscribed to it, by index.
    subscribers: Vec<usize>,
    /// The owner of each partition.
    owners: Vec<Option<usize>>,
}

struct Uneven<'a> {
    group: &'a GroupSpec,
    /// The topics that have the most partitions for each subscriber come first.
    topics: Vec<Topic>,
    /// How many partitions each member has.
    loads: Vec<Load>,
    balancer: Balancer,
}

impl<'a> Uneven<'a> {
    fn new(group: &'a GroupSpec) -> Self {
        let mut subscribers: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
        for (index, member) in group.members.values().enumerate() {
            for &topic in &member.subscribed {
                subscribers.entry(topic).or_default().push(index);
            }
        }
        let topics = subscribers.into_iter().map(|(id, subscribers)| {
            let owners = vec![None; group.partition_count(id) as usize];
            Topic { id, subscribers, owners }
        });
        let mut topics: Vec<Topic> = topics.collect();
        topics.sort_by(|topic, other| {
            // Partitions for each subscriber, the most first: the quotients compared without dividing.
            let share = |a: &Topic, b: &Topic| a.owners.len() * b.subscribers.len();
            share(other, topic)
                .cmp(&share(topic, other))
                .then_with(|| topic.subscribers.len().cmp(&other.subscribers.len()))
                .then_with(|| java_order(topic.id).cmp(&java_order(other.id)))
        });
        let loads = vec![0; group.members.len()];
        Self { group, topics, loads, balancer: Balancer::default() }
    }

    fn keep(&mut self) {
        let members: Vec<BTreeSet<(TopicId, PartitionId)>> =
            self.group.members.values().map(|member| pairs(&member.assigned).collect()).collect();
        for topic in &mut self.topics {
            for &member in &topic.subscribers {
                let all = (topic.id, PartitionId(0))..=(topic.id, PartitionId(i32::MAX));
                let had = members.get(member).into_iter().flat_map(|had| had.range(all.clone()));
                for &(_, partition) in had {
                    let owner = topic.owners.get_mut(partition.0 as usize);
                    if let Some(owner @ None) = owner {
                        *owner = Some(member);
                        add(&mut self.loads, member, 1);
                    }
                }
            }
        }
    }

    fn give(&mut self) {
        for topic in &mut self.topics {
            if topic.owners.iter().all(Option::is_some) {
                continue;
            }
            self.balancer.begin(&topic.subscribers, &self.loads);
            for owner in topic.owners.iter_mut().filter(|owner| owner.is_none()) {
                let Some(member) = self.balancer.next_lowest(&self.loads) else { break };
                *owner = Some(member);
                add(&mut self.loads, member, 1);
            }
        }
    }

    /// Goes through the topics again and again until none of them changed since it was last looked at.
    fn balance(&mut self) {
        let shared = self.topics.iter().enumerate();
        let shared = shared.filter(|(_, topic)| topic.subscribers.len() >= 2);
        let shared: Vec<usize> = shared.map(|(index, _)| index).collect();
        let mut last_changed = None;
        for _ in 0..ROUNDS_MAX {
            for &index in &shared {
                if last_changed == Some(index) {
                    return;
                }
                let moved = self.balance_topic(index);
                if moved || last_changed.is_none() {
                    last_changed = Some(index);
                }
            }
        }
    }

    /// Moves partitions of one topic from its subscribers with the most to those with the fewest; whether one moved.
    fn balance_topic(&mut self, index: usize) -> bool {
        let Some(topic) = self.topics.get_mut(index) else { return false };
        if self.balancer.begin(&topic.subscribers, &self.loads) <= 1 {
            return false;
        }
        // What each owner can give, the last partition first.
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in topic.owners.iter().enumerate() {
            owned.entry(owner.unwrap_or(usize::MAX)).or_default().push(partition);
        }
        let mut moved = false;
        while !self.balancer.is_balanced() {
            let Some((from, partition)) = next_to_give(&mut self.balancer, &self.loads, &mut owned)
            else {
                break;
            };
            let Some(to) = self.balancer.next_lowest(&self.loads) else { break };
            if self.balancer.is_balanced() {
                break;
            }
            if let Some(owner) = topic.owners.get_mut(partition) {
                *owner = Some(to);
            }
            add(&mut self.loads, from, -1);
            add(&mut self.loads, to, 1);
            moved = true;
        }
        moved
    }

    fn target(self) -> GroupAssignment {
        let ids: Vec<&String> = self.group.members.keys().collect();
        let mut target: GroupAssignment =
            ids.iter().map(|id| ((*id).clone(), Assignment::new())).collect();
        for topic in &self.topics {
            for (partition, owner) in topic.owners.iter().enumerate() {
                let id = owner.and_then(|owner| ids.get(owner));
                if let Some(assignment) = id.and_then(|id| target.get_mut(*id)) {
                    assignment.entry(topic.id).or_default().insert(PartitionId(partition as i32));
                }
            }
        }
        target
    }
}

/// The subscriber with the most partitions that has one of this topic, and that partition.
fn next_to_give(
    balancer: &mut Balancer,
    loads: &[Load],
    owned: &mut BTreeMap<usize, Vec<usize>>,
) -> Option<(usize, usize)> {
    loop {
        let member = balancer.next_highest(loads)?;
        match owned.get_mut(&member).and_then(Vec::pop) {
            Some(partition) => return Some((member, partition)),
            None => balancer.exclude_highest(),
        }
    }
}

fn add(loads: &mut [Load], member: usize, by: Load) {
    if let Some(load) = loads.get_mut(member) {
        *load += by;
    }
}

/// Java compares the halves of a UUID as signed numbers.
fn java_order(id: TopicId) -> (i64, i64) {
    let (high, low) = id.0.as_u64_pair();
    (high as i64, low as i64)
}
