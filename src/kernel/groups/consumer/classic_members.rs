//! Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup (KIP-848).
//!
//! A member epoch is the generation to them. They are told of a new target by REBALANCE_IN_PROGRESS in a heartbeat, give
//! partitions back by joining again without them, and fetch what they have with SyncGroup.

use bytes::Bytes;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::heartbeat::{Arrival, reconcile};
use super::member::{ConsumerGroupMember, MemberState, without_epochs};
use super::membership::{self, Asking, Protocol};
use super::migration;
use super::records::{ClassicMemberMetadata, ClassicProtocol};
use super::subscription::{Change, RegexChange};
use super::target;
use super::{
    Client, ConsumerGroup, Context, Rebalances, Refusal, Step, Timer, TimerChange, TimerChanges,
    TimerTo, departure,
};
use crate::kernel::metadata::image::Image;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId, TopicName};
use crate::wire::coordinator_records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};

/// What consumers call their protocol.
pub const PROTOCOL_TYPE: &str = "consumer";
/// The version of JoinGroup from which a new member is given an id first (KIP-394).
const KNOWN_MEMBER_ID_VERSION: i16 = 4;

/// A JoinGroup.
#[derive(Clone, Copy)]
pub struct Join<'a> {
    /// The request.
    pub request: &'a JoinGroupRequest,
    /// Its version.
    pub version: i16,
    /// Who sent it.
    pub client: Client<'a>,
    /// An id for a member that has none.
    pub new_member_id: &'a str,
    /// Whether the group's epoch stands for the topics as they are.
    pub topics_checked: bool,
}

/// What a JoinGroup does.
pub fn join(
    context: Context<'_>,
    group: &ConsumerGroup,
    join: Join<'_>,
) -> Result<Step<JoinGroupResponse>, Refusal> {
    let request = join.request;
    check_migration(context)?;
    let is_unknown = request.member_id.is_empty();
    let member_id = if is_unknown { join.new_member_id } else { request.member_id.as_str() };
    let instance_id = request.group_instance_id.as_deref();
    membership::check_size(context, group, member_id, instance_id)?;
    check_protocols(group, member_id, request)?;
    if is_unknown && instance_id.is_none() && join.version >= KNOWN_MEMBER_ID_VERSION {
        let answer = JoinGroupResponse::default()
            .with_member_id(StrBytes::from_string(member_id.to_owned()))
            .with_error_code(ErrorCode::MemberIdRequired.code());
        return Ok(Step::reply(answer));
    }
    let mut step = Step::reply(());
    let asking = Asking {
        member_id,
        instance_id,
        joins: instance_id.is_none() || is_unknown,
        protocol: Protocol::Classic,
    };
    let old = asking.find(context, group, &mut step.records)?;
    let subscription = subscription(request)?;
    let mut new = described(&old, join, &subscription);
    let change = Change { old: &old, new: &new };
    let names_changed = change.write_member(context, &mut step.records);
    let (regex, resolve) = change.write_regex(context, group, &mut step.records)?;
    step.soft.resolve_regexes = resolve;
    let changed = names_changed || regex != RegexChange::None;
    let mut epoch = group.epoch();
    if changed || !join.topics_checked {
        epoch = change.write_epoch(context, group, changed, &mut step.records);
        step.soft.topics_checked = true;
    }
    let downgrade = migration::can_downgrade_by(context, group, instance_id);
    let stale = group.assignment_epoch() < epoch;
    let target = if downgrade {
        target::last(group)
    } else {
        target::update(context, group, epoch, &new, &mut step.records)
    };
    if !(downgrade && stale) {
        let owned = owned(&subscription, context.image);
        let arrival = Arrival { target, owned: Some(&owned), subscription_changed: changed };
        if let Some(next) = reconcile(context, group, &new, &arrival, &mut step)? {
            new = next;
        }
    }
    if downgrade {
        step.records.extend(migration::downgrade_with(context, group, &new));
        step.soft.timers.clear();
        step.becomes_classic = Some(Rebalances(stale));
    } else {
        arm(&new, request, &mut step.soft.timers);
    }
    Ok(step.with_reply(joined(&new)))
}

