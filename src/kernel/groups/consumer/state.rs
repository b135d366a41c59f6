//! What the log says of one consumer group. The only way to change it is [`ConsumerGroup::replay`].
//!
//! Replay takes anything, because the log may be a compacted one, or be compacted while it is read (KAFKA-19862): a
//! tombstone of what is not there does nothing, and whoever got a partition last has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::{ConsumerGroupMember, LEAVING_EPOCH, LEAVING_STATIC_EPOCH, PartitionEpochs};
use super::topic_regex::ResolvedRegex;
use crate::kernel::groups::assignors::{Assignment, Assignor};
use crate::types::ids::{PartitionId, TopicId, TopicName};
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::consumer::ConsumerGroupTargetAssignmentMemberValue;
use crate::wire::coordinator_records::groups::GroupRecord;

/// The states of a group, as they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerGroupState {
    /// It has no members.
    Empty,
    /// Its epoch is above that of the target assignment.
    Assigning,
    /// Some members have not reached the target.
    Reconciling,
    /// All have.
    Stable,
}

impl ConsumerGroupState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// Whether a group is still there after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is.
    Kept,
    /// It is not.
    Gone,
}

/// How often something is named; nothing is named zero times.
pub type Counts<K> = BTreeMap<K, u32>;

/// One consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroup {
    epoch: i32,
    metadata_hash: i64,
    assignment_epoch: i32,
    assignment_timestamp: Timestamp,
    /// A node of the map has room for eleven, of which most groups need few: a member lies elsewhere.
    members: BTreeMap<Arc<str>, Box<ConsumerGroupMember>>,
    target: BTreeMap<Arc<str>, Assignment>,
    resolved_regexes: BTreeMap<String, ResolvedRegex>,
    /// Kafka 4.0 wrote the group's topics into a record of their own.
    has_partition_metadata: bool,
    // What follows is made of the members.
    /// The member of each instance id.
    static_members: BTreeMap<String, Arc<str>>,
    /// The member that has a partition, assigned or still to be given back.
    owners: BTreeMap<TopicId, BTreeMap<PartitionId, Arc<str>>>,
    /// How many members subscribe to a topic by its name.
    topic_counts: Counts<TopicName>,
    /// How many members subscribe with an expression.
    regex_counts: Counts<String>,
    classic_members: usize,
    members_bytes: usize,
}

/// What a group takes beside its members.
const GROUP_BYTES: usize = 768;
/// What a member takes beside its texts.
const MEMBER_BYTES: usize = 1024;
/// What a partition takes that a member has and is to have.
const PARTITION_BYTES: usize = 128;
/// What a text in a list takes beside itself.
const ITEM_BYTES: usize = 64;

impl Default for ConsumerGroup {
    fn default() -> Self {
        Self {
            epoch: 1,
            metadata_hash: 0,
            assignment_epoch: 1,
            assignment_timestamp: Timestamp(0),
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            resolved_regexes: BTreeMap::new(),
            has_partition_metadata: false,
            static_members: BTreeMap::new(),
            owners: BTreeMap::new(),
            topic_counts: Counts::new(),
            regex_counts: Counts::new(),
            classic_members: 0,
            members_bytes: 0,
        }
    }
}

