//! Where a shard's requests reach its consumer groups, and where it is found out what kind of group a request is for.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::heartbeat::{Converted, Heartbeat};
use super::live::{LiveGroup, Soft};
use super::member::{JOINING_EPOCH, LEAVING_EPOCH, LEAVING_STATIC_EPOCH, MemberState};
use super::state::Fate;
use super::{
    Client, ConsumerGroup, Context, GroupSettings, Rebalances, Refusal, SoftChanges, Step, Timer,
    TimerChange, TimerChanges, TimerTo, classic_members, departure, describe, heartbeat, migration,
    subscription,
};
use crate::kernel::authorizer::Authorizer;
use crate::kernel::groups::classic;
use crate::kernel::groups::requests::{ConsumerGroupHeartbeat, GroupOutput, JoinGroup, owned};
use crate::kernel::groups::table::{Group, Groups, MEMBERS_BYTES_MAX};
use crate::kernel::machine::Env;
use crate::kernel::metadata::changes::Changes;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{uuid_from_random, uuid_to_text};
use crate::types::time::Mono;
use crate::wire::coordinator_records::groups::GroupRecord;

/// How often random bytes are drawn for a member id before whatever comes is taken.
const DRAWS_MAX: usize = 8;

/// What a shard keeps for its consumer groups beside them. All of it is soft state.
#[derive(Debug)]
pub struct Doors {
    /// The metadata offset at which a topic was last created, as far as is known.
    last_new_topics: i64,
    /// Soft state of a group that comes with the records which were just decided.
    newborn: Option<(String, Soft)>,
    /// Groups that have become classic ones: their members' sessions begin, and some rebalance.
    classic: Vec<(String, Rebalances)>,
    classic_at: Option<Mono>,
}

impl Default for Doors {
    fn default() -> Self {
        Self { last_new_topics: -1, newborn: None, classic: Vec::new(), classic_at: None }
    }
}

/// The sessions of a group's members begin, and rebalances are under way again, as far as no timer of theirs runs.
fn watch_members(groups: &mut Groups, env: &Env<'_>, id: &str) {
    let settings = GroupSettings::of(id, env.config, env.image);
    groups.update(id, |group| {
        let Group::Consumer(group) = group else { return };
        let timers = group.hard().members().values().flat_map(|member| {
            let session = TimerTo::Start(settings.session_timeout_ms);
            let rebalance = TimerTo::StartAtEpoch(member.rebalance_timeout_ms, member.epoch);
            let revokes = member.state == MemberState::UnrevokedPartitions;
            let session = TimerChange::new(&member.id, Timer::Session, session);
            let rebalance = TimerChange::new(&member.id, Timer::Rebalance, rebalance);
            [Some(session), revokes.then_some(rebalance)]
        });
        let is_off = |change: &TimerChange| !group.soft().runs(&change.member_id, change.timer);
        let timers = timers.flatten().filter(is_off).collect();
        let changes = SoftChanges { timers, ..SoftChanges::default() };
        group.soft_mut().take_up(env.now.mono, &changes);
    });
}

/// What a step says of a consumer group's soft state. False where there is no such group.
fn take_up(groups: &mut Groups, id: &str, now: Mono, changes: &SoftChanges) -> bool {
    let taken = groups.update(id, |group| match group {
        Group::Consumer(group) => {
            group.soft_mut().take_up(now, changes);
            true
        }
        Group::Classic(_) => false,
    });
    taken == Some(true)
}

/// What a request finds under its group's id.
enum Found<'a> {
    Nothing,
    Classic,
    Consumer(&'a LiveGroup),
}

fn find<'g>(groups: &'g Groups, id: &str) -> Found<'g> {
    match groups.get(id) {
        None => Found::Nothing,
        Some(Group::Classic(_)) => Found::Classic,
        Some(Group::Consumer(group)) => Found::Consumer(group),
    }
}

/// Whether a group is one of this kind and has members: requests of the classic protocol come here then.
pub fn takes_classic_requests(groups: &Groups, id: &str) -> bool {
    matches!(find(groups, id), Found::Consumer(group) if !group.hard().members().is_empty())
}

