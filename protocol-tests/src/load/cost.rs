//! What the broker, this process and everybody else spend: from /proc, whose run times of threads are exact.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};

use super::Report;

const TICKS_PER_SECOND: f64 = 100.0;
const NANOS_PER_SECOND: f64 = 1e9;
/// What all threads together have used may lie so far below what the process has, in steps of 10 ms. If it is more,
/// threads have ended in between.
const LOST_S: f64 = 0.05;

/// Lets this thread, and what it starts from now on, run on one CPU only.
pub(super) fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).unwrap();
}

/// Whose use is looked at.
#[derive(Clone, Debug)]
enum Watched {
    Processes(Vec<u32>),
    /// One of this process.
    Thread(u32),
}

impl Watched {
    fn used(&self) -> Used {
        match self {
            Self::Processes(processes) => Used::of(processes),
            Self::Thread(thread) => Used::of_thread(*thread),
        }
    }
}

/// What processes have used so far.
#[derive(Clone, Debug, Default)]
struct Used {
    /// Run time of each thread, in nanoseconds. A thread that ends takes its figure with it.
    threads: BTreeMap<u32, u64>,
    /// The same of all, with those that have ended, in steps of 10 ms.
    coarse_s: f64,
}

impl Used {
    fn of(processes: &[u32]) -> Self {
        let mut used = Self::default();
        for process in processes {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
            used.coarse_s += fields_of(&stat)[11..13].iter().map(|it| ticks(it)).sum::<f64>();
            for task in fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten() {
                let thread = task.file_name().to_string_lossy().parse().unwrap();
                // It may have ended since it was listed.
                if let Ok(nanos) = run_nanos(&task.path()) {
                    used.threads.insert(thread, nanos);
                }
            }
        }
        used
    }

    /// A thread of this process that outlives the window.
    fn of_thread(thread: u32) -> Self {
        let nanos = run_nanos(Path::new(&format!("/proc/self/task/{thread}"))).unwrap();
        let coarse_s = nanos as f64 / NANOS_PER_SECOND;
        Self { threads: BTreeMap::from([(thread, nanos)]), coarse_s }
    }

    fn since(&self, before: &Self) -> f64 {
        let earlier = |thread| before.threads.get(thread).copied().unwrap_or(0);
        let nanos: u64 =
            self.threads.iter().map(|(it, nanos)| nanos.saturating_sub(earlier(it))).sum();
        let (exact_s, coarse_s) =
            (nanos as f64 / NANOS_PER_SECOND, self.coarse_s - before.coarse_s);
        if coarse_s - exact_s > LOST_S { coarse_s } else { exact_s }
    }
}

/// How long a thread has run, exactly; an error if it has ended.
fn run_nanos(task: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    Ok(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// What follows the name of a process in its `stat`; the name may have spaces.
fn fields_of(stat: &str) -> Vec<&str> {
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().collect()
}

fn ticks(text: &str) -> f64 {
    text.parse::<f64>().unwrap() / TICKS_PER_SECOND
}

/// The processes of a group.
pub(super) fn processes_of(group: u32) -> Vec<u32> {
    let is_of = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        !stat.is_empty() && fields_of(&stat)[2] == group.to_string()
    };
    let listed = fs::read_dir("/proc").unwrap().flatten();
    listed.filter_map(|it| it.file_name().to_string_lossy().parse().ok()).filter(is_of).collect()
}

/// What processes have in memory, in KiB.
pub(super) fn rss_kib(processes: &[u32]) -> u64 {
    let of = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    processes.iter().map(of).sum()
}

/// Busy time of all CPUs.
fn host_busy_s() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<f64> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(ticks).collect();
    fields[0] + fields[1] + fields[2] + fields[5] + fields[6]
}

/// A part of a trial that is measured.
#[derive(Debug)]
pub struct Window {
    watched: Watched,
    broker: Used,
    own: Used,
    host_s: f64,
    opened: Instant,
}

impl Window {
    /// Begins now.
    pub fn open(processes: Vec<u32>) -> Self {
        Self::of(Watched::Processes(processes))
    }

    /// Looks at a thread of this process as at a broker.
    pub(super) fn of_thread(thread: u32) -> Self {
        Self::of(Watched::Thread(thread))
    }

    fn of(watched: Watched) -> Self {
        let own = Used::of(&[std::process::id()]);
        let broker = watched.used();
        Self { watched, broker, own, host_s: host_busy_s(), opened: Instant::now() }
    }

    /// When it began.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Ends now.
    pub fn close(self) -> Spent {
        let wall = self.opened.elapsed().as_secs_f64();
        let broker = self.watched.used().since(&self.broker);
        let mut own = Used::of(&[std::process::id()]).since(&self.own);
        if matches!(self.watched, Watched::Thread(_)) {
            own -= broker;
        }
        let others = (host_busy_s() - self.host_s - broker - own).max(0.0);
        Spent { wall, broker, own, others }
    }
}

/// What was spent in a window, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// By the clock.
    pub wall: f64,
    /// By the broker's CPU.
    pub broker: f64,
    own: f64,
    others: f64,
}

impl Spent {
    /// The broker's CPU for each of so many, in microseconds.
    pub fn micros_per(&self, count: u64) -> f64 {
        self.broker * 1e6 / count as f64
    }

    /// Into a report. A client that is busy all the time is the bottleneck: the rate is void then, the cost is not.
    pub fn tell(&self, report: &mut Report) {
        report.number("wall_s", self.wall);
        report.number("broker_cpu_s", self.broker);
        report.number("client_cpu_share", self.own / self.wall);
        report.number("others_cpu_share", self.others / self.wall);
    }
}
