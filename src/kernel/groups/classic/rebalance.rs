//! The round: preparing, the end of waiting for members, the beginning of a generation.

use kafka_protocol::messages::SyncGroupResponse;
use kafka_protocol::protocol::StrBytes;

use super::group::State;
use super::member::duration;
use super::record;
use super::step::{Step, sync_error};
use super::timers::JoinTimer;
use crate::kernel::groups::requests::write;
use crate::types::error_code::ErrorCode;

/// How long the first member of a group is waited with where nothing is configured for that
/// (`group.initial.rebalance.delay.ms=0`). Clients that begin together come within some milliseconds: who serves the
/// first of them alone has the others wait for its next heartbeat. Kafka has a timer of no time there, but takes about
/// this long until it has answered.
pub const FIRST_WAIT_MS: i32 = 10;

impl Step<'_, '_> {
    /// Something has changed that the members have to agree on again; if they are about to, they may be complete now.
    pub(super) fn rebalance_or_complete_join(&mut self, reason: &str) {
        if self.group.state == State::PreparingRebalance {
            self.maybe_complete_join();
        } else {
            self.prepare_rebalance(reason);
        }
    }

    /// Members are to join again.
    pub(super) fn prepare_rebalance(&mut self, reason: &str) {
        if self.group.state == State::CompletingRebalance {
            self.reset_assignments();
        }
        self.group.clear_pending_sync();
        self.group.is_initial = self.group.state == State::Empty;
        self.group.has_new_member = false;
        tracing::debug!(
            group = &*self.group.id,
            state = self.group.state.name(),
            generation = self.group.generation,
            reason,
            "preparing to rebalance"
        );
        self.group.enter(State::PreparingRebalance, self.env.now.wall);
        if self.group.is_initial {
            self.wait_for_first_members();
        } else if self.group.has_all_joined() {
            self.complete_join();
        } else {
            self.wait_for_members();
        }
    }

    /// The first members of a group are given a while to come together.
    fn wait_for_first_members(&mut self) {
        let delay_ms = self.env.config.group_initial_rebalance_delay_ms.max(0);
        let (delay_ms, remaining_ms) = if delay_ms == 0 {
            // Newcomers do not prolong this: nobody has asked for a delay.
            (FIRST_WAIT_MS.min(self.group.rebalance_timeout_ms().max(0)), 0)
        } else {
            (delay_ms, self.group.rebalance_timeout_ms().saturating_sub(delay_ms).max(0))
        };
        let at = self.env.now.mono.after(duration(delay_ms));
        self.group.set_join_timer(JoinTimer::Initial { at, delay_ms, remaining_ms });
    }

    /// Waits for the members for as long as the most patient of them.
    fn wait_for_members(&mut self) {
        let timeout = duration(self.group.rebalance_timeout_ms());
        self.group.set_join_timer(JoinTimer::Rebalance { at: self.env.now.mono.after(timeout) });
    }

    /// Goes on if nobody is missing. The first round of a group waits for time to pass instead.
    pub(super) fn maybe_complete_join(&mut self) {
        let is_waiting = self.group.state == State::PreparingRebalance && !self.group.is_initial;
        if is_waiting && self.group.has_all_joined() {
            self.complete_join();
        }
    }

    /// Begins a generation with those who have joined. Static members stay, joined or not, until their session ends.
    pub(super) fn complete_join(&mut self) {
        self.group.join_timer = None;
        let members = self.group.members.values().map(Box::as_ref);
        let is_missing =
            |it: &&super::member::Member| !it.is_static() && it.awaiting_join.is_none();
        let missing: Vec<StrBytes> = members.filter(is_missing).map(|it| it.id.clone()).collect();
        for id in &missing {
            self.remove(id);
        }
        if !self.elect_joined_leader() && !self.group.members.is_empty() {
            // Only static members that have not joined: their sessions end, or they join.
            self.wait_for_members();
            return;
        }
        self.group.next_generation(self.env.now.wall);
        if self.group.is_empty() {
            tracing::debug!(group = &*self.group.id, generation = self.group.generation, "empty");
            write(self.output, record::of(self.group));
            return;
        }
        tracing::debug!(
            group = &*self.group.id,
            generation = self.group.generation,
            members = self.group.members.len(),
            "a generation begins"
        );
        self.begin_generation();
    }

    /// A leader who has not joined cannot lead. Returns whether there is one who has.
    fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.group.leader.as_ref() else { return false };
        if self.group.member(leader).is_some_and(|it| it.awaiting_join.is_some()) {
            return true;
        }
        let joined = self.group.members.values().find(|it| it.awaiting_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => {
                self.group.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// Tells the members, and waits for all of them to ask for their assignments.
    fn begin_generation(&mut self) {
        let ids: Vec<StrBytes> = self.group.members.keys().cloned().collect();
        for id in ids {
            if let Some(call) = self.group.unpark_join(&id) {
                let response = self.joined(id.clone(), self.group.is_leader(&id));
                self.reply_join(call, response);
            }
            self.keep_alive(&id);
            if let Some(member) = self.group.member_mut(&id) {
                member.is_new = false;
                member.is_sync_pending = true;
            }
        }
        let timeout = duration(self.group.rebalance_timeout_ms());
        self.group.set_sync_timer(self.env.now.mono.after(timeout));
    }

    /// What the last leader assigned is void, and who waits for it is to join again.
    fn reset_assignments(&mut self) {
        self.give_assignments(|_| bytes::Bytes::new(), &sync_error(ErrorCode::RebalanceInProgress));
    }

    /// Gives each member its part, and tells those who wait for it.
    pub(super) fn give_assignments(
        &mut self,
        part: impl Fn(&str) -> bytes::Bytes,
        response: &SyncGroupResponse,
    ) {
        let ids: Vec<StrBytes> = self.group.members.keys().cloned().collect();
        for id in ids {
            let assignment = part(&id);
            self.group.change(&id, |member| member.assignment = assignment.clone());
            let Some(member) = self.group.member_mut(&id) else { continue };
            if let Some(call) = member.awaiting_sync.take() {
                self.reply_sync(call, response.clone().with_assignment(assignment));
                // Its session was not watched while it waited.
                self.keep_alive(&id);
            }
        }
    }
}
