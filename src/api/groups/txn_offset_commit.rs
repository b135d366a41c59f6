//! TxnOffsetCommit (28), versions 0–5: up to where a group will have read once a transaction is committed.
//!
//! KIP-98, KIP-219 (1), KIP-320 (2: leader epochs), KIP-447 and KIP-482 (3: the member, flexible), KIP-890 (4: a
//! transaction that is to be aborted, 5: the partition is added to the transaction on the way).
//!
//! Not listed yet: before the write the transaction's coordinator has to vouch for it.

#![allow(dead_code, reason = "under construction: listed together with the transactions")]

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use uuid::Uuid;

use super::sorted_out::{Answered, NamedBy, SortedOut};
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::groups::offsets::{
    CommitPartition, CommitReply, CommitRequest, CommitTopic, TxnCommitRequest,
};
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::metadata::image::Image;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;

/// Clients before this version, of Kafka 0.11 to 1.1, do not survive COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296).
const FIRST_THAT_KNOWS_LOADING: i16 = 2;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: TxnOffsetCommitRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let group_id = request.group_id.0.clone();
    let (sorted, commit) = sort_out(&ctx.image.load(), call.version, request);
    if commit.commit.topics.is_empty() {
        return give(&call, sorted, &Ok(Vec::new()));
    }
    if group_id.is_empty() {
        return give(&call, sorted, &Err(ErrorCode::InvalidGroupId));
    }
    let request = GroupRequest::TxnOffsetCommit(Box::new(commit));
    ctx.groups.call_for(&group_id, call.now, request).answer(move |told| match told {
        Ok(GroupReply::OffsetCommit(reply)) => give(&call, sorted, &reply),
        Err(code) => give(&call, sorted, &Err(code)),
        Ok(_) => refuse(call.peer, &"the coordinator answered something else"),
    })
}

fn sort_out(
    image: &Image,
    version: i16,
    request: TxnOffsetCommitRequest,
) -> (SortedOut, TxnCommitRequest) {
    let mut sorted = SortedOut::default();
    let mut topics = Vec::with_capacity(request.topics.len());
    for TxnOffsetCommitRequestTopic { name, partitions, .. } in request.topics {
        let index = |partition: &TxnOffsetCommitRequestPartition| partition.partition_index;
        let named = (name.0, Uuid::nil());
        let there = sorted.take(image, NamedBy::Name, named, partitions, index);
        topics.extend(there.map(|(topic, partitions)| CommitTopic {
            name: topic.name.clone(),
            id: topic.id,
            partitions: partitions.into_iter().map(partition).collect(),
        }));
    }
    let commit = CommitRequest {
        group_id: request.group_id.0,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        generation_id_or_member_epoch: request.generation_id,
        api_version: version,
        retention_time_ms: -1,
        topics,
    };
    let commit = TxnCommitRequest {
        transactional_id: request.transactional_id.0,
        producer_id: ProducerId(request.producer_id.0),
        producer_epoch: ProducerEpoch(request.producer_epoch),
        commit,
    };
    (sorted, commit)
}

fn partition(asked: TxnOffsetCommitRequestPartition) -> CommitPartition {
    CommitPartition {
        index: PartitionId(asked.partition_index),
        offset: Offset(asked.committed_offset),
        leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
        metadata: asked.committed_metadata.unwrap_or_default(),
    }
}

fn give(call: &Call, sorted: SortedOut, told: &CommitReply) -> Answer {
    let told = told.as_deref().map_err(|code| for_version(call.version, *code));
    let topics = sorted.answer(told, ErrorCode::OffsetMetadataTooLarge);
    let topics = topics.into_iter().map(answered).collect();
    let response = TxnOffsetCommitResponse::default().with_topics(topics);
    reply::<TxnOffsetCommitRequest>(call, &response)
}

fn for_version(version: i16, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::CoordinatorLoadInProgress if version < FIRST_THAT_KNOWS_LOADING => {
            ErrorCode::CoordinatorNotAvailable
        }
        code => code,
    }
}

fn answered(topic: Answered) -> TxnOffsetCommitResponseTopic {
    let partitions = topic.partitions.into_iter().map(|(index, code)| {
        TxnOffsetCommitResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(code)
    });
    TxnOffsetCommitResponseTopic::default()
        .with_name(TopicName(topic.name))
        .with_partitions(partitions.collect())
}
