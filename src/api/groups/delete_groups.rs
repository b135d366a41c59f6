//! DeleteGroups (42), versions 0–2: groups without members are deleted, with their offsets.
//!
//! KIP-229, KIP-482 (2: flexible). Deviations from Apache Kafka: groups are answered in the order of the request.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use super::{by_partition, reply_of};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::GroupRequest;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: DeleteGroupsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let names = distinct(request.groups_names.into_iter().map(|id| id.0));
    let access = Access::of(ctx, &call);
    let (allowed, denied): (Vec<_>, Vec<_>) =
        (names.iter().enumerate()).partition(|(_, id)| access.group(Operation::DELETE, id).is_ok());
    let mut results = vec![DeletableGroupResult::default(); names.len()];
    for (place, id) in denied {
        if let Some(slot) = results.get_mut(place) {
            *slot = refusal(id.clone(), ErrorCode::GroupAuthorizationFailed);
        }
    }
    let asked = by_partition(ctx, allowed.into_iter()).into_iter();
    let asked = asked.map(|(partition, groups)| {
        let ids = groups.iter().map(|(_, id)| id.clone()).collect();
        (groups, ctx.groups.call(partition, call.now, GroupRequest::DeleteGroups(ids)))
    });
    let asked: Vec<_> = asked.collect();
    Answer::Later(Box::pin(async move {
        for (groups, called) in asked {
            let told = reply_of!(called.told().await, DeleteGroups);
            let mut told = told.map(Vec::into_iter);
            for (place, id) in groups {
                let result = match &mut told {
                    Ok(results) => results.next().unwrap_or_default(),
                    Err(error) => refusal(id, *error),
                };
                if let Some(slot) = results.get_mut(place) {
                    *slot = result;
                }
            }
        }
        let response = DeleteGroupsResponse::default().with_results(results);
        reply::<DeleteGroupsRequest>(&call, &response)
    }))
}

/// Each name once, where it was first.
fn distinct(names: impl Iterator<Item = StrBytes>) -> Vec<StrBytes> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

fn refusal(id: StrBytes, error: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult::default().with_group_id(GroupId(id)).with_error_code(error.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_named_twice_is_deleted_once() {
        let names = ["b", "a", "b"].into_iter().map(StrBytes::from_static_str);
        assert_eq!(distinct(names), ["b", "a"].map(StrBytes::from_static_str));
    }
}
