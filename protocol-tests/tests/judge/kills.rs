//! Apache's own test drivers while the node is killed again and again: what they read is what was written, each record
//! once, and members of groups stay where they are.
//!
//! `make judge` kills a node some times; `make judge-kills` goes on for `JUDGE_SECONDS`, with Kafka Streams, too.
//! Rounds last until the time is over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use kafka_protocol::messages::FetchRequest;
use protocol_tests::node::Node;
use protocol_tests::program::Program;
use protocol_tests::requests::{
    FETCH_VERSION, batch_of, create_topic, ends_of, fetch_request, produce,
};
use protocol_tests::sight::visible;
use rustix::process::Signal;
use tempfile::TempDir;
use uuid::Uuid;

use super::apache::Apache;

const VERSION: &str = "4.3.1";
/// How long a driver may take to begin, or to come to its end when nothing is killed any more.
const LIMIT: Duration = Duration::from_mins(4);
/// How often it is looked whether a driver is ready.
const LOOK: Duration = Duration::from_millis(200);
const READ_COMMITTED: i8 = 1;

/// What drivers are told so that a node that is away for a moment is no reason to give up.
const PATIENT: &str =
    "retries=1000000\nretry.backoff.ms=20\nreconnect.backoff.ms=20\nreconnect.backoff.max.ms=100\n";

/// What members of groups are told. By default a client that finds no broker at all begins anew with its list of them
/// (KIP-899), and has forgotten all topics until one answers. If its connection to the coordinator is closed last, the
/// leader of a classic group takes that for a change of its topics, and has the group rebalanced, with any broker.
const STEADY: &str = "metadata.recovery.strategy=none\n";

/// How long there is something to do, and the time from one kill to the next.
struct Pace {
    lasts: Duration,
    period: Duration,
}

impl Pace {
    /// That of a long run, if there is to be one.
    fn get() -> Self {
        let seconds = std::env::var("JUDGE_SECONDS").ok().and_then(|text| text.parse().ok());
        let (lasts, period) = seconds.map_or((9, 3), |seconds| (seconds, 10));
        Self { lasts: Duration::from_secs(lasts), period: Duration::from_secs(period) }
    }
}