/// The member has joined: it is alive, and has to ask for what it has.
fn arm(member: &ConsumerGroupMember, request: &JoinGroupRequest, timers: &mut TimerChanges) {
    let change = |timer, to| TimerChange::new(&member.id, timer, to);
    timers.push(change(Timer::Join, TimerTo::Stop));
    timers.push(change(Timer::Session, TimerTo::Start(request.session_timeout_ms)));
    timers.push(change(Timer::Sync, TimerTo::Start(request.rebalance_timeout_ms)));
}

fn joined(member: &ConsumerGroupMember) -> JoinGroupResponse {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    JoinGroupResponse::default()
        .with_member_id(text(&member.id))
        .with_generation_id(member.epoch)
        .with_protocol_type(Some(text(PROTOCOL_TYPE)))
        .with_protocol_name(first_protocol(member).map(|protocol| text(&protocol.name)))
}

fn check_migration(context: Context<'_>) -> Result<(), Refusal> {
    if !context.settings.migration.is_disabled() {
        return Ok(());
    }
    let group_id = context.group_id;
    Err(Refusal::new(
        ErrorCode::InconsistentGroupProtocol,
        format!(
            "Cannot join the consumer group {group_id} with the classic protocol because the group \
             migration is disabled."
        ),
    ))
}

/// One of the protocols must be known to all members that speak the classic protocol.
fn check_protocols(
    group: &ConsumerGroup,
    member_id: &str,
    request: &JoinGroupRequest,
) -> Result<(), Refusal> {
    let known_to_all = |name: &str| {
        let mut classic = group.members().values().filter_map(|member| member.classic.as_ref());
        classic.all(|it| it.supported_protocols.iter().any(|it| it.name == name))
    };
    let mut names = request.protocols.iter().map(|protocol| protocol.name.as_str());
    if request.protocol_type.as_str() == PROTOCOL_TYPE && names.any(known_to_all) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::InconsistentGroupProtocol,
        format!("Member {member_id}'s protocols are not supported."),
    ))
}

fn subscription(request: &JoinGroupRequest) -> Result<ConsumerProtocolSubscription, Refusal> {
    let first = request.protocols.first().map(|protocol| &protocol.metadata);
    let read = first.and_then(|metadata| ConsumerProtocolSubscription::decode(metadata).ok());
    read.map(|(_, subscription)| subscription).ok_or_else(|| {
        Refusal::new(
            ErrorCode::InconsistentGroupProtocol,
            "Malformed embedded consumer protocol in subscription deserialization.",
        )
    })
}

