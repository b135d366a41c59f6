//! The thread that does for the partitions what is due: checkpoints, retention, flushes, removals.
//!
//! It also looks for logs to compact, which threads of their own do then.
//!
//! It sleeps until the next thing is due. Whoever started it ends it, and waits for what it was doing.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{Builder, JoinHandle};

use super::cleaner::Cleaner;
use super::partitions::Partitions;
use crate::shell::clock::Clock;

/// The running thread.
pub struct Background {
    /// Dropped to end it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
    cleaner: Arc<Cleaner>,
}

impl Background {
    /// Starts it. `on_unusable` is told, once, that no log directory can be written any more: the node has to end.
    pub fn start(
        partitions: Arc<Partitions>,
        cleaner: Arc<Cleaner>,
        clock: Clock,
        on_unusable: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let looking = Arc::clone(&cleaner);
        let run = move || {
            let mut on_unusable = Some(on_unusable);
            loop {
                let next = partitions.on_time(clock.now());
                let clean = looking.on_time(clock.now());
                let next = clean.map_or(next, |clean| clean.min(next));
                if !partitions.is_usable()
                    && let Some(tell) = on_unusable.take()
                {
                    tell();
                }
                let sleep = next.since(clock.now().mono);
                if stopped.recv_timeout(sleep) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = Builder::new().name("background".to_owned()).spawn(run)?;
        Ok(Self { stop, thread, cleaner })
    }

    /// Ends it. What it is doing is done when this returns.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the background thread has panicked");
        }
        self.cleaner.stop();
    }
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwap;

    use super::*;
    use crate::kernel::configs::broker::BrokerConfig;
    use crate::kernel::configs::layers::Texts;
    use crate::types::ids::{DirectoryId, NodeId};

    fn texts() -> Texts {
        Texts::from([
            ("node.id".to_owned(), "1".to_owned()),
            ("process.roles".to_owned(), "broker,controller".to_owned()),
            ("controller.listener.names".to_owned(), "CONTROLLER".to_owned()),
            ("listeners".to_owned(), "PLAINTEXT://:9092,CONTROLLER://:9093".to_owned()),
            ("controller.quorum.bootstrap.servers".to_owned(), "localhost:9093".to_owned()),
        ])
    }

    fn partitions(path: std::path::PathBuf, clock: Clock) -> Partitions {
        let config = BrokerConfig::new(&texts()).unwrap();
        let directories = vec![(path, DirectoryId::default())];
        Partitions::open(NodeId(1), config, directories, clock.now()).unwrap()
    }

    #[test]
    fn it_ends_when_it_is_told_to_and_tells_of_the_last_directory() {
        let clock = Clock::new();
        let root = tempfile::tempdir().unwrap();
        let partitions = Arc::new(partitions(root.path().to_owned(), clock));
        let config = BrokerConfig::new(&texts()).unwrap();
        let config = Arc::new(ArcSwap::from_pointee(config));
        let cleaner = Cleaner::new(Arc::clone(&partitions), config, clock);
        let start = |tell: Box<dyn FnOnce() + Send>| {
            let (partitions, cleaner) = (Arc::clone(&partitions), Arc::clone(&cleaner));
            Background::start(partitions, cleaner, clock, tell).unwrap()
        };
        let background = start(Box::new(|| ()));
        background.stop();

        partitions.directories()[0].fail("test", &"failure");
        let (told, heard) = mpsc::channel();
        let tell = move || told.send(()).unwrap();
        let background = start(Box::new(tell));
        heard.recv().unwrap();
        background.stop();
        assert!(heard.recv().is_err(), "told once");
    }
}
