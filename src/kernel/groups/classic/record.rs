//! Groups in the log: what is written of one, and what becomes of it when it is read.

use std::collections::BTreeSet;

use kafka_protocol::protocol::StrBytes;

use super::group::{ClassicGroup, State};
use super::member::{Member, Protocols};
use super::step::{Step, join_error};
use super::subscription::subscribed_topics;
use crate::kernel::groups::requests::{GroupOutput, GroupReply};
use crate::kernel::groups::table::{Group, Groups};
use crate::kernel::machine::Env;
use crate::types::error_code::ErrorCode;
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::classic::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata,
};
use crate::wire::coordinator_records::groups::GroupRecord;

/// A group as it is now.
pub(super) fn of(group: &ClassicGroup) -> GroupRecord {
    let protocol = group.protocol_name.as_deref().unwrap_or_default();
    let member = |member: &Member| MemberMetadata {
        member_id: member.id.to_string(),
        group_instance_id: member.instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.metadata(protocol),
        assignment: member.assignment.clone(),
    };
    let value = GroupMetadataValue {
        protocol_type: group.protocol_type.as_deref().unwrap_or_default().to_owned(),
        generation: group.generation,
        protocol: group.protocol_name.as_deref().map(str::to_owned),
        leader: group.leader.as_deref().map(str::to_owned),
        current_state_timestamp: group.since.unwrap_or(Timestamp::NONE).0,
        members: group.members.values().map(|it| member(it)).collect(),
    };
    GroupRecord::GroupMetadata(GroupMetadataKey { group: group.id.to_string() }, Some(value))
}

/// The end of a group.
pub fn tombstone(group_id: &str) -> GroupRecord {
    GroupRecord::GroupMetadata(GroupMetadataKey { group: group_id.to_owned() }, None)
}

/// Takes a group that is in the log. While the log is loaded the group is what the record says. After that the record is
/// our own, and the group is ahead of it but for one thing: what the leader assigned counts from now on.
pub fn replay(
    groups: &mut Groups,
    is_loaded: bool,
    key: &GroupMetadataKey,
    value: Option<GroupMetadataValue>,
) {
    let Some(value) = value else {
        groups.remove(&key.group);
        return;
    };
    let is_known = is_loaded
        && groups
            .update_classic(&key.group, |group| {
                group.is_written = true;
                if group.state == State::CompletingRebalance && group.generation == value.generation
                {
                    group.state = State::Stable;
                }
            })
            .is_some();
    if !is_known {
        groups.insert(Group::Classic(Box::new(loaded(&key.group, value))));
    }
}

fn loaded(id: &str, value: GroupMetadataValue) -> ClassicGroup {
    let since = Timestamp(value.current_state_timestamp);
    let mut group = ClassicGroup::new(id, since);
    group.since = (since != Timestamp::NONE).then_some(since);
    group.generation = value.generation;
    group.is_written = true;
    let protocol_type = StrBytes::from_string(value.protocol_type);
    group.protocol_type = (!protocol_type.is_empty()).then(|| protocol_type.clone());
    group.protocol_name = value.protocol.map(StrBytes::from_string);
    group.leader = value.leader.map(StrBytes::from_string);
    let protocol = group.protocol_name.clone().unwrap_or_default();
    if !value.members.is_empty() {
        group.state = State::Stable;
    }
    for member in value.members {
        group.add(loaded_member(member, &protocol), &protocol_type);
    }
    if let Some(leader) = &group.leader
        && group.member(leader).is_none()
    {
        group.leader = group.members.keys().next().cloned();
    }
    group.subscribed = subscribed_topics(&group);
    group
}

fn loaded_member(member: MemberMetadata, protocol: &StrBytes) -> Member {
    // Brokers before 0.10.1 knew no rebalance timeout.
    let rebalance_timeout_ms = match member.rebalance_timeout {
        -1 => member.session_timeout,
        timeout_ms => timeout_ms,
    };
    Member {
        id: StrBytes::from_string(member.member_id),
        instance_id: member.group_instance_id.map(StrBytes::from_string),
        client_id: StrBytes::from_string(member.client_id),
        client_host: StrBytes::from_string(member.client_host),
        rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout,
        protocols: Protocols::one(protocol.clone(), member.subscription),
        assignment: member.assignment,
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
        is_sync_pending: false,
        session_end: None,
    }
}

/// What was decided for some groups could not be written, for it is too large or too few replicas are there. The calls
/// that were replied to for it were told so.
pub fn refused<'a>(
    groups: &mut Groups,
    env: &mut Env<'_>,
    output: &mut GroupOutput,
    code: ErrorCode,
    records: impl Iterator<Item = &'a GroupRecord>,
) {
    let of_groups = records.filter_map(|record| match record {
        GroupRecord::GroupMetadata(key, Some(_)) => Some(key.group.as_str()),
        _ => None,
    });
    for id in of_groups.collect::<BTreeSet<_>>() {
        if groups.classic(id).is_some_and(|it| !it.is_written) {
            unmake(groups, output, code, id);
            continue;
        }
        groups.update_classic(id, |group| {
            if matches!(group.state, State::CompletingRebalance | State::Stable) {
                Step { group, env, output: &mut *output }
                    .prepare_rebalance("what the leader assigned could not be written");
            }
        });
    }
}

/// A new group of which nothing could be written was never made, as in Kafka, which reverts its tables to before: whoever
/// was given an id for it joins anew, and so does a member that was let in at once and waits for others.
fn unmake(groups: &mut Groups, output: &mut GroupOutput, code: ErrorCode, id: &str) {
    let Some(Group::Classic(group)) = groups.remove(id) else { return };
    for call in group.members.values().filter_map(|member| member.awaiting_join) {
        let response = join_error(StrBytes::new(), code);
        output.replies.push((call, GroupReply::JoinGroup(Box::new(response))));
    }
}
