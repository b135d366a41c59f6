//! LeaveGroup (13), versions 0–5: members leave their group.
//!
//! KIP-345 (3: several at once, by their ids or their own names), KIP-482 (4: flexible), KIP-800 (5: reasons).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{check_group_id, reply_of};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::GroupRequest;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// From here on several members leave, each with an answer of its own.
const FIRST_WITH_MEMBERS: i16 = 3;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let mut request: LeaveGroupRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let allowed = Access::of(ctx, &call).group(Operation::READ, &request.group_id);
    if let Err(error) = allowed.and_then(|()| check_group_id(&request.group_id)) {
        return give(&call, Err(error));
    }
    if call.version < FIRST_WITH_MEMBERS {
        let member_id = std::mem::take(&mut request.member_id);
        request.members = vec![MemberIdentity::default().with_member_id(member_id)];
    }
    let partition = ctx.groups.partition_for(&request.group_id);
    let request = GroupRequest::LeaveGroup(Box::new(request));
    let called = ctx.groups.call(partition, call.now, request);
    called.answer(move |told| give(&call, reply_of!(told, LeaveGroup)))
}

fn give(call: &Call, result: Result<LeaveGroupResponse, ErrorCode>) -> Answer {
    let mut response =
        result.unwrap_or_else(|error| LeaveGroupResponse::default().with_error_code(error.code()));
    if call.version < FIRST_WITH_MEMBERS {
        let members = std::mem::take(&mut response.members);
        if let [member] = &members[..] {
            response.error_code = member.error_code;
        }
    }
    reply::<LeaveGroupRequest>(call, &response)
}
