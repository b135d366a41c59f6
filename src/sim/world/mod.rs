//! The simulated world: a node with its coordinators and logs, clients, a network between them, and faults; one thread,
//! one seed, and virtual time.
//!
//! - [`node`]: the node: shards, logs, what waits to be committed.
//! - [`requests`]: how a request goes through it, as the handlers of `api` have it.
//! - [`markers`]: how the ends of transactions come to their partitions, as `shell::drivers::markers` has it.
//! - [`faults`]: what goes wrong, and when.

mod faults;
mod markers;
mod node;
mod requests;

use std::sync::Arc;

use super::asks::{Answer, Ask};
use super::chance::Chance;
use super::checkers::{self, Checks};
use super::clients::{Client, Clients, Desk};
use super::clock::Clock;
use super::log::{Happened, PartitionLog};
use super::planted::Planted;
use super::sometimes::{Counters, Sometimes};
use super::topics::{FIRST_OF_CLIENTS, NAMES, Place, TRANSACTIONS};
use super::trace::Trace;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::machine::Machine as _;
use crate::kernel::txns::TransactionShard;
use crate::types::error_code::ErrorCode;
use crate::wire::batch::Batch;
use crate::wire::record_iter::iterate;

pub use self::faults::Fault;
pub use self::node::Node;
use self::requests::Vouching;

/// How long the world is disturbed.
const DISTURBED_MS: u64 = 45_000;
/// How long it is left alone after that, until all must be settled: sessions, rebalances, transactions and retries end.
const HEALING_MS: u64 = 150_000;
/// After so long it is looked whether all is settled, and again each time that it is not.
const FIRST_LOOK_MS: u64 = 40_000;
const NEXT_LOOK_MS: u64 = 5_000;
/// A seed in which more happens is out of hand.
const EVENTS_MAX: u64 = 40_000;

/// What is to happen.
#[derive(Debug)]
pub enum Event {
    /// A request comes to the node.
    Arrives {
        /// From whom.
        client: usize,
        /// Which of its requests.
        number: u64,
        /// What.
        ask: Box<Ask>,
    },
    /// An answer comes to a client.
    Answered {
        /// To whom.
        client: usize,
        /// To which of its requests.
        number: u64,
        /// What.
        answer: Box<Answer>,
    },
    /// A client has something to do, unless it has been told of another time since.
    Wake(usize, u64),
    /// It is looked whether all is settled.
    Look,
    /// A shard is to be loaded.
    Load(Place),
    /// Replicas have caught up.
    Replicate(Place),
    /// A log is compacted.
    Compact(Place),
    /// The node asks again whether a write is part of a transaction.
    AskAgain(Box<Vouching>),
    /// Something goes wrong.
    Fault(Fault),
    /// A partition gets its leader back.
    Elect(Place),
    /// The node starts again.
    Start,
    /// Nothing goes wrong any more.
    Heal,
}

/// How a seed is run.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The text of what happens is kept.
    pub keeps_text: bool,
    /// A rule of the world is broken on purpose, to see that a checker sees it.
    pub planted: Option<Planted>,
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The hash of all that happened.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// The rare branches.
    pub counters: Counters,
    /// What was found.
    pub violation: Option<String>,
    /// What happened, if it was kept.
    pub lines: Vec<String>,
}

/// See the module.
pub struct World {
    pub(super) chance: Chance,
    pub(super) clock: Clock<Event>,
    pub(super) node: Node,
    pub(super) clients: Clients,
    pub(super) checks: Checks,
    pub(super) counters: Counters,
    pub(super) trace: Trace,
    pub(super) setup: Setup,
    /// Nothing goes wrong any more.
    pub(super) is_healed: bool,
    /// One request, and one reply, in so many is lost.
    pub(super) loss: u64,
}

/// The configuration of every node here; made once, as it takes longer than many a seed.
pub fn config() -> Result<Arc<BrokerConfig>, String> {
    let texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("group.initial.rebalance.delay.ms", "500"),
        ("group.consumer.session.timeout.ms", "15000"),
        ("group.consumer.min.session.timeout.ms", "15000"),
        ("group.consumer.heartbeat.interval.ms", "3000"),
        ("group.consumer.min.heartbeat.interval.ms", "3000"),
        ("group.consumer.assignment.interval.ms", "500"),
        ("group.consumer.migration.policy", "bidirectional"),
        ("offsets.retention.minutes", "1"),
        ("offsets.retention.check.interval.ms", "20000"),
        ("transactional.id.expiration.ms", "40000"),
        ("transaction.remove.expired.transaction.cleanup.interval.ms", "10000"),
    ];
    let texts: Texts = texts.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let config = BrokerConfig::new(&texts).map_err(|errors| format!("{errors:?}"))?;
    Ok(Arc::new(config))
}

