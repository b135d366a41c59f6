//! Produce (0), versions 3–13: batches, checked and appended as they came.
//!
//! KIP-98 (3), KIP-112 (4: storage errors), KIP-107 (5: log start), KIP-219 (6), KIP-110 (7: zstd), KIP-467 (8: errors of
//! records), KIP-482 (9: flexible), KIP-951 (10: who leads now), KIP-890 (11, 12), KIP-516 (13: topic ids).
//!
//! Transactional batches are appended once their coordinator has vouched for them: see [`verification`], and
//! [`vouching`](crate::kernel::txns::vouching) for how far that goes with old clients.
//!
//! Deviations from Apache Kafka: of the batches that a request has for one partition each is appended, where Kafka drops
//! all but the last without a word. They have one answer, as in Kafka.

mod repeats;
mod verification;

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use smallvec::SmallVec;

use self::verification::{Begun, Verdict};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::context::Ctx;
use crate::api::data::INTERNAL_TOPICS;
use crate::api::data::replicas::{self, add_endpoint};
use crate::api::dispatch::refuse;
use crate::kernel::configs::topic::{CompressionType, MessageTimestampType, TopicConfig};
use crate::kernel::replica::fetch_session::TopicRef;
use crate::kernel::txns::vouching::Operation;
use crate::shell::drivers::partitions::{Origin, Partition};
use crate::types::acls::Operation as AclOperation;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::wire::batch::TimestampType;
use crate::wire::batch_check::{
    BatchRefusal, BatchRules, TargetCompression, begins_in_transaction, check_produced,
};
use crate::wire::compression::Codec;
use crate::wire::produce::{
    ProducePartition, ProducePartitionReply, ProduceReply, ProduceRequest, ProduceTopic,
    ProduceTopicReply, encode_produce_reply,
};

const FIRST_WITH_LEADER: i16 = 10;

/// Who may write to internal topics all the same: the tools of an administrator.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match ProduceRequest::parse(call.version, body) {
        Ok(request) => request,
        Err(error) => return refuse(call.peer, &error),
    };
    let access = Access::of(ctx, call);
    let mut produce = Produce { ctx, call, request: &request, denied: Denied::new() };
    if let Some(refusal) = refused_whole(&request, &access) {
        return produce.answer(|_, _, partition| refusal.of(partition));
    }
    produce.denied = denied(ctx, &request, &access);
    match verification::begin(ctx, call, (&request, &produce.denied)) {
        Begun::NotNeeded => produce.append_all(&[]),
        Begun::Known(verdicts) => produce.append_all(&verdicts),
        Begun::TwoProducers => {
            let code = ErrorCode::InvalidProducerIdMapping;
            let message = "Transactional records contained more than one producer ID";
            let refusal = Refusal { code, message: Some(message.to_owned()) };
            produce.answer(|_, _, partition| refusal.of(partition))
        }
        Begun::Asked(asked) => {
            let (ctx, call, denied) = (Arc::clone(ctx), call.clone(), produce.denied);
            // What comes behind it on the connection has later sequences, and would be vouched for first.
            Answer::Alone(Box::pin(async move {
                let verdicts = asked.settle(&ctx, &call).await;
                Produce { ctx: &ctx, call: &call, request: &request, denied }.append_all(&verdicts)
            }))
        }
    }
}

/// Why no partition of a request is looked at.
struct Refusal {
    code: ErrorCode,
    message: Option<String>,
}

impl Refusal {
    fn of(&self, partition: &ProducePartition) -> ProducePartitionReply {
        ProducePartitionReply {
            error_message: self.message.clone(),
            ..ProducePartitionReply::failed(partition.index, self.code)
        }
    }
}

/// Why no partition of a request is looked at, if so. Kafka asks each batch, in turn, whether it belongs to a transaction,
/// until one does; what does not even begin like a batch fails them all.
fn refused_whole(request: &ProduceRequest, access: &Access) -> Option<Refusal> {
    let may_write = |id: &StrBytes| access.transactional_id(AclOperation::WRITE, id).is_ok();
    for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
        let Some(records) = &partition.records else { continue };
        match begins_in_transaction(records) {
            Ok(false) => {}
            Ok(true) if request.transactional_id.as_ref().is_some_and(may_write) => return None,
            Ok(true) => {
                let code = ErrorCode::TransactionalIdAuthorizationFailed;
                return Some(Refusal { code, message: None });
            }
            Err(why) => {
                let code = ErrorCode::CorruptMessage;
                return Some(Refusal { code, message: Some(why.to_string()) });
            }
        }
    }
    None
}

fn of_transaction(partition: &ProducePartition) -> bool {
    let records = partition.records.as_deref().unwrap_or_default();
    begins_in_transaction(records) == Ok(true)
}

