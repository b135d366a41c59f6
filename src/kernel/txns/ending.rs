//! A transaction ends: by its client, by its successor, or because it has taken too long; then by its markers.
//!
//! What EndTxn means depends on the client's version. Up to version 1 the epoch stays, so a repeated request is known by
//! the state alone. From version 2 on each end bumps the epoch (KIP-890), so that a request which arrives late has the
//! epoch of a transaction that is over: it is a repetition if it says what was decided, and refused if not. It can no
//! longer decide the next transaction (KAFKA-17754).

use std::sync::Arc;

use super::asking::{Answered, EndTransaction, MarkerOutcome, MarkersWritten};
use super::shard::{Decision, TransactionShard};
use super::state::TransactionState;
use super::transaction::{PartitionSet, Transaction};
use super::{EPOCH_BUMPS, is_exhausted};
use crate::kernel::machine::Env;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::time::Timestamp;

/// What an EndTxn comes to.
enum Ending {
    /// It was decided so before.
    Again,
    /// It is to be decided.
    Decide,
}

/// Decides.
pub(super) fn decide(
    shard: &mut TransactionShard,
    env: &Env<'_>,
    asked: &EndTransaction,
) -> Decision {
    let id = &asked.transactional_id;
    if id.is_empty() {
        return Decision::refused(ErrorCode::InvalidRequest);
    }
    let Some(transaction) = shard.hard.get(id) else {
        return Decision::refused(ErrorCode::InvalidProducerIdMapping);
    };
    let bumps = asked.client_version >= EPOCH_BUMPS;
    let ending =
        if bumps { with_bump(transaction, asked) } else { without_bump(transaction, asked) };
    match ending {
        Err(code) => Decision::refused(code),
        // The coordinator's own abort came to the epoch that is kept for fencing: no client may have it.
        Ok(Ending::Again) if bumps && transaction.producer_epoch.0 == i16::MAX => {
            Decision::refused(ErrorCode::ProducerFenced)
        }
        Ok(Ending::Again) if bumps => {
            let (id, epoch) = (transaction.producer_id, transaction.producer_epoch);
            Decision::Reply(Ok(Answered::Producer(id, epoch)))
        }
        Ok(Ending::Again) => Decision::Reply(Ok(Answered::Done)),
        Ok(Ending::Decide) if !bumps => {
            let next = transaction.decided(asked.commit, 0, ProducerId::NONE, env.now.wall);
            Decision::Move(next, Ok(Answered::Done))
        }
        Ok(Ending::Decide) => {
            let next_id = match asked.fresh {
                _ if !transaction.is_exhausted() => ProducerId::NONE,
                Some(fresh) => fresh,
                None => return Decision::Reply(Ok(Answered::NeedsProducerId)),
            };
            let last_epoch = transaction.producer_epoch;
            let now = env.now.wall;
            let next = transaction.decided(asked.commit, asked.client_version, next_id, now);
            let (id, epoch) = next.next_identity();
            shard.soft.set_last_epoch(&asked.transactional_id, last_epoch);
            Decision::Move(next, Ok(Answered::Producer(id, epoch)))
        }
    }
}

/// Up to version 1.
fn without_bump(transaction: &Transaction, asked: &EndTransaction) -> Result<Ending, ErrorCode> {
    if transaction.producer_id != asked.producer_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if transaction.producer_epoch != asked.producer_epoch {
        return Err(ErrorCode::ProducerFenced);
    }
    match (transaction.state, asked.commit) {
        (TransactionState::Ongoing, _) => Ok(Ending::Decide),
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
            Ok(Ending::Again)
        }
        (TransactionState::PrepareCommit, true) | (TransactionState::PrepareAbort, false) => {
            Err(ErrorCode::ConcurrentTransactions)
        }
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// From version 2 on. With the epoch before the bump it is a repetition; with the present one, a client that may have
/// written nothing can abort.
fn with_bump(transaction: &Transaction, asked: &EndTransaction) -> Result<Ending, ErrorCode> {
    let (id, epoch) = (transaction.producer_id, transaction.producer_epoch);
    // The answer said that the producer goes on under another id, and did not arrive.
    let after_rotation = transaction.previous_producer_id == asked.producer_id
        && is_exhausted(asked.producer_epoch)
        && asked.producer_epoch.0 != i16::MAX
        && epoch == ProducerEpoch(0);
    let after_bump = i32::from(epoch.0) == i32::from(asked.producer_epoch.0) + 1;
    let is_current = asked.producer_epoch == epoch;
    if id != asked.producer_id && !after_rotation {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    let is_valid = match transaction.state {
        TransactionState::PrepareCommit | TransactionState::PrepareAbort => after_bump,
        TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
            after_bump || after_rotation || is_current
        }
        _ => is_current,
    };
    if !is_valid {
        return Err(ErrorCode::ProducerFenced);
    }
    let is_again = after_bump || after_rotation;
    match (transaction.state, asked.commit) {
        (TransactionState::Ongoing, _) | (TransactionState::Empty, false) => Ok(Ending::Decide),
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false)
            if is_again =>
        {
            Ok(Ending::Again)
        }
        (TransactionState::CompleteCommit | TransactionState::CompleteAbort, false)
            if !is_again =>
        {
            Ok(Ending::Decide)
        }
        (TransactionState::PrepareCommit, true) | (TransactionState::PrepareAbort, false) => {
            Err(ErrorCode::ConcurrentTransactions)
        }
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// An open transaction is aborted by the coordinator itself, and whoever has it is fenced: its epoch rises in any case.
/// With it comes the epoch before, where its client may go on from there.
pub(super) fn fenced(
    transaction: &Transaction,
    transaction_version: i16,
    fresh: Option<ProducerId>,
    now: Timestamp,
) -> (Transaction, ProducerEpoch) {
    if transaction_version >= EPOCH_BUMPS {
        let fresh = fresh.filter(|_| transaction.is_exhausted()).unwrap_or(ProducerId::NONE);
        let next = transaction.decided(false, transaction_version, fresh, now);
        (next, transaction.producer_epoch)
    } else {
        let next = transaction.decided(false, 0, ProducerId::NONE, now);
        let next = Transaction { producer_epoch: transaction.next_epoch(), ..next };
        (next, ProducerEpoch::NONE)
    }
}

/// Notes what became of markers. True if the transaction may be complete now.
pub(super) fn markers_written(
    shard: &mut TransactionShard,
    env: &Env<'_>,
    written: &MarkersWritten,
) -> bool {
    if written.life != shard.life {
        // Of markers that were wanted before a load. Kafka looks at the coordinator's epoch here.
        return false;
    }
    let id = &written.transactional_id;
    let identity = (written.producer_id, written.producer_epoch);
    let is_ours = shard.hard.get(id).is_some_and(|transaction| {
        transaction.state.is_prepared()
            && (transaction.producer_id, transaction.producer_epoch) == identity
    });
    if !is_ours {
        return false;
    }
    let with = |outcome: MarkerOutcome| {
        written.outcomes.iter().filter(move |(_, _, known)| *known == outcome)
    };
    let done: PartitionSet = with(MarkerOutcome::Written)
        .map(|(topic, partition, _)| (Arc::clone(topic), *partition))
        .collect();
    let Some(is_done) = shard.soft.written(id, &done) else { return false };
    if with(MarkerOutcome::Fenced).next().is_some() {
        tracing::warn!(%id, "another coordinator has written markers: this one goes no further");
    } else if with(MarkerOutcome::Failed).next().is_some() {
        shard.soft.retry(id, env.now.mono);
    }
    is_done
}
