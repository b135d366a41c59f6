//! Transactional producers: some batches and some offsets of a group, then a commit or an abort; sometimes nothing
//! any more, so that the next life of the producer, or time, has to end it. Half of them speak as clients do since
//! KIP-890, whose partitions need not be added and whose epoch changes with each transaction.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, GroupId, ProducerId,
    TransactionalId, TxnOffsetCommitRequest,
};
use protocol_tests::history::{Action, Outcome, Writer};
use protocol_tests::requests::{produce_request, text, topic_name};

use super::link::{Link, error};
use super::members::{can_run, committed};
use super::producers::{batch, new_values, produce};
use super::{GROUPS, PARTITIONS, TOPIC};

const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;

const IS_TRANSACTIONAL: i16 = 0x10;
/// A transaction that nobody ends is ended by the node after so long.
const TIMEOUT_MS: i32 = 5000;
/// The version of Produce from which on partitions need not be added (KIP-890).
const PRODUCE_ADDS: i16 = 12;
/// Errors after which the transaction cannot go on, and nothing of what was asked has happened.
const FATAL: &[i16] = &[45, 47, 48, 49, 53, 59, 67, 90, 120];

/// The group whose offsets a transactor commits.
pub fn group_id(number: u32) -> String {
    format!("copier-{number}")
}

/// A transactional producer.
struct Transactor {
    number: u32,
    id: TransactionalId,
    group_id: String,
    /// Whether it speaks as clients do since KIP-890.
    adds_implicitly: bool,
    producer: (i64, i16),
    sequences: [i32; PARTITIONS as usize],
    /// Partitions that are part of the transaction.
    added: Vec<u32>,
    /// Offsets that were never tried before, for each partition.
    next_offsets: [i64; PARTITIONS as usize],
}

/// The transaction cannot be committed any more.
struct Broken;

/// One who makes transactions as long as the load lasts.
pub fn run(mut link: Link<'_>, number: u32) {
    if !link.world.has(END_TXN) || !can_run(link.world) {
        return link.wait();
    }
    let id = format!("transactor-{number}");
    link.find_coordinator(1, &id);
    let group_id = group_id(number);
    link.find_coordinator(0, &group_id);
    let mut transactor = Transactor {
        number,
        id: text(id).into(),
        group_id,
        adds_implicitly: number.is_multiple_of(2),
        producer: (-1, -1),
        sequences: [0; PARTITIONS as usize],
        added: Vec::new(),
        next_offsets: [1; PARTITIONS as usize],
    };
    while !link.world.is_over() {
        transactor.begin_life(&mut link);
        let transactions = 1 + link.random.below(40);
        for _ in 0..transactions {
            if link.world.is_over() || transactor.transact(&mut link).is_err() {
                break;
            }
        }
    }
    // What the last transaction left open is over with the next life.
    transactor.begin_life(&mut link);
}

impl Transactor {
    fn begin_life(&mut self, link: &mut Link<'_>) {
        let id = self.id.to_string();
        self.producer = link.init_producer_id(Some(&id), TIMEOUT_MS);
        self.sequences = [0; PARTITIONS as usize];
    }

    fn transact(&mut self, link: &mut Link<'_>) -> Result<(), Broken> {
        let transaction = link.world.recorder.transaction();
        self.added.clear();
        for _ in 0..=link.random.below(4) {
            self.write(link, transaction)?;
        }
        if link.world.has(TXN_OFFSET_COMMIT) && link.random.once_in(3) {
            self.commit_offsets(link, transaction)?;
        }
        if link.random.once_in(40) {
            // It is left as it is.
            return Err(Broken);
        }
        self.end(link, transaction)?;
        if link.random.once_in(8) {
            let partition = link.random.below(PARTITIONS.into()) as u32;
            committed(link, GROUPS + self.number, &self.group_id, &[partition]);
        }
        Ok(())
    }

