//! How a request goes through the node: to its shard or its log, to a transaction's coordinator before it if need be, and
//! back, as the handlers of `api` have it.

use std::sync::Arc;

use super::{World, node::Waiting};
use crate::kernel::groups::offsets::{CommitTopic, TxnCommitRequest};
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::log::append::Origin;
use crate::kernel::log::producers::AppendOrigin;
use crate::kernel::log::producers::verification::{Verification, VerificationGuard};
use crate::kernel::machine::CallId;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::vouching::{Operation, Question, is_ending};
use crate::kernel::txns::{AddPartitions, Answered, Listing, TransactionReply, TransactionRequest};
use crate::sim::asks::{Answer, Ask, Produce};
use crate::sim::checkers::Expected;
use crate::sim::checkers::descriptions::ExpectedTransactions;
use crate::sim::planted::Planted;
use crate::sim::shard::Shard;
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, NAMES, OFFSETS, Place};
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::wire::batch::Batch;
use crate::wire::coordinator_records::consumer_protocol::{
    ConsumerProtocolAssignment, TopicPartition,
};

/// How long the node waits until it asks again whether the transaction before has ended, and how often.
const ASK_AGAIN_MS: u64 = 20;
const ASKS_MAX: u32 = 5;
/// Offsets have no sequences.
const NO_SEQUENCE: i32 = -1;

/// What becomes of a call once it is replied to.
#[derive(Debug)]
pub enum Then {
    /// A client is answered, and what it hears is held against this.
    Client(usize, u64, Expected),
    /// A client is answered, unless the coordinator wants a producer id.
    WithId(usize, u64, Box<Ask>),
    /// A client is told of transactions, which is held against this.
    Transactions(usize, u64, ExpectedTransactions),
    /// A write goes on, or not.
    Vouch(Box<Vouching>),
    /// Nothing.
    Nothing,
}

/// A write whose transaction's coordinator is asked.
#[derive(Debug)]
pub struct Vouching {
    client: usize,
    number: u64,
    question: Question,
    guard: VerificationGuard,
    asked: u32,
    write: Write,
}

/// What is written then.
#[derive(Debug)]
enum Write {
    Batch(Place, Batch),
    Offsets(Box<TxnCommitRequest>),
}

impl World {
    /// A request has come.
    pub(super) fn arrive(&mut self, client: usize, number: u64, ask: Ask) {
        if !self.node.is_up || self.clients.drops(client, number, &ask) {
            return;
        }
        self.note(|| format!("request {number} of client {client} is there: {}", ask.name()));
        self.trace.detail(|| format!("{ask:?}"));
        match ask.for_group() {
            Ok((group, request)) => self.ask_group(client, number, &group, request),
            Err(other) => match *other {
                Ask::Produce(it) => self.produce(client, number, *it),
                Ask::TxnCommit(it, operation) => self.txn_commit(client, number, it, operation),
                Ask::DescribeProducers(place) => self.describe_producers(client, number, place),
                ask @ (Ask::DescribeTransaction(_) | Ask::ListTransactions) => {
                    self.describe_transactions(client, number, &ask);
                }
                other => self.ask_transaction(client, number, other),
            },
        }
    }

    fn ask_group(&mut self, client: usize, number: u64, group: &str, mut request: GroupRequest) {
        let partition = self.node.group_partition(group);
        if let GroupRequest::OffsetCommit(commit) = &mut request {
            // The handler looks topics up.
            commit.topics.retain_mut(|topic| self.node.has(topic));
            if commit.topics.is_empty() {
                self.answer(client, number, Answer::Failed(ErrorCode::UnknownTopicOrPartition));
                return;
            }
        }
        if let GroupRequest::OffsetDelete(delete) = &mut request {
            // And here.
            for topic in &mut delete.topics {
                let is_there = |at| self.node.exists(&topic.name, at);
                topic.partitions.retain(|it| is_there(it.partition_index));
            }
        }
        let machine = self.node.groups.get(&partition).and_then(Shard::machine);
        let is_planted = self.setup.planted == Some(Planted::CommitsOfAnyGeneration);
        // What the client said is of the generation before, and the shard is told otherwise.
        age(&mut request, if is_planted { -1 } else { 0 });
        let (image, counters) = (&self.node.image, &mut self.counters);
        let expected = self.checks.expect(partition, machine, image, &request, counters);
        age(&mut request, i32::from(is_planted));
        let call = self.node.call_id(Then::Client(client, number, expected));
        let is_there = self.at_group(partition, |shard, base| shard.call(base, call, request));
        if !is_there {
            self.tell_group(call, Err(ErrorCode::NotCoordinator));
        }
    }

