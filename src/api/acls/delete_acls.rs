//! DeleteAcls (31), versions 1–3: the ACLs that are like a filter go.
//!
//! KIP-140; 1: KIP-290, prefixes; 2: KIP-482; 3: KIP-373, users as resources. Each filter is answered by itself, with all
//! ACLs that are like it. Deviations from Apache Kafka: who may not ask is told so without a dump of the request.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::DeleteAclsRequest;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;

use super::has_unknown;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::api::forward::forward;
use crate::kernel::configs::alter::AlterRefusal as Refusal;
use crate::kernel::controller::{Reply, Request};
use crate::types::acls::{Operation, PatternType, Permission, ResourceType};
use crate::types::error_code::ErrorCode;

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: DeleteAclsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if request.filters.iter().any(is_unknown) {
        return refuse(call.peer, &"Filters contain UNKNOWN elements");
    }
    let access = Access::of(ctx, &call);
    let refusal = if access.is_open() {
        Refusal::new(ErrorCode::SecurityDisabled, "No Authorizer is configured.")
    } else if let Err(code) = access.cluster(Operation::ALTER) {
        Refusal::new(code, code.message())
    } else {
        return forward(ctx, call, Request::DeleteAcls(request), answer);
    };
    let reply = Request::DeleteAcls(request).refused(&refusal);
    answer(&call, reply).unwrap_or(Answer::Close)
}

fn is_unknown(filter: &DeleteAclsFilter) -> bool {
    has_unknown(
        (ResourceType(filter.resource_type_filter), PatternType(filter.pattern_type_filter)),
        (Operation(filter.operation), Permission(filter.permission_type)),
    )
}

fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::DeleteAcls(response) = decided else { return None };
    Some(reply::<DeleteAclsRequest>(call, &response))
}
