//! The Fetch request, versions 4 to 18, without a copy.
//!
//! Version 5 adds the follower's log start, 7 sessions (KIP-227), 9 the leader epoch (KIP-320), 11 the rack
//! (KIP-392); 12 is flexible, 13 speaks of topic ids (KIP-516), 15 moves the replica into a tag (KIP-903),
//! 17 adds the follower's directory (KIP-853), 18 its high watermark (KIP-1166).

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use smallvec::SmallVec;

use crate::types::epoch::{BrokerEpoch, LeaderEpoch};
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicId};
use crate::types::offset::Offset;
use crate::wire::fields::{Malformed, Reader};

/// The versions that are served.
pub const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

const FIRST_WITH_SESSION: i16 = 7;
const FIRST_FLEXIBLE: i16 = 12;
const FIRST_WITH_TOPIC_ID: i16 = 13;
const FIRST_WITH_REPLICA_STATE: i16 = 15;
const FIRST_WITH_DIRECTORY: i16 = 17;
const FIRST_WITH_HIGH_WATERMARK: i16 = 18;

/// What a consumer or a follower asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// The cluster that the follower thinks it belongs to.
    pub cluster_id: Option<StrBytes>,
    /// The follower; −1 for a consumer.
    pub replica_id: NodeId,
    /// The follower's epoch; −1 if it says none.
    pub replica_epoch: BrokerEpoch,
    /// How long to wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// How much is worth an answer.
    pub min_bytes: i32,
    /// How much the answer may hold; the first batch comes whole all the same (KIP-74).
    pub max_bytes: i32,
    /// 0 reads everything, 1 only what is committed; anything else is for the handler to refuse.
    pub isolation_level: i8,
    /// 0 without a session.
    pub session_id: i32,
    /// −1 without a session, 0 to start one.
    pub session_epoch: i32,
    /// What to read, by topic, in the client's order.
    pub topics: SmallVec<[FetchTopic; 1]>,
    /// What to drop from the session.
    pub forgotten: SmallVec<[ForgottenTopic; 0]>,
    /// The consumer's rack; empty for none.
    pub rack_id: StrBytes,
}

/// One topic of a [`FetchRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// Its name; empty from version 13 on. A slice of the frame: copy it to keep it.
    pub name: StrBytes,
    /// Its id; zero before version 13.
    pub id: TopicId,
    /// What to read, by partition.
    pub partitions: SmallVec<[FetchPartition; 1]>,
}

/// One partition of a [`FetchRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// Which.
    pub index: PartitionId,
    /// The leader epoch that the client knows; −1 if it knows none.
    pub current_leader_epoch: LeaderEpoch,
    /// Where to start.
    pub fetch_offset: Offset,
    /// The epoch of the last record that the follower has; −1 if it says none.
    pub last_fetched_epoch: LeaderEpoch,
    /// Where the follower's log starts; −1 for a consumer.
    pub log_start_offset: Offset,
    /// How much to read.
    pub max_bytes: i32,
    /// Where the follower keeps it; zero if it does not say.
    pub replica_directory_id: DirectoryId,
    /// The follower's high watermark; the largest number if it does not say.
    pub high_watermark: Offset,
}

/// A topic whose partitions leave the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic {
    /// Its name; empty from version 13 on. A slice of the frame: copy it to keep it.
    pub name: StrBytes,
    /// Its id; zero before version 13.
    pub id: TopicId,
    /// Which partitions.
    pub partitions: SmallVec<[PartitionId; 4]>,
}