/// The member as the request makes it.
fn described(
    old: &ConsumerGroupMember,
    join: Join<'_>,
    subscription: &ConsumerProtocolSubscription,
) -> ConsumerGroupMember {
    let request = join.request;
    let mut new = old.clone();
    if let Some(instance_id) = request.group_instance_id.as_deref() {
        new.instance_id = Some(instance_id.to_owned());
    }
    if let Some(rack) = subscription.rack_id.as_ref().filter(|rack| !rack.is_empty()) {
        new.rack_id = Some(rack.clone());
    }
    if request.rebalance_timeout_ms != -1 {
        new.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    new.subscribed_topics = subscription.topics.iter().map(|name| TopicName::new(name)).collect();
    new.subscribed_regex = Some(String::new());
    join.client.id.clone_into(&mut new.client_id);
    new.client_host = join.client.host();
    let protocols = request.protocols.iter().map(|protocol| ClassicProtocol {
        name: protocol.name.as_str().to_owned(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    new.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: request.session_timeout_ms,
        supported_protocols: protocols.collect(),
    });
    new
}

fn owned(
    subscription: &ConsumerProtocolSubscription,
    image: &Image,
) -> Vec<(TopicId, Vec<PartitionId>)> {
    let topics = subscription.owned_partitions.iter().filter_map(|it| {
        let partitions = it.partitions.iter().copied().map(PartitionId).collect();
        Some((image.topics.named(&it.topic)?.id, partitions))
    });
    topics.collect()
}

fn first_protocol(member: &ConsumerGroupMember) -> Option<&ClassicProtocol> {
    member.classic.as_ref()?.supported_protocols.first()
}

/// What a SyncGroup does.
pub fn sync(
    context: Context<'_>,
    group: &ConsumerGroup,
    request: &SyncGroupRequest,
) -> Result<Step<SyncGroupResponse>, Refusal> {
    let instance_id = request.group_instance_id.as_deref();
    let (member, classic) = find(context, group, &request.member_id, instance_id)?;
    check_generation(member, request.generation_id)?;
    check_protocol(member, request)?;
    if group.assignment_epoch() > member.epoch && member.state != MemberState::UnrevokedPartitions {
        let message = format!(
            "A new rebalance is triggered in group {} and member {} should rejoin to catch up.",
            context.group_id, member.id
        );
        return Err(Refusal::new(ErrorCode::RebalanceInProgress, message));
    }
    let answer = SyncGroupResponse::default()
        .with_protocol_type(request.protocol_type.clone())
        .with_protocol_name(request.protocol_name.clone())
        .with_assignment(assignment(member, context.image));
    let mut step = Step::reply(answer);
    let session = TimerTo::Start(classic.session_timeout_ms);
    step.soft.timers.push(TimerChange::new(&member.id, Timer::Sync, TimerTo::Stop));
    step.soft.timers.push(TimerChange::new(&member.id, Timer::Session, session));
    Ok(step)
}

/// A member that is refused a SyncGroup because of a new target has to join in time.
pub fn join_timer_after_sync(
    context: Context<'_>,
    group: &ConsumerGroup,
    request: &SyncGroupRequest,
) -> Option<TimerChange> {
    let instance_id = request.group_instance_id.as_deref();
    let (member, _) = find(context, group, &request.member_id, instance_id).ok()?;
    let to = TimerTo::StartIfAbsent(member.rebalance_timeout_ms);
    Some(TimerChange::new(&member.id, Timer::Join, to))
}

/// What a member has, as the version of its first protocol has it.
fn assignment(member: &ConsumerGroupMember, image: &Image) -> Bytes {
    let version = first_protocol(member).map_or(0, |protocol| embedded_version(&protocol.metadata));
    encode_assignment(&without_epochs(&member.assigned), version, image)
}

/// The version in which a member speaks the embedded protocol.
pub(super) fn embedded_version(metadata: &[u8]) -> i16 {
    metadata.first_chunk().copied().map_or(0, i16::from_be_bytes)
}

/// An assignment as consumers of the classic protocol read it; topics that are gone are left out.
pub(super) fn encode_assignment(
    assignment: &crate::kernel::groups::assignors::Assignment,
    version: i16,
    image: &Image,
) -> Bytes {
    let topics = assignment.iter().filter_map(|(&topic, partitions)| {
        Some(TopicPartition {
            topic: image.topics.of_id(topic)?.name.as_str().to_owned(),
            partitions: partitions.iter().map(|partition| partition.0).collect(),
        })
    });
    ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None }
        .encode(version)
}

/// What a Heartbeat does.
pub fn heartbeat(
    context: Context<'_>,
    group: &ConsumerGroup,
    request: &HeartbeatRequest,
) -> Result<Step<HeartbeatResponse>, Refusal> {
    let instance_id = request.group_instance_id.as_deref();
    let (member, classic) = find(context, group, &request.member_id, instance_id)?;
    check_generation(member, request.generation_id)?;
    let must_rejoin = member.epoch < group.assignment_epoch()
        || member.state == MemberState::UnrevokedPartitions
        || (member.state == MemberState::UnreleasedPartitions && !waits_for_others(group, member));
    let mut step = Step::reply(HeartbeatResponse::default());
    let session = TimerTo::Start(classic.session_timeout_ms);
    step.soft.timers.push(TimerChange::new(&member.id, Timer::Session, session));
    if must_rejoin {
        step.reply.error_code = ErrorCode::RebalanceInProgress.code();
        let join = TimerTo::StartIfAbsent(member.rebalance_timeout_ms);
        step.soft.timers.push(TimerChange::new(&member.id, Timer::Join, join));
    }
    Ok(step)
}

/// Whether something that the member is to have is still had by another one.
fn waits_for_others(group: &ConsumerGroup, member: &ConsumerGroupMember) -> bool {
    let mut target = group.target(&member.id).into_iter().flatten();
    target.any(|(&topic, partitions)| {
        let assigned = member.assigned.get(&topic);
        partitions.iter().any(|partition| {
            !assigned.is_some_and(|assigned| assigned.contains_key(partition))
                && group.is_owned(topic, *partition)
        })
    })
}

/// What a LeaveGroup does: each member is answered for itself.
pub fn leave(
    context: Context<'_>,
    group: &ConsumerGroup,
    request: &LeaveGroupRequest,
) -> Step<LeaveGroupResponse> {
    let mut leaving: Vec<&ConsumerGroupMember> = Vec::new();
    let mut answers = Vec::new();
    for identity in &request.members {
        let mut answer = MemberResponse::default()
            .with_member_id(identity.member_id.clone())
            .with_group_instance_id(identity.group_instance_id.clone());
        match leaver(context, group, identity) {
            Ok(member) if leaving.iter().any(|other| other.id == member.id) => {}
            Ok(member) => leaving.push(member),
            Err(refusal) => answer.error_code = refusal.code.code(),
        }
        answers.push(answer);
    }
    let answer = LeaveGroupResponse::default().with_members(answers);
    departure::remove(context, group, &leaving, answer)
}

fn leaver<'g>(
    context: Context<'_>,
    group: &'g ConsumerGroup,
    identity: &MemberIdentity,
) -> Result<&'g ConsumerGroupMember, Refusal> {
    let member_id = identity.member_id.as_str();
    let Some(instance_id) = identity.group_instance_id.as_deref() else {
        let member = group.member(member_id);
        return member.ok_or_else(|| membership::unknown_member(context, member_id));
    };
    let member = membership::known_static(group.static_member(instance_id), instance_id)?;
    if !member_id.is_empty() {
        membership::check_instance(member, member_id, instance_id)?;
    }
    Ok(member)
}

