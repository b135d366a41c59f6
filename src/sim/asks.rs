//! What clients ask and what they are told: requests as handlers have them after decoding.

use std::sync::Arc;

use kafka_protocol::messages::{
    HeartbeatRequest, LeaveGroupRequest, OffsetDeleteRequest, SyncGroupRequest,
};

use super::topics::Place;
use crate::kernel::groups::offsets::{CommitRequest, FetchRequest, TxnCommitRequest};
use crate::kernel::groups::requests::{
    ConsumerGroupHeartbeat, DescribeGroups, GroupReply, GroupRequest, JoinGroup, owned,
};
use crate::kernel::txns::vouching::Operation;
use crate::kernel::txns::{AddPartitions, EndTransaction, InitProducerId, TransactionReply};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::wire::batch::Batch;

/// From here on DescribeGroups says that a group is not there.
const DESCRIBE_GROUPS_VERSION: i16 = 6;

/// A request.
#[derive(Clone, Debug)]
pub enum Ask {
    /// JoinGroup.
    Join(Box<JoinGroup>),
    /// SyncGroup.
    Sync(Box<SyncGroupRequest>),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup.
    Leave(Box<LeaveGroupRequest>),
    /// ConsumerGroupHeartbeat.
    Beat(Box<ConsumerGroupHeartbeat>),
    /// OffsetCommit.
    Commit(Box<CommitRequest>),
    /// OffsetFetch.
    Fetch(Box<FetchRequest>),
    /// InitProducerId.
    Init(InitProducerId),
    /// AddPartitionsToTxn.
    Add(AddPartitions),
    /// AddOffsetsToTxn: whose transaction, and of which group.
    AddOffsets(AddPartitions, String),
    /// EndTxn.
    End(EndTransaction),
    /// Produce, of one batch.
    Produce(Box<Produce>),
    /// TxnOffsetCommit.
    TxnCommit(Box<TxnCommitRequest>, Operation),
    /// OffsetDelete.
    DeleteOffsets(Box<OffsetDeleteRequest>),
    /// DeleteGroups, of one group.
    DeleteGroup(String),
    /// DescribeGroups, of one group.
    DescribeGroup(String),
    /// ConsumerGroupDescribe, of one group.
    DescribeConsumerGroup(String),
    /// DescribeTransactions, of one id.
    DescribeTransaction(String),
    /// ListTransactions, all of them.
    ListTransactions,
    /// DescribeProducers, of one partition.
    DescribeProducers(Place),
}

/// A batch for a partition.
#[derive(Clone, Debug)]
pub struct Produce {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// Which topic, by its place in the list of topics.
    pub topic: usize,
    /// Which of its partitions.
    pub partition: PartitionId,
    /// What.
    pub batch: Batch,
    /// What the client can work with.
    pub operation: Operation,
}

/// What a client is told.
#[derive(Debug)]
pub enum Answer {
    /// By the group coordinator.
    Group(GroupReply),
    /// By the transaction coordinator.
    Transaction(TransactionReply),
    /// By the leader of a partition: a batch is written, or its producers are told.
    Done,
    /// There is only a code.
    Failed(ErrorCode),
}

impl Answer {
    /// The code, as far as the answer has one at its top.
    pub fn code(&self) -> ErrorCode {
        let of = |code: i16| ErrorCode::ALL.iter().copied().find(|it| it.code() == code);
        let code = match self {
            Self::Failed(code) | Self::Transaction(Err(code)) => Some(*code),
            Self::Transaction(Ok(_)) | Self::Done => None,
            Self::Group(reply) => match reply {
                GroupReply::JoinGroup(it) => of(it.error_code),
                GroupReply::SyncGroup(it) => of(it.error_code),
                GroupReply::Heartbeat(it) => of(it.error_code),
                GroupReply::LeaveGroup(it) => of(it.error_code),
                GroupReply::ConsumerGroupHeartbeat(it) => of(it.error_code),
                GroupReply::OffsetCommit(Err(code)) | GroupReply::OffsetFetch(Err(code)) => {
                    Some(*code)
                }
                _ => None,
            },
        };
        code.unwrap_or(ErrorCode::None)
    }
}

impl Ask {
    /// What it is called in the log of events.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Join(_) => "JoinGroup",
            Self::Sync(_) => "SyncGroup",
            Self::Heartbeat(_) => "Heartbeat",
            Self::Leave(_) => "LeaveGroup",
            Self::Beat(_) => "ConsumerGroupHeartbeat",
            Self::Commit(_) => "OffsetCommit",
            Self::Fetch(_) => "OffsetFetch",
            Self::Init(_) => "InitProducerId",
            Self::Add(_) => "AddPartitionsToTxn",
            Self::AddOffsets(..) => "AddOffsetsToTxn",
            Self::End(_) => "EndTxn",
            Self::Produce(_) => "Produce",
            Self::TxnCommit(..) => "TxnOffsetCommit",
            Self::DeleteOffsets(_) => "OffsetDelete",
            Self::DeleteGroup(_) => "DeleteGroups",
            Self::DescribeGroup(_) => "DescribeGroups",
            Self::DescribeConsumerGroup(_) => "ConsumerGroupDescribe",
            Self::DescribeTransaction(_) => "DescribeTransactions",
            Self::ListTransactions => "ListTransactions",
            Self::DescribeProducers(_) => "DescribeProducers",
        }
    }

    /// The request to a group's shard, and the group; the same again if it is for others.
    pub fn for_group(self) -> Result<(String, GroupRequest), Box<Self>> {
        let (group, request) = match self {
            Self::Join(it) => (it.request.group_id.to_string(), GroupRequest::JoinGroup(it)),
            Self::Sync(it) => (it.group_id.to_string(), GroupRequest::SyncGroup(it)),
            Self::Heartbeat(it) => (it.group_id.to_string(), GroupRequest::Heartbeat(it)),
            Self::Leave(it) => (it.group_id.to_string(), GroupRequest::LeaveGroup(it)),
            Self::Beat(it) => {
                (it.request.group_id.to_string(), GroupRequest::ConsumerGroupHeartbeat(it))
            }
            Self::Commit(it) => (it.group_id.to_string(), GroupRequest::OffsetCommit(it)),
            Self::Fetch(it) => (it.group.group_id.to_string(), GroupRequest::OffsetFetch(it)),
            Self::DeleteOffsets(it) => (it.group_id.to_string(), GroupRequest::OffsetDelete(*it)),
            Self::DeleteGroup(id) => {
                let ids = vec![owned(&id)];
                (id, GroupRequest::DeleteGroups(ids))
            }
            Self::DescribeGroup(id) => {
                let (groups, version) = (vec![owned(&id)], DESCRIBE_GROUPS_VERSION);
                (id, GroupRequest::DescribeGroups(DescribeGroups { groups, version }))
            }
            Self::DescribeConsumerGroup(id) => {
                let ids = vec![owned(&id)];
                (id, GroupRequest::ConsumerGroupDescribe(ids))
            }
            other => return Err(Box::new(other)),
        };
        Ok((group, request))
    }

    /// The same with a producer id that nobody has.
    #[must_use]
    pub fn with_fresh(self, fresh: ProducerId) -> Self {
        match self {
            Self::Init(it) => Self::Init(InitProducerId { fresh: Some(fresh), ..it }),
            Self::End(it) => Self::End(EndTransaction { fresh: Some(fresh), ..it }),
            other => other,
        }
    }
}