/// A consumer group without members makes place for a classic one that is about to be joined.
pub fn make_place(groups: &mut Groups, output: &mut GroupOutput, id: &str) {
    let Found::Consumer(group) = find(groups, id) else { return };
    if group.hard().members().is_empty() {
        let records = departure::tombstones(id, group.hard(), None);
        *output = std::mem::take(output).with_write(records);
        groups.remove(id);
    }
}

/// Takes a record of a consumer group: after a load, and right after it was appended.
pub fn replay(groups: &mut Groups, doors: &mut Doors, group_id: &str, record: GroupRecord) {
    if let Found::Nothing | Found::Classic = find(groups, group_id) {
        if is_tombstone(&record) {
            return;
        }
        // A classic group may stand in its place for the offsets that were read before.
        let newborn = doors.newborn.take_if(|(id, _)| id == group_id).map(|(_, soft)| soft);
        let group = LiveGroup::new(group_id, newborn.unwrap_or_default());
        groups.insert(Group::Consumer(Box::new(group)));
    }
    let fate = groups.update(group_id, |group| match group {
        Group::Consumer(group) => group.replay(record),
        Group::Classic(_) => Fate::Kept,
    });
    if fate == Some(Fate::Gone) {
        groups.remove(group_id);
    }
}

/// The id of the consumer group that a record is of.
pub fn group_of(record: &GroupRecord) -> Option<String> {
    match record {
        GroupRecord::OffsetCommit(..) | GroupRecord::GroupMetadata(..) => None,
        GroupRecord::ConsumerGroupMetadata(key, _) => Some(key.group_id.clone()),
        GroupRecord::ConsumerGroupPartitionMetadata(key, _) => Some(key.group_id.clone()),
        GroupRecord::ConsumerGroupMemberMetadata(key, _) => Some(key.group_id.clone()),
        GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, _) => Some(key.group_id.clone()),
        GroupRecord::ConsumerGroupTargetAssignmentMember(key, _) => Some(key.group_id.clone()),
        GroupRecord::ConsumerGroupCurrentMemberAssignment(key, _) => Some(key.group_id.clone()),
        GroupRecord::ConsumerGroupRegularExpression(key, _) => Some(key.group_id.clone()),
    }
}

const fn is_tombstone(record: &GroupRecord) -> bool {
    matches!(
        record,
        GroupRecord::ConsumerGroupMetadata(_, None)
            | GroupRecord::ConsumerGroupPartitionMetadata(_, None)
            | GroupRecord::ConsumerGroupMemberMetadata(_, None)
            | GroupRecord::ConsumerGroupTargetAssignmentMetadata(_, None)
            | GroupRecord::ConsumerGroupTargetAssignmentMember(_, None)
            | GroupRecord::ConsumerGroupCurrentMemberAssignment(_, None)
            | GroupRecord::ConsumerGroupRegularExpression(_, None)
    )
}

impl Doors {
    /// The shard is loaded: sessions begin, and so do rebalances that were under way.
    pub fn on_loaded(&mut self, groups: &mut Groups, env: &Env<'_>) {
        self.last_new_topics = env.image.at.offset.0;
        for id in groups.ids() {
            watch_members(groups, env, &id);
        }
    }

