//! Which member a request comes from, and whether it may.

use std::borrow::Cow;
use std::sync::Arc;

use super::member::{ConsumerGroupMember, JOINING_EPOCH, LEAVING_STATIC_EPOCH};
use super::reconcile::OwnedPartitions;
use super::records::Records;
use super::{ConsumerGroup, Context, Refusal};
use crate::kernel::groups::assignors::Assignment;
use crate::types::error_code::ErrorCode;
use crate::wire::coordinator_records::groups::GroupRecord;

/// Who asks.
pub(super) struct Asking<'a> {
    pub(super) member_id: &'a str,
    pub(super) instance_id: Option<&'a str>,
    /// Whether it may be new.
    pub(super) joins: bool,
    pub(super) protocol: Protocol<'a>,
}

/// The protocol that a request is of.
pub(super) enum Protocol<'a> {
    Classic,
    Consumer { epoch: i32, owned: Option<&'a OwnedPartitions> },
}

impl Protocol<'_> {
    const fn is_classic(&self) -> bool {
        matches!(self, Self::Classic)
    }
}

/// Refuses one too many.
pub(super) fn check_size(
    context: Context<'_>,
    group: &ConsumerGroup,
    member_id: &str,
    instance_id: Option<&str>,
) -> Result<(), Refusal> {
    let max = context.settings.max_size;
    let returns = instance_id.is_some_and(|id| group.static_member(id).is_some());
    if returns || group.members().len() < max || group.member(member_id).is_some() {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::GroupMaxSizeReached,
        format!("The consumer group has reached its maximum capacity of {max} members."),
    ))
}

impl Asking<'_> {
    /// The member: one that is there, a new one, or one that takes the place of a static member, which is then written.
    pub(super) fn find<'g>(
        &self,
        context: Context<'_>,
        group: &'g ConsumerGroup,
        records: &mut Vec<GroupRecord>,
    ) -> Result<Cow<'g, ConsumerGroupMember>, Refusal> {
        match self.instance_id {
            None => self.find_dynamic(context, group),
            Some(instance_id) => self.find_static(context, group, instance_id, records),
        }
    }

    fn find_dynamic<'g>(
        &self,
        context: Context<'_>,
        group: &'g ConsumerGroup,
    ) -> Result<Cow<'g, ConsumerGroupMember>, Refusal> {
        let member = match group.member(self.member_id) {
            Some(member) => Cow::Borrowed(member),
            None if self.joins => Cow::Owned(ConsumerGroupMember::new(self.member_id)),
            None => return Err(unknown_member(context, self.member_id)),
        };
        self.check_epoch(&member)?;
        Ok(member)
    }

    fn find_static<'g>(
        &self,
        context: Context<'_>,
        group: &'g ConsumerGroup,
        instance_id: &str,
        records: &mut Vec<GroupRecord>,
    ) -> Result<Cow<'g, ConsumerGroupMember>, Refusal> {
        let existing = group.static_member(instance_id);
        if !self.joins {
            let member = known_static(existing, instance_id)?;
            check_instance(member, self.member_id, instance_id)?;
            self.check_epoch(member)?;
            return Ok(Cow::Borrowed(member));
        }
        let Some(existing) = existing else {
            let member = group.member(self.member_id).map(Cow::Borrowed);
            return Ok(
                member.unwrap_or_else(|| Cow::Owned(ConsumerGroupMember::new(self.member_id)))
            );
        };
        let both_new = !self.protocol.is_classic() && !existing.uses_classic_protocol();
        if both_new && existing.epoch != LEAVING_STATIC_EPOCH {
            return Err(self.unreleased(existing, instance_id));
        }
        let mut member = existing.clone();
        member.id = Arc::from(self.member_id);
        member.epoch = JOINING_EPOCH;
        member.previous_epoch = JOINING_EPOCH;
        replace(context, group, existing, &member, records);
        Ok(Cow::Owned(member))
    }

    fn unreleased(&self, holder: &ConsumerGroupMember, instance_id: &str) -> Refusal {
        let (member, holder) = (self.member_id, &holder.id);
        Refusal::new(
            ErrorCode::UnreleasedInstanceId,
            format!(
                "Static member {member} with instance id {instance_id} cannot join the group \
                 because the instance id is owned by {holder} member."
            ),
        )
    }

    /// A member may be one epoch behind, if the answer that told it of the new one was lost: then it has nothing that it
    /// would not have now.
    fn check_epoch(&self, member: &ConsumerGroupMember) -> Result<(), Refusal> {
        let Protocol::Consumer { epoch, owned } = self.protocol else { return Ok(()) };
        let wrong = if epoch == JOINING_EPOCH || epoch == member.epoch {
            return Ok(());
        } else if epoch > member.epoch {
            "greater"
        } else if epoch == member.previous_epoch && owned.is_some_and(|it| has_all(member, it)) {
            return Ok(());
        } else {
            "smaller"
        };
        Err(Refusal::new(
            ErrorCode::FencedMemberEpoch,
            format!(
                "The consumer group member has a {wrong} member epoch ({epoch}) than the one known \
                 by the group coordinator ({}). \
                 The member must abandon all its partitions and rejoin.",
                member.epoch
            ),
        ))
    }
}

fn has_all(member: &ConsumerGroupMember, owned: &OwnedPartitions) -> bool {
    owned.iter().all(|(topic, partitions)| {
        let assigned = member.assigned.get(topic);
        assigned.is_some_and(|assigned| partitions.iter().all(|it| assigned.contains_key(it)))
    })
}

/// The member with an instance id has another member id: its records go, those of the new one come.
fn replace(
    context: Context<'_>,
    group: &ConsumerGroup,
    old: &ConsumerGroupMember,
    new: &ConsumerGroupMember,
    records: &mut Vec<GroupRecord>,
) {
    let of_group = Records(context.group_id);
    let nothing = Assignment::new();
    let target = group.target(&old.id).unwrap_or(&nothing);
    records.extend(of_group.no_member(&old.id));
    records.push(of_group.member(new));
    records.push(of_group.target_assignment(&new.id, target));
    records.push(of_group.current_assignment(new));
}

pub(super) fn unknown_member(context: Context<'_>, member_id: &str) -> Refusal {
    let group_id = context.group_id;
    Refusal::new(
        ErrorCode::UnknownMemberId,
        format!("Member {member_id} is not a member of group {group_id}."),
    )
}

pub(super) fn known_static<'g>(
    member: Option<&'g ConsumerGroupMember>,
    instance_id: &str,
) -> Result<&'g ConsumerGroupMember, Refusal> {
    let unknown = || {
        Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown."))
    };
    member.ok_or_else(unknown)
}

/// Refuses a member whose instance id has gone to another one.
pub(super) fn check_instance(
    holder: &ConsumerGroupMember,
    member_id: &str,
    instance_id: &str,
) -> Result<(), Refusal> {
    if *holder.id == *member_id {
        return Ok(());
    }
    let holder = &holder.id;
    Err(Refusal::new(
        ErrorCode::FencedInstanceId,
        format!(
            "Static member {member_id} with instance id {instance_id} was fenced by member {holder}."
        ),
    ))
}
