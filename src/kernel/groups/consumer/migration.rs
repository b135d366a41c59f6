//! Groups that go from one protocol to the other while they have members (KIP-848).
//!
//! A classic group becomes a consumer group when a member of the new protocol joins, and each of its members one that
//! speaks the classic protocol. A consumer group becomes a classic one when the last member of the new protocol leaves,
//! or is replaced by one of the classic protocol. Both are records: what the group was is gone, what it becomes is there.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::classic_members::{PROTOCOL_TYPE, embedded_version, encode_assignment};
use super::departure::tombstones;
use super::member::{ConsumerGroupMember, at_epoch};
use super::records::{ClassicMemberMetadata, ClassicProtocol, Records};
use super::{ConsumerGroup, Context, Refusal, metadata_hash};
use crate::kernel::groups::assignors::Assignment;
use crate::kernel::metadata::image::Image;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicName};
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::classic::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata,
};
use crate::wire::coordinator_records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription,
};
use crate::wire::coordinator_records::groups::GroupRecord;

/// A classic group as it is to become another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicSnapshot {
    /// The generation.
    pub generation: i32,
    /// The kind of protocol, if the group has one.
    pub protocol_type: Option<String>,
    /// The protocol that was chosen, if one was.
    pub protocol_name: Option<String>,
    /// The members.
    pub members: Vec<ClassicMemberSnapshot>,
}

/// A member of a classic group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicMemberSnapshot {
    /// Its id.
    pub id: String,
    /// Its own name, if it is a static member.
    pub instance_id: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The client's address.
    pub client_host: String,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// The protocols that it supports, and what it said of itself for each.
    pub protocols: Vec<(String, Bytes)>,
    /// What it was given.
    pub assignment: Bytes,
}

/// A consumer group that a classic one becomes: the records that make it so, and the group.
pub fn upgrade(
    context: Context<'_>,
    classic: &ClassicSnapshot,
) -> Result<(Vec<GroupRecord>, ConsumerGroup), Refusal> {
    check_upgrade(context, classic)?;
    let of_group = Records(context.group_id);
    let members = classic.members.iter().map(|member| upgraded(context, classic, member));
    let members: Vec<(ConsumerGroupMember, Assignment)> =
        members.collect::<Result<_, _>>().map_err(|reason| refuse_upgrade(context, reason))?;
    let names = members.iter().flat_map(|(member, _)| &member.subscribed_topics);
    let hash = metadata_hash::of_topics(names, context.image);
    let generation = classic.generation;
    let key = GroupMetadataKey { group: context.group_id.to_owned() };
    let mut records = vec![GroupRecord::GroupMetadata(key, None)];
    records.extend(members.iter().map(|(member, _)| of_group.member(member)));
    records.push(of_group.epoch(generation, hash));
    let targets = members.iter().map(|(it, target)| of_group.target_assignment(&it.id, target));
    records.extend(targets);
    records.push(of_group.target_assignment_epoch(generation, Timestamp(0)));
    records.extend(members.iter().map(|(member, _)| of_group.current_assignment(member)));
    let mut group = ConsumerGroup::default();
    for record in &records {
        group.replay(record.clone());
    }
    Ok((records, group))
}

fn check_upgrade(context: Context<'_>, classic: &ClassicSnapshot) -> Result<(), Refusal> {
    let reason = if !context.settings.migration.upgrade {
        "online upgrade is disabled"
    } else if classic.protocol_type.as_deref() != Some(PROTOCOL_TYPE) {
        "the group does not use the consumer embedded protocol"
    } else if classic.members.len() > context.settings.max_size {
        "the group size exceeds the consumer group maximum size"
    } else {
        return Ok(());
    };
    Err(refuse_upgrade(context, reason))
}

fn refuse_upgrade(context: Context<'_>, reason: &str) -> Refusal {
    let group_id = context.group_id;
    Refusal::new(
        ErrorCode::GroupIdNotFound,
        format!("Cannot upgrade classic group {group_id} to consumer group because {reason}."),
    )
}

const MALFORMED: &str = "the embedded consumer protocol is malformed";
const CUSTOM_ASSIGNOR: &str = "an unsupported custom assignor is in use. Please refer to the \
     documentation or switch to a default assignor before re-attempting the upgrade";

/// A member with what it has, which is also what it is to have.
fn upgraded(
    context: Context<'_>,
    classic: &ClassicSnapshot,
    member: &ClassicMemberSnapshot,
) -> Result<(ConsumerGroupMember, Assignment), &'static str> {
    let assignment = if member.assignment.is_empty() {
        ConsumerProtocolAssignment::default()
    } else {
        ConsumerProtocolAssignment::decode(&member.assignment).map_err(|_| MALFORMED)?.1
    };
    if assignment.user_data.as_ref().is_some_and(|data| !data.is_empty()) {
        return Err(CUSTOM_ASSIGNOR);
    }
    let chosen = classic.protocol_name.as_deref();
    let chosen = member.protocols.iter().find(|(name, _)| Some(name.as_str()) == chosen);
    let metadata = chosen.map(|(_, metadata)| metadata).ok_or(MALFORMED)?;
    let (_, subscription) =
        ConsumerProtocolSubscription::decode(metadata).map_err(|_| MALFORMED)?;
    let target = by_id(&assignment, context.image);
    let protocols = member
        .protocols
        .iter()
        .map(|(name, metadata)| ClassicProtocol { name: name.clone(), metadata: metadata.clone() });
    let mut new = ConsumerGroupMember::new(&member.id);
    new.epoch = classic.generation;
    new.previous_epoch = classic.generation;
    new.instance_id.clone_from(&member.instance_id);
    new.rack_id = subscription.rack_id.filter(|rack| !rack.is_empty());
    new.rebalance_timeout_ms = member.rebalance_timeout_ms;
    new.client_id.clone_from(&member.client_id);
    new.client_host.clone_from(&member.client_host);
    new.subscribed_topics = subscription.topics.iter().map(|name| TopicName::new(name)).collect();
    new.assigned = at_epoch(&target, classic.generation);
    new.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: member.session_timeout_ms,
        supported_protocols: protocols.collect(),
    });
    Ok((new, target))
}