    /// Topics came, changed or went: groups that are subscribed to them look at them anew at their next heartbeat.
    pub fn on_image(&mut self, groups: &mut Groups, env: &Env<'_>, changes: &Changes) {
        if !changes.topics_created.is_empty() {
            self.last_new_topics = env.image.at.offset.0;
        }
        let changed = changes.partitions_changed.iter().map(|(topic, _)| topic);
        let changed = changed.chain(&changes.topics_created);
        let mut names: Vec<&str> = changed
            .filter_map(|topic| env.image.topics.of_id(*topic))
            .map(|topic| topic.name.as_str())
            .chain(changes.topics_deleted.iter().map(|topic| topic.name.as_str()))
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return;
        }
        for id in groups.ids() {
            groups.update(&id, |group| {
                if let Group::Consumer(group) = group
                    && names.iter().any(|name| group.hard().is_subscribed_to(name))
                {
                    group.check_topics();
                }
            });
        }
    }

    /// Whether changes of the metadata concern consumer groups.
    pub fn is_concerned_by(changes: &Changes) -> bool {
        !changes.topics_created.is_empty()
            || !changes.topics_deleted.is_empty()
            || !changes.partitions_changed.is_empty()
    }

    /// When [`Self::on_timeout`] has something to do, beside what is due in groups.
    pub const fn next_deadline(&self) -> Option<Mono> {
        self.classic_at
    }

    /// Groups that have become classic ones begin to live as such.
    pub fn on_timeout(&mut self, groups: &mut Groups, env: &mut Env<'_>, output: &mut GroupOutput) {
        self.classic_at = None;
        for (id, Rebalances(rebalances)) in std::mem::take(&mut self.classic) {
            classic::on_loaded(groups, env, output, &id);
            if rebalances {
                classic::rebalance(groups, env, output, &id, "the group was a consumer group");
            }
        }
    }

    /// Something of a group is due.
    pub fn on_group_timeout(
        &mut self,
        groups: &mut Groups,
        env: &mut Env<'_>,
        output: &mut GroupOutput,
        id: &Arc<str>,
    ) {
        let now = env.now.mono;
        let due = groups.update(id, |group| match group {
            Group::Consumer(group) => group.take_due(now),
            Group::Classic(_) => (Vec::new(), false),
        });
        let (expired, resolve) = due.unwrap_or_default();
        let step = match find(groups, id) {
            Found::Consumer(group) if !expired.is_empty() => {
                let hard = group.hard();
                let leaving: Vec<_> = expired.iter().filter_map(|id| hard.member(id)).collect();
                for member in &leaving {
                    tracing::debug!(
                        group = &**id,
                        member = &*member.id,
                        "the member's time is over"
                    );
                }
                self.with_context(env, id, |context| departure::remove(context, hard, &leaving, ()))
            }
            Found::Consumer(group) if resolve => self.with_context(env, id, |context| {
                let mut step = Step::reply(());
                // One that is not right has stopped the start.
                let authorizer = Authorizer::of(&env.config.explicit).ok().flatten();
                let authorizer = authorizer.as_ref();
                step.records = subscription::resolve_regexes(context, group.hard(), authorizer);
                step
            }),
            _ => return,
        };
        self.carry_out(groups, now, output, id, step);
    }

    /// Records were refused: what was said of a group that they would have made is void, and what others were taken for
    /// granted is looked at again. Members who were to be thrown out are still there, and get their timers back.
    pub fn refused<'r>(
        &mut self,
        groups: &mut Groups,
        env: &Env<'_>,
        records: impl Iterator<Item = &'r GroupRecord>,
    ) {
        self.newborn = None;
        for id in records.filter_map(group_of).collect::<BTreeSet<_>>() {
            groups.update(&id, |group| {
                if let Group::Consumer(group) = group {
                    group.check_topics();
                }
            });
            watch_members(groups, env, &id);
        }
    }

    fn with_context<T>(
        &self,
        env: &Env<'_>,
        group_id: &str,
        decide: impl FnOnce(Context<'_>) -> T,
    ) -> T {
        let settings = GroupSettings::of(group_id, env.config, env.image);
        decide(Context {
            group_id,
            image: env.image,
            settings: &settings,
            now: env.now.wall,
            last_new_topics: self.last_new_topics,
        })
    }

    /// Writes what a step says, and takes up its soft state.
    fn carry_out<T>(
        &mut self,
        groups: &mut Groups,
        now: Mono,
        output: &mut GroupOutput,
        group_id: &str,
        step: Step<T>,
    ) -> T {
        let has_records = !step.records.is_empty();
        if has_records {
            *output = std::mem::take(output).with_write(step.records);
        }
        if let Some(rebalances) = step.becomes_classic {
            self.classic.push((group_id.to_owned(), rebalances));
            self.classic_at = Some(now);
        } else if !take_up(groups, group_id, now, &step.soft) && has_records {
            let mut soft = Soft::default();
            soft.take_up(now, &step.soft);
            self.newborn = Some((group_id.to_owned(), soft));
        }
        step.reply
    }

    /// Decides a ConsumerGroupHeartbeat.
    pub fn heartbeat(
        &mut self,
        groups: &mut Groups,
        env: &mut Env<'_>,
        output: &mut GroupOutput,
        heartbeat: &ConsumerGroupHeartbeat,
    ) -> ConsumerGroupHeartbeatResponse {
        let now = env.now.mono;
        let id = heartbeat.request.group_id.as_str();
        match self.decide_heartbeat(groups, env, output, heartbeat) {
            Ok(step) => self.carry_out(groups, now, output, id, step),
            Err(refusal) => ConsumerGroupHeartbeatResponse::default()
                .with_error_code(refusal.code.code())
                .with_error_message(Some(owned(&refusal.message))),
        }
    }

    fn decide_heartbeat(
        &self,
        groups: &mut Groups,
        env: &mut Env<'_>,
        output: &mut GroupOutput,
        heartbeat: &ConsumerGroupHeartbeat,
    ) -> Result<Step<ConsumerGroupHeartbeatResponse>, Refusal> {
        let request = &heartbeat.request;
        let id = request.group_id.as_str();
        let epoch = request.member_epoch;
        let joins = epoch == JOINING_EPOCH;
        let grows = joins || request.subscribed_topic_names.is_some();
        if grows && groups.weight().members >= MEMBERS_BYTES_MAX {
            let message = "The coordinator has no room for more members or subscriptions.";
            return Err(Refusal::new(ErrorCode::CoordinatorNotAvailable, message));
        }
        let new_member_id =
            if request.member_id.is_empty() { new_member_id(env) } else { String::new() };
        let mut beat = Heartbeat {
            request,
            client: Client { id: &heartbeat.client_id, address: heartbeat.client_address },
            new_member_id: &new_member_id,
            topics_checked: false,
            converted: &Converted::default(),
        };
        let decide = |group: &ConsumerGroup, beat: Heartbeat<'_>| {
            self.with_context(env, id, |context| heartbeat::decide(context, group, beat))
        };
        match find(groups, id) {
            Found::Consumer(group) => {
                beat.topics_checked = group.topics_checked();
                decide(group.hard(), beat)
            }
            Found::Nothing if joins => decide(&ConsumerGroup::default(), beat),
            Found::Nothing if matches!(epoch, LEAVING_EPOCH | LEAVING_STATIC_EPOCH) => {
                Err(group_not_found(format!("Group {id} not found.")))
            }
            Found::Nothing => Err(group_not_found(format!("Consumer group {id} not found."))),
            Found::Classic if joins => {
                let (converted, group) = self.convert(groups, env, id)?;
                beat.converted = &converted;
                let step = decide(&group, beat)?;
                classic::refuse_all(groups, env, output, id);
                Ok(step)
            }
            Found::Classic => Err(group_not_found(format!("Group {id} is not a consumer group."))),
        }
    }

    /// What becomes of a classic group when a member of the new protocol joins.
    fn convert(
        &self,
        groups: &Groups,
        env: &Env<'_>,
        id: &str,
    ) -> Result<(Converted, ConsumerGroup), Refusal> {
        let Some(group) = groups.classic(id) else { return Ok(Default::default()) };
        if group.is_empty() {
            let records = vec![classic::tombstone(id)];
            let converted = Converted { records, timers: TimerChanges::new() };
            return Ok((converted, ConsumerGroup::default()));
        }
        let upgrade = |context: Context<'_>| migration::upgrade(context, &group.snapshot());
        let (records, group) = self.with_context(env, id, upgrade)?;
        let timers = group.members().values().filter_map(|member| {
            let session = TimerTo::Start(member.classic.as_ref()?.session_timeout_ms);
            Some(TimerChange::new(&member.id, Timer::Session, session))
        });
        let timers = timers.collect();
        Ok((Converted { records, timers }, group))
    }

    /// Decides a JoinGroup of a member of a consumer group.
    pub fn join(
        &mut self,
        groups: &mut Groups,
        env: &mut Env<'_>,
        output: &mut GroupOutput,
        join: &JoinGroup,
    ) -> JoinGroupResponse {
        let id = join.request.group_id.as_str();
        let now = env.now.mono;
        let Found::Consumer(group) = find(groups, id) else {
            return classic::join_error(StrBytes::new(), ErrorCode::UnknownMemberId);
        };
        let new_member_id = new_member_id(env);
        let decide = |context: Context<'_>| {
            let join = classic_members::Join {
                request: &join.request,
                version: join.version,
                client: Client { id: &join.client_id, address: join.client_address },
                new_member_id: &new_member_id,
                topics_checked: group.topics_checked(),
            };
            classic_members::join(context, group.hard(), join)
        };
        match self.with_context(env, id, decide) {
            Ok(step) => self.carry_out(groups, now, output, id, step),
            Err(refusal) => classic::join_error(StrBytes::new(), refusal.code),
        }
    }

    /// Decides a SyncGroup of a member of a consumer group.
    pub fn sync(
        &mut self,
        groups: &mut Groups,
        env: &Env<'_>,
        output: &mut GroupOutput,
        request: &SyncGroupRequest,
    ) -> SyncGroupResponse {
        let id = request.group_id.as_str();
        let now = env.now.mono;
        let Found::Consumer(group) = find(groups, id) else {
            return classic::sync_error(ErrorCode::UnknownMemberId);
        };
        let decide = |context: Context<'_>| {
            let step = classic_members::sync(context, group.hard(), request);
            let step = step.map_err(|refusal| {
                let must_join = refusal.code == ErrorCode::RebalanceInProgress;
                let timer =
                    || classic_members::join_timer_after_sync(context, group.hard(), request);
                let mut step = Step::reply(classic::sync_error(refusal.code));
                step.soft.timers.extend(must_join.then(timer).flatten());
                step
            });
            step.unwrap_or_else(std::convert::identity)
        };
        let step = self.with_context(env, id, decide);
        self.carry_out(groups, now, output, id, step)
    }

    /// Decides a Heartbeat of a member of a consumer group.
    pub fn classic_heartbeat(
        &mut self,
        groups: &mut Groups,
        env: &Env<'_>,
        output: &mut GroupOutput,
        request: &HeartbeatRequest,
    ) -> HeartbeatResponse {
        let id = request.group_id.as_str();
        let now = env.now.mono;
        let error = |code: ErrorCode| HeartbeatResponse::default().with_error_code(code.code());
        let Found::Consumer(group) = find(groups, id) else {
            return error(ErrorCode::UnknownMemberId);
        };
        let decide =
            |context: Context<'_>| classic_members::heartbeat(context, group.hard(), request);
        match self.with_context(env, id, decide) {
            Ok(step) => self.carry_out(groups, now, output, id, step),
            Err(refusal) => error(refusal.code),
        }
    }

    /// Decides a LeaveGroup of members of a consumer group.
    pub fn leave(
        &mut self,
        groups: &mut Groups,
        env: &Env<'_>,
        output: &mut GroupOutput,
        request: &LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        let id = request.group_id.as_str();
        let now = env.now.mono;
        let Found::Consumer(group) = find(groups, id) else {
            return LeaveGroupResponse::default()
                .with_error_code(ErrorCode::UnknownMemberId.code());
        };
        let decide = |context: Context<'_>| classic_members::leave(context, group.hard(), request);
        let step = self.with_context(env, id, decide);
        self.carry_out(groups, now, output, id, step)
    }

    /// Decides a ConsumerGroupDescribe.
    pub fn describe(
        &self,
        groups: &Groups,
        env: &Env<'_>,
        ids: &[StrBytes],
    ) -> Vec<DescribedGroup> {
        let describe = |id: &StrBytes| match find(groups, id) {
            Found::Nothing => describe::not_found(id, false),
            Found::Classic => describe::not_found(id, true),
            Found::Consumer(group) => {
                self.with_context(env, id, |context| describe::describe(context, group.hard()))
            }
        };
        ids.iter().map(describe).collect()
    }
}

fn group_not_found(message: String) -> Refusal {
    Refusal::new(ErrorCode::GroupIdNotFound, message)
}

/// A member id as Kafka makes them.
fn new_member_id(env: &mut Env<'_>) -> String {
    let mut draws = (0..DRAWS_MAX).filter_map(|_| uuid_from_random((env.random)()));
    uuid_to_text(draws.next().unwrap_or(Uuid::max()))
}
