//! InitProducerId with a transactional id: a producer begins, takes over from another, or recovers.
//!
//! Each answer has an epoch above all before it, so that whoever had the id until now is fenced. A producer that says
//! what it had (KIP-360) keeps its id only if nobody else has asked meanwhile; when it repeats its request because it
//! did not hear the answer, it is answered the same again.

use super::asking::{Answered, InitProducerId};
use super::shard::{Decision, TransactionShard, transaction_version};
use super::state::TransactionState;
use super::transaction::Transaction;
use super::{EPOCH_BUMPS, STATE_BYTES_MAX, TRANSACTIONAL_ID_BYTES_MAX, ending, is_exhausted};
use crate::kernel::machine::Env;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

/// Decides.
pub(super) fn decide(
    shard: &mut TransactionShard,
    env: &Env<'_>,
    asked: &InitProducerId,
) -> Decision {
    let id = &asked.transactional_id;
    let new;
    let transaction = if let Some(transaction) = shard.hard.get(id) {
        transaction
    } else {
        if id.is_empty() || id.len() > TRANSACTIONAL_ID_BYTES_MAX {
            return Decision::refused(ErrorCode::InvalidRequest);
        }
        // Ids expire: there may be room for it later, so the client asks again.
        if shard.hard.size_bytes() >= STATE_BYTES_MAX {
            return Decision::refused(ErrorCode::CoordinatorNotAvailable);
        }
        let Some(fresh) = asked.fresh else {
            return Decision::Reply(Ok(Answered::NeedsProducerId));
        };
        new = Transaction::new(fresh, asked.timeout_ms, env.now.wall);
        &new
    };
    if asked.expected.is_some_and(|expected| !may_go_on(transaction, expected)) {
        return Decision::refused(ErrorCode::ProducerFenced);
    }
    match transaction.state {
        TransactionState::Empty
        | TransactionState::CompleteCommit
        | TransactionState::CompleteAbort => {}
        TransactionState::Ongoing => {
            let version = transaction_version(env);
            if version >= EPOCH_BUMPS && transaction.is_exhausted() && asked.fresh.is_none() {
                return Decision::Reply(Ok(Answered::NeedsProducerId));
            }
            let (next, last_epoch) =
                ending::fenced(transaction, version, asked.fresh, env.now.wall);
            shard.soft.set_last_epoch(id, last_epoch);
            // The producer asks again, and gets the epoch after the one that fences.
            return Decision::Move(next, Err(ErrorCode::ConcurrentTransactions));
        }
        _ => return Decision::refused(ErrorCode::ConcurrentTransactions),
    }
    let identity = match identity(transaction, shard.soft.last_epoch(id), asked) {
        Ok(Some(identity)) => identity,
        Ok(None) => return Decision::Reply(Ok(Answered::NeedsProducerId)),
        Err(code) => return Decision::refused(code),
    };
    let next = transaction.initialized(
        (identity.producer_id, identity.producer_epoch),
        asked.timeout_ms,
        env.now.wall,
    );
    shard.soft.set_last_epoch(id, identity.last_epoch);
    Decision::Move(next, Ok(Answered::Producer(identity.producer_id, identity.producer_epoch)))
}

/// Whether a producer that had this may go on: it has the id still, or had the one before, whose epochs it used up.
fn may_go_on(transaction: &Transaction, (id, epoch): (ProducerId, ProducerEpoch)) -> bool {
    transaction.producer_epoch == ProducerEpoch::NONE
        || id == transaction.producer_id
        || (id == transaction.previous_producer_id && is_exhausted(epoch))
}

struct Identity {
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    last_epoch: ProducerEpoch,
}

/// What the producer goes on with; none if that is a producer id that was not brought along.
fn identity(
    transaction: &Transaction,
    last_epoch: ProducerEpoch,
    asked: &InitProducerId,
) -> Result<Option<Identity>, ErrorCode> {
    let (producer_id, current) = (transaction.producer_id, transaction.producer_epoch);
    let expected = asked.expected.map(|(_, epoch)| epoch);
    let is_current = |epoch: ProducerEpoch| epoch == current || current == ProducerEpoch::NONE;
    let rotated = |last_epoch: ProducerEpoch| {
        let producer_epoch = ProducerEpoch(0);
        asked.fresh.map(|producer_id| Identity { producer_id, producer_epoch, last_epoch })
    };
    if expected.is_none_or(is_current) {
        // What a newcomer had is of no use to whoever had the id before.
        let last_epoch = if expected.is_some() { current } else { ProducerEpoch::NONE };
        if !transaction.is_exhausted() {
            let producer_epoch = transaction.next_epoch();
            return Ok(Some(Identity { producer_id, producer_epoch, last_epoch }));
        }
        return Ok(rotated(last_epoch));
    }
    if expected == Some(last_epoch) {
        if current.0 == i16::MAX {
            // The coordinator's own abort came to the epoch that is kept for fencing: no client may have it.
            return Ok(rotated(last_epoch));
        }
        return Ok(Some(Identity { producer_id, producer_epoch: current, last_epoch }));
    }
    Err(ErrorCode::ProducerFenced)
}
