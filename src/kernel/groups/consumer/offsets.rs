//! What a consumer group has to say to offsets: who may commit and fetch them.

use super::ConsumerGroup;
use super::member::ConsumerGroupMember;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId};

/// The version of OffsetCommit from which it carries a member epoch.
const FIRST_WITH_MEMBER_EPOCH: i16 = 9;

/// Who commits.
#[derive(Clone, Copy)]
pub struct OffsetCheck<'a> {
    group: &'a ConsumerGroup,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    epoch: i32,
}

/// A member that commits at an epoch which it has left behind: it may for partitions that it has had since then, because
/// nobody else can have had them meanwhile (KIP-1251).
#[derive(Clone, Copy, Debug)]
pub struct LateMember<'a> {
    member: &'a ConsumerGroupMember,
    epoch: i32,
}

impl<'a> OffsetCheck<'a> {
    /// Who commits, as a request has it.
    pub const fn of(
        group: &'a ConsumerGroup,
        member_id: &'a str,
        instance_id: Option<&'a str>,
        epoch: i32,
    ) -> Self {
        Self { group, member_id, instance_id, epoch }
    }

    /// Whether offsets may be committed, by a request of that version of OffsetCommit, or in a transaction. A late member
    /// is still to be asked for each partition.
    pub fn for_commit(self, version: Option<i16>) -> Result<Option<LateMember<'a>>, ErrorCode> {
        if self.epoch < 0 && self.group.members().is_empty() {
            // An administrator, or a consumer that assigns partitions to itself.
            return Ok(None);
        }
        let is_nobody = self.epoch == -1 && self.member_id.is_empty() && self.instance_id.is_none();
        if version.is_none() && is_nobody {
            // Commits of transactions that carry no member, as older ones do (KIP-447).
            return Ok(None);
        }
        let member = self.group.member(self.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        let is_too_old = version.is_some_and(|version| version < FIRST_WITH_MEMBER_EPOCH);
        if is_too_old && !member.uses_classic_protocol() {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if self.epoch > member.epoch {
            return Err(wrong_epoch(member));
        }
        let late = LateMember { member, epoch: self.epoch };
        Ok((self.epoch < member.epoch).then_some(late))
    }
}

impl LateMember<'_> {
    /// Whether it may commit for this partition.
    pub fn check(&self, topic: TopicId, partition: PartitionId) -> Result<(), ErrorCode> {
        match self.member.assignment_epoch(topic, partition) {
            Some(since) if self.epoch >= since => Ok(()),
            _ => Err(wrong_epoch(self.member)),
        }
    }
}

/// Whether offsets may be fetched by whom a request says.
pub fn check_offset_fetch(
    group: &ConsumerGroup,
    member_id: Option<&str>,
    epoch: i32,
) -> Result<(), ErrorCode> {
    if member_id.is_none() && epoch < 0 {
        return Ok(());
    }
    let member = member_id.and_then(|id| group.member(id)).ok_or(ErrorCode::UnknownMemberId)?;
    if member.epoch == epoch { Ok(()) } else { Err(wrong_epoch(member)) }
}

const fn wrong_epoch(member: &ConsumerGroupMember) -> ErrorCode {
    if member.uses_classic_protocol() {
        ErrorCode::IllegalGeneration
    } else {
        ErrorCode::StaleMemberEpoch
    }
}

/// The same in words that TxnOffsetCommit has.
pub const fn without_epochs(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
        other => other,
    }
}
