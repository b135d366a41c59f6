//! Requests of live members in a closed loop: what a heartbeat costs, and what a commit.

use std::str::FromStr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::lanes::Lanes;
use super::members::{
    CONSUMER_HEARTBEAT_VERSION, HEARTBEAT_VERSION, Member, OFFSET_COMMIT_VERSION, Protocol,
    assert_committed, commit, consumer_heartbeat_request, heartbeat_request,
};
use super::template::Template;
use super::{Latencies, Report, Subject, Topic, spec, unique};
use crate::connection::Connection;

/// Stands where an offset is written.
const OFFSET_MARK: i64 = 0x0f1e_2d3c_4b5a_6978;
/// What the members commit before the load.
const FIRST_OFFSET: i64 = 1;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Heartbeat,
    Commit,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "heartbeat" => Ok(Self::Heartbeat),
            "commit" => Ok(Self::Commit),
            _ => Err("neither heartbeat nor commit".to_owned()),
        }
    }
}

/// What can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    kind: Kind,
    protocol: Protocol,
    connections: usize,
    seconds: f64,
}

impl Settings {
    pub fn take(settings: &mut spec::Settings) -> Self {
        Self {
            kind: settings.take("request", Kind::Heartbeat),
            protocol: settings.take("protocol", Protocol::Classic),
            connections: settings.take_positive("connections", 8),
            seconds: settings.take("seconds", 5.0),
        }
    }
}

/// One of a member's requests, and the answer that it must have.
#[derive(Debug)]
pub(super) struct Routine {
    pub template: Template,
    /// All of the frame but the correlation id.
    pub right_answer: Bytes,
}

impl Routine {
    /// As `template`, whose first answer, which was found to be right, all others must equal.
    fn new(connection: &mut Connection, template: Template) -> Self {
        let mut routine = Self { template, right_answer: Bytes::new() };
        connection.send_raw(routine.template.numbered(0));
        let crate::connection::Outcome::Answer(frame) = connection.receive() else {
            panic!("the broker has closed the connection")
        };
        routine.right_answer = frame.slice(4..);
        routine
    }

    /// A member's heartbeat, which says nothing else.
    pub fn heartbeat(connection: &mut Connection, member: &Member) -> Self {
        let (group, id, epoch) = (&member.group, &member.id, member.epoch);
        let template = match member.protocol {
            Protocol::Classic => {
                let request = heartbeat_request(group, id, epoch);
                let answer = connection.ask(HEARTBEAT_VERSION, &request);
                assert_eq!(answer.error_code, 0, "{answer:?}");
                Template::of(HEARTBEAT_VERSION, &request)
            }
            Protocol::Consumer => {
                let request = consumer_heartbeat_request(group, id, epoch);
                let answer = connection.ask(CONSUMER_HEARTBEAT_VERSION, &request);
                let told = (answer.error_code, answer.member_epoch, &answer.assignment);
                assert_eq!(told, (0, epoch, &None), "{answer:?}");
                Template::of(CONSUMER_HEARTBEAT_VERSION, &request)
            }
        };
        Self::new(connection, template)
    }

    /// A member's commit, and where its offset is.
    pub fn commit(connection: &mut Connection, member: &Member, topic: &Topic) -> (Self, usize) {
        commit(connection, &member.commit_request(topic, 1, FIRST_OFFSET));
        let request = member.commit_request(topic, 1, OFFSET_MARK);
        let mut template = Template::of(OFFSET_COMMIT_VERSION, &request);
        let at = template.find(&OFFSET_MARK.to_be_bytes()).unwrap();
        template.put(at, &FIRST_OFFSET.to_be_bytes());
        (Self::new(connection, template), at)
    }

    /// Any other answer ends the trial.
    pub fn check(&self, answer: &Bytes) {
        assert_eq!(answer[4..], self.right_answer[..], "another answer than before");
    }
}

/// A trial: each connection has a member that waits for one answer.
pub(super) fn run(settings: &Settings, subject: &Subject) -> Report {
    let mut connection = subject.connect();
    let topic = Topic::create(&mut connection, 1);
    let mut routines: Vec<(Member, Routine, usize)> = Vec::new();
    for _ in 0..settings.connections {
        let group = unique("live");
        let member = Member::join(&mut connection, settings.protocol, group, &topic);
        let (routine, at) = match settings.kind {
            Kind::Heartbeat => (Routine::heartbeat(&mut connection, &member), 0),
            Kind::Commit => Routine::commit(&mut connection, &member, &topic),
        };
        routines.push((member, routine, at));
    }
    let mut lanes = Lanes::connect(subject.address, settings.connections);
    let mut offsets = vec![FIRST_OFFSET; settings.connections];
    let mut latencies = Latencies::default();
    let window = subject.open_window();
    let end = window.opened() + Duration::from_secs_f64(settings.seconds);
    let mut sent = vec![window.opened(); settings.connections];
    let mut next = |lane: usize, routines: &mut [(Member, Routine, usize)], lanes: &mut Lanes| {
        let (_, routine, at) = &mut routines[lane];
        if settings.kind == Kind::Commit {
            offsets[lane] += 1;
            routine.template.put(*at, &offsets[lane].to_be_bytes());
        }
        lanes.send(lane, &mut routine.template);
        Instant::now()
    };
    for (lane, sent) in sent.iter_mut().enumerate() {
        *sent = next(lane, &mut routines, &mut lanes);
    }
    let (mut answers, mut busy) = (Vec::new(), settings.connections);
    while busy > 0 {
        lanes.receive(None, &mut answers);
        let now = Instant::now();
        for (lane, answer) in answers.drain(..) {
            latencies.add(now - sent[lane]);
            routines[lane].1.check(&answer);
            if now < end {
                sent[lane] = next(lane, &mut routines, &mut lanes);
            } else {
                busy -= 1;
            }
        }
    }
    let spent = window.close();
    for (lane, (member, ..)) in routines.iter().enumerate() {
        if settings.kind == Kind::Commit {
            assert_committed(&mut connection, &member.group, &topic, 1, offsets[lane]);
        }
    }
    topic.delete(&mut connection);
    let mut report = Report::default();
    report.number("requests", latencies.count() as f64);
    report.figure("us_per_request", spent.micros_per(latencies.count()));
    latencies.tell(&mut report);
    spent.tell(&mut report);
    report
}
