//! Before the first write of a transaction to a partition, its coordinator has to vouch for it (KIP-890): it says that the
//! partition takes part, or, for clients of version 2, makes it take part.
//!
//! How far that goes: a client of version 2 can leave no hanging transaction, because each transaction has an epoch of its
//! own and its marker fences all that comes late. For older clients a write that was made before the end of its
//! transaction and arrives after it is refused, unless the next transaction of the same producer has the same partition
//! by then: it is taken for one of that (KAFKA-17754), as by Kafka; only the client's version 2 tells them apart.

use std::sync::Arc;

use super::EPOCH_BUMPS;
use super::asking::{
    AddPartitions, Answered, TransactionReply, TransactionRequest, VerifyPartitions,
};
use super::transaction::PartitionSet;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

/// What a client's version can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It knows no TRANSACTION_ABORTABLE.
    Old,
    /// It knows TRANSACTION_ABORTABLE.
    Abortable,
    /// It works by version 2 of transactions: partitions take part by being written to.
    AddsPartitions,
}

impl Operation {
    /// That of a Produce.
    pub const fn of_produce(version: i16) -> Self {
        match version {
            ..=10 => Self::Old,
            11 => Self::Abortable,
            _ => Self::AddsPartitions,
        }
    }

    /// That of a TxnOffsetCommit.
    pub const fn of_txn_offset_commit(version: i16) -> Self {
        match version {
            ..=3 => Self::Old,
            4 => Self::Abortable,
            _ => Self::AddsPartitions,
        }
    }

    /// Whether partitions take part by being written to.
    pub const fn adds_partitions(self) -> bool {
        matches!(self, Self::AddsPartitions)
    }
}

/// What the coordinator is to vouch for.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose transaction.
    pub transactional_id: Arc<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Where it writes.
    pub partitions: Arc<PartitionSet>,
    /// What its client can work with.
    pub operation: Operation,
}

impl Question {
    /// What the coordinator is asked.
    pub fn request(&self) -> TransactionRequest {
        let Self { transactional_id, producer_id, producer_epoch, partitions, operation } =
            self.clone();
        if operation.adds_partitions() {
            TransactionRequest::AddPartitions(AddPartitions {
                transactional_id,
                producer_id,
                producer_epoch,
                partitions,
                client_version: EPOCH_BUMPS,
            })
        } else {
            TransactionRequest::VerifyPartitions(VerifyPartitions {
                transactional_id,
                producer_id,
                producer_epoch,
                partitions,
            })
        }
    }

    /// For each partition, in order, what the client is told; none if it may be written to.
    pub fn verdicts(&self, told: Result<TransactionReply, ErrorCode>) -> Vec<ErrorCode> {
        let all = |code| vec![code; self.partitions.len()];
        match told.unwrap_or_else(Err) {
            Ok(Answered::Verified(takes_part)) => {
                let code = |it| if it { ErrorCode::None } else { self.not_part() };
                takes_part.into_iter().map(code).collect()
            }
            Ok(_) => all(ErrorCode::None),
            // What producers expect where they are fenced.
            Err(ErrorCode::ProducerFenced) => all(ErrorCode::InvalidProducerEpoch),
            Err(code) => all(code),
        }
    }

    const fn not_part(&self) -> ErrorCode {
        match self.operation {
            Operation::Old => ErrorCode::InvalidTxnState,
            _ => ErrorCode::TransactionAbortable,
        }
    }
}

/// Whether markers of the transaction before are still being written.
pub fn is_ending(told: &Result<TransactionReply, ErrorCode>) -> bool {
    matches!(told, Ok(Err(ErrorCode::ConcurrentTransactions)))
}