impl FetchRequest {
    /// Reads a request's body.
    pub fn parse(version: i16, body: Bytes) -> Result<Self, Malformed> {
        if !FETCH_VERSIONS.contains(&version) {
            return Err(Malformed::Version(version));
        }
        let mut from = Reader::new(body, version >= FIRST_FLEXIBLE);
        let in_head = version < FIRST_WITH_REPLICA_STATE;
        let replica_id = if in_head { NodeId(from.i32()?) } else { NodeId::NONE };
        let max_wait_ms = from.i32()?;
        let min_bytes = from.i32()?;
        let max_bytes = from.i32()?;
        let isolation_level = from.i8()?;
        let in_session = version >= FIRST_WITH_SESSION;
        let (session_id, session_epoch) =
            if in_session { (from.i32()?, from.i32()?) } else { (0, -1) };
        let topics = read_topics(version, &mut from)?;
        let forgotten =
            if in_session { read_forgotten(version, &mut from)? } else { SmallVec::new() };
        let rack_id = if version >= 11 { from.text()? } else { StrBytes::default() };
        let mut request = Self {
            cluster_id: None,
            replica_id,
            replica_epoch: BrokerEpoch::UNKNOWN,
            max_wait_ms,
            min_bytes,
            max_bytes,
            isolation_level,
            session_id,
            session_epoch,
            topics,
            forgotten,
            rack_id,
        };
        from.tags(|tag, field| match tag {
            0 => {
                request.cluster_id = field.nullable_text()?;
                Ok(true)
            }
            1 if !in_head => {
                request.replica_id = NodeId(field.i32()?);
                request.replica_epoch = BrokerEpoch(field.i64()?);
                field.tags(|_, _| Ok(false))?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(request)
    }
}

/// What a topic takes at least: its name or id, a count, tags.
const fn topic_min_bytes(version: i16) -> usize {
    match version {
        FIRST_WITH_TOPIC_ID.. => 18,
        FIRST_FLEXIBLE.. => 3,
        _ => 6,
    }
}

fn read_topic(version: i16, from: &mut Reader) -> Result<(StrBytes, TopicId), Malformed> {
    if version >= FIRST_WITH_TOPIC_ID {
        Ok((StrBytes::default(), TopicId(from.uuid()?)))
    } else {
        Ok((from.text()?, TopicId::ZERO))
    }
}

fn read_topics(version: i16, from: &mut Reader) -> Result<SmallVec<[FetchTopic; 1]>, Malformed> {
    let partition_min_bytes = match version {
        FIRST_FLEXIBLE.. => 33,
        9.. => 28,
        5.. => 24,
        _ => 16,
    };
    let count = from.count(topic_min_bytes(version))?;
    let mut topics = SmallVec::with_capacity(count);
    for _ in 0..count {
        let (name, id) = read_topic(version, from)?;
        let count = from.count(partition_min_bytes)?;
        let mut partitions = SmallVec::with_capacity(count);
        for _ in 0..count {
            partitions.push(FetchPartition::read(version, from)?);
        }
        from.tags(|_, _| Ok(false))?;
        topics.push(FetchTopic { name, id, partitions });
    }
    Ok(topics)
}

fn read_forgotten(
    version: i16,
    from: &mut Reader,
) -> Result<SmallVec<[ForgottenTopic; 0]>, Malformed> {
    let count = from.count(topic_min_bytes(version))?;
    let mut forgotten = SmallVec::with_capacity(count);
    for _ in 0..count {
        let (name, id) = read_topic(version, from)?;
        let count = from.count(4)?;
        let mut partitions = SmallVec::with_capacity(count);
        for _ in 0..count {
            partitions.push(PartitionId(from.i32()?));
        }
        from.tags(|_, _| Ok(false))?;
        forgotten.push(ForgottenTopic { name, id, partitions });
    }
    Ok(forgotten)
}

impl FetchPartition {
    fn read(version: i16, from: &mut Reader) -> Result<Self, Malformed> {
        let index = PartitionId(from.i32()?);
        let current_leader_epoch = if version >= 9 { from.i32()? } else { -1 };
        let fetch_offset = Offset(from.i64()?);
        let last_fetched_epoch = if version >= FIRST_FLEXIBLE { from.i32()? } else { -1 };
        let log_start_offset = if version >= 5 { from.i64()? } else { -1 };
        let mut partition = Self {
            index,
            current_leader_epoch: LeaderEpoch(current_leader_epoch),
            fetch_offset,
            last_fetched_epoch: LeaderEpoch(last_fetched_epoch),
            log_start_offset: Offset(log_start_offset),
            max_bytes: from.i32()?,
            replica_directory_id: DirectoryId::default(),
            high_watermark: Offset(i64::MAX),
        };
        from.tags(|tag, field| match tag {
            0 if version >= FIRST_WITH_DIRECTORY => {
                partition.replica_directory_id = DirectoryId(field.uuid()?);
                Ok(true)
            }
            1 if version >= FIRST_WITH_HIGH_WATERMARK => {
                partition.high_watermark = Offset(field.i64()?);
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(partition)
    }
}

#[cfg(test)]
mod tests;
