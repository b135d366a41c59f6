//! Where clients record what they did: one line each, into whatever takes lines.

use std::io::Write;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Action, Operation, Outcome, Time, Value, write};

/// An operation that has begun: its client and its time.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    client: u32,
    invoked: Time,
}

/// Records the operations of all clients in the order in which they end.
#[derive(Debug)]
pub struct Recorder<W> {
    epoch: Instant,
    lines: Mutex<W>,
    operations: AtomicU64,
    next_value: AtomicU32,
    next_transaction: AtomicU32,
}

impl<W: Write> Recorder<W> {
    /// A history that begins now.
    pub fn new(lines: W) -> Self {
        Self {
            epoch: Instant::now(),
            lines: Mutex::new(lines),
            operations: AtomicU64::new(0),
            next_value: AtomicU32::new(0),
            next_transaction: AtomicU32::new(0),
        }
    }

    fn now(&self) -> Time {
        self.epoch.elapsed().as_nanos() as Time
    }

    /// Values for a batch of so many records: the first of them.
    pub fn values(&self, count: u32) -> Value {
        self.next_value.fetch_add(count, Ordering::Relaxed)
    }

    /// A number for a transaction.
    pub fn transaction(&self) -> u32 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    /// How many operations are recorded.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// An operation begins: to be called before anything of it is sent.
    pub fn begin(&self, client: u32) -> Begun {
        Begun { client, invoked: self.now() }
    }

    /// An operation has ended: to be called after all of its answer is there.
    pub fn end(&self, begun: Begun, outcome: Outcome, action: Action) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // The time is taken under the lock, so that ends are in order.
        let Begun { client, invoked } = begun;
        let operation = Operation { client, invoked, completed: self.now(), outcome, action };
        write(&operation, &mut *lines).unwrap();
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    /// The history is complete.
    pub fn finish(self) -> W {
        let mut lines = self.lines.into_inner().unwrap_or_else(PoisonError::into_inner);
        lines.flush().unwrap();
        lines
    }
}
