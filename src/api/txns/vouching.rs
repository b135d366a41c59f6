//! How handlers ask the coordinator of a transaction to vouch for a write, and for how long they ask
//! ([`kernel::txns::vouching`](crate::kernel::txns::vouching)).

use std::time::Duration;

use crate::api::context::Ctx;
use crate::kernel::txns::TransactionReply;
use crate::kernel::txns::vouching::{Question, is_ending};
use crate::shell::drivers::coordinators::Called;
use crate::types::error_code::ErrorCode;
use crate::types::time::Now;

const TRANSACTION_STATE_TOPIC: &str = "__transaction_state";

/// Asks the coordinator.
pub fn ask(question: &Question, ctx: &Ctx, now: Now) -> Called<TransactionReply> {
    if ctx.image.load().topics.named(TRANSACTION_STATE_TOPIC).is_none() {
        return Called::Now(Err(ErrorCode::CoordinatorNotAvailable));
    }
    ctx.transactions.call_for(&question.transactional_id, now, question.request())
}

/// Asks until the transaction before has ended, for as long as the configuration says, because the client would only ask
/// later and with all its records.
pub async fn settle(
    question: &Question,
    ctx: &Ctx,
    now: Now,
    first: Called<TransactionReply>,
) -> Vec<ErrorCode> {
    let config = ctx.config.load_full();
    let milliseconds = |ms: i32| Duration::from_millis(ms.max(0).cast_unsigned().into());
    let backoff = milliseconds(config.add_partitions_to_txn_retry_backoff_ms);
    let mut left = milliseconds(
        config.add_partitions_to_txn_retry_backoff_max_ms.min(config.request_timeout_ms),
    );
    let mut told = first.told().await;
    while is_ending(&told) && question.operation.adds_partitions() && !left.is_zero() {
        tokio::time::sleep(backoff.min(left)).await;
        left = left.saturating_sub(backoff);
        told = ask(question, ctx, now).told().await;
    }
    question.verdicts(told)
}
