//! What a history says of each value, offset and transaction.

use super::Subject;
use crate::history::{Action, Isolation, Operation, Outcome, Run, Time, Value, Writer};

/// No value, offset, transaction or partition.
const NONE: u32 = u32::MAX;
const NO_PARTITION: u16 = u16::MAX;
/// No time.
const NEVER: Time = Time::MAX;
/// How far beyond all that is known an offset may be: a node that makes one up costs no memory.
const REACH: i64 = 1 << 22;

const ACKNOWLEDGED: u8 = 1;
const FAILED: u8 = 2;
const WRITTEN: u8 = 4;
const NUMBERED: u8 = 8;

/// A value: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct ValueFacts {
    /// Where it was first seen.
    offset: u32,
    transaction: u32,
    /// Who wrote it.
    pub client: u16,
    written_to: u16,
    seen_in: u16,
    flags: u8,
}

impl ValueFacts {
    const UNKNOWN: Self = Self {
        offset: NONE,
        transaction: NONE,
        client: 0,
        written_to: NO_PARTITION,
        seen_in: NO_PARTITION,
        flags: 0,
    };

    /// The partition and offset where it was first seen.
    pub fn place(&self) -> Option<(u32, i64)> {
        (self.offset != NONE).then(|| (self.seen_in.into(), self.offset.into()))
    }

    /// The transaction that it is part of.
    pub fn transaction(&self) -> Option<u32> {
        (self.transaction != NONE).then_some(self.transaction)
    }

    /// Whether it was written to this partition.
    pub fn was_written_to(&self, partition: u32) -> bool {
        self.flags & WRITTEN != 0 && u32::from(self.written_to) == partition
    }

    /// Where it was written to.
    pub fn target(&self) -> u32 {
        self.written_to.into()
    }

    /// Whether the node said that it is written.
    pub fn is_acknowledged(&self) -> bool {
        self.flags & ACKNOWLEDGED != 0
    }

    /// Whether the node said that it is not written.
    pub fn has_failed(&self) -> bool {
        self.flags & FAILED != 0
    }

    /// Whether its producer numbers its batches.
    pub fn is_numbered(&self) -> bool {
        self.flags & NUMBERED != 0
    }
}

/// How often readers of one kind passed over an offset and saw its value. The counters wrap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// Read from before it to behind it.
    pub passed: u16,
    /// Saw it.
    pub seen: u16,
}

impl Sight {
    /// Whether one of them did not see it.
    pub fn was_missed(self) -> bool {
        self.passed != self.seen
    }

    /// Whether none of them saw it.
    pub fn was_never_seen(self) -> bool {
        self.passed != 0 && self.seen == 0
    }
}

/// An offset: 12 bytes. `passed` is how many readers begin here, less those that end.
#[derive(Clone, Copy, Debug)]
struct Slot {
    value: Value,
    sights: [Sight; 2],
}

impl Slot {
    const EMPTY: Self = Self { value: NONE, sights: [Sight { passed: 0, seen: 0 }; 2] };
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The node said that it is committed.
    Committed,
    /// Nobody asked for its commit, or the node refused.
    Aborted,
    /// Its commit was asked for.
    Unknown,
}

/// A transaction.
#[derive(Clone, Copy, Debug)]
pub struct TransactionFacts {
    /// What became of it.
    pub fate: Fate,
    /// When its commit was first asked for.
    pub commit_invoked: Time,
    /// When a reader of committed values had the first one of it.
    pub first_read: Time,
    /// Whether readers of committed values have any of it.
    pub is_visible: bool,
}

impl TransactionFacts {
    const OPEN: Self =
        Self { fate: Fate::Aborted, commit_invoked: NEVER, first_read: NEVER, is_visible: false };
}

/// An offset with a value, and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Which partition.
    pub partition: u32,
    /// Which offset.
    pub offset: i64,
    /// The first value that was seen here.
    pub value: Value,
    /// What is known of that value.
    pub facts: &'a ValueFacts,
    /// Its transaction.
    pub transaction: Option<&'a TransactionFacts>,
    /// What readers of all values made of it.
    pub uncommitted: Sight,
    /// What readers of committed values made of it.
    pub committed: Sight,
}

