//! DeleteRecords (21), versions 0–2: what lies before an offset goes.
//!
//! KIP-107, KIP-482 (2: flexible). Of what a request says twice of a partition the last counts, as in Kafka.
//!
//! Deviations from Apache Kafka: topics and partitions are answered in the order of the request; nobody waits for
//! followers, which there are none of yet.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse, TopicName};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::data::INTERNAL_TOPICS;
use crate::api::data::replicas::{self, Missing};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: DeleteRecordsRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, call);
    let topics = asked_once(request.topics).into_iter().map(|(name, partitions)| {
        let is_denied = !access.topic(Operation::DELETE, &name);
        let partitions = partitions.into_iter().map(|(index, offset)| {
            let deleted = if is_denied {
                Err(ErrorCode::TopicAuthorizationFailed)
            } else {
                delete(ctx, &name, index, offset)
            };
            DeleteRecordsPartitionResult::default()
                .with_partition_index(index.0)
                .with_low_watermark(deleted.unwrap_or(Offset::UNKNOWN).0)
                .with_error_code(deleted.err().unwrap_or(ErrorCode::None).code())
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(name).with_partitions(partitions)
    });
    let response = DeleteRecordsResponse::default().with_topics(topics.collect());
    reply::<DeleteRecordsRequest>(call, &response)
}

/// A topic and up to which offset each of its partitions is to be deleted.
type Asked = (TopicName, Vec<(PartitionId, Offset)>);

/// What is asked, each topic and partition once, where it was first named.
fn asked_once(topics: Vec<DeleteRecordsTopic>) -> Vec<Asked> {
    let (mut asked, mut topic_places) = (Vec::<Asked>::new(), SeededMap::default());
    let mut places = SeededMap::default();
    for topic in topics {
        let at = *topic_places.entry(topic.name.clone()).or_insert(asked.len());
        if at == asked.len() {
            asked.push((topic.name, Vec::new()));
        }
        let Some((_, partitions)) = asked.get_mut(at) else { continue };
        for partition in topic.partitions {
            let (index, offset) =
                (PartitionId(partition.partition_index), Offset(partition.offset));
            let place = *places.entry((at, index)).or_insert(partitions.len());
            match partitions.get_mut(place) {
                Some(before) => *before = (index, offset),
                None => partitions.push((index, offset)),
            }
        }
    }
    asked
}

/// Deletes, and gives the offset at which the log starts then.
fn delete(ctx: &Ctx, topic: &str, index: PartitionId, to: Offset) -> Result<Offset, ErrorCode> {
    let found = replicas::partition(ctx, TopicRef::Name(topic), index).map_err(Missing::code)?;
    if INTERNAL_TOPICS.contains(&topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    found.delete_records(to)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    #[test]
    fn of_what_is_said_twice_of_a_partition_the_last_counts() {
        let topic = |name: &'static str, partitions: &[(i32, i64)]| {
            let partition = |&(index, offset): &(i32, i64)| {
                DeleteRecordsPartition::default().with_partition_index(index).with_offset(offset)
            };
            DeleteRecordsTopic::default()
                .with_name(TopicName(StrBytes::from_static_str(name)))
                .with_partitions(partitions.iter().map(partition).collect())
        };
        let topics = vec![
            topic("a", &[(1, 9), (0, 4), (1, 3)]),
            topic("b", &[(1, 1)]),
            topic("a", &[(2, 2), (0, 5)]),
        ];
        let asked: Vec<(String, Vec<(i32, i64)>)> = asked_once(topics)
            .into_iter()
            .map(|(name, all)| (name.to_string(), all.iter().map(|it| (it.0.0, it.1.0)).collect()))
            .collect();
        let expected = [("a", vec![(1, 3), (0, 5), (2, 2)]), ("b", vec![(1, 1)])];
        assert_eq!(asked, expected.map(|(name, all)| (name.to_owned(), all)));
    }
}
