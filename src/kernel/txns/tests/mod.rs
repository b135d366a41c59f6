//! A shard with a log in memory, and the stories that are told with it.

mod any_order;
mod bounds;
mod ending;
mod initializing;
mod joining;
mod recorded;
mod timing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::asking::LogRecord;
use super::transaction::{PartitionSet, Transaction};
use super::*;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::kernel::machine::{CallId, Env, Machine, OutputOf, Refused, Replayed, ShardId, Write};
use crate::kernel::metadata::image::Image;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};

const TIMEOUT_MS: i32 = 60_000;
const START_MS: i64 = 1_764_000_000_000;
const ID: &str = "id";

/// A shard, its log, and what it wanted.
struct World {
    shard: TransactionShard,
    image: Image,
    config: BrokerConfig,
    now: Now,
    log: Vec<(Bytes, Option<Bytes>)>,
    /// How many records the batches have.
    batches: Vec<usize>,
    effects: VecDeque<WriteMarkers>,
    next_producer_id: i64,
    draws: u8,
    refuses: Option<ErrorCode>,
}

fn config() -> BrokerConfig {
    let texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let texts = texts.map(|(key, value)| (key.to_owned(), value.to_owned()));
    BrokerConfig::new(&Texts::from(texts)).unwrap()
}

fn shard_id() -> ShardId {
    ShardId { partition: PartitionId(3), leader_epoch: LeaderEpoch(5) }
}

fn set(partitions: &[(&str, i32)]) -> PartitionSet {
    partitions.iter().copied().collect()
}

impl World {
    /// At this `transaction.version`.
    fn new(version: i16) -> Self {
        let mut image = Image::empty();
        Arc::make_mut(&mut image.features).insert(TRANSACTION_VERSION.to_owned(), version);
        let mut world = Self {
            shard: TransactionShard::new(shard_id()),
            image,
            config: config(),
            now: Now { mono: Mono(Duration::from_secs(100)), wall: Timestamp(START_MS) },
            log: Vec::new(),
            batches: Vec::new(),
            effects: VecDeque::new(),
            next_producer_id: 1000,
            draws: 0,
            refuses: None,
        };
        world.load();
        world
    }

