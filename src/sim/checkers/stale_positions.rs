//! Two weaknesses of Kafka's that are ours, too, and the only ways in which a commit may go back: a member that speaks the
//! classic protocol has lost partitions and does not hear of it before it is given them again, so that it goes on from where
//! it was, and commits that, though others may have read further meanwhile.
//!
//! It was expelled from a consumer group, and joins again under its old id.
//! A classic group answers `UNKNOWN_MEMBER_ID`, so that the member loses what it had. A consumer group takes in whoever it
//! does not know (Kafka 4.3.1, `classicGroupJoinToConsumerGroup`: `getOrMaybeSubscribeDynamicConsumerGroupMember` makes
//! the member, and its epoch is not looked at), and gives it what is free by then.
//!
//! Or it is static, and missed a generation of a classic group, which keeps static members until their sessions end
//! (KIP-345). Who assigns sees by the generation what is out of date (KIP-792), but may give it to the same member, whose
//! client asks for a position only where it had none.
//!
//! So its first commit of such a partition may go back, for as long as it has not heard that it has lost it; nothing
//! else may.

use std::collections::{BTreeMap, BTreeSet};

use super::offsets::Key;
use crate::kernel::groups::requests::JoinGroup;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::sim::topics::{self, Place};
use crate::wire::coordinator_records::consumer_protocol::ConsumerProtocolSubscription;

/// See the module.
#[derive(Debug, Default)]
pub struct StalePositions {
    /// Members that go on from where they were, with the group of each.
    members: BTreeMap<Key, BTreeSet<String>>,
    /// The member whose commit is being decided.
    commits: Option<String>,
}

impl StalePositions {
    /// A member is about to join. Returns whether it has not heard what it has lost.
    pub fn on_join(&mut self, machine: &GroupShard, join: &JoinGroup) -> bool {
        let request = &join.request;
        let (id, instance) = (request.member_id.as_str(), request.group_instance_id.as_deref());
        let Some(protocol) = request.protocols.first() else { return false };
        let Ok((_, says)) = ConsumerProtocolSubscription::decode(&protocol.metadata) else {
            return false;
        };
        let is_behind = match machine.groups().get(&request.group_id) {
            Some(Group::Consumer(group)) => {
                let members = group.hard().members();
                let is_known = group.hard().member(id).is_some() || members.is_empty();
                !is_known && !id.is_empty() && instance.is_none()
            }
            Some(Group::Classic(group)) => {
                instance.is_some()
                    && group.check_member(id, instance).is_ok()
                    && says.generation_id < group.generation()
            }
            None => false,
        };
        if !is_behind {
            return false;
        }
        let owned = says.owned_partitions.into_iter().flat_map(|topic| {
            let name = topic.topic;
            topic.partitions.into_iter().map(move |at| (name.clone(), at))
        });
        let mut owns_any = false;
        for (topic, at) in owned {
            let key = (request.group_id.to_string(), topic, at);
            self.members.entry(key).or_default().insert(id.to_owned());
            owns_any = true;
        }
        owns_any
    }

    /// A member's commit is about to be decided; none once it was.
    pub fn note_commit(&mut self, member_id: Option<&str>) {
        self.commits = member_id.map(str::to_owned);
    }

    /// What was committed comes to be in the log: whether it may go back.
    pub fn may_go_back(&mut self, key: &Key) -> bool {
        let Some(member) = &self.commits else { return false };
        self.members.get_mut(key).is_some_and(|stale| stale.remove(member))
    }

    /// A client that has lost such a partition asks where to begin when it gets it again.
    pub fn keep(&mut self, has: impl Fn(&str, Place) -> bool) {
        self.members.retain(|(_, topic, at), members| {
            let topic = topics::place_of(topic);
            members.retain(|id| topic.is_some_and(|topic| has(id, (topic, *at))));
            !members.is_empty()
        });
    }
}
