//! The records that a consumer group is kept in, made and taken apart.

use super::member::{ConsumerGroupMember, PartitionEpochs};
use super::topic_regex::ResolvedRegex;
use crate::kernel::groups::assignors::Assignment;
use crate::types::ids::{PartitionId, TopicId};
use crate::types::time::Timestamp;
pub use crate::wire::coordinator_records::consumer::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMemberMetadataValue as MemberMetadata,
};
use crate::wire::coordinator_records::consumer::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
    TopicPartition, TopicPartitions,
};
use crate::wire::coordinator_records::groups::GroupRecord;

/// The records of one group, by its id.
#[derive(Clone, Copy)]
pub struct Records<'a>(pub &'a str);

impl Records<'_> {
    fn group_id(self) -> String {
        self.0.to_owned()
    }

    /// What a member says of itself.
    pub fn member(self, member: &ConsumerGroupMember) -> GroupRecord {
        GroupRecord::ConsumerGroupMemberMetadata(
            self.member_key(&member.id),
            Some(member.description()),
        )
    }

    fn member_key(self, member_id: &str) -> ConsumerGroupMemberMetadataKey {
        ConsumerGroupMemberMetadataKey {
            group_id: self.group_id(),
            member_id: member_id.to_owned(),
        }
    }

    /// What a member has.
    pub fn current_assignment(self, member: &ConsumerGroupMember) -> GroupRecord {
        GroupRecord::ConsumerGroupCurrentMemberAssignment(
            self.current_assignment_key(&member.id),
            Some(member.whereabouts()),
        )
    }

    fn current_assignment_key(self, member_id: &str) -> ConsumerGroupCurrentMemberAssignmentKey {
        ConsumerGroupCurrentMemberAssignmentKey {
            group_id: self.group_id(),
            member_id: member_id.to_owned(),
        }
    }

    /// What a member is to have.
    pub fn target_assignment(self, member_id: &str, assignment: &Assignment) -> GroupRecord {
        let topics = assignment.iter().map(|(topic, partitions)| TopicPartition {
            topic_id: topic.0,
            partitions: partitions.iter().map(|partition| partition.0).collect(),
        });
        let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics.collect() };
        GroupRecord::ConsumerGroupTargetAssignmentMember(
            self.target_assignment_key(member_id),
            Some(value),
        )
    }

    fn target_assignment_key(self, member_id: &str) -> ConsumerGroupTargetAssignmentMemberKey {
        ConsumerGroupTargetAssignmentMemberKey {
            group_id: self.group_id(),
            member_id: member_id.to_owned(),
        }
    }

    /// The epoch of the target assignment, and when it was made.
    pub fn target_assignment_epoch(self, epoch: i32, made_at: Timestamp) -> GroupRecord {
        let value = ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch: epoch,
            assignment_timestamp: made_at.0,
        };
        let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: self.group_id() };
        GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, Some(value))
    }

    /// The group's epoch.
    pub fn epoch(self, epoch: i32, metadata_hash: i64) -> GroupRecord {
        let value = ConsumerGroupMetadataValue { epoch, metadata_hash };
        let key = ConsumerGroupMetadataKey { group_id: self.group_id() };
        GroupRecord::ConsumerGroupMetadata(key, Some(value))
    }

    /// What an expression matches.
    pub fn regex(self, regex: &str, resolved: &ResolvedRegex) -> GroupRecord {
        let topics = resolved.topics.iter().map(|name| name.as_str().to_owned());
        let value = ConsumerGroupRegularExpressionValue {
            topics: topics.collect(),
            version: resolved.version,
            timestamp: resolved.timestamp.0,
        };
        GroupRecord::ConsumerGroupRegularExpression(self.regex_key(regex), Some(value))
    }

    fn regex_key(self, regex: &str) -> ConsumerGroupRegularExpressionKey {
        ConsumerGroupRegularExpressionKey {
            group_id: self.group_id(),
            regular_expression: regex.to_owned(),
        }
    }

    /// An expression is gone.
    pub fn no_regex(self, regex: &str) -> GroupRecord {
        GroupRecord::ConsumerGroupRegularExpression(self.regex_key(regex), None)
    }

    /// The record of Kafka 4.0 about the group's topics is gone.
    pub fn no_partition_metadata(self) -> GroupRecord {
        let key = ConsumerGroupPartitionMetadataKey { group_id: self.group_id() };
        GroupRecord::ConsumerGroupPartitionMetadata(key, None)
    }

    /// A member is gone: what it had, what it was to have, the member.
    pub fn no_member(self, member_id: &str) -> [GroupRecord; 3] {
        [
            self.no_current_assignment(member_id),
            self.no_target_assignment(member_id),
            self.no_member_metadata(member_id),
        ]
    }

    /// What a member had is gone.
    pub fn no_current_assignment(self, member_id: &str) -> GroupRecord {
        let key = self.current_assignment_key(member_id);
        GroupRecord::ConsumerGroupCurrentMemberAssignment(key, None)
    }

    /// What a member was to have is gone.
    pub fn no_target_assignment(self, member_id: &str) -> GroupRecord {
        let key = self.target_assignment_key(member_id);
        GroupRecord::ConsumerGroupTargetAssignmentMember(key, None)
    }

    /// What a member said of itself is gone, and the member with it.
    pub fn no_member_metadata(self, member_id: &str) -> GroupRecord {
        GroupRecord::ConsumerGroupMemberMetadata(self.member_key(member_id), None)
    }

    /// The epoch of the target assignment is gone.
    pub fn no_target_assignment_epoch(self) -> GroupRecord {
        let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: self.group_id() };
        GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, None)
    }

    /// The group is gone.
    pub fn no_epoch(self) -> GroupRecord {
        let key = ConsumerGroupMetadataKey { group_id: self.group_id() };
        GroupRecord::ConsumerGroupMetadata(key, None)
    }
}

/// Partitions as a record has them. Records of before Kafka 4.3 have no epochs for them: the member's own is the
/// highest that it can be.
pub(super) fn partitions_of(topics: &[TopicPartitions], member_epoch: i32) -> PartitionEpochs {
    let member_epoch = member_epoch.max(0);
    let topics = topics.iter().map(|topic| {
        let epochs = topic.assignment_epochs.as_deref().unwrap_or_default();
        let epochs = if epochs.len() == topic.partitions.len() { epochs } else { &[] };
        let partitions = topic.partitions.iter().enumerate().map(|(index, &partition)| {
            (PartitionId(partition), epochs.get(index).copied().unwrap_or(member_epoch))
        });
        (TopicId(topic.topic_id), partitions.collect())
    });
    topics.collect()
}

/// Partitions as a record has them.
pub(super) fn topic_partitions(partitions: &PartitionEpochs) -> Vec<TopicPartitions> {
    let topics = partitions.iter().map(|(topic, epochs)| TopicPartitions {
        topic_id: topic.0,
        partitions: epochs.keys().map(|partition| partition.0).collect(),
        assignment_epochs: Some(epochs.values().copied().collect()),
    });
    topics.collect()
}
