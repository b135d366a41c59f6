//! Many groups of one member, each of which heartbeats and commits once a second, as those of real clients do: an
//! open loop, spread over the second, whose latencies count from when a request should have been sent.
//!
//! So few requests come one by one, each to a processor that has slept: what that costs is the machine's more than the
//! broker's. With `floor=true` the same requests go to the [`Floor`] as well, which says how much.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::cost::Window;
use super::floor::{Answers, Floor};
use super::lanes::Lanes;
use super::live::Routine;
use super::members::{Member, Protocol, assert_committed, commit};
use super::{Latencies, Report, Subject, Topic, spec, unique};

/// The partitions of a commit whose memory is looked at.
const PARTITIONS: i32 = 10;
/// The offset of the first second is above this one.
const BASE_OFFSET: i64 = 1_000;
/// A request that leaves so long after its time is late. It counts from its time all the same.
const LATE: Duration = Duration::from_millis(5);

/// What can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    protocol: Protocol,
    groups: usize,
    connections: usize,
    warm_seconds: usize,
    seconds: usize,
    floor: bool,
}

impl Settings {
    pub fn take(settings: &mut spec::Settings) -> Self {
        let groups = settings.take_positive("groups", 1_000);
        Self {
            protocol: settings.take("protocol", Protocol::Classic),
            groups,
            connections: settings.take_positive("connections", 8).min(groups),
            warm_seconds: settings.take("warm", 2),
            seconds: settings.take_positive("seconds", 10),
            floor: settings.take("floor", false),
        }
    }

    /// Heartbeats and commits of a second.
    fn requests_per_second(&self) -> usize {
        2 * self.groups
    }
}

/// A group's two requests.
struct Group {
    member: Member,
    heartbeat: Routine,
    commit: Routine,
    offset_at: usize,
}

/// A trial, and one of the floor if it was asked for.
pub(super) fn run(settings: &Settings, subject: &Subject) -> Vec<Report> {
    let mut connection = subject.connect();
    let topic = Topic::create(&mut connection, PARTITIONS);
    let lanes = Lanes::connect(subject.address, settings.connections);
    // Whatever the first group brings with it is not the price of a group.
    Member::join(&mut connection, settings.protocol, unique("first"), &topic);
    let empty_kib = subject.rss_kib();
    let join = |_| Member::join(&mut connection, settings.protocol, unique("group"), &topic);
    let members: Vec<Member> = (0..settings.groups).map(join).collect();
    let joined_kib = subject.rss_kib();
    for member in &members {
        commit(&mut connection, &member.commit_request(&topic, PARTITIONS, BASE_OFFSET));
    }
    let committed_kib = subject.rss_kib();
    let group = |member| {
        let heartbeat = Routine::heartbeat(&mut connection, &member);
        let (commit, offset_at) = Routine::commit(&mut connection, &member, &topic);
        Group { member, heartbeat, commit, offset_at }
    };
    let groups = members.into_iter().map(group).collect();
    let due = vec![VecDeque::new(); settings.connections];
    let mut load = Load { settings, groups, lanes, due, is_on_the_floor: false };
    let mut report = Report::default();
    load.run(|| subject.open_window(), &mut report);
    let last = BASE_OFFSET + (settings.warm_seconds + settings.seconds) as i64;
    for group in &load.groups {
        assert_committed(&mut connection, &group.member.group, &topic, 1, last);
    }
    let per_group = |kib: u64| (kib as f64 - empty_kib as f64) / settings.groups as f64;
    report.figure("kib_per_group", per_group(joined_kib));
    report.figure("kib_per_group_with_10_offsets", per_group(committed_kib));
    report.number("rss_kib_before", empty_kib as f64);
    report.number("rss_kib_after", subject.rss_kib() as f64);
    topic.delete(&mut connection);
    let mut reports = vec![report];
    reports.extend(settings.floor.then(|| load.run_on_the_floor(subject)));
    reports
}

