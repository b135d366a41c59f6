//! How fast a coordinator has read what it wrote: many commits, a restart, and the time from the first connection
//! until each group tells its offsets.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::members::{assert_committed, await_coordinator, commit, commit_request, try_committed};
use super::{Report, Subject, Topic, spec, unique};
use crate::connection::Connection;

/// How long a broker may take to its first connection, and then until it has loaded all.
const START_LIMIT: Duration = Duration::from_mins(1);
const LOAD_LIMIT: Duration = Duration::from_mins(3);
/// Who looks more often would be what the broker is busy with.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    offsets: usize,
    groups: usize,
    /// How many partitions a commit names.
    partitions: usize,
}

impl Settings {
    pub fn take(settings: &mut spec::Settings) -> Self {
        Self {
            offsets: settings.take_positive("offsets", 5_000_000),
            groups: settings.take_positive("groups", 50),
            partitions: settings.take_positive("partitions", 500),
        }
    }
}

/// A trial.
pub(super) fn run(settings: &Settings, subject: &mut Subject) -> Report {
    let mut connection = subject.connect();
    let topic = Topic::create(&mut connection, settings.partitions as i32);
    let groups: Vec<String> = (0..settings.groups).map(|_| unique("loaded")).collect();
    for group in &groups {
        await_loaded(&mut connection, group, &topic);
    }
    let partitions = settings.partitions as i32;
    let rounds = settings.offsets.div_ceil(settings.groups * settings.partitions).max(1);
    let write = subject.open_window();
    for round in 1..=rounds {
        for group in &groups {
            commit(&mut connection, &commit_request(group, &topic, partitions, round as i64));
        }
    }
    let written = write.close();
    drop(connection);
    let offsets = rounds * settings.groups * settings.partitions;
    subject.relaunch();
    let load = subject.open_window();
    let launched = Instant::now();
    let mut connection = first_connection(subject);
    let accepted = Instant::now();
    for group in &groups {
        await_loaded(&mut connection, group, &topic);
    }
    let loaded = accepted.elapsed();
    let spent = load.close();
    for group in &groups {
        assert_committed(&mut connection, group, &topic, partitions, rounds as i64);
    }
    topic.delete(&mut connection);
    let mut report = Report::default();
    report.number("offsets", offsets as f64);
    report.figure("offsets_per_second", offsets as f64 / loaded.as_secs_f64());
    report.figure("start_and_load_cpu_ms", spent.broker * 1e3);
    report.figure("loaded_ms", loaded.as_secs_f64() * 1e3);
    report.figure("accepted_ms", (accepted - launched).as_secs_f64() * 1e3);
    report.figure("commit_us_per_offset", written.micros_per(offsets as u64));
    report.number("rss_kib", subject.rss_kib() as f64);
    report
}

fn first_connection(subject: &Subject) -> Connection {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match TcpStream::connect(subject.address) {
            Ok(stream) => return Connection::new(stream),
            Err(error) => assert!(Instant::now() < deadline, "it does not listen: {error}"),
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Its coordinator is found, and has read all that the group has committed.
fn await_loaded(connection: &mut Connection, group: &str, topic: &Topic) {
    let deadline = Instant::now() + LOAD_LIMIT;
    await_coordinator(connection, 0, group);
    while try_committed(connection, group, topic, 1).is_none() {
        assert!(Instant::now() < deadline, "{group} is not loaded within {LOAD_LIMIT:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
}