impl World {
    /// The world of a seed, before anything has happened.
    pub fn of_seed(seed: u64, config: Arc<BrokerConfig>, setup: Setup) -> Result<Self, String> {
        let mut chance = Chance::of_seed(seed);
        let mut clock = Clock::new();
        let node = Node::new(&mut chance, config, clock.now())?;
        let clients = Clients::new(&mut chance, &node);
        for index in 0..clients.len() {
            clock.after(chance.below(3_000), Event::Wake(index, 0));
        }
        let loss = *chance.pick(&[8, 20, 60, u64::MAX]).unwrap_or(&20);
        let mut world = Self {
            trace: Trace::new(setup.keeps_text),
            chance,
            clock,
            checks: Checks::new(),
            node,
            clients,
            counters: Counters::default(),
            setup,
            is_healed: false,
            loss,
        };
        if world.node.transaction_version() < 2 {
            world.counters.hit(Sometimes::FirstVersion);
        }
        world.start_up()?;
        world.plan_faults();
        world.plan_compactions();
        world.clock.at(DISTURBED_MS, Event::Heal);
        world.clock.at(DISTURBED_MS + FIRST_LOOK_MS, Event::Look);
        Ok(world)
    }

    /// Runs until all is settled, or something is found.
    pub fn run(mut self) -> Outcome {
        let violation = self.run_all().err();
        Outcome {
            hash: self.trace.hash(),
            events: self.trace.events(),
            counters: self.counters,
            violation,
            lines: self.trace.into_lines(),
        }
    }

