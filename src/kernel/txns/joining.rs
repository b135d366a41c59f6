//! Partitions take part in a transaction: AddPartitionsToTxn, AddOffsetsToTxn, and the question of a partition's leader
//! whether it does (KIP-890).

use super::PARTITIONS_MAX;
use super::asking::{AddPartitions, Answered, TransactionReply, VerifyPartitions};
use super::shard::{Decision, TransactionShard};
use super::state::TransactionState;
use super::transaction::Transaction;
use crate::kernel::machine::Env;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

/// The transaction of an id, if this producer may write to it now.
fn writable<'a>(
    shard: &'a TransactionShard,
    id: &str,
    producer_id: ProducerId,
    epoch: ProducerEpoch,
) -> Result<&'a Transaction, ErrorCode> {
    let transaction = shard.hard.get(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
    if transaction.producer_id != producer_id {
        Err(ErrorCode::InvalidProducerIdMapping)
    } else if transaction.producer_epoch != epoch || epoch.0 == i16::MAX {
        // The last epoch is for fencing: no client was ever told of it.
        Err(ErrorCode::ProducerFenced)
    } else if transaction.state.is_prepared() {
        Err(ErrorCode::ConcurrentTransactions)
    } else {
        Ok(transaction)
    }
}

/// Partitions are to take part; if they do already, nothing is written.
pub(super) fn add(shard: &TransactionShard, env: &Env<'_>, asked: &AddPartitions) -> Decision {
    let id = &asked.transactional_id;
    if id.is_empty() {
        return Decision::refused(ErrorCode::InvalidRequest);
    }
    let transaction = match writable(shard, id, asked.producer_id, asked.producer_epoch) {
        Ok(transaction) => transaction,
        Err(code) => return Decision::refused(code),
    };
    if transaction.state == TransactionState::Ongoing
        && transaction.partitions.contains_all(&asked.partitions)
    {
        return Decision::Reply(Ok(Answered::Done));
    }
    let next = transaction.joined(&asked.partitions, asked.client_version, env.now.wall);
    if next.partitions.len() > PARTITIONS_MAX {
        // As where a record does not fit into a batch.
        return Decision::refused(ErrorCode::UnknownServerError);
    }
    Decision::Move(next, Ok(Answered::Done))
}

/// For each partition, in order, whether it takes part.
pub(super) fn verify(shard: &TransactionShard, asked: &VerifyPartitions) -> TransactionReply {
    let id = &asked.transactional_id;
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let transaction = writable(shard, id, asked.producer_id, asked.producer_epoch)?;
    let takes_part = |(topic, partition): (&std::sync::Arc<str>, i32)| {
        transaction.partitions.contains(topic, partition)
    };
    Ok(Answered::Verified(asked.partitions.iter().map(takes_part).collect()))
}
