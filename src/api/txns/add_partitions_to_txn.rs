//! AddPartitionsToTxn (24), versions 0–5: partitions take part in a transaction, or are asked about.
//!
//! KIP-98, KIP-588 (2: PRODUCER_FENCED), KIP-482 (3: flexible), KIP-890 (4: of several transactions, from one broker to
//! another, which may only ask; 5: TRANSACTION_ABORTABLE). Either all partitions of a transaction take part or none.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TopicName, TransactionalId,
};

use super::asking::{fenced_as, flat, gather};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::api::data::INTERNAL_TOPICS;
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::{
    AddPartitions, Answered, EPOCH_BUMPS, TransactionReply, TransactionRequest, VerifyPartitions,
};
use crate::shell::drivers::coordinators::Called;
use crate::types::acls::Operation;
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
    let access = Access::of(ctx, &call);
    if call.version >= FIRST_OF_BROKERS
        && let Err(code) = access.cluster(Operation::CLUSTER_ACTION)
    {
        let response = AddPartitionsToTxnResponse::default().with_error_code(code.code());
        return reply::<AddPartitionsToTxnRequest>(&call, &response);
    }
    let transactions = if call.version < FIRST_OF_BROKERS {
        vec![of_client(request)]
    } else {
        request.transactions
    };
    let image = ctx.image.load();
    let (mut asked, mut calls) = (Vec::new(), Vec::new());
    for transaction in transactions {
        let partitions = Arc::new(partitions_of(&transaction));
        let of_client = call.version < FIRST_OF_BROKERS;
        let allowed = if of_client {
            access.transactional_id(Operation::WRITE, &transaction.transactional_id)
        } else {
            Ok(())
        };
        let checks = Checks { image: &image, access: &access, of_client };
        let refused = match allowed {
            Ok(()) => checks.refused(&partitions),
            Err(code) => Some(vec![code; partitions.len()]),
        };
        calls.push(match refused {
            Some(_) => Called::Now(Ok(Err(ErrorCode::OperationNotAttempted))),
            None => ask(ctx, &call, &transaction, Arc::clone(&partitions)),
        });
        let AddPartitionsToTxnTransaction { transactional_id: id, topics, .. } = transaction;
        asked.push(Asked { id, topics, partitions, refused });
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
    /// As the client has them, perhaps twice.
    topics: Vec<AddPartitionsToTxnTopic>,
    partitions: Arc<PartitionSet>,
    /// The answer for each partition, where some may not take part.
    refused: Option<Vec<ErrorCode>>,
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
        partitions.add(topic.name.as_str(), topic.partitions.iter().copied());
    }
    partitions
}

/// What a partition is checked for before the coordinator is asked.
struct Checks<'a> {
    image: &'a Image,
    access: &'a Access,
    /// A client names the partitions itself: it must be permitted to write to them, and none of them may be internal.
    of_client: bool,
}

impl Checks<'_> {
    /// If any partition is refused, none is tried.
    fn refused(&self, partitions: &PartitionSet) -> Option<Vec<ErrorCode>> {
        let mut codes = Vec::with_capacity(partitions.len());
        for (topic, indexes) in partitions.topics() {
            let may_write = !self.of_client
                || (!INTERNAL_TOPICS.contains(&topic.as_ref())
                    && self.access.topic(Operation::WRITE, topic));
            codes.extend(indexes.iter().map(|index| self.code(topic, *index, may_write)));
        }
        codes.iter().any(|code| *code != ErrorCode::OperationNotAttempted).then_some(codes)
    }

    fn code(&self, topic: &str, index: i32, may_write: bool) -> ErrorCode {
        let topic = self.image.topics.named(topic);
        let exists = topic.is_some_and(|it| it.partitions.contains_key(&PartitionId(index)));
        match (may_write, exists) {
            (false, _) => ErrorCode::TopicAuthorizationFailed,
            (true, false) => ErrorCode::UnknownTopicOrPartition,
            (true, true) => ErrorCode::OperationNotAttempted,
        }
    }
}

fn ask(
    ctx: &Arc<Ctx>,
    call: &Call,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: Arc<PartitionSet>,
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
    /// What is said of all partitions alike is said of each topic and partition that was named, as often as it was;
    /// otherwise each partition is told its own, once.
    fn result(self, version: i16, reply: TransactionReply) -> AddPartitionsToTxnResult {
        let result = AddPartitionsToTxnResult::default().with_transactional_id(self.id);
        let codes = match (self.refused, reply) {
            (Some(codes), _) => codes,
            (None, Ok(Answered::Verified(takes_part))) => {
                let code = |it: bool| {
                    if it { ErrorCode::None } else { ErrorCode::TransactionAbortable }
                };
                takes_part.into_iter().map(code).collect()
            }
            (None, reply) => {
                let code = reply.err().unwrap_or(ErrorCode::None);
                let code = fenced_as(version, FIRST_WITH_PRODUCER_FENCED, code);
                let told = self.topics.into_iter().map(|topic| {
                    let all = topic.partitions.iter().map(|index| (*index, code));
                    topic_result(topic.name, all)
                });
                return result.with_topic_results(told.collect());
            }
        };
        let mut codes = codes.into_iter();
        let topic = |(name, indexes): (&Arc<str>, &[i32])| {
            topic_result(text(name.as_ref()).into(), indexes.iter().copied().zip(codes.by_ref()))
        };
        result.with_topic_results(self.partitions.topics().map(topic).collect())
    }
}

fn topic_result(
    name: TopicName,
    codes: impl Iterator<Item = (i32, ErrorCode)>,
) -> AddPartitionsToTxnTopicResult {
    let partition = |(index, code): (i32, ErrorCode)| {
        AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(index)
            .with_partition_error_code(code.code())
    };
    AddPartitionsToTxnTopicResult::default()
        .with_name(name)
        .with_results_by_partition(codes.map(partition).collect())
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
