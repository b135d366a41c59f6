//! Produce, versions 3 to 13: the request without a copy, the answer without the crate's detours.
//!
//! A partition's records are a slice of the frame; nothing in them is looked at here. Version 8 adds errors
//! per record (KIP-467), 9 is flexible, 10 names the leader (KIP-951), 13 speaks of topic ids (KIP-516).

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use smallvec::SmallVec;

use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::fields::{CurrentLeader, Malformed, NodeEndpoint, Reader, Writer};
use crate::wire::reply::Reply;

/// The versions that are served. Lower ones are advertised, because librdkafka switches compression off
/// otherwise (KAFKA-18659), and refused.
pub const PRODUCE_VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

const FIRST_WITH_RECORD_ERRORS: i16 = 8;
const FIRST_FLEXIBLE: i16 = 9;
const FIRST_WITH_LEADER: i16 = 10;
const FIRST_WITH_TOPIC_ID: i16 = 13;

/// What a producer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    /// None without transactions.
    pub transactional_id: Option<StrBytes>,
    /// 0, 1 or −1; anything else is for the handler to refuse.
    pub acks: i16,
    /// How long to wait for the other replicas.
    pub timeout_ms: i32,
    /// What to append, by topic.
    pub topics: SmallVec<[ProduceTopic; 1]>,
}

/// One topic of a [`ProduceRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopic {
    /// Its name; empty from version 13 on. A slice of the frame: copy it to keep it.
    pub name: StrBytes,
    /// Its id; zero before version 13.
    pub id: TopicId,
    /// What to append, by partition.
    pub partitions: SmallVec<[ProducePartition; 1]>,
}

/// One partition of a [`ProduceRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartition {
    /// Which.
    pub index: PartitionId,
    /// A slice of the frame, not looked at yet.
    pub records: Option<Bytes>,
}

impl ProduceRequest {
    /// Reads a request's body.
    pub fn parse(version: i16, body: Bytes) -> Result<Self, Malformed> {
        if !PRODUCE_VERSIONS.contains(&version) {
            return Err(Malformed::Version(version));
        }
        let flexible = version >= FIRST_FLEXIBLE;
        let mut from = Reader::new(body, flexible);
        let transactional_id = from.nullable_text()?;
        let acks = from.i16()?;
        let timeout_ms = from.i32()?;
        let topic_min_bytes = match version {
            FIRST_WITH_TOPIC_ID.. => 18,
            FIRST_FLEXIBLE.. => 3,
            _ => 6,
        };
        let count = from.count(topic_min_bytes)?;
        let mut topics = SmallVec::with_capacity(count);
        for _ in 0..count {
            topics.push(ProduceTopic::read(version, &mut from)?);
        }
        from.tags(|_, _| Ok(false))?;
        Ok(Self { transactional_id, acks, timeout_ms, topics })
    }
}

impl ProduceTopic {
    fn read(version: i16, from: &mut Reader) -> Result<Self, Malformed> {
        let (name, id) = if version >= FIRST_WITH_TOPIC_ID {
            (StrBytes::default(), TopicId(from.uuid()?))
        } else {
            (from.text()?, TopicId::ZERO)
        };
        let partition_min_bytes = if version >= FIRST_FLEXIBLE { 6 } else { 8 };
        let count = from.count(partition_min_bytes)?;
        let mut partitions = SmallVec::with_capacity(count);
        for _ in 0..count {
            let index = PartitionId(from.i32()?);
            let records = from.nullable_bytes()?;
            from.tags(|_, _| Ok(false))?;
            partitions.push(ProducePartition { index, records });
        }
        from.tags(|_, _| Ok(false))?;
        Ok(Self { name, id, partitions })
    }
}