    /// A call of a group's shard is replied to.
    pub(super) fn tell_group(&mut self, call: CallId, result: Result<GroupReply, ErrorCode>) {
        let Some(Then::Client(client, number, expected)) = self.node.calls.remove(&call) else {
            return;
        };
        let mut result = result;
        self.spoil(&mut result);
        self.checks.hold_against(&expected, &result, &mut self.counters);
        let answer = match result {
            Ok(reply) => Answer::Group(reply),
            Err(code) => Answer::Failed(code),
        };
        self.answer(client, number, answer);
    }

    /// A reply is not what the shard said, where a test wants it so.
    fn spoil(&self, result: &mut Result<GroupReply, ErrorCode>) {
        match (self.setup.planted, result) {
            (Some(Planted::WrongOffsets), Ok(GroupReply::OffsetFetch(Ok(topics)))) => {
                for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.committed_offset += 1;
                }
            }
            (Some(Planted::SameAssignment), Ok(GroupReply::SyncGroup(response)))
                if response.error_code == 0 =>
            {
                let topic = TopicPartition { topic: "a".to_owned(), partitions: vec![0] };
                let assignment = ConsumerProtocolAssignment {
                    assigned_partitions: vec![topic],
                    user_data: None,
                };
                response.assignment = assignment.encode(0);
            }
            _ => {}
        }
    }

    fn ask_transaction(&mut self, client: usize, number: u64, ask: Ask) {
        let (id, request) = match ask.clone() {
            Ask::Init(it) => {
                (Arc::clone(&it.transactional_id), TransactionRequest::InitProducerId(it))
            }
            Ask::End(it) => {
                (Arc::clone(&it.transactional_id), TransactionRequest::EndTransaction(it))
            }
            Ask::Add(it) => {
                if !it.partitions.iter().all(|(topic, at)| self.node.exists(topic, at)) {
                    let code = ErrorCode::UnknownTopicOrPartition;
                    self.answer(client, number, Answer::Failed(code));
                    return;
                }
                (Arc::clone(&it.transactional_id), TransactionRequest::AddPartitions(it))
            }
            Ask::AddOffsets(it, group) => {
                let at = self.node.group_partition(&group);
                let partitions: PartitionSet = [(NAMES[OFFSETS], at)].into_iter().collect();
                let id = Arc::clone(&it.transactional_id);
                let it = AddPartitions { partitions: Arc::new(partitions), ..it };
                (id, TransactionRequest::AddPartitions(it))
            }
            _ => return,
        };
        let then = Then::WithId(client, number, Box::new(ask));
        self.call_transaction(&id, request, then);
    }

    fn describe_transactions(&mut self, client: usize, number: u64, ask: &Ask) {
        let (id, request) = if let Ask::DescribeTransaction(id) = ask {
            (id.as_str(), TransactionRequest::Describe(Arc::from(id.as_str())))
        } else {
            // All of them are in one partition here.
            let every = Listing { duration_ms: -1, ..Listing::default() };
            ("", TransactionRequest::List(every))
        };
        let expected = self.checks.expect_transactions(ask);
        self.call_transaction(id, request, Then::Transactions(client, number, expected));
    }

    fn describe_producers(&mut self, client: usize, number: u64, place: Place) {
        let answer = match self.node.logs.get(&place) {
            Some(log) if log.leads => {
                self.checks.on_producers_described(place, log, &mut self.counters);
                Answer::Done
            }
            Some(_) => Answer::Failed(ErrorCode::NotLeaderOrFollower),
            None => Answer::Failed(ErrorCode::UnknownTopicOrPartition),
        };
        self.answer(client, number, answer);
    }

    pub(super) fn call_transaction(&mut self, id: &str, request: TransactionRequest, then: Then) {
        let partition = self.node.transaction_partition(id);
        self.call_transaction_shard(partition, request, then);
    }

    pub(super) fn call_transaction_shard(
        &mut self,
        partition: i32,
        request: TransactionRequest,
        then: Then,
    ) {
        let call = self.node.call_id(then);
        let is_there =
            self.at_transaction(partition, |shard, base| shard.call(base, call, request));
        if !is_there {
            self.tell_transaction(call, Err(ErrorCode::NotCoordinator));
        }
    }

    /// A call of a transaction's shard is replied to.
    pub(super) fn tell_transaction(
        &mut self,
        call: CallId,
        result: Result<TransactionReply, ErrorCode>,
    ) {
        match self.node.calls.remove(&call) {
            Some(Then::WithId(client, number, ask))
                if result == Ok(Ok(Answered::NeedsProducerId)) =>
            {
                let is_new = self.setup.planted != Some(Planted::SameProducerId);
                let fresh = self.node.fresh_producer_id(is_new);
                self.ask_transaction(client, number, ask.with_fresh(fresh));
            }
            Some(Then::WithId(client, number, ask)) => {
                let reply = result.unwrap_or_else(Err);
                self.checks.on_transaction_reply(&ask, &reply, &mut self.counters);
                self.answer(client, number, Answer::Transaction(reply));
            }
            Some(Then::Transactions(client, number, expected)) => {
                if let Ok(reply) = &result {
                    self.checks.on_transactions_described(&expected, reply, &mut self.counters);
                }
                self.answer(client, number, Answer::Transaction(result.unwrap_or_else(Err)));
            }
            Some(Then::Vouch(vouching)) => self.vouched(vouching, result),
            Some(Then::Client(..) | Then::Nothing) | None => {}
        }
    }

    fn produce(&mut self, client: usize, number: u64, produce: Produce) {
        let place = (produce.topic, produce.partition.0);
        let now = self.clock.now();
        let Some(log) = self.node.logs.get_mut(&place) else {
            self.answer(client, number, Answer::Failed(ErrorCode::UnknownTopicOrPartition));
            return;
        };
        let header = &produce.batch.header;
        let producer = (header.producer_id, header.producer_epoch);
        let bumps = produce.operation.adds_partitions();
        match log.start_verification(producer, header.base_sequence, bumps, now) {
            Err(code) => self.answer(client, number, Answer::Failed(code)),
            Ok(None) => self.append(client, number, place, &produce.batch, None),
            Ok(Some(guard)) => {
                let question = question(
                    produce.transactional_id,
                    producer,
                    (NAMES[produce.topic], produce.partition.0),
                    produce.operation,
                );
                let write = Write::Batch(place, produce.batch);
                let vouching = Vouching { client, number, question, guard, asked: 0, write };
                self.ask_to_vouch(Box::new(vouching));
            }
        }
    }

    fn txn_commit(
        &mut self,
        client: usize,
        number: u64,
        mut commit: Box<TxnCommitRequest>,
        operation: Operation,
    ) {
        commit.commit.topics.retain_mut(|topic| self.node.has(topic));
        if commit.commit.topics.is_empty() {
            self.answer(client, number, Answer::Failed(ErrorCode::UnknownTopicOrPartition));
            return;
        }
        let partition = self.node.group_partition(&commit.commit.group_id);
        let producer = (commit.producer_id, commit.producer_epoch);
        let now = self.clock.now();
        let Some(log) = self.node.logs.get_mut(&(OFFSETS, partition)) else { return };
        let bumps = operation.adds_partitions();
        match log.start_verification(producer, NO_SEQUENCE, bumps, now) {
            Err(code) => self.answer(client, number, Answer::Failed(not_yet(code))),
            Ok(None) => self.write_offsets(client, number, commit),
            Ok(Some(guard)) => {
                let id = Arc::from(commit.transactional_id.as_str());
                let question = question(id, producer, (NAMES[OFFSETS], partition), operation);
                let write = Write::Offsets(commit);
                let vouching = Vouching { client, number, question, guard, asked: 0, write };
                self.ask_to_vouch(Box::new(vouching));
            }
        }
    }

    /// Asks the coordinator of the transaction.
    pub(super) fn ask_to_vouch(&mut self, mut vouching: Box<Vouching>) {
        if !self.node.is_up {
            return;
        }
        vouching.asked += 1;
        let request = vouching.question.request();
        let id = Arc::clone(&vouching.question.transactional_id);
        self.call_transaction(&id, request, Then::Vouch(vouching));
    }

    fn vouched(&mut self, vouching: Box<Vouching>, told: Result<TransactionReply, ErrorCode>) {
        let is_asked_again = is_ending(&told)
            && vouching.question.operation.adds_partitions()
            && vouching.asked < ASKS_MAX
            && matches!(vouching.write, Write::Batch(..));
        if is_asked_again {
            self.clock.after(ASK_AGAIN_MS, super::Event::AskAgain(vouching));
            return;
        }
        let Vouching { client, number, question, guard, write, .. } = *vouching;
        let verdict = question.verdicts(told).into_iter().find(|code| *code != ErrorCode::None);
        match (verdict, write) {
            (Some(code), Write::Batch(..)) => self.answer(client, number, Answer::Failed(code)),
            (Some(code), Write::Offsets(_)) => {
                self.answer(client, number, Answer::Failed(not_yet(code)));
            }
            (None, Write::Batch(place, batch)) => {
                self.append(client, number, place, &batch, Some(guard));
            }
            (None, Write::Offsets(commit)) => {
                let partition = self.node.group_partition(&commit.commit.group_id);
                let log = self.node.logs.get_mut(&(OFFSETS, partition));
                if log.is_none_or(|log| log.answer_verification(commit.producer_id, guard)) {
                    self.write_offsets(client, number, commit);
                } else {
                    self.counters.hit(Sometimes::NotVerified);
                    self.answer(client, number, Answer::Failed(ErrorCode::InvalidTxnState));
                }
            }
        }
    }

    fn write_offsets(&mut self, client: usize, number: u64, commit: Box<TxnCommitRequest>) {
        let group = commit.commit.group_id.to_string();
        self.ask_group(client, number, &group, GroupRequest::TxnOffsetCommit(commit));
    }

    fn append(
        &mut self,
        client: usize,
        number: u64,
        place: Place,
        batch: &Batch,
        guard: Option<VerificationGuard>,
    ) {
        let now = self.clock.now();
        let Some(log) = self.node.logs.get_mut(&place) else {
            self.answer(client, number, Answer::Failed(ErrorCode::UnknownTopicOrPartition));
            return;
        };
        let origin = Origin {
            producer: AppendOrigin::Client,
            transaction_version: 0,
            verification: Verification::Required(guard),
        };
        match log.append(batch, origin, None, now) {
            Ok(appended) => {
                let (end, epoch) = (appended.last_offset.next(), log.epoch);
                if appended.duplicate {
                    self.counters.hit(Sometimes::DuplicateBatch);
                }
                let what = Waiting::Produced(client, number);
                self.wait_for(place, end, epoch, what);
            }
            Err(code) => {
                if code == ErrorCode::InvalidTxnState {
                    self.counters.hit(Sometimes::NotVerified);
                }
                self.answer(client, number, Answer::Failed(code));
            }
        }
    }

    pub(super) fn produced(&mut self, client: usize, number: u64, result: Result<(), ErrorCode>) {
        let answer = match result {
            Ok(()) => Answer::Done,
            Err(ErrorCode::NotCoordinator) => Answer::Failed(ErrorCode::NotLeaderOrFollower),
            Err(_) => Answer::Failed(ErrorCode::RequestTimedOut),
        };
        self.answer(client, number, answer);
    }
}