impl ConsumerGroup {
    /// Takes a record of this group. Records of other kinds of groups do nothing.
    pub fn replay(&mut self, record: GroupRecord) -> Fate {
        match record {
            GroupRecord::ConsumerGroupMetadata(_, Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            GroupRecord::ConsumerGroupMetadata(_, None) => return Fate::Gone,
            GroupRecord::ConsumerGroupPartitionMetadata(_, value) => {
                self.has_partition_metadata = value.is_some();
            }
            GroupRecord::ConsumerGroupMemberMetadata(key, Some(value)) => {
                self.change_member(&key.member_id, |member| member.describe(value));
            }
            GroupRecord::ConsumerGroupMemberMetadata(key, None) => {
                if let Some(member) = self.members.remove(&*key.member_id) {
                    self.forget(&member);
                }
            }
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, Some(value)) => {
                self.change_member(&key.member_id, |member| member.arrive(&value));
            }
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, None) => {
                if self.members.contains_key(&*key.member_id) {
                    self.change_member(&key.member_id, lose_everything);
                }
            }
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(_, value) => {
                let value = value.map(|it| (it.assignment_epoch, it.assignment_timestamp));
                let (epoch, timestamp) = value.unwrap_or((-1, 0));
                self.assignment_epoch = epoch;
                self.assignment_timestamp = Timestamp(timestamp);
            }
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, Some(value)) => {
                let id = self.shared(key.member_id);
                self.target.insert(id, assignment_of(&value));
            }
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, None) => {
                self.target.remove(&*key.member_id);
            }
            GroupRecord::ConsumerGroupRegularExpression(key, Some(value)) => {
                let resolved = ResolvedRegex {
                    topics: value.topics.iter().map(|name| TopicName::new(name)).collect(),
                    version: value.version,
                    timestamp: Timestamp(value.timestamp),
                };
                self.resolved_regexes.insert(key.regular_expression, resolved);
            }
            GroupRecord::ConsumerGroupRegularExpression(key, None) => {
                self.resolved_regexes.remove(&key.regular_expression);
            }
            GroupRecord::OffsetCommit(..) | GroupRecord::GroupMetadata(..) => {}
        }
        Fate::Kept
    }

    fn change_member(&mut self, id: &str, change: impl FnOnce(&mut ConsumerGroupMember)) {
        let mut member = match self.members.remove(id) {
            Some(member) => {
                self.forget(&member);
                member
            }
            None => Box::new(ConsumerGroupMember::new(id)),
        };
        change(&mut member);
        self.remember(&member);
        self.members.insert(Arc::clone(&member.id), member);
    }

    /// The id as the member has it, if there is one.
    fn shared(&self, id: String) -> Arc<str> {
        let known = self.members.get_key_value(&*id);
        known.map_or_else(|| Arc::from(id), |(known, _)| Arc::clone(known))
    }

    fn remember(&mut self, member: &ConsumerGroupMember) {
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), Arc::clone(&member.id));
        }
        for topic in &member.subscribed_topics {
            increment(&mut self.topic_counts, topic);
        }
        if let Some(regex) = member.regex() {
            increment(&mut self.regex_counts, &regex.to_owned());
        }
        for (topic, partition) in partitions(member) {
            self.owners.entry(topic).or_default().insert(partition, Arc::clone(&member.id));
        }
        self.classic_members += usize::from(member.uses_classic_protocol());
        self.members_bytes += bytes_of(member);
    }

    fn forget(&mut self, member: &ConsumerGroupMember) {
        if let Some(instance_id) = &member.instance_id
            && self.static_members.get(instance_id) == Some(&member.id)
        {
            self.static_members.remove(instance_id);
        }
        for topic in &member.subscribed_topics {
            decrement(&mut self.topic_counts, topic);
        }
        if let Some(regex) = member.regex() {
            decrement(&mut self.regex_counts, regex);
        }
        for (topic, partition) in partitions(member) {
            let Some(owners) = self.owners.get_mut(&topic) else { continue };
            if owners.get(&partition) == Some(&member.id) {
                owners.remove(&partition);
            }
            if owners.is_empty() {
                self.owners.remove(&topic);
            }
        }
        self.classic_members =
            self.classic_members.saturating_sub(usize::from(member.uses_classic_protocol()));
        self.members_bytes = self.members_bytes.saturating_sub(bytes_of(member));
    }
}

impl ConsumerGroup {
    /// Rises with each change of the members, their subscriptions, or their topics.
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The hash of the topics, as they were when the epoch last rose.
    pub const fn metadata_hash(&self) -> i64 {
        self.metadata_hash
    }

    /// The epoch that the target assignment was made for.
    pub const fn assignment_epoch(&self) -> i32 {
        self.assignment_epoch
    }

    /// When the target assignment was made; 0 if that is not known.
    pub const fn assignment_timestamp(&self) -> Timestamp {
        self.assignment_timestamp
    }

    /// The members by id.
    pub const fn members(&self) -> &BTreeMap<Arc<str>, Box<ConsumerGroupMember>> {
        &self.members
    }

    /// A member.
    pub fn member(&self, id: &str) -> Option<&ConsumerGroupMember> {
        self.members.get(id).map(Box::as_ref)
    }

    /// The member of an instance id.
    pub fn static_member(&self, instance_id: &str) -> Option<&ConsumerGroupMember> {
        self.members.get(self.static_members.get(instance_id)?).map(Box::as_ref)
    }

    /// What a member is to have, if that was ever said.
    pub fn target(&self, member_id: &str) -> Option<&Assignment> {
        self.target.get(member_id)
    }

    /// Whether any member has a partition, assigned or still to be given back.
    pub fn is_owned(&self, topic: TopicId, partition: PartitionId) -> bool {
        self.owners.get(&topic).is_some_and(|owners| owners.contains_key(&partition))
    }

    /// What expressions match, by expression.
    pub const fn resolved_regexes(&self) -> &BTreeMap<String, ResolvedRegex> {
        &self.resolved_regexes
    }

    /// How many members subscribe with each expression.
    pub const fn regex_counts(&self) -> &Counts<String> {
        &self.regex_counts
    }

