//! The threads that compact logs (`log.cleaner.*`): none before a log has something to clean, and none after it.
//!
//! Whoever calls `on_time` looks for dirt and starts as many threads as there are dirty logs, up to
//! `log.cleaner.threads`. Each cleans the dirtiest log until there is none, and ends. A log of which a cleaning did
//! not succeed waits for the next look. Reads and writes keep to `log.cleaner.io.max.bytes.per.second`, each thread
//! to its share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::partitions::{Partition, Partitions};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::log::cleaner::Limits;
use crate::shell::clock::Clock;
use crate::shell::random::random_bytes;
use crate::shell::tasks::Thread;
use crate::types::time::{Mono, Now};

/// So many threads at most, whatever is configured.
const THREADS_MAX: usize = 64;
/// Below this many bytes the clock is not asked whether they came too fast.
const PACE_BYTES: u64 = 16 * 1024;
/// Nobody looks more often than this.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// See the module.
pub struct Cleaner {
    partitions: Arc<Partitions>,
    config: Arc<ArcSwap<BrokerConfig>>,
    clock: Clock,
    state: Mutex<State>,
    /// Told when the threads are to end.
    stop: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    due: Option<Mono>,
    workers: Vec<Worker>,
}

#[derive(Default)]
struct Worker {
    is_working: bool,
    /// The last thread, which may have ended.
    thread: Option<Thread>,
}

impl Cleaner {
    /// Nothing runs yet.
    pub fn new(
        partitions: Arc<Partitions>,
        config: Arc<ArcSwap<BrokerConfig>>,
        clock: Clock,
    ) -> Arc<Self> {
        let (state, stop) = (Mutex::default(), Condvar::new());
        Arc::new(Self { partitions, config, clock, state, stop })
    }

    /// Looks for dirt if it is time to. To be called again at the time that it gives, or earlier; none if
    /// compaction is off.
    pub fn on_time(self: &Arc<Self>, now: Now) -> Option<Mono> {
        let config = self.config.load();
        if !config.log_cleaner_enable {
            return None;
        }
        let backoff = Duration::from_millis(config.log_cleaner_backoff_ms.max(0).cast_unsigned());
        let next = now.mono.after(backoff.max(INTERVAL_MIN));
        let due = *self.lock().due.get_or_insert(next);
        // A shorter backoff that is set meanwhile holds at once.
        if due > now.mono && due <= next {
            return Some(due);
        }
        self.lock().due = Some(next);
        let dirty = self.partitions.look_for_dirt(now);
        if dirty > 0 {
            self.start(dirty.min(threads_of(&config)));
        }
        Some(next)
    }

    /// Starts threads until so many work.
    fn start(self: &Arc<Self>, wanted: usize) {
        let mut state = self.lock();
        if state.stopping {
            return;
        }
        let working = state.workers.iter().filter(|worker| worker.is_working).count();
        for _ in working..wanted {
            let idle = state.workers.iter().position(|worker| !worker.is_working);
            let place = idle.unwrap_or(state.workers.len());
            if idle.is_none() {
                state.workers.push(Worker::default());
            }
            let Some(worker) = state.workers.get_mut(place) else { return };
            if let Some(Err(error)) = worker.thread.take().map(Thread::join) {
                tracing::error!(%error, "a fault of this program");
            }
            let kept = Arc::clone(self);
            match Thread::start("cleaner", move || kept.work(place)) {
                Ok(thread) => *worker = Worker { is_working: true, thread: Some(thread) },
                Err(error) => {
                    tracing::error!(%error, "start a thread that compacts logs");
                    return;
                }
            }
        }
    }

    /// Cleans until nothing is dirty.
    fn work(&self, place: usize) {
        let mut passed_over: Vec<Arc<Partition>> = Vec::new();
        while !self.lock().stopping {
            let is_passed_over = |partition: &Partition| {
                passed_over.iter().any(|other| std::ptr::eq(&raw const **other, partition))
            };
            let begun = self.partitions.begin_cleaning(self.clock.now(), is_passed_over);
            let Some(begun) = begun else { break };
            let partition = Arc::clone(&begun.partition);
            let config = self.config.load_full();
            let mut pace = Pace::new(self, &config);
            let limits = limits(&config);
            let cleaned = self.partitions.clean(begun, &limits, &mut |bytes| pace.passed(bytes));
            match cleaned {
                Some(report) => {
                    let (topic, id) = (&partition.topic, partition.id);
                    let (cleaned_to, before, after) =
                        (report.cleaned_to, report.before_bytes, report.after_bytes);
                    tracing::info!(%topic, partition = %id, %cleaned_to, before, after, "compacted a log");
                }
                None => passed_over.push(partition),
            }
        }
        if let Some(worker) = self.lock().workers.get_mut(place) {
            worker.is_working = false;
        }
    }

    /// Ends all threads; a cleaning that is under way is given up. They have ended when this returns.
    pub fn stop(&self) {
        let workers = {
            let mut state = self.lock();
            state.stopping = true;
            self.stop.notify_all();
            std::mem::take(&mut state.workers)
        };
        for thread in workers.into_iter().filter_map(|worker| worker.thread) {
            if let Err(error) = thread.join() {
                tracing::error!(%error, "a fault of this program");
            }
        }
    }

