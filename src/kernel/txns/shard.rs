//! One shard: requests, timers and the log meet here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::asking::{Answered, LogRecord, TransactionReply, TransactionRequest, WriteMarkers};
use super::hard_state::HardState;
use super::soft_state::SoftState;
use super::state::TransactionState;
use super::transaction::{PartitionSet, Transaction};
use super::{TRANSACTION_VERSION, ending, initializing, joining, listing};
use crate::kernel::machine::{
    CallId, Env, Machine, Marker, Output, OutputOf, Refused, Replayed, ShardId,
};
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::time::Mono;
use crate::wire::coordinator_records::CoordinatorRecordError;
use crate::wire::coordinator_records::transactions::{TransactionLogRecord, put_key, put_value};

/// So many records are written in one batch when many are written at once.
const RECORDS_PER_BATCH: usize = 100;
/// And so many bytes of ids, unless one is longer by itself: the batch has to fit into the log.
const ID_BYTES_PER_BATCH: usize = 256 << 10;
/// So many transactions are aborted, or expired, at once; the rest is due again at once.
const DUE_AT_ONCE: usize = 1000;

/// See the module of transactions.
#[derive(Debug)]
pub struct TransactionShard {
    /// The epoch of the partition, which fences coordinators before it.
    coordinator_epoch: LeaderEpoch,
    /// Drawn anew at each load, also within an epoch.
    pub(super) life: u64,
    pub(super) hard: HardState,
    pub(super) soft: SoftState,
}

/// What becomes of one request.
#[derive(Debug)]
pub(super) enum Decision {
    /// Nothing is written.
    Reply(TransactionReply),
    /// The id moves on, and then the reply leaves.
    Move(Transaction, TransactionReply),
}

impl Decision {
    /// It is refused.
    pub const fn refused(code: ErrorCode) -> Self {
        Self::Reply(Err(code))
    }
}

/// The level of the feature in this metadata.
pub(super) fn transaction_version(env: &Env<'_>) -> i16 {
    env.image.features.get(TRANSACTION_VERSION).copied().unwrap_or(0)
}

impl TransactionShard {
    /// What the log says of each transactional id, in their order.
    #[cfg(any(test, feature = "sim"))]
    pub fn known(&self) -> impl Iterator<Item = (&Arc<str>, &Transaction)> {
        self.hard.iter()
    }

    /// The output of a decision about an id.
    fn carry_out(
        &mut self,
        env: &Env<'_>,
        call: CallId,
        id: &Arc<str>,
        decision: Decision,
    ) -> OutputOf<Self> {
        match decision {
            Decision::Reply(reply) => Output::reply(call, reply),
            Decision::Move(next, reply) => self.moved(env, id, &next).with_reply(call, reply),
        }
    }

    /// The records by which an id comes to `next`, and what follows from it. A decided transaction in which nothing
    /// takes part is complete at once, in the same batch.
    pub(super) fn moved(
        &mut self,
        env: &Env<'_>,
        id: &Arc<str>,
        next: &Transaction,
    ) -> OutputOf<Self> {
        let version = transaction_version(env);
        match next.state {
            TransactionState::Ongoing if !self.soft.is_watched(id) => {
                self.soft.watch(id, next, env.now);
            }
            state if state.is_prepared() && next.partitions.is_empty() => {
                self.soft.unwatch(id);
                let completed = next.completed(env.now.wall);
                let records = vec![record(id, next, version), record(id, &completed, version)];
                return Output::write(records);
            }
            state if state.is_prepared() => {
                self.soft.decided(id, &next.partitions);
                let markers = self.markers(id, next, &next.partitions);
                return Output::write(vec![record(id, next, version)]).with_effect(markers);
            }
            _ => {}
        }
        Output::write(vec![record(id, next, version)])
    }

    /// The markers of a decided transaction.
    pub(super) fn markers(
        &self,
        id: &Arc<str>,
        transaction: &Transaction,
        partitions: &Arc<PartitionSet>,
    ) -> WriteMarkers {
        WriteMarkers {
            transactional_id: Arc::clone(id),
            producer_id: transaction.producer_id,
            producer_epoch: transaction.producer_epoch,
            coordinator_epoch: self.coordinator_epoch,
            committed: transaction.state == TransactionState::PrepareCommit,
            transaction_version: transaction.client_version,
            partitions: Arc::clone(partitions),
            life: self.life,
        }
    }

    /// A decided transaction whose markers are all written becomes complete; where some are missing, they are asked
    /// for again.
    fn complete(&mut self, env: &Env<'_>, id: &Arc<str>) -> OutputOf<Self> {
        let Some(transaction) = self.hard.get(id).filter(|it| it.state.is_prepared()) else {
            self.soft.completed(id);
            return Output::none();
        };
        match self.soft.missing(id) {
            Some(missing) if !missing.is_empty() => {
                let markers = self.markers(id, transaction, missing);
                Output::none().with_effect(markers)
            }
            _ => {
                let completed = transaction.completed(env.now.wall);
                self.soft.completed(id);
                Output::write(vec![record(id, &completed, transaction_version(env))])
            }
        }
    }

