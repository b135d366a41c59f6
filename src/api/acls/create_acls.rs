//! CreateAcls (30), versions 1–3: ACLs come to be.
//!
//! KIP-140; 1: KIP-290, prefixes; 2: KIP-482; 3: KIP-373, users as resources. Each ACL is answered by itself, in the
//! order of the request. Deviations from Apache Kafka: who may not ask is told so without a dump of the request.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::CreateAclsRequest;
use kafka_protocol::messages::create_acls_request::AclCreation;

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
    let request: CreateAclsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if request.creations.iter().any(is_unknown) {
        return refuse(call.peer, &"CreatableAcls contain unknown elements");
    }
    let access = Access::of(ctx, &call);
    let refusal = if access.is_open() {
        Refusal::new(ErrorCode::SecurityDisabled, "No Authorizer is configured.")
    } else if let Err(code) = access.cluster(Operation::ALTER) {
        Refusal::new(code, code.message())
    } else if request.creations.iter().any(is_of_filters) {
        // Kafka stumbles over what only filters have.
        Refusal { code: ErrorCode::UnknownServerError, message: None }
    } else {
        return forward(ctx, call, Request::CreateAcls(request), answer);
    };
    let reply = Request::CreateAcls(request).refused(&refusal);
    answer(&call, reply).unwrap_or(Answer::Close)
}

const fn kinds(creation: &AclCreation) -> (ResourceType, PatternType) {
    (ResourceType(creation.resource_type), PatternType(creation.resource_pattern_type))
}

const fn entry(creation: &AclCreation) -> (Operation, Permission) {
    (Operation(creation.operation), Permission(creation.permission_type))
}

fn is_unknown(creation: &AclCreation) -> bool {
    has_unknown(kinds(creation), entry(creation))
}

fn is_of_filters(creation: &AclCreation) -> bool {
    let (resource_type, pattern_type) = kinds(creation);
    let (operation, permission) = entry(creation);
    resource_type == ResourceType::ANY
        || matches!(pattern_type, PatternType::ANY | PatternType::MATCH)
        || operation == Operation::ANY
        || permission == Permission::ANY
}

fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::CreateAcls(response) = decided else { return None };
    Some(reply::<CreateAclsRequest>(call, &response))
}
