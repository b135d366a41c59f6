//! DescribeGroups (15), versions 0–6: what classic groups look like, with their members.
//!
//! KIP-430 (3: permitted operations), KIP-345 (4: static members), KIP-482 (5: flexible), KIP-1043 (6: a group that
//! does not exist is an error). Deviations from Apache Kafka: groups are answered in the order of the request.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use super::{by_partition, reply_of};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::{DescribeGroups, GroupRequest};
use crate::types::acls::{Operation, ResourceType};
use crate::types::error_code::ErrorCode;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: DescribeGroupsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let with_operations = request.include_authorized_operations;
    let access = Access::of(ctx, &call);
    let (allowed, denied): (Vec<_>, Vec<_>) = (request.groups.iter().map(|id| &id.0).enumerate())
        .partition(|(_, id)| access.group(Operation::DESCRIBE, id).is_ok());
    let mut described = vec![DescribedGroup::default(); request.groups.len()];
    for (place, id) in denied {
        if let Some(slot) = described.get_mut(place) {
            *slot = refusal(id.clone(), ErrorCode::GroupAuthorizationFailed);
        }
    }
    let asked = by_partition(ctx, allowed.into_iter()).into_iter();
    let asked = asked.map(|(partition, groups)| {
        let ids = groups.iter().map(|(_, id)| id.clone()).collect();
        let ask = DescribeGroups { groups: ids, version: call.version };
        let ask = GroupRequest::DescribeGroups(ask);
        (groups, ctx.groups.call(partition, call.now, ask))
    });
    let asked: Vec<_> = asked.collect();
    Answer::Later(Box::pin(async move {
        for (groups, called) in asked {
            let told = reply_of!(called.told().await, DescribeGroups);
            let mut told = told.map(Vec::into_iter);
            for (place, id) in groups {
                let group = match &mut told {
                    Ok(groups) => groups.next().unwrap_or_default(),
                    Err(error) => refusal(id, *error),
                };
                if let Some(slot) = described.get_mut(place) {
                    *slot = if with_operations { with_permitted(group, &access) } else { group };
                }
            }
        }
        let response = DescribeGroupsResponse::default().with_groups(described);
        reply::<DescribeGroupsRequest>(&call, &response)
    }))
}

fn refusal(id: StrBytes, error: ErrorCode) -> DescribedGroup {
    DescribedGroup::default().with_group_id(GroupId(id)).with_error_code(error.code())
}

fn with_permitted(group: DescribedGroup, access: &Access) -> DescribedGroup {
    if group.error_code == 0 {
        let operations = access.operations(ResourceType::GROUP, &group.group_id);
        group.with_authorized_operations(operations)
    } else {
        group
    }
}