/// The member, which must speak the classic protocol.
fn find<'g>(
    context: Context<'_>,
    group: &'g ConsumerGroup,
    member_id: &str,
    instance_id: Option<&str>,
) -> Result<(&'g ConsumerGroupMember, &'g ClassicMemberMetadata), Refusal> {
    let member = match instance_id {
        None => {
            let member = group.member(member_id);
            member.ok_or_else(|| membership::unknown_member(context, member_id))?
        }
        Some(instance_id) => {
            let member = membership::known_static(group.static_member(instance_id), instance_id)?;
            membership::check_instance(member, member_id, instance_id)?;
            member
        }
    };
    let classic = member.classic.as_ref().ok_or_else(|| {
        let message = format!("Member {} does not use the classic protocol.", member.id);
        Refusal::new(ErrorCode::UnknownMemberId, message)
    })?;
    Ok((member, classic))
}

fn check_generation(member: &ConsumerGroupMember, generation: i32) -> Result<(), Refusal> {
    if member.epoch == generation {
        return Ok(());
    }
    let message = format!(
        "The request generation id {generation} is not equal to the member epoch {} of member {}.",
        member.epoch, member.id
    );
    Err(Refusal::new(ErrorCode::IllegalGeneration, message))
}

fn check_protocol(member: &ConsumerGroupMember, request: &SyncGroupRequest) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(ErrorCode::InconsistentGroupProtocol, message));
    let name = first_protocol(member).map_or("", |protocol| protocol.name.as_str());
    if let Some(given) = request.protocol_type.as_deref().filter(|it| *it != PROTOCOL_TYPE) {
        return refuse(format!(
            "The protocol type {given} from member {} request is not equal to the group protocol \
             type {PROTOCOL_TYPE}.",
            member.id
        ));
    }
    if let Some(given) = request.protocol_name.as_deref().filter(|it| *it != name) {
        return refuse(format!(
            "The protocol name {given} from member {} request is not equal to the protocol name \
             {name} returned in the join response.",
            member.id
        ));
    }
    Ok(())
}