/// The places in a request of the topics that its sender may not write to.
type Denied = SmallVec<[usize; 4]>;

/// Each topic is asked about once. One whose id nobody knows is nobody's to deny.
fn denied(ctx: &Ctx, request: &ProduceRequest, access: &Access) -> Denied {
    if access.is_open() {
        return Denied::new();
    }
    let image = ctx.image.load();
    let is_denied = |topic: &ProduceTopic| match named(topic) {
        TopicRef::Name(name) => !access.topic(AclOperation::WRITE, name),
        TopicRef::Id(id) => {
            let topic = image.topics.of_id(id);
            topic.is_some_and(|it| !access.topic(AclOperation::WRITE, it.name.as_str()))
        }
    };
    let topics = request.topics.iter().enumerate();
    topics.filter(|(_, topic)| is_denied(topic)).map(|(place, _)| place).collect()
}

struct Produce<'a> {
    ctx: &'a Arc<Ctx>,
    call: &'a Call,
    request: &'a ProduceRequest,
    denied: Denied,
}

impl Produce<'_> {
    /// Appends each partition's batch, as the verdict on it says; without verdicts nothing is transactional.
    fn append_all(&self, verdicts: &[Verdict]) -> Answer {
        self.answer(|place, topic, partition| match verdicts.get(place) {
            None => self.append(topic, partition, Origin::CLIENT),
            Some(Verdict::Append(verification)) => {
                let origin = Origin { verification: *verification, ..Origin::CLIENT };
                self.append(topic, partition, origin)
            }
            Some(Verdict::Refused(code)) => not_vouched_for(partition, self.call.version, *code),
        })
    }

    /// The answer made of each partition's, which is told its place in the request.
    fn answer(
        &self,
        mut of: impl FnMut(usize, &ProduceTopic, &ProducePartition) -> ProducePartitionReply,
    ) -> Answer {
        let mut reply = ProduceReply::default();
        let (mut failed, mut place) = (false, 0);
        let call = self.call;
        for (at, topic) in self.request.topics.iter().enumerate() {
            let is_denied = self.denied.contains(&at);
            let mut partitions = SmallVec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let mut answer = if is_denied {
                    let code = ErrorCode::TopicAuthorizationFailed;
                    ProducePartitionReply::failed(partition.index, code)
                } else {
                    of(place, topic, partition)
                };
                place += 1;
                failed |= answer.error != ErrorCode::None;
                if call.version >= FIRST_WITH_LEADER
                    && answer.error == ErrorCode::NotLeaderOrFollower
                {
                    self.name_leader(topic, &mut answer, &mut reply);
                }
                partitions.push(answer);
            }
            let (name, id) = (topic.name.clone(), topic.id);
            reply.topics.push(ProduceTopicReply { name, id, partitions });
        }
        repeats::merge(&mut reply);
        match self.request.acks {
            // Nobody reads an answer; a producer learns of a failure by losing the connection.
            0 if failed => refuse(call.peer, &"producing without an answer failed"),
            0 => Answer::None,
            _ => Answer::Now(encode_produce_reply(call.version, call.correlation_id, &reply)),
        }
    }

    /// Appends one partition's batch. What can be refused without a look at the batch is refused first.
    fn append(
        &self,
        topic: &ProduceTopic,
        asked: &ProducePartition,
        origin: Origin,
    ) -> ProducePartitionReply {
        let fail = |code: ErrorCode| ProducePartitionReply::failed(asked.index, code);
        let partition = match replicas::partition(self.ctx, named(topic), asked.index) {
            Ok(partition) => partition,
            Err(missing) => return fail(missing.code()),
        };
        if !matches!(self.request.acks, -1..=1) {
            return fail(ErrorCode::InvalidRequiredAcks);
        }
        let name = partition.topic.as_str();
        if INTERNAL_TOPICS.contains(&name)
            && self.call.client_id.as_deref() != Some(ADMIN_CLIENT_ID)
        {
            return fail(ErrorCode::InvalidTopicException);
        }
        let config = partition.config();
        let rules = BatchRules {
            topic: name,
            partition: asked.index,
            api_version: self.call.version,
            now: self.call.now.wall,
            ..rules(&config)
        };
        let checked = match &asked.records {
            Some(records) => check_produced(records, &rules),
            None => check_produced(&Bytes::new(), &rules),
        };
        let batch = match checked {
            Ok(batch) => batch,
            Err(refusal) => return not_taken(&partition, asked, refusal),
        };
        match partition.append_from(&batch, origin, self.request.acks, self.call.now) {
            Ok(appended) => ProducePartitionReply {
                base_offset: appended.base_offset,
                log_append_time: appended.log_append_time,
                log_start_offset: appended.log_start_offset,
                ..fail(ErrorCode::None)
            },
            Err(code) => ProducePartitionReply {
                log_start_offset: log_start(&partition, code),
                ..fail(code)
            },
        }
    }

    /// Tells a producer that came to the wrong node who leads (KIP-951).
    fn name_leader(
        &self,
        topic: &ProduceTopic,
        answer: &mut ProducePartitionReply,
        reply: &mut ProduceReply,
    ) {
        let image = self.ctx.image.load();
        let listener = &self.call.listener;
        let (leader, endpoint) = replicas::leader(&image, named(topic), answer.index, listener);
        answer.current_leader = Some(leader);
        add_endpoint(&mut reply.node_endpoints, endpoint);
    }
}