    /// Waits until nothing is dirty.
    #[cfg(test)]
    fn join(&self) {
        let threads: Vec<_> =
            self.lock().workers.iter_mut().filter_map(|worker| worker.thread.take()).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until the end. False at the end.
    fn wait(&self, time: Duration) -> bool {
        let waited = self.stop.wait_timeout_while(self.lock(), time, |state| !state.stopping);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.stopping
    }
}

fn threads_of(config: &BrokerConfig) -> usize {
    usize::try_from(config.log_cleaner_threads).unwrap_or(0).min(THREADS_MAX)
}

fn limits(config: &BrokerConfig) -> Limits {
    let threads = threads_of(config).max(1);
    let share = |bytes: i64| usize::try_from(bytes).unwrap_or(0) / threads;
    let drawn = u128::from_be_bytes(random_bytes());
    Limits {
        map_bytes: share(config.log_cleaner_dedupe_buffer_size),
        load_factor: config.log_cleaner_io_buffer_load_factor,
        buffer_bytes: share(i64::from(config.log_cleaner_io_buffer_size)) / 2,
        secret: [(drawn >> 64) as u64, drawn as u64],
    }
}

/// Keeps one thread to its share of `log.cleaner.io.max.bytes.per.second`.
struct Pace<'a> {
    cleaner: &'a Cleaner,
    bytes_per_second: f64,
    since: Mono,
    bytes: u64,
    unseen_bytes: u64,
}

impl<'a> Pace<'a> {
    fn new(cleaner: &'a Cleaner, config: &BrokerConfig) -> Self {
        let share = f64::from(config.log_cleaner_threads.max(1));
        let bytes_per_second = config.log_cleaner_io_max_bytes_per_second / share;
        let since = cleaner.clock.now().mono;
        Self { cleaner, bytes_per_second, since, bytes: 0, unseen_bytes: 0 }
    }

    /// So many bytes were read or written. False if it is time to end.
    fn passed(&mut self, bytes: u64) -> bool {
        self.unseen_bytes += bytes;
        if self.unseen_bytes < PACE_BYTES {
            return true;
        }
        self.bytes += std::mem::take(&mut self.unseen_bytes);
        let spent = self.cleaner.clock.now().mono.since(self.since);
        let wait = delay(self.bytes, self.bytes_per_second, spent);
        self.cleaner.wait(wait)
    }
}

/// How long after `spent` so many bytes may have come at this rate.
#[expect(clippy::cast_precision_loss, reason = "a delay need not be exact to the byte")]
fn delay(bytes: u64, bytes_per_second: f64, spent: Duration) -> Duration {
    let seconds = bytes as f64 / bytes_per_second;
    let due = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if bytes_per_second > 0.0 { due.saturating_sub(spent) } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::drivers::partitions::dirty_partitions;

    const MS: Duration = Duration::from_millis(1);

    fn cleaner(keys: &[(&str, &str)]) -> (tempfile::TempDir, Arc<Cleaner>) {
        let clock = Clock::new();
        let (root, partitions, config) = dirty_partitions(keys, clock.now());
        let config = Arc::new(ArcSwap::from_pointee(config));
        (root, Cleaner::new(Arc::new(partitions), config, clock))
    }

    #[test]
    fn a_thread_comes_for_dirt_and_goes_with_it() {
        let (_root, cleaner) = cleaner(&[("log.cleaner.threads", "2")]);
        let now = cleaner.clock.now();
        assert_eq!(cleaner.on_time(now), Some(now.mono.after(15_000 * MS)));
        assert!(cleaner.lock().workers.is_empty(), "it looks first after a while");
        let later = Now { mono: now.mono.after(15_000 * MS), ..now };
        assert_eq!(cleaner.on_time(later), Some(now.mono.after(30_000 * MS)));
        assert_eq!(cleaner.lock().workers.len(), 1, "one log is dirty");
        cleaner.join();
        assert!(cleaner.lock().workers.iter().all(|worker| !worker.is_working));
        assert_eq!(cleaner.partitions.look_for_dirt(now), 0);
        let again = Now { mono: now.mono.after(30_000 * MS), ..now };
        cleaner.on_time(again);
        assert!(cleaner.lock().workers.iter().all(|worker| worker.thread.is_none()));
        cleaner.stop();
        cleaner.start(1);
        assert!(cleaner.lock().workers.is_empty(), "it has ended");
    }

    #[test]
    fn it_is_off_where_the_key_says_so_and_looks_as_often_as_the_other_says() {
        let (_root, off) = cleaner(&[("log.cleaner.enable", "false")]);
        assert_eq!(off.on_time(off.clock.now()), None);
        let (_root, often) = cleaner(&[("log.cleaner.backoff.ms", "20")]);
        let now = often.clock.now();
        assert_eq!(often.on_time(now), Some(now.mono.after(20 * MS)));
    }

    #[test]
    fn bytes_are_spread_over_time() {
        let check = |bytes: u64, rate: f64, spent_ms: u32, expected_ms: u32| {
            assert_eq!(delay(bytes, rate, spent_ms * MS), expected_ms * MS, "{bytes} at {rate}");
        };
        check(1000, 1000.0, 0, 1000);
        check(1000, 1000.0, 400, 600);
        check(1000, 1000.0, 1001, 0);
        check(u64::MAX, f64::MAX, 0, 0);
        check(1000, 0.0, 0, 0);
        assert!(delay(u64::MAX, 1e-300, MS) > Duration::from_secs(1 << 40));
    }

    #[test]
    fn memory_is_shared_by_the_threads() {
        let (_root, cleaner) = cleaner(&[("log.cleaner.threads", "4")]);
        let limits = limits(&cleaner.config.load());
        assert_eq!((limits.map_bytes, limits.buffer_bytes), (32 << 20, 64 << 10));
    }
}
