//! Producers in a closed loop: one batch after the other, each in a transaction of its own or in none; with the
//! offsets of a group, or without.

use std::ops::Range;

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest,
    ProduceRequest, ProducerId, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};

use super::lanes::Lanes;
use super::members::{await_coordinator, group_id};
use super::template::Template;
use super::{Topic, error, unique};
use crate::connection::{Connection, decode};
use crate::record_batch::RecordBatch;
use crate::requests::{ask_until, now_ms, produce_request, text, topic_name};

const INIT_PRODUCER_ID_VERSION: i16 = 5;
const OLD_VERSION: i16 = 3;
const IS_TRANSACTIONAL: i16 = 0x10;
const TIMEOUT_MS: i32 = 60_000;
/// Stand where something is written that changes.
const PRODUCER_MARK: i64 = 0x0123_4567_89ab_cdef;
const PARTITION_MARK: i32 = 0x7a6b_5c4d;
const OFFSET_MARK: i64 = 0x0f1e_2d3c_4b5a_6978;
/// A producer's id and epoch.
const PRODUCER_BYTES: usize = 10;

/// How a batch is produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// In a transaction, as clients do since KIP-890: its partitions need not be added, its epoch is its own.
    Tv2,
    /// In a transaction, as clients did before.
    Tv1,
    /// In none, but numbered.
    Idempotent,
}

impl Mode {
    pub fn parse(text: &str) -> Self {
        match text {
            "tv2" => Self::Tv2,
            "tv1" => Self::Tv1,
            "idempotent" => Self::Idempotent,
            _ => panic!("{text}: neither tv2 nor tv1 nor idempotent"),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Tv2 => "tv2",
            Self::Tv1 => "tv1",
            Self::Idempotent => "idempotent",
        }
    }

    fn produce_version(self) -> i16 {
        if self == Self::Tv1 { 11 } else { 12 }
    }

    /// Of TxnOffsetCommit and EndTxn.
    fn newest_version(self) -> i16 {
        if self == Self::Tv2 { 5 } else { OLD_VERSION }
    }

    /// What is asked for each batch, in this order.
    fn steps(self, with_offsets: bool) -> Vec<Step> {
        match (self, with_offsets) {
            (Self::Idempotent, _) => vec![Step::Produce],
            (Self::Tv2, false) => vec![Step::Produce, Step::End],
            (Self::Tv2, true) => vec![Step::Produce, Step::CommitOffsets, Step::End],
            (Self::Tv1, false) => vec![Step::AddPartition, Step::Produce, Step::End],
            (Self::Tv1, true) => {
                use Step::{AddOffsets, AddPartition, CommitOffsets, End, Produce};
                vec![AddPartition, Produce, AddOffsets, CommitOffsets, End]
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    AddPartition,
    Produce,
    AddOffsets,
    CommitOffsets,
    End,
}

/// What all producers of a trial do.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub mode: Mode,
    pub with_offsets: bool,
    pub records: usize,
    pub record_bytes: usize,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to ask.
    Goes,
    /// The transaction before is not over: the same is to be asked again.
    Again,
    /// The batch is acknowledged, and its transaction decided.
    Done,
}

/// A batch that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub partition: i32,
    pub base_offset: i64,
    pub is_committed: bool,
}

/// A request of a producer, and where in it is what changes.
#[derive(Debug)]
struct Form {
    template: Template,
    producer_at: Option<usize>,
    partition_at: Option<usize>,
    offset_at: Option<usize>,
}

impl Form {
    fn of<R: Request>(version: i16, request: &R) -> Self {
        let template = Template::of(version, request);
        Self {
            producer_at: template.find(&PRODUCER_MARK.to_be_bytes()),
            partition_at: template.find(&PARTITION_MARK.to_be_bytes()),
            offset_at: template.find(&OFFSET_MARK.to_be_bytes()),
            template,
        }
    }