    fn abort_overdue(&mut self, env: &Env<'_>) -> OutputOf<Self> {
        let mut output = Output::none();
        for _ in 0..DUE_AT_ONCE {
            let Some(id) = self.soft.take_overdue(env.now.mono) else { break };
            let Some(transaction) = self.hard.get(&id) else { continue };
            if transaction.state != TransactionState::Ongoing {
                continue;
            }
            if !transaction.is_too_old(env.now.wall) {
                // The wall clock was put back.
                self.soft.watch(&id, &transaction.clone(), env.now);
                continue;
            }
            tracing::info!(%id, "a transaction has taken too long and is aborted");
            let (next, last_epoch) =
                ending::fenced(transaction, transaction_version(env), None, env.now.wall);
            self.soft.set_last_epoch(&id, last_epoch);
            output.append(self.moved(env, &id, &next));
        }
        output
    }

    fn retry_markers(&mut self, env: &Env<'_>) -> OutputOf<Self> {
        let mut output = Output::none();
        for _ in 0..DUE_AT_ONCE {
            let Some(id) = self.soft.take_retry(env.now.mono) else { break };
            output.append(self.complete(env, &id));
        }
        output
    }

    /// Ids that were not used for so long are forgotten (`transactional.id.expiration.ms`).
    fn expire(&mut self, env: &Env<'_>) -> OutputOf<Self> {
        if self.soft.expiry_at.is_none_or(|at| at > env.now.mono) {
            return Output::none();
        }
        let before =
            env.now.wall.0.saturating_sub(i64::from(env.config.transactional_id_expiration_ms));
        let from = self.soft.expired_up_to.take();
        let expired: Vec<_> = self
            .hard
            .after(from.as_deref())
            .filter(|(_, it)| it.state.is_idle() && it.updated.0 <= before)
            .map(|(id, _)| Arc::clone(id))
            .take(DUE_AT_ONCE)
            .collect();
        if expired.len() == DUE_AT_ONCE {
            self.soft.expired_up_to = expired.last().cloned();
        } else {
            self.schedule_expiry(env);
        }
        let version = transaction_version(env);
        let mut output = Output::none();
        for id in &expired {
            self.soft.forget(id);
        }
        for batch in in_batches(expired.iter().map(|id| tombstone(id, version))) {
            output = output.with_write(batch);
        }
        output
    }

    fn schedule_expiry(&mut self, env: &Env<'_>) {
        let interval_ms = env.config.transaction_remove_expired_transaction_cleanup_interval_ms;
        let interval = Duration::from_millis(interval_ms.max(1).cast_unsigned().into());
        self.soft.expiry_at = Some(env.now.mono.after(interval));
    }
}

/// The record of a state.
pub fn record(id: &Arc<str>, transaction: &Transaction, transaction_version: i16) -> LogRecord {
    let transaction = Some(transaction.as_logged(transaction_version));
    LogRecord { transactional_id: Arc::clone(id), transaction, transaction_version }
}

/// Records without partitions, as they are written when there are many at once.
fn in_batches(records: impl IntoIterator<Item = LogRecord>) -> Vec<Vec<LogRecord>> {
    let mut batches: Vec<Vec<LogRecord>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        bytes += record.transactional_id.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < RECORDS_PER_BATCH && bytes <= ID_BYTES_PER_BATCH => {
                batch.push(record);
            }
            _ => {
                bytes = record.transactional_id.len();
                batches.push(vec![record]);
            }
        }
    }
    batches
}

fn tombstone(id: &Arc<str>, transaction_version: i16) -> LogRecord {
    LogRecord { transactional_id: Arc::clone(id), transaction: None, transaction_version }
}

impl Machine for TransactionShard {
    type Record = LogRecord;
    type Request = TransactionRequest;
    type Reply = TransactionReply;
    type Effect = WriteMarkers;
    type DecodeError = CoordinatorRecordError;

    fn new(id: ShardId) -> Self {
        Self {
            coordinator_epoch: id.leader_epoch,
            life: 0,
            hard: HardState::default(),
            soft: SoftState::default(),
        }
    }

    fn decode(
        key: Option<&Bytes>,
        value: Option<&Bytes>,
    ) -> Result<Option<LogRecord>, CoordinatorRecordError> {
        let key = key.ok_or(CoordinatorRecordError::NoType)?;
        let Some(TransactionLogRecord(key, value)) = TransactionLogRecord::decode(key, value)?
        else {
            return Ok(None);
        };
        let transactional_id = Arc::from(key.transactional_id);
        let transaction = match value {
            Some(value) => match Transaction::of_value(&value) {
                Some(transaction) => Some(transaction),
                // A state that is none of those that are logged.
                None => return Ok(None),
            },
            None => None,
        };
        Ok(Some(LogRecord { transactional_id, transaction, transaction_version: 0 }))
    }

