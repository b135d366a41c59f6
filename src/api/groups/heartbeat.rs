//! Heartbeat (12), versions 0–4: a member is alive, and learns whether it is to join again.
//!
//! KIP-345 (3: static members), KIP-482 (4: flexible).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{check_group_id, reply_of};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::GroupRequest;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: HeartbeatRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let allowed = Access::of(ctx, &call).group(Operation::READ, &request.group_id);
    if let Err(error) = allowed.and_then(|()| check_group_id(&request.group_id)) {
        return give(&call, Err(error));
    }
    let partition = ctx.groups.partition_for(&request.group_id);
    let called = ctx.groups.call(partition, call.now, GroupRequest::Heartbeat(request));
    called.answer(move |told| give(&call, reply_of!(told, Heartbeat)))
}

fn give(call: &Call, result: Result<HeartbeatResponse, ErrorCode>) -> Answer {
    let response = result.unwrap_or_else(|error| {
        HeartbeatResponse::default().with_error_code(match error {
            // Nobody can say now whether it still is a member: it goes on until someone can, as in Kafka.
            ErrorCode::CoordinatorLoadInProgress => 0,
            error => error.code(),
        })
    });
    reply::<HeartbeatRequest>(call, &response)
}
