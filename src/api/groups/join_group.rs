//! JoinGroup (11), versions 0–9: a member joins its group, or joins again, and is answered when a generation begins.
//!
//! KIP-62 (1: rebalance timeout), KIP-394 (4: a new member is given an id first), KIP-345 (5: static members), KIP-482
//! (6: flexible), KIP-559 (7: the kind of protocol), KIP-800 (8: reasons), KIP-814 (9: a leader that need not assign).
//!
//! Deviations from Apache Kafka: members are listed, and leaders chosen, by the order of their ids, where Kafka has no
//! order; what a shard's members, and the ids that nobody has joined with, may take has a bound, beyond which the
//! coordinator is not available (15); a client that sends another JoinGroup while the first waits has an answer to the
//! first (27), where Kafka never gives one; a static member that does not fit into the log is told so (10), where Kafka
//! calls it an unknown error (−1).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::{check_group_id, named, reply_of};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::groups::requests::{GroupRequest, JoinGroup};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

const NO_GENERATION: i32 = -1;
/// From here on "no protocol" is null instead of nothing.
const FIRST_WITH_NULL_PROTOCOL: i16 = 7;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, mut call: Call, body: Bytes) -> Answer {
    let mut request: JoinGroupRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if let Err(error) = Access::of(ctx, &call).group(Operation::READ, &request.group_id) {
        return give(&call, refusal(error));
    }
    if let Err(error) = check(&request, &ctx.config.load()) {
        return give(&call, refusal(error).with_member_id(request.member_id));
    }
    if call.version == 0 {
        request.rebalance_timeout_ms = request.session_timeout_ms;
    }
    let partition = ctx.groups.partition_for(&request.group_id);
    let join = JoinGroup {
        version: call.version,
        // Taken, because it would pin the frame while the call waits.
        client_id: call.client_id.take().unwrap_or_default(),
        client_address: call.peer.ip(),
        request,
    };
    let request = GroupRequest::JoinGroup(Box::new(join));
    ctx.groups.call(partition, call.now, request).answer(move |told| {
        match reply_of!(told, JoinGroup) {
            Ok(response) => give(&call, *response),
            Err(error) => give(&call, refusal(named(error))),
        }
    })
}

/// What is refused without asking the group, in Kafka's order.
fn check(request: &JoinGroupRequest, config: &BrokerConfig) -> Result<(), ErrorCode> {
    check_group_id(&request.group_id)?;
    let timeouts_ms = config.group_min_session_timeout_ms..=config.group_max_session_timeout_ms;
    if timeouts_ms.contains(&request.session_timeout_ms) {
        Ok(())
    } else {
        Err(ErrorCode::InvalidSessionTimeout)
    }
}

fn refusal(error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(NO_GENERATION)
        .with_protocol_name(None)
}

fn give(call: &Call, mut response: JoinGroupResponse) -> Answer {
    if call.version < FIRST_WITH_NULL_PROTOCOL {
        response.protocol_name.get_or_insert_with(StrBytes::new);
    }
    reply::<JoinGroupRequest>(call, &response)
}
