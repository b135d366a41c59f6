//! The threads of all coordinators of a node: one for the timers, and some for loads while there are any.
//!
//! The thread of the timers sleeps until the earliest deadline that it knows of; an earlier one wakes it. A deadline
//! that has moved back since wakes it in vain, once: that is cheaper than to tell it of each. Without deadlines, and
//! without loads, nothing runs.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::shell::clock::Clock;
use crate::shell::tasks::Thread;
use crate::types::time::{Mono, Now};

/// Someone who has timers.
pub(super) trait Timed: Send + Sync {
    /// Does what is due. Gives when the next thing is.
    fn on_time(&self, now: Now) -> Option<Mono>;
}

/// A load: asks for the time when it has ended, which may be long after it began.
pub(super) type Job = Box<dyn FnOnce(Clock) + Send>;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// See the module.
pub struct Threads {
    clock: Clock,
    runtime: Handle,
    timed: Mutex<Vec<Weak<dyn Timed>>>,
    /// The earliest deadline that the thread knows of, in nanoseconds; [`NEVER`] if there is none.
    earliest: AtomicU64,
    wake: Notify,
    stopping: AtomicBool,
    timers: Mutex<Option<Thread>>,
    /// Nothing is loaded any more.
    loads_ended: AtomicBool,
    /// How many logs are read side by side.
    loads_max: usize,
    loads: Mutex<Loads>,
}

#[derive(Default)]
struct Loads {
    /// One for each shard at most.
    jobs: VecDeque<Job>,
    /// How many threads work, and will see what is added.
    working: usize,
    /// All that were started and not joined yet, of which some may have ended.
    threads: Vec<Thread>,
}

impl Threads {
    /// Starts the thread of the timers. So many logs are loaded side by side.
    pub fn start(clock: Clock, loads_max: usize) -> io::Result<Arc<Self>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let threads = Arc::new(Self {
            clock,
            runtime: runtime.handle().clone(),
            timed: Mutex::default(),
            earliest: AtomicU64::new(NEVER),
            wake: Notify::new(),
            stopping: AtomicBool::new(false),
            timers: Mutex::default(),
            loads_ended: AtomicBool::new(false),
            loads_max: loads_max.max(1),
            loads: Mutex::default(),
        });
        let kept = Arc::clone(&threads);
        let thread = Thread::start("coordinators", move || runtime.block_on(kept.keep_time()))?;
        *lock(&threads.timers) = Some(thread);
        Ok(threads)
    }

    /// The node stops: loads that are under way end at their next batch, and none begins. Nobody is waited for.
    pub fn end_loads(&self) {
        self.loads_ended.store(true, Ordering::Release);
        lock(&self.loads).jobs.clear();
    }

    pub(super) fn has_ended_loads(&self) -> bool {
        self.loads_ended.load(Ordering::Acquire)
    }

    /// Ends all threads. What they are doing is done when this returns; what waits is dropped.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake.notify_one();
        self.end_loads();
        let loads = std::mem::take(&mut lock(&self.loads).threads);
        let timers = lock(&self.timers).take();
        timers.into_iter().chain(loads).for_each(join);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// From now on its timers are kept.
    pub(super) fn enter(&self, timed: Weak<dyn Timed>) {
        lock(&self.timed).push(timed);
    }

    /// A deadline that the thread may not know of yet.
    pub(super) fn wake_by(&self, deadline: Mono) {
        let nanos = nanos(deadline);
        if nanos < self.earliest.load(Ordering::Acquire)
            && nanos < self.earliest.fetch_min(nanos, Ordering::AcqRel)
        {
            self.wake.notify_one();
        }
    }

    /// Runs a future beside the timers. It is dropped when they stop.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The runtime owns it, and drops it when its thread ends.
        drop(self.runtime.spawn(task));
    }

    /// Runs `job` on a thread for loads, once one is free.
    pub(super) fn load(self: &Arc<Self>, job: Job) {
        let mut loads = lock(&self.loads);
        if self.has_ended_loads() {
            return;
        }
        loads.jobs.push_back(job);
        if loads.working == self.loads_max {
            return;
        }
        loads.working += 1;
        // Whoever has ended since is joined by the new one; whoever is about to end, by the one after it.
        let (ended, left) = loads.threads.drain(..).partition(Thread::is_finished);
        loads.threads = left;
        let kept = Arc::clone(self);
        let run = move || {
            Vec::<Thread>::into_iter(ended).for_each(join);
            while let Some(job) = kept.next_job() {
                job(kept.clock);
            }
        };
        match Thread::start("load-coord", run) {
            Ok(thread) => loads.threads.push(thread),
            Err(error) => {
                loads.working -= 1;
                if loads.working == 0 {
                    tracing::error!(%error, "start a thread that loads coordinators");
                }
            }
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut loads = lock(&self.loads);
        let job = loads.jobs.pop_front();
        loads.working -= usize::from(job.is_none());
        job
    }

    async fn keep_time(&self) {
        while !self.is_stopping() {
            // What comes up while the timers are looked at counts from here on.
            self.earliest.store(NEVER, Ordering::Release);
            let timed: Vec<_> = lock(&self.timed).iter().filter_map(Weak::upgrade).collect();
            let now = self.clock.now();
            let next = timed.iter().filter_map(|timed| timed.on_time(now)).min();
            drop(timed);
            if let Some(next) = next {
                self.earliest.fetch_min(nanos(next), Ordering::AcqRel);
            }
            self.sleep().await;
        }
    }

    /// Until the earliest deadline, or until an earlier one comes up.
    async fn sleep(&self) {
        match self.earliest.load(Ordering::Acquire) {
            NEVER => self.wake.notified().await,
            earliest => {
                let now = nanos(self.clock.now().mono);
                let left = Duration::from_nanos(earliest.saturating_sub(now));
                // Either is a reason to look.
                let _ = timeout(left, self.wake.notified()).await;
            }
        }
    }
}

fn join(thread: Thread) {
    if let Err(error) = thread.join() {
        tracing::error!(%error, "a fault of this program");
    }
}

fn nanos(at: Mono) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(NEVER - 1)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
