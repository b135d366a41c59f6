//! OffsetFetch, version 10: topics by their id instead of their name (KIP-848).

use bytes::Bytes;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse};

use crate::wire::fields::{Malformed, Reader, Writer};
use crate::wire::reply::Reply;

/// From this version on, topics have ids and no names.
pub const FIRST_WITH_TOPIC_ID: i16 = 10;

/// Two texts, an epoch, a count, and the end.
const GROUP_MIN_BYTES: usize = 1 + 1 + 4 + 1 + 1;
/// An id, a count, and the end.
const TOPIC_MIN_BYTES: usize = 16 + 1 + 1;
const INDEX_BYTES: usize = 4;
/// About what a group takes in an answer beside its topics, and a topic beside its partitions.
const AROUND_BYTES: usize = 32;
/// About what a partition takes in an answer.
const PARTITION_ANSWER_BYTES: usize = 24;

/// Reads a request of version 10; the names of its topics are empty.
pub fn decode(body: Bytes) -> Result<OffsetFetchRequest, Malformed> {
    let mut from = Reader::new(body, true);
    let count = from.count(GROUP_MIN_BYTES)?;
    let groups = (0..count).map(|_| group(&mut from)).collect::<Result<_, _>>()?;
    let require_stable = from.i8()? != 0;
    from.tags(|_, _| Ok(false))?;
    Ok(OffsetFetchRequest::default().with_groups(groups).with_require_stable(require_stable))
}

fn group(from: &mut Reader) -> Result<OffsetFetchRequestGroup, Malformed> {
    let mut group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(from.text()?))
        .with_member_id(from.nullable_text()?)
        .with_member_epoch(from.i32()?);
    group.topics = match from.nullable_count(TOPIC_MIN_BYTES)? {
        Some(count) => Some((0..count).map(|_| topic(from)).collect::<Result<_, _>>()?),
        None => None,
    };
    from.tags(|_, _| Ok(false))?;
    Ok(group)
}

fn topic(from: &mut Reader) -> Result<OffsetFetchRequestTopics, Malformed> {
    let mut topic = OffsetFetchRequestTopics::default().with_topic_id(from.uuid()?);
    let count = from.count(INDEX_BYTES)?;
    topic.partition_indexes = (0..count).map(|_| from.i32()).collect::<Result<_, _>>()?;
    from.tags(|_, _| Ok(false))?;
    Ok(topic)
}

/// The whole answer to a request of version 10.
pub fn encode(correlation_id: i32, answer: &OffsetFetchResponse) -> Reply {
    let mut into = Writer::answer(correlation_id, true, body_bytes(answer));
    into.i32(answer.throttle_time_ms);
    into.count(Some(answer.groups.len()));
    for group in &answer.groups {
        encode_group(group, &mut into);
    }
    into.tags([]);
    into.finish(std::iter::empty())
}

fn body_bytes(answer: &OffsetFetchResponse) -> usize {
    let topics = |group: &OffsetFetchResponseGroup| {
        let partitions = group.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>();
        (1 + group.topics.len()) * AROUND_BYTES + partitions * PARTITION_ANSWER_BYTES
    };
    answer.groups.iter().map(topics).sum()
}

fn encode_group(group: &OffsetFetchResponseGroup, into: &mut Writer) {
    into.text(&group.group_id);
    into.count(Some(group.topics.len()));
    for topic in &group.topics {
        encode_topic(topic, into);
    }
    into.i16(group.error_code);
    into.tags([]);
}

fn encode_topic(topic: &OffsetFetchResponseTopics, into: &mut Writer) {
    into.uuid(topic.topic_id);
    into.count(Some(topic.partitions.len()));
    for partition in &topic.partitions {
        into.i32(partition.partition_index);
        into.i64(partition.committed_offset);
        into.i32(partition.committed_leader_epoch);
        into.nullable_text(partition.metadata.as_deref());
        into.i16(partition.error_code);
        into.tags([]);
    }
    into.tags([]);
}