/// A node, what is kept of its drivers, and how often it was killed.
struct Stage {
    apache: Apache,
    node: Node,
    pace: Pace,
    kills: usize,
    /// None before the first driver of which it is said that it may be disturbed.
    next_kill: Option<Instant>,
    directory: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::with_keys(&[])
    }

    fn with_keys(keys: &[(&str, &str)]) -> Self {
        let (node, directory) = (Node::start_with(keys), tempfile::tempdir().unwrap());
        let (apache, pace) = (Apache::of(VERSION), Pace::get());
        Self { apache, node, pace, kills: 0, next_kill: None, directory }
    }

    fn server(&self) -> String {
        self.node.address().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a driver, which prints to a file of this name.
    fn start(&self, name: &str, mut command: Command) -> Driver {
        let path = self.path(name);
        let (out, err) = (File::create(&path).unwrap(), path.with_extension("err"));
        let program = Program::start_into(&mut command, out, File::create(err).unwrap());
        Driver { program, lines: BufReader::new(File::open(&path).unwrap()), path }
    }

    /// Kills the node each time that a period is over, until this driver has ended, well. The period goes on with the
    /// next driver: one that is done sooner would never meet a kill.
    fn kill_until_end(&mut self, driver: &mut Driver) {
        self.kill_while(driver, |_| true);
    }

    /// The same, but for when the driver `may` not be disturbed.
    fn kill_while(&mut self, driver: &mut Driver, may: impl Fn(&Driver) -> bool) {
        let deadline = Instant::now() + self.pace.lasts + LIMIT;
        loop {
            let now = Instant::now();
            let next_kill = *self.next_kill.get_or_insert(now + self.pace.period);
            if driver.ends_within(next_kill.saturating_duration_since(now)) {
                return;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", driver.complaints());
            self.next_kill = None;
            if may(driver) {
                self.node.kill();
                self.node.restart();
                self.kills += 1;
            }
        }
    }

    /// Where partitions end for readers of both kinds.
    #[cfg(feature = "judge-kills")]
    fn ends(&self, topic: &str, partitions: i32) -> String {
        let [all, stable] = [0, READ_COMMITTED].map(|isolation| {
            let request = ends_of(topic, partitions).with_isolation_level(isolation);
            let answer = self.node.connect().ask(7, &request);
            answer.topics[0].partitions.iter().map(|it| it.offset).collect::<Vec<_>>()
        });
        format!("{topic} ends at {all:?}, stable at {stable:?}\n")
    }

    /// What readers of committed records see in a partition.
    fn committed(&self, topic: Uuid, name: &str, partition: i32) -> Vec<String> {
        let mut connection = self.node.connect();
        let ends = ends_of(name, partition + 1).with_isolation_level(READ_COMMITTED);
        let end = connection.ask(7, &ends).topics[0].partitions[partition as usize].offset;
        let (mut values, mut next) = (Vec::new(), 0);
        while next < end {
            let request: FetchRequest =
                fetch_request(topic, partition, next).with_isolation_level(READ_COMMITTED);
            let answer = connection.ask(FETCH_VERSION, &request);
            let (seen, after) = visible(&answer.responses[0].partitions[0], true, next);
            assert!(after > next, "nothing from {next} on, and the end is {end}");
            values.extend(seen.into_iter().map(|(_, value)| String::from_utf8(value).unwrap()));
            next = after;
        }
        values
    }
}

/// One of Apache's drivers, and the lines that it prints.
struct Driver {
    program: Program,
    lines: BufReader<File>,
    path: PathBuf,
}

impl Driver {
    /// Whether it has ended by then; well, if it has.
    fn ends_within(&mut self, limit: Duration) -> bool {
        let status = self.program.wait(limit);
        let is_well = status.is_none_or(|status| status.success());
        assert!(is_well, "{}: {status:?}\n{}", self.path.display(), self.complaints());
        status.is_some()
    }

    /// The whole lines that it has printed since this was last asked.
    fn new_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let count = self.lines.read_line(&mut line).unwrap();
            if !line.ends_with('\n') {
                // Its end comes later.
                self.lines.seek_relative(-(count as i64)).unwrap();
                return lines;
            }
            lines.push(line);
        }
    }

    /// Everything that it has printed.
    #[cfg(feature = "judge-kills")]
    fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    /// Why it joined its group, as it says itself.
    fn reasons_to_join(&self) -> String {
        let text = std::fs::read_to_string(self.path.with_extension("err")).unwrap_or_default();
        let words =
            ["joining", "ebalanc", "eartbeat", "fenced", "expired", "LeaveGroup", "ebootstrapping"];
        let is_reason = |line: &&str| words.iter().any(|word| line.contains(word));
        let lines: Vec<&str> = text.lines().filter(is_reason).collect();
        format!("{}:\n{}\n", self.path.display(), lines.join("\n"))
    }

    fn complaints(&self) -> String {
        let text = std::fs::read_to_string(self.path.with_extension("err")).unwrap_or_default();
        let from = text.len().saturating_sub(4000);
        text.get(from..).unwrap_or(&text).to_owned()
    }
}

/// A field of a line of JSON that a verifiable client prints.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    Some(rest.split([',', '}']).next()?.trim_matches('"'))
}

/// What a member of a group has told.
#[derive(Default)]
struct Reading {
    /// How often it was given partitions.
    assigned: usize,
    records: usize,
}

/// Everything that the members of a group have told.
struct Readers {
    drivers: Vec<Driver>,
    told: Vec<Reading>,
    /// How often each value was read, and the last offset of each partition.
    values: BTreeMap<usize, usize>,
    last: BTreeMap<i64, i64>,
}

