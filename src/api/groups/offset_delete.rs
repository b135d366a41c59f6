//! OffsetDelete (47), version 0: offsets that a group needs no more (KIP-496).
//!
//! Deviations from Apache Kafka: none that is known.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse, TopicName};
use uuid::Uuid;

use super::sorted_out::{Answered, NamedBy, SortedOut};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::groups::offsets::DeleteReply;
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::metadata::image::Image;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: OffsetDeleteRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, &call);
    if let Err(code) = access.group(Operation::DELETE, &request.group_id) {
        return give(&call, SortedOut::default(), Err(code));
    }
    if request.group_id.is_empty() {
        return give(&call, SortedOut::default(), Err(ErrorCode::InvalidGroupId));
    }
    let (sorted, request) = sort_out(&ctx.image.load(), access, request);
    let group_id = request.group_id.0.clone();
    let request = GroupRequest::OffsetDelete(request);
    ctx.groups.call_for(&group_id, call.now, request).answer(move |told| match told {
        Ok(GroupReply::OffsetDelete(reply)) => give(&call, sorted, reply),
        Err(code) => give(&call, sorted, Err(code)),
        Ok(_) => refuse(call.peer, &"the coordinator answered something else"),
    })
}

/// The request without what does not exist. Even one that is left without topics goes to the coordinator, which may not
/// know the group.
fn sort_out(
    image: &Image,
    access: Access,
    request: OffsetDeleteRequest,
) -> (SortedOut, OffsetDeleteRequest) {
    let mut sorted = SortedOut::of(access, Ok(()));
    let mut there = OffsetDeleteRequest::default().with_group_id(request.group_id);
    for OffsetDeleteRequestTopic { name, partitions, .. } in request.topics {
        let index = |partition: &OffsetDeleteRequestPartition| partition.partition_index;
        let named = (name.0.clone(), Uuid::nil());
        let taken = sorted.take(image, NamedBy::Name, named, partitions, index);
        there.topics.extend(taken.map(|(_, partitions)| {
            OffsetDeleteRequestTopic::default().with_name(name).with_partitions(partitions)
        }));
    }
    (sorted, there)
}

fn give(call: &Call, sorted: SortedOut, told: DeleteReply) -> Answer {
    let response = match told {
        Ok(topics) => {
            let topics = sorted.merge(topics.into_iter().map(of_reply).collect());
            OffsetDeleteResponse::default().with_topics(topics.into_iter().map(answered).collect())
        }
        // Then nothing is said of any partition, not even of those that do not exist.
        Err(code) => OffsetDeleteResponse::default().with_error_code(code.code()),
    };
    reply::<OffsetDeleteRequest>(call, &response)
}

fn of_reply(topic: OffsetDeleteResponseTopic) -> Answered {
    let partitions = topic.partitions.iter().map(|it| (it.partition_index, it.error_code));
    Answered { partitions: partitions.collect(), name: topic.name.0, id: Uuid::nil() }
}

fn answered(topic: Answered) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.into_iter().map(|(index, code)| {
        OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
    });
    OffsetDeleteResponseTopic::default()
        .with_name(TopicName(topic.name))
        .with_partitions(partitions.collect())
}
