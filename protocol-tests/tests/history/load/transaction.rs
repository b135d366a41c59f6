//! A transactional producer: it writes batches and commits offsets of a group, then commits or aborts, or leaves it
//! as it is, so that its next life, or time, has to end it. It speaks as clients do since KIP-890, whose partitions
//! need not be added and whose epoch changes with each transaction, or as those before.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, ProducerId, TransactionalId,
    TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;
use protocol_tests::history::{Action, Outcome, Writer};
use protocol_tests::requests::{produce_request, text, topic_name};

use super::link::{Link, error};
use super::members::group_name;
use super::producers::{batch, new_values, produce};
use super::{PARTITIONS, TOPIC};

const IS_TRANSACTIONAL: i16 = 0x10;
/// A transaction that nobody ends is ended by the node after so long.
const TIMEOUT_MS: i32 = 5000;
/// The version of Produce from which on partitions need not be added (KIP-890).
const PRODUCE_ADDS: i16 = 12;
/// Errors after which the transaction cannot go on, and nothing of what was asked has happened: of the producer, and
/// of the member whose offsets it commits.
const FATAL: &[i16] = &[22, 25, 27, 45, 47, 48, 49, 53, 59, 67, 90, 113, 120];

/// The transaction cannot be committed any more.
pub struct Broken;

/// Whose offsets a transaction commits: those of a member, or of a group without members.
pub struct Reader<'a> {
    pub group: u32,
    pub group_id: &'a str,
    pub member_id: StrBytes,
    pub generation: i32,
}

/// A transactional producer.
pub struct Producer {
    id: TransactionalId,
    /// Whether it speaks as clients do since KIP-890.
    adds_implicitly: bool,
    /// Its id and epoch.
    identity: (i64, i16),
    sequences: [i32; PARTITIONS as usize],
    /// Partitions that are part of the transaction.
    added: Vec<u32>,
    transaction: u32,
}

impl Producer {
    /// One of this id, when its coordinator is there.
    pub fn new(link: &mut Link<'_>, id: String, adds_implicitly: bool) -> Self {
        link.find_coordinator(1, &id);
        Self {
            id: text(id).into(),
            adds_implicitly,
            identity: (-1, -1),
            sequences: [0; PARTITIONS as usize],
            added: Vec::new(),
            transaction: 0,
        }
    }

    /// What was left open is over with the next life.
    pub fn begin_life(&mut self, link: &mut Link<'_>) {
        let id = self.id.to_string();
        self.identity = link.init_producer_id(Some(&id), TIMEOUT_MS);
        self.sequences = [0; PARTITIONS as usize];
    }

    /// Begins a transaction; its number.
    pub fn begin(&mut self, link: &Link<'_>) -> u32 {
        self.transaction = link.world.recorder.transaction();
        self.added.clear();
        self.transaction
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
            .with_v3_and_below_producer_id(ProducerId(self.identity.0))
            .with_v3_and_below_producer_epoch(self.identity.1)
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

    /// Writes a batch of new values.
    pub fn write(&mut self, link: &mut Link<'_>, partition: u32) -> Result<(), Broken> {
        self.add_partition(link, partition)?;
        let (first, count) = new_values(link);
        let sequence = &mut self.sequences[partition as usize];
        let mut batch =
            batch(first, count).from_producer(self.identity.0, self.identity.1, *sequence);
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
        let writer = Writer::Transaction(self.transaction);
        link.end(begun, outcome, Action::Write { partition, first, count, writer, offset });
        if outcome == Outcome::Ok { Ok(()) } else { check(code, "Produce") }
    }

    /// Commits what a reader would read next, partition by partition.
    pub fn commit_offsets(
        &mut self,
        link: &mut Link<'_>,
        reader: &Reader<'_>,
        offsets: &[(u32, i64)],
    ) -> Result<(), Broken> {
        if !self.adds_implicitly {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(self.id.clone())
                .with_producer_id(ProducerId(self.identity.0))
                .with_producer_epoch(self.identity.1)
                .with_group_id(group_name(reader.group_id));
            let answer = link.ask(3, &request, |answer| !may_repeat(answer.error_code));
            check(answer.error_code, "AddOffsetsToTxn")?;
        }
        let partition = |(partition, offset): &(u32, i64)| {
            TxnOffsetCommitRequestPartition::default()
                .with_partition_index(*partition as i32)
                .with_committed_offset(*offset)
        };
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(offsets.iter().map(partition).collect());
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id.clone())
            .with_group_id(group_name(reader.group_id))
            .with_producer_id(ProducerId(self.identity.0))
            .with_producer_epoch(self.identity.1)
            .with_member_id(reader.member_id.clone())
            .with_generation_id(reader.generation)
            .with_topics(vec![topic]);
        let version = if self.adds_implicitly { 5 } else { 3 };
        let begun = link.begin();
        let answer = link.ask(version, &request, |answer| {
            let told = answer.topics.iter().flat_map(|topic| &topic.partitions);
            !told.into_iter().any(|it| may_repeat(it.error_code))
        });
        let told = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let refused = told.map(|it| it.error_code).find(|code| *code != error::NONE);
        let outcome = if refused.is_none() { Outcome::Ok } else { Outcome::Unknown };
        let (group, transaction) = (reader.group, Some(self.transaction));
        for (partition, offset) in offsets {
            let (partition, offset) = (*partition, *offset);
            link.end(begun, outcome, Action::Commit { group, partition, offset, transaction });
        }
        check(refused.unwrap_or(error::NONE), "TxnOffsetCommit")
    }

    /// Ends it; who has no answer may ask again or begin a new life, which ends it one way or the other.
    pub fn end(&mut self, link: &mut Link<'_>, commit: bool) -> Result<(), Broken> {
        let transaction = self.transaction;
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(ProducerId(self.identity.0))
            .with_producer_epoch(self.identity.1)
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
            self.identity = (answer.producer_id.0, answer.producer_epoch);
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
