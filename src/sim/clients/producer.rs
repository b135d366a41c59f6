//! A transactional producer: it writes to some partitions, commits offsets for a group, ends the transaction one way or the
//! other, and remembers what it was told, to be held against what readers see.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Desk, Line, commit_topics};
use crate::kernel::groups::offsets::{CommitRequest, TxnCommitRequest};
use crate::kernel::groups::requests::owned;
use crate::kernel::txns::transaction::PartitionSet;
use crate::kernel::txns::vouching::Operation;
use crate::kernel::txns::{AddPartitions, Answered, EPOCH_BUMPS, EndTransaction, InitProducerId};
use crate::sim::asks::{Answer, Ask, Produce};
use crate::sim::chance::Chance;
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, FIRST_OF_CLIENTS, FLEETING, NAMES, Place};
use crate::sim::world::is_retriable;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch_builder::BatchBuilder;

/// How long a transaction may take.
const TRANSACTION_TIMEOUT_MS: i32 = 10_000;
/// How long it waits for an answer.
const TIMEOUT_MS: u64 = 4_000;
/// So often it tries one thing before it gives the transaction up.
const TRIES_MAX: u32 = 25;

/// What is known of how a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody asked for it to be committed: its records must never be seen.
    MustNotShow,
    /// It was asked to be committed, and nobody knows what came of it: all of it is seen, or nothing.
    Unknown,
    /// The producer was told that it is committed: all of it is seen.
    MustShow,
}

/// One transaction of a producer.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What its records say.
    pub label: String,
    /// Where the producer was told that they are.
    pub written: BTreeSet<Place>,
    /// How it ended.
    pub fate: Fate,
}

#[derive(Clone, Debug)]
enum Action {
    Init { recovers: bool },
    Add(Vec<Place>),
    Write(Place, i32),
    AddOffsets,
    Offsets(i64),
    End(bool),
}

/// See the module.
pub struct Producer {
    id: String,
    group: String,
    /// The `transaction.version` that it works by.
    version: i16,
    past_epoch: Option<i16>,
    line: Line,
    identity: (ProducerId, ProducerEpoch),
    plan: VecDeque<Action>,
    tries: u32,
    sequences: BTreeMap<Place, i32>,
    attempts: Vec<Attempt>,
    /// The transaction went wrong, so that another epoch is needed before the next.
    is_shaken: bool,
    offset: i64,
    rests_until_ms: u64,
}

impl Producer {
    /// One of several; two may have the same transactional id.
    pub fn new(chance: &mut Chance, at: u64, broker_version: i16) -> Self {
        let shares = chance.one_in(4);
        let number = if shares { 0 } else { at };
        let bumps = broker_version >= EPOCH_BUMPS && !chance.one_in(4);
        let past = chance.one_in(4).then(|| chance.between(32_762, 32_766) as i16);
        Self {
            id: format!("tx{number}"),
            group: format!("t{}", at % 2),
            version: if bumps { EPOCH_BUMPS } else { 0 },
            past_epoch: past.filter(|_| !shares),
            line: Line::default(),
            identity: (ProducerId::NONE, ProducerEpoch::NONE),
            plan: VecDeque::from([Action::Init { recovers: false }]),
            tries: 0,
            sequences: BTreeMap::new(),
            attempts: Vec::new(),
            is_shaken: false,
            offset: 0,
            rests_until_ms: 0,
        }
    }

    /// Its transactional id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The epoch that the id came to before the world began.
    pub const fn past_epoch(&self) -> Option<i16> {
        self.past_epoch
    }

    /// Whether it works by version 2 of transactions.
    pub const fn bumps_epochs(&self) -> bool {
        self.version >= EPOCH_BUMPS
    }

    /// Its transactions.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// What it is in the middle of, if it is.
    pub fn hangs(&self) -> Option<String> {
        let action = self.plan.front()?;
        Some(format!("{} is at {action:?}, try {}, as {:?}", self.id, self.tries, self.identity))
    }

    /// It has something to do.
    pub fn on_wake(&mut self, desk: &mut Desk<'_>) {
        if self.line.is_waiting(desk) {
            return;
        }
        if self.line.has_timed_out() {
            self.tries += 1;
        }
        if desk.now_ms < self.rests_until_ms {
            desk.wake_in(self.rests_until_ms - desk.now_ms);
            return;
        }
        if !desk.is_healed && desk.chance.one_in(40) {
            self.die(desk);
            return;
        }
        if self.tries > TRIES_MAX {
            self.give_up();
        }
        if self.plan.is_empty() {
            if desk.is_healed {
                return;
            }
            self.begin(desk);
        }
        let Some(action) = self.plan.front().cloned() else { return };
        let ask = self.ask(&action, desk);
        if matches!(action, Action::End(true))
            && let Some(attempt) = self.attempts.last_mut()
            && attempt.fate == Fate::MustNotShow
        {
            attempt.fate = Fate::Unknown;
        }
        self.line.ask(desk, ask, TIMEOUT_MS);
    }