/// Topics that are gone are left out.
fn by_id(assignment: &ConsumerProtocolAssignment, image: &Image) -> Assignment {
    let topics = assignment.assigned_partitions.iter().filter_map(|topic| {
        let id = image.topics.named(&topic.topic)?.id;
        Some((id, topic.partitions.iter().copied().map(PartitionId).collect()))
    });
    topics
        .filter(|(_, partitions): &(_, std::collections::BTreeSet<_>)| !partitions.is_empty())
        .collect()
}

/// The records that make a classic group of what is left, if that is what happens: all others speak the classic protocol.
pub(super) fn downgrade_without(
    context: Context<'_>,
    group: &ConsumerGroup,
    leaving: &[&ConsumerGroupMember],
) -> Option<Vec<GroupRecord>> {
    let left = group.members().len().saturating_sub(leaving.len());
    let classic_leaving = leaving.iter().filter(|member| member.uses_classic_protocol()).count();
    let all_classic = group.classic_members().saturating_sub(classic_leaving) == left;
    if left == 0 || !all_classic || !is_allowed(context, left) {
        return None;
    }
    let members = group.members().values();
    let members = members.filter(|member| !leaving.iter().any(|leaver| leaver.id == member.id));
    let mut records = tombstones(context.group_id, group, None);
    records.push(classic_group(
        context,
        group,
        members.map(|member| (member.as_ref(), &*member.id)),
    ));
    Some(records)
}

/// Whether a member of the classic protocol in the place of a static one makes a classic group.
pub(super) fn can_downgrade_by(
    context: Context<'_>,
    group: &ConsumerGroup,
    instance_id: Option<&str>,
) -> bool {
    let replaced = instance_id.and_then(|id| group.static_member(id));
    replaced.is_some_and(|replaced| {
        !replaced.uses_classic_protocol()
            && group.classic_members() + 1 == group.members().len()
            && is_allowed(context, group.members().len())
    })
}

/// The records that make a classic group with this member in the place of the one with its instance id.
pub(super) fn downgrade_with(
    context: Context<'_>,
    group: &ConsumerGroup,
    joining: &ConsumerGroupMember,
) -> Vec<GroupRecord> {
    let replaced = joining.instance_id.as_deref().and_then(|id| group.static_member(id));
    let replaced = replaced.map_or(&*joining.id, |member| &*member.id);
    let mut records = tombstones(context.group_id, group, Some((replaced, &joining.id)));
    let others = group.members().values().filter(|member| *member.id != *replaced);
    let members = others.map(|member| (member.as_ref(), &*member.id)).chain([(joining, replaced)]);
    records.push(classic_group(context, group, members));
    records
}

fn is_allowed(context: Context<'_>, members: usize) -> bool {
    context.settings.migration.downgrade && members <= context.settings.classic_max_size
}

/// The classic group of these members, each with the id under which its target stands.
fn classic_group<'a>(
    context: Context<'_>,
    group: &ConsumerGroup,
    members: impl Iterator<Item = (&'a ConsumerGroupMember, &'a str)>,
) -> GroupRecord {
    let members: Vec<_> = members.collect();
    let protocol = common_protocol(members.iter().map(|(member, _)| *member));
    let nothing = Assignment::new();
    let described = members.iter().map(|(member, target_id)| {
        let classic = member.classic.as_ref();
        let metadata = classic.and_then(|classic| {
            let protocols = classic.supported_protocols.iter();
            protocols.clone().find(|it| Some(it.name.as_str()) == protocol).map(|it| &it.metadata)
        });
        let version = metadata.map_or(0, |it| embedded_version(it));
        let target = group.target(target_id).unwrap_or(&nothing);
        MemberMetadata {
            member_id: String::from(&*member.id),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: classic.map_or(0, |classic| classic.session_timeout_ms),
            subscription: metadata.cloned().unwrap_or_default(),
            assignment: encode_assignment(target, version, context.image),
        }
    });
    let value = GroupMetadataValue {
        protocol_type: PROTOCOL_TYPE.to_owned(),
        generation: group.epoch(),
        protocol: protocol.map(str::to_owned),
        leader: members.first().map(|(member, _)| String::from(&*member.id)),
        current_state_timestamp: context.now.0,
        members: described.collect(),
    };
    let key = GroupMetadataKey { group: context.group_id.to_owned() };
    GroupRecord::GroupMetadata(key, Some(value))
}

/// The protocol that most members put first among those which all support.
fn common_protocol<'a>(members: impl Iterator<Item = &'a ConsumerGroupMember>) -> Option<&'a str> {
    let supported = members.filter_map(|member| member.classic.as_ref());
    let supported: Vec<&[ClassicProtocol]> =
        supported.map(|classic| classic.supported_protocols.as_slice()).collect();
    let known_to_all = |name: &str| supported.iter().all(|it| it.iter().any(|it| it.name == name));
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for protocols in &supported {
        let first = protocols.iter().map(|it| it.name.as_str()).find(|name| known_to_all(name));
        *votes.entry(first?).or_default() += 1;
    }
    votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name)
}
