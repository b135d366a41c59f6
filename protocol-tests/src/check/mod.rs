//! The judge of a history: what a node must never let its clients see.
//!
//! A history is taken operation by operation, in order; what it says of each value, offset and transaction is kept
//! in `facts`, some tens of bytes for each. Every check is a file of its own: it looks at the operations as they
//! come, at each offset of each log once all is known, and at the end. Nothing is guessed: what may have happened
//! is allowed to have happened, and what was acknowledged has. A history ends with reads of every partition from
//! its first offset to its last, of both kinds, and of every group's offsets, when all faults are over.
//!
//! The rules are those of jepsen.tests.kafka, and more that groups and transactions promise.

mod aborted_read;
mod committed_offset;
mod copied_once;
mod double_owner;
mod duplicate;
mod early_read;
mod facts;
mod inconsistent_offset;
mod lost;
mod order;
mod phantom;
mod rebalance;
mod running_max;
mod skipped;
mod stuck;
mod subject;
mod torn;
mod unseen;
mod watermark;

use std::fmt;
use std::time::Duration;

use crate::history::Operation;
use facts::{At, Facts};
pub use subject::Subject;

/// What may be wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One offset has two values.
    InconsistentOffset,
    /// One value is at two offsets, although its producer numbers its batches or sent it once.
    Duplicate,
    /// A value that was acknowledged, or seen, is passed over by every reader.
    Lost,
    /// A value that was acknowledged is not reached by the last reads.
    Unseen,
    /// A reader passes over a value that another one saw.
    Skipped,
    /// A value that nobody wrote to this partition.
    Phantom,
    /// A value of an aborted transaction is seen by a reader of committed ones, or that of a failed write by anyone.
    AbortedRead,
    /// A value is seen by a reader of committed ones before its commit was asked for.
    EarlyRead,
    /// Of one transaction some values are visible and some are not.
    Torn,
    /// A group's committed offset goes back.
    CommittedOffsetBack,
    /// A group's committed offset is one that nobody committed.
    CommittedOffsetPhantom,
    /// A partition has two owners in one generation.
    DoubleOwner,
    /// A group whose members all stay has another generation.
    Rebalance,
    /// What a group has read is the base of two transactions that were committed, or of none.
    NotCopiedOnce,
    /// The last stable offset stays behind the high watermark for too long.
    StuckLastStableOffset,
    /// A high watermark or last stable offset goes back, or does not know of what was acknowledged.
    WatermarkBack,
    /// Offsets contradict the order of what was written or read.
    Order,
}

impl Kind {
    /// How many there are.
    const COUNT: usize = Self::Order as usize + 1;
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What sort of thing.
    pub kind: Kind,
    /// Where, in words.
    pub what: String,
    /// What it is about.
    pub subject: Subject,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// How many anomalies of a kind are told in words; the others are counted.
const TOLD_MAX: u64 = 20;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    counts: [u64; Kind::COUNT],
    told: Vec<Anomaly>,
}

impl Found {
    fn add(&mut self, kind: Kind, subject: Subject, what: impl FnOnce() -> String) {
        let count = &mut self.counts[kind as usize];
        *count += 1;
        if *count <= TOLD_MAX {
            self.told.push(Anomaly { kind, what: what(), subject });
        }
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// The first ones of each kind.
    pub fn told(&self) -> &[Anomaly] {
        &self.told
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.told.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.counts.iter().sum();
        writeln!(f, "{total} anomalies")?;
        self.told.iter().try_for_each(|anomaly| writeln!(f, "{anomaly}"))
    }
}

/// One rule.
trait Check: fmt::Debug {
    /// An operation, of which the facts know already.
    fn operation(&mut self, _operation: &Operation, _facts: &Facts, _found: &mut Found) {}
    /// An offset at which a value is, in the order of partitions and offsets, when all operations are known.
    fn offset(&mut self, _at: &At<'_>, _facts: &Facts, _found: &mut Found) {}
    /// All operations and offsets are known.
    fn end(&mut self, _facts: &Facts, _found: &mut Found) {}
}

/// Takes a history and judges it.
#[derive(Debug)]
pub struct Checker {
    facts: Facts,
    checks: Vec<Box<dyn Check>>,
    found: Found,
}

impl Checker {
    /// One for histories in which a last stable offset is to move within `stuck_after` while anything is behind it:
    /// the longest time that a transaction may take, and some more.
    pub fn new(stuck_after: Duration) -> Self {
        let checks: Vec<Box<dyn Check>> = vec![
            Box::<inconsistent_offset::InconsistentOffset>::default(),
            Box::<duplicate::Duplicate>::default(),
            Box::new(lost::Lost),
            Box::new(unseen::Unseen),
            Box::new(skipped::Skipped),
            Box::new(phantom::Phantom),
            Box::new(aborted_read::AbortedRead),
            Box::<early_read::EarlyRead>::default(),
            Box::<torn::Torn>::default(),
            Box::<committed_offset::CommittedOffset>::default(),
            Box::<double_owner::DoubleOwner>::default(),
            Box::<rebalance::Rebalance>::default(),
            Box::<copied_once::CopiedOnce>::default(),
            Box::new(stuck::Stuck::after(stuck_after)),
            Box::<watermark::Watermark>::default(),
            Box::<order::Order>::default(),
        ];
        Self { facts: Facts::default(), checks, found: Found::default() }
    }

    /// The next operation.
    pub fn take(&mut self, operation: &Operation) {
        self.facts.take(operation);
        for check in &mut self.checks {
            check.operation(operation, &self.facts, &mut self.found);
        }
    }

    /// There are no more.
    pub fn finish(mut self) -> Found {
        self.facts.settle();
        for at in self.facts.log() {
            for check in &mut self.checks {
                check.offset(&at, &self.facts, &mut self.found);
            }
        }
        for check in &mut self.checks {
            check.end(&self.facts, &mut self.found);
        }
        self.found
    }
}

/// Judges a history that is in memory.
pub fn check(history: &[Operation], stuck_after: Duration) -> Found {
    let mut checker = Checker::new(stuck_after);
    for operation in history {
        checker.take(operation);
    }
    checker.finish()
}
