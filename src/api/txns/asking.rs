//! How handlers ask the transaction coordinator: at once where that goes, and with a producer id where it wants one.

use std::sync::Arc;

use crate::api::answer::{Answer, Call};
use crate::api::context::Ctx;
use crate::kernel::txns::{Answered, TransactionReply, TransactionRequest};
use crate::shell::drivers::coordinators::Called;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

/// The coordinator's reply, or the driver's error in its place: to a client both are the same.
pub fn flat(told: Result<TransactionReply, ErrorCode>) -> TransactionReply {
    told.unwrap_or_else(Err)
}

/// Asks about a transactional id; a second time, with a producer id that nobody has, if the coordinator needs one.
pub fn ask(
    ctx: &Arc<Ctx>,
    call: Call,
    transactional_id: Arc<str>,
    request: impl Fn(Option<ProducerId>) -> TransactionRequest + Send + Sync + 'static,
    answer: impl FnOnce(&Call, TransactionReply) -> Answer + Send + 'static,
) -> Answer {
    let first = ctx.transactions.call_for(&transactional_id, call.now, request(None));
    if let Called::Now(told) = first {
        let reply = flat(told);
        if reply != Ok(Answered::NeedsProducerId) {
            return answer(&call, reply);
        }
        let ctx = Arc::clone(ctx);
        return Answer::Later(Box::pin(async move {
            let reply = ask_with_id(&ctx, &call, &transactional_id, &request).await;
            answer(&call, reply)
        }));
    }
    let ctx = Arc::clone(ctx);
    Answer::Later(Box::pin(async move {
        let mut reply = flat(first.told().await);
        if reply == Ok(Answered::NeedsProducerId) {
            reply = ask_with_id(&ctx, &call, &transactional_id, &request).await;
        }
        answer(&call, reply)
    }))
}

async fn ask_with_id(
    ctx: &Arc<Ctx>,
    call: &Call,
    transactional_id: &str,
    request: &(impl Fn(Option<ProducerId>) -> TransactionRequest + Send + Sync),
) -> TransactionReply {
    let fresh = ctx.producer_ids.next(ctx).await?;
    let request = request(Some(fresh));
    flat(ctx.transactions.call_for(transactional_id, call.now, request).told().await)
}

/// The answer made of several replies, in their order.
pub fn gather<P: Send + 'static>(
    calls: Vec<Called<P>>,
    answer: impl FnOnce(Vec<Result<P, ErrorCode>>) -> Answer + Send + 'static,
) -> Answer {
    if calls.iter().any(|called| matches!(called, Called::Later(_))) {
        return Answer::Later(Box::pin(async move {
            let mut told = Vec::with_capacity(calls.len());
            for called in calls {
                told.push(called.told().await);
            }
            answer(told)
        }));
    }
    let told = calls.into_iter().filter_map(|called| match called {
        Called::Now(told) => Some(told),
        Called::Later(_) => None,
    });
    answer(told.collect())
}

/// Before a version that knows `PRODUCER_FENCED`, clients are told `INVALID_PRODUCER_EPOCH` in its place.
pub const fn fenced_as(version: i16, first_version: i16, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced if version < first_version => ErrorCode::InvalidProducerEpoch,
        code => code,
    }
}
