//! Coordinators of a small machine, over real partitions.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::kernel::configs::layers::Texts;
use crate::kernel::machine::{Env, Marker, Output, OutputOf, Refused, Replayed};
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{LeaderRecoveryState, PartitionRegistration, TopicImage};
use crate::shell::clock::Clock;
use crate::shell::drivers::partitions::{Origin, Partition};
use crate::types::epoch::{LeaderEpoch, PartitionEpoch, ProducerEpoch};
use crate::types::ids::{DirectoryId, ProducerId, TopicId, TopicName};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::Batch;
use crate::wire::batch_builder::BatchBuilder;
use crate::wire::compression::Codec;

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const P0: PartitionId = PartitionId(0);
const TOPIC_ID: TopicId = TopicId(uuid::Uuid::from_u128(0x1001));

static TOPIC: InternalTopic = InternalTopic {
    name: "__test_state",
    num_partitions: |_| 7,
    replication_factor: |_| 1,
    configs: |_| Vec::new(),
    acks: 1,
    codec: |_| Codec::None,
    base_sequence: 0,
    commit_timeout_ms: |_| 60_000,
    load_buffer_bytes: |_| 200,
};

/// The same, but a write waits for its replicas no time at all.
static HASTY: InternalTopic = InternalTopic {
    name: "__test_state",
    num_partitions: |_| 7,
    replication_factor: |_| 1,
    configs: |_| Vec::new(),
    acks: 1,
    codec: |_| Codec::None,
    base_sequence: 0,
    commit_timeout_ms: |_| 0,
    load_buffer_bytes: |_| 200,
};