impl At<'_> {
    /// Whether a value that was written, or may be, is here.
    pub fn is_sound(&self) -> bool {
        self.facts.was_written_to(self.partition) && !self.facts.has_failed()
    }

    /// Whether this is where its value was first seen.
    pub fn is_first_place(&self) -> bool {
        self.facts.place() == Some((self.partition, self.offset))
    }

    /// What became of its transaction.
    pub fn fate(&self) -> Option<Fate> {
        self.transaction.map(|transaction| transaction.fate)
    }

    /// Whether nobody saw it.
    pub fn is_unseen(&self) -> bool {
        self.uncommitted.seen == 0 && self.committed.seen == 0
    }

    /// Whether readers of committed values have to see it, whatever else they see.
    pub fn is_committed(&self) -> bool {
        self.fate().is_none_or(|fate| fate == Fate::Committed)
    }

    /// What there is to say of it.
    pub fn subject(&self) -> Subject {
        let (value, transaction) = (Some(self.value), self.facts.transaction());
        Subject { value, transaction, ..Subject::place(self.partition, self.offset) }
    }

    /// Where it is, in words.
    pub fn words(&self) -> String {
        let Self { partition, offset, value, facts, .. } = self;
        let transaction = facts.transaction();
        let transaction = transaction.map_or(String::new(), |number| format!(" of {number}"));
        format!("value {value}{transaction} at {partition}:{offset}")
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Facts {
    values: Vec<ValueFacts>,
    partitions: Vec<Vec<Slot>>,
    transactions: Vec<TransactionFacts>,
}

/// The element at `index`, which is made if there is none.
pub fn grown<T: Clone>(all: &mut Vec<T>, index: usize, empty: T) -> &mut T {
    if all.len() <= index {
        all.resize(index + 1, empty);
    }
    &mut all[index]
}

/// The values that an operation puts somewhere: partition, offset, value.
pub fn sightings(operation: &Operation) -> impl Iterator<Item = (u32, i64, Value)> {
    match &operation.action {
        Action::Read { partition, runs, .. } => Sightings::of(*partition, None, runs),
        Action::Write { partition, first, count, offset: Some(offset), .. } => {
            let run = Run { offset: *offset, value: *first, count: *count };
            Sightings::of(*partition, Some(run), &[])
        }
        _ => Sightings::of(0, None, &[]),
    }
}

/// The records of runs.
struct Sightings<'a> {
    partition: u32,
    run: Option<Run>,
    runs: std::slice::Iter<'a, Run>,
}

impl<'a> Sightings<'a> {
    fn of(partition: u32, run: Option<Run>, runs: &'a [Run]) -> Self {
        Self { partition, run, runs: runs.iter() }
    }
}

impl Iterator for Sightings<'_> {
    type Item = (u32, i64, Value);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let run = self.run.or_else(|| self.runs.next().copied())?;
            self.run = (run.count > 1).then(|| Run {
                offset: run.offset.saturating_add(1),
                value: run.value.saturating_add(1),
                count: run.count - 1,
            });
            if run.count > 0 {
                return Some((self.partition, run.offset, run.value));
            }
        }
    }
}

impl Facts {
    /// Learns from an operation.
    pub fn take(&mut self, operation: &Operation) {
        match &operation.action {
            Action::Write { .. } => self.take_write(operation),
            Action::Read { .. } => self.take_read(operation),
            Action::End { transaction, commit: true } => {
                let Operation { invoked, outcome, .. } = operation;
                let facts = self.transaction_mut(*transaction);
                facts.commit_invoked = facts.commit_invoked.min(*invoked);
                facts.fate = match (outcome, facts.fate) {
                    (Outcome::Ok, _) | (_, Fate::Committed) => Fate::Committed,
                    (Outcome::Unknown, _) => Fate::Unknown,
                    (Outcome::Fail, fate) => fate,
                };
            }
            _ => {}
        }
    }

    fn take_write(&mut self, operation: &Operation) {
        let Action::Write { partition, first, count, writer, .. } = operation.action else {
            return;
        };
        let flags = match operation.outcome {
            Outcome::Ok => ACKNOWLEDGED,
            Outcome::Fail => FAILED,
            Outcome::Unknown => 0,
        };
        let flags = flags | if writer == Writer::Plain { 0 } else { NUMBERED };
        let transaction = match writer {
            Writer::Transaction(number) => number,
            Writer::Plain | Writer::Idempotent => NONE,
        };
        for value in first..first.saturating_add(count) {
            let facts = grown(&mut self.values, value as usize, ValueFacts::UNKNOWN);
            facts.flags |= flags | WRITTEN;
            facts.written_to = partition as u16;
            facts.client = operation.client as u16;
            facts.transaction = transaction;
            let seen = facts.place();
            // A reader of committed values had it before the writer had its answer, and so before its commit.
            let is_early = transaction != NONE
                && seen.is_some_and(|(partition, offset)| {
                    let slot = self.slot(partition, offset);
                    slot.is_some_and(|slot| slot.sights[Isolation::Committed as usize].seen > 0)
                });
            if is_early {
                let facts = self.transaction_mut(transaction);
                facts.first_read = facts.first_read.min(operation.completed);
            }
        }
        for (partition, offset, value) in sightings(operation) {
            self.note(partition, offset, value);
        }
    }

