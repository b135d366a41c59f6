//! OffsetCommit (8), versions 2–10: up to where a group has read.
//!
//! KIP-88 (2: the group's coordinator, with a time of its own), KIP-211 (5: the broker decides how long it is kept),
//! KIP-320 (6: leader epochs), KIP-345 (7: static members), KIP-482 (8: flexible), KIP-848 (9: members of the new
//! protocol, 10: topics by their ids).
//!
//! Deviations from Apache Kafka: none that is known.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::sorted_out::{Answered, NamedBy, SortedOut};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::groups::offsets::{CommitPartition, CommitReply, CommitRequest};
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::metadata::image::Image;
use crate::types::acls::Operation;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::types::offset::Offset;
use crate::wire::messages::offset_commit;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match read(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let group_id = request.group_id.0.clone();
    let access = Access::of(ctx, &call);
    let allowed = access.group(Operation::READ, &group_id);
    let sorted = SortedOut::of(access, allowed);
    let (sorted, commit) = sort_out(&ctx.image.load(), call.version, sorted, request);
    if commit.topics.is_empty() {
        return give(&call, sorted, &Ok(Vec::new()));
    }
    let request = GroupRequest::OffsetCommit(Box::new(commit));
    ctx.groups.call_for(&group_id, call.now, request).answer(move |told| match told {
        Ok(GroupReply::OffsetCommit(reply)) => give(&call, sorted, &reply),
        Err(code) => give(&call, sorted, &Err(code)),
        Ok(_) => refuse(call.peer, &"the coordinator answered something else"),
    })
}

fn read(call: &Call, body: Bytes) -> Result<OffsetCommitRequest, Answer> {
    if call.version < offset_commit::FIRST_WITH_TOPIC_ID {
        return decode(call, body);
    }
    offset_commit::decode(body).map_err(|error| refuse(call.peer, &error))
}

fn sort_out(
    image: &Image,
    version: i16,
    mut sorted: SortedOut,
    request: OffsetCommitRequest,
) -> (SortedOut, CommitRequest) {
    let named_by = match version {
        offset_commit::FIRST_WITH_TOPIC_ID.. => NamedBy::Id,
        _ => NamedBy::Name,
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(partition);
        ((topic.name.0, topic.topic_id), partitions.collect())
    });
    let topics = sorted.take_commits(image, named_by, topics);
    let commit = CommitRequest {
        group_id: request.group_id.0,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        generation_id_or_member_epoch: request.generation_id_or_member_epoch,
        api_version: version,
        retention_time_ms: request.retention_time_ms,
        topics,
    };
    (sorted, commit)
}

fn partition(asked: OffsetCommitRequestPartition) -> CommitPartition {
    CommitPartition {
        index: PartitionId(asked.partition_index),
        offset: Offset(asked.committed_offset),
        leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
        metadata: asked.committed_metadata.unwrap_or_default(),
    }
}

fn give(call: &Call, sorted: SortedOut, told: &CommitReply) -> Answer {
    let told = told.as_deref().map_err(|code| *code);
    let topics = sorted.answer(told, ErrorCode::OffsetMetadataTooLarge);
    let topics = topics.into_iter().map(answered).collect();
    let response = OffsetCommitResponse::default().with_topics(topics);
    if call.version < offset_commit::FIRST_WITH_TOPIC_ID {
        return reply::<OffsetCommitRequest>(call, &response);
    }
    Answer::Now(offset_commit::encode(call.correlation_id, &response))
}

fn answered(topic: Answered) -> OffsetCommitResponseTopic {
    let partitions = topic.partitions.into_iter().map(|(index, code)| {
        OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
    });
    OffsetCommitResponseTopic::default()
        .with_name(TopicName(topic.name))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}