impl Readers {
    fn look(&mut self) {
        for (driver, told) in self.drivers.iter_mut().zip(&mut self.told) {
            for line in driver.new_lines() {
                match field(&line, "name") {
                    Some("partitions_assigned") => told.assigned += 1,
                    Some("record_data") => {
                        told.records += 1;
                        let number = |name| field(&line, name).unwrap().parse::<i64>().unwrap();
                        *self.values.entry(number("value") as usize).or_default() += 1;
                        let (partition, offset) = (number("partition"), number("offset"));
                        let last = self.last.insert(partition, offset);
                        let expected = last.map_or(0, |last| last + 1);
                        assert_eq!(offset, expected, "of partition {partition}");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Waits until it is so.
    fn wait_until(&mut self, is_so: impl Fn(&Self) -> bool, what: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            self.look();
            if is_so(self) {
                return;
            }
            let complaints = || self.drivers.iter().map(Driver::complaints).collect::<String>();
            assert!(Instant::now() < deadline, "{what}: {}", complaints());
            assert!(!self.drivers[0].ends_within(LOOK), "a member ends");
        }
    }
}

const TOPIC: &str = "t";
const PARTITIONS: i32 = 4;
const READERS: usize = 2;
/// How many records there are in a second.
const THROUGHPUT: u64 = 500;

/// VerifiableProducer and two VerifiableConsumers; what was done.
fn verifiable(protocol: &str) -> String {
    let mut stage = Stage::new();
    create_topic(&mut stage.node.connect(), TOPIC, PARTITIONS, &[]);
    let server = stage.server();
    let steady = stage.path("steady.properties");
    std::fs::write(&steady, STEADY).unwrap();
    let command = || {
        let mut command =
            stage.apache.java_logging("info", "org.apache.kafka.tools.VerifiableConsumer");
        command.args(["--bootstrap-server", &server, "--topic", TOPIC, "--group-id", "g"]);
        command.args(["--group-protocol", protocol, "--verbose", "--command-config"]).arg(&steady);
        command
    };
    let drivers: Vec<_> =
        (0..READERS).map(|number| stage.start(&format!("reader-{number}"), command())).collect();
    let told = (0..READERS).map(|_| Reading::default()).collect();
    let (values, last) = Default::default();
    let mut readers = Readers { drivers, told, values, last };
    // Both are there when each has read what comes to each partition.
    let mut early = 0;
    let values = |first: usize, count: usize| (first..first + count).map(|it| it.to_string());
    let deadline = Instant::now() + LIMIT;
    while readers.told.iter().any(|told| told.records == 0) {
        assert!(Instant::now() < deadline, "they do not share the topic");
        let mut connection = stage.node.connect();
        for partition in 0..PARTITIONS {
            let value = (usize::MAX >> 2) - early;
            early += 1;
            let batch = batch_of(&[value.to_string().as_bytes()]).sealed();
            assert_eq!(produce(&mut connection, TOPIC, partition, batch).error_code, 0);
        }
        readers.wait_until(|readers| readers.values.len() == early, "what came first is read");
    }
    let assigned: Vec<usize> = readers.told.iter().map(|told| told.assigned).collect();
    let count = (THROUGHPUT * stage.pace.lasts.as_secs()) as usize;
    let file = stage.path("producer.properties");
    std::fs::write(&file, PATIENT).unwrap();
    let mut command = stage.apache.java("org.apache.kafka.tools.VerifiableProducer");
    command.args(["--bootstrap-server", &server, "--topic", TOPIC, "--acks", "-1"]);
    command.args(["--max-messages", &count.to_string(), "--repeating-keys", "50"]);
    command.args(["--throughput", &THROUGHPUT.to_string(), "--command-config"]).arg(file);
    let mut producer = stage.start("producer", command);
    stage.kill_until_end(&mut producer);
    let is_success = |line: &String| line.contains("\"producer_send_success\"");
    assert_eq!(producer.new_lines().iter().filter(|it| is_success(it)).count(), count);
    readers.wait_until(|readers| readers.values.len() >= early + count, "all is read");
    assert!(values(0, count).all(|value| readers.values.contains_key(&value.parse().unwrap())));
    let twice = readers.values.iter().find(|(_, count)| **count > 1);
    assert_eq!(twice, None, "read twice");
    let again: Vec<usize> = readers.told.iter().map(|told| told.assigned).collect();
    let reasons: String = readers.drivers.iter().map(Driver::reasons_to_join).collect();
    assert_eq!(again, assigned, "a rebalance\n{reasons}");
    for driver in &readers.drivers {
        driver.program.signal(Signal::TERM);
    }
    assert!(stage.kills > 1, "the node was not killed");
    format!("{protocol}: {count} records, {} kills", stage.kills)
}

#[test]
fn verifiable_classic() {
    println!("{}", verifiable("classic"));
}

#[test]
fn verifiable_consumer() {
    println!("{}", verifiable("consumer"));
}

/// How many records a round of copying has.
const COPIED: usize = 20_000;
const COPIED_PER_TRANSACTION: &str = "40";

/// TransactionalMessageCopier, which aborts at random: what is committed is what there was, in its order. Says what
/// was done.
fn copied(more: &[&str]) -> String {
    let mut stage = Stage::new();
    let until = Instant::now() + stage.pace.lasts;
    create_topic(&mut stage.node.connect(), "in", 1, &[]);
    let values: Vec<String> = (0..COPIED).map(|number| number.to_string()).collect();
    for values in values.chunks(1000) {
        let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        let batch = batch_of(&values).sealed();
        assert_eq!(produce(&mut stage.node.connect(), "in", 0, batch).error_code, 0);
    }
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < until {
        let (out, server) = (format!("out-{rounds}"), stage.server());
        let id = create_topic(&mut stage.node.connect(), &out, 1, &[]);
        let mut command = stage.apache.java("org.apache.kafka.tools.TransactionalMessageCopier");
        command.args(["--broker-list", &server, "--input-topic", "in", "--input-partition", "0"]);
        command.args(["--output-topic", &out, "--transactional-id", "copier"]);
        command.args(["--consumer-group", &out, "--transaction-size", COPIED_PER_TRANSACTION]);
        command.arg("--enable-random-aborts").args(more);
        let mut copier = stage.start(&out, command);
        stage.kill_until_end(&mut copier);
        let seen = stage.committed(id, &out, 0);
        let wrong = seen.iter().zip(&values).position(|(seen, value)| seen != value);
        assert_eq!((wrong, seen.len()), (None, COPIED), "of round {rounds}");
        rounds += 1;
    }
    assert!(stage.kills > 1, "the node was not killed");
    format!("{more:?}: {rounds} rounds of {COPIED} records, {} kills", stage.kills)
}

#[test]
fn copied_by_one_who_assigns_itself() {
    println!("{}", copied(&[]));
}

#[test]
fn copied_by_a_member() {
    println!("{}", copied(&["--group-mode", "--use-group-metadata"]));
}

/// The topics of StreamsSmokeTest.
#[cfg(feature = "judge-kills")]
const SMOKE_TOPICS: [&str; 14] = [
    "data",
    "echo",
    "min",
    "min-suppressed",
    "min-raw",
    "max",
    "sum",
    "sws-raw",
    "sws-suppressed",
    "dif",
    "cnt",
    "avg",
    "wcnt",
    "tagg",
];

/// Sessions and transactions of Streams time out after ten seconds, and brokers look for the latter every ten seconds:
/// where none lives for as long, ours or Apache's, a member that has gone is never missed. So they are shorter here.
#[cfg(feature = "judge-kills")]
const STREAMS_KEYS: [(&str, &str); 1] =
    [("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500")];
#[cfg(feature = "judge-kills")]
const STREAMS_TIMEOUTS: &str =
    "session.timeout.ms=6000\nheartbeat.interval.ms=1000\nproducer.transaction.timeout.ms=5000\n";

/// Whether StreamsSmokeTest looks whether all transactions have ended: again and again it asks where partitions end for
/// all readers, and then for those of committed records. It fails if a transaction ends in between, which a kill makes
/// likely: the application and the test wait for the same start, and then go on together.
#[cfg(feature = "judge-kills")]
fn compares_ends(driver: &Driver) -> bool {
    let text = driver.text();
    text.contains(" at position ") && !["Get some", "Didn't get"].iter().any(|it| text.contains(it))
}

/// Kafka Streams with exactly-once: its own smoke test counts what comes out.
#[cfg(feature = "judge-kills")]
#[test]
fn streams_exactly_once() {
    const CLASS: &str = "org.apache.kafka.streams.tests.StreamsSmokeTest";
    let until = Instant::now() + Pace::get().lasts;
    let (mut rounds, mut kills) = (0, 0);
    while rounds == 0 || Instant::now() < until {
        let mut stage = Stage::with_keys(&STREAMS_KEYS);
        stage.apache = Apache::with_streams(VERSION);
        for topic in SMOKE_TOPICS {
            create_topic(&mut stage.node.connect(), topic, 5, &[]);
        }
        let properties = format!(
            "bootstrap.servers={}\nprocessing.guarantee=exactly_once_v2\nstate.dir={}\n\
             application.id=smoke\n{STREAMS_TIMEOUTS}",
            stage.server(),
            stage.path("state").display()
        );
        let file = stage.path("streams.properties");
        std::fs::write(&file, properties).unwrap();
        let command = |what: &str| {
            let mut command = stage.apache.java(CLASS);
            command.arg(&file).arg(what);
            command
        };
        let process = stage.start("process", command("process"));
        let mut run = stage.start("run", command("run"));
        stage.kill_while(&mut run, |run| !compares_ends(run));
        let lines = run.new_lines();
        for word in ["ALL-RECORDS-DELIVERED", "SUCCESS"] {
            let is_said = lines.iter().any(|line| line.starts_with(word));
            let ends = || SMOKE_TOPICS.map(|topic| stage.ends(topic, 5)).concat();
            let said = || lines[lines.len().saturating_sub(50)..].concat();
            assert!(is_said, "no {word}: {}\n{}{}", said(), ends(), process.complaints());
        }
        rounds += 1;
        kills += stage.kills;
    }
    assert!(kills > 1, "the node was not killed");
    println!("streams: {rounds} rounds, {kills} kills");
}
