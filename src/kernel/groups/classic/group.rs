//! A classic group: its members, its state, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use super::CONSUMER_PROTOCOL_TYPE;
use super::member::Member;
use super::subscription::subscribed_topics;
use super::timers::JoinTimer;
use crate::kernel::groups::table::Weight;
use crate::kernel::machine::CallId;
use crate::types::error_code::ErrorCode;
use crate::types::time::{Mono, Timestamp};

/// Where a group is in its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no members.
    Empty,
    /// It waits for members to join again.
    PreparingRebalance,
    /// It waits for the leader to assign.
    CompletingRebalance,
    /// Members have their assignments.
    Stable,
}

impl State {
    /// As Kafka writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// See the [module above](super).
#[derive(Clone, Debug)]
pub struct ClassicGroup {
    pub(super) id: Arc<str>,
    pub(super) state: State,
    /// It prepares and was empty before: more members are expected, so it waits for time to pass.
    pub(super) is_initial: bool,
    /// When the state last changed. None for groups that very old brokers wrote.
    pub(super) since: Option<Timestamp>,
    pub(super) generation: i32,
    /// The kind of protocol of the first member. None if there was none: the group only has offsets.
    pub(super) protocol_type: Option<StrBytes>,
    /// What the members of this generation agreed on.
    pub(super) protocol_name: Option<StrBytes>,
    pub(super) leader: Option<StrBytes>,
    /// By id, in whose order they are listed. A node of the map has room for eleven, of which most groups need few: a
    /// member lies elsewhere.
    pub(super) members: BTreeMap<StrBytes, Box<Member>>,
    /// The ids of static members by their own names.
    pub(super) static_members: BTreeMap<StrBytes, StrBytes>,
    /// Ids that were given out and have not joined, and when they are forgotten.
    pub(super) pending: BTreeMap<StrBytes, Mono>,
    /// How many members support each protocol.
    pub(super) supported: BTreeMap<StrBytes, usize>,
    /// The topics of this generation's consumers, if they can be read.
    pub(super) subscribed: Option<BTreeSet<StrBytes>>,
    /// Someone joined an initial round, which therefore waits a bit longer.
    pub(super) has_new_member: bool,
    pub(super) join_timer: Option<JoinTimer>,
    /// When those that have not asked for their assignments go.
    pub(super) sync_timer: Option<Mono>,
    /// Not later than any of the timers; see [`Self::earliest`].
    pub(super) earliest: Option<Mono>,
    /// Whether anything in the log speaks of it.
    pub(super) is_written: bool,
    /// Whether offsets were ever committed for it.
    has_committed: bool,
    /// How many members' JoinGroups wait.
    pub(super) awaiting_join: usize,
    members_bytes: usize,
    pending_bytes: usize,
}

/// What a group takes beside its texts and members.
const GROUP_BYTES: usize = 640;
/// What an id takes that nobody has joined with, beside its text.
const PENDING_BYTES: usize = 96;

impl ClassicGroup {
    /// A group without members.
    pub fn new(id: &str, now: Timestamp) -> Self {
        Self {
            id: Arc::from(id),
            state: State::Empty,
            is_initial: false,
            since: Some(now),
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            supported: BTreeMap::new(),
            subscribed: None,
            has_new_member: false,
            join_timer: None,
            sync_timer: None,
            earliest: None,
            is_written: false,
            has_committed: false,
            awaiting_join: 0,
            members_bytes: 0,
            pending_bytes: 0,
        }
    }

    /// A group that only has offsets, which are in the log.
    pub fn simple(id: &str, now: Timestamp) -> Self {
        Self { is_written: true, has_committed: true, ..Self::new(id, now) }
    }

    /// Offsets were committed for it.
    pub const fn committed(&mut self) {
        self.is_written = true;
        self.has_committed = true;
    }

    /// Whether offsets were ever committed for it.
    pub const fn has_committed(&self) -> bool {
        self.has_committed
    }

    /// Its id.
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Its state.
    #[cfg(any(test, feature = "sim"))]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its generation.
    #[cfg(any(test, feature = "sim"))]
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether it has no members; there may be ids that nobody has joined with yet.
    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Whether it is forgotten once it has no offsets: it is empty, and nobody is about to join.
    pub fn is_disused(&self) -> bool {
        self.is_empty() && self.pending.is_empty()
    }