    fn run_all(&mut self) -> Result<(), String> {
        let end_ms = DISTURBED_MS + HEALING_MS;
        while self.clock.now_ms() < end_ms {
            let with_transactions = self.setup.planted != Some(Planted::NoTimers);
            let due = self.node.next_deadline(with_transactions);
            let due_ms = due.map_or(end_ms, |due| self.clock.at_ms(due));
            match self.clock.next(due_ms.min(end_ms)) {
                Some(Event::Look) => {
                    if checkers::is_settled(&self.node, &self.clients) {
                        break;
                    }
                    self.clock.after(NEXT_LOOK_MS, Event::Look);
                }
                Some(event) => self.happen(event)?,
                None if due_ms < end_ms => self.on_time(),
                None => break,
            }
            self.trace.count();
            self.settle();
            self.look()?;
            if self.trace.events() > EVENTS_MAX {
                return Err("more happens than ever should".to_owned());
            }
        }
        checkers::at_the_end(&mut self.node, &self.clients)
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Arrives { client, number, ask } => {
                self.arrive(client, number, *ask);
                Ok(())
            }
            Event::Answered { client, number, answer } => {
                self.note(|| format!("client {client} hears {number}: {:?}", answer.code()));
                self.trace.detail(|| format!("{answer:?}"));
                self.with_client(client, |it, desk| it.on_answer(desk, number, *answer));
                Ok(())
            }
            Event::Wake(client, stamp) if self.clients.is_woken(client, stamp) => {
                self.with_client(client, Client::on_wake);
                Ok(())
            }
            Event::Wake(..) | Event::Look => Ok(()),
            Event::Load(place) => self.load(place),
            Event::Replicate(place) => {
                self.catch_up(place);
                Ok(())
            }
            Event::Compact(place) => self.compact(place),
            Event::AskAgain(vouching) => {
                self.ask_to_vouch(vouching);
                Ok(())
            }
            Event::Fault(fault) => self.fail(fault),
            Event::Elect(place) => self.elect(place),
            Event::Start => self.start_again(),
            Event::Heal => self.heal(),
        }
    }

    /// Lets a client do something, and sends what it wants to send.
    fn with_client(&mut self, index: usize, act: impl FnOnce(&mut Client, &mut Desk<'_>)) {
        let Self { clients, clock, chance, node, counters, .. } = self;
        let mut desk = Desk {
            index,
            now_ms: clock.now_ms(),
            is_healed: self.is_healed,
            image: &node.image,
            chance,
            counters,
            sent: Vec::new(),
            wake_at_ms: None,
        };
        clients.with(index, &mut desk, act);
        let Desk { sent, wake_at_ms, .. } = desk;
        if let Some(at_ms) = wake_at_ms {
            let stamp = clients.next_wake(index);
            clock.at(at_ms, Event::Wake(index, stamp));
        }
        for (number, ask) in sent {
            self.send(index, number, ask);
        }
    }

    /// A request goes out: it is lost, or comes once or twice.
    fn send(&mut self, client: usize, number: u64, ask: Ask) {
        let now = self.clock.now_ms();
        self.trace.note(now, format_args!("client {client} asks {number}: {}", ask.name()));
        if !self.is_healed && self.chance.one_in(self.loss) {
            self.counters.hit(Sometimes::RequestLost);
            return;
        }
        if !self.is_healed && self.chance.one_in(self.loss.saturating_mul(2)) {
            let late = self.chance.between(100, 8_000);
            let again = Event::Arrives { client, number, ask: Box::new(ask.clone()) };
            self.clock.after(late, again);
            self.counters.hit(Sometimes::RequestTwice);
        }
        let delay = self.delay();
        self.clock.after(delay, Event::Arrives { client, number, ask: Box::new(ask) });
    }

    /// An answer goes out: it is lost, or comes.
    pub(super) fn answer(&mut self, client: usize, number: u64, answer: Answer) {
        if !self.is_healed && self.chance.one_in(self.loss) {
            self.counters.hit(Sometimes::ReplyLost);
            return;
        }
        let delay = self.delay();
        self.clock.after(delay, Event::Answered { client, number, answer: Box::new(answer) });
    }

    fn delay(&mut self) -> u64 {
        if !self.is_healed && self.chance.one_in(25) {
            self.chance.between(500, 5_000)
        } else {
            self.chance.between(1, 20)
        }
    }

    /// Notes what happened, if anyone reads it; the hash has less.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        let now = self.clock.now_ms();
        self.trace.note(now, format_args!("{}", what()));
    }

    /// Everything that has come to be in the logs goes to the checkers, and all that must hold at any time is looked at.
    fn look(&mut self) -> Result<(), String> {
        let now = self.clock.now_ms();
        let mut news = Vec::new();
        for (place, log) in &mut self.node.logs {
            news.extend(log.happened.drain(..).map(|(order, happened)| (order, *place, happened)));
        }
        news.sort_unstable_by_key(|(order, ..)| *order);
        let decided = self.node.logs.get(&(TRANSACTIONS, 0)).map(|log| log.high_watermark);
        self.checks.note_decided(decided.unwrap_or_default());
        for (_, place, happened) in news {
            let Some(log) = self.node.logs.get(&place) else { continue };
            note_log(&mut self.trace, now, place, log, happened);
            self.checks.on_log(place, log, happened, &mut self.counters)?;
        }
        self.checks.at_any_time(&mut self.node, &self.clients, &mut self.counters)
    }
}

fn note_log(trace: &mut Trace, now: u64, place: Place, log: &PartitionLog, happened: Happened) {
    let name = NAMES[place.0];
    match happened {
        Happened::Appended(at) => {
            if let Some(batch) = log.truth.get(at) {
                let header = &batch.header;
                let (offset, crc) = (header.base_offset, header.crc);
                trace.note(now, format_args!("{name}-{} {offset:?} {crc:08x}", place.1));
                if place.0 < FIRST_OF_CLIENTS {
                    trace.detail(|| records_of(place, batch));
                }
            }
        }
        Happened::Cut(kept) => {
            trace.note(now, format_args!("{name}-{} cut to {kept} batches", place.1));
        }
    }
}

/// The records of a coordinator's batch, for whoever reads on.
fn records_of(place: Place, batch: &Batch) -> String {
    let Ok(records) = iterate(batch, 1 << 20) else { return "not readable".to_owned() };
    let records = records.flatten().map(|record| {
        let (key, value) = (record.key.as_ref(), record.value.as_ref());
        if place.0 == TRANSACTIONS {
            format!("{:?}", TransactionShard::decode(key, value))
        } else if batch.header.is_control() {
            format!("marker of {:?}", batch.header.producer_id)
        } else {
            format!("{:?}", GroupShard::decode(key, value))
        }
    });
    records.collect::<Vec<_>>().join("\n          ")
}

/// A code that says: not now.
pub const fn is_retriable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::RequestTimedOut
            | ErrorCode::ConcurrentTransactions
            | ErrorCode::KafkaStorageError
            | ErrorCode::UnknownServerError
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::RecordListTooLarge
            | ErrorCode::UnstableOffsetCommit
    )
}
