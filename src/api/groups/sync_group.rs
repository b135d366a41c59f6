//! SyncGroup (14), versions 0–5: a member fetches its assignment; the leader brings those of all.
//!
//! KIP-345 (3: static members), KIP-482 (4: flexible), KIP-559 (5: the protocol must be the group's).
//!
//! Deviations from Apache Kafka: members that wait for an assignment which is too large for the log are told so (10),
//! where Kafka calls it an unknown error (−1); a member that leaves, or sends another SyncGroup, while one waits has an
//! answer to that one (25, 27), where Kafka never gives one.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{check_group_id, named, reply_of};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::GroupRequest;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// From here on a member says which protocol it means.
const FIRST_WITH_PROTOCOL: i16 = 5;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, mut call: Call, body: Bytes) -> Answer {
    let request: SyncGroupRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    // It would pin the frame while the call waits.
    call.client_id = None;
    if let Err(error) = check(&request, call.version, &Access::of(ctx, &call)) {
        return give(&call, Err(error));
    }
    let partition = ctx.groups.partition_for(&request.group_id);
    let request = GroupRequest::SyncGroup(Box::new(request));
    let called = ctx.groups.call(partition, call.now, request);
    called.answer(move |told| give(&call, reply_of!(told, SyncGroup)))
}

/// What is refused without asking the group, in Kafka's order.
fn check(request: &SyncGroupRequest, version: i16, access: &Access) -> Result<(), ErrorCode> {
    let has_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if version >= FIRST_WITH_PROTOCOL && !has_protocol {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    access.group(Operation::READ, &request.group_id)?;
    check_group_id(&request.group_id)
}

fn give(call: &Call, result: Result<Box<SyncGroupResponse>, ErrorCode>) -> Answer {
    let response = result.unwrap_or_else(|error| {
        Box::new(SyncGroupResponse::default().with_error_code(named(error).code()))
    });
    reply::<SyncGroupRequest>(call, &response)
}
