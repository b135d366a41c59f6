//! Transactions in a closed loop, and the same batches without them, in one run and alternating: so that the ratio
//! of their costs can be told. At the end a reader of committed records sees exactly what was committed.

use std::time::{Duration, Instant};

use super::cost::Spent;
use super::lanes::Lanes;
use super::members::assert_committed;
use super::producers::{Mode, Producer, Progress, Work, Written, batch};
use super::readback::committed_batches;
use super::report::median;
use super::{Latencies, Report, Subject, Topic, spec};

const BYTES_PER_GIB: f64 = (1_u64 << 30) as f64;

/// What can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// One, or two with a plus between them, which then alternate: A B B A.
    modes: Vec<Mode>,
    /// How often: what memory and disk do to one turn must not decide.
    repeats: usize,
    connections: usize,
    partitions: usize,
    /// How many batches in a turn.
    count: usize,
    records: usize,
    record_bytes: usize,
    /// One in so many transactions is aborted; 0: none.
    abort_every: usize,
    with_offsets: bool,
    /// How long a producer waits while its transaction before is not over.
    again: Duration,
}

impl Settings {
    pub fn take(settings: &mut spec::Settings) -> Self {
        let modes = settings.take("modes", "tv2+idempotent".to_owned());
        let modes: Vec<Mode> = modes.split('+').map(Mode::parse).collect();
        assert!((1..=2).contains(&modes.len()), "one mode, or two");
        Self {
            modes,
            connections: settings.take_positive("connections", 8),
            partitions: settings.take_positive("partitions", 8),
            repeats: settings.take_positive("repeats", 4),
            count: settings.take_positive("count", 1_000),
            records: settings.take_positive("records", 100),
            record_bytes: settings.take("bytes", 1024),
            abort_every: settings.take("abort_every", 0),
            with_offsets: settings.take("offsets", false),
            again: Duration::from_millis(settings.take("again_ms", 5)),
        }
    }

    fn is_committed(&self, mode: Mode, index: usize) -> bool {
        let is_spared = self.abort_every == 0 || !(index + 1).is_multiple_of(self.abort_every);
        mode == Mode::Idempotent || is_spared
    }
}

/// A trial: a report for each turn of a mode, and one for their ratio.
pub(super) fn run(settings: &Settings, subject: &Subject) -> Vec<Report> {
    let (Some(&first), last) = (settings.modes.first(), settings.modes.get(1)) else {
        return vec![];
    };
    let Some(&second) = last else { return vec![turn(settings, first, subject).1] };
    let mut reports = Vec::new();
    let mut costs: [Vec<f64>; 2] = Default::default();
    for (mode, costs_at) in
        [(first, 0), (second, 1), (second, 1), (first, 0)].repeat(settings.repeats)
    {
        let (cost, report) = turn(settings, mode, subject);
        costs[costs_at].push(cost);
        reports.push(report);
    }
    let [first_costs, second_costs] = costs;
    let mut ratio = Report::default();
    ratio.text("mode", &format!("{} : {}", first.name(), second.name()));
    ratio.figure("ratio_of_cpu", median(first_costs) / median(second_costs));
    reports.push(ratio);
    reports
}

/// One turn: what a batch costs, and all that is to be told.
fn turn(settings: &Settings, mode: Mode, subject: &Subject) -> (f64, Report) {
    let work = Work {
        mode,
        with_offsets: settings.with_offsets,
        records: settings.records,
        record_bytes: settings.record_bytes,
    };
    let mut connection = subject.connect();
    let topic = Topic::create(&mut connection, settings.partitions as i32);
    let begin = |lane| Producer::begin(&mut connection, lane, &work, &topic);
    let producers = (0..settings.connections).map(begin).collect();
    let lanes = Lanes::connect(subject.address, settings.connections);
    let mut load = Load {
        settings,
        mode,
        producers,
        lanes,
        begun: 0,
        written: Vec::new(),
        again: Vec::new(),
        repeated: 0,
        latencies: Latencies::default(),
    };
    let spent = load.run(subject);
    let partitions = 0..topic.partitions;
    for partition in partitions {
        let seen = committed_batches(&mut connection, &topic, partition);
        assert_eq!(seen, load.committed(partition), "what was committed in {partition}");
    }
    for producer in load.producers.iter().filter(|it| it.committed_offset > 0) {
        let offset = producer.committed_offset;
        assert_committed(&mut connection, &producer.group, &topic, 1, offset);
    }
    topic.delete(&mut connection);
    let count = settings.count as u64;
    let gib = (settings.count * batch(&work).len()) as f64 / BYTES_PER_GIB;
    let mut report = Report::default();
    report.text("mode", mode.name());
    report.number("count", settings.count as f64);
    report.figure("us_per_batch", spent.micros_per(count));
    report.figure("cpu_s_per_gib", spent.broker / gib);
    report.figure("per_second", settings.count as f64 / spent.wall);
    report.number("repeated", load.repeated as f64);
    load.latencies.tell(&mut report);
    spent.tell(&mut report);
    (spent.micros_per(count), report)
}

/// The closed loop.
struct Load<'a> {
    settings: &'a Settings,
    mode: Mode,
    producers: Vec<Producer>,
    lanes: Lanes,
    begun: usize,
    written: Vec<Written>,
    /// Who asks again, and when.
    again: Vec<(Instant, usize)>,
    repeated: usize,
    latencies: Latencies,
}

impl Load<'_> {
    fn run(&mut self, subject: &Subject) -> Spent {
        let window = subject.open_window();
        let mut since = vec![window.opened(); self.producers.len()];
        (0..self.producers.len()).for_each(|lane| self.begin_next(lane));
        let mut answers = Vec::new();
        while self.written.len() < self.settings.count {
            self.repeat();
            let next = self.again.iter().map(|(at, _)| *at).min();
            self.lanes.receive(next, &mut answers);
            for (lane, answer) in answers.drain(..) {
                match self.producers[lane].hear(answer) {
                    Progress::Goes => self.producers[lane].ask(&mut self.lanes),
                    Progress::Again => {
                        self.again.push((Instant::now() + self.settings.again, lane));
                    }
                    Progress::Done => {
                        self.written.push(self.producers[lane].written());
                        self.latencies.add(since[lane].elapsed());
                        since[lane] = Instant::now();
                        self.begin_next(lane);
                    }
                }
            }
        }
        window.close()
    }

    fn begin_next(&mut self, lane: usize) {
        if self.begun < self.settings.count {
            let partition = (self.begun % self.settings.partitions) as i32;
            let is_committed = self.settings.is_committed(self.mode, self.begun);
            self.begun += 1;
            self.producers[lane].next(&mut self.lanes, partition, is_committed);
        }
    }

    /// Those whose time has come ask again.
    fn repeat(&mut self) {
        let now = Instant::now();
        let (due, later) = self.again.drain(..).partition(|(at, _)| *at <= now);
        self.again = later;
        let due: Vec<(Instant, usize)> = due;
        self.repeated += due.len();
        for (_, lane) in due {
            self.producers[lane].ask(&mut self.lanes);
        }
    }

    /// What a reader of committed records must see.
    fn committed(&self, partition: i32) -> Vec<(i64, i32)> {
        let is_seen = |it: &&Written| it.partition == partition && it.is_committed;
        let count = self.settings.records as i32;
        let seen = self.written.iter().filter(is_seen).map(|it| (it.base_offset, count));
        let mut seen: Vec<(i64, i32)> = seen.collect();
        seen.sort_unstable();
        seen
    }
}
