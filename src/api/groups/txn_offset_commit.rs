//! TxnOffsetCommit (28), versions 0–5: up to where a group will have read once a transaction is committed.
//!
//! KIP-98, KIP-219 (1), KIP-320 (2: leader epochs), KIP-447 and KIP-482 (3: the member, flexible), KIP-890 (4: a
//! transaction that is to be aborted, 5: the partition is added to the transaction on the way).
//!
//! Before the write the transaction's coordinator has to vouch for it, as before a Produce:
//! [`vouching`](crate::kernel::txns::vouching).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use uuid::Uuid;

use super::sorted_out::{Answered, NamedBy, SortedOut};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::data::replicas;
use crate::api::dispatch::refuse;
use crate::api::txns::vouching::ask;
use crate::kernel::configs::internal_topics::CONSUMER_OFFSETS;
use crate::kernel::groups::offsets::{
    CommitPartition, CommitReply, CommitRequest, TxnCommitRequest,
};
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::log::producers::verification::VerificationGuard;
use crate::kernel::metadata::image::Image;
use crate::kernel::replica::fetch_session::TopicRef;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::vouching::{Operation, Question};
use crate::shell::drivers::coordinators::Called;
use crate::shell::drivers::partitions::Partition;
use crate::types::acls::Operation as AclOperation;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;

/// Clients before this version, of Kafka 0.11 to 1.1, do not survive COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296).
const FIRST_THAT_KNOWS_LOADING: i16 = 2;
/// Offsets have no sequences.
const NO_SEQUENCE: i32 = -1;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: TxnOffsetCommitRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let group_id = request.group_id.0.clone();
    let access = Access::of(ctx, &call);
    let allowed = access
        .transactional_id(AclOperation::WRITE, &request.transactional_id)
        .and_then(|()| access.group(AclOperation::READ, &group_id));
    let sorted = SortedOut::of(access, allowed);
    let (sorted, commit) = sort_out(&ctx.image.load(), call.version, sorted, request);
    if commit.commit.topics.is_empty() {
        return give(&call, sorted, &Ok(Vec::new()));
    }
    if group_id.is_empty() {
        return give(&call, sorted, &Err(ErrorCode::InvalidGroupId));
    }
    let commit = Commit { ctx: Arc::clone(ctx), call, sorted, asked: commit };
    match commit.question() {
        Err(code) => commit.refused(code),
        Ok(None) => commit.write(),
        Ok(Some((question, guard))) => match ask(&question, ctx, commit.call.now) {
            Called::Now(told) => commit.vouched_for(&question.verdicts(told), guard),
            later @ Called::Later(_) => Answer::Alone(Box::pin(async move {
                let told = later.told().await;
                match commit.vouched_for(&question.verdicts(told), guard) {
                    Answer::Later(written) | Answer::Alone(written) => written.await,
                    now => now,
                }
            })),
        },
    }
}

/// A commit on its way.
struct Commit {
    ctx: Arc<Ctx>,
    call: Call,
    sorted: SortedOut,
    asked: TxnCommitRequest,
}

impl Commit {
    fn group_id(&self) -> &str {
        &self.asked.commit.group_id
    }

    /// What the coordinator of the transaction is to be asked, if anything.
    fn question(&self) -> Result<Option<(Question, VerificationGuard)>, ErrorCode> {
        let operation = Operation::of_txn_offset_commit(self.call.version);
        let is_enabled = self.ctx.config.load().transaction_partition_verification_enable;
        if !is_enabled && !operation.adds_partitions() {
            return Ok(None);
        }
        let Some(partition) = self.partition() else {
            // The group coordinator says what is wrong.
            return Ok(None);
        };
        let producer = (self.asked.producer_id, self.asked.producer_epoch);
        let bumps = operation.adds_partitions();
        let guard = partition.start_verification(producer, NO_SEQUENCE, bumps, self.call.now)?;
        Ok(guard.map(|guard| {
            let partitions = PartitionSet::of_one(partition.topic.as_str(), partition.id.0);
            let question = Question {
                transactional_id: Arc::from(self.asked.transactional_id.as_str()),
                producer_id: producer.0,
                producer_epoch: producer.1,
                partitions: Arc::new(partitions),
                operation,
            };
            (question, guard)
        }))
    }

