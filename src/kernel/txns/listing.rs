//! What an administrator asks: DescribeTransactions, ListTransactions (KIP-664, KIP-994).

use std::sync::Arc;

use super::asking::{Answered, Description, ListedTransaction, Listing, TransactionReply};
use super::shard::TransactionShard;
use super::transaction::Transaction;
use crate::kernel::machine::Env;
use crate::types::error_code::ErrorCode;

/// What is known of an id.
pub(super) fn describe(shard: &TransactionShard, id: &str) -> TransactionReply {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let transaction = shard.hard.get(id).ok_or(ErrorCode::TransactionalIdNotFound)?;
    let partitions = Arc::clone(shard.soft.missing(id).unwrap_or(&transaction.partitions));
    Ok(Answered::Description(Description {
        state: transaction.state,
        timeout_ms: transaction.timeout_ms,
        started: transaction.started,
        producer_id: transaction.producer_id,
        producer_epoch: transaction.producer_epoch,
        partitions,
    }))
}

/// The ids that are asked for, in order. An id without a transaction has run since the beginning of time, as in Kafka.
pub(super) fn list(
    shard: &TransactionShard,
    env: &Env<'_>,
    asked: &Listing,
) -> Vec<ListedTransaction> {
    let is_asked_for = |transaction: &Transaction| {
        let running_ms = env.now.wall.0.saturating_sub(transaction.started.0);
        (asked.states.is_empty() || asked.states.contains(&transaction.state))
            && (asked.producer_ids.is_empty()
                || asked.producer_ids.contains(&transaction.producer_id))
            && (asked.duration_ms < 0 || running_ms > asked.duration_ms)
    };
    let listed = |(id, transaction): (&Arc<str>, &Transaction)| ListedTransaction {
        transactional_id: Arc::clone(id),
        producer_id: transaction.producer_id,
        state: transaction.state,
    };
    shard.hard.iter().filter(|(_, it)| is_asked_for(it)).map(listed).collect()
}
