//! OffsetForLeaderEpoch (23), versions 2–4: where the log of an epoch ends, so that a client sees what was cut off.
//!
//! KIP-101, KIP-320 (2: the epoch that the client knows), KIP-482 (4: flexible).
//!
//! No deviation from Apache Kafka is known.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::data::replicas::{self, Missing};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::types::acls::Operation;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: OffsetForLeaderEpochRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, call);
    let is_replica = access.may_on_cluster(Operation::CLUSTER_ACTION);
    let topics = request.topics.iter().map(|topic| {
        let is_denied = !is_replica && !access.topic(Operation::DESCRIBE, &topic.topic);
        let partitions = topic.partitions.iter().map(|asked| {
            if is_denied {
                let code = ErrorCode::TopicAuthorizationFailed.code();
                return EpochEndOffset::default()
                    .with_partition(asked.partition)
                    .with_error_code(code);
            }
            end(ctx, &topic.topic, asked)
        });
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(partitions.collect())
    });
    let response = OffsetForLeaderEpochResponse::default().with_topics(topics.collect());
    reply::<OffsetForLeaderEpochRequest>(call, &response)
}

fn end(ctx: &Ctx, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let partition = PartitionId(asked.partition);
    let found = replicas::partition(ctx, TopicRef::Name(topic), partition)
        .map_err(Missing::code)
        .and_then(|partition| {
            let current = LeaderEpoch(asked.current_leader_epoch);
            partition.epoch_end_offset(current, LeaderEpoch(asked.leader_epoch))
        });
    // The message's own defaults say "unknown" of both.
    let end = EpochEndOffset::default().with_partition(asked.partition);
    match found {
        Ok((epoch, offset)) => end.with_leader_epoch(epoch.0).with_end_offset(offset.0),
        Err(error) => end.with_error_code(ErrorCode::code(error)),
    }
}
