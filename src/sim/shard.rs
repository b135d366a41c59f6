//! A shard with its log: the driver of the simulated world. It does what `shell::drivers::coordinators` does, in the same
//! order, by the same steps of [`kernel::coordinator`](crate::kernel::coordinator); threads, locks and futures are not
//! there, and what would wait is a value.

use std::collections::BTreeSet;
use std::time::Duration;

use super::log::PartitionLog;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::internal_topics::InternalTopic;
use crate::kernel::coordinator::step::{MarkerFailure, coordinator_error};
use crate::kernel::coordinator::{EndOfTransaction, Failed, Replay, Running, ShardLog};
use crate::kernel::log::append::{Appended, Origin};
use crate::kernel::machine::{CallId, Env, Machine, OutputOf, ShardId};
use crate::kernel::metadata::image::Image;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now};
use crate::wire::batch::Batch;

/// A timer whose write was refused, or a load whose first write was, is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// The largest batch of an internal topic here.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What a step may look at.
pub struct Base<'a> {
    /// The internal topic.
    pub topic: &'static InternalTopic,
    /// The log of the shard.
    pub log: &'a mut PartitionLog,
    /// The present.
    pub now: Now,
    /// The newest image.
    pub image: &'a Image,
    /// The configuration.
    pub config: &'a BrokerConfig,
    /// Random bytes.
    pub random: &'a mut dyn FnMut() -> [u8; 16],
}

/// How a shard is.
#[derive(Debug)]
pub enum State<M: Machine> {
    /// Its log is to be read.
    Loading,
    /// It works.
    Active(Box<Active<M>>),
    /// Its log could not be written, and is tried again.
    Failed(Mono),
}

/// A shard that works.
#[derive(Debug)]
pub struct Active<M: Machine> {
    /// The machine.
    pub running: Running<M>,
    parked: BTreeSet<CallId>,
    resting_until: Mono,
}

/// See the module.
#[derive(Debug)]
pub struct Shard<M: Machine> {
    /// Which, and in which term of office.
    pub id: ShardId,
    /// How it is.
    pub state: State<M>,
}

/// Someone is told something, once the log is committed up to `end`; an error leaves at once.
#[derive(Debug)]
pub struct Told<P> {
    /// Whose call.
    pub call: CallId,
    /// What.
    pub result: Result<P, ErrorCode>,
}

/// What comes of a step.
#[derive(Debug)]
pub struct After<M: Machine> {
    /// Who is told what.
    pub told: Vec<Told<M::Reply>>,
    /// What is to be done.
    pub effects: Vec<M::Effect>,
    /// What must be committed before.
    pub end: Offset,
    /// The machine was dropped: it is to be loaded.
    pub must_load: bool,
}

impl<M: Machine> After<M> {
    /// Nothing.
    pub const fn nothing() -> Self {
        Self { told: Vec::new(), effects: Vec::new(), end: Offset::ZERO, must_load: false }
    }

    fn one(call: CallId, code: ErrorCode) -> Self {
        Self { told: vec![Told { call, result: Err(code) }], ..Self::nothing() }
    }
}

struct Appender<'a> {
    log: &'a mut PartitionLog,
    epoch: LeaderEpoch,
}

impl ShardLog for Appender<'_> {
    fn max_message_bytes(&self) -> usize {
        MESSAGE_BYTES_MAX
    }

    fn append(&mut self, batch: &Batch, origin: Origin, now: Now) -> Result<Appended, ErrorCode> {
        self.log.append(batch, origin, Some(self.epoch), now)
    }
}

impl<M: Machine> Active<M> {
    fn deadline(&self) -> Option<Mono> {
        self.running.machine.next_deadline().map(|deadline| deadline.max(self.resting_until))
    }
}

impl<M: Machine> Shard<M> {
    /// A shard that is to be loaded.
    pub const fn new(id: ShardId) -> Self {
        Self { id, state: State::Loading }
    }

    /// The machine, if it works.
    pub const fn machine(&self) -> Option<&M> {
        match &self.state {
            State::Active(active) => Some(&active.running.machine),
            _ => None,
        }
    }

