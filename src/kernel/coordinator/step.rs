//! A step of a machine: it decides, what it decided is appended and replayed, and some are told.

use std::iter::once;

use super::marker::EndOfTransaction;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::internal_topics::InternalTopic;
use crate::kernel::log::append::{Appended, Origin};
use crate::kernel::machine::{CallId, Env, Machine, Marker, OutputOf, Refused, Replayed, Write};
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Now;
use crate::wire::batch::Batch;
use crate::wire::batch_builder::BatchBuilder;
use crate::wire::compression::Codec;

/// The log of a shard, for as long as it is led under the epoch of the shard.
pub trait ShardLog {
    /// The largest batch that it takes (`max.message.bytes`).
    fn max_message_bytes(&self) -> usize;

    /// Appends a batch at its end.
    fn append(&mut self, batch: &Batch, origin: Origin, now: Now) -> Result<Appended, ErrorCode>;
}

/// A machine that has read its log up to `end`, and wrote everything that was appended since.
#[derive(Debug)]
pub struct Running<M> {
    /// The machine.
    pub machine: M,
    /// The end of what was appended: replies wait until the high watermark is there.
    pub end: Offset,
    buffers: Buffers,
}

/// Where a key and a value are encoded, one after another.
#[derive(Debug, Default)]
struct Buffers {
    key: Vec<u8>,
    value: Vec<u8>,
}

/// A shard keeps no larger buffer for the values of records.
const BUFFER_BYTES_MAX: usize = 4096;

/// What came of a step.
#[derive(Debug)]
pub struct Done<M: Machine> {
    /// Calls whose writes were refused, and what they are told.
    pub refused: Vec<(CallId, ErrorCode)>,
    /// Who is replied to, once everything appended so far is committed.
    pub replies: Vec<(CallId, M::Reply)>,
    /// What is to be done then.
    pub effects: Vec<M::Effect>,
    /// A write was refused.
    pub was_refused: bool,
}

/// The machine is to be dropped; its log says what it knew.
#[derive(Debug)]
pub struct Failed {
    /// What all calls are told.
    pub code: ErrorCode,
    /// But for those whose writes were refused before.
    pub refused: Vec<(CallId, ErrorCode)>,
}

/// Why a marker was not written; the codes are the log's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerFailure {
    /// Nothing was written.
    Refused(ErrorCode),
    /// The machine is to be dropped.
    Lost(ErrorCode),
}

/// Why writes were not written.
enum Failure<R> {
    /// Nothing of these was written, and nothing is wrong with the log.
    Refused(ErrorCode, Vec<Write<R>>),
    /// What is in the log is not known.
    Lost(ErrorCode),
}

impl<M: Machine> Running<M> {
    /// A machine that has read its log up to `end`.
    pub fn new(machine: M, end: Offset) -> Self {
        Self { machine, end, buffers: Buffers::default() }
    }

    /// Lets the machine decide, and does what it decided. With an error the machine is to be dropped.
    pub fn step(
        &mut self,
        topic: &InternalTopic,
        log: &mut impl ShardLog,
        env: &mut Env<'_>,
        decide: impl FnOnce(&mut M, &mut Env<'_>) -> OutputOf<M>,
    ) -> Result<Done<M>, Failed> {
        let mut output = decide(&mut self.machine, env);
        let mut refused = Vec::new();
        let mut was_refused = false;
        loop {
            let writes = std::mem::take(&mut output.writes);
            let (code, writes) = match self.write(topic, log, env, writes) {
                Ok(()) => break,
                Err(Failure::Lost(code)) => return Err(Failed { code, refused }),
                Err(Failure::Refused(code, writes)) => (code, writes),
            };
            refused.extend(output.replies.iter().map(|(call, _)| (*call, code)));
            if std::mem::replace(&mut was_refused, true) {
                return Err(Failed { code, refused });
            }
            match self.machine.on_refused(env, Refused { code, writes }) {
                Some(next) => output = next,
                None => return Err(Failed { code, refused }),
            }
        }
        Ok(Done { refused, was_refused, replies: output.replies, effects: output.effects })
    }

    /// Ends a transaction that wrote here: appends the marker, and tells the machine.
    pub fn end_transaction(
        &mut self,
        log: &mut impl ShardLog,
        end: EndOfTransaction,
        now: Now,
    ) -> Result<(), MarkerFailure> {
        let origin = Origin::marker(end.transaction_version);
        let appended = match append(log, &end.batch(now), origin, now) {
            Ok(appended) => appended,
            Err(code) if is_refusal(code) => return Err(MarkerFailure::Refused(code)),
            Err(code) => return Err(MarkerFailure::Lost(code)),
        };
        self.end = appended.last_offset.next();
        self.machine.replay_marker(Marker {
            offset: appended.base_offset,
            producer_id: end.producer_id,
            producer_epoch: end.producer_epoch,
            committed: end.commit,
        });
        Ok(())
    }

    /// Appends each write, and replays it.
    fn write(
        &mut self,
        topic: &InternalTopic,
        log: &mut impl ShardLog,
        env: &Env<'_>,
        writes: Vec<Write<M::Record>>,
    ) -> Result<(), Failure<M::Record>> {
        let now = env.now;
        let mut writes = writes.into_iter();
        while let Some(write) = writes.next() {
            if write.records.is_empty() {
                continue;
            }
            let appended = records_batch::<M>(topic, env.config, &write, &mut self.buffers, now)
                .and_then(|batch| append(log, &batch, origin(env.config, &write), now));
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
                self.machine.replay(record, at);
            }
            self.end = appended.last_offset.next();
        }
        Ok(())
    }
}

fn append(
    log: &mut impl ShardLog,
    batch: &Batch,
    origin: Origin,
    now: Now,
) -> Result<Appended, ErrorCode> {
    if batch.bytes.len() > log.max_message_bytes() {
        return Err(ErrorCode::MessageTooLarge);
    }
    log.append(batch, origin, now)
}

/// What a log's error is to clients of a coordinator, as Kafka maps it.
pub const fn coordinator_error(code: ErrorCode) -> ErrorCode {
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
const fn origin<R>(config: &BrokerConfig, write: &Write<R>) -> Origin {
    match write.transaction {
        Some(_) if config.transaction_partition_verification_enable => Origin::VERIFIED,
        _ => Origin::COORDINATOR,
    }
}

fn records_batch<M: Machine>(
    topic: &InternalTopic,
    config: &BrokerConfig,
    write: &Write<M::Record>,
    Buffers { key, value }: &mut Buffers,
    now: Now,
) -> Result<Batch, ErrorCode> {
    let none = (ProducerId::NONE, ProducerEpoch::NONE);
    let (id, epoch) = write.transaction.unwrap_or(none);
    let mut builder = BatchBuilder::new(Offset::ZERO).producer(id, epoch, topic.base_sequence);
    if write.transaction.is_some() {
        builder = builder.transactional();
    }
    for record in &write.records {
        key.clear();
        value.clear();
        let has_value = M::encode_into(record, key, value);
        builder.push(now.wall, Some(key), has_value.then_some(value), &[]);
    }
    value.shrink_to(BUFFER_BYTES_MAX);
    match (topic.codec)(config) {
        Codec::None => Ok(builder.build_batch()),
        codec => builder.build_compressed(codec).map_err(|_| ErrorCode::UnknownServerError),
    }
}
