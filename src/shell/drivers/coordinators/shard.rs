//! One shard: a machine, its log, and those who wait for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::World;
use super::called::{Called, Commit, Told};
use super::load::{LoadError, load};
use crate::kernel::coordinator::step::{MarkerFailure, coordinator_error};
use crate::kernel::coordinator::{EndOfTransaction, Failed, Running, ShardLog};
use crate::kernel::machine::{CallId, Env, Machine, OutputOf, ShardId};
use crate::kernel::metadata::changes::Changes;
use crate::shell::drivers::partitions::{Appended, Origin, Partition};
use crate::shell::random::random_bytes;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;
use crate::types::time::{Mono, Now};
use crate::wire::batch::Batch;

/// So many calls may be parked in one shard. Whoever comes after them is turned away.
const PARKED_CALLS_MAX: usize = 65_536;
/// A timer whose write was refused, or a load whose first write was, is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct Shard<M: Machine> {
    pub id: ShardId,
    commit: Commit,
    state: Mutex<State<M>>,
}

enum State<M: Machine> {
    /// Its log is being read, or will be.
    Loading,
    /// It works.
    Active(Box<Active<M>>),
    /// Its log cannot be read; or it can, but cannot be written, and is tried again.
    Failed {
        /// When.
        retry_at: Option<Mono>,
    },
    /// This node does not lead the partition any more.
    Closed,
}

struct Active<M: Machine> {
    running: Running<M>,
    parked: SeededMap<CallId, oneshot::Sender<Told<M::Reply>>>,
    /// Timers rest until then, because a write of theirs was refused.
    resting_until: Mono,
}

/// What is left to do once the lock is free.
pub(super) struct After<E> {
    pub effects: Vec<E>,
    /// What must be committed before the effects.
    pub end: Offset,
    /// When the timers are due.
    pub deadline: Option<Mono>,
    /// The machine was dropped.
    pub must_load: bool,
}

impl<E> After<E> {
    const fn nothing() -> Self {
        Self { effects: Vec::new(), end: Offset::ZERO, deadline: None, must_load: false }
    }

    fn load() -> Self {
        Self { must_load: true, ..Self::nothing() }
    }
}

/// What comes of one step.
struct Step<M: Machine> {
    /// Whose step it is, if it is a call's.
    call: Option<CallId>,
    own: Option<Result<M::Reply, ErrorCode>>,
    effects: Vec<M::Effect>,
    was_refused: bool,
}

impl<M: Machine> Step<M> {
    const fn of(call: Option<CallId>) -> Self {
        Self { call, own: None, effects: Vec::new(), was_refused: false }
    }

    /// Tells whose step it is, or who was parked. A client that has gone needs no telling.
    fn tell(&mut self, active: &mut Active<M>, call: CallId, told: Result<M::Reply, ErrorCode>) {
        if self.call == Some(call) {
            self.own = Some(told);
        } else if let Some(caller) = active.parked.remove(&call) {
            let end = active.running.end;
            let _ = caller.send(told.map(|reply| (reply, end)));
        }
    }

    fn after(self, active: &Active<M>) -> After<M::Effect> {
        let deadline = active.deadline();
        After { effects: self.effects, end: active.running.end, deadline, must_load: false }
    }
}

/// The log of a shard.
struct Log<'a> {
    commit: &'a Commit,
    acks: i16,
}

impl ShardLog for Log<'_> {
    fn max_message_bytes(&self) -> usize {
        self.commit.partition.config().max_message_bytes as usize
    }

    fn append(&mut self, batch: &Batch, origin: Origin, now: Now) -> Result<Appended, ErrorCode> {
        let Commit { partition, leader_epoch, .. } = self.commit;
        partition.append_in_epoch(batch, origin, self.acks, *leader_epoch, now)
    }
}

impl<M: Machine> Active<M> {
    fn deadline(&self) -> Option<Mono> {
        self.running.machine.next_deadline().map(|deadline| deadline.max(self.resting_until))
    }

    /// Whether another call may be parked. Those whose clients have gone make room.
    fn has_room(&mut self) -> bool {
        if self.parked.len() >= PARKED_CALLS_MAX {
            self.parked.retain(|_, caller| !caller.is_closed());
        }
        self.parked.len() < PARKED_CALLS_MAX
    }
}