    /// Another leads: who was parked is told.
    pub fn close(self) -> Vec<Told<M::Reply>> {
        match self.state {
            State::Active(active) => told_all(active.parked, ErrorCode::NotCoordinator),
            _ => Vec::new(),
        }
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Mono> {
        match &self.state {
            State::Active(active) => active.deadline(),
            State::Failed(retry_at) => Some(*retry_at),
            State::Loading => None,
        }
    }

    /// A request.
    pub fn call(&mut self, base: &mut Base<'_>, call: CallId, request: M::Request) -> After<M> {
        let active = match &mut self.state {
            State::Active(active) => active,
            State::Loading => return After::one(call, ErrorCode::CoordinatorLoadInProgress),
            State::Failed(_) => return After::one(call, ErrorCode::NotCoordinator),
        };
        active.parked.insert(call);
        let decide = |machine: &mut M, env: &mut Env<'_>| machine.on_request(env, call, request);
        match step(self.id, active, base, decide) {
            Ok((after, _)) => after,
            Err((told, code)) => self.fail(told, code),
        }
    }

    /// The end of a transaction.
    pub fn write_marker(
        &mut self,
        base: &mut Base<'_>,
        end: EndOfTransaction,
    ) -> (Result<Offset, ErrorCode>, After<M>) {
        let active = match &mut self.state {
            State::Active(active) => active,
            State::Loading => {
                return (Err(ErrorCode::CoordinatorLoadInProgress), After::nothing());
            }
            State::Failed(_) => return (Err(ErrorCode::NotCoordinator), After::nothing()),
        };
        let mut log = Appender { log: &mut *base.log, epoch: self.id.leader_epoch };
        match active.running.end_transaction(&mut log, end, base.now) {
            Ok(()) => (Ok(active.running.end), After::nothing()),
            Err(MarkerFailure::Refused(code)) => (Err(code), After::nothing()),
            Err(MarkerFailure::Lost(code)) => {
                (Err(code), self.fail(Vec::new(), coordinator_error(code)))
            }
        }
    }

    /// Its timers, if they are due.
    pub fn on_time(&mut self, base: &mut Base<'_>) -> After<M> {
        let active = match &mut self.state {
            State::Active(active) => active,
            State::Failed(at) if *at <= base.now.mono => {
                self.state = State::Loading;
                return After { must_load: true, ..After::nothing() };
            }
            State::Failed(_) | State::Loading => return After::nothing(),
        };
        if active.deadline().is_none_or(|deadline| deadline > base.now.mono) {
            return After::nothing();
        }
        match step(self.id, active, base, M::on_timeout) {
            Ok((after, was_refused)) => {
                if was_refused {
                    active.resting_until = base.now.mono.after(RETRY_AFTER);
                }
                after
            }
            Err((told, code)) => self.fail(told, code),
        }
    }

    /// The metadata changed.
    pub fn on_image(
        &mut self,
        base: &mut Base<'_>,
        changes: &crate::kernel::metadata::changes::Changes,
    ) -> After<M> {
        let State::Active(active) = &mut self.state else { return After::nothing() };
        let decide = |machine: &mut M, env: &mut Env<'_>| machine.on_image(env, changes);
        match step(self.id, active, base, decide) {
            Ok((after, _)) => after,
            Err((told, code)) => self.fail(told, code),
        }
    }

    /// Reads the log and begins to work.
    pub fn load(&mut self, base: &mut Base<'_>, batches: &[Batch]) -> Result<After<M>, String> {
        if !matches!(self.state, State::Loading) {
            return Ok(After::nothing());
        }
        base.log.refused.clear();
        let mut replay = Replay::<M>::new(self.id, Offset::ZERO);
        for batch in batches {
            replay.take(batch).map_err(|error| error.to_string())?;
        }
        let mut active = Active {
            running: replay.finish(),
            parked: BTreeSet::new(),
            resting_until: Mono::default(),
        };
        let Ok((after, _)) = step(self.id, &mut active, base, M::on_loaded) else {
            self.state = State::Failed(base.now.mono.after(RETRY_AFTER));
            return Ok(After::nothing());
        };
        self.state = State::Active(Box::new(active));
        Ok(after)
    }

    fn fail(&mut self, mut told: Vec<Told<M::Reply>>, code: ErrorCode) -> After<M> {
        if let State::Active(active) = std::mem::replace(&mut self.state, State::Loading) {
            told.extend(told_all(active.parked, code));
        }
        After { told, must_load: true, ..After::nothing() }
    }
}

fn told_all<P>(parked: BTreeSet<CallId>, code: ErrorCode) -> Vec<Told<P>> {
    parked.into_iter().map(|call| Told { call, result: Err(code) }).collect()
}

type Stepped<M> = Result<(After<M>, bool), (Vec<Told<<M as Machine>::Reply>>, ErrorCode)>;

fn step<M: Machine>(
    id: ShardId,
    active: &mut Active<M>,
    base: &mut Base<'_>,
    decide: impl FnOnce(&mut M, &mut Env<'_>) -> OutputOf<M>,
) -> Stepped<M> {
    let (now, image, config) = (base.now, base.image, base.config);
    let mut env = Env { now, image, config, random: &mut *base.random };
    let mut log = Appender { log: &mut *base.log, epoch: id.leader_epoch };
    let stepped = active.running.step(base.topic, &mut log, &mut env, decide);
    let refused = match &stepped {
        Ok(done) => &done.refused,
        Err(Failed { refused, .. }) => refused,
    };
    let mut told = Vec::new();
    for (call, code) in refused {
        if active.parked.remove(call) {
            told.push(Told { call: *call, result: Err(*code) });
        }
    }
    let done = match stepped {
        Ok(done) => done,
        Err(Failed { code, .. }) => return Err((told, code)),
    };
    for (call, reply) in done.replies {
        if active.parked.remove(&call) {
            told.push(Told { call, result: Ok(reply) });
        }
    }
    let (effects, end) = (done.effects, active.running.end);
    Ok((After { told, effects, end, must_load: false }, done.was_refused))
}