    /// It dies in the middle of whatever it does. Another takes its place, and begins anew.
    fn die(&mut self, desk: &mut Desk<'_>) {
        self.line.hang_up();
        self.restart();
        let delay = desk.chance.between(100, 15_000);
        self.rest(desk, delay);
    }

    fn rest(&mut self, desk: &mut Desk<'_>, delay_ms: u64) {
        self.rests_until_ms = desk.now_ms + delay_ms;
        desk.wake_in(delay_ms);
    }

    fn restart(&mut self) {
        self.plan = VecDeque::from([Action::Init { recovers: false }]);
        self.tries = 0;
        self.is_shaken = false;
    }

    /// A step failed too often.
    fn give_up(&mut self) {
        match self.plan.front() {
            Some(Action::Init { .. } | Action::End(_)) => self.restart(),
            _ => self.abort(),
        }
    }

    fn abort(&mut self) {
        self.is_shaken = true;
        self.tries = 0;
        self.plan = VecDeque::from([Action::End(false)]);
    }

    /// Draws a transaction.
    fn begin(&mut self, desk: &mut Desk<'_>) {
        let label = format!("{}/{}", desk.index, self.attempts.len());
        self.attempts.push(Attempt { label, written: BTreeSet::new(), fate: Fate::MustNotShow });
        let mut places = BTreeSet::new();
        for _ in 0..desk.chance.between(1, 3) {
            let topic = if desk.chance.one_in(4) { FLEETING } else { FIRST_OF_CLIENTS };
            let count = topics::partitions(desk.image, topic).max(1) as u64;
            places.insert((topic, desk.chance.below(count) as i32));
        }
        if !self.bumps_epochs() {
            self.plan.push_back(Action::Add(places.iter().copied().collect()));
        }
        for place in places {
            for _ in 0..desk.chance.between(1, 2) {
                // The sequence is drawn when it is sent first.
                self.plan.push_back(Action::Write(place, -1));
            }
        }
        if desk.chance.one_in(2) {
            if !self.bumps_epochs() {
                self.plan.push_back(Action::AddOffsets);
            }
            self.offset += 1;
            self.plan.push_back(Action::Offsets(self.offset));
        }
        self.plan.push_back(Action::End(!desk.chance.one_in(3)));
    }

    fn ask(&mut self, action: &Action, desk: &mut Desk<'_>) -> Ask {
        let (producer_id, producer_epoch) = self.identity;
        let transactional_id: Arc<str> = Arc::from(self.id.as_str());
        let add = |partitions: PartitionSet| AddPartitions {
            transactional_id: Arc::clone(&transactional_id),
            producer_id,
            producer_epoch,
            partitions: Arc::new(partitions),
            client_version: 0,
        };
        match action {
            Action::Init { recovers } => Ask::Init(InitProducerId {
                transactional_id,
                timeout_ms: TRANSACTION_TIMEOUT_MS,
                expected: recovers.then_some(self.identity),
                fresh: None,
            }),
            Action::Add(places) => {
                Ask::Add(add(places.iter().map(|(topic, at)| (NAMES[*topic], *at)).collect()))
            }
            Action::Write(place, sequence) => {
                let sequence = if *sequence >= 0 { *sequence } else { self.next_sequence(*place) };
                if let Some(front) = self.plan.front_mut() {
                    *front = Action::Write(*place, sequence);
                }
                self.write(*place, sequence, desk)
            }
            Action::AddOffsets => Ask::AddOffsets(add(PartitionSet::default()), self.group.clone()),
            Action::Offsets(offset) => self.offsets(*offset),
            Action::End(commit) => Ask::End(EndTransaction {
                transactional_id,
                producer_id,
                producer_epoch,
                commit: *commit,
                client_version: self.version,
                fresh: None,
            }),
        }
    }

    fn next_sequence(&mut self, place: Place) -> i32 {
        let next = self.sequences.entry(place).or_default();
        let sequence = *next;
        *next += 1;
        sequence
    }