    fn add_partition(&mut self, link: &mut Link<'_>, partition: u32) -> Result<(), Broken> {
        if self.adds_implicitly || self.added.contains(&partition) {
            return Ok(());
        }
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(vec![partition as i32]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(ProducerId(self.producer.0))
            .with_v3_and_below_producer_epoch(self.producer.1)
            .with_v3_and_below_topics(vec![topic]);
        let answer = link.ask(3, &request, |answer| {
            let topics = &answer.results_by_topic_v3_and_below;
            !may_repeat(topics[0].results_by_partition[0].partition_error_code)
        });
        let topics = &answer.results_by_topic_v3_and_below;
        check(topics[0].results_by_partition[0].partition_error_code, "AddPartitionsToTxn")?;
        self.added.push(partition);
        Ok(())
    }

    fn write(&mut self, link: &mut Link<'_>, transaction: u32) -> Result<(), Broken> {
        let partition = link.random.below(PARTITIONS.into()) as u32;
        self.add_partition(link, partition)?;
        let (first, count) = new_values(link);
        let sequence = &mut self.sequences[partition as usize];
        let mut batch =
            batch(first, count).from_producer(self.producer.0, self.producer.1, *sequence);
        batch.attributes |= IS_TRANSACTIONAL;
        *sequence += count as i32;
        let records = Some(Bytes::from(batch.sealed()));
        let request = produce_request(TOPIC, partition as i32, records)
            .with_transactional_id(Some(self.id.clone()));
        let version = if self.adds_implicitly { PRODUCE_ADDS } else { PRODUCE_ADDS - 1 };
        let begun = link.begin();
        let mut was_cut = false;
        let (code, offset) = loop {
            match produce(link, version, &request) {
                Some((code, _)) if may_repeat(code) => link.world.pause(),
                Some(answer) => break answer,
                None => was_cut = true,
            }
        };
        let outcome = match code {
            error::NONE | error::DUPLICATE_SEQUENCE_NUMBER => Outcome::Ok,
            // The first time it may have been written.
            _ if was_cut => Outcome::Unknown,
            _ => Outcome::Fail,
        };
        let writer = Writer::Transaction(transaction);
        link.end(begun, outcome, Action::Write { partition, first, count, writer, offset });
        if outcome == Outcome::Ok { Ok(()) } else { check(code, "Produce") }
    }

    fn commit_offsets(&mut self, link: &mut Link<'_>, transaction: u32) -> Result<(), Broken> {
        if !self.adds_implicitly {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(self.id.clone())
                .with_producer_id(ProducerId(self.producer.0))
                .with_producer_epoch(self.producer.1)
                .with_group_id(GroupId(text(self.group_id.as_str())));
            let answer = link.ask(3, &request, |answer| !may_repeat(answer.error_code));
            check(answer.error_code, "AddOffsetsToTxn")?;
        }
        let partition = link.random.below(PARTITIONS.into()) as u32;
        let next = &mut self.next_offsets[partition as usize];
        let offset = *next;
        *next += 1 + link.random.below(10) as i64;
        let of = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(partition as i32)
            .with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(vec![of]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id.clone())
            .with_group_id(GroupId(text(self.group_id.as_str())))
            .with_producer_id(ProducerId(self.producer.0))
            .with_producer_epoch(self.producer.1)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let version = if self.adds_implicitly { 5 } else { 3 };
        let begun = link.begin();
        let answer = link.ask(version, &request, |answer| {
            !may_repeat(answer.topics[0].partitions[0].error_code)
        });
        let code = answer.topics[0].partitions[0].error_code;
        let outcome = if code == error::NONE { Outcome::Ok } else { Outcome::Unknown };
        let (group, transaction) = (GROUPS + self.number, Some(transaction));
        link.end(begun, outcome, Action::Commit { group, partition, offset, transaction });
        check(code, "TxnOffsetCommit")
    }

    /// Ends it; who has no answer may ask again or begin a new life, which ends it one way or the other.
    fn end(&mut self, link: &mut Link<'_>, transaction: u32) -> Result<(), Broken> {
        let commit = !link.random.once_in(8);
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(ProducerId(self.producer.0))
            .with_producer_epoch(self.producer.1)
            .with_committed(commit);
        let version = if self.adds_implicitly { 5 } else { 3 };
        let begun = link.begin();
        let mut was_cut = false;
        let answer = loop {
            match link.try_ask(version, &request) {
                Some(answer) if may_repeat(answer.error_code) => {
                    // A coordinator that could not write it may have written it all the same.
                    was_cut |= error::outcome(answer.error_code) == Outcome::Unknown;
                    link.world.pause();
                }
                Some(answer) => break Some(answer),
                None if link.random.once_in(3) => break None,
                None => was_cut = true,
            }
        };
        let code = answer.as_ref().map_or(error::UNKNOWN_SERVER_ERROR, |answer| answer.error_code);
        let outcome = match code {
            error::NONE => Outcome::Ok,
            error::UNKNOWN_SERVER_ERROR => Outcome::Unknown,
            _ if was_cut => Outcome::Unknown,
            _ => Outcome::Fail,
        };
        link.end(begun, outcome, Action::End { transaction, commit });
        let Some(answer) = answer.filter(|answer| answer.error_code == error::NONE) else {
            return check(code, "EndTxn").and(Err(Broken));
        };
        if self.adds_implicitly && answer.producer_epoch >= 0 {
            self.producer = (answer.producer_id.0, answer.producer_epoch);
            self.sequences = [0; PARTITIONS as usize];
        }
        Ok(())
    }
}

/// Whether the same may be asked again: the node is not ready, or the transaction before is not over yet. A leader
/// that cannot ask the coordinator says that it has too few replicas.
fn may_repeat(code: i16) -> bool {
    let is_leader_away = matches!(code, 3 | 5 | 6 | error::NOT_ENOUGH_REPLICAS);
    error::is_coordinator_away(code) || is_leader_away || code == error::CONCURRENT_TRANSACTIONS
}

/// Errors that end a transaction, and those that must not be.
fn check(code: i16, what: &str) -> Result<(), Broken> {
    match code {
        error::NONE => Ok(()),
        error::UNKNOWN_SERVER_ERROR => Err(Broken),
        code if FATAL.contains(&code) => Err(Broken),
        code => panic!("{what}: error {code}"),
    }
}
