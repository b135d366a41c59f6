//! EndTxn (26), versions 0–5: a transaction is committed or aborted.
//!
//! KIP-98, KIP-482 (3: flexible), KIP-588 (2: PRODUCER_FENCED), KIP-890 (4: TRANSACTION_ABORTABLE; 5: each end bumps the
//! epoch, and the answer says what the producer goes on with).
//!
//! From version 5 on a request that arrives late decides nothing: it has the epoch of a transaction that is over
//! (KAFKA-17754). Older ones have nothing that tells two transactions of one epoch apart: a late EndTxn is taken for that
//! of the transaction which is open when it arrives, here as in Kafka.
//!
//! Deviations from Apache Kafka: the markers of partitions that this node leads are written before the answer, so that the
//! next transaction need not wait for them.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::asking::{ask, fenced_as};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::txns::{
    Answered, EPOCH_BUMPS, EndTransaction, TransactionReply, TransactionRequest,
};
use crate::types::acls::Operation;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

const FIRST_WITH_PRODUCER_FENCED: i16 = 2;
/// From this version on the client works by version 2 of transactions.
const FIRST_WITH_EPOCH_BUMP: i16 = 5;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: EndTxnRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let allowed =
        Access::of(ctx, &call).transactional_id(Operation::WRITE, &request.transactional_id);
    if let Err(code) = allowed {
        return answer(&call, &Err(code));
    }
    let id: Arc<str> = Arc::from(request.transactional_id.as_str());
    let asked = EndTransaction {
        transactional_id: Arc::clone(&id),
        producer_id: ProducerId(request.producer_id.0),
        producer_epoch: ProducerEpoch(request.producer_epoch),
        commit: request.committed,
        client_version: if call.version >= FIRST_WITH_EPOCH_BUMP { EPOCH_BUMPS } else { 0 },
        fresh: None,
    };
    let request =
        move |fresh| TransactionRequest::EndTransaction(EndTransaction { fresh, ..asked.clone() });
    ask(ctx, call, id, request, |call, told| answer(call, &told))
}

fn answer(call: &Call, told: &TransactionReply) -> Answer {
    let response = EndTxnResponse::default().with_producer_id((-1).into()).with_producer_epoch(-1);
    let response = match told {
        Ok(Answered::Producer(id, epoch)) => {
            response.with_producer_id(id.0.into()).with_producer_epoch(epoch.0)
        }
        Ok(Answered::Done) => response,
        Ok(_) => response.with_error_code(ErrorCode::UnknownServerError.code()),
        Err(code) => {
            let code = fenced_as(call.version, FIRST_WITH_PRODUCER_FENCED, *code);
            response.with_error_code(code.code())
        }
    };
    reply::<EndTxnRequest>(call, &response)
}
