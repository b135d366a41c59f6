//! A weakness of Kafka's that is ours, too, and the only way in which a commit may go back: a member that speaks the classic
//! protocol and was expelled from a consumer group joins again under its old id before it hears of it.
//!
//! A classic group answers `UNKNOWN_MEMBER_ID`, so that the member loses what it had. A consumer group takes in whoever it
//! does not know (Kafka 4.3.1, `classicGroupJoinToConsumerGroup`: `getOrMaybeSubscribeDynamicConsumerGroupMember` makes
//! the member, and its epoch is not looked at), and gives it what is free by then. What it says that it owns it goes on
//! reading from where it was, and commits that, though others may have read further meanwhile. So its first commit of
//! such a partition may go back, for as long as it has not heard that it has lost it; nothing else may.

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
    /// A member is about to join. Returns whether it is one that was expelled and says that it owns something.
    pub fn on_join(&mut self, machine: &GroupShard, join: &JoinGroup) -> bool {
        let request = &join.request;
        let id = request.member_id.as_str();
        let Some(Group::Consumer(group)) = machine.groups().get(&request.group_id) else {
            return false;
        };
        let is_known = group.hard().member(id).is_some() || group.hard().members().is_empty();
        if is_known || id.is_empty() || request.group_instance_id.is_some() {
            return false;
        }
        let Some(protocol) = request.protocols.first() else { return false };
        let Ok((_, says)) = ConsumerProtocolSubscription::decode(&protocol.metadata) else {
            return false;
        };
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
