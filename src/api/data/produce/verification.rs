//! Before anything of a transactional request is appended, each of its partitions is known to take part in the transaction
//! (KIP-890). Whatever is open at a partition already needs no question; for the rest the coordinator is asked once.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{named, of_transaction};
use crate::api::answer::Call;
use crate::api::context::Ctx;
use crate::api::data::replicas;
use crate::api::txns::vouching::{ask, settle};
use crate::kernel::log::producers::verification::{Verification, VerificationGuard};
use crate::kernel::txns::TransactionReply;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::vouching::{Operation, Question, is_ending};
use crate::shell::drivers::coordinators::Called;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::wire::batch::BatchHeader;
use crate::wire::produce::ProduceRequest;

/// What is known of one partition of a request.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// It may be appended to, showing this.
    Append(Verification),
    /// It may not.
    Refused(ErrorCode),
}

/// The verdicts, in the order of the partitions of the request.
pub type Verdicts = SmallVec<[Verdict; 4]>;

/// How far the verification of a request has come.
pub enum Begun {
    /// Nothing of it is of a transaction.
    NotNeeded,
    /// It is of two producers at once: none of it is taken.
    TwoProducers,
    /// All is known.
    Known(Verdicts),
    /// The coordinator has been asked.
    Asked(Box<Asked>),
}

/// A question to the coordinator, and what is known without it.
pub struct Asked {
    question: Question,
    called: Called<TransactionReply>,
    verdicts: Verdicts,
    /// Which partitions of the request wait for the answer.
    waiting: Vec<Waiting>,
}

struct Waiting {
    /// Its place in the request.
    place: usize,
    topic: Arc<str>,
    partition: PartitionId,
}

/// What transactional batches say about themselves.
struct Walk<'a> {
    ctx: &'a Ctx,
    call: &'a Call,
    operation: Operation,
    /// `transaction.partition.verification.enable`
    is_enabled: bool,
    producer: Option<(ProducerId, ProducerEpoch)>,
    verdicts: Verdicts,
    waiting: Vec<Waiting>,
}

/// Looks at the batches of a request, but for those of topics that are denied, and asks the coordinator if need be.
pub fn begin(ctx: &Ctx, call: &Call, (request, denied): (&ProduceRequest, &[usize])) -> Begun {
    let Some(transactional_id) = &request.transactional_id else { return Begun::NotNeeded };
    let operation = Operation::of_produce(call.version);
    let is_enabled = ctx.config.load().transaction_partition_verification_enable;
    let mut walk = Walk {
        ctx,
        call,
        operation,
        is_enabled,
        producer: None,
        verdicts: Verdicts::new(),
        waiting: Vec::new(),
    };
    for (at, topic) in request.topics.iter().enumerate() {
        let is_denied = denied.contains(&at);
        for partition in &topic.partitions {
            let header = partition.records.as_ref();
            let header = header.filter(|_| !is_denied && of_transaction(partition));
            let header = header.and_then(|records| BatchHeader::parse(records).ok());
            let header = header.filter(BatchHeader::has_producer_id);
            let verdict = match header {
                None => Verdict::Append(Verification::Off),
                Some(header) => {
                    let producer = (header.producer_id, header.producer_epoch);
                    if *walk.producer.get_or_insert(producer) != producer {
                        return Begun::TwoProducers;
                    }
                    walk.partition(named(topic), partition.index, &header)
                }
            };
            walk.verdicts.push(verdict);
        }
    }
    let Some((producer_id, producer_epoch)) = walk.producer else { return Begun::NotNeeded };
    if walk.waiting.is_empty() {
        return Begun::Known(walk.verdicts);
    }
    let partitions = walk.waiting.iter().map(|it| (Arc::clone(&it.topic), it.partition.0));
    let question = Question {
        transactional_id: Arc::from(transactional_id.as_str()),
        producer_id,
        producer_epoch,
        partitions: Arc::new(partitions.collect::<PartitionSet>()),
        operation,
    };
    let called = ask(&question, ctx, call.now);
    let asked = Asked { question, called, verdicts: walk.verdicts, waiting: walk.waiting };
    asked.known_now()
}

impl Walk<'_> {
    fn partition(
        &mut self,
        topic: crate::kernel::replica::fetch_session::TopicRef<'_>,
        index: PartitionId,
        header: &BatchHeader,
    ) -> Verdict {
        if !self.is_enabled && !self.operation.adds_partitions() {
            return Verdict::Append(Verification::Off);
        }
        let Ok(partition) = replicas::partition(self.ctx, topic, index) else {
            // The append says what is wrong.
            return Verdict::Append(Verification::Off);
        };
        let started = partition.start_verification(
            (header.producer_id, header.producer_epoch),
            header.base_sequence,
            self.operation.adds_partitions(),
            self.call.now,
        );
        match started {
            Ok(None) => Verdict::Append(shown(self.is_enabled, None)),
            Ok(Some(guard)) => {
                let topic = Arc::from(partition.topic.as_str());
                let place = self.verdicts.len();
                self.waiting.push(Waiting { place, topic, partition: index });
                Verdict::Append(shown(self.is_enabled, Some(guard)))
            }
            Err(code) => Verdict::Refused(code),
        }
    }
}

fn shown(is_enabled: bool, guard: Option<VerificationGuard>) -> Verification {
    if is_enabled { Verification::Required(guard) } else { Verification::Off }
}

impl Asked {
    fn known_now(mut self) -> Begun {
        match self.called {
            Called::Now(told)
                if !(self.question.operation.adds_partitions() && is_ending(&told)) =>
            {
                let codes = self.question.verdicts(told);
                note(&self.question, &self.waiting, &codes, &mut self.verdicts);
                Begun::Known(self.verdicts)
            }
            called => {
                self.called = called;
                Begun::Asked(Box::new(self))
            }
        }
    }

    /// The verdicts, once the coordinator has answered.
    pub async fn settle(self, ctx: &Ctx, call: &Call) -> Verdicts {
        let Self { question, called, mut verdicts, waiting } = self;
        let codes = settle(&question, ctx, call.now, called).await;
        note(&question, &waiting, &codes, &mut verdicts);
        verdicts
    }
}

/// What the coordinator said of each partition, in the order of the question, becomes the verdict on its batches.
fn note(question: &Question, waiting: &[Waiting], codes: &[ErrorCode], verdicts: &mut Verdicts) {
    for ((topic, partition), code) in question.partitions.iter().zip(codes) {
        if *code == ErrorCode::None {
            continue;
        }
        let of = |it: &&Waiting| it.topic == *topic && it.partition.0 == partition;
        for waiting in waiting.iter().filter(of) {
            if let Some(verdict) = verdicts.get_mut(waiting.place) {
                *verdict = Verdict::Refused(*code);
            }
        }
    }
}
