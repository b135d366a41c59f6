//! The Fetch answer, versions 4 to 18: a frame written around slices of segment files.
//!
//! No record passes through here: an answer is a few small pieces of memory and, between them, ranges
//! that the connection sends from the files themselves.

use kafka_protocol::protocol::StrBytes;
use smallvec::SmallVec;

use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId, ProducerId, TopicId};
use crate::types::offset::Offset;
use crate::wire::fields::{CurrentLeader, NodeEndpoint, Writer};
use crate::wire::reply::{Chunk, Reply};

const FIRST_WITH_SESSION: i16 = 7;
const FIRST_FLEXIBLE: i16 = 12;
const FIRST_WITH_TOPIC_ID: i16 = 13;
const FIRST_WITH_ENDPOINTS: i16 = 16;

/// What a consumer or a follower is answered.
#[derive(Clone, Debug)]
pub struct FetchReply {
    /// How long the client has to keep quiet.
    pub throttle_time_ms: i32,
    /// What went wrong with the whole (version 7).
    pub error: ErrorCode,
    /// 0 without a session (version 7).
    pub session_id: i32,
    /// The result, by topic.
    pub topics: SmallVec<[FetchTopicReply; 1]>,
    /// Where the leaders are that partitions name (version 16).
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Default for FetchReply {
    /// Nothing, successfully.
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error: ErrorCode::None,
            session_id: 0,
            topics: SmallVec::new(),
            node_endpoints: Vec::new(),
        }
    }
}

/// One topic of a [`FetchReply`].
#[derive(Clone, Debug)]
pub struct FetchTopicReply {
    /// Its name, up to version 12.
    pub name: StrBytes,
    /// Its id, from version 13 on.
    pub id: TopicId,
    /// The result, by partition.
    pub partitions: SmallVec<[FetchPartitionReply; 1]>,
}

/// One partition of a [`FetchReply`].
#[derive(Clone, Debug)]
pub struct FetchPartitionReply {
    /// Which.
    pub index: PartitionId,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// Up to where a consumer may read; −1 after an error.
    pub high_watermark: Offset,
    /// Up to where transactions are decided; −1 after an error.
    pub last_stable_offset: Offset,
    /// Where the log starts; −1 after an error.
    pub log_start_offset: Offset,
    /// Transactions whose records count for nothing. None, which is null, for those who read everything.
    pub aborted: Option<Vec<AbortedTransaction>>,
    /// Where the follower's log parts from ours (KIP-595).
    pub diverging_epoch: Option<EpochEndOffset>,
    /// Who leads, when this node does not.
    pub current_leader: Option<CurrentLeader>,
    /// The snapshot that a follower of the metadata log has to load first (KIP-630).
    pub snapshot_id: Option<EpochEndOffset>,
    /// Where the consumer should read instead; −1 for here (KIP-392).
    pub preferred_read_replica: NodeId,
    /// Whole batches.
    pub records: SmallVec<[Chunk; 2]>,
}

/// An epoch and the offset at which it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

/// A transaction that a reader of committed records has to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// From where on.
    pub first_offset: Offset,
}

impl FetchPartitionReply {
    /// Nothing was read.
    pub fn failed(index: PartitionId, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            high_watermark: Offset::UNKNOWN,
            last_stable_offset: Offset::UNKNOWN,
            log_start_offset: Offset::UNKNOWN,
            aborted: Some(Vec::new()),
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            preferred_read_replica: NodeId::NONE,
            records: SmallVec::new(),
        }
    }

    /// The length of the records.
    pub fn records_bytes(&self) -> usize {
        self.records.iter().map(Chunk::len_bytes).sum()
    }

    fn write(&self, version: i16, into: &mut Writer) {
        into.i32(self.index.0);
        into.i16(self.error as i16);
        into.i64(self.high_watermark.0);
        into.i64(self.last_stable_offset.0);
        if version >= 5 {
            into.i64(self.log_start_offset.0);
        }
        into.count(self.aborted.as_ref().map(Vec::len));
        for aborted in self.aborted.iter().flatten() {
            into.i64(aborted.producer_id.0);
            into.i64(aborted.first_offset.0);
            into.tags([]);
        }
        if version >= 11 {
            into.i32(self.preferred_read_replica.0);
        }
        into.elsewhere(self.records.iter());
        self.write_tags(into);
    }

    fn write_tags(&self, into: &mut Writer) {
        if self.diverging_epoch.is_none()
            && self.current_leader.is_none()
            && self.snapshot_id.is_none()
        {
            return into.tags([]);
        }
        let diverging = |into: &mut Writer| {
            if let Some(at) = &self.diverging_epoch {
                into.i32(at.epoch.0);
                into.i64(at.end_offset.0);
                into.tags([]);
            }
        };
        let leader = |into: &mut Writer| {
            if let Some(leader) = &self.current_leader {
                leader.write(into);
            }
        };
        let snapshot = |into: &mut Writer| {
            if let Some(at) = &self.snapshot_id {
                into.i64(at.end_offset.0);
                into.i32(at.epoch.0);
                into.tags([]);
            }
        };
        into.tags([
            self.diverging_epoch.is_some().then_some((0, &diverging)),
            self.current_leader.is_some().then_some((1, &leader)),
            self.snapshot_id.is_some().then_some((2, &snapshot)),
        ]);
    }
}

/// The whole answer, length prefix and response header included.
pub fn encode(version: i16, correlation_id: i32, reply: &FetchReply) -> Reply {
    const PARTITION_BYTES: usize = 56;
    let flexible = version >= FIRST_FLEXIBLE;
    let hint =
        |topic: &FetchTopicReply| 24 + topic.name.len() + topic.partitions.len() * PARTITION_BYTES;
    let body_bytes = 20 + reply.topics.iter().map(hint).sum::<usize>();
    let mut into = Writer::answer(correlation_id, flexible, body_bytes);
    into.reserve_elsewhere(reply.topics.iter().map(|topic| topic.partitions.len()).sum());
    into.i32(reply.throttle_time_ms);
    if version >= FIRST_WITH_SESSION {
        into.i16(reply.error as i16);
        into.i32(reply.session_id);
    }
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
    let endpoints = &reply.node_endpoints[..];
    if version >= FIRST_WITH_ENDPOINTS && !endpoints.is_empty() {
        into.tags([Some((0, &|into| NodeEndpoint::write_all(endpoints, into)))]);
    } else {
        into.tags([]);
    }
    let partitions = reply.topics.iter().flat_map(|topic| &topic.partitions);
    into.finish(partitions.flat_map(|partition| &partition.records))
}

#[cfg(test)]
mod tests;
