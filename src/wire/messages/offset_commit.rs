//! OffsetCommit, version 10: topics by their id instead of their name (KIP-848).

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetCommitResponse};

use bytes::Bytes;

use crate::wire::fields::{Malformed, Reader, Writer};
use crate::wire::reply::Reply;

/// From this version on, topics have ids and no names.
pub const FIRST_WITH_TOPIC_ID: i16 = 10;

/// An id, a count, and the end.
const TOPIC_MIN_BYTES: usize = 16 + 1 + 1;
/// An index, an offset, an epoch, a text, and the end.
const PARTITION_MIN_BYTES: usize = 4 + 8 + 4 + 1 + 1;
/// An id and what is around a topic's partitions in an answer.
const TOPIC_ANSWER_BYTES: usize = 16 + 5 + 1;
/// A partition in an answer.
const PARTITION_ANSWER_BYTES: usize = 4 + 2 + 1;

/// Reads a request of version 10; the names of its topics are empty.
pub fn decode(body: Bytes) -> Result<OffsetCommitRequest, Malformed> {
    let mut from = Reader::new(body, true);
    let mut request = OffsetCommitRequest::default()
        .with_group_id(GroupId(from.text()?))
        .with_generation_id_or_member_epoch(from.i32()?)
        .with_member_id(from.text()?)
        .with_group_instance_id(from.nullable_text()?);
    let count = from.count(TOPIC_MIN_BYTES)?;
    request.topics = (0..count).map(|_| topic(&mut from)).collect::<Result<_, _>>()?;
    from.tags(|_, _| Ok(false))?;
    Ok(request)
}

fn topic(from: &mut Reader) -> Result<OffsetCommitRequestTopic, Malformed> {
    let mut topic = OffsetCommitRequestTopic::default().with_topic_id(from.uuid()?);
    let count = from.count(PARTITION_MIN_BYTES)?;
    topic.partitions = (0..count).map(|_| partition(from)).collect::<Result<_, _>>()?;
    from.tags(|_, _| Ok(false))?;
    Ok(topic)
}

fn partition(from: &mut Reader) -> Result<OffsetCommitRequestPartition, Malformed> {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(from.i32()?)
        .with_committed_offset(from.i64()?)
        .with_committed_leader_epoch(from.i32()?)
        .with_committed_metadata(from.nullable_text()?);
    from.tags(|_, _| Ok(false))?;
    Ok(partition)
}

/// The whole answer to a request of version 10.
pub fn encode(correlation_id: i32, answer: &OffsetCommitResponse) -> Reply {
    let partitions = answer.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>();
    let body_bytes =
        10 + answer.topics.len() * TOPIC_ANSWER_BYTES + partitions * PARTITION_ANSWER_BYTES;
    let mut into = Writer::answer(correlation_id, true, body_bytes);
    into.i32(answer.throttle_time_ms);
    into.count(Some(answer.topics.len()));
    for topic in &answer.topics {
        into.uuid(topic.topic_id);
        into.count(Some(topic.partitions.len()));
        for partition in &topic.partitions {
            into.i32(partition.partition_index);
            into.i16(partition.error_code);
            into.tags([]);
        }
        into.tags([]);
    }
    into.tags([]);
    into.finish(std::iter::empty())
}