    fn run(
        &mut self,
        step: impl FnOnce(&mut TransactionShard, &mut Env<'_>) -> OutputOf<TransactionShard>,
    ) -> Option<TransactionReply> {
        let draws = &mut self.draws;
        let mut random = || {
            *draws += 1;
            [*draws; 16]
        };
        let mut env =
            Env { now: self.now, image: &self.image, config: &self.config, random: &mut random };
        let output = step(&mut self.shard, &mut env);
        if !output.writes.is_empty()
            && let Some(code) = self.refuses
        {
            let refused = Refused { code, writes: output.writes };
            let after = self.shard.on_refused(&mut env, refused).expect("it goes on");
            assert_eq!(after, OutputOf::<TransactionShard>::none());
            return Some(Err(code));
        }
        for Write { records, transaction } in output.writes {
            assert_eq!(transaction, None);
            let id_bytes: usize = records.iter().map(|it| it.transactional_id.len()).sum();
            assert!(id_bytes < 1_000_000, "a batch of {id_bytes} bytes does not fit into the log");
            self.batches.push(records.len());
            for record in records {
                self.append(&record);
            }
        }
        self.effects.extend(output.effects);
        let mut replies = output.replies.into_iter();
        let reply = replies.next().map(|(_, reply)| reply);
        assert_eq!(replies.next(), None);
        reply
    }

    /// What is in the log is what is replayed, now and later.
    fn append(&mut self, record: &LogRecord) {
        let (key, value) = TransactionShard::encode(record);
        let read = TransactionShard::decode(Some(&key), value.as_ref()).unwrap().unwrap();
        let told = |it: &LogRecord| (Arc::clone(&it.transactional_id), it.transaction.clone());
        assert_eq!(told(&read), told(record));
        let id = &record.transactional_id;
        let before = self.shard.hard.get(id).map(|it| it.state);
        let offset = Offset(self.log.len() as i64);
        self.log.push((key, value));
        let at = Replayed { offset, transaction: None, timestamp: self.now.wall };
        self.shard.replay(read, at);
        if let Some(after) = self.shard.hard.get(id) {
            let before = before.unwrap_or(TransactionState::Empty);
            assert!(after.state.may_follow(before), "from {before} to {}", after.state);
        }
    }

    fn load(&mut self) {
        self.shard = self.replayed(self.log.len());
        self.effects.clear();
        self.run(TransactionShard::on_loaded);
    }

    /// A shard that has read so many records.
    fn replayed(&self, count: usize) -> TransactionShard {
        let mut shard = TransactionShard::new(shard_id());
        for (offset, (key, value)) in self.log.iter().take(count).enumerate() {
            let record = TransactionShard::decode(Some(key), value.as_ref()).unwrap();
            let Some(record) = record else { continue };
            let offset = Offset(offset as i64);
            shard
                .replay(record, Replayed { offset, transaction: None, timestamp: Timestamp::NONE });
        }
        shard
    }

    fn ask(&mut self, request: TransactionRequest) -> TransactionReply {
        self.run(|shard, env| shard.on_request(env, CallId(1), request)).expect("a reply")
    }

    fn fresh(&mut self) -> ProducerId {
        self.next_producer_id += 1;
        ProducerId(self.next_producer_id)
    }

    /// As the handler does: with a new producer id if one is needed.
    fn init(&mut self, expected: Option<(i64, i16)>) -> Result<(i64, i16), ErrorCode> {
        let mut asked = InitProducerId {
            transactional_id: Arc::from(ID),
            timeout_ms: TIMEOUT_MS,
            expected: expected.map(|(id, epoch)| (ProducerId(id), ProducerEpoch(epoch))),
            fresh: None,
        };
        let mut reply = self.ask(TransactionRequest::InitProducerId(asked.clone()));
        if reply == Ok(Answered::NeedsProducerId) {
            asked.fresh = Some(self.fresh());
            reply = self.ask(TransactionRequest::InitProducerId(asked));
        }
        identity(reply)
    }

    fn add(
        &mut self,
        (id, epoch): (i64, i16),
        partitions: &[(&str, i32)],
        client_version: i16,
    ) -> ErrorCode {
        code(&self.ask(TransactionRequest::AddPartitions(AddPartitions {
            transactional_id: Arc::from(ID),
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            partitions: Arc::new(set(partitions)),
            client_version,
        })))
    }

    fn end(
        &mut self,
        (id, epoch): (i64, i16),
        commit: bool,
        client_version: i16,
    ) -> Result<(i64, i16), ErrorCode> {
        let mut asked = EndTransaction {
            transactional_id: Arc::from(ID),
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            commit,
            client_version,
            fresh: None,
        };
        let mut reply = self.ask(TransactionRequest::EndTransaction(asked.clone()));
        if reply == Ok(Answered::NeedsProducerId) {
            asked.fresh = Some(self.fresh());
            reply = self.ask(TransactionRequest::EndTransaction(asked));
        }
        identity(reply)
    }

    /// Tells the shard what became of the markers that it wanted first.
    fn write_markers(&mut self, outcome: MarkerOutcome) -> WriteMarkers {
        let wanted = self.effects.pop_front().expect("markers are wanted");
        let outcomes = wanted.partitions.iter();
        let became = wanted.became(outcomes.map(|(topic, it)| (Arc::clone(topic), it, outcome)));
        assert_eq!(self.ask(became), Ok(Answered::Done));
        wanted
    }

    fn pass(&mut self, time_ms: i64) {
        self.now.mono = self.now.mono.after(Duration::from_millis(time_ms.cast_unsigned()));
        self.now.wall.0 += time_ms;
        while self.shard.next_deadline().is_some_and(|at| at <= self.now.mono) {
            self.run(TransactionShard::on_timeout);
        }
    }

    fn transaction(&self) -> &Transaction {
        self.shard.hard.get(ID).unwrap()
    }

    fn state(&self) -> TransactionState {
        self.transaction().state
    }

    /// Producer id and epoch.
    fn current(&self) -> (i64, i16) {
        (self.transaction().producer_id.0, self.transaction().producer_epoch.0)
    }

    /// Puts the id into a state as if it had come there.
    fn put(&mut self, transaction: &Transaction) {
        let version = self.image.features.get(TRANSACTION_VERSION).copied().unwrap_or(0);
        let record = shard::record(&Arc::from(ID), transaction, version);
        let (key, value) = TransactionShard::encode(&record);
        self.log.push((key, value));
        self.load();
    }
}

fn identity(reply: TransactionReply) -> Result<(i64, i16), ErrorCode> {
    match reply? {
        Answered::Producer(id, epoch) => Ok((id.0, epoch.0)),
        Answered::Done => Ok((-1, -1)),
        other => panic!("{other:?}"),
    }
}

fn code(reply: &TransactionReply) -> ErrorCode {
    match reply {
        Ok(_) => ErrorCode::None,
        Err(code) => *code,
    }
}

/// A transaction of this identity in this state, with one partition where a state has some.
fn transaction(state: TransactionState, producer_id: i64, epoch: i16) -> Transaction {
    let partitions = match state {
        TransactionState::Empty
        | TransactionState::CompleteCommit
        | TransactionState::CompleteAbort => PartitionSet::default(),
        _ => set(&[("a", 0)]),
    };
    Transaction {
        state,
        producer_id: ProducerId(producer_id),
        producer_epoch: ProducerEpoch(epoch),
        partitions: Arc::new(partitions),
        started: Timestamp(START_MS),
        client_version: EPOCH_BUMPS,
        ..Transaction::new(ProducerId(producer_id), TIMEOUT_MS, Timestamp(START_MS))
    }
}

/// KIP-98: one epoch for all transactions of a producer.
#[test]
fn transactions_of_version_0_keep_their_epoch() {
    let mut world = World::new(0);
    let producer = world.init(None).unwrap();
    assert_eq!(producer, (1001, 0));
    for commit in [true, false] {
        assert_eq!(world.add(producer, &[("a", 0), ("b", 2)], 0), ErrorCode::None);
        assert_eq!(world.state(), TransactionState::Ongoing);
        assert_eq!(world.end(producer, commit, 0), Ok((-1, -1)));
        let markers = world.write_markers(MarkerOutcome::Written);
        assert_eq!((markers.producer_epoch, markers.committed), (ProducerEpoch(0), commit));
        assert_eq!(markers.coordinator_epoch, LeaderEpoch(5));
        assert_eq!(
            (&*markers.partitions, markers.transaction_version),
            (&set(&[("a", 0), ("b", 2)]), 0)
        );
        let state =
            if commit { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort };
        assert_eq!((world.state(), world.current()), (state, producer));
        assert!(world.transaction().partitions.is_empty());
    }
    assert!(world.log.iter().all(|(_, value)| value.as_ref().unwrap()[..2] == [0, 0]));
}

/// KIP-890: each transaction has an epoch of its own, and its markers have the next one.
#[test]
fn transactions_of_version_2_have_an_epoch_each() {
    let mut world = World::new(2);
    let (id, _) = world.init(None).unwrap();
    for epoch in 0..3 {
        assert_eq!(world.add((id, epoch), &[("a", 0)], 2), ErrorCode::None);
        assert_eq!(world.end((id, epoch), true, 2), Ok((id, epoch + 1)));
        assert_eq!(world.add((id, epoch + 1), &[("a", 0)], 2), ErrorCode::ConcurrentTransactions);
        let markers = world.write_markers(MarkerOutcome::Written);
        assert_eq!((markers.producer_epoch.0, markers.transaction_version), (epoch + 1, 2));
        assert_eq!(world.current(), (id, epoch + 1));
    }
    assert!(world.log.iter().all(|(_, value)| value.as_ref().unwrap()[..2] == [0, 1]));
    assert!(world.effects.is_empty());
}

#[test]
fn what_is_asked_about_ids() {
    let mut world = World::new(2);
    let describe =
        |world: &mut World, id: &str| world.ask(TransactionRequest::Describe(Arc::from(id)));
    assert_eq!(describe(&mut world, ""), Err(ErrorCode::InvalidRequest));
    assert_eq!(describe(&mut world, ID), Err(ErrorCode::TransactionalIdNotFound));
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0), ("a", 1)], 2);
    world.pass(10);
    let list = |world: &mut World, listing: Listing| {
        let Ok(Answered::Listed(listed)) = world.ask(TransactionRequest::List(listing)) else {
            panic!("no list");
        };
        listed
            .iter()
            .map(|it| (it.transactional_id.to_string(), it.producer_id.0, it.state))
            .collect::<Vec<_>>()
    };
    let all = vec![(ID.to_owned(), producer.0, TransactionState::Ongoing)];
    let any = Listing { duration_ms: -1, ..Listing::default() };
    let check = |world: &mut World, listing: Listing, is_there: bool| {
        let expected = if is_there { all.clone() } else { Vec::new() };
        assert_eq!(list(world, listing.clone()), expected, "{listing:?}");
    };
    check(&mut world, any.clone(), true);
    check(&mut world, Listing { states: vec![TransactionState::Ongoing], ..any.clone() }, true);
    check(&mut world, Listing { states: vec![TransactionState::Empty], ..any.clone() }, false);
    check(&mut world, Listing { producer_ids: vec![ProducerId(1001)], ..any.clone() }, true);
    check(&mut world, Listing { producer_ids: vec![ProducerId(1)], ..any.clone() }, false);
    check(&mut world, Listing { duration_ms: 9, ..any.clone() }, true);
    check(&mut world, Listing { duration_ms: 10, ..any }, false);
    // Where the marker is written already is not told.
    world.end(producer, true, 2).unwrap();
    let wanted = world.effects.front().cloned().unwrap();
    let became = wanted.became([(Arc::from("a"), 1, MarkerOutcome::Written)]);
    world.ask(became).unwrap();
    let Ok(Answered::Description(description)) = describe(&mut world, ID) else { panic!() };
    assert_eq!(*description.partitions, set(&[("a", 0)]));
    assert_eq!(description.state, TransactionState::PrepareCommit);
    assert_eq!((description.timeout_ms, description.started), (TIMEOUT_MS, Timestamp(START_MS)));
}