    fn encode(record: &LogRecord) -> (Bytes, Option<Bytes>) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let has_value = Self::encode_into(record, &mut key, &mut value);
        (key.into(), has_value.then(|| value.into()))
    }

    fn encode_into(record: &LogRecord, key: &mut Vec<u8>, value: &mut Vec<u8>) -> bool {
        put_key(key, &record.transactional_id);
        let Some(transaction) = &record.transaction else { return false };
        let partitions = transaction.logged_partitions();
        let partitions =
            partitions.map(|it| it.topics().map(|(topic, indexes)| (topic.as_ref(), indexes)));
        put_value(value, &transaction.value(), partitions, record.transaction_version);
        true
    }

    fn replay(&mut self, record: LogRecord, _at: Replayed) {
        self.hard.replay(record);
    }

    fn replay_marker(&mut self, _marker: Marker) {}

    /// Open transactions get their timers, and decided ones go on.
    fn on_loaded(&mut self, env: &mut Env<'_>) -> OutputOf<Self> {
        self.schedule_expiry(env);
        self.life = u128::from_be_bytes((env.random)()) as u64;
        let version = transaction_version(env);
        let mut output = Output::none();
        let mut completed = Vec::new();
        let mut decided = Vec::new();
        for (id, transaction) in self.hard.iter() {
            match transaction.state {
                TransactionState::Ongoing => self.soft.watch(id, transaction, env.now),
                state if state.is_prepared() && transaction.partitions.is_empty() => {
                    completed.push(record(id, &transaction.completed(env.now.wall), version));
                }
                state if state.is_prepared() => decided.push(Arc::clone(id)),
                _ => {}
            }
        }
        for id in decided {
            if let Some(transaction) = self.hard.get(&id) {
                self.soft.decided(&id, &transaction.partitions);
                output.effects.push(self.markers(&id, transaction, &transaction.partitions));
            }
        }
        for batch in in_batches(completed) {
            output = output.with_write(batch);
        }
        output
    }

    fn on_request(
        &mut self,
        env: &mut Env<'_>,
        call: CallId,
        request: TransactionRequest,
    ) -> OutputOf<Self> {
        match request {
            TransactionRequest::InitProducerId(asked) => {
                let decision = initializing::decide(self, env, &asked);
                self.carry_out(env, call, &asked.transactional_id, decision)
            }
            TransactionRequest::AddPartitions(asked) => {
                let decision = joining::add(self, env, &asked);
                self.carry_out(env, call, &asked.transactional_id, decision)
            }
            TransactionRequest::VerifyPartitions(asked) => {
                Output::reply(call, joining::verify(self, &asked))
            }
            TransactionRequest::EndTransaction(asked) => {
                let decision = ending::decide(self, env, &asked);
                self.carry_out(env, call, &asked.transactional_id, decision)
            }
            TransactionRequest::Describe(id) => Output::reply(call, listing::describe(self, &id)),
            TransactionRequest::List(asked) => {
                Output::reply(call, Ok(Answered::Listed(listing::list(self, env, &asked))))
            }
            TransactionRequest::MarkersWritten(written) => {
                let goes_on = ending::markers_written(self, env, &written);
                let output = if goes_on {
                    self.complete(env, &written.transactional_id)
                } else {
                    Output::none()
                };
                output.with_reply(call, Ok(Answered::Done))
            }
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.soft.next_deadline()
    }

    fn on_timeout(&mut self, env: &mut Env<'_>) -> OutputOf<Self> {
        let mut output = self.abort_overdue(env);
        output.append(self.retry_markers(env));
        output.append(self.expire(env));
        output
    }

    /// What was to be is not: timers and markers are again what the log says.
    fn on_refused(
        &mut self,
        env: &mut Env<'_>,
        refused: Refused<LogRecord>,
    ) -> Option<OutputOf<Self>> {
        let records = refused.writes.into_iter().flat_map(|write| write.records);
        let ids: BTreeSet<Arc<str>> = records.map(|it| it.transactional_id).collect();
        for id in ids {
            match self.hard.get(&id) {
                Some(transaction) if transaction.state == TransactionState::Ongoing => {
                    self.soft.forget(&id);
                    self.soft.watch_again(&id, transaction, env.now);
                }
                // Its markers are written, but that it is complete could not be.
                Some(transaction) if transaction.state.is_prepared() => {
                    self.soft.retry(&id, env.now.mono);
                }
                _ => self.soft.forget(&id),
            }
        }
        Some(Output::none())
    }
}