    /// Whether its members are consumers.
    pub fn has_consumers(&self) -> bool {
        self.protocol_type.as_ref().is_some_and(|it| it.as_str() == CONSUMER_PROTOCOL_TYPE)
    }

    /// Not later than anything of it is due.
    pub const fn earliest(&self) -> Option<Mono> {
        self.earliest
    }

    /// What it weighs. A group that never had a member is a stranger itself, unless it has offsets.
    pub fn weight(&self) -> Weight {
        let own = GROUP_BYTES + self.id.len();
        let is_stranger = self.protocol_type.is_none() && !self.has_committed;
        Weight {
            members: self.members_bytes + if is_stranger { 0 } else { own },
            strangers: self.pending_bytes + if is_stranger { own } else { 0 },
        }
    }

    /// A member.
    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id.as_bytes()).map(Box::as_ref)
    }

    pub(super) fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id.as_bytes()).map(Box::as_mut)
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_ref().is_some_and(|leader| leader.as_str() == id)
    }

    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.pending.contains_key(id.as_bytes())
    }

    /// The id of the static member of that name.
    pub(super) fn static_member(&self, instance_id: &str) -> Option<&StrBytes> {
        self.static_members.get(instance_id.as_bytes())
    }

    pub(super) fn has_all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.len() == self.awaiting_join
    }

    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Whether the group has this member, under this name if it gives one.
    pub fn check_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_member(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(existing) if existing.as_str() != id => {
                    return Err(ErrorCode::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        if self.member(id).is_some() { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether a member with these protocols fits in: one of them is known to all who are there.
    pub(super) fn supports<'a>(
        &self,
        protocol_type: &str,
        mut names: impl Iterator<Item = &'a StrBytes>,
    ) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && names.next().is_some();
        }
        let is_known_to_all =
            |name: &StrBytes| self.supported.get(name).copied().unwrap_or(0) == self.members.len();
        self.protocol_type.as_ref().is_some_and(|it| it.as_str() == protocol_type)
            && names.any(is_known_to_all)
    }

    /// What the members would agree on now: each votes for the first of its protocols that all know. Of those with
    /// as many votes the one wins that the first member wants most.
    pub(super) fn select_protocol(&self) -> Option<StrBytes> {
        let is_candidate = |name: &&StrBytes| {
            self.supported.get(*name).is_some_and(|count| *count == self.members.len())
        };
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = member.protocols.names().find(is_candidate) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let first = self.members.values().next()?;
        let wanted = first.protocols.names().find(|name| votes.get(name) == Some(&most));
        wanted
            .or_else(|| votes.iter().find(|(_, count)| **count == most).map(|(name, _)| *name))
            .cloned()
    }

    /// A member that is not there comes in. The first one decides what kind of group it is.
    pub(super) fn add(&mut self, member: Member, protocol_type: &StrBytes) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.forget_pending(&member.id);
        self.put(member);
    }

    /// A member or an id that was given out goes; the calls that wait for it are the caller's.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.take(id);
        if let Some(instance_id) = removed.as_ref().and_then(|it| it.instance_id.as_ref()) {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.forget_pending(id);
        removed
    }

    /// A static member comes back under a new id, as what it was; the calls of the old one are the caller's.
    pub(super) fn replace_static(&mut self, old_id: &str, new_id: StrBytes) -> Option<Member> {
        let old = self.take(old_id)?;
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        if let Some(instance_id) = &old.instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        self.put(Member {
            id: new_id,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            is_sync_pending: old.is_sync_pending,
            session_end: None,
            ..old.clone()
        });
        Some(old)
    }

    /// Changes a member, whatever of it counts elsewhere.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Member)) {
        if let Some(mut member) = self.take(id) {
            change(&mut member);
            self.put(member);
        }
    }

    /// A member's JoinGroup waits from now on. Returns one that waited before.
    pub(super) fn park_join(&mut self, id: &str, call: CallId) -> Option<CallId> {
        let member = self.member_mut(id)?;
        let before = member.awaiting_join.replace(call);
        self.awaiting_join += usize::from(before.is_none());
        before
    }

    /// A member's JoinGroup waits no longer.
    pub(super) fn unpark_join(&mut self, id: &str) -> Option<CallId> {
        let call = self.member_mut(id)?.awaiting_join.take()?;
        self.awaiting_join -= 1;
        Some(call)
    }

    /// An id is given out; it is forgotten at `until`.
    pub(super) fn add_pending(&mut self, id: StrBytes, until: Mono) {
        self.pending_bytes += PENDING_BYTES + id.len();
        self.pending.insert(id, until);
        self.wake_at(until);
    }

    fn forget_pending(&mut self, id: &str) {
        if self.pending.remove(id.as_bytes()).is_some() {
            self.pending_bytes -= PENDING_BYTES + id.len();
        }
    }

    /// Something may be due at `at`.
    pub(super) fn wake_at(&mut self, at: Mono) {
        if self.earliest.is_none_or(|earliest| at < earliest) {
            self.earliest = Some(at);
        }
    }

    /// A member's session begins anew.
    pub(super) fn begin_session(&mut self, id: &str, end: Mono) {
        if let Some(member) = self.member_mut(id) {
            member.session_end = Some(end);
            self.wake_at(end);
        }
    }

    /// Whether the first members are waited for.
    #[cfg(test)]
    pub fn is_gathering(&self) -> bool {
        self.state == State::PreparingRebalance && self.is_initial
    }

    pub(super) fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = Some(now);
    }

    /// The members that are there are those of a new generation.
    pub(super) fn next_generation(&mut self, now: Timestamp) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol_name = self.select_protocol();
        self.subscribed = subscribed_topics(self);
        let state = if self.members.is_empty() { State::Empty } else { State::CompletingRebalance };
        self.enter(state, now);
        self.is_initial = false;
        self.has_new_member = false;
        self.clear_pending_sync();
    }

    pub(super) fn clear_pending_sync(&mut self) {
        for member in self.members.values_mut() {
            member.is_sync_pending = false;
        }
        self.sync_timer = None;
    }

    /// Puts in what is counted.
    fn put(&mut self, member: Member) {
        self.members_bytes += member.bytes();
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
        for name in member.protocols.distinct_names() {
            *self.supported.entry(name.clone()).or_default() += 1;
        }
        self.members.insert(member.id.clone(), Box::new(member));
    }

    /// Takes out what is counted.
    fn take(&mut self, id: &str) -> Option<Member> {
        let member = *self.members.remove(id.as_bytes())?;
        self.members_bytes -= member.bytes();
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
        for name in member.protocols.distinct_names() {
            if let Some(count) = self.supported.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(name);
                }
            }
        }
        Some(member)
    }
}

