//! AddPartitionsToTxn (24), versions 0–5: partitions take part in a transaction, or are asked about.
//!
//! KIP-98, KIP-588 (2: PRODUCER_FENCED), KIP-482 (3: flexible), KIP-890 (4: of several transactions, from one broker to
//! another, which may only ask; 5: TRANSACTION_ABORTABLE). Either all partitions of a transaction take part or none.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTransaction;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TransactionalId,
};

use super::asking::{fenced_as, flat, gather};
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::{
    AddPartitions, Answered, EPOCH_BUMPS, TransactionReply, TransactionRequest, VerifyPartitions,
};
use crate::shell::drivers::coordinators::Called;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};

const FIRST_WITH_PRODUCER_FENCED: i16 = 2;
/// From this version on brokers ask, for clients that work by version 2 of transactions.
const FIRST_OF_BROKERS: i16 = 4;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: AddPartitionsToTxnRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let transactions = if call.version < FIRST_OF_BROKERS {
        vec![of_client(request)]
    } else {
        request.transactions
    };
    let image = ctx.image.load();
    let (mut asked, mut calls) = (Vec::new(), Vec::new());
    for transaction in transactions {
        let partitions = partitions_of(&transaction);
        let missing = missing(&image, &partitions);
        calls.push(match missing {
            Some(_) => Called::Now(Ok(Err(ErrorCode::OperationNotAttempted))),
            None => ask(ctx, &call, &transaction, partitions.clone()),
        });
        asked.push(Asked { id: transaction.transactional_id, partitions, missing });
    }
    drop(image);
    gather(calls, move |told| {
        let results = asked.into_iter().zip(told);
        let results = results.map(|(asked, told)| asked.result(call.version, flat(told)));
        answer(&call, results.collect())
    })
}

/// What was asked of one transaction.
struct Asked {
    id: TransactionalId,
    partitions: PartitionSet,
    /// The answer for each partition, where some do not exist.
    missing: Option<Vec<ErrorCode>>,
}

/// What versions of clients say, in the form of brokers'.
fn of_client(request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnTransaction {
    AddPartitionsToTxnTransaction::default()
        .with_transactional_id(request.v3_and_below_transactional_id)
        .with_producer_id(request.v3_and_below_producer_id)
        .with_producer_epoch(request.v3_and_below_producer_epoch)
        .with_topics(request.v3_and_below_topics)
}

fn partitions_of(transaction: &AddPartitionsToTxnTransaction) -> PartitionSet {
    let mut partitions = PartitionSet::default();
    for topic in &transaction.topics {
        for index in &topic.partitions {
            partitions.insert(&topic.name, *index);
        }
    }
    partitions
}

/// If any partition does not exist, none is tried.
fn missing(image: &Image, partitions: &PartitionSet) -> Option<Vec<ErrorCode>> {
    let exists = |topic: &str, index| {
        let topic = image.topics.named(topic);
        topic.is_some_and(|topic| topic.partitions.contains_key(&PartitionId(index)))
    };
    if partitions.iter().all(|(topic, index)| exists(topic, index)) {
        return None;
    }
    let code = |(topic, index): (&Arc<str>, i32)| {
        if exists(topic, index) {
            ErrorCode::OperationNotAttempted
        } else {
            ErrorCode::UnknownTopicOrPartition
        }
    };
    Some(partitions.iter().map(code).collect())
}

fn ask(
    ctx: &Arc<Ctx>,
    call: &Call,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: PartitionSet,
) -> Called<TransactionReply> {
    let transactional_id: Arc<str> = Arc::from(transaction.transactional_id.as_str());
    let producer_id = ProducerId(transaction.producer_id.0);
    let producer_epoch = ProducerEpoch(transaction.producer_epoch);
    let id = Arc::clone(&transactional_id);
    let request = if transaction.verify_only {
        TransactionRequest::VerifyPartitions(VerifyPartitions {
            transactional_id,
            producer_id,
            producer_epoch,
            partitions,
        })
    } else {
        TransactionRequest::AddPartitions(AddPartitions {
            transactional_id,
            producer_id,
            producer_epoch,
            partitions,
            client_version: if call.version < FIRST_OF_BROKERS { 0 } else { EPOCH_BUMPS },
        })
    };
    ctx.transactions.call_for(&id, call.now, request)
}

impl Asked {
    fn result(self, version: i16, reply: TransactionReply) -> AddPartitionsToTxnResult {
        let same = |code| vec![code; self.partitions.len()];
        let codes = match (self.missing, reply) {
            (Some(codes), _) => codes,
            (None, Ok(Answered::Verified(takes_part))) => {
                let code = |it: bool| {
                    if it { ErrorCode::None } else { ErrorCode::TransactionAbortable }
                };
                takes_part.into_iter().map(code).collect()
            }
            (None, Ok(_)) => same(ErrorCode::None),
            (None, Err(code)) => same(fenced_as(version, FIRST_WITH_PRODUCER_FENCED, code)),
        };
        let mut codes = codes.into_iter();
        let topic = |(name, indexes): (&Arc<str>, &BTreeSet<i32>)| {
            let results = indexes.iter().zip(codes.by_ref()).map(|(index, code)| {
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(*index)
                    .with_partition_error_code(code.code())
            });
            AddPartitionsToTxnTopicResult::default()
                .with_name(text(name.as_ref()).into())
                .with_results_by_partition(results.collect())
        };
        AddPartitionsToTxnResult::default()
            .with_transactional_id(self.id)
            .with_topic_results(self.partitions.topics().map(topic).collect())
    }
}

fn answer(call: &Call, results: Vec<AddPartitionsToTxnResult>) -> Answer {
    let response = AddPartitionsToTxnResponse::default();
    let response = if call.version < FIRST_OF_BROKERS {
        let topics = results.into_iter().flat_map(|result| result.topic_results);
        response.with_results_by_topic_v3_and_below(topics.collect())
    } else {
        response.with_results_by_transaction(results)
    };
    reply::<AddPartitionsToTxnRequest>(call, &response)
}