fn named(topic: &ProduceTopic) -> TopicRef<'_> {
    TopicRef::of(topic.id, &topic.name)
}

/// What the coordinator said instead of yes. Where it could not be asked, old clients would not try again rightly: they
/// are told an error which every client retries without a look at the metadata, as by Kafka.
fn not_vouched_for(
    asked: &ProducePartition,
    version: i16,
    code: ErrorCode,
) -> ProducePartitionReply {
    let in_passing = match code {
        ErrorCode::NetworkException => Some("NETWORK_EXCEPTION"),
        ErrorCode::CoordinatorLoadInProgress => Some("COORDINATOR_LOAD_IN_PROGRESS"),
        ErrorCode::CoordinatorNotAvailable => Some("COORDINATOR_NOT_AVAILABLE"),
        ErrorCode::NotCoordinator => Some("NOT_COORDINATOR"),
        ErrorCode::ConcurrentTransactions if !Operation::of_produce(version).adds_partitions() => {
            Some("CONCURRENT_TRANSACTIONS")
        }
        _ => None,
    };
    let (code, message) = match (in_passing, code) {
        (Some(name), _) => {
            let message = format!(
                "Unable to verify the partition has been added to the transaction. Underlying error: \
                 {name}"
            );
            (ErrorCode::NotEnoughReplicas, Some(message))
        }
        (None, ErrorCode::InvalidTxnState) => {
            (code, Some("Partition was not added to the transaction".to_owned()))
        }
        (None, code) => (code, None),
    };
    ProducePartitionReply {
        error_message: message,
        ..ProducePartitionReply::failed(asked.index, code)
    }
}

fn not_taken(
    partition: &Partition,
    asked: &ProducePartition,
    refusal: BatchRefusal,
) -> ProducePartitionReply {
    tracing::debug!(topic = %partition.topic, partition = %asked.index, refusal.reason, "a batch is refused");
    let log_start_offset =
        if refusal.at_first_sight { Offset::UNKNOWN } else { log_start(partition, refusal.code) };
    ProducePartitionReply {
        log_start_offset,
        record_errors: refusal.record_errors,
        error_message: refusal.message,
        ..ProducePartitionReply::failed(asked.index, refusal.code)
    }
}

/// Kafka names the log start even beside an error, except for these.
fn log_start(partition: &Partition, code: ErrorCode) -> Offset {
    match code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotLeaderOrFollower
        | ErrorCode::MessageTooLarge
        | ErrorCode::RecordListTooLarge
        | ErrorCode::CorruptMessage
        | ErrorCode::KafkaStorageError => Offset::UNKNOWN,
        _ => partition.offsets().log_start,
    }
}

/// What the configuration of a topic asks of a batch; the rest is the request's.
fn rules(config: &TopicConfig) -> BatchRules<'static> {
    BatchRules {
        topic: "",
        partition: crate::types::ids::PartitionId(0),
        api_version: 0,
        max_message_bytes: usize::try_from(config.max_message_bytes).unwrap_or(0),
        timestamp_type: match config.message_timestamp_type {
            MessageTimestampType::CreateTime => TimestampType::CreateTime,
            MessageTimestampType::LogAppendTime => TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        now: crate::types::time::Timestamp::NONE,
        compacted: config.compact,
        validate_compressed: config.ottla_validate_compressed,
        compression: match config.compression_type {
            CompressionType::Producer => TargetCompression::Producer,
            CompressionType::Uncompressed => TargetCompression::Codec(Codec::None, None),
            CompressionType::Gzip => {
                TargetCompression::Codec(Codec::Gzip, Some(config.compression_gzip_level))
            }
            CompressionType::Snappy => TargetCompression::Codec(Codec::Snappy, None),
            CompressionType::Lz4 => {
                TargetCompression::Codec(Codec::Lz4, Some(config.compression_lz4_level))
            }
            CompressionType::Zstd => {
                TargetCompression::Codec(Codec::Zstd, Some(config.compression_zstd_level))
            }
        },
    }
}

#[cfg(test)]
mod tests;
