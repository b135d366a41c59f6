//! The controller's thread: it owns the quorum, the metadata log and the controller, and no one else touches them.
//!
//! - [`handle`]: the door, for everyone who asks.
//! - [`worker`]: the thread's work: decide, write, publish, answer.
//! - [`decider`]: the controller as the worker asks it, and the images as others are told of them.
//! - [`quorum`]: its machine, from configuration and files.
//! - [`batches`]: packs what several decisions write.
//!
//! A decision is answered when it is durable and every part of this node has seen it, in this order: append, flush,
//! publish, answer. A failed write ends the thread and is reported once; nothing is tried again as if it had not failed.

pub mod batches;
pub mod decider;
pub mod handle;
pub mod quorum;
pub mod worker;

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use self::handle::Handle;
use self::worker::{Decide, Fatal, Worker};
use super::metadata_log::MetadataStore;
use crate::shell::clock::Clock;

/// The running thread.
pub struct Running<Q, R> {
    handle: Handle<Q, R>,
    thread: JoinHandle<Result<(), Fatal>>,
}

impl<Q: Send + 'static, R: Send + 'static> Running<Q, R> {
    /// Elects, writes what a start writes, publishes the first image, and then waits for requests on a thread of its
    /// own. When this returns, the node leads its partitions. `on_fatal` is told of the failure that ended the thread.
    pub fn start<D, S>(
        mut worker: Worker<D, S>,
        clock: Clock,
        on_fatal: impl FnOnce(&Fatal) + Send + 'static,
    ) -> Result<Self, Fatal>
    where
        D: Decide<Request = Q, Reply = R> + 'static,
        S: MetadataStore + 'static,
    {
        worker.start(clock.now())?;
        let (queue, requests) = mpsc::channel();
        let run = move || {
            let ended = worker.run(&requests, &clock);
            if let Err(fatal) = &ended {
                on_fatal(fatal);
            }
            ended
        };
        let spawned = Builder::new().name("controller".to_owned()).spawn(run);
        let thread = spawned.map_err(|source| Fatal::Store { doing: "start a thread", source })?;
        Ok(Self { handle: Handle::new(queue), thread })
    }

    /// The door, for all who ask.
    pub fn handle(&self) -> Handle<Q, R> {
        self.handle.clone()
    }

    /// Answers what is queued, leaves the cluster in order, closes the log, and waits for all that.
    pub fn stop(self) -> Result<(), Fatal> {
        self.handle.stop();
        let panicked = || Fatal::Store { doing: "run", source: io::Error::other("panicked") };
        self.thread.join().map_err(|_| panicked())?
    }
}

#[cfg(test)]
mod tests;