impl super::Node {
    /// Whether a partition is there.
    fn exists(&self, topic: &str, partition: i32) -> bool {
        let topic = topics::place_of(topic);
        topic.is_some_and(|topic| partition < topics::partitions(&self.image, topic))
    }

    /// A topic as a handler looks it up: with its id, and without partitions that are not there.
    fn has(&self, topic: &mut CommitTopic) -> bool {
        let Some(there) = self.image.topics.named(topic.name.as_str()) else { return false };
        topic.id = there.id;
        topic.partitions.retain(|it| there.partitions.contains_key(&it.index));
        !topic.partitions.is_empty()
    }
}

/// A member's commit is of another generation.
fn age(request: &mut GroupRequest, by: i32) {
    if let GroupRequest::OffsetCommit(commit) = request
        && commit.generation_id_or_member_epoch >= 0
    {
        commit.generation_id_or_member_epoch += by;
    }
}

fn question(
    transactional_id: Arc<str>,
    (producer_id, producer_epoch): (ProducerId, ProducerEpoch),
    partition: (&str, i32),
    operation: Operation,
) -> Question {
    let partitions = Arc::new([partition].into_iter().collect());
    Question { transactional_id, producer_id, producer_epoch, partitions, operation }
}

/// What the group coordinator makes of an error from before the write.
const fn not_yet(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        code => code,
    }
}
