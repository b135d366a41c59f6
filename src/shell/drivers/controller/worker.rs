//! The thread's work: takes every waiting request, decides one after the other, writes all that they decided in one
//! go, publishes once, and only then answers.
//!
//! Each decision sees those before it, also the ones that are not on disk yet; nobody outside does until they are.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::batches::Batches;
use super::handle::{Call, Message};
use super::quorum;
use crate::kernel::raft::batches as encoded;
use crate::kernel::raft::checkpoint::Checkpoint;
use crate::kernel::raft::control::ControlRecord;
use crate::kernel::raft::machine::{Effect, NotLeader, Raft};
use crate::kernel::raft::snapshot_id::SnapshotId;
use crate::kernel::raft::view::QuorumView;
use crate::shell::clock::Clock;
use crate::shell::drivers::metadata_log::MetadataStore;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};

/// So many requests are decided before their records are written, at most.
const CALLS_PER_WRITE_MAX: usize = 256;
/// How often old snapshots are looked at, as in Kafka.
const CLEAN_INTERVAL: Duration = Duration::from_mins(1);
/// How long the thread sleeps when nothing is due.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// What a decision writes: the values of its records, applied already to what the next decision sees.
#[derive(Debug, Default)]
pub struct Written {
    /// In their frames.
    pub values: Vec<Bytes>,
    /// Whether they must be in one batch; the decider has asked [`Batches::check_atomic`].
    pub atomic: bool,
}

/// A decision.
#[derive(Debug)]
pub struct Decision<R> {
    /// What it writes, if anything.
    pub written: Written,
    /// What the caller is told once that is durable and published.
    pub reply: Result<R, ErrorCode>,
}

/// Decides, and keeps the image that decisions build upon.
pub trait Decide: Send {
    /// What is asked.
    type Request: Send;
    /// What is answered.
    type Reply: Send;

    /// Decides on `request`; its first record will be at `next`.
    fn decide(&mut self, now: Now, next: Offset, request: Self::Request) -> Decision<Self::Reply>;

    /// What a new leader writes, one step at a time until there is none: the first records of a new cluster, the
    /// registrations of this node, and what puts it to work.
    fn activate(&mut self, now: Now, next: Offset) -> Option<Written>;

    /// What is written when nothing else was for a while.
    fn idle(&mut self, now: Now, next: Offset) -> Written;

    /// What this node writes when it leaves, one step at a time.
    fn leave(&mut self, now: Now, next: Offset) -> Option<Written>;

    /// Everything decided so far is durable, up to the high watermark of `quorum`; the last of it was appended `now`.
    /// All parts of the node learn it before this returns.
    fn publish(&mut self, now: Now, quorum: QuorumView);

    /// The published image as the values of a snapshot.
    fn snapshot(&self) -> Vec<Bytes>;
}

