//! DeleteRecords (21), versions 0–2: what lies before an offset goes.
//!
//! KIP-107, KIP-482 (2: flexible). Every entry of the request is answered.
//!
//! Deviations from Apache Kafka: topics and partitions are answered in the order of the request, and a partition that is
//! named twice is answered twice; nobody waits for followers, which there are none of yet.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::data::INTERNAL_TOPICS;
use crate::api::data::replicas::{self, Missing};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::types::offset::Offset;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: DeleteRecordsRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let deleted = delete(ctx, &topic.name, asked);
            DeleteRecordsPartitionResult::default()
                .with_partition_index(asked.partition_index)
                .with_low_watermark(deleted.unwrap_or(Offset::UNKNOWN).0)
                .with_error_code(deleted.err().unwrap_or(ErrorCode::None).code())
        });
        DeleteRecordsTopicResult::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let response = DeleteRecordsResponse::default().with_topics(topics.collect());
    reply::<DeleteRecordsRequest>(call, &response)
}

/// Deletes, and gives the offset at which the log starts then.
fn delete(ctx: &Ctx, topic: &str, asked: &DeleteRecordsPartition) -> Result<Offset, ErrorCode> {
    let index = PartitionId(asked.partition_index);
    let found = replicas::partition(ctx, TopicRef::Name(topic), index).map_err(Missing::code)?;
    if INTERNAL_TOPICS.contains(&topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    found.delete_records(Offset(asked.offset))
}
