//! ListOffsets (2), versions 1–11: offsets by time, and the ends of a log.
//!
//! KIP-79 (1), KIP-98 (2: isolation), KIP-219 (3), KIP-320 (4: leader epochs), KIP-207 (5), KIP-482 (6: flexible), KIP-734
//! (7: the largest time), KIP-405 (8: the local start), KIP-1005 (9: tiered), KIP-1075 (10: a timeout), KIP-1023 (11).
//!
//! Deviations from Apache Kafka: topics and partitions are answered in the order of the request.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::data::replicas;
use crate::kernel::replica::fetch_session::TopicRef;
use crate::shell::drivers::partitions::requests::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP,
    LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, MAX_TIMESTAMP,
};
use crate::shell::drivers::partitions::{Isolation, ListSpec, Listed};
use crate::types::acls::Operation;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::types::seeded_map::SeededMap;

const CONSUMER: i32 = -1;
const FIRST_WITH_LEADER_EPOCH: i16 = 4;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: ListOffsetsRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let isolation = isolation(&request);
    let mut named = Named::of(&request.topics);
    let access = Access::of(ctx, call);
    let topics = request.topics.iter().map(|topic| {
        let name: &str = &topic.name;
        let is_denied = !access.topic(Operation::DESCRIBE, name);
        let answer = |asked: &ListOffsetsPartition| {
            if is_denied {
                let denied = Err(ErrorCode::TopicAuthorizationFailed);
                return Some(found_or_error(call.version, asked, denied));
            }
            let found = match (named.times(name, asked.partition_index), isolation) {
                (Times::Again, _) => return None,
                (_, None) => Err(ErrorCode::UnknownServerError),
                (Times::More, _) => Err(ErrorCode::InvalidRequest),
                (Times::Once, Some(isolation)) => find(ctx, call.version, isolation, name, asked),
            };
            Some(found_or_error(call.version, asked, found))
        };
        let partitions = topic.partitions.iter().filter_map(answer);
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let response = ListOffsetsResponse::default().with_topics(topics.collect());
    reply::<ListOffsetsRequest>(call, &response)
}

/// Up to where the client reads; none for a level that there is not, which fails the whole request.
fn isolation(request: &ListOffsetsRequest) -> Option<Isolation> {
    match request.isolation_level {
        0 | 1 if request.replica_id.0 != CONSUMER => Some(Isolation::LogEnd),
        0 => Some(Isolation::HighWatermark),
        1 => Some(Isolation::LastStable),
        _ => None,
    }
}

/// How often a request names each of its partitions. One that is named more than once is refused, once.
struct Named<'a>(SeededMap<(&'a str, i32), Times>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    More,
    /// More than once, and it is answered already.
    Again,
}

impl<'a> Named<'a> {
    fn of(topics: &'a [ListOffsetsTopic]) -> Self {
        let mut named = SeededMap::default();
        // Clients ask for one partition more often than for many: nothing is noted then.
        if topics.iter().map(|topic| topic.partitions.len()).sum::<usize>() > 1 {
            for topic in topics {
                for partition in &topic.partitions {
                    let entry = named.entry((&**topic.name, partition.partition_index));
                    entry.and_modify(|times| *times = Times::More).or_insert(Times::Once);
                }
            }
        }
        Self(named)
    }

    fn times(&mut self, topic: &'a str, partition: i32) -> Times {
        let Some(times) = self.0.get_mut(&(topic, partition)) else { return Times::Once };
        let now = *times;
        if now == Times::More {
            *times = Times::Again;
        }
        now
    }
}

fn find(
    ctx: &Ctx,
    version: i16,
    isolation: Isolation,
    topic: &str,
    asked: &ListOffsetsPartition,
) -> Result<Listed, ErrorCode> {
    if !is_known(version, asked.timestamp) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let index = PartitionId(asked.partition_index);
    let partition =
        replicas::partition(ctx, TopicRef::Name(topic), index).map_err(replicas::Missing::code)?;
    partition.list_offset(&ListSpec {
        timestamp: asked.timestamp,
        isolation,
        current_leader_epoch: LeaderEpoch(asked.current_leader_epoch),
    })
}

/// Whether a request of this version may ask for this time, or for what this mark stands for.
const fn is_known(version: i16, timestamp: i64) -> bool {
    match timestamp {
        EARLIEST_PENDING_UPLOAD_TIMESTAMP => version >= 11,
        LATEST_TIERED_TIMESTAMP => version >= 9,
        EARLIEST_LOCAL_TIMESTAMP => version >= 8,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_TIMESTAMP | LATEST_TIMESTAMP => true,
        time => time >= 0,
    }
}

fn found_or_error(
    version: i16,
    asked: &ListOffsetsPartition,
    found: Result<Listed, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let error = found.err().unwrap_or(ErrorCode::None);
    let found = found.unwrap_or(Listed::NONE);
    let epoch = if version >= FIRST_WITH_LEADER_EPOCH { found.leader_epoch.0 } else { -1 };
    ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(error.code())
        .with_timestamp(found.timestamp.0)
        .with_offset(found.offset.0)
        .with_leader_epoch(epoch)
}
