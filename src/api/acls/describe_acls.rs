//! DescribeAcls (29), versions 1–3: the ACLs that are like a filter.
//!
//! KIP-140; 1: KIP-290, prefixes; 2: KIP-482; 3: KIP-373, users as resources. Deviations from Apache Kafka: ACLs come in
//! the order of their resources, where Kafka has none; who may not ask is told so without a dump of the request; an
//! answer has at most [`ACLS_MAX`] of them, beyond which it is refused.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::has_unknown;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::metadata::acls::{Acl, AclFilter, Acls};
use crate::types::acls::{Operation, PatternType, Permission, ResourceType};
use crate::types::error_code::ErrorCode;

/// The most ACLs in one answer.
pub const ACLS_MAX: usize = 500_000;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: DescribeAclsRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let filter = filter(&request);
    let kinds = (filter.resource_type, filter.pattern_type);
    if has_unknown(kinds, (filter.operation, filter.permission)) {
        return refuse(call.peer, &"DescribeAclsRequest contains UNKNOWN elements");
    }
    let access = Access::of(ctx, call);
    let response = if access.is_open() {
        let message = "No Authorizer is configured on the broker";
        refused(ErrorCode::SecurityDisabled, message)
    } else if let Err(code) = access.cluster(Operation::DESCRIBE) {
        refused(code, code.message())
    } else {
        described(&ctx.image.load().acls, filter)
    };
    reply::<DescribeAclsRequest>(call, &response)
}

fn filter(request: &DescribeAclsRequest) -> AclFilter<'_> {
    AclFilter {
        resource_type: ResourceType(request.resource_type_filter),
        resource_name: request.resource_name_filter.as_deref(),
        pattern_type: PatternType(request.pattern_type_filter),
        principal: request.principal_filter.as_deref(),
        host: request.host_filter.as_deref(),
        operation: Operation(request.operation),
        permission: Permission(request.permission_type),
    }
}

fn refused(code: ErrorCode, message: &str) -> DescribeAclsResponse {
    let response = DescribeAclsResponse::default().with_error_code(code.code());
    response.with_error_message(Some(text(message)))
}

fn described(acls: &Acls, filter: AclFilter<'_>) -> DescribeAclsResponse {
    let mut found: Vec<&Acl> =
        acls.matching(filter).take(ACLS_MAX + 1).map(|rule| &rule.acl).collect();
    if found.len() > ACLS_MAX {
        let message = format!("more than {ACLS_MAX} ACLs are not described at once");
        return refused(ErrorCode::InvalidRequest, &message);
    }
    found.sort_unstable();
    found.dedup();
    let is_same = |a: &&Acl, b: &&Acl| {
        (a.resource_type, a.pattern_type) == (b.resource_type, b.pattern_type)
            && a.resource_name == b.resource_name
    };
    let resources = found.chunk_by(is_same).filter_map(|acls| {
        let first = acls.first()?;
        let resource = DescribeAclsResource::default()
            .with_resource_type(first.resource_type.0)
            .with_resource_name(text(first.resource_name.as_str()))
            .with_pattern_type(first.pattern_type.0);
        Some(resource.with_acls(acls.iter().copied().map(description).collect()))
    });
    // Kafka's answer has an empty text here, not none.
    let response = DescribeAclsResponse::default().with_error_message(Some(text("")));
    response.with_resources(resources.collect())
}

fn description(acl: &Acl) -> AclDescription {
    AclDescription::default()
        .with_principal(text(acl.principal.as_str()))
        .with_host(text(acl.host.as_str()))
        .with_operation(acl.operation.0)
        .with_permission_type(acl.permission.0)
}