/// What a producer is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceReply {
    /// The result, by topic.
    pub topics: SmallVec<[ProduceTopicReply; 1]>,
    /// How long the client has to keep quiet.
    pub throttle_time_ms: i32,
    /// Where the leaders are that partitions name (version 10).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// One topic of a [`ProduceReply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopicReply {
    /// As in the request.
    pub name: StrBytes,
    /// As in the request.
    pub id: TopicId,
    /// The result, by partition.
    pub partitions: SmallVec<[ProducePartitionReply; 1]>,
}

/// One partition of a [`ProduceReply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartitionReply {
    /// Which.
    pub index: PartitionId,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// The offset of the first record; −1 after an error.
    pub base_offset: Offset,
    /// The broker's time under log append time, else −1.
    pub log_append_time: Timestamp,
    /// Where the log starts; −1 after an error.
    pub log_start_offset: Offset,
    /// What is wrong with single records (version 8).
    pub record_errors: Vec<RecordFault>,
    /// What is wrong with the batch as a whole (version 8).
    pub error_message: Option<String>,
    /// Who leads, when this node does not (version 10).
    pub current_leader: Option<CurrentLeader>,
}

/// What is wrong with one record of a batch (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// The record's place in the batch.
    pub batch_index: i32,
    /// In words.
    pub message: Option<String>,
}

impl ProducePartitionReply {
    /// Nothing was appended.
    pub const fn failed(index: PartitionId, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            base_offset: Offset::UNKNOWN,
            log_append_time: Timestamp::NONE,
            log_start_offset: Offset::UNKNOWN,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        }
    }

    fn write(&self, version: i16, into: &mut Writer) {
        into.i32(self.index.0);
        into.i16(self.error as i16);
        into.i64(self.base_offset.0);
        into.i64(self.log_append_time.0);
        if version >= 5 {
            into.i64(self.log_start_offset.0);
        }
        if version >= FIRST_WITH_RECORD_ERRORS {
            into.count(Some(self.record_errors.len()));
            for fault in &self.record_errors {
                into.i32(fault.batch_index);
                into.nullable_text(fault.message.as_deref());
                into.tags([]);
            }
            into.nullable_text(self.error_message.as_deref());
        }
        match self.current_leader.filter(|_| version >= FIRST_WITH_LEADER) {
            None => into.tags([]),
            Some(leader) => into.tags([Some((0, &|into| leader.write(into)))]),
        }
    }

    fn size_hint_bytes(&self) -> usize {
        const FIXED_BYTES: usize = 40;
        let faults = self.record_errors.iter();
        let faults = faults.map(|fault| 10 + fault.message.as_ref().map_or(0, String::len));
        let message = self.error_message.as_ref().map_or(0, String::len);
        FIXED_BYTES + message + faults.sum::<usize>()
    }
}

/// The whole answer, length prefix and response header included.
pub fn encode_produce_reply(version: i16, correlation_id: i32, reply: &ProduceReply) -> Reply {
    let flexible = version >= FIRST_FLEXIBLE;
    let hint = |topic: &ProduceTopicReply| {
        let partitions = topic.partitions.iter().map(ProducePartitionReply::size_hint_bytes);
        24 + topic.name.len() + partitions.sum::<usize>()
    };
    let body_bytes = 12 + reply.topics.iter().map(hint).sum::<usize>();
    let mut into = Writer::answer(correlation_id, flexible, body_bytes);
    into.count(Some(reply.topics.len()));
    for topic in &reply.topics {
        if version >= FIRST_WITH_TOPIC_ID {
            into.uuid(topic.id.0);
        } else {
            into.text(&topic.name);
        }
        into.count(Some(topic.partitions.len()));
        for partition in &topic.partitions {
            partition.write(version, &mut into);
        }
        into.tags([]);
    }
    into.i32(reply.throttle_time_ms);
    let endpoints = &reply.node_endpoints[..];
    if version >= FIRST_WITH_LEADER && !endpoints.is_empty() {
        into.tags([Some((0, &|into| NodeEndpoint::write_all(endpoints, into)))]);
    } else {
        into.tags([]);
    }
    into.finish(std::iter::empty())
}

#[cfg(test)]
mod tests;