thread_local! {
    /// How many records were replayed on this thread.
    static REPLAYED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Texts by name. A value `late` is written by the timer.
struct Texter {
    id: ShardId,
    texts: BTreeMap<String, String>,
    /// What a transaction has written, until it ends.
    pending: BTreeMap<ProducerId, Vec<(String, Option<String>)>>,
    /// Soft state.
    parked: Vec<CallId>,
    deadline: Option<Mono>,
    refused: Vec<ErrorCode>,
    gives_up: bool,
    /// When it began to work.
    loaded_at: Mono,
}

type Record = (String, Option<String>);

enum Request {
    Put(Vec<Record>),
    PutIn(ProducerId, Record),
    /// Two writes, the second of so many bytes.
    PutThen(Record, usize),
    Get(String),
    /// When the machine began to work.
    LoadedAt,
    Park,
    Release,
    /// The timer is due now.
    Ring,
    /// A refusal drops the shard from now on.
    GiveUp,
    Tell,
}

#[derive(Debug, PartialEq)]
enum Effect {
    Loaded(ShardId),
    Rung,
    Told,
}

impl Texter {
    fn note(&mut self, (name, text): Record) {
        match text {
            Some(text) => self.texts.insert(name, text),
            None => self.texts.remove(&name),
        };
    }
}

impl Machine for Texter {
    type Record = Record;
    type Request = Request;
    type Reply = String;
    type Effect = Effect;
    type DecodeError = &'static str;

    fn new(id: ShardId) -> Self {
        Self {
            id,
            texts: BTreeMap::new(),
            pending: BTreeMap::new(),
            parked: Vec::new(),
            deadline: None,
            refused: Vec::new(),
            gives_up: false,
            loaded_at: Mono::default(),
        }
    }

    fn decode(key: Option<&Bytes>, value: Option<&Bytes>) -> Result<Option<Record>, &'static str> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).map_err(|_| "not a text");
        let name = text(key.ok_or("no key")?)?;
        if name.starts_with('?') {
            return Ok(None);
        }
        Ok(Some((name, value.map(text).transpose()?)))
    }

    fn encode((name, text): &Record) -> (Bytes, Option<Bytes>) {
        let bytes = |text: &String| Bytes::copy_from_slice(text.as_bytes());
        (bytes(name), text.as_ref().map(bytes))
    }

    fn replay(&mut self, record: Record, at: Replayed) {
        REPLAYED.set(REPLAYED.get() + 1);
        match at.transaction {
            Some((id, _)) => self.pending.entry(id).or_default().push(record),
            None => self.note(record),
        }
    }

    fn replay_marker(&mut self, marker: Marker) {
        let pending = self.pending.remove(&marker.producer_id).unwrap_or_default();
        for record in pending.into_iter().filter(|_| marker.committed) {
            self.note(record);
        }
    }

    fn on_loaded(&mut self, env: &mut Env<'_>) -> OutputOf<Self> {
        self.loaded_at = env.now.mono;
        Output::none().with_effect(Effect::Loaded(self.id))
    }

    fn on_request(&mut self, env: &mut Env<'_>, call: CallId, request: Request) -> OutputOf<Self> {
        let done = || "done".to_owned();
        match request {
            Request::Put(records) => Output::write(records).with_reply(call, done()),
            Request::PutIn(id, record) => Output::none()
                .with_transactional_write(vec![record], id, ProducerEpoch(0))
                .with_reply(call, done()),
            Request::PutThen(record, bytes) => Output::write(vec![record])
                .with_write(vec![("long".to_owned(), Some("x".repeat(bytes)))])
                .with_reply(call, done())
                .with_effect(Effect::Told),
            Request::Get(name) => {
                let text = self.texts.get(&name).cloned();
                Output::reply(call, text.unwrap_or_else(|| "none".to_owned()))
            }
            Request::LoadedAt => Output::reply(call, self.loaded_at.0.as_secs().to_string()),
            Request::Park => {
                self.parked.push(call);
                Output::none()
            }
            Request::Release => {
                let parked = std::mem::take(&mut self.parked);
                let mut output = Output::reply(call, done());
                for parked in parked {
                    output = output.with_reply(parked, "released".to_owned());
                }
                output.with_write(vec![("released".to_owned(), Some("yes".to_owned()))])
            }
            Request::Ring => {
                self.deadline = Some(env.now.mono);
                Output::reply(call, done())
            }
            Request::GiveUp => {
                self.gives_up = true;
                Output::reply(call, done())
            }
            Request::Tell => Output::reply(call, done())
                .with_write(vec![("told".to_owned(), None)])
                .with_effect(Effect::Told),
        }
    }

    fn is_concerned_by(changes: &Changes) -> bool {
        changes.features_changed
    }

    fn on_image(&mut self, env: &mut Env<'_>, _: &Changes) -> OutputOf<Self> {
        let version = env.image.metadata_version().to_string();
        Output::write(vec![("version".to_owned(), Some(version))])
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.deadline
    }

    fn on_timeout(&mut self, _: &mut Env<'_>) -> OutputOf<Self> {
        self.deadline = None;
        Output::write(vec![("late".to_owned(), Some("yes".to_owned()))]).with_effect(Effect::Rung)
    }

    fn on_refused(&mut self, _: &mut Env<'_>, refused: Refused<Record>) -> Option<OutputOf<Self>> {
        assert_eq!(refused.writes.len(), 1);
        self.refused.push(refused.code);
        let parked = self.parked.pop();
        let told = |call| Output::reply(call, "refused".to_owned());
        (!self.gives_up).then(|| parked.map_or_else(Output::none, told))
    }
}

/// A node with one coordinator.
struct Node {
    coordinator: Arc<Coordinator<Texter>>,
    partitions: Arc<Partitions>,
    image: Image,
    threads: Arc<Threads>,
    effects: mpsc::Receiver<Effect>,
    _root: TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.threads.stop();
    }
}

fn now() -> Now {
    Now { mono: Mono(Duration::from_secs(1)), wall: Timestamp(1_700_000_000_000) }
}

fn config() -> BrokerConfig {
    let texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        // Nobody here vouches for transactions; that a write waits for it is tested with those who do.
        ("transaction.partition.verification.enable", "false"),
    ];
    let texts = texts.map(|(key, value)| (key.to_owned(), value.to_owned()));
    BrokerConfig::new(&Texts::from(texts)).unwrap()
}

fn registration(leader: NodeId, epoch: i32, isr: &[NodeId]) -> PartitionRegistration {
    PartitionRegistration {
        replicas: vec![ME, OTHER],
        directories: vec![DirectoryId::default(); 2],
        isr: isr.to_vec(),
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        eligible_leader_replicas: Vec::new(),
        last_known_elr: Vec::new(),
        leader,
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(epoch),
    }
}