    fn write(&self, (topic, at): Place, sequence: i32, desk: &Desk<'_>) -> Ask {
        let (producer_id, producer_epoch) = self.identity;
        let label = self.attempts.last().map_or("", |attempt| attempt.label.as_str());
        let mut batch = BatchBuilder::new(Offset::ZERO)
            .producer(producer_id, producer_epoch, sequence)
            .transactional();
        batch.push(Timestamp(desk.now_ms as i64), None, Some(label.as_bytes()), &[]);
        Ask::Produce(Box::new(Produce {
            transactional_id: Arc::from(self.id.as_str()),
            topic,
            partition: PartitionId(at),
            batch: batch.build_batch(),
            operation: self.operation(),
        }))
    }

    const fn operation(&self) -> Operation {
        if self.bumps_epochs() { Operation::AddsPartitions } else { Operation::Abortable }
    }

    fn offsets(&self, offset: i64) -> Ask {
        let (producer_id, producer_epoch) = self.identity;
        let commit = CommitRequest {
            group_id: owned(&self.group),
            member_id: owned(""),
            group_instance_id: None,
            generation_id_or_member_epoch: -1,
            api_version: 5,
            retention_time_ms: -1,
            topics: commit_topics(&[((FIRST_OF_CLIENTS, 0), offset)]),
        };
        let request = TxnCommitRequest {
            transactional_id: owned(&self.id),
            producer_id,
            producer_epoch,
            commit,
        };
        Ask::TxnCommit(Box::new(request), self.operation())
    }

    /// It is answered.
    pub fn on_answer(&mut self, desk: &mut Desk<'_>, number: u64, answer: Answer) {
        if !self.line.takes(number) {
            return;
        }
        let code = answer.code();
        if code == ErrorCode::None {
            self.tries = 0;
            self.go_on(desk, answer);
            let pause = match desk.chance.below(40) {
                // It falls asleep in the middle of it.
                0 if !desk.is_healed => 11_000,
                1..=8 => desk.chance.between(500, 3_000),
                _ => desk.chance.between(1, 200),
            };
            self.rest(desk, pause);
            return;
        }
        if code == ErrorCode::ConcurrentTransactions {
            desk.counters.hit(Sometimes::Concurrent);
        }
        if is_retriable(code) {
            self.tries += 1;
            self.rest(desk, 200);
            return;
        }
        self.on_error(code, desk);
        let pause = desk.chance.between(10, 500);
        self.rest(desk, pause);
    }

    fn on_error(&mut self, code: ErrorCode, desk: &mut Desk<'_>) {
        self.tries = 0;
        let front = self.plan.front().cloned();
        match (code, front) {
            (_, Some(Action::Init { .. })) => self.restart(),
            (ErrorCode::ProducerFenced | ErrorCode::InvalidProducerIdMapping, _) => {
                if code == ErrorCode::ProducerFenced {
                    desk.counters.hit(Sometimes::FencedByNewInstance);
                }
                self.restart();
            }
            (ErrorCode::InvalidProducerEpoch, _) => {
                let recovers = desk.chance.one_in(2);
                self.plan = VecDeque::from([Action::Init { recovers }]);
            }
            (_, Some(Action::End(_))) => self.restart(),
            _ => self.abort(),
        }
    }

    fn go_on(&mut self, desk: &mut Desk<'_>, answer: Answer) {
        let Some(action) = self.plan.pop_front() else { return };
        match (action, answer) {
            (Action::Init { recovers }, Answer::Transaction(Ok(Answered::Producer(id, epoch)))) => {
                if recovers {
                    desk.counters.hit(Sometimes::Recovered);
                }
                self.take_identity(id, epoch);
                self.is_shaken = false;
            }
            (Action::Write(place, _), Answer::Done) => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.written.insert(place);
                }
            }
            (Action::End(commit), Answer::Transaction(Ok(answered))) => {
                self.ended(commit, &answered, desk);
            }
            _ => {}
        }
    }

    fn ended(&mut self, commit: bool, answered: &Answered, desk: &mut Desk<'_>) {
        if commit && let Some(attempt) = self.attempts.last_mut() {
            attempt.fate = Fate::MustShow;
        }
        desk.counters.hit(if commit { Sometimes::Committed } else { Sometimes::Aborted });
        match answered {
            Answered::Producer(id, epoch) => self.take_identity(*id, *epoch),
            _ if self.is_shaken => {
                // Nobody knows which of its batches were written: it goes on in another epoch (KIP-360).
                self.plan.push_back(Action::Init { recovers: true });
            }
            _ => {}
        }
        self.is_shaken = false;
    }

    fn take_identity(&mut self, id: ProducerId, epoch: ProducerEpoch) {
        if self.identity != (id, epoch) {
            self.identity = (id, epoch);
            self.sequences.clear();
        }
    }
}