    fn take_read(&mut self, operation: &Operation) {
        let Action::Read { partition, isolation, from, next, .. } = operation.action else {
            return;
        };
        if from < 0 || next <= from || !self.is_in_reach(partition, next) {
            return;
        }
        let kind = isolation as usize;
        // As far as `next`, where the reader ends.
        self.reach(partition, next);
        let slots = &mut self.partitions[partition as usize];
        let begin = &mut slots[from as usize].sights[kind].passed;
        *begin = begin.wrapping_add(1);
        let end = &mut slots[next as usize].sights[kind].passed;
        *end = end.wrapping_sub(1);
        let mut least = from;
        for (partition, offset, value) in sightings(operation) {
            if offset < least || offset >= next {
                continue;
            }
            least = offset + 1;
            let slot = &mut self.partitions[partition as usize][offset as usize];
            slot.sights[kind].seen = slot.sights[kind].seen.wrapping_add(1);
            self.note(partition, offset, value);
            let transaction = self.values[value as usize].transaction;
            if isolation == Isolation::Committed && transaction != NONE {
                let facts = self.transaction_mut(transaction);
                facts.first_read = facts.first_read.min(operation.completed);
            }
        }
    }

    /// Whether an offset is near enough to what is known.
    pub fn is_in_reach(&self, partition: u32, offset: i64) -> bool {
        let known = self.partitions.get(partition as usize).map_or(0, Vec::len);
        (0..=known as i64 + REACH).contains(&offset)
    }

    fn reach(&mut self, partition: u32, offset: i64) {
        let slots = grown(&mut self.partitions, partition as usize, Vec::new());
        grown(slots, offset as usize, Slot::EMPTY);
    }

    /// A value is somewhere: what is known first of an offset or a value stays.
    fn note(&mut self, partition: u32, offset: i64, value: Value) {
        let facts = grown(&mut self.values, value as usize, ValueFacts::UNKNOWN);
        let known = self.partitions.get(partition as usize).map_or(0, Vec::len);
        if !(0..=known as i64 + REACH).contains(&offset) {
            return;
        }
        if facts.offset == NONE {
            (facts.offset, facts.seen_in) = (offset as u32, partition as u16);
        }
        self.reach(partition, offset);
        let slot = &mut self.partitions[partition as usize][offset as usize];
        if slot.value == NONE {
            slot.value = value;
        }
    }

    fn transaction_mut(&mut self, number: u32) -> &mut TransactionFacts {
        grown(&mut self.transactions, number as usize, TransactionFacts::OPEN)
    }

    fn slot(&self, partition: u32, offset: i64) -> Option<&Slot> {
        self.partitions.get(partition as usize)?.get(usize::try_from(offset).ok()?)
    }

    /// What was first seen at an offset.
    pub fn value_at(&self, partition: u32, offset: i64) -> Option<Value> {
        self.slot(partition, offset).map(|slot| slot.value).filter(|value| *value != NONE)
    }

    /// What is known of a value.
    pub fn value(&self, value: Value) -> Option<&ValueFacts> {
        self.values.get(value as usize)
    }

    /// What is known of all values, in their order.
    pub fn values(&self) -> &[ValueFacts] {
        &self.values
    }

    /// What is known of a transaction: of one that nobody ended, that nobody did.
    pub fn transaction(&self, number: u32) -> &TransactionFacts {
        self.transactions.get(number as usize).unwrap_or(&TransactionFacts::OPEN)
    }

    /// All operations are known: counts what passed over each offset, and what is visible of each transaction.
    pub fn settle(&mut self) {
        let Self { values, partitions, transactions } = self;
        for slots in partitions {
            let mut passing = [0_u16; 2];
            for slot in slots {
                for (sight, passing) in slot.sights.iter_mut().zip(&mut passing) {
                    *passing = passing.wrapping_add(sight.passed);
                    sight.passed = *passing;
                }
                if slot.value == NONE {
                    continue;
                }
                let transaction = values[slot.value as usize].transaction;
                if transaction != NONE && slot.sights[Isolation::Committed as usize].seen > 0 {
                    let number = transaction as usize;
                    grown(transactions, number, TransactionFacts::OPEN).is_visible = true;
                }
            }
        }
    }

    /// Every offset with a value, in order; after all is settled.
    pub fn log(&self) -> impl Iterator<Item = At<'_>> {
        self.partitions.iter().enumerate().flat_map(move |(partition, slots)| {
            slots.iter().enumerate().filter_map(move |(offset, slot)| {
                let facts = self.values.get(slot.value as usize)?;
                Some(At {
                    partition: partition as u32,
                    offset: offset as i64,
                    value: slot.value,
                    facts,
                    transaction: facts.transaction().map(|number| self.transaction(number)),
                    uncommitted: slot.sights[Isolation::Uncommitted as usize],
                    committed: slot.sights[Isolation::Committed as usize],
                })
            })
        })
    }
}