    fn fill(&mut self, (id, epoch): (i64, i16), partition: i32, offset: i64) {
        if let Some(at) = self.producer_at {
            self.template.put(at, &id.to_be_bytes());
            self.template.put(at + size_of::<i64>(), &epoch.to_be_bytes());
        }
        if let Some(at) = self.partition_at {
            self.template.put(at, &partition.to_be_bytes());
        }
        if let Some(at) = self.offset_at {
            self.template.put(at, &offset.to_be_bytes());
        }
    }
}

/// One of them, with a connection of its own.
#[derive(Debug)]
pub(super) struct Producer {
    lane: usize,
    mode: Mode,
    records: i32,
    steps: Vec<(Step, Form)>,
    step: usize,
    identity: (i64, i16),
    sequences: Vec<i32>,
    batch: Range<usize>,
    /// What it is at.
    now: Written,
    pub group: String,
    offset: i64,
    /// Of its last transaction that was committed with one.
    pub committed_offset: i64,
}

/// A batch of a producer that is filled in later.
pub(super) fn batch(work: &Work) -> Vec<u8> {
    let value = vec![b'x'; work.record_bytes];
    let empty = RecordBatch::new(now_ms()).from_producer(0, 0, 0);
    let mut batch =
        (0..work.records).fold(empty, |batch, _| batch.record(None, Some(value.as_slice())));
    if work.mode != Mode::Idempotent {
        batch.attributes |= IS_TRANSACTIONAL;
    }
    batch.sealed()
}

/// A transactional id, and the group whose offsets its producer commits.
struct Names {
    id: Option<TransactionalId>,
    group: String,
}

impl Names {
    fn form(&self, step: Step, mode: Mode, topic: &Topic, batch: &[u8]) -> Form {
        let id = self.id.clone().unwrap_or_default();
        let (producer_id, epoch) = (ProducerId(PRODUCER_MARK), 0);
        match step {
            Step::AddPartition => {
                let topic = AddPartitionsToTxnTopic::default()
                    .with_name(topic_name(&topic.name))
                    .with_partitions(vec![PARTITION_MARK]);
                let request = AddPartitionsToTxnRequest::default()
                    .with_v3_and_below_transactional_id(id)
                    .with_v3_and_below_producer_id(producer_id)
                    .with_v3_and_below_producer_epoch(epoch)
                    .with_v3_and_below_topics(vec![topic]);
                Form::of(OLD_VERSION, &request)
            }
            Step::Produce => {
                let records = Some(Bytes::copy_from_slice(batch));
                let request = produce_request(&topic.name, PARTITION_MARK, records)
                    .with_transactional_id(self.id.clone());
                Form::of(mode.produce_version(), &request)
            }
            Step::AddOffsets => {
                let request = AddOffsetsToTxnRequest::default()
                    .with_transactional_id(id)
                    .with_producer_id(producer_id)
                    .with_producer_epoch(epoch)
                    .with_group_id(group_id(&self.group));
                Form::of(OLD_VERSION, &request)
            }
            Step::CommitOffsets => {
                let partition = TxnOffsetCommitRequestPartition::default()
                    .with_committed_offset(OFFSET_MARK)
                    .with_committed_metadata(Some(StrBytes::default()));
                let topic = TxnOffsetCommitRequestTopic::default()
                    .with_name(topic_name(&topic.name))
                    .with_partitions(vec![partition]);
                let request = TxnOffsetCommitRequest::default()
                    .with_transactional_id(id)
                    .with_group_id(group_id(&self.group))
                    .with_producer_id(producer_id)
                    .with_producer_epoch(epoch)
                    .with_generation_id(-1)
                    .with_topics(vec![topic]);
                Form::of(mode.newest_version(), &request)
            }
            Step::End => {
                let request = EndTxnRequest::default()
                    .with_transactional_id(id)
                    .with_producer_id(producer_id)
                    .with_producer_epoch(epoch)
                    .with_committed(true);
                Form::of(mode.newest_version(), &request)
            }
        }
    }
}

impl Producer {
    /// The producer of a connection. It asks for its id on another one.
    pub fn begin(connection: &mut Connection, lane: usize, work: &Work, topic: &Topic) -> Self {
        let (name, group) = (unique("producer"), unique("copied"));
        let id = (work.mode != Mode::Idempotent).then(|| TransactionalId(text(name.as_str())));
        if id.is_some() {
            await_coordinator(connection, 1, &name);
        }
        if work.with_offsets {
            await_coordinator(connection, 0, &group);
        }
        let request = InitProducerIdRequest::default()
            .with_transactional_id(id.clone())
            .with_transaction_timeout_ms(TIMEOUT_MS)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = ask_until(connection, INIT_PRODUCER_ID_VERSION, &request, |answer| {
            !error::is_coordinator_away(answer.error_code)
        });
        assert_eq!(answer.error_code, error::NONE, "{answer:?}");
        let bytes = batch(work);
        let names = Names { id, group };
        let of = |step| (step, names.form(step, work.mode, topic, &bytes));
        let steps: Vec<_> = work.mode.steps(work.with_offsets).into_iter().map(of).collect();
        let (_, produce) = steps.iter().find(|(step, _)| *step == Step::Produce).unwrap();
        let at = produce.template.find(&bytes).unwrap();
        Self {
            lane,
            mode: work.mode,
            records: work.records as i32,
            steps,
            step: 0,
            identity: (answer.producer_id.0, answer.producer_epoch),
            sequences: vec![0; topic.partitions as usize],
            batch: at..at + bytes.len(),
            now: Written { partition: 0, base_offset: -1, is_committed: true },
            group: names.group,
            offset: 0,
            committed_offset: -1,
        }
    }

