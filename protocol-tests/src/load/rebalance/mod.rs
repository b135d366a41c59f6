//! A group of many members, each on its own connection: how long it takes until all know what they have, when they
//! come together, when one more comes, and when it goes again.
//!
//! - `classic`: members of a group one of whose members divides.
//! - `consumer`: members of a group whose broker divides (KIP-848).
//!
//! At the end of each phase each partition is owned exactly once; with KIP-848 never twice in between, either.

mod classic;
mod consumer;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};

use super::lanes::Lanes;
use super::members::{Protocol, await_coordinator};
use super::{Report, Subject, Topic, error, spec, unique};
use crate::requests::text;

use classic::Classic;
use consumer::Consumer;

/// How long a phase may take.
const PHASE_LIMIT: Duration = Duration::from_mins(2);

/// What can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    protocol: Protocol,
    members: usize,
    partitions: i32,
    /// How often one more member comes and goes. Each time it comes later between two heartbeats of the others.
    changes: u32,
    /// How often members tell that they are there. 0: as the broker says (consumer), or as Java's clients do (classic).
    heartbeat_ms: u64,
}

impl Settings {
    pub fn take(settings: &mut spec::Settings) -> Self {
        let members = settings.take_positive("members", 100);
        Self {
            protocol: settings.take("protocol", Protocol::Classic),
            members,
            partitions: settings.take("partitions", (members * 5 / 2) as i32),
            changes: settings.take("changes", 1),
            heartbeat_ms: settings.take("heartbeat_ms", 0),
        }
    }
}

/// What a phase is about to see of its group.
trait Group {
    /// A new member on this connection sends its first request.
    fn come(&mut self, lanes: &mut Lanes, lane: usize);
    /// The member of this connection says that it goes. It is none any more.
    fn go(&mut self, lanes: &mut Lanes, lane: usize);
    /// An answer.
    fn hear(&mut self, lanes: &mut Lanes, lane: usize, answer: Bytes);
    /// Sends the heartbeats that are due, and says when the next one is.
    fn beat(&mut self, lanes: &mut Lanes) -> Option<Instant>;
    /// Whether no member waits for an answer.
    fn rests(&self) -> bool;
    /// Whether so many members know the newest division of the partitions, since which the last change of who owns
    /// what is told; panics when a partition is owned twice or never then.
    fn settled(&self, members: usize) -> Option<Instant>;
}

/// A trial: a report for each phase.
pub(super) fn run(settings: &Settings, subject: &Subject) -> Vec<Report> {
    let mut connection = subject.connect();
    let topic = Topic::create(&mut connection, settings.partitions);
    let name = unique("rebalance");
    await_coordinator(&mut connection, 0, &name);
    let heartbeat = Duration::from_millis(settings.heartbeat_ms);
    let mut group: Box<dyn Group> = match settings.protocol {
        Protocol::Classic => Box::new(Classic::new(name, topic.clone(), heartbeat)),
        Protocol::Consumer => {
            if settings.heartbeat_ms > 0 {
                set_heartbeat(&mut connection, &name, settings.heartbeat_ms);
            }
            Box::new(Consumer::new(name, topic.clone()))
        }
    };
    let mut lanes = Lanes::connect(subject.address, settings.members);
    let all = settings.members;
    let mut phase = |name, members, rest, act: &mut dyn FnMut(&mut dyn Group, &mut Lanes)| {
        live(&mut lanes, group.as_mut(), rest);
        phase(subject, &mut lanes, group.as_mut(), (name, members), act)
    };
    let all_come = &mut |group: &mut dyn Group, lanes: &mut Lanes| {
        (0..all).for_each(|lane| group.come(lanes, lane));
    };
    let newest = std::cell::Cell::new(0);
    let one_comes = &mut |group: &mut dyn Group, lanes: &mut Lanes| {
        newest.set(lanes.add(subject.address));
        group.come(lanes, newest.get());
    };
    let one_goes = &mut |group: &mut dyn Group, lanes: &mut Lanes| group.go(lanes, newest.get());
    let mut reports = vec![phase("all come", all, Duration::ZERO, all_come)];
    for change in 0..settings.changes {
        let rest = heartbeat * change / settings.changes;
        reports.push(phase("one comes", all + 1, rest, one_comes));
        reports.push(phase("one goes", all, rest, one_goes));
    }
    drop(lanes);
    topic.delete(&mut connection);
    reports
}

/// The members stay as they are for so long; whoever is to go next is at rest then.
fn live(lanes: &mut Lanes, group: &mut dyn Group, rest: Duration) {
    let end = Instant::now() + rest;
    let mut answers = Vec::new();
    while Instant::now() < end || !group.rests() {
        let next = group.beat(lanes);
        lanes.receive(Some(next.map_or(end, |next| next.min(end))), &mut answers);
        for (lane, answer) in answers.drain(..) {
            group.hear(lanes, lane, answer);
        }
    }
}

fn phase(
    subject: &Subject,
    lanes: &mut Lanes,
    group: &mut dyn Group,
    (name, members): (&str, usize),
    act: &mut dyn FnMut(&mut dyn Group, &mut Lanes),
) -> Report {
    let window = subject.open_window();
    let begun = window.opened();
    act(group, lanes);
    let (mut answers, mut count) = (Vec::new(), 0);
    let changed = loop {
        let next = group.beat(lanes);
        lanes.receive(next, &mut answers);
        count += answers.len();
        for (lane, answer) in answers.drain(..) {
            group.hear(lanes, lane, answer);
        }
        if let Some(changed) = group.settled(members) {
            break changed;
        }
        assert!(begun.elapsed() < PHASE_LIMIT, "{name}: not settled within {PHASE_LIMIT:?}");
    };
    let settled = begun.elapsed();
    let spent = window.close();
    let mut report = Report::default();
    report.text("mode", name);
    report.figure("settled_ms", settled.as_secs_f64() * 1e3);
    report.figure("last_change_ms", (changed - begun).as_secs_f64() * 1e3);
    report.figure("broker_cpu_ms", spent.broker * 1e3);
    report.number("answers", count as f64);
    spent.tell(&mut report);
    report
}

/// Lets the broker tell the members of a group to heartbeat so often.
fn set_heartbeat(connection: &mut crate::connection::Connection, group: &str, interval_ms: u64) {
    const GROUP: i8 = 32;
    let config = AlterableConfig::default()
        .with_name(text("consumer.heartbeat.interval.ms"))
        .with_value(Some(text(interval_ms.to_string())));
    let resource = AlterConfigsResource::default()
        .with_resource_type(GROUP)
        .with_resource_name(text(group))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = connection.ask(1, &request);
    assert_eq!(answer.responses[0].error_code, error::NONE, "{answer:?}");
}

/// Whether these are all partitions, each once.
fn assert_each_once(partitions: i32, mut owned: Vec<i32>) {
    owned.sort_unstable();
    assert!(owned.iter().copied().eq(0..partitions), "not each partition once: {owned:?}");
}
