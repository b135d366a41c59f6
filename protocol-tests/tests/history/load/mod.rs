//! The load: clients of all kinds work on one node, which is killed and started again in between, and tell what they
//! did. There is one topic; what is done is chosen by a seed, and how it falls together is not.
//!
//! - `link`: a connection that comes back when the node does.
//! - `sight`: what a reader sees in an answer to Fetch.
//! - `producers`, `readers`, `members` (of classic groups), `consumers` (KIP-848), `transactors`: the clients.
//! - `finale`: when all is over everything is read once more.

mod consumers;
mod finale;
mod link;
mod members;
mod producers;
mod readers;
mod sight;
mod transactors;

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiVersionsRequest;
use protocol_tests::check::{Checker, Found};
use protocol_tests::history::{Action, Operation, Outcome, Recorder, parse};
use protocol_tests::node::Node;
use protocol_tests::random::Random;
use protocol_tests::requests::{create_topic, text};
use uuid::Uuid;

use link::Link;

const TOPIC: &str = "history";
const PARTITIONS: u32 = 6;

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

/// How long a last stable offset may stay: the longest time of a transaction, and a minute in which a node that was
/// killed loads what it knew of transactions.
const STUCK_AFTER: Duration = Duration::from_secs(65);
/// How long the next kill is put off for clients that were not served since the last one.
const SERVED_LIMIT: Duration = Duration::from_secs(80);
/// How often a client looks again for what it waits for.
const PAUSE: Duration = Duration::from_millis(2);

/// What the node is told: sessions and transactions of those who are gone end soon.
const PROPERTIES: &[(&str, &str)] = &[
    ("group.min.session.timeout.ms", "500"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.session.timeout.ms", "600"),
    ("group.consumer.min.heartbeat.interval.ms", "50"),
    ("group.consumer.heartbeat.interval.ms", "50"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
];

/// What the topic is told: a long run has many segments.
const CONFIGS: &[(&str, &str)] = &[("segment.bytes", "16777216")];

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
}

impl World {
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
    + CONSUMER_GROUPS * CONSUMERS;

/// A load of so many operations, with so many kills in between; its history goes to `path`.
pub fn run(operations: u64, kills: u64, seed: u64, path: &Path) {
    let mut node = Node::start_with(PROPERTIES);
    let topic_id = create_topic(&mut node.connect(), TOPIC, PARTITIONS as i32, CONFIGS);
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
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let world = &world;
                scope.spawn(move || client(world, number))
            })
            .collect();
        let _end = End(&world);
        for round in 1..=kills + 1 {
            let goal = operations * round / (kills + 1);
            // A node that needs longer to load than it lives serves nobody, and is not to blame.
            let deadline = Instant::now() + SERVED_LIMIT;
            while world.recorder.operations() < goal
                || !world.are_all_served() && Instant::now() < deadline
            {
                let has_failed = clients.iter().any(ScopedJoinHandle::is_finished);
                assert!(!has_failed, "a client has ended\n{}", node.program().said());
                world.pause();
            }
            let begun = world.recorder.begin(CLIENTS);
            world.set_up(false);
            node.kill();
            if round == kills + 1 {
                world.is_over.store(true, Ordering::Relaxed);
            }
            node.restart();
            world.recorder.end(begun, Outcome::Ok, Action::Kill);
            world.served.iter().for_each(|served| served.store(false, Ordering::Relaxed));
            world.set_up(true);
        }
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