    /// How many members subscribe to each topic by its name.
    pub const fn topic_counts(&self) -> &Counts<TopicName> {
        &self.topic_counts
    }

    /// Whether the record of Kafka 4.0 is still in the log.
    pub const fn has_partition_metadata(&self) -> bool {
        self.has_partition_metadata
    }

    /// How many members speak the classic protocol.
    pub const fn classic_members(&self) -> usize {
        self.classic_members
    }

    /// How many bytes it takes, roughly.
    pub const fn bytes(&self) -> usize {
        GROUP_BYTES + self.members_bytes
    }

    /// Whether a topic is subscribed to, by name or by an expression.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        let mut resolved = self.resolved_regexes.values();
        self.topic_counts.contains_key(topic)
            || resolved.any(|resolved| resolved.topics.contains(topic))
    }

    /// Its state.
    pub fn state(&self) -> ConsumerGroupState {
        let mut members = self.members.values();
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.assignment_epoch {
            ConsumerGroupState::Assigning
        } else if members.all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    /// The assignor that most members ask for, once `old` has become `new`; the first by name where there are several.
    pub fn preferred_assignor(
        &self,
        old: Option<&str>,
        new: Option<&ConsumerGroupMember>,
    ) -> Option<Assignor> {
        let others =
            self.members.values().map(Box::as_ref).filter(|member| Some(&*member.id) != old);
        let mut counts: Counts<&str> = Counts::new();
        for name in others.chain(new).filter_map(|member| member.server_assignor.as_deref()) {
            *counts.entry(name).or_default() += 1;
        }
        let most = counts.iter().max_by(|(name, count), (other, other_count)| {
            count.cmp(other_count).then_with(|| other.cmp(name))
        });
        most.and_then(|(name, _)| Assignor::named(name))
    }
}

fn bytes_of(member: &ConsumerGroupMember) -> usize {
    let topics = member.subscribed_topics.iter().map(|name| name.as_str().len() + ITEM_BYTES);
    let classic = member.classic.iter().flat_map(|classic| &classic.supported_protocols);
    let classic = classic.map(|it| it.name.len() + it.metadata.len() + ITEM_BYTES);
    let partitions = member.assigned.values().chain(member.pending_revocation.values());
    let partitions = partitions.map(|partitions| partitions.len() * PARTITION_BYTES);
    let regex = member.subscribed_regex.as_ref().map_or(0, String::len);
    MEMBER_BYTES
        + 4 * member.id.len()
        + member.client_id.len()
        + regex
        + topics.chain(classic).chain(partitions).sum::<usize>()
}

fn lose_everything(member: &mut ConsumerGroupMember) {
    member.epoch = LEAVING_EPOCH;
    member.previous_epoch = LEAVING_EPOCH;
    member.assigned = PartitionEpochs::new();
    member.pending_revocation = PartitionEpochs::new();
}

/// A static member's departure: it keeps its partitions, and may commit for none of them at an old epoch.
pub(super) fn leave_for_a_while(member: &ConsumerGroupMember) -> ConsumerGroupMember {
    let mut leaving = member.clone();
    leaving.epoch = LEAVING_STATIC_EPOCH;
    leaving.pending_revocation = PartitionEpochs::new();
    for epoch in leaving.assigned.values_mut().flat_map(BTreeMap::values_mut) {
        *epoch = 0;
    }
    leaving
}

/// All partitions that a member has, assigned or still to be given back.
fn partitions(
    member: &ConsumerGroupMember,
) -> impl Iterator<Item = (TopicId, PartitionId)> + use<'_> {
    let all = member.assigned.iter().chain(&member.pending_revocation);
    all.flat_map(|(&topic, partitions)| partitions.keys().map(move |&it| (topic, it)))
}

/// One more.
pub(super) fn increment<K: Ord + Clone>(counts: &mut Counts<K>, key: &K) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.clone(), 1);
        }
    }
}

/// One less.
pub(super) fn decrement<K, Q>(counts: &mut Counts<K>, key: &Q)
where
    K: Ord + std::borrow::Borrow<Q>,
    Q: Ord + ?Sized,
{
    match counts.get_mut(key) {
        Some(1) => {
            counts.remove(key);
        }
        Some(count) => *count -= 1,
        None => {}
    }
}

fn assignment_of(value: &ConsumerGroupTargetAssignmentMemberValue) -> Assignment {
    let topics = value.topic_partitions.iter().map(|topic| {
        let partitions: BTreeSet<PartitionId> =
            topic.partitions.iter().copied().map(PartitionId).collect();
        (TopicId(topic.topic_id), partitions)
    });
    topics.collect()
}
