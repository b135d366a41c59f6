//! ConsumerGroupHeartbeat: a member joins, says what it wants and what it has, learns what it has, and leaves (KIP-848).

use std::borrow::Cow;
use std::collections::BTreeSet;

use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::member::{
    ConsumerGroupMember, JOINING_EPOCH, LEAVING_EPOCH, LEAVING_STATIC_EPOCH, MemberState,
    PartitionEpochs,
};
use super::membership::{self, Asking, Protocol};
use super::reconcile::{OwnedPartitions, Reconciliation};
use super::records::Records;
use super::subscription::{Change, RegexChange};
use super::target::{self, Target};
use super::{
    Client, ConsumerGroup, Context, Refusal, Step, Timer, TimerChange, TimerChanges, TimerTo,
    departure,
};
use crate::kernel::groups::assignors::Assignor;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId, TopicName};
use crate::wire::coordinator_records::groups::GroupRecord;

/// The version from which members make their ids themselves (KIP-1082).
const GENERATED_MEMBER_ID_VERSION: i16 = 1;

/// A heartbeat.
#[derive(Clone, Copy)]
pub struct Heartbeat<'a> {
    /// The request.
    pub request: &'a ConsumerGroupHeartbeatRequest,
    /// Who sent it.
    pub client: Client<'a>,
    /// An id for a member that has none.
    pub new_member_id: &'a str,
    /// Whether the group's epoch stands for the topics as they are.
    pub topics_checked: bool,
    /// Records that make the group what it is, and timers of its members: of a classic group that is becoming this one.
    pub converted: &'a Converted,
}

/// What has become of a classic group before the heartbeat that found it.
#[derive(Debug, Default)]
pub struct Converted {
    /// Records: the classic group is gone, and there may be one of this kind.
    pub records: Vec<GroupRecord>,
    /// Timers of those of its members that go on.
    pub timers: TimerChanges,
}

/// Refuses what no group would take.
pub fn check(
    request: &ConsumerGroupHeartbeatRequest,
    version: i16,
    assignors: impl Iterator<Item = Assignor> + Clone,
) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let is_blank = |text: &StrBytes| text.trim().is_empty();
    let epoch = request.member_epoch;
    let needs_id = version >= GENERATED_MEMBER_ID_VERSION || epoch > 0 || epoch == LEAVING_EPOCH;
    if needs_id && is_blank(&request.member_id) {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(&request.group_id.0) {
        return invalid("GroupId can't be empty.");
    }
    if request.instance_id.as_ref().is_some_and(is_blank) {
        return invalid("InstanceId can't be empty.");
    }
    if request.rack_id.as_ref().is_some_and(is_blank) {
        return invalid("RackId can't be empty.");
    }
    if epoch == JOINING_EPOCH {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
            return invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when \
                 (re-)joining.",
            );
        }
    } else if epoch == LEAVING_STATIC_EPOCH {
        if request.instance_id.is_none() {
            return invalid("InstanceId can't be null.");
        }
    } else if epoch < LEAVING_STATIC_EPOCH {
        return invalid("MemberEpoch is invalid.");
    }
    check_assignor(request, assignors)
}

fn check_assignor(
    request: &ConsumerGroupHeartbeatRequest,
    assignors: impl Iterator<Item = Assignor> + Clone,
) -> Result<(), Refusal> {
    let Some(name) = &request.server_assignor else { return Ok(()) };
    if assignors.clone().any(|assignor| assignor.name() == name.as_str()) {
        return Ok(());
    }
    let names: Vec<&str> = assignors.map(Assignor::name).collect();
    let names = names.join(", ");
    Err(Refusal::new(
        ErrorCode::UnsupportedAssignor,
        format!("ServerAssignor {name} is not supported. Supported assignors: {names}."),
    ))
}

/// What a heartbeat does.
pub fn decide(
    context: Context<'_>,
    group: &ConsumerGroup,
    heartbeat: Heartbeat<'_>,
) -> Result<Step<ConsumerGroupHeartbeatResponse>, Refusal> {
    let request = heartbeat.request;
    match request.member_epoch {
        LEAVING_EPOCH | LEAVING_STATIC_EPOCH => departure::leave(context, group, request),
        _ => Beat::new(context, group, heartbeat).decide(),
    }
}