/// What ends the thread.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The disk failed.
    #[error("cannot {doing} the metadata log: {source}")]
    Store {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It wrote without leading: a fault of this program.
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Fatal {
    move |source| Fatal::Store { doing, source }
}

/// See the module.
pub struct Worker<D, S> {
    decider: D,
    store: S,
    raft: Raft,
    /// `metadata.max.idle.interval.ms`; none for 0, which switches it off.
    idle_interval: Option<Duration>,
    appended_at: Mono,
    appended_wall: Timestamp,
    cleaned_at: Mono,
}

/// A decision that waits for the disk.
type Pending<R> = (oneshot::Sender<Result<R, ErrorCode>>, Result<R, ErrorCode>);

impl<D: Decide, S: MetadataStore> Worker<D, S> {
    /// Nothing is written before [`Self::start`].
    pub fn new(decider: D, store: S, raft: Raft, idle_interval: Option<Duration>) -> Self {
        let never = Mono::default();
        Self {
            decider,
            store,
            raft,
            idle_interval,
            appended_at: never,
            appended_wall: Timestamp(0),
            cleaned_at: never,
        }
    }

    /// Becomes the leader of its quorum and writes what a start writes, flushed once: before that nothing has been
    /// published and nobody has been answered, so there is nothing to lose.
    pub fn start(&mut self, now: Now) -> Result<(), Fatal> {
        self.cleaned_at = now.mono;
        for effect in self.raft.elect() {
            if effect != Effect::Flush {
                self.execute(effect, now)?;
            }
        }
        let mut batches = Batches::default();
        let mut next = self.store.end_offset();
        while let Some(written) = self.decider.activate(now, next) {
            next = next + written.values.len() as i64;
            batches.push(written.values, written.atomic);
        }
        self.write_and_publish(batches, now)
    }

    /// Runs until it is told to stop, or nobody is left who could ask.
    pub fn run(
        &mut self,
        queue: &Receiver<Message<D::Request, D::Reply>>,
        clock: &Clock,
    ) -> Result<(), Fatal> {
        loop {
            let sleep = self.until_next_deadline(clock.now().mono);
            let (calls, stop) = match queue.recv_timeout(sleep) {
                Ok(first) => drain(first, queue),
                Err(RecvTimeoutError::Timeout) => (Vec::new(), false),
                Err(RecvTimeoutError::Disconnected) => (Vec::new(), true),
            };
            let now = clock.now();
            self.serve(calls, now)?;
            if stop {
                return self.stop(now);
            }
            self.on_time(now)?;
        }
    }

    /// Decides on all of `calls`, writes once, publishes once, answers all.
    pub fn serve(&mut self, calls: Vec<Call<D::Request, D::Reply>>, now: Now) -> Result<(), Fatal> {
        let mut batches = Batches::default();
        let mut next = self.store.end_offset();
        let mut pending: Vec<Pending<D::Reply>> = Vec::with_capacity(calls.len());
        for call in calls {
            let decision = self.decider.decide(now, next, call.request);
            next = next + decision.written.values.len() as i64;
            batches.push(decision.written.values, decision.written.atomic);
            pending.push((call.reply, decision.reply));
        }
        self.write_and_publish(batches, now)?;
        for (caller, reply) in pending {
            // A caller that has left does not want its answer.
            let _ = caller.send(reply);
        }
        Ok(())
    }

    /// Does what is due by now.
    pub fn on_time(&mut self, now: Now) -> Result<(), Fatal> {
        if self.idle_interval.is_some_and(|max| now.mono.since(self.appended_at) >= max) {
            let mut batches = Batches::default();
            let written = self.decider.idle(now, self.store.end_offset());
            batches.push(written.values, written.atomic);
            self.write_and_publish(batches, now)?;
            // Also where nothing was written: it is not tried again before the interval has passed.
            self.appended_at = now.mono;
        }
        if self.store.is_snapshot_due(now) {
            self.write_snapshot(now)?;
        }
        if now.mono.since(self.cleaned_at) >= CLEAN_INTERVAL {
            self.cleaned_at = now.mono;
            self.store.clean(now).map_err(failed("clean"))?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    fn until_next_deadline(&self, now: Mono) -> Duration {
        self.idle_interval
            .map_or(SLEEP_MAX, |idle| self.appended_at.after(idle).since(now).min(SLEEP_MAX))
    }

    /// Leaves in order. What this writes is not published: the node's own parts are ending, too.
    fn stop(&mut self, now: Now) -> Result<(), Fatal> {
        let mut batches = Batches::default();
        let mut next = self.store.end_offset();
        while let Some(written) = self.decider.leave(now, next) {
            next = next + written.values.len() as i64;
            batches.push(written.values, written.atomic);
        }
        self.write(batches, now)?;
        self.raft.resign();
        self.store.close(now).map_err(failed("close"))
    }

    fn write_and_publish(&mut self, batches: Batches, now: Now) -> Result<(), Fatal> {
        let before = self.raft.high_watermark();
        self.write(batches, now)?;
        if self.raft.high_watermark() != before {
            let quorum = quorum::view(&self.raft, self.store.end_offset());
            self.decider.publish(now, quorum);
        }
        Ok(())
    }

    /// Appends and flushes. At a start this flushes the epoch's own record, even if there are no others.
    fn write(&mut self, batches: Batches, now: Now) -> Result<(), Fatal> {
        let mut base = self.store.end_offset();
        let mut bytes = Vec::new();
        for values in batches.finish() {
            bytes.push(encoded::records(base, self.raft.epoch(), now.wall, &values));
            base = base + values.len() as i64;
        }
        if bytes.is_empty() && self.raft.high_watermark().is_some() {
            return Ok(());
        }
        for effect in self.raft.propose(bytes)? {
            self.execute(effect, now)?;
        }
        Ok(())
    }

    fn execute(&mut self, effect: Effect, now: Now) -> Result<(), Fatal> {
        match effect {
            Effect::PersistQuorumState { state, kraft_version } => {
                let text = state.to_text(kraft_version, self.raft.voters());
                self.store.persist_quorum_state(&text).map_err(failed("write quorum-state of"))
            }
            Effect::AppendControl { epoch, records } => {
                let base = self.store.end_offset();
                self.append(encoded::control(base, epoch, now.wall, &records), now)
            }
            Effect::Append { batch, .. } => self.append(batch, now),
            Effect::Flush => {
                self.store.flush().map_err(failed("flush"))?;
                self.raft.on_flushed(self.store.end_offset());
                Ok(())
            }
            // Whoever wrote looks at the high watermark itself.
            Effect::Committed(_) => Ok(()),
        }
    }

    fn append(&mut self, batch: Bytes, now: Now) -> Result<(), Fatal> {
        self.store.append(batch, now).map_err(failed("append to"))?;
        self.appended_at = now.mono;
        self.appended_wall = now.wall;
        Ok(())
    }

    fn write_snapshot(&mut self, now: Now) -> Result<(), Fatal> {
        let id = SnapshotId { end_offset: self.store.end_offset(), epoch: self.raft.epoch() };
        let last_contained_log_timestamp = self.appended_wall;
        let mut control = vec![ControlRecord::SnapshotHeader { last_contained_log_timestamp }];
        if self.raft.kraft_version() >= 1 {
            control.push(ControlRecord::KRaftVersion(self.raft.kraft_version()));
            control.push(ControlRecord::Voters(self.raft.voters().clone()));
        }
        let values = self.decider.snapshot();
        let bytes = Checkpoint::encode(&control, values.into_iter(), id, now.wall);
        self.store
            .write_snapshot(id, last_contained_log_timestamp, &bytes, now)
            .map_err(failed("write a snapshot of"))
    }
}

/// Everything that waits, up to a bound; and whether the thread is to stop after it.
fn drain<Q, R>(first: Message<Q, R>, queue: &Receiver<Message<Q, R>>) -> (Vec<Call<Q, R>>, bool) {
    let mut calls = Vec::new();
    let mut message = Some(first);
    while let Some(Message::Call(call)) = message {
        calls.push(call);
        if calls.len() == CALLS_PER_WRITE_MAX {
            return (calls, false);
        }
        message = queue.try_recv().ok();
    }
    (calls, message.is_some())
}
