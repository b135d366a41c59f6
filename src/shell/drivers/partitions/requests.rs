//! What partitions are asked, and what they answer.

use smallvec::SmallVec;

use super::Isolation;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId, TopicName};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::fetch_reply::{AbortedTransaction, EpochEndOffset};
use crate::wire::reply::FileRange;

/// The offsets of a partition, as they were together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The first that there is.
    pub log_start: Offset,
    /// Consumers read up to here.
    pub high_watermark: Offset,
    /// Consumers of committed records read up to here.
    pub last_stable: Offset,
    /// The offset of the next record.
    pub log_end: Offset,
    /// The epoch of its leader.
    pub leader_epoch: LeaderEpoch,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct ReadSpec {
    /// From where on.
    pub offset: Offset,
    /// At most so much.
    pub max_bytes: u32,
    /// But the first batch whole, whatever its size.
    pub at_least_one_batch: bool,
    /// Up to where.
    pub isolation: Isolation,
    /// Under which epoch the reader thinks that the partition is led; −1 if it does not know.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record that the reader has (KIP-595); −1 if it does not say.
    pub last_fetched_epoch: LeaderEpoch,
}

/// What there is to read.
#[derive(Clone, Debug)]
pub struct ReadAnswer {
    /// Consumers read up to here.
    pub high_watermark: Offset,
    /// Consumers of committed records read up to here.
    pub last_stable_offset: Offset,
    /// The first offset that there is.
    pub log_start_offset: Offset,
    /// Whole batches, or nothing.
    pub records: SmallVec<[FileRange; 2]>,
    /// There is more behind the end of the segment, which one read does not pass.
    pub in_older_segment: bool,
    /// Transactions whose records count for nothing; for readers of committed records only.
    pub aborted: Option<Vec<AbortedTransaction>>,
    /// The reader's log parts from this one here: it has to cut its own, and gets nothing.
    pub diverging_epoch: Option<EpochEndOffset>,
}

/// The offset of the next record.
pub const LATEST_TIMESTAMP: i64 = -1;
/// The first offset.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// The record with the largest timestamp (KIP-734).
pub const MAX_TIMESTAMP: i64 = -3;
/// The first offset on this node's disk (KIP-405): the first one, as nothing is elsewhere.
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// The last offset in tiered storage (KIP-1005): there is none.
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// The first offset that is still to go to tiered storage (KIP-1023): there is none.
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;
/// `DeleteRecords` up to the high watermark.
pub const DELETE_TO_HIGH_WATERMARK: Offset = Offset(-1);

/// What offset is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ListSpec {
    /// The time, or one of the marks below 0.
    pub timestamp: i64,
    /// Up to where the reader reads.
    pub isolation: Isolation,
    /// Under which epoch the reader thinks that the partition is led; −1 if it does not know.
    pub current_leader_epoch: LeaderEpoch,
}

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its time; −1 where a mark was asked for.
    pub timestamp: Timestamp,
    /// Its offset.
    pub offset: Offset,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

impl Listed {
    /// Nothing is so late, or what is asked for is nowhere.
    pub const NONE: Self = Self {
        timestamp: Timestamp::NONE,
        offset: Offset::UNKNOWN,
        leader_epoch: LeaderEpoch::UNKNOWN,
    };

    /// An offset that is asked for by a mark, not by a time.
    pub const fn at(offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        Self { timestamp: Timestamp::NONE, offset, leader_epoch }
    }
}

/// A log directory and what lies in it.
#[derive(Clone, Debug)]
pub struct LogDirDescription {
    /// Its absolute path.
    pub path: String,
    /// `KAFKA_STORAGE_ERROR` once it is offline.
    pub error: ErrorCode,
    /// The size of its volume; −1 if that is not known.
    pub total_bytes: i64,
    /// What of it may still be used; −1 if that is not known.
    pub usable_bytes: i64,
    /// In the order of their names.
    pub replicas: Vec<ReplicaDescription>,
}

/// A replica in a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaDescription {
    /// The topic's name.
    pub topic: TopicName,
    /// The topic.
    pub topic_id: TopicId,
    /// Which of its partitions.
    pub partition: PartitionId,
    /// The length of its batches.
    pub size_bytes: u64,
    /// How far it is behind.
    pub offset_lag: i64,
}
