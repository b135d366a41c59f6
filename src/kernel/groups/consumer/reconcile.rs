//! How a member goes from what it has to what it is to have (KIP-848).
//!
//! It first gives back what it is not to have any more and what it has at its old epoch stays; then it comes to the epoch
//! of the target and gets what nobody else has; and it waits for the rest. So a partition has one owner at any time: it is
//! given to a member only once no other has it, be it assigned or on its way back.

use std::collections::BTreeSet;

use super::member::{ConsumerGroupMember, MemberState, PartitionEpochs};
use crate::kernel::groups::assignors::Assignment;
use crate::types::ids::{PartitionId, TopicId};

/// What a heartbeat says the member has.
pub type OwnedPartitions = [(TopicId, Vec<PartitionId>)];

/// Everything that a step depends on.
pub struct Reconciliation<'a, F> {
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// What the member is to have.
    pub target: &'a Assignment,
    /// The existing topics that the member is subscribed to.
    pub subscribed: &'a BTreeSet<TopicId>,
    /// Whether its subscription is another one than before.
    pub subscription_changed: bool,
    /// What the member says it has, if it says so.
    pub owned: Option<&'a OwnedPartitions>,
    /// Whether any member has a partition.
    pub is_owned: F,
}

/// A member whose state is not known must come with nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The consumer group member is in a unknown state. \
     The member must abandon all its partitions and rejoin."
)]
pub struct UnknownState;

impl<F: Fn(TopicId, PartitionId) -> bool> Reconciliation<'_, F> {
    /// The member's next step; none if it stays as it is.
    pub fn next(
        &self,
        member: &ConsumerGroupMember,
    ) -> Result<Option<ConsumerGroupMember>, UnknownState> {
        let next = match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => {
                self.compute_next(member, member.epoch)
            }
            MemberState::Stable if self.subscription_changed => self.drop_unsubscribed(member),
            MemberState::Stable => return Ok(None),
            MemberState::UnrevokedPartitions if self.owns_any(&member.pending_revocation) => {
                if !self.subscription_changed {
                    return Ok(None);
                }
                self.drop_unsubscribed(member)
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                self.compute_next(member, member.epoch)
            }
            MemberState::Unknown => {
                if self.owned.is_none_or(|owned| !owned.is_empty()) {
                    return Err(UnknownState);
                }
                self.compute_next(member, self.target_epoch)
            }
        };
        Ok((next != *member).then_some(next))
    }

    /// Whether the member may still have some of these. One that does not say what it has may.
    fn owns_any(&self, partitions: &PartitionEpochs) -> bool {
        self.owned.is_none_or(|owned| {
            owned.iter().any(|(topic, owned)| {
                let partitions = partitions.get(topic);
                partitions.is_some_and(|these| owned.iter().any(|it| these.contains_key(it)))
            })
        })
    }

    /// Takes away the topics that the member is not subscribed to any more, before a new target says so.
    fn drop_unsubscribed(&self, member: &ConsumerGroupMember) -> ConsumerGroupMember {
        let mut next = member.clone();
        for (topic, partitions) in &member.assigned {
            if !self.subscribed.contains(topic) {
                next.assigned.remove(topic);
                next.pending_revocation.entry(*topic).or_default().extend(partitions);
            }
        }
        if next.assigned == member.assigned {
            return next;
        }
        if self.owns_any(&next.pending_revocation) {
            next.state = MemberState::UnrevokedPartitions;
        } else {
            next.pending_revocation.clone_from(&member.pending_revocation);
        }
        next.at_epoch(member.epoch)
    }

    fn compute_next(&self, member: &ConsumerGroupMember, epoch: i32) -> ConsumerGroupMember {
        let Split { mut kept, revoked, free, unreleased } = self.split(member);
        let mut next = member.clone();
        if !revoked.is_empty() && self.owns_any(&revoked) {
            next.state = MemberState::UnrevokedPartitions;
            next.assigned = kept;
            next.pending_revocation = revoked;
            return next.at_epoch(epoch);
        }
        for (topic, partition) in free {
            kept.entry(topic).or_default().insert(partition, self.target_epoch);
        }
        next.state =
            if unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.assigned = kept;
        next.pending_revocation = PartitionEpochs::new();
        next.at_epoch(self.target_epoch)
    }

    fn split(&self, member: &ConsumerGroupMember) -> Split {
        let mut split = Split::default();
        let topics: BTreeSet<TopicId> =
            self.target.keys().chain(member.assigned.keys()).copied().collect();
        let nothing = BTreeSet::new();
        for topic in topics {
            let subscribed = self.subscribed.contains(&topic);
            let target = self.target.get(&topic).filter(|_| subscribed).unwrap_or(&nothing);
            let assigned = member.assigned.get(&topic);
            for (&partition, &epoch) in assigned.into_iter().flatten() {
                let to =
                    if target.contains(&partition) { &mut split.kept } else { &mut split.revoked };
                to.entry(topic).or_default().insert(partition, epoch);
            }
            for &partition in target {
                if assigned.is_some_and(|assigned| assigned.contains_key(&partition)) {
                    continue;
                }
                let own = member.pending_revocation.get(&topic);
                let own = own.is_some_and(|own| own.contains_key(&partition));
                if own || !(self.is_owned)(topic, partition) {
                    split.free.push((topic, partition));
                } else {
                    split.unreleased = true;
                }
            }
        }
        split
    }
}

/// What a member has and is to have, taken apart.
#[derive(Default)]
struct Split {
    kept: PartitionEpochs,
    revoked: PartitionEpochs,
    /// To be given at once.
    free: Vec<(TopicId, PartitionId)>,
    /// Whether others still have some.
    unreleased: bool,
}
