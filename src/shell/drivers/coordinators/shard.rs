//! One shard: a machine, its log, and those who wait for it.

use std::iter::once;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::called::{Called, Commit, Told};
use super::load::{LoadError, load};
use super::{EndOfTransaction, World};
use crate::kernel::machine::{
    CallId, Env, Machine, Marker, OutputOf, Refused, Replayed, ShardId, Write,
};
use crate::kernel::metadata::changes::Changes;
use crate::shell::drivers::partitions::{Appended, Origin, Partition};
use crate::shell::random::random_bytes;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;
use crate::types::time::{Mono, Now};
use crate::wire::batch::Batch;
use crate::wire::batch_builder::BatchBuilder;
use crate::wire::compression::Codec;

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
    machine: M,
    parked: SeededMap<CallId, oneshot::Sender<Told<M::Reply>>>,
    /// The end of what was appended: replies wait until the high watermark is there.
    end: Offset,
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

    fn after(self, active: &Active<M>) -> After<M::Effect> {
        let deadline = active.deadline();
        After { effects: self.effects, end: active.end, deadline, must_load: false }
    }
}

/// Why writes were not written.
enum Failure<R> {
    /// Nothing of these was written, and nothing is wrong with the log.
    Refused(ErrorCode, Vec<Write<R>>),
    /// What is in the log is not known.
    Lost(ErrorCode),
}

