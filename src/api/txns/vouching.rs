//! Before the first write of a transaction to a partition, its coordinator has to vouch for it (KIP-890): it says that the
//! partition takes part, or, for clients of version 2, makes it take part.
//!
//! How far that goes: a client of version 2 can leave no hanging transaction, because each transaction has an epoch of its
//! own and its marker fences all that comes late. For older clients a write that was made before the end of its
//! transaction and arrives after it is refused, unless the next transaction of the same producer has the same partition
//! by then: it is taken for one of that (KAFKA-17754), as by Kafka; only the client's version 2 tells them apart.

use std::sync::Arc;
use std::time::Duration;

use crate::api::context::Ctx;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::{
    AddPartitions, Answered, EPOCH_BUMPS, TransactionReply, TransactionRequest, VerifyPartitions,
};
use crate::shell::drivers::coordinators::Called;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::time::Now;

const TRANSACTION_STATE_TOPIC: &str = "__transaction_state";

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
    pub partitions: PartitionSet,
    /// What its client can work with.
    pub operation: Operation,
}

impl Question {
    /// Asks the coordinator.
    pub fn ask(&self, ctx: &Ctx, now: Now) -> Called<TransactionReply> {
        let Self { transactional_id, producer_id, producer_epoch, .. } = self.clone();
        let partitions = self.partitions.clone();
        let request = if self.operation.adds_partitions() {
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
        };
        if ctx.image.load().topics.named(TRANSACTION_STATE_TOPIC).is_none() {
            return Called::Now(Err(ErrorCode::CoordinatorNotAvailable));
        }
        ctx.transactions.call_for(&self.transactional_id, now, request)
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

    /// Asks until the transaction before has ended, for as long as the configuration says, because the client would only
    /// ask later and with all its records.
    pub async fn settle(
        &self,
        ctx: &Ctx,
        now: Now,
        first: Called<TransactionReply>,
    ) -> Vec<ErrorCode> {
        let config = ctx.config.load_full();
        let milliseconds = |ms: i32| Duration::from_millis(ms.max(0).cast_unsigned().into());
        let backoff = milliseconds(config.add_partitions_to_txn_retry_backoff_ms);
        let mut left = milliseconds(
            config.add_partitions_to_txn_retry_backoff_max_ms.min(config.request_timeout_ms),
        );
        let mut told = first.told().await;
        while is_ending(&told) && self.operation.adds_partitions() && !left.is_zero() {
            tokio::time::sleep(backoff.min(left)).await;
            left = left.saturating_sub(backoff);
            told = self.ask(ctx, now).told().await;
        }
        self.verdicts(told)
    }
}

/// Whether markers of the transaction before are still being written.
pub fn is_ending(told: &Result<TransactionReply, ErrorCode>) -> bool {
    matches!(told, Ok(Err(ErrorCode::ConcurrentTransactions)))
}