impl Node {
    /// Without the topic.
    fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directories = vec![(root.path().to_owned(), DirectoryId::default())];
        let partitions = Arc::new(Partitions::open(ME, config(), directories, now()).unwrap());
        let threads = Threads::start(Clock::new(), 1).unwrap();
        let (coordinator, effects) = coordinator(&partitions, &threads);
        let image = Image::empty();
        let mut node = Self { coordinator, partitions, image, threads, effects, _root: root };
        node.publish(&Changes::default());
        node
    }

    /// With the topic, which has one partition, led here.
    fn new() -> Self {
        let mut node = Self::empty();
        node.change(registration(ME, 0, &[ME]));
        node
    }

    fn publish(&mut self, changes: &Changes) {
        self.partitions.apply(&self.image, changes, now());
        self.coordinator.apply(&Arc::new(self.image.clone()), changes, now());
    }

    fn change(&mut self, registration: PartitionRegistration) {
        let partitions = [(P0, registration)].into();
        let topic = TopicImage { name: TopicName::new(TOPIC.name), id: TOPIC_ID, partitions };
        let topic = Arc::new(topic);
        Arc::make_mut(&mut self.image.topics.by_name)
            .insert(topic.name.clone(), Arc::clone(&topic));
        Arc::make_mut(&mut self.image.topics.by_id).insert(TOPIC_ID, topic);
        let changed = [(TOPIC_ID, P0)].into();
        self.publish(&Changes { partitions_changed: changed, ..Changes::default() });
    }

    fn partition(&self) -> Arc<Partition> {
        self.partitions.get(TOPIC_ID, P0).unwrap()
    }

    fn call(&self, request: Request) -> Called<String> {
        self.coordinator.call(P0, now(), request)
    }

    /// The reply of a call that is answered at once.
    fn ask(&self, request: Request) -> Result<String, ErrorCode> {
        match self.call(request) {
            Called::Now(result) => result,
            Called::Later(_) => panic!("it is parked"),
        }
    }

    fn get(&self, name: &str) -> String {
        self.ask(Request::Get(name.to_owned())).unwrap()
    }

    fn put(&self, name: &str, text: &str) -> Result<String, ErrorCode> {
        self.ask(Request::Put(vec![record(name, text)]))
    }

    /// A coordinator that loads the log anew, once it has.
    fn reload(&mut self) {
        (self.coordinator, self.effects) = coordinator(&self.partitions, &self.threads);
        self.publish(&Changes::default());
        self.await_load();
    }

    /// The next effect. It comes at once, or the test has failed.
    fn effect(&self) -> Effect {
        self.effects.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn await_load(&self) -> ShardId {
        match self.effect() {
            Effect::Loaded(id) => id,
            other => panic!("{other:?} before the load"),
        }
    }

    fn append(&self, batch: &Batch) {
        self.partition().append_from(batch, Origin::COORDINATOR, 1, now()).unwrap();
    }
}

fn coordinator(
    partitions: &Arc<Partitions>,
    threads: &Arc<Threads>,
) -> (Arc<Coordinator<Texter>>, mpsc::Receiver<Effect>) {
    coordinator_of(&TOPIC, partitions, threads)
}

fn coordinator_of(
    topic: &'static InternalTopic,
    partitions: &Arc<Partitions>,
    threads: &Arc<Threads>,
) -> (Arc<Coordinator<Texter>>, mpsc::Receiver<Effect>) {
    let (told, effects) = mpsc::channel();
    let config = Arc::new(ArcSwap::from_pointee(config()));
    let perform = Box::new(move |_, effect| {
        // A test that has ended wants to know no more.
        let _ = told.send(effect);
    });
    (Coordinator::new(topic, config, Arc::clone(partitions), threads, perform), effects)
}

fn record(name: &str, text: &str) -> Record {
    (name.to_owned(), Some(text.to_owned()))
}

