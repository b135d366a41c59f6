//! What an administrator is told is what the logs say, or what members were told: of consumer groups and transactions all
//! that their records have, of classic groups the assignments of the generation.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup as ConsumerDescribedGroup, Member,
};
use uuid::Uuid;

use super::transaction_states::{Known, TransactionStates};
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::state::TransactionState;
use crate::kernel::txns::{Answered, TransactionReply};
use crate::sim::asks::Ask;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;
use crate::wire::coordinator_records::consumer::{TopicPartition, TopicPartitions};
use crate::wire::coordinator_records::groups::GroupRecord;

/// A topic and a partition.
type Places = BTreeSet<(Uuid, i32)>;

/// A member of a consumer group, by its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LoggedMember {
    epoch: i32,
    has: Places,
    is_to_have: Places,
}

/// A consumer group, by its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedGroup {
    epoch: i32,
    target_epoch: i32,
    members: BTreeMap<String, LoggedMember>,
}

impl Default for LoggedGroup {
    /// Kafka's groups begin in epoch 1, of which there is no record.
    fn default() -> Self {
        Self { epoch: 1, target_epoch: 1, members: BTreeMap::new() }
    }
}

/// The consumer groups of a partition of `__consumer_offsets`, by their records.
#[derive(Debug, Default)]
pub struct LoggedGroups {
    groups: BTreeMap<String, LoggedGroup>,
}

impl LoggedGroups {
    /// Takes a record of the log.
    pub fn take(&mut self, record: &GroupRecord) {
        match record {
            GroupRecord::ConsumerGroupMetadata(key, None) => {
                self.groups.remove(&key.group_id);
            }
            GroupRecord::ConsumerGroupMetadata(key, Some(value)) => {
                self.groups.entry(key.group_id.clone()).or_default().epoch = value.epoch;
            }
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, Some(value)) => {
                let group = self.groups.entry(key.group_id.clone()).or_default();
                group.target_epoch = value.assignment_epoch;
            }
            GroupRecord::ConsumerGroupMemberMetadata(key, None) => {
                if let Some(group) = self.groups.get_mut(&key.group_id) {
                    group.members.remove(&key.member_id);
                }
            }
            GroupRecord::ConsumerGroupMemberMetadata(key, Some(_)) => {
                let group = self.groups.entry(key.group_id.clone()).or_default();
                group.members.entry(key.member_id.clone()).or_default();
            }
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, Some(value)) => {
                let group = self.groups.entry(key.group_id.clone()).or_default();
                let member = group.members.entry(key.member_id.clone()).or_default();
                member.is_to_have = value.topic_partitions.iter().flat_map(targets).collect();
            }
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, Some(value)) => {
                let group = self.groups.entry(key.group_id.clone()).or_default();
                let member = group.members.entry(key.member_id.clone()).or_default();
                member.epoch = value.member_epoch;
                let has = value.assigned_partitions.iter();
                let has = has.chain(&value.partitions_pending_revocation);
                member.has = has.flat_map(places).collect();
            }
            _ => {}
        }
    }

    /// A group, as it is now.
    pub fn of(&self, group: &str) -> Option<LoggedGroup> {
        self.groups.get(group).cloned()
    }
}

fn places(it: &TopicPartitions) -> impl Iterator<Item = (Uuid, i32)> {
    let topic = it.topic_id;
    it.partitions.iter().map(move |at| (topic, *at))
}

fn targets(it: &TopicPartition) -> impl Iterator<Item = (Uuid, i32)> {
    let topic = it.topic_id;
    it.partitions.iter().map(move |at| (topic, *at))
}

/// What a description of a consumer group is to say, and the topics that there are.
#[derive(Debug)]
pub struct ExpectedGroup {
    group: Option<LoggedGroup>,
    topics: BTreeSet<Uuid>,
}

impl ExpectedGroup {
    /// A group is about to be described.
    pub fn new(mut group: Option<LoggedGroup>, image: &Image) -> Self {
        let topics: BTreeSet<Uuid> = image.topics.by_id.keys().map(|TopicId(id)| *id).collect();
        // Topics that are gone are not described.
        for member in group.iter_mut().flat_map(|group| group.members.values_mut()) {
            member.has.retain(|(topic, _)| topics.contains(topic));
            member.is_to_have.retain(|(topic, _)| topics.contains(topic));
        }
        Self { group, topics }
    }

    /// It is described so.
    pub fn check(
        &self,
        described: &[ConsumerDescribedGroup],
        counters: &mut Counters,
    ) -> Result<(), String> {
        let [found] = described else { return Err("one group is described".to_owned()) };
        let is_there = found.error_code == ErrorCode::None.code();
        let group = is_there.then(|| LoggedGroup {
            epoch: found.group_epoch,
            target_epoch: found.assignment_epoch,
            members: found.members.iter().map(described_member).collect(),
        });
        if group.as_ref().is_some_and(|group| !group.members.is_empty()) {
            counters.hit(Sometimes::ConsumerGroupDescribed);
        }
        if group == self.group {
            return Ok(());
        }
        let (id, expected) = (&found.group_id, &self.group);
        Err(format!("{id:?} is described as {group:?}, not {expected:?} of {:?}", self.topics))
    }
}

fn described_member(member: &Member) -> (String, LoggedMember) {
    let places = |assignment: &Assignment| {
        let topics = assignment.topic_partitions.iter();
        let places = topics.flat_map(|it| it.partitions.iter().map(|at| (it.topic_id, *at)));
        places.collect()
    };
    let (has, is_to_have) = (places(&member.assignment), places(&member.target_assignment));
    (member.member_id.to_string(), LoggedMember { epoch: member.member_epoch, has, is_to_have })
}

/// What is to be told of transactions.
#[derive(Debug)]
pub enum ExpectedTransactions {
    /// Of one.
    One(Option<Known>),
    /// All of them: the id, the producer, the state.
    All(Vec<(String, i64, i8)>),
}

impl ExpectedTransactions {
    /// Someone asks.
    pub fn of(states: &TransactionStates, ask: &Ask) -> Self {
        match ask {
            Ask::DescribeTransaction(id) => Self::One(states.of_id(id).cloned()),
            _ => Self::All(states.all().collect()),
        }
    }

    /// It is told so.
    pub fn check(&self, reply: &TransactionReply, counters: &mut Counters) -> Result<(), String> {
        let is_right = match (self, reply) {
            (Self::One(None), Err(code)) => *code == ErrorCode::TransactionalIdNotFound,
            (Self::One(Some(known)), Ok(Answered::Description(told))) => {
                let partitions: BTreeSet<(String, i32)> =
                    told.partitions.iter().map(|(topic, at)| (topic.to_string(), at)).collect();
                let is_open = told.state == TransactionState::Ongoing;
                if is_open {
                    counters.hit(Sometimes::TransactionDescribed);
                }
                let is_same = (told.state.number(), told.producer_id.0, told.producer_epoch.0)
                    == (known.state, known.producer_id, known.epoch);
                // Where a marker is written, it is not told any more.
                is_same
                    && partitions.is_subset(&known.partitions)
                    && (!is_open || partitions == known.partitions)
            }
            (Self::All(expected), Ok(Answered::Listed(listed))) => {
                let told = listed.iter().map(|it| {
                    (it.transactional_id.to_string(), it.producer_id.0, it.state.number())
                });
                told.eq(expected.iter().cloned())
            }
            _ => false,
        };
        if is_right {
            return Ok(());
        }
        Err(format!("transactions are described as {reply:?}, not {self:?}"))
    }
}
