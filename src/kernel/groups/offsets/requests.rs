//! What is asked of committed offsets and what is replied, where the protocol crate's messages do not say enough.
//!
//! A commit reaches the shard when its topics have been looked up: they exist, and have a name and an id, whatever the
//! version of the request.

use kafka_protocol::messages::offset_delete_response::OffsetDeleteResponseTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics;
use kafka_protocol::protocol::StrBytes;

use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId, TopicId, TopicName};
use crate::types::offset::Offset;

/// OffsetCommit, and what it has in common with TxnOffsetCommit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// The group.
    pub group_id: StrBytes,
    /// The member; empty for one that does not use the group's membership.
    pub member_id: StrBytes,
    /// The member's own name, if it is a static member (KIP-345).
    pub group_instance_id: Option<StrBytes>,
    /// The generation that a classic member is in or the epoch of a member of the new protocol; −1 without membership.
    pub generation_id_or_member_epoch: i32,
    /// The version of the request: some refusals have another code in old versions, and members of the new protocol
    /// cannot use these.
    pub api_version: i16,
    /// How long to keep the offsets, in milliseconds; −1 leaves it to the broker, as all requests do since version 5.
    pub retention_time_ms: i64,
    /// What is committed.
    pub topics: Vec<CommitTopic>,
}

/// TxnOffsetCommit: the offsets count once the transaction is committed (KIP-98).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnCommitRequest {
    /// The transaction.
    pub transactional_id: StrBytes,
    /// Whose transaction it is.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// What is committed.
    pub commit: CommitRequest,
}

/// A topic of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTopic {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: TopicId,
    /// Its partitions, which exist.
    pub partitions: Vec<CommitPartition>,
}

/// A partition of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPartition {
    /// Which.
    pub index: PartitionId,
    /// The next offset to read. Any number: Kafka does not look at it.
    pub offset: Offset,
    /// The leader epoch of the record before; −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the client wants to keep with it; null counts as empty.
    pub metadata: StrBytes,
}

/// The reply to a commit: one code for all, or, where there is none, which partitions were refused because of their
/// metadata (OFFSET_METADATA_TOO_LARGE), counted over all topics in the order of the request.
pub type CommitReply = Result<Vec<usize>, ErrorCode>;

/// OffsetFetch, of one group. Topics have their names, whatever the version.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchRequest {
    /// What is asked; without topics, for all that there is.
    pub group: OffsetFetchRequestGroup,
    /// Whether nothing is told of what an open transaction may be about to change (KIP-447).
    pub require_stable: bool,
}

/// The reply to a fetch: one code for the group, or its topics.
pub type FetchReply = Result<Vec<OffsetFetchResponseTopics>, ErrorCode>;

/// The reply to a deletion: one code for the group, or one for each partition.
pub type DeleteReply = Result<Vec<OffsetDeleteResponseTopic>, ErrorCode>;
