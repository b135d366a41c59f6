//! The load: clients of all kinds work on one node, which is killed and started again in between, and tell what they
//! did. There is one topic; what is done is chosen by a seed, and how it falls together is not.
//!
//! - `link`: a connection that comes back when the node does.
//! - `sight`: what a reader sees in an answer to Fetch.
//! - `producers`, `readers`, `members` (of classic groups), `consumers` (KIP-848), `transactors`, `committers` (who
//!   are no members), `watchers`: the clients.
//! - `steady`: members of both protocols who stay, and copy what they read in transactions.
//! - `transaction`: a transactional producer.
//! - `kills`: how and when the node goes down.
//! - `finale`: when all is over everything is read once more.

mod committers;
mod consumers;
mod finale;
mod kills;
mod link;
mod members;
mod producers;
mod readers;
mod sight;
mod steady;
mod transaction;
mod transactors;
mod watchers;

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{ApiVersionsRequest, IncrementalAlterConfigsRequest};
use protocol_tests::check::{Checker, Found};
use protocol_tests::history::{Action, Operation, Recorder, parse};
use protocol_tests::node::Node;
use protocol_tests::random::Random;
use protocol_tests::requests::{create_topic, text};
use uuid::Uuid;

use link::Link;

const TOPIC: &str = "history";
/// Partitions that everyone writes to, and those behind them, in which there are copies.
const SOURCES: u32 = 6;
const PARTITIONS: u32 = SOURCES + STEADY_MEMBERS;

const PLAIN_WRITERS: u32 = 1;
const IDEMPOTENT_WRITERS: u32 = 2;
const READERS: u32 = 2;
/// Groups, and the members of each.
const GROUPS: u32 = 2;
const MEMBERS: u32 = 3;
const TRANSACTORS: u32 = 6;
/// Groups of the newer protocol, and the members of each.
const CONSUMER_GROUPS: u32 = 2;
const CONSUMERS: u32 = 3;
/// Groups whose members all stay, one of each protocol; the members of each, and what each of them owns.
const STEADY_GROUPS: u32 = 2;
const STEADY_MEMBERS: u32 = 3;
const STEADY_SHARE: usize = (PARTITIONS / STEADY_MEMBERS) as usize;
/// Longer than a node is away, or a client with everything else on a small machine.
const STEADY_SESSION_TIMEOUT_MS: i32 = 60_000;
const COMMITTERS: u32 = 1;
const WATCHERS: u32 = 1;

/// Groups are numbered: those of members, one for each transactor, and so on.
const FIRST_CONSUMER_GROUP: u32 = GROUPS + TRANSACTORS;
const FIRST_STEADY_GROUP: u32 = FIRST_CONSUMER_GROUP + CONSUMER_GROUPS;
const FIRST_COMMITTER_GROUP: u32 = FIRST_STEADY_GROUP + STEADY_GROUPS;

/// How long a last stable offset may stay: the longest time of a transaction, and a minute in which a node that was
/// killed loads what it knew of transactions.
const STUCK_AFTER: Duration = Duration::from_secs(65);
/// How often a client looks again for what it waits for.
const PAUSE: Duration = Duration::from_millis(2);

/// What the node is told: sessions and transactions of those who are gone end soon, and little is ever left as it is.
const PROPERTIES: &[(&str, &str)] = &[
    ("group.min.session.timeout.ms", "500"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.session.timeout.ms", "600"),
    ("group.consumer.min.heartbeat.interval.ms", "50"),
    ("group.consumer.heartbeat.interval.ms", "50"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
    // In a long run the logs of coordinators are compacted between kills, and tombstones and markers go, too.
    ("offsets.topic.segment.bytes", "1048576"),
    ("transaction.state.log.segment.bytes", "1048576"),
    ("log.cleaner.backoff.ms", "500"),
    ("log.cleaner.delete.retention.ms", "10000"),
];

/// What the topic is told: a long run has many segments.
const CONFIGS: &[(&str, &str)] = &[("segment.bytes", "16777216")];

/// The type of a resource that is a group.
const GROUP_RESOURCE: i8 = 32;

/// What all clients share.
struct World {
    recorder: Recorder<BufWriter<File>>,
    address: SocketAddr,
    topic_id: Uuid,
    seed: u64,
    /// The APIs that the node has.
    keys: Vec<i16>,
    is_over: AtomicBool,
    /// The clients that were served since the node came up.
    served: Vec<AtomicBool>,
    is_up: Mutex<bool>,
    came_up: Condvar,
    /// The generation of each member who stays, once it owns its share.
    steady: Vec<AtomicI32>,
}

impl World {
    /// A member who stays has this generation, or is not where it wants to be.
    fn tell_steady(&self, number: u32, generation: i32) {
        self.steady[number as usize].store(generation, Ordering::Relaxed);
    }

    /// Whether all members of a group are in one generation, with their shares.
    fn is_settled(&self, group: u32) -> bool {
        let generation = |it: &AtomicI32| it.load(Ordering::Relaxed);
        let mut of = self.steady.iter().skip(group as usize).step_by(STEADY_GROUPS as usize);
        let first = of.next().map_or(-1, generation);
        first >= 0 && of.all(|it| generation(it) == first)
    }

    /// Whether the load is over: clients bring to an end what they have begun.
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn set_up(&self, is_up: bool) {
        *self.is_up.lock().unwrap() = is_up;
        self.came_up.notify_all();
    }

    /// Waits for the node, where it is down.
    fn wait_until_up(&self) {
        let is_up = self.is_up.lock().unwrap();
        drop(self.came_up.wait_while(is_up, |is_up| !*is_up).unwrap());
    }

    /// Waits before something is asked again.
    fn pause(&self) {
        let is_up = self.is_up.lock().unwrap();
        drop(self.came_up.wait_timeout(is_up, PAUSE).unwrap());
    }

    /// A client has brought something to an end, or has nothing to do.
    fn is_served(&self, client: u32) {
        if let Some(served) = self.served.get(client as usize) {
            served.store(true, Ordering::Relaxed);
        }
    }

    /// The node comes up.
    fn nobody_is_served(&self) {
        self.served.iter().for_each(|served| served.store(false, Ordering::Relaxed));
    }

    /// Whether each client was served since the node came up.
    fn are_all_served(&self) -> bool {
        self.served.iter().all(|served| served.load(Ordering::Relaxed))
    }

    fn random(&self, client: u32) -> Random {
        Random::new(self.seed.wrapping_mul(1009) + u64::from(client))
    }

    fn has(&self, key: i16) -> bool {
        self.keys.contains(&key)
    }
}

/// Ends the load, also when the node or a client has failed: nobody waits forever.
struct End<'a>(&'a World);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        self.0.set_up(true);
    }
}