impl<M: Machine> Shard<M> {
    pub fn new(id: ShardId, partition: Arc<Partition>, world: &World) -> Self {
        let timeout_ms = (world.topic.commit_timeout_ms)(&world.config.load());
        let timeout = Duration::from_millis(timeout_ms.max(0).cast_unsigned().into());
        let commit = Commit { partition, leader_epoch: id.leader_epoch, timeout };
        Self { id, commit, state: Mutex::new(State::Loading) }
    }

    /// Whether this is the shard of that partition, in that term of office.
    pub fn is_of(&self, id: ShardId, partition: &Arc<Partition>) -> bool {
        self.id == id && Arc::ptr_eq(&self.commit.partition, partition)
    }

    /// Whether there is nothing to load.
    pub fn is_log_empty(&self) -> bool {
        let offsets = self.commit.partition.offsets();
        offsets.log_start == offsets.log_end
    }

    pub fn is_committed(&self, end: Offset) -> bool {
        self.commit.is_there(end) == Ok(true)
    }

    /// Returns once everything before `end` is committed, or this term of office is over.
    pub async fn committed(&self, end: Offset) -> Result<(), ErrorCode> {
        self.commit.reached(end).await
    }

    /// Another leads. Parked calls are told by the loss of their senders.
    pub fn close(&self) {
        *self.lock() = State::Closed;
    }

    pub fn call(
        &self,
        world: &World,
        now: Now,
        request: M::Request,
    ) -> (Called<M::Reply>, After<M::Effect>) {
        let mut state = self.lock();
        let active = match state.active() {
            Ok(active) => active,
            Err(code) => return (Called::Now(Err(code)), After::nothing()),
        };
        if !active.has_room() {
            return (Called::Now(Err(ErrorCode::CoordinatorNotAvailable)), After::nothing());
        }
        let call = world.next_call();
        let mut step = Step::of(Some(call));
        let decide = |machine: &mut M, env: &mut Env<'_>| machine.on_request(env, call, request);
        if let Err(code) = self.step(world, active, &mut step, now, decide) {
            return (Called::Now(Err(code)), self.fail(&mut state, code));
        }
        let called = match step.own.take() {
            Some(Ok(reply)) => match self.commit.is_there(active.running.end) {
                Ok(true) => Called::Now(Ok(reply)),
                Ok(false) => Called::uncommitted(reply, active.running.end, self.commit.clone()),
                Err(code) => Called::Now(Err(code)),
            },
            Some(Err(code)) => Called::Now(Err(code)),
            None => {
                let (caller, told) = oneshot::channel();
                active.parked.insert(call, caller);
                Called::parked(told, self.commit.clone())
            }
        };
        (called, step.after(active))
    }

    pub fn write_marker(
        &self,
        world: &World,
        end: EndOfTransaction,
        now: Now,
    ) -> (Called<()>, After<M::Effect>) {
        let mut state = self.lock();
        let active = match state.active() {
            Ok(active) => active,
            Err(code) => return (Called::Now(Err(code)), After::nothing()),
        };
        match active.running.end_transaction(&mut self.log(world), end, now) {
            Ok(()) => {}
            Err(MarkerFailure::Refused(code)) => {
                return (Called::Now(Err(code)), After::nothing());
            }
            Err(MarkerFailure::Lost(code)) => {
                let after = self.fail(&mut state, coordinator_error(code));
                return (Called::Now(Err(code)), after);
            }
        }
        let called = match self.commit.is_there(active.running.end) {
            Ok(false) => Called::uncommitted((), active.running.end, self.commit.clone()),
            there => Called::Now(there.map(|_| ())),
        };
        (called, Step::<M>::of(None).after(active))
    }

    /// Its timers, if they are due; the deadline in what it gives is when they are due next.
    pub fn on_time(&self, world: &World, now: Now) -> After<M::Effect> {
        let mut state = self.lock();
        let active = match &mut *state {
            State::Active(active) => active,
            State::Failed { retry_at: Some(at) } if *at <= now.mono => {
                *state = State::Loading;
                return After::load();
            }
            State::Failed { retry_at } => {
                return After { deadline: *retry_at, ..After::nothing() };
            }
            State::Loading | State::Closed => return After::nothing(),
        };
        let deadline = active.deadline();
        if deadline.is_none_or(|deadline| deadline > now.mono) {
            return After { deadline, ..After::nothing() };
        }
        let mut step = Step::of(None);
        if let Err(code) = self.step(world, active, &mut step, now, M::on_timeout) {
            return self.fail(&mut state, code);
        }
        if step.was_refused {
            active.resting_until = now.mono.after(RETRY_AFTER);
        }
        step.after(active)
    }

