//! The target assignment: what each member is to have once all have come to the group's epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::member::ConsumerGroupMember;
use super::records::Records;
use super::topic_regex::ResolvedRegex;
use super::{ConsumerGroup, Context};
use crate::kernel::groups::assignors::{Assignment, GroupSpec, MemberSpec};
use crate::kernel::metadata::image::Image;
use crate::types::ids::TopicId;
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::groups::GroupRecord;

/// A member's target, and the epoch it is for.
pub(super) struct Target {
    pub(super) epoch: i32,
    /// What was decided just now, if anything was: else what was decided last holds.
    decided: Option<Assignment>,
}

/// What a member is to have of whom that was never said.
static NOTHING: Assignment = Assignment::new();

impl Target {
    /// What the member is to have, by whom this was asked for.
    pub(super) fn assignment<'t>(
        &'t self,
        group: &'t ConsumerGroup,
        member: &ConsumerGroupMember,
    ) -> &'t Assignment {
        self.decided.as_ref().or_else(|| last_assignment(group, member)).unwrap_or(&NOTHING)
    }
}

/// The existing topics that a member is subscribed to.
pub(super) fn subscribed_topics(
    member: &ConsumerGroupMember,
    regexes: &BTreeMap<String, ResolvedRegex>,
    image: &Image,
) -> BTreeSet<TopicId> {
    let resolved = member.regex().and_then(|regex| regexes.get(regex));
    let resolved = resolved.into_iter().flat_map(|resolved| &resolved.topics);
    let names = member.subscribed_topics.iter().chain(resolved);
    names.filter_map(|name| image.topics.named(name.as_str())).map(|topic| topic.id).collect()
}

/// The target of a member which has become `member`: a new one where the group's epoch has risen above the last one's and
/// the last one is old enough, which is then written.
pub(super) fn update(
    context: Context<'_>,
    group: &ConsumerGroup,
    group_epoch: i32,
    member: &ConsumerGroupMember,
    records: &mut Vec<GroupRecord>,
) -> Target {
    let interval_ms = context.settings.assignment_interval_ms;
    if group.assignment_epoch() >= group_epoch || !is_due(group, interval_ms, context.now) {
        return last(group);
    }
    let previous_id = previous_holder(group, member);
    let spec = group_spec(context, group, member, previous_id);
    let preferred = group.preferred_assignor(Some(previous_id.unwrap_or(&member.id)), Some(member));
    let assignor = preferred.unwrap_or_else(|| context.settings.default_assignor());
    let mut targets = assignor.assign(&spec);
    let of_group = Records(context.group_id);
    for id in spec.members.keys() {
        let target = targets.entry(id.clone()).or_default();
        if group.target(id) != Some(target) {
            records.push(of_group.target_assignment(id, target));
        }
    }
    records.push(of_group.target_assignment_epoch(group_epoch, context.now));
    let decided = targets.remove(&*member.id).unwrap_or_default();
    Target { epoch: group_epoch, decided: Some(decided) }
}

/// Assignments of before Kafka 4.3 have no time: they are old enough.
fn is_due(group: &ConsumerGroup, interval_ms: i32, now: Timestamp) -> bool {
    let made_at = group.assignment_timestamp().0;
    made_at == 0 || interval_ms == 0 || now.0 >= made_at.saturating_add(interval_ms.into())
}

/// What was last decided.
pub(super) const fn last(group: &ConsumerGroup) -> Target {
    Target { epoch: group.assignment_epoch(), decided: None }
}

/// The same for a member, for a static one whatever its member id was.
fn last_assignment<'g>(
    group: &'g ConsumerGroup,
    member: &ConsumerGroupMember,
) -> Option<&'g Assignment> {
    match &member.instance_id {
        None => group.target(&member.id),
        Some(id) => group.static_member(id).and_then(|holder| group.target(&holder.id)),
    }
}

/// The member that has this one's instance id, if it is another one.
fn previous_holder<'g>(group: &'g ConsumerGroup, member: &ConsumerGroupMember) -> Option<&'g str> {
    let holder = group.static_member(member.instance_id.as_deref()?)?;
    (holder.id != member.id).then_some(&holder.id)
}

fn group_spec(
    context: Context<'_>,
    group: &ConsumerGroup,
    updated: &ConsumerGroupMember,
    previous_id: Option<&str>,
) -> GroupSpec {
    let mut spec = GroupSpec::default();
    let others = group.members().values().map(Box::as_ref);
    let others = others.filter(|it| it.id != updated.id && Some(&*it.id) != previous_id);
    for member in others.chain([updated]) {
        let assigned_to = if member.id == updated.id { previous_id } else { None };
        let assigned = group.target(assigned_to.unwrap_or(&member.id));
        let member_spec = MemberSpec {
            instance_id: member.instance_id.clone(),
            subscribed: subscribed_topics(member, group.resolved_regexes(), context.image),
            assigned: assigned.cloned().unwrap_or_default(),
        };
        for &topic in &member_spec.subscribed {
            let count = || context.image.topics.of_id(topic).map_or(0, |it| it.partitions.len());
            spec.partitions.entry(topic).or_insert_with(|| count() as i32);
        }
        spec.members.insert(String::from(&*member.id), member_spec);
    }
    spec
}
