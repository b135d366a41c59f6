//! Threads and tasks are started here and nowhere else: each has a name or an owner, and is waited for.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// A thread with a name, which shows in `top -H`. Whoever started it joins it.
#[derive(Debug)]
pub struct Thread {
    name: String,
    handle: JoinHandle<()>,
}

/// A thread ended by a panic: a fault of this program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("thread {0} panicked")]
pub struct Panicked(pub String);

impl Thread {
    /// Starts `body` on a thread of its own. The system cuts names after 15 bytes.
    pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let handle = Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(Self { name: name.to_owned(), handle })
    }

    /// Whether it has ended, so that [`Self::join`] does not wait.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits until it has ended.
    pub fn join(self) -> Result<(), Panicked> {
        self.handle.join().map_err(|_| Panicked(self.name))
    }
}

/// No more threads than this work side by side, whatever is configured.
const SIDE_BY_SIDE_MAX: usize = 64;

/// Does `work` with each item on up to `threads` threads, one of which is the caller's, and gives the results in the
/// order of the items. Where no thread can be had, the caller does it all. A panic goes on in the caller.
pub fn side_by_side<T: Sync, R: Send>(
    name: &str,
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let more = threads.min(SIDE_BY_SIDE_MAX).min(items.len()).saturating_sub(1);
    let mut done = std::thread::scope(|scope| {
        let start = |_| Builder::new().name(name.to_owned()).spawn_scoped(scope, run).ok();
        let started: Vec<_> = (0..more).map_while(start).collect();
        let mut done = run();
        for thread in started {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Tasks of one owner, on the runtime that runs it. Those still running when this is dropped end with it.
#[derive(Debug, Default)]
pub struct Tasks(JoinSet<()>);

impl Tasks {
    /// Starts a task; the handle ends it early.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.0.spawn(task)
    }

    /// The next task that ended, or none if there are no tasks. A panic has ended no more than its own task; it is
    /// reported here.
    pub async fn ended(&mut self) -> Option<Id> {
        self.0.join_next_with_id().await.map(told)
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends all and waits for that.
    pub async fn stop(&mut self) {
        self.0.abort_all();
        while self.ended().await.is_some() {}
    }
}

fn told(result: Result<(Id, ()), JoinError>) -> Id {
    match result {
        Ok((id, ())) => id,
        Err(error) => {
            if error.is_panic() {
                tracing::error!(%error, "a task panicked: a fault of this program");
            }
            error.id()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_joined_and_its_panic_is_told_by_name() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let fine = Thread::start("fine", move || assert!(wait.recv().is_err()));
        let fine = fine.unwrap();
        assert!(!fine.is_finished());
        drop(go);
        assert_eq!(fine.join(), Ok(()));
        let broken = Thread::start("broken", || std::panic::resume_unwind(Box::new(())));
        assert_eq!(broken.unwrap().join(), Err(Panicked("broken".to_owned())));
    }

    #[test]
    fn what_is_done_side_by_side_comes_in_order() {
        for threads in [0, 1, 2, 7, usize::MAX] {
            let items: Vec<usize> = (0..100).collect();
            let doubled = side_by_side("double", threads, &items, |item| item * 2);
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
            assert!(side_by_side("none", threads, &[(); 0], |()| ()).is_empty());
        }
    }

    #[test]
    fn so_many_work_side_by_side_as_may() {
        // Each waits for the other: one alone would never end.
        let both = std::sync::Barrier::new(2);
        let led = side_by_side("meet", 2, &[(), ()], |()| both.wait().is_leader());
        assert_eq!(led.into_iter().filter(|led| *led).count(), 1);
        let caller = std::thread::current().id();
        let alone = side_by_side("alone", 1, &[(), ()], |()| std::thread::current().id());
        assert_eq!(alone, [caller, caller]);
    }

    #[test]
    fn a_panic_on_the_side_is_the_callers() {
        let both = std::sync::Barrier::new(2);
        let caller = std::thread::current().id();
        let work = |(): &()| {
            both.wait();
            if std::thread::current().id() != caller {
                std::panic::resume_unwind(Box::new("on the side"));
            }
        };
        let work = std::panic::AssertUnwindSafe(|| side_by_side("panic", 2, &[(), ()], work));
        let panic = std::panic::catch_unwind(work).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on the side"));
    }

    #[tokio::test]
    async fn one_tasks_panic_ends_no_other() {
        let mut tasks = Tasks::default();
        let broken = tasks.spawn(async { std::panic::resume_unwind(Box::new(())) });
        let fine = tasks.spawn(std::future::pending());
        assert_eq!(tasks.ended().await, Some(broken.id()));
        assert!(!tasks.is_empty() && !fine.is_finished());
        tasks.stop().await;
        assert!(tasks.is_empty() && fine.is_finished());
    }
}