/// The open loop.
struct Load<'a> {
    settings: &'a Settings,
    groups: Vec<Group>,
    lanes: Lanes,
    /// For each connection the requests that are not answered.
    due: Vec<VecDeque<usize>>,
    is_on_the_floor: bool,
}

impl Load<'_> {
    /// The same requests, whose right answers are known by now. The broker sleeps meanwhile: both have one CPU.
    fn run_on_the_floor(&mut self, subject: &Subject) -> Report {
        let Group { heartbeat, commit, .. } = &self.groups[0];
        let mut answers = Answers::default();
        answers.add(heartbeat, false);
        answers.add(commit, true);
        let floor = Floor::start(subject.cpus, self.settings.connections, answers);
        self.lanes = Lanes::connect(floor.address, self.settings.connections);
        self.is_on_the_floor = true;
        subject.suspend();
        let mut report = Report::default();
        report.lead("broker", "floor");
        self.run(|| floor.open_window(), &mut report);
        subject.resume();
        // It ends with them.
        self.lanes = Lanes::connect(floor.address, 0);
        report
    }

    fn run(&mut self, open_window: impl Fn() -> Window, report: &mut Report) {
        let per_second = self.settings.requests_per_second();
        let warm = self.settings.warm_seconds * per_second;
        let all = warm + self.settings.seconds * per_second;
        let begin = Instant::now();
        let (mut latencies, mut late) = (Latencies::default(), 0);
        let (mut sent, mut answered, mut answers) = (0, 0, Vec::new());
        let mut window = None;
        while answered < all {
            while sent < all && self.time_of(begin, sent) <= Instant::now() {
                if sent == warm {
                    window = Some(open_window());
                }
                late += usize::from(self.time_of(begin, sent).elapsed() > LATE);
                self.send(sent);
                sent += 1;
            }
            let next = (sent < all).then(|| self.time_of(begin, sent));
            self.lanes.receive(next, &mut answers);
            for (lane, answer) in answers.drain(..) {
                let request = self.due[lane].pop_front().unwrap();
                self.answered_for(request).check(&answer);
                if request >= warm {
                    latencies.add(self.time_of(begin, request).elapsed());
                }
                answered += 1;
            }
        }
        let spent = window.unwrap().close();
        report.number("requests", latencies.count() as f64);
        report.number("late", late as f64);
        report.figure("broker_cpu_share", spent.broker / spent.wall);
        report.figure("us_per_request", spent.micros_per(latencies.count()));
        latencies.tell(report);
        spent.tell(report);
    }

    /// The routine that has the right answer to a request. The floor gives to all what the first was given.
    fn answered_for(&self, request: usize) -> &Routine {
        let (index, is_commit) = self.of(request);
        let group = &self.groups[if self.is_on_the_floor { 0 } else { index }];
        if is_commit { &group.commit } else { &group.heartbeat }
    }

    fn time_of(&self, begin: Instant, request: usize) -> Instant {
        let rate = self.settings.requests_per_second() as f64;
        begin + Duration::from_secs_f64(request as f64 / rate)
    }

    /// The group of a request, and whether it is its commit: half a second after its heartbeat.
    fn of(&self, request: usize) -> (usize, bool) {
        let is_commit = request % 2 == 1;
        let shift = if is_commit { self.groups.len() / 2 } else { 0 };
        ((request / 2 + shift) % self.groups.len(), is_commit)
    }

    fn send(&mut self, request: usize) {
        let (index, is_commit) = self.of(request);
        let second = request / self.settings.requests_per_second();
        let lane = index % self.settings.connections;
        let group = &mut self.groups[index];
        let template = if is_commit {
            let offset = BASE_OFFSET + 1 + second as i64;
            group.commit.template.put(group.offset_at, &offset.to_be_bytes());
            &mut group.commit.template
        } else {
            &mut group.heartbeat.template
        };
        self.lanes.send(lane, template);
        self.due[lane].push_back(request);
    }
}
