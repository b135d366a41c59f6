//! ConsumerGroupDescribe (69), versions 0–1: what consumer groups look like, with what each member has and is to have.
//!
//! KIP-848; version 1: which protocol each member speaks (KIP-1099). Answered by the coordinator of each group.
//! Deviations from Apache Kafka: groups are told in the order of the request, and members in that of their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId,
};
use kafka_protocol::protocol::StrBytes;

use super::consumer_group_heartbeat::is_enabled;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::types::acls::{Operation, ResourceType};
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;

/// The version that tells which protocol a member speaks.
const FIRST_WITH_MEMBER_TYPE: i16 = 1;
/// What the older one says of it, which is nothing.
const UNKNOWN_MEMBER_TYPE: i8 = -1;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: ConsumerGroupDescribeRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let ids: Vec<StrBytes> = request.group_ids.into_iter().map(|id| id.0).collect();
    if !is_enabled(ctx) {
        let groups = ids.into_iter().map(|id| failed(id, ErrorCode::UnsupportedVersion)).collect();
        return answer(&call, groups);
    }
    let access = Access::of(ctx, &call);
    let ctx = Arc::clone(ctx);
    let with_operations = request.include_authorized_operations;
    Answer::Later(Box::pin(async move {
        let mut groups = describe_all(&ctx, &call, &access, ids).await;
        for group in groups.iter_mut().filter(|group| with_operations && group.error_code == 0) {
            let operations = access.operations(ResourceType::GROUP, &group.group_id);
            group.authorized_operations = operations;
        }
        if !access.is_open() {
            for group in &mut groups {
                hide(&access, group);
            }
        }
        if call.version < FIRST_WITH_MEMBER_TYPE {
            let members = groups.iter_mut().flat_map(|group| &mut group.members);
            members.for_each(|member| member.member_type = UNKNOWN_MEMBER_TYPE);
        }
        answer(&call, groups)
    }))
}

/// Asks each shard once for all of its groups.
async fn describe_all(
    ctx: &Ctx,
    call: &Call,
    access: &Access,
    ids: Vec<StrBytes>,
) -> Vec<DescribedGroup> {
    let mut of_shards: BTreeMap<PartitionId, Vec<usize>> = BTreeMap::new();
    let mut groups: BTreeMap<usize, DescribedGroup> = BTreeMap::new();
    for (at, id) in ids.iter().enumerate() {
        if let Err(code) = access.group(Operation::DESCRIBE, id) {
            groups.insert(at, failed(id.clone(), code));
        } else if id.is_empty() {
            groups.insert(at, failed(id.clone(), ErrorCode::InvalidGroupId));
        } else {
            of_shards.entry(ctx.groups.partition_for(id)).or_default().push(at);
        }
    }
    for (partition, places) in of_shards {
        let of_shard: Vec<StrBytes> =
            places.iter().filter_map(|at| ids.get(*at)).cloned().collect();
        let request = GroupRequest::ConsumerGroupDescribe(of_shard.clone());
        let described = match ctx.groups.call(partition, call.now, request).told().await {
            Ok(GroupReply::ConsumerGroupDescribe(described)) => described,
            Ok(_) => all_failed(of_shard, ErrorCode::UnknownServerError),
            Err(code) => all_failed(of_shard, code),
        };
        groups.extend(places.into_iter().zip(described));
    }
    groups.into_values().collect()
}

/// Of a group with a topic that the client may not describe, nothing is told.
fn hide(access: &Access, group: &mut DescribedGroup) {
    let members = group.members.iter();
    let assignments = members.flat_map(|it| [&it.assignment, &it.target_assignment]);
    let mut topics = assignments.flat_map(|it| &it.topic_partitions);
    let sees_all = topics.all(|topic| access.topic(Operation::DESCRIBE, &topic.topic_name));
    drop(topics);
    if sees_all {
        return;
    }
    let message = "The group has described topic(s) that the client is not authorized to describe.";
    let hidden = failed(group.group_id.0.clone(), ErrorCode::TopicAuthorizationFailed);
    *group = hidden.with_error_message(Some(StrBytes::from_static_str(message)));
}

fn all_failed(ids: Vec<StrBytes>, code: ErrorCode) -> Vec<DescribedGroup> {
    ids.into_iter().map(|id| failed(id, code)).collect()
}

fn failed(id: StrBytes, code: ErrorCode) -> DescribedGroup {
    DescribedGroup::default().with_group_id(GroupId(id)).with_error_code(code.code())
}

fn answer(call: &Call, groups: Vec<DescribedGroup>) -> Answer {
    let response = ConsumerGroupDescribeResponse::default().with_groups(groups);
    reply::<ConsumerGroupDescribeRequest>(call, &response)
}