impl<M: Machine> Active<M> {
    fn deadline(&self) -> Option<Mono> {
        self.machine.next_deadline().map(|deadline| deadline.max(self.resting_until))
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

    pub async fn committed(&self, end: Offset) -> Result<(), ErrorCode> {
        self.commit.wait(end).await
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
            Some(Ok(reply)) => match self.commit.is_there(active.end) {
                Ok(true) => Called::Now(Ok(reply)),
                Ok(false) => Called::uncommitted(reply, active.end, self.commit.clone()),
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
        let origin = Origin::marker(end.transaction_version);
        let appended = match self.append(world, &end.batch(now), origin, now) {
            Ok(appended) => appended,
            Err(code) if is_refusal(code) => return (Called::Now(Err(code)), After::nothing()),
            Err(code) => {
                let after = self.fail(&mut state, coordinator_error(code));
                return (Called::Now(Err(code)), after);
            }
        };
        active.end = appended.last_offset.next();
        active.machine.replay_marker(Marker {
            offset: appended.base_offset,
            producer_id: end.producer_id,
            producer_epoch: end.producer_epoch,
            committed: end.commit,
        });
        let called = match self.commit.is_there(active.end) {
            Ok(false) => Called::uncommitted((), active.end, self.commit.clone()),
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

    /// Reads the log, unless the shard has been closed meanwhile, and begins to work.
    pub fn load(&self, world: &World, now: Now) -> After<M::Effect> {
        if !matches!(*self.lock(), State::Loading) {
            return After::nothing();
        }
        let buffer_bytes = (world.topic.load_buffer_bytes)(&world.config.load());
        let may_go_on = || !world.threads.is_stopping() && matches!(*self.lock(), State::Loading);
        let loaded = load::<M>(
            self.id,
            &self.commit.partition,
            buffer_bytes.max(1).cast_unsigned(),
            &may_go_on,
        );
        let mut state = self.lock();
        if !matches!(*state, State::Loading) {
            return After::nothing();
        }
        let (machine, end) = match loaded {
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
        let mut active =
            Active { machine, parked: SeededMap::default(), end, resting_until: Mono::default() };
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

    /// Lets the machine decide, and does what it decided. With an error the machine is to be dropped.
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
        let mut output = decide(&mut active.machine, &mut env);
        loop {
            let writes = std::mem::take(&mut output.writes);
            let (code, writes) = match self.write(world, active, writes, now) {
                Ok(()) => break,
                Err(Failure::Lost(code)) => return Err(code),
                Err(Failure::Refused(code, writes)) => (code, writes),
            };
            for (call, _) in output.replies {
                if step.call == Some(call) {
                    step.own = Some(Err(code));
                } else if let Some(caller) = active.parked.remove(&call) {
                    // A client that has gone needs no telling, here and below.
                    let _ = caller.send(Err(code));
                }
            }
            if std::mem::replace(&mut step.was_refused, true) {
                return Err(code);
            }
            let next = active.machine.on_refused(&mut env, Refused { code, writes });
            output = next.ok_or(code)?;
        }
        for (call, reply) in output.replies {
            if step.call == Some(call) {
                step.own = Some(Ok(reply));
            } else if let Some(caller) = active.parked.remove(&call) {
                let _ = caller.send(Ok((reply, active.end)));
            }
        }
        step.effects = output.effects;
        Ok(())
    }

    /// Appends each write, and replays it.
    fn write(
        &self,
        world: &World,
        active: &mut Active<M>,
        writes: Vec<Write<M::Record>>,
        now: Now,
    ) -> Result<(), Failure<M::Record>> {
        let mut writes = writes.into_iter();
        while let Some(write) = writes.next() {
            if write.records.is_empty() {
                continue;
            }
            let appended = records_batch::<M>(world, &write, now)
                .and_then(|batch| self.append(world, &batch, origin(world, &write), now));
            let appended = match appended {
                Ok(appended) => appended,
                Err(code) if is_refusal(code) => {
                    let left = once(write).chain(writes).collect();
                    return Err(Failure::Refused(coordinator_error(code), left));
                }
                Err(code) => return Err(Failure::Lost(coordinator_error(code))),
            };
            let Write { records, transaction } = write;
            for (index, record) in (0_i64..).zip(records) {
                let offset = appended.base_offset + index;
                let at = Replayed { offset, transaction, timestamp: now.wall };
                active.machine.replay(record, at);
            }
            active.end = appended.last_offset.next();
        }
        Ok(())
    }

    fn append(
        &self,
        world: &World,
        batch: &Batch,
        origin: Origin,
        now: Now,
    ) -> Result<Appended, ErrorCode> {
        let partition = &self.commit.partition;
        if batch.bytes.len() > partition.config().max_message_bytes as usize {
            return Err(ErrorCode::MessageTooLarge);
        }
        partition.append_in_epoch(batch, origin, world.topic.acks, self.id.leader_epoch, now)
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

/// What a log's error is to clients of a coordinator, as Kafka maps it.
const fn coordinator_error(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower
        | ErrorCode::FencedLeaderEpoch
        | ErrorCode::UnknownLeaderEpoch
        | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        other => other,
    }
}

/// Whether nothing was written, and the next write may well succeed.
const fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::InvalidProducerEpoch
            | ErrorCode::InvalidTxnState
            | ErrorCode::TransactionCoordinatorFenced
    )
}

/// A write in a transaction is made if its coordinator has vouched for it (KIP-890).
fn origin<R>(world: &World, write: &Write<R>) -> Origin {
    let is_verified = world.config.load().transaction_partition_verification_enable;
    match write.transaction {
        Some(_) if is_verified => Origin::VERIFIED,
        _ => Origin::COORDINATOR,
    }
}

fn records_batch<M: Machine>(
    world: &World,
    write: &Write<M::Record>,
    now: Now,
) -> Result<Batch, ErrorCode> {
    let none = (ProducerId::NONE, ProducerEpoch::NONE);
    let (id, epoch) = write.transaction.unwrap_or(none);
    let mut builder =
        BatchBuilder::new(Offset::ZERO).producer(id, epoch, world.topic.base_sequence);
    if write.transaction.is_some() {
        builder = builder.transactional();
    }
    for record in &write.records {
        let (key, value) = M::encode(record);
        builder.push(now.wall, Some(&key), value.as_deref(), &[]);
    }
    match (world.topic.codec)(&world.config.load()) {
        Codec::None => Ok(builder.build_batch()),
        codec => builder.build_compressed(codec).map_err(|_| ErrorCode::UnknownServerError),
    }
}