/// The keys of the APIs that the node lists.
fn keys(node: &Node) -> Vec<i16> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("history"))
        .with_client_software_version(text("1"));
    let answer = node.connect().ask(3, &request);
    answer.api_keys.iter().map(|api| api.api_key).collect()
}

/// Who does what, by its number.
fn client(world: &World, number: u32) {
    let mut left = number;
    for (count, run) in [
        (PLAIN_WRITERS, producers::plain as fn(Link<'_>, u32)),
        (IDEMPOTENT_WRITERS, producers::idempotent),
        (READERS, readers::run),
        (GROUPS * MEMBERS, members::run),
        (TRANSACTORS, transactors::run),
        (CONSUMER_GROUPS * CONSUMERS, consumers::run),
        (STEADY_GROUPS * STEADY_MEMBERS, steady::run),
        (COMMITTERS, committers::run),
        (WATCHERS, watchers::run),
    ] {
        if left < count {
            return run(Link::new(world, number), left);
        }
        left -= count;
    }
}

const CLIENTS: u32 = PLAIN_WRITERS
    + IDEMPOTENT_WRITERS
    + READERS
    + GROUPS * MEMBERS
    + TRANSACTORS
    + CONSUMER_GROUPS * CONSUMERS
    + STEADY_GROUPS * STEADY_MEMBERS
    + COMMITTERS
    + WATCHERS;

/// Groups of the newer protocol have their timeouts from the node.
fn set_group_config(node: &Node, group_id: &str, (name, value): (&str, &str)) {
    let config = AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(GROUP_RESOURCE)
        .with_resource_name(text(group_id))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = node.connect().ask(1, &request);
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
}

/// A load of so many operations, with so many kills in between; its history goes to `path`.
pub fn run(operations: u64, kills: u64, seed: u64, path: &Path) {
    let mut node = Node::start_with(PROPERTIES);
    let topic_id = create_topic(&mut node.connect(), TOPIC, PARTITIONS as i32, CONFIGS);
    let group_id = steady::group_id(1);
    let timeout_ms = STEADY_SESSION_TIMEOUT_MS.to_string();
    set_group_config(&node, &group_id, ("consumer.session.timeout.ms", &timeout_ms));
    let world = World {
        recorder: Recorder::new(BufWriter::new(File::create(path).unwrap())),
        address: node.address(),
        topic_id,
        seed,
        keys: keys(&node),
        is_over: AtomicBool::new(false),
        served: (0..CLIENTS).map(|_| AtomicBool::new(false)).collect(),
        is_up: Mutex::new(true),
        came_up: Condvar::new(),
        steady: (0..STEADY_GROUPS * STEADY_MEMBERS).map(|_| AtomicI32::new(-1)).collect(),
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let world = &world;
                scope.spawn(move || client(world, number))
            })
            .collect();
        let _end = End(&world);
        let has_failed = || clients.iter().any(ScopedJoinHandle::is_finished);
        kills::run(&world, &mut node, operations, kills, &has_failed);
    });
    finale::run(Link::new(&world, CLIENTS + 1));
    world.recorder.finish();
}

/// How many anomalies are told with their operations, and how many of these each.
const SHOWN: usize = 3;
const SHOWN_OPERATIONS: usize = 40;

/// The operations of a history, each with its line.
fn operations(path: &Path) -> impl Iterator<Item = (String, Operation)> {
    let lines = BufReader::new(File::open(path).unwrap()).lines();
    lines.map(|line| {
        let line = line.unwrap();
        let operation = parse(&line).unwrap_or_else(|| panic!("no operation: {line}"));
        (line, operation)
    })
}

/// Judges the history at `path`.
pub fn judge(path: &Path) -> Found {
    let mut checker = Checker::new(STUCK_AFTER);
    operations(path).for_each(|(_, operation)| checker.take(&operation));
    checker.finish()
}

/// The operations that tell of the first anomalies: the shortest histories that show them.
pub fn evidence(path: &Path, found: &Found) -> String {
    let mut text = String::new();
    for anomaly in found.told().iter().take(SHOWN) {
        text.extend(["\n", &anomaly.to_string(), "\n"]);
        let told = operations(path).filter(|(_, it)| anomaly.subject.is_told_by(it));
        // Kills tell of what happens around them.
        let told = told.skip_while(|(_, it)| it.action == Action::Kill);
        for (line, _) in told.take(SHOWN_OPERATIONS) {
            // A long read tells of many values.
            text.extend(line.chars().take(200).chain(['\n']));
        }
    }
    text
}
