//! What comes due: the end of waiting for members, of waiting for SyncGroups, of sessions, of ids that were given out.
//!
//! A point in time stands where it is meant: in the member, in the group. The group's `earliest` is not later than any
//! of them; when it has come, all are looked at, what is due happens in the order in which it was due, and `earliest`
//! is found anew. Putting something off therefore costs nothing.

use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use super::group::{ClassicGroup, State};
use super::member::duration;
use super::step::Step;
use crate::kernel::groups::requests::GroupOutput;
use crate::kernel::groups::table::Groups;
use crate::kernel::machine::Env;
use crate::types::time::Mono;

/// When waiting for members ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JoinTimer {
    /// The first members: if others came meanwhile, once more, up to `remaining_ms`.
    Initial {
        /// When to look.
        at: Mono,
        /// How long was waited this time.
        delay_ms: i32,
        /// How long may be waited after this.
        remaining_ms: i32,
    },
    /// All members.
    Rebalance {
        /// When those that have not joined are out.
        at: Mono,
    },
}

impl JoinTimer {
    const fn at(self) -> Mono {
        match self {
            Self::Initial { at, .. } | Self::Rebalance { at } => at,
        }
    }
}

/// What can come due, in the order in which it happens if it does so at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Join,
    Sync,
    Session(StrBytes),
    Pending(StrBytes),
}

impl ClassicGroup {
    pub(super) fn set_join_timer(&mut self, timer: JoinTimer) {
        self.join_timer = Some(timer);
        self.wake_at(timer.at());
    }

    pub(super) fn set_sync_timer(&mut self, at: Mono) {
        self.sync_timer = Some(at);
        self.wake_at(at);
    }

    /// Every point in time at which something comes due.
    fn deadlines(&self) -> impl Iterator<Item = (Mono, Due)> {
        let join = self.join_timer.map(|timer| (timer.at(), Due::Join));
        let sync = self.sync_timer.map(|at| (at, Due::Sync));
        let sessions = self.members.values();
        let sessions =
            sessions.filter_map(|it| it.session_end.map(|end| (end, Due::Session(it.id.clone()))));
        let pending = self.pending.iter().map(|(id, until)| (*until, Due::Pending(id.clone())));
        join.into_iter().chain(sync).chain(sessions).chain(pending)
    }
}

impl Step<'_, '_> {
    /// Does what is due.
    fn on_timeout(&mut self) {
        let now = self.env.now.mono;
        let mut due: Vec<_> = self.group.deadlines().filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        for (at, what) in due {
            self.on_due(at, &what);
        }
        self.group.earliest = self.group.deadlines().map(|(at, _)| at).min();
    }

    /// Something that was due when all was looked at; it may be settled since.
    fn on_due(&mut self, at: Mono, what: &Due) {
        let now = self.env.now.mono;
        match what {
            Due::Join => match self.group.join_timer {
                Some(timer) if timer.at() <= now => self.on_join_timer(timer),
                _ => {}
            },
            Due::Sync if self.group.sync_timer == Some(at) => self.on_sync_timer(),
            Due::Session(id)
                if self.group.member(id).is_some_and(|it| it.session_end == Some(at)) =>
            {
                self.on_session_end(id);
            }
            Due::Pending(id) if self.group.is_pending(id) => {
                tracing::debug!(group = &*self.group.id, member = &**id, "has not joined");
                self.remove(id);
                self.complete_join_if_all_are_there();
            }
            Due::Sync | Due::Session(_) | Due::Pending(_) => {}
        }
    }

    fn on_join_timer(&mut self, timer: JoinTimer) {
        self.group.join_timer = None;
        if let JoinTimer::Initial { delay_ms, remaining_ms, .. } = timer
            && self.group.has_new_member
            && remaining_ms != 0
        {
            self.group.has_new_member = false;
            let next_ms = remaining_ms.min(self.env.config.group_initial_rebalance_delay_ms.max(0));
            self.group.set_join_timer(JoinTimer::Initial {
                at: self.env.now.mono.after(duration(next_ms)),
                delay_ms: next_ms,
                remaining_ms: remaining_ms.saturating_sub(delay_ms).max(0),
            });
            return;
        }
        self.complete_join();
    }

    /// Those who have not asked for their assignments go.
    fn on_sync_timer(&mut self) {
        self.group.sync_timer = None;
        let members = self.group.members.values();
        let silent: Vec<StrBytes> =
            members.filter(|it| it.is_sync_pending).map(|it| it.id.clone()).collect();
        if silent.is_empty() {
            return;
        }
        for id in &silent {
            self.remove(id);
        }
        self.prepare_rebalance("members have not asked for their assignments");
    }

    fn on_session_end(&mut self, id: &StrBytes) {
        if self.group.member(id).is_some_and(super::member::Member::is_excused) {
            // It waits for us: its session begins anew when it has its answer.
            self.group.change(id, |member| member.session_end = None);
            return;
        }
        tracing::debug!(group = &*self.group.id, member = &**id, "the session has ended");
        self.remove(id);
        match self.group.state {
            State::Stable | State::CompletingRebalance => {
                self.prepare_rebalance("a member's session has ended");
            }
            State::PreparingRebalance | State::Empty => self.complete_join_if_all_are_there(),
        }
    }

    /// Unlike after a JoinGroup or a LeaveGroup, the first round of a group ends here too, as in Kafka.
    fn complete_join_if_all_are_there(&mut self) {
        if self.group.state == State::PreparingRebalance && self.group.has_all_joined() {
            self.complete_join();
        }
    }
}

/// A group was loaded: its members' sessions begin anew. One that has become too large by a change of configuration
/// prepares at once, and the last to join stay out.
pub fn on_loaded(groups: &mut Groups, env: &mut Env<'_>, output: &mut GroupOutput, id: &str) {
    groups.update_classic(id, |group| {
        let ids: Vec<StrBytes> = group.members.keys().cloned().collect();
        let size_max = size_max(env);
        let mut step = Step { group, env, output };
        for id in &ids {
            step.keep_alive(id);
        }
        if ids.len() > size_max {
            step.prepare_rebalance("the loaded group is too large");
        }
    });
}

/// The most members that a group may have.
pub(super) fn size_max(env: &Env<'_>) -> usize {
    usize::try_from(env.config.group_max_size).unwrap_or(0)
}

/// Something of a group may be due.
pub fn on_timeout(groups: &mut Groups, env: &mut Env<'_>, output: &mut GroupOutput, id: &Arc<str>) {
    groups.update_classic(id, |group| Step { group, env, output }.on_timeout());
}
