//! InitProducerId (22), versions 0–5: an identity for a producer that wants each record once.
//!
//! KIP-98, KIP-482 (2: flexible), KIP-360 (3: an id that goes on), KIP-588 (4), KIP-890 (5), KIP-730 (blocks of ids).
//!
//! Deviations from Apache Kafka: the first request after a start waits for a block of ids where Kafka has the client try
//! again; transactional ids are bounded, one by one and together.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::txns::asking::{ask, fenced_as};
use crate::kernel::txns::{Answered, InitProducerId, TransactionRequest};
use crate::types::acls::{Operation, ResourceType};
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

const NO_PRODUCER_ID: i64 = -1;
const NO_PRODUCER_EPOCH: i16 = -1;
const FIRST_WITH_PRODUCER_FENCED: i16 = 4;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: InitProducerIdRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if let Err(error) = allowed(&Access::of(ctx, &call), &request) {
        return give(&call, Err(error));
    }
    let transaction_max_timeout_ms = ctx.config.load().transaction_max_timeout_ms;
    if let Err(error) = check(&request, transaction_max_timeout_ms) {
        return give(&call, Err(error));
    }
    if let Some(id) = &request.transactional_id {
        let id: Arc<str> = Arc::from(id.as_str());
        return transactional(ctx, call, id, &request);
    }
    let begin = |id: ProducerId| (id, ProducerEpoch(0));
    match ctx.producer_ids.take() {
        (Some(id), false) => give(&call, Ok(begin(id))),
        (id, _) => {
            let ctx = Arc::clone(ctx);
            Answer::Later(Box::pin(async move {
                match id {
                    Some(id) => {
                        ctx.producer_ids.fetch_ahead(&ctx).await;
                        give(&call, Ok(begin(id)))
                    }
                    None => give(&call, ctx.producer_ids.wait(&ctx).await.map(begin)),
                }
            }))
        }
    }
}

/// Who may write to any topic may do so with a producer id, too.
fn allowed(access: &Access, request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    match &request.transactional_id {
        Some(id) => access.transactional_id(Operation::WRITE, id),
        None if access.may_on_cluster(Operation::IDEMPOTENT_WRITE)
            || access.may_on_any(Operation::WRITE, ResourceType::TOPIC) =>
        {
            Ok(())
        }
        None => Err(ErrorCode::ClusterAuthorizationFailed),
    }
}

/// What is refused, in Kafka's order.
fn check(
    request: &InitProducerIdRequest,
    transaction_max_timeout_ms: i32,
) -> Result<(), ErrorCode> {
    let (id, epoch) = (request.producer_id.0, request.producer_epoch);
    if (id == NO_PRODUCER_ID) != (epoch == NO_PRODUCER_EPOCH) {
        return Err(ErrorCode::InvalidRequest);
    }
    let Some(transactional_id) = &request.transactional_id else { return Ok(()) };
    let timeouts_ms = 1..=transaction_max_timeout_ms;
    if transactional_id.is_empty() {
        Err(ErrorCode::InvalidRequest)
    } else if !timeouts_ms.contains(&request.transaction_timeout_ms) {
        Err(ErrorCode::InvalidTransactionTimeout)
    } else {
        Ok(())
    }
}

/// The coordinator decides.
fn transactional(
    ctx: &Arc<Ctx>,
    call: Call,
    id: Arc<str>,
    request: &InitProducerIdRequest,
) -> Answer {
    let expected = (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch));
    let asked = InitProducerId {
        transactional_id: Arc::clone(&id),
        timeout_ms: request.transaction_timeout_ms,
        expected: (expected.0 != ProducerId::NONE).then_some(expected),
        fresh: None,
    };
    let request =
        move |fresh| TransactionRequest::InitProducerId(InitProducerId { fresh, ..asked.clone() });
    ask(ctx, call, id, request, |call, told| match told {
        Ok(Answered::Producer(id, epoch)) => give(call, Ok((id, epoch))),
        Ok(_) => give(call, Err(ErrorCode::UnknownServerError)),
        Err(code) => give(call, Err(fenced_as(call.version, FIRST_WITH_PRODUCER_FENCED, code))),
    })
}

fn give(call: &Call, producer: Result<(ProducerId, ProducerEpoch), ErrorCode>) -> Answer {
    let response = match producer {
        Ok((id, epoch)) => InitProducerIdResponse::default()
            .with_producer_id(id.0.into())
            .with_producer_epoch(epoch.0),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(NO_PRODUCER_ID.into())
            .with_producer_epoch(NO_PRODUCER_EPOCH),
    };
    reply::<InitProducerIdRequest>(call, &response)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TransactionalId;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    /// As Apache Kafka 4.3.1 answers.
    #[test]
    fn what_a_producer_may_ask() {
        let asks = |id: i64,
                    epoch: i16,
                    transactional: Option<&'static str>,
                    timeout_ms: i32,
                    expected| {
            let name = |name| TransactionalId(StrBytes::from_static_str(name));
            let request = InitProducerIdRequest::default()
                .with_transactional_id(transactional.map(name))
                .with_transaction_timeout_ms(timeout_ms)
                .with_producer_id(id.into())
                .with_producer_epoch(epoch);
            assert_eq!(check(&request, 900_000), expected, "{request:?}");
        };
        asks(-1, -1, None, 60_000, Ok(()));
        asks(-1, -1, None, -1, Ok(()));
        asks(5, 3, None, 60_000, Ok(()));
        asks(5, -1, None, 60_000, Err(ErrorCode::InvalidRequest));
        asks(-1, 3, None, 60_000, Err(ErrorCode::InvalidRequest));
        asks(-1, -1, Some(""), 60_000, Err(ErrorCode::InvalidRequest));
        asks(-1, -1, Some("tx"), 0, Err(ErrorCode::InvalidTransactionTimeout));
        asks(-1, -1, Some("tx"), 900_001, Err(ErrorCode::InvalidTransactionTimeout));
        asks(-1, -1, Some("tx"), 900_000, Ok(()));
    }
}
