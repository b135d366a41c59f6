//! Threads and tasks are started here and nowhere else: each has a name or an owner, and is waited for.

use std::future::Future;
use std::io;
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

    /// Waits until it has ended.
    pub fn join(self) -> Result<(), Panicked> {
        self.handle.join().map_err(|_| Panicked(self.name))
    }
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

    /// A task that has ended already.
    pub fn ended_already(&mut self) -> Option<Id> {
        self.0.try_join_next_with_id().map(told)
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
        assert_eq!(Thread::start("fine", || ()).unwrap().join(), Ok(()));
        let broken = Thread::start("broken", || std::panic::resume_unwind(Box::new(())));
        assert_eq!(broken.unwrap().join(), Err(Panicked("broken".to_owned())));
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
