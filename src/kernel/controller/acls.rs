//! CreateAcls and DeleteAcls: which ACLs come to be, and which go.
//!
//! Each creation and each filter is answered by itself. What there is already is not written again; an ACL that two
//! filters of a request match is deleted once, and told of by both.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_acls_response::{
    DeleteAclsFilterResult, DeleteAclsMatchingAcl,
};
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
};
use uuid::Uuid;

use super::placement::Random;
use super::requests::text;
use super::view::View;
use super::{Decided, RECORDS_MAX, Refusal, Reply, too_large};
use crate::kernel::metadata::acls::{Acl, AclFilter};
use crate::types::acls::{CLUSTER_NAME, Operation, PatternType, Permission, ResourceType};
use crate::types::error_code::ErrorCode;
use crate::types::ids::uuid_from_random;
use crate::wire::records::{MetadataRecord, RemoveAccessControlEntryRecord};

/// The ids that are drawn for one ACL before the source of chance is given up on.
const ACL_ID_DRAWS_MAX: usize = 100;
/// The ACLs that one answer to DeleteAcls tells of: the same one for each filter that matches it.
const MATCHES_MAX: usize = 10 * RECORDS_MAX;

/// Decides on CreateAcls.
pub fn create_acls(
    view: &View<'_>,
    request: &CreateAclsRequest,
    random: Random<'_>,
) -> Result<Decided, Refusal> {
    let acls = &view.image.acls;
    let mut new: BTreeMap<Acl, Uuid> = BTreeMap::new();
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut results = Vec::with_capacity(request.creations.len());
    for creation in &request.creations {
        let acl = match validated(creation) {
            Ok(acl) => acl,
            Err(why) => {
                let result = AclCreationResult::default();
                let code = ErrorCode::InvalidRequest.code();
                results.push(result.with_error_code(code).with_error_message(Some(text(why))));
                continue;
            }
        };
        results.push(AclCreationResult::default());
        if acls.contains(&acl) || new.contains_key(&acl) {
            continue;
        }
        if records.len() == RECORDS_MAX {
            return Err(too_large());
        }
        let mut draws = (0..ACL_ID_DRAWS_MAX).filter_map(|_| uuid_from_random(random()));
        let id = draws.find(|id| !acls.contains_id(*id) && !new.values().any(|it| it == id));
        let id = id.ok_or(Refusal { code: ErrorCode::UnknownServerError, message: None })?;
        records.push(acl.to_record(id).into());
        new.insert(acl, id);
    }
    let reply = Reply::CreateAcls(CreateAclsResponse::default().with_results(results));
    Ok(Decided { records, reply })
}

/// The ACL that is asked for, or what is wrong with it.
fn validated(creation: &AclCreation) -> Result<Acl, String> {
    let acl = Acl {
        resource_type: ResourceType(creation.resource_type),
        resource_name: creation.resource_name.to_string(),
        pattern_type: PatternType(creation.resource_pattern_type),
        operation: Operation(creation.operation),
        principal: creation.principal.to_string(),
        host: creation.host.to_string(),
        permission: Permission(creation.permission_type),
    };
    if acl.resource_type == ResourceType::CLUSTER && acl.resource_name != CLUSTER_NAME {
        return Err(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}"));
    }
    if acl.resource_name.is_empty() {
        return Err("Invalid empty resource name".to_owned());
    }
    if acl.resource_type.is_unknown() || acl.resource_type == ResourceType::ANY {
        return Err(format!("Invalid resourceType {}", acl.resource_type));
    }
    if !matches!(acl.pattern_type, PatternType::LITERAL | PatternType::PREFIXED) {
        return Err(format!("Invalid patternType {}", acl.pattern_type));
    }
    if acl.operation.is_unknown() || acl.operation == Operation::ANY {
        return Err(format!("Invalid operation {}", acl.operation));
    }
    if !matches!(acl.permission, Permission::DENY | Permission::ALLOW) {
        return Err(format!("Invalid permissionType {}", acl.permission));
    }
    if !acl.principal.contains(':') {
        return Err(format!(
            "Could not parse principal from `{}` (no colon is present separating the principal \
             type from the principal name)",
            acl.principal
        ));
    }
    Ok(acl)
}

/// Decides on DeleteAcls.
pub fn delete_acls(view: &View<'_>, request: &DeleteAclsRequest) -> Result<Decided, Refusal> {
    let mut doomed: BTreeSet<Uuid> = BTreeSet::new();
    let mut matches = 0;
    let mut results = Vec::with_capacity(request.filters.len());
    for filter in &request.filters {
        let filter = match filter_of(filter) {
            Ok(filter) => filter,
            Err(why) => {
                let result = DeleteAclsFilterResult::default();
                let code = ErrorCode::InvalidRequest.code();
                results.push(result.with_error_code(code).with_error_message(Some(text(why))));
                continue;
            }
        };
        let mut deleted = Vec::new();
        for rule in view.image.acls.matching(filter) {
            matches += 1;
            if doomed.len() == RECORDS_MAX || matches > MATCHES_MAX {
                let message = format!(
                    "Cannot remove more than {RECORDS_MAX} acls in a single delete operation."
                );
                return Err(Refusal::new(ErrorCode::InvalidRequest, message));
            }
            doomed.insert(rule.id);
            deleted.push(matching(&rule.acl));
        }
        let result = DeleteAclsFilterResult::default().with_error_message(None);
        results.push(result.with_matching_acls(deleted));
    }
    let record = |id| RemoveAccessControlEntryRecord { id }.into();
    let records = doomed.into_iter().map(record).collect();
    let reply = Reply::DeleteAcls(DeleteAclsResponse::default().with_filter_results(results));
    Ok(Decided { records, reply })
}

/// What a filter of DeleteAcls asks for, or what is wrong with it.
fn filter_of(filter: &DeleteAclsFilter) -> Result<AclFilter<'_>, &'static str> {
    let filter = AclFilter {
        resource_type: ResourceType(filter.resource_type_filter),
        resource_name: filter.resource_name_filter.as_deref(),
        pattern_type: PatternType(filter.pattern_type_filter),
        principal: filter.principal_filter.as_deref(),
        host: filter.host_filter.as_deref(),
        operation: Operation(filter.operation),
        permission: Permission(filter.permission_type),
    };
    if filter.resource_type.is_unknown() || filter.pattern_type.is_unknown() {
        return Err("Unknown patternFilter.");
    }
    if filter.operation.is_unknown() || filter.permission.is_unknown() {
        return Err("Unknown entryFilter.");
    }
    Ok(filter)
}

fn matching(acl: &Acl) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_error_message(None)
        .with_resource_type(acl.resource_type.0)
        .with_resource_name(text(acl.resource_name.as_str()))
        .with_pattern_type(acl.pattern_type.0)
        .with_principal(text(acl.principal.as_str()))
        .with_host(text(acl.host.as_str()))
        .with_operation(acl.operation.0)
        .with_permission_type(acl.permission.0)
}