/// One heartbeat of a member that stays.
struct Beat<'a> {
    context: Context<'a>,
    group: &'a ConsumerGroup,
    heartbeat: Heartbeat<'a>,
    member_id: &'a str,
    owned: Option<Vec<(TopicId, Vec<PartitionId>)>>,
    step: Step<()>,
}

impl<'a> Beat<'a> {
    fn new(context: Context<'a>, group: &'a ConsumerGroup, heartbeat: Heartbeat<'a>) -> Self {
        let request = heartbeat.request;
        let given = request.member_id.as_str();
        let owned = request.topic_partitions.as_ref().map(|topics| {
            let partitions = |list: &[i32]| list.iter().copied().map(PartitionId).collect();
            let topics = topics.iter();
            topics.map(|topic| (TopicId(topic.topic_id), partitions(&topic.partitions))).collect()
        });
        let mut step = Step::reply(());
        step.records.extend_from_slice(&heartbeat.converted.records);
        step.soft.timers.extend(heartbeat.converted.timers.iter().cloned());
        Self {
            context,
            group,
            heartbeat,
            member_id: if given.is_empty() { heartbeat.new_member_id } else { given },
            owned,
            step,
        }
    }

    fn decide(mut self) -> Result<Step<ConsumerGroupHeartbeatResponse>, Refusal> {
        let request = self.heartbeat.request;
        let instance_id = request.instance_id.as_deref();
        membership::check_size(self.context, self.group, &request.member_id, instance_id)?;
        let asking = Asking {
            member_id: self.member_id,
            instance_id,
            joins: request.member_epoch == JOINING_EPOCH,
            protocol: Protocol::Consumer {
                epoch: request.member_epoch,
                owned: self.owned.as_deref(),
            },
        };
        let old = asking.find(self.context, self.group, &mut self.step.records)?;
        let updated = updated(&old, request, self.heartbeat.client);
        let change = Change { old: &old, new: updated.as_ref().unwrap_or(&old) };
        let (target, changed) = self.advance(change)?;
        let next = reconcile(
            self.context,
            self.group,
            change.new,
            &Arrival { target, owned: self.owned.as_deref(), subscription_changed: changed },
            &mut self.step,
        )?;
        let member: &ConsumerGroupMember = next.as_ref().unwrap_or(change.new);
        let session = TimerTo::Start(self.context.settings.session_timeout_ms);
        self.step.soft.timers.push(TimerChange::new(&member.id, Timer::Session, session));
        let reply = self.answer(&old, member);
        Ok(self.step.with_reply(reply))
    }

    /// Brings the group to where the member's change takes it; the member's target, and whether its subscription changed.
    fn advance(&mut self, change: Change<'_>) -> Result<(Target, bool), Refusal> {
        let (context, group) = (self.context, self.group);
        let records = &mut self.step.records;
        let names_changed = change.write_member(context, records);
        let (regex, resolve) = change.write_regex(context, group, records)?;
        self.step.soft.resolve_regexes = resolve;
        let bump = names_changed || regex == RegexChange::UpdatedAndResolved;
        let mut epoch = group.epoch();
        if bump || !self.heartbeat.topics_checked {
            epoch = change.write_epoch(context, group, bump, records);
            self.step.soft.topics_checked = true;
        }
        let target = target::update(context, group, epoch, change.new, records);
        Ok((target, names_changed || regex != RegexChange::None))
    }

    fn answer(
        &self,
        old: &ConsumerGroupMember,
        member: &ConsumerGroupMember,
    ) -> ConsumerGroupHeartbeatResponse {
        let request = self.heartbeat.request;
        let says_all = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some()
                || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let joins = request.member_epoch == JOINING_EPOCH;
        let stays = std::ptr::eq(old, member) || old.assigned == member.assigned;
        let tell = joins || says_all || !stays;
        ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(self.told_id()))
            .with_member_epoch(member.epoch)
            .with_heartbeat_interval_ms(self.context.settings.heartbeat_interval_ms)
            .with_assignment(tell.then(|| assignment(&member.assigned)))
    }

    /// The member's id, as it gave it itself, if it did.
    fn told_id(&self) -> StrBytes {
        match &self.heartbeat.request.member_id {
            given if given.is_empty() => StrBytes::from_string(self.member_id.to_owned()),
            given => given.clone(),
        }
    }
}