    /// Begins with the next batch.
    pub fn next(&mut self, lanes: &mut Lanes, partition: i32, is_committed: bool) {
        self.step = 0;
        self.offset += 1;
        self.now = Written { partition, base_offset: -1, is_committed };
        self.ask(lanes);
    }

    /// Asks for what is to be done now.
    pub fn ask(&mut self, lanes: &mut Lanes) {
        let (step, form) = &mut self.steps[self.step];
        form.fill(self.identity, self.now.partition, self.offset);
        match step {
            Step::Produce => {
                let sequence = self.sequences[self.now.partition as usize];
                form.template.put_producer(self.batch.clone(), self.identity, sequence);
            }
            Step::End => {
                let at = form.producer_at.unwrap() + PRODUCER_BYTES;
                form.template.put(at, &[u8::from(self.now.is_committed)]);
            }
            Step::AddPartition | Step::AddOffsets | Step::CommitOffsets => {}
        }
        lanes.send(self.lane, &mut form.template);
    }

    /// Hears the answer to what it asked.
    pub fn hear(&mut self, answer: Bytes) -> Progress {
        let step = self.steps[self.step].0;
        let code = self.code_of(step, answer);
        if code == error::CONCURRENT_TRANSACTIONS {
            return Progress::Again;
        }
        assert_eq!(code, error::NONE, "{step:?}");
        self.step += 1;
        if self.step < self.steps.len() {
            return Progress::Goes;
        }
        let has_offsets = self.steps.iter().any(|(step, _)| *step == Step::CommitOffsets);
        if self.now.is_committed && has_offsets {
            self.committed_offset = self.offset;
        }
        Progress::Done
    }

    /// What it has written at last.
    pub fn written(&self) -> Written {
        self.now
    }

    /// The error of an answer. Without one it is taken to heart.
    fn code_of(&mut self, step: Step, answer: Bytes) -> i16 {
        match step {
            Step::AddPartition => {
                let answer = decode::<AddPartitionsToTxnRequest>(OLD_VERSION, answer).1;
                let topics = &answer.results_by_topic_v3_and_below;
                topics[0].results_by_partition[0].partition_error_code
            }
            Step::Produce => {
                let answer = decode::<ProduceRequest>(self.mode.produce_version(), answer).1;
                let told = &answer.responses[0].partition_responses[0];
                if told.error_code == error::NONE {
                    assert_eq!(told.index, self.now.partition);
                    self.now.base_offset = told.base_offset;
                    self.sequences[self.now.partition as usize] += self.records;
                }
                told.error_code
            }
            Step::AddOffsets => decode::<AddOffsetsToTxnRequest>(OLD_VERSION, answer).1.error_code,
            Step::CommitOffsets => {
                let version = self.mode.newest_version();
                let answer = decode::<TxnOffsetCommitRequest>(version, answer).1;
                answer.topics[0].partitions[0].error_code
            }
            Step::End => {
                let answer = decode::<EndTxnRequest>(self.mode.newest_version(), answer).1;
                if self.mode == Mode::Tv2 && answer.error_code == error::NONE {
                    let (id, epoch) = self.identity;
                    let next = (answer.producer_id.0, answer.producer_epoch);
                    let is_next = next == (id, epoch + 1) || next.0 != id && next.1 == 0;
                    assert!(is_next, "{next:?} follows {id}, {epoch}");
                    self.identity = next;
                    self.sequences.fill(0);
                }
                answer.error_code
            }
        }
    }
}