fn end_of(producer_id: i64, commit: bool) -> EndOfTransaction {
    EndOfTransaction {
        producer_id: ProducerId(producer_id),
        producer_epoch: ProducerEpoch(0),
        coordinator_epoch: 3,
        commit,
        transaction_version: 1,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn settle<P: Send + 'static>(called: Called<P>) -> Result<P, ErrorCode> {
    runtime().block_on(called.told())
}

#[test]
fn a_call_is_decided_written_replayed_and_answered_at_once() {
    let node = Node::new();
    assert_eq!(node.await_load(), ShardId { partition: P0, leader_epoch: LeaderEpoch(0) });
    assert_eq!(node.get("a"), "none");
    let records = vec![record("a", "1"), record("b", "2"), ("a".to_owned(), None)];
    assert_eq!(node.ask(Request::Put(records)), Ok("done".to_owned()));
    assert_eq!((node.get("a"), node.get("b")), ("none".to_owned(), "2".to_owned()));
    // One batch, and nothing else.
    let offsets = node.partition().offsets();
    assert_eq!((offsets.log_end, offsets.high_watermark), (Offset(3), Offset(3)));
    assert_eq!(node.coordinator.partitions(), [P0]);
    assert_eq!(node.coordinator.call_for("g", now(), Request::Get("b".to_owned())).now(), "2");
}

impl Called<String> {
    fn now(self) -> String {
        match self {
            Self::Now(Ok(reply)) => reply,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_parked_call_is_answered_by_another_and_may_be_gone() {
    let node = Node::new();
    let (parked, gone) = (node.call(Request::Park), node.call(Request::Park));
    assert!(matches!(parked, Called::Later(_)));
    drop(gone);
    assert_eq!(node.ask(Request::Release), Ok("done".to_owned()));
    assert_eq!(settle(parked), Ok("released".to_owned()));
}

/// Unknown types, compressed batches, transactions, and reads that end in the middle of the log.
#[test]
fn a_load_replays_the_whole_log() {
    let mut node = Node::new();
    for index in 0..50 {
        node.put(&format!("name-{index}"), &"text".repeat(index)).unwrap();
    }
    let time = now().wall;
    let mut mixed = BatchBuilder::new(Offset::ZERO);
    mixed.push(time, Some(b"?new"), Some(b"x"), &[]);
    mixed.push(time, Some(b"name-1"), None, &[]);
    mixed.push(time, Some(b"packed"), Some(b"yes"), &[]);
    for codec in Codec::ALL {
        node.append(&mixed.clone().build_compressed(codec).unwrap());
    }
    for id in [7, 8, 9] {
        let name = record(&format!("of-{id}"), "yes");
        node.ask(Request::PutIn(ProducerId(id), name)).unwrap();
    }
    let marker = |id, commit| node.coordinator.write_marker(P0, end_of(id, commit), now());
    assert!(matches!(marker(7, true), Called::Now(Ok(()))));
    assert!(matches!(marker(8, false), Called::Now(Ok(()))));
    let of = |node: &Node| ["of-7", "of-8", "of-9"].map(|name| node.get(name));
    assert_eq!(of(&node), ["yes", "none", "none"]);

    node.await_load();
    node.reload();
    assert_eq!(of(&node), ["yes", "none", "none"]);
    assert_eq!(node.get("name-49"), "text".repeat(49));
    assert_eq!((node.get("name-1"), node.get("packed")), ("none".to_owned(), "yes".to_owned()));
    // The transaction that was open can still end.
    let marker = node.coordinator.write_marker(P0, end_of(9, true), now());
    assert!(matches!(marker, Called::Now(Ok(()))));
    assert_eq!(of(&node), ["yes", "none", "yes"]);
}

/// A load was told the time at which it began. Sessions of members began anew at that time, so a log that takes longer
/// to load than a session lasts cost its groups a rebalance, although every heartbeat was answered meanwhile.
#[test]
fn what_begins_anew_with_a_load_begins_at_its_end() {
    let mut node = Node::new();
    node.await_load();
    for index in 0..50 {
        node.put(&format!("name-{index}"), "text").unwrap();
    }
    // The only thread for loads is busy, so that this one is done here.
    let (go, wait) = mpsc::channel::<()>();
    node.threads.load(Box::new(move |_| {
        wait.recv().unwrap_err();
    }));
    (node.coordinator, node.effects) = coordinator(&node.partitions, &node.threads);
    node.publish(&Changes::default());
    let shard = Arc::clone(&node.coordinator.shards.load()[&P0]);
    // A second passes with each record.
    let before = REPLAYED.get();
    let clock = || Now { mono: Mono(Duration::from_secs(REPLAYED.get() - before)), ..now() };
    node.coordinator.load(&shard, &clock);
    node.await_load();
    assert_eq!(node.ask(Request::LoadedAt), Ok("50".to_owned()));
    drop(go);
}

/// A node that was told to stop went on with what it had read of a log, megabytes of it, and began with the next log
/// while it waited for its connections.
#[test]
fn a_load_ends_at_the_next_batch_when_the_node_stops() {
    let node = Node::new();
    let id = node.await_load();
    for index in 0..50 {
        node.put(&format!("name-{index}"), "text").unwrap();
    }
    let before = REPLAYED.get();
    let is_stopping = || REPLAYED.get() - before == 7;
    let loaded = load::load::<Texter>(id, &node.partition(), 1 << 20, &|| true, &is_stopping);
    assert!(matches!(loaded.map(|_| ()), Err(load::LoadError::Stopped)));
    assert_eq!(REPLAYED.get() - before, 7);

    // One that waits is dropped, and none comes after it.
    let (go, wait) = mpsc::channel::<()>();
    let (at_work, works) = mpsc::channel();
    node.threads.load(Box::new(move |_| {
        at_work.send(()).unwrap();
        wait.recv().unwrap_err();
    }));
    works.recv().unwrap();
    let (waits, dropped) = mpsc::channel::<()>();
    let late = waits.clone();
    node.threads.load(Box::new(move |_| waits.send(()).unwrap()));
    node.threads.end_loads();
    node.threads.load(Box::new(move |_| late.send(()).unwrap()));
    assert!(dropped.recv().is_err());
    drop(go);
}

#[test]
fn what_cannot_be_decoded_leaves_the_shard_unavailable() {
    let mut node = Node::new();
    node.await_load();
    let batch = BatchBuilder::new(Offset::ZERO).record(now().wall, None, Some(b"x"));
    node.append(&batch.build_batch());
    // The load has ended when the next job has.
    let (done, ended) = mpsc::channel();
    (node.coordinator, node.effects) = coordinator(&node.partitions, &node.threads);
    node.publish(&Changes::default());
    node.threads.load(Box::new(move |_| done.send(()).unwrap()));
    ended.recv().unwrap();
    assert_eq!(node.put("a", "1"), Err(ErrorCode::NotCoordinator));
}

#[test]
fn so_many_logs_are_loaded_side_by_side() {
    let threads = Threads::start(Clock::new(), 2).unwrap();
    let (both, (done, ended)) = (Arc::new(std::sync::Barrier::new(2)), mpsc::channel());
    for _ in 0..4 {
        // Each waits for another one: one alone would never end.
        let (both, done) = (Arc::clone(&both), done.clone());
        threads.load(Box::new(move |_| {
            both.wait();
            done.send(()).unwrap();
        }));
    }
    assert_eq!((0..4).map(|_| ended.recv()).collect::<Vec<_>>(), [Ok(()); 4]);
    threads.stop();
}

#[test]
fn nothing_is_answered_while_a_shard_loads() {
    let mut node = Node::new();
    node.await_load();
    node.put("a", "1").unwrap();
    // The thread for loads is kept busy until the test lets it go.
    let (go, wait) = mpsc::channel::<()>();
    let (at_work, works) = mpsc::channel();
    node.threads.load(Box::new(move |_| {
        at_work.send(()).unwrap();
        wait.recv().unwrap_err();
    }));
    works.recv().unwrap();
    (node.coordinator, node.effects) = coordinator(&node.partitions, &node.threads);
    node.publish(&Changes::default());
    assert_eq!(node.put("a", "2"), Err(ErrorCode::CoordinatorLoadInProgress));
    drop(go);
    node.await_load();
    assert_eq!(node.get("a"), "1");
}

#[test]
fn replies_wait_until_all_that_was_appended_is_committed() {
    let mut node = Node::new();
    node.await_load();
    // Another replica in sync holds the high watermark back.
    node.change(registration(ME, 0, &[ME, OTHER]));
    let put = node.call(Request::Put(vec![record("a", "1")]));
    let get = node.call(Request::Get("a".to_owned()));
    let (Called::Later(put), Called::Later(get)) = (put, get) else { panic!("not committed") };
    let told = node.call(Request::Tell);
    assert!(matches!(told, Called::Later(_)));
    assert!(node.effects.try_recv().is_err(), "effects wait, too");
    let runtime = runtime();
    let guard = runtime.enter();
    let mut context = Context::from_waker(Waker::noop());
    let (mut put, mut get) = (pin!(put.told()), pin!(get.told()));
    assert!(put.as_mut().poll(&mut context).is_pending());
    assert!(get.as_mut().poll(&mut context).is_pending());
    // It leaves the set of those in sync; the next append moves the high watermark.
    node.change(registration(ME, 0, &[ME]));
    assert_eq!(node.put("b", "2"), Ok("done".to_owned()));
    assert_eq!(put.poll(&mut context), Poll::Ready(Ok("done".to_owned())));
    assert_eq!(get.poll(&mut context), Poll::Ready(Ok("1".to_owned())));
    drop(guard);
    assert_eq!(node.effect(), Effect::Told);
    assert_eq!(settle(told), Ok("done".to_owned()));
}

/// Found by the simulated world (seed 34): replicas lagged for longer than a write waits for them, the markers of a decided
/// transaction were forgotten, and nobody asked for them again.
#[test]
fn an_effect_waits_for_replicas_for_as_long_as_the_term_lasts() {
    let mut node = Node::empty();
    (node.coordinator, node.effects) = coordinator_of(&HASTY, &node.partitions, &node.threads);
    node.change(registration(ME, 0, &[ME]));
    node.await_load();
    node.change(registration(ME, 0, &[ME, OTHER]));
    node.call(Request::Put(vec![record("a", "1")]));
    let told = node.call(Request::Tell);
    assert_eq!(settle(told), Err(ErrorCode::CoordinatorNotAvailable));
    node.change(registration(ME, 0, &[ME]));
    node.put("b", "2").unwrap();
    assert_eq!(node.effect(), Effect::Told);
}

/// A marker in a partition of clients was taken for written before the replicas had it: one that was lost with its leader
/// would have left its transaction open for ever.
#[test]
fn what_was_appended_is_told_once_the_replicas_have_it() {
    let node = Node::new();
    node.await_load();
    let end = node.partition().offsets().log_end;
    let long = Duration::from_mins(1);
    let there = Called::appended(node.partition(), end, long);
    assert!(matches!(there, Called::Now(Ok(()))));
    let to_come = Called::appended(node.partition(), end.next(), long);
    assert!(matches!(to_come, Called::Later(_)));
    node.put("a", "1").unwrap();
    assert_eq!(settle(to_come), Ok(()));
}

#[test]
fn a_shard_goes_and_comes_with_leadership() {
    let mut node = Node::new();
    node.await_load();
    node.put("a", "1").unwrap();
    let parked = node.call(Request::Park);
    node.change(registration(ME, 0, &[ME, OTHER]));
    let uncommitted = node.call(Request::Put(vec![record("b", "2")]));
    node.change(registration(OTHER, 1, &[ME, OTHER]));
    assert_eq!(settle(parked), Err(ErrorCode::NotCoordinator));
    assert_eq!(settle(uncommitted), Err(ErrorCode::NotCoordinator));
    assert_eq!(node.put("a", "2"), Err(ErrorCode::NotCoordinator));
    assert!(node.coordinator.partitions().is_empty());

    node.change(registration(ME, 2, &[ME]));
    assert_eq!(node.await_load().leader_epoch, LeaderEpoch(2));
    assert_eq!((node.get("a"), node.get("b")), ("1".to_owned(), "2".to_owned()));

    let topic = Arc::make_mut(&mut node.image.topics.by_id).remove(&TOPIC_ID).unwrap();
    Arc::make_mut(&mut node.image.topics.by_name).remove(TOPIC.name);
    node.publish(&Changes { topics_deleted: vec![topic], ..Changes::default() });
    assert_eq!(node.put("a", "2"), Err(ErrorCode::NotCoordinator));
}

/// A shard of an earlier term does not write, even before it hears that its term is over.
#[test]
fn a_shard_writes_in_its_own_epoch_only() {
    let mut node = Node::new();
    node.await_load();
    let before = node.image.clone();
    node.change(registration(ME, 1, &[ME]));
    // Its log is empty: it is active at once.
    let (coordinator, effects) = coordinator(&node.partitions, &node.threads);
    coordinator.apply(&Arc::new(before), &Changes::default(), now());
    let put = coordinator.call(P0, now(), Request::Put(vec![record("a", "1")]));
    assert!(matches!(put, Called::Now(Err(ErrorCode::NotCoordinator))), "{put:?}");
    assert_eq!(node.partition().offsets().log_end, Offset(0));
    assert!(effects.try_recv().is_err(), "nor does it do anything in another's epoch");
}

#[test]
fn what_is_refused_before_it_is_written_costs_no_load() {
    let node = Node::new();
    node.await_load();
    let too_large = 2 << 20;
    let (kept, parked) = (node.call(Request::Park), node.call(Request::Park));
    let put = node.ask(Request::PutThen(record("a", "1"), too_large));
    assert_eq!(put, Err(ErrorCode::UnknownServerError));
    assert_eq!(settle(parked), Ok("refused".to_owned()), "the machine goes on");
    assert_eq!((node.get("a"), node.get("long")), ("1".to_owned(), "none".to_owned()));
    assert!(node.effects.try_recv().is_err(), "neither an effect nor a load");

    node.ask(Request::GiveUp).unwrap();
    let parked = node.call(Request::Park);
    let put = node.ask(Request::PutThen(record("b", "2"), too_large));
    assert_eq!(put, Err(ErrorCode::UnknownServerError));
    assert_eq!(settle(parked), Err(ErrorCode::UnknownServerError), "dropped with the machine");
    assert_eq!(settle(kept), Err(ErrorCode::UnknownServerError));
    node.await_load();
    assert_eq!((node.get("a"), node.get("b")), ("1".to_owned(), "2".to_owned()));
}

#[test]
fn a_fenced_producer_is_refused_and_so_is_its_marker() {
    let node = Node::new();
    let put = || node.ask(Request::PutIn(ProducerId(7), record("a", "1")));
    assert!(put().is_ok());
    let end = EndOfTransaction { producer_epoch: ProducerEpoch(2), ..end_of(7, true) };
    let marker = |end| match node.coordinator.write_marker(P0, end, now()) {
        Called::Now(result) => result,
        Called::Later(_) => panic!(),
    };
    assert_eq!(marker(end), Ok(()));
    assert_eq!(put(), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(marker(end_of(7, true)), Err(ErrorCode::InvalidProducerEpoch));
    let end = EndOfTransaction { coordinator_epoch: 2, ..end };
    assert_eq!(marker(end), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(node.get("a"), "1");
}

#[test]
fn a_failed_disk_drops_the_shard() {
    let node = Node::new();
    node.await_load();
    let parked = node.call(Request::Park);
    node.partition().directory().fail("test", &"failure");
    assert_eq!(node.put("a", "1"), Err(ErrorCode::NotCoordinator));
    assert_eq!(settle(parked), Err(ErrorCode::NotCoordinator));
}

#[test]
fn timers_are_kept() {
    let node = Node::new();
    node.await_load();
    // By the test's clock long past: due at once.
    node.ask(Request::Ring).unwrap();
    assert_eq!(node.effect(), Effect::Rung);
    assert_eq!(node.get("late"), "yes");
    node.ask(Request::Ring).unwrap();
    assert_eq!(node.effect(), Effect::Rung);
}

#[test]
fn machines_hear_of_changes_that_concern_them() {
    let mut node = Node::new();
    node.await_load();
    Arc::make_mut(&mut node.image.features).insert("metadata.version".to_owned(), 27);
    node.publish(&Changes::default());
    assert_eq!(node.get("version"), "none");
    node.publish(&Changes { features_changed: true, ..Changes::default() });
    assert_eq!(node.get("version"), "27");
}

#[test]
fn keys_go_to_the_partitions_that_there_are() {
    let node = Node::empty();
    assert_eq!(node.coordinator.partition_for("abc"), PartitionId(96_354 % 7), "as configured");
    let node = Node::new();
    assert_eq!(node.coordinator.partition_for("abc"), P0, "as it is");
}