    /// The partition that has the group.
    fn partition(&self) -> Option<Arc<Partition>> {
        let index = self.ctx.groups.partition_for(self.group_id());
        replicas::partition(&self.ctx, TopicRef::Name(CONSUMER_OFFSETS.name), index).ok()
    }

    fn vouched_for(self, verdicts: &[ErrorCode], guard: VerificationGuard) -> Answer {
        if let Some(code) = verdicts.iter().find(|code| **code != ErrorCode::None) {
            return self.refused(*code);
        }
        let is_open = self
            .partition()
            .map_or(Ok(true), |it| it.answer_verification(self.asked.producer_id, guard));
        match is_open {
            Ok(true) => self.write(),
            Ok(false) => self.refused(ErrorCode::InvalidTxnState),
            Err(code) => self.refused(code),
        }
    }

    fn write(self) -> Answer {
        let Self { ctx, call, sorted, asked } = self;
        let group_id = asked.commit.group_id.clone();
        let request = GroupRequest::TxnOffsetCommit(Box::new(asked));
        ctx.groups.call_for(&group_id, call.now, request).answer(move |told| match told {
            Ok(GroupReply::OffsetCommit(reply)) => give(&call, sorted, &reply),
            Err(code) => give(&call, sorted, &Err(code)),
            Ok(_) => refuse(call.peer, &"the coordinator answered something else"),
        })
    }

    /// What Kafka's group coordinator makes of an error from before the write.
    fn refused(self, code: ErrorCode) -> Answer {
        let code = match code {
            ErrorCode::NetworkException => ErrorCode::CoordinatorLoadInProgress,
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
            ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => {
                ErrorCode::NotCoordinator
            }
            code => code,
        };
        give(&self.call, self.sorted, &Err(code))
    }
}

fn sort_out(
    image: &Image,
    version: i16,
    mut sorted: SortedOut,
    request: TxnOffsetCommitRequest,
) -> (SortedOut, TxnCommitRequest) {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(partition);
        ((topic.name.0, Uuid::nil()), partitions.collect())
    });
    let topics = sorted.take_commits(image, NamedBy::Name, topics);
    let commit = CommitRequest {
        group_id: request.group_id.0,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        generation_id_or_member_epoch: request.generation_id,
        api_version: version,
        retention_time_ms: -1,
        topics,
    };
    let commit = TxnCommitRequest {
        transactional_id: request.transactional_id.0,
        producer_id: ProducerId(request.producer_id.0),
        producer_epoch: ProducerEpoch(request.producer_epoch),
        commit,
    };
    (sorted, commit)
}

fn partition(asked: TxnOffsetCommitRequestPartition) -> CommitPartition {
    CommitPartition {
        index: PartitionId(asked.partition_index),
        offset: Offset(asked.committed_offset),
        leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
        metadata: asked.committed_metadata.unwrap_or_default(),
    }
}

fn give(call: &Call, sorted: SortedOut, told: &CommitReply) -> Answer {
    let told = told.as_deref().map_err(|code| for_version(call.version, *code));
    let topics = sorted.answer(told, ErrorCode::OffsetMetadataTooLarge);
    let topics = topics.into_iter().map(answered).collect();
    let response = TxnOffsetCommitResponse::default().with_topics(topics);
    reply::<TxnOffsetCommitRequest>(call, &response)
}

fn for_version(version: i16, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::CoordinatorLoadInProgress if version < FIRST_THAT_KNOWS_LOADING => {
            ErrorCode::CoordinatorNotAvailable
        }
        code => code,
    }
}

fn answered(topic: Answered) -> TxnOffsetCommitResponseTopic {
    let partitions = topic.partitions.into_iter().map(|(index, code)| {
        TxnOffsetCommitResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(code)
    });
    TxnOffsetCommitResponseTopic::default()
        .with_name(TopicName(topic.name))
        .with_partitions(partitions.collect())
}