#[cfg(any(test, feature = "sim"))]
impl ClassicGroup {
    /// As if it had come so far.
    #[cfg(test)]
    pub fn set_generation(&mut self, generation: i32) {
        self.generation = generation;
    }

    /// Whether a call waits for it.
    pub fn is_waiting(&self) -> bool {
        let mut members = self.members.values();
        members.any(|it| it.awaiting_join.is_some() || it.awaiting_sync.is_some())
    }

    /// Whether there is no round under way, so that it is what the log says.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Stable | State::Empty)
    }

    /// What must always hold.
    pub fn assert_consistent(&self) {
        let has_leader =
            self.leader.as_ref().is_some_and(|leader| self.members.contains_key(leader));
        assert_eq!(has_leader, !self.members.is_empty(), "one leader: {self:?}");
        let waiting = self.members.values().filter(|it| it.awaiting_join.is_some()).count();
        assert_eq!(waiting, self.awaiting_join);
        let bytes: usize = self.members.values().map(|it| it.bytes()).sum();
        assert_eq!(bytes, self.members_bytes);
        let pending = self.pending.keys().map(|id| PENDING_BYTES + id.len()).sum::<usize>();
        assert_eq!(pending, self.pending_bytes);
        for (name, id) in &self.static_members {
            assert_eq!(self.members[id].instance_id.as_ref(), Some(name));
        }
        let named = self.members.values().filter(|it| it.is_static()).count();
        assert_eq!(named, self.static_members.len());
        if self.state == State::Empty {
            assert!(self.members.is_empty());
        } else {
            assert!(self.members.is_empty() || self.select_protocol().is_some(), "{self:?}");
        }
        if matches!(self.state, State::Stable | State::CompletingRebalance) {
            let Some(protocol) = &self.protocol_name else { panic!("no protocol: {self:?}") };
            assert!(self.members.values().all(|it| it.protocols.metadata(protocol).is_some()));
            assert_eq!(self.awaiting_join, 0);
            assert_eq!(self.join_timer, None);
        }
        assert_eq!(self.state == State::PreparingRebalance, self.join_timer.is_some());
        if self.state != State::CompletingRebalance {
            assert!(self.members.values().all(|it| it.awaiting_sync.is_none()));
        }
    }
}