    pub fn on_image(&self, world: &World, changes: &Changes, now: Now) -> After<M::Effect> {
        let mut state = self.lock();
        let Ok(active) = state.active() else {
            // A load that ends later sees the image whole.
            return After::nothing();
        };
        let mut step = Step::of(None);
        let decide = |machine: &mut M, env: &mut Env<'_>| machine.on_image(env, changes);
        if let Err(code) = self.step(world, active, &mut step, now, decide) {
            return self.fail(&mut state, code);
        }
        step.after(active)
    }

    /// Reads the log, unless the shard has been closed meanwhile, and begins to work. `now` is asked once it is read:
    /// sessions that begin anew then are not shorter by the time that the load took.
    pub fn load(&self, world: &World, now: &dyn Fn() -> Now) -> After<M::Effect> {
        if !matches!(*self.lock(), State::Loading) {
            return After::nothing();
        }
        let began = now().mono;
        let buffer_bytes = (world.topic.load_buffer_bytes)(&world.config.load());
        let is_wanted = || matches!(*self.lock(), State::Loading);
        let loaded = load::<M>(
            self.id,
            &self.commit.partition,
            buffer_bytes.max(1).cast_unsigned(),
            &is_wanted,
            &|| world.threads.has_ended_loads(),
        );
        let now = now();
        let mut state = self.lock();
        if !matches!(*state, State::Loading) {
            return After::nothing();
        }
        let running = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                if !matches!(error, LoadError::Stopped) {
                    let partition = &self.commit.partition;
                    tracing::error!(?partition, %error, "load the state of a coordinator");
                }
                *state = State::Failed { retry_at: None };
                return After::nothing();
            }
        };
        let (partition, took) = (&self.commit.partition, now.mono.since(began));
        tracing::debug!(?partition, ?took, "loaded the state of a coordinator");
        let mut active =
            Active { running, parked: SeededMap::default(), resting_until: Mono::default() };
        let mut step = Step::of(None);
        if let Err(code) = self.step(world, &mut active, &mut step, now, M::on_loaded) {
            tracing::warn!(partition = ?self.commit.partition, ?code, "begin to coordinate");
            let retry_at = now.mono.after(RETRY_AFTER);
            *state = State::Failed { retry_at: Some(retry_at) };
            return After { deadline: Some(retry_at), ..After::nothing() };
        }
        let after = step.after(&active);
        *state = State::Active(Box::new(active));
        after
    }

    /// Lets the machine decide, does what it decided, and tells those who were parked. With an error the machine is to
    /// be dropped.
    fn step(
        &self,
        world: &World,
        active: &mut Active<M>,
        step: &mut Step<M>,
        now: Now,
        decide: impl FnOnce(&mut M, &mut Env<'_>) -> OutputOf<M>,
    ) -> Result<(), ErrorCode> {
        let (image, config) = (world.image.load(), world.config.load());
        let mut random = random_bytes;
        let mut env = Env { now, image: &image, config: &config, random: &mut random };
        let stepped = active.running.step(world.topic, &mut self.log(world), &mut env, decide);
        let (refused, stepped) = match stepped {
            Ok(mut done) => (std::mem::take(&mut done.refused), Ok(done)),
            Err(Failed { code, refused }) => (refused, Err(code)),
        };
        for (call, code) in refused {
            step.tell(active, call, Err(code));
        }
        let done = stepped?;
        for (call, reply) in done.replies {
            step.tell(active, call, Ok(reply));
        }
        step.effects = done.effects;
        step.was_refused = done.was_refused;
        Ok(())
    }

    const fn log<'a>(&'a self, world: &'a World) -> Log<'a> {
        Log { commit: &self.commit, acks: world.topic.acks }
    }

    /// Drops the machine. Its log says what it knew; who was parked is told.
    fn fail(&self, state: &mut State<M>, code: ErrorCode) -> After<M::Effect> {
        let partition = &self.commit.partition;
        tracing::warn!(?partition, ?code, "a coordinator's write failed: its state is loaded anew");
        if let State::Active(active) = std::mem::replace(state, State::Loading) {
            for (_, caller) in active.parked {
                let _ = caller.send(Err(code));
            }
        }
        After::load()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Machine> State<M> {
    fn active(&mut self) -> Result<&mut Active<M>, ErrorCode> {
        match self {
            Self::Active(active) => Ok(active),
            Self::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Self::Failed { .. } | Self::Closed => Err(ErrorCode::NotCoordinator),
        }
    }
}
