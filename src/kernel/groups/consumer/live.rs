//! A consumer group in its shard: what the log says of it, and what is timed.
//!
//! A point in time stands with its member. The group's `earliest` is not later than any of them; when it has come all are
//! looked at, and it is found anew: a heartbeat, which puts off the end of a session, costs a look-up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::state::{ConsumerGroup, Fate};
use super::{SoftChanges, Timer, TimerChange, TimerTo};
use crate::kernel::groups::table::Weight;
use crate::types::time::Mono;
use crate::wire::coordinator_records::groups::GroupRecord;

/// How long something waits that was due together with something else.
const NEXT_TICK: Duration = Duration::from_millis(1);

/// A timer that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Running {
    until: Mono,
    /// It counts only while the member is at this epoch.
    epoch: Option<i32>,
}

/// What of a group is lost with the shard.
#[derive(Debug, Default)]
pub struct Soft {
    timers: BTreeMap<Arc<str>, BTreeMap<Timer, Running>>,
    /// When the expressions are to be held against the topics, if they are.
    resolve_at: Option<Mono>,
    topics_checked: bool,
    earliest: Option<Mono>,
}

/// See the module.
#[derive(Debug)]
pub struct LiveGroup {
    id: Arc<str>,
    hard: ConsumerGroup,
    soft: Soft,
}

impl Soft {
    /// Takes what a step says of it.
    pub fn take_up(&mut self, now: Mono, changes: &SoftChanges) {
        for change in &changes.timers {
            self.set(now, change);
        }
        if changes.resolve_regexes && self.resolve_at.is_none() {
            self.resolve_at = Some(now);
            self.wake_at(now);
        }
        self.topics_checked |= changes.topics_checked;
    }

    /// Whether a timer runs.
    pub fn runs(&self, member_id: &str, timer: Timer) -> bool {
        self.timers.get(member_id).is_some_and(|timers| timers.contains_key(&timer))
    }

    fn set(&mut self, now: Mono, change: &TimerChange) {
        let (ms, epoch, only_if_absent) = match change.to {
            TimerTo::Start(ms) => (ms, None, false),
            TimerTo::StartIfAbsent(ms) => (ms, None, true),
            TimerTo::StartAtEpoch(ms, epoch) => (ms, Some(epoch), false),
            TimerTo::Stop => return self.stop(&change.member_id, change.timer),
        };
        let timers = match self.timers.get_mut(&change.member_id) {
            Some(timers) => timers,
            None => self.timers.entry(Arc::clone(&change.member_id)).or_default(),
        };
        if only_if_absent && timers.contains_key(&change.timer) {
            return;
        }
        let until = now.after(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        timers.insert(change.timer, Running { until, epoch });
        self.wake_at(until);
    }

    fn stop(&mut self, member_id: &str, timer: Timer) {
        let Some(timers) = self.timers.get_mut(member_id) else { return };
        timers.remove(&timer);
        if timers.is_empty() {
            self.timers.remove(member_id);
        }
    }

    fn wake_at(&mut self, at: Mono) {
        if self.earliest.is_none_or(|earliest| at < earliest) {
            self.earliest = Some(at);
        }
    }

    fn next(&self) -> Option<Mono> {
        let timers = self.timers.values().flat_map(BTreeMap::values).map(|running| running.until);
        timers.chain(self.resolve_at).min()
    }
}

impl LiveGroup {
    /// A group that comes with the records of a step which said this of its soft state.
    pub fn new(id: &str, soft: Soft) -> Self {
        Self { id: Arc::from(id), hard: ConsumerGroup::default(), soft }
    }

    /// Its id.
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What the log says.
    pub const fn hard(&self) -> &ConsumerGroup {
        &self.hard
    }

    /// What the log does not say.
    pub const fn soft(&self) -> &Soft {
        &self.soft
    }

    /// The same, to be changed.
    pub const fn soft_mut(&mut self) -> &mut Soft {
        &mut self.soft
    }

    /// Whether the group's epoch stands for the topics as they are.
    pub const fn topics_checked(&self) -> bool {
        self.soft.topics_checked
    }

    /// The next heartbeat compares the topics with what they were.
    pub const fn check_topics(&mut self) {
        self.soft.topics_checked = false;
    }

    /// Takes a record of the group.
    pub fn replay(&mut self, record: GroupRecord) -> Fate {
        self.hard.replay(record)
    }

    /// Not later than anything of it is due.
    pub const fn earliest(&self) -> Option<Mono> {
        self.soft.earliest
    }

    /// What it weighs.
    pub const fn weight(&self) -> Weight {
        Weight { members: self.hard.bytes(), strangers: 0 }
    }

    /// What is due: members whose time is over, in the order in which it ended, and otherwise whether the expressions are
    /// to be held against the topics. What is told is not due any more; one thing at a time, for either raises the epoch.
    pub fn take_due(&mut self, now: Mono) -> (Vec<Arc<str>>, bool) {
        let soft = &mut self.soft;
        let mut due = Vec::new();
        for (id, timers) in &mut soft.timers {
            timers.retain(|_, running| {
                let is_over = running.until <= now;
                if is_over {
                    due.push((running.until, Arc::clone(id), running.epoch));
                }
                !is_over
            });
        }
        soft.timers.retain(|_, timers| !timers.is_empty());
        due.sort_unstable();
        let counts = |id: &str, epoch: Option<i32>| {
            let member = self.hard.member(id);
            member.is_some_and(|member| epoch.is_none_or(|epoch| member.epoch == epoch))
        };
        let due = due.into_iter().filter(|(_, id, epoch)| counts(id, *epoch)).map(|(_, id, _)| id);
        // Several timers of a member may end at once; it goes once.
        let mut seen = BTreeSet::new();
        let due: Vec<Arc<str>> = due.filter(|id| seen.insert(Arc::clone(id))).collect();
        let resolve = soft.resolve_at.is_some_and(|at| at <= now);
        if resolve {
            soft.resolve_at = (!due.is_empty()).then(|| now.after(NEXT_TICK));
        }
        soft.earliest = soft.next();
        (due.clone(), resolve && due.is_empty())
    }
}
