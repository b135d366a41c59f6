//! What a shard is asked and what it says: types of its own, without API versions.

use std::sync::Arc;

use smallvec::SmallVec;

use super::state::TransactionState;
use super::transaction::{PartitionSet, Transaction};
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::time::Timestamp;

/// A record: what an id has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// The transactional id.
    pub transactional_id: Arc<str>,
    /// Its transaction, as a record of this version has it; none in a tombstone.
    pub transaction: Option<Transaction>,
    /// The `transaction.version` that it is written under.
    pub transaction_version: i16,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionRequest {
    /// A producer begins, or recovers.
    InitProducerId(InitProducerId),
    /// Partitions are to take part.
    AddPartitions(AddPartitions),
    /// Do these partitions take part?
    VerifyPartitions(VerifyPartitions),
    /// The client decides.
    EndTransaction(EndTransaction),
    /// What is known of an id.
    Describe(Arc<str>),
    /// Which ids are there.
    List(Listing),
    /// What became of the markers of [`WriteMarkers`].
    MarkersWritten(MarkersWritten),
}

/// See [`TransactionRequest::InitProducerId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProducerId {
    /// The id, which is not empty.
    pub transactional_id: Arc<str>,
    /// How long a transaction may take.
    pub timeout_ms: i32,
    /// What the producer had before, if it recovers (KIP-360).
    pub expected: Option<(ProducerId, ProducerEpoch)>,
    /// A producer id that nobody has, brought along because the shard asked for it.
    pub fresh: Option<ProducerId>,
}

/// See [`TransactionRequest::AddPartitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddPartitions {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// What is to take part.
    pub partitions: Arc<PartitionSet>,
    /// The `transaction.version` that the client works by.
    pub client_version: i16,
}

/// See [`TransactionRequest::VerifyPartitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyPartitions {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// What is asked about.
    pub partitions: Arc<PartitionSet>,
}

/// See [`TransactionRequest::EndTransaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTransaction {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Whether its records count.
    pub commit: bool,
    /// The `transaction.version` that the client works by.
    pub client_version: i16,
    /// A producer id that nobody has, brought along because the shard asked for it.
    pub fresh: Option<ProducerId>,
}

/// Which ids are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In one of these states; in any if there is none.
    pub states: Vec<TransactionState>,
    /// Of one of these producers; of any if there is none.
    pub producer_ids: Vec<ProducerId>,
    /// Running for longer than this (KIP-994); below zero for any time.
    pub duration_ms: i64,
}

/// See [`TransactionRequest::MarkersWritten`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkersWritten {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// The producer of the markers.
    pub producer_id: ProducerId,
    /// The epoch of the markers.
    pub producer_epoch: ProducerEpoch,
    /// What became of the marker of each partition.
    pub outcomes: MarkerOutcomes,
    /// Which life of the shard wanted them. One that was loaded since has asked for them itself: if it took this for
    /// its own, its markers could still be written when the transaction is complete and the next one is open.
    pub life: u64,
}

/// What became of the marker of each partition.
pub type MarkerOutcomes = SmallVec<[(Arc<str>, i32, MarkerOutcome); 1]>;

/// What became of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerOutcome {
    /// It is in the log, or there is nothing to write it to.
    Written,
    /// Not now; to be tried again.
    Failed,
    /// A later coordinator has written there: nothing more is to be done by this one.
    Fenced,
}

impl MarkerOutcome {
    /// What the answer of a partition's log means to the coordinator that wanted the marker.
    pub const fn of(result: Result<(), ErrorCode>) -> Self {
        match result {
            // The producer has a later epoch there: its transaction with this one has ended.
            Ok(()) | Err(ErrorCode::InvalidProducerEpoch) => Self::Written,
            Err(ErrorCode::TransactionCoordinatorFenced) => Self::Fenced,
            Err(_) => Self::Failed,
        }
    }
}

/// An effect: these markers are to be written, and what became of them told to the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteMarkers {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// The epoch of the markers.
    pub producer_epoch: ProducerEpoch,
    /// The epoch of the shard, which fences those before it.
    pub coordinator_epoch: LeaderEpoch,
    /// Whether the records count.
    pub committed: bool,
    /// The `transaction.version` under which the markers are checked (KIP-1228).
    pub transaction_version: i16,
    /// Where.
    pub partitions: Arc<PartitionSet>,
    /// Which life of the shard wants them; see [`MarkersWritten::life`].
    pub life: u64,
}

impl WriteMarkers {
    /// What is told to the shard once it is known what became of them.
    pub fn became(
        &self,
        outcomes: impl IntoIterator<Item = (Arc<str>, i32, MarkerOutcome)>,
    ) -> TransactionRequest {
        TransactionRequest::MarkersWritten(MarkersWritten {
            transactional_id: Arc::clone(&self.transactional_id),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            outcomes: outcomes.into_iter().collect(),
            life: self.life,
        })
    }
}

/// A reply; an error is what the client is told.
pub type TransactionReply = Result<Answered, ErrorCode>;

/// A reply to what was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is done.
    Done,
    /// The producer goes on with this identity.
    Producer(ProducerId, ProducerEpoch),
    /// Ask again, and bring a producer id along.
    NeedsProducerId,
    /// For each partition asked about, in order, whether it takes part.
    Verified(Vec<bool>),
    /// What is known of an id.
    Description(Description),
    /// The ids.
    Listed(Vec<ListedTransaction>),
}

/// What DescribeTransactions tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The state.
    pub state: TransactionState,
    /// How long a transaction may take.
    pub timeout_ms: i32,
    /// When it began.
    pub started: Timestamp,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// What takes part; once it is decided, where the marker is still missing.
    pub partitions: Arc<PartitionSet>,
}

/// What ListTransactions tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTransaction {
    /// The id.
    pub transactional_id: Arc<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// The state.
    pub state: TransactionState,
}
