//! Members that leave, or are thrown out because a timer ended.

use std::collections::BTreeSet;

use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::member::{ConsumerGroupMember, LEAVING_STATIC_EPOCH};
use super::records::Records;
use super::state::{Counts, decrement, increment, leave_for_a_while};
use super::subscription::hash_of;
use super::{
    ConsumerGroup, Context, Rebalances, Refusal, Step, Timer, TimerChange, TimerTo, membership,
    migration,
};
use crate::wire::coordinator_records::groups::GroupRecord;

/// All timers that a member may have.
const ALL: [Timer; 4] = [Timer::Session, Timer::Rebalance, Timer::Join, Timer::Sync];

/// What a heartbeat with the epoch −1 or −2 does.
pub(super) fn leave(
    context: Context<'_>,
    group: &ConsumerGroup,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<Step<ConsumerGroupHeartbeatResponse>, Refusal> {
    let member_id = request.member_id.as_str();
    let answer = ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(StrBytes::from_string(member_id.to_owned())))
        .with_member_epoch(request.member_epoch);
    let member = match request.instance_id.as_deref() {
        None => {
            let member = group.member(member_id);
            member.ok_or_else(|| membership::unknown_member(context, member_id))?
        }
        Some(instance_id) => {
            let member = membership::known_static(group.static_member(instance_id), instance_id)?;
            membership::check_instance(member, member_id, instance_id)?;
            if request.member_epoch == LEAVING_STATIC_EPOCH {
                let mut step = Step::reply(answer);
                let leaving = leave_for_a_while(member);
                step.records.push(Records(context.group_id).current_assignment(&leaving));
                return Ok(step);
            }
            member
        }
    };
    Ok(remove(context, group, &[member], answer))
}

/// What happens when members go for good: what is left may be a classic group, or has a higher epoch.
pub fn remove<T>(
    context: Context<'_>,
    group: &ConsumerGroup,
    leaving: &[&ConsumerGroupMember],
    reply: T,
) -> Step<T> {
    let mut step = Step::reply(reply);
    if leaving.is_empty() {
        return step;
    }
    if let Some(records) = migration::downgrade_without(context, group, leaving) {
        step.records = records;
        step.becomes_classic = Some(Rebalances(true));
        return step;
    }
    let of_group = Records(context.group_id);
    for member in leaving {
        step.records.extend(of_group.no_member(&member.id));
    }
    let regexes = regexes_of_none(group, leaving);
    step.records.extend(regexes.iter().map(|regex| of_group.no_regex(regex)));
    let mut named = group.topic_counts().clone();
    for topic in leaving.iter().flat_map(|member| &member.subscribed_topics) {
        decrement(&mut named, topic);
    }
    let hash = hash_of(context, group, &named, &regexes);
    step.records.push(of_group.epoch(group.epoch().saturating_add(1), hash));
    for member in leaving {
        let stop = |timer| TimerChange::new(&member.id, timer, TimerTo::Stop);
        step.soft.timers.extend(ALL.map(stop));
    }
    step
}

/// The expressions that nobody subscribes with once these are gone.
fn regexes_of_none<'a>(
    group: &ConsumerGroup,
    leaving: &[&'a ConsumerGroupMember],
) -> BTreeSet<&'a str> {
    let mut counts: Counts<&str> = Counts::new();
    for regex in leaving.iter().filter_map(|member| member.regex()) {
        increment(&mut counts, &regex);
    }
    let gone =
        counts.iter().filter(|(regex, count)| group.regex_counts().get(**regex) == Some(count));
    gone.map(|(regex, _)| *regex).collect()
}

/// The records after which nothing is left of a group. `replaced` is a member that has another id by now.
pub fn tombstones(
    group_id: &str,
    group: &ConsumerGroup,
    replaced: Option<(&str, &str)>,
) -> Vec<GroupRecord> {
    let of_group = Records(group_id);
    let ids = || {
        group.members().keys().map(|id| match replaced {
            Some((old, new)) if **id == *old => new,
            _ => &**id,
        })
    };
    let mut records: Vec<GroupRecord> =
        ids().map(|id| of_group.no_current_assignment(id)).collect();
    records.extend(ids().map(|id| of_group.no_target_assignment(id)));
    records.push(of_group.no_target_assignment_epoch());
    records.extend(ids().map(|id| of_group.no_member_metadata(id)));
    let regexes = group.resolved_regexes().keys();
    records.extend(regexes.map(|regex| of_group.no_regex(regex)));
    records.push(of_group.no_partition_metadata());
    records.push(of_group.no_epoch());
    records
}