fn assignment(partitions: &PartitionEpochs) -> Assignment {
    let topics = partitions.iter().map(|(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(topic.0)
            .with_partitions(partitions.keys().map(|partition| partition.0).collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}

/// What a member's next step depends on beside itself.
pub(super) struct Arrival<'a> {
    pub(super) target: Target,
    pub(super) owned: Option<&'a OwnedPartitions>,
    pub(super) subscription_changed: bool,
}

/// Takes the member a step towards its target, if it is not there; the member as it then is, if that changes it.
pub(super) fn reconcile<T>(
    context: Context<'_>,
    group: &ConsumerGroup,
    member: &ConsumerGroupMember,
    arrival: &Arrival<'_>,
    step: &mut Step<T>,
) -> Result<Option<ConsumerGroupMember>, Refusal> {
    if !arrival.subscription_changed && member.is_reconciled_to(arrival.target.epoch) {
        return Ok(None);
    }
    let subscribed = target::subscribed_topics(member, group.resolved_regexes(), context.image);
    let reconciliation = Reconciliation {
        target_epoch: arrival.target.epoch,
        target: arrival.target.assignment(group, member),
        subscribed: &subscribed,
        subscription_changed: arrival.subscription_changed,
        owned: arrival.owned,
        is_owned: |topic, partition| group.is_owned(topic, partition),
    };
    let next = reconciliation.next(member);
    let next =
        next.map_err(|error| Refusal::new(ErrorCode::FencedMemberEpoch, error.to_string()))?;
    if let Some(next) = &next {
        step.records.push(Records(context.group_id).current_assignment(next));
        if !next.uses_classic_protocol() {
            let to = match next.state {
                MemberState::UnrevokedPartitions => {
                    TimerTo::StartAtEpoch(next.rebalance_timeout_ms, next.epoch)
                }
                _ => TimerTo::Stop,
            };
            step.soft.timers.push(TimerChange::new(&next.id, Timer::Rebalance, to));
        }
    }
    Ok(next)
}

/// The member as the request makes it; none if that is how it was.
fn updated(
    old: &ConsumerGroupMember,
    request: &ConsumerGroupHeartbeatRequest,
    client: Client<'_>,
) -> Option<ConsumerGroupMember> {
    let mut new = Cow::Borrowed(old);
    let said = |text: &Option<StrBytes>, old: &Option<String>| {
        text.as_deref().filter(|text| Some(*text) != old.as_deref()).map(str::to_owned)
    };
    if let Some(id) = said(&request.instance_id, &old.instance_id) {
        new.to_mut().instance_id = Some(id);
    }
    if let Some(id) = said(&request.rack_id, &old.rack_id) {
        new.to_mut().rack_id = Some(id);
    }
    if let Some(name) = said(&request.server_assignor, &old.server_assignor) {
        new.to_mut().server_assignor = Some(name);
    }
    if let Some(regex) = said(&request.subscribed_topic_regex, &old.subscribed_regex) {
        new.to_mut().subscribed_regex = Some(regex);
    }
    if request.rebalance_timeout_ms != -1
        && request.rebalance_timeout_ms != old.rebalance_timeout_ms
    {
        new.to_mut().rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(names) = &request.subscribed_topic_names {
        let names: BTreeSet<&str> = names.iter().map(|name| name.0.as_str()).collect();
        if !names.iter().copied().eq(old.subscribed_topics.iter().map(TopicName::as_str)) {
            new.to_mut().subscribed_topics = names.into_iter().map(TopicName::new).collect();
        }
    }
    if client.id != old.client_id {
        client.id.clone_into(&mut new.to_mut().client_id);
    }
    if !client.is_at(&old.client_host) {
        new.to_mut().client_host = client.host();
    }
    if old.classic.is_some() {
        new.to_mut().classic = None;
    }
    match new {
        Cow::Owned(new) => Some(new),
        Cow::Borrowed(_) => None,
    }
}
