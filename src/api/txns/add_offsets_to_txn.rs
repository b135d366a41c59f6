//! AddOffsetsToTxn (25), versions 0–4: a group's offsets take part in a transaction.
//!
//! KIP-98, KIP-588 (2: PRODUCER_FENCED), KIP-482 (3: flexible), KIP-890 (4). Clients of version 2 of transactions do not
//! ask: their TxnOffsetCommit says as much.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::asking::{fenced_as, flat};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::{AddPartitions, TransactionRequest};
use crate::types::acls::Operation;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

const FIRST_WITH_PRODUCER_FENCED: i16 = 2;
const GROUP_METADATA_TOPIC: &str = "__consumer_offsets";

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: AddOffsetsToTxnRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, &call);
    let allowed = access
        .transactional_id(Operation::WRITE, &request.transactional_id)
        .and_then(|()| access.group(Operation::READ, &request.group_id));
    if let Err(code) = allowed {
        return answer(&call, code);
    }
    let partition = ctx.groups.partition_for(&request.group_id).0;
    let partitions = Arc::new(PartitionSet::of_one(GROUP_METADATA_TOPIC, partition));
    let id: Arc<str> = Arc::from(request.transactional_id.as_str());
    let asked = TransactionRequest::AddPartitions(AddPartitions {
        transactional_id: Arc::clone(&id),
        producer_id: ProducerId(request.producer_id.0),
        producer_epoch: ProducerEpoch(request.producer_epoch),
        partitions,
        client_version: 0,
    });
    ctx.transactions.call_for(&id, call.now, asked).answer(move |told| {
        let code = flat(told).err().unwrap_or(ErrorCode::None);
        answer(&call, fenced_as(call.version, FIRST_WITH_PRODUCER_FENCED, code))
    })
}

fn answer(call: &Call, code: ErrorCode) -> Answer {
    let response = AddOffsetsToTxnResponse::default().with_error_code(code.code());
    reply::<AddOffsetsToTxnRequest>(call, &response)
}
