//! Valid histories of any length: what random clients see of a node that does everything right, at one instant
//! between the beginning and the end of each operation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use protocol_tests::history::{Action, Isolation, Operation, Outcome, Run, Time, Value, Writer};
use protocol_tests::random::Random;

const PARTITIONS: usize = 4;
const GROUPS: usize = 2;
/// Clients: what each of them does is told by its number.
const WRITERS: u32 = 4;
const TRANSACTORS: u32 = 3;
const READERS: u32 = 4;
const MEMBERS: u32 = 6;
const CLIENTS: u32 = WRITERS + TRANSACTORS + READERS + MEMBERS;
/// The time between two instants.
const STEP: Time = 1000;
/// How many offsets the last reads take at once.
const LAST_READ: i64 = 1000;

/// A record: its value and its transaction; nothing is a marker.
type Record = Option<(Value, Option<u32>)>;

#[derive(Debug, Default)]
struct Log {
    records: Vec<Record>,
    /// The open transactions, with the first offset of each.
    open: Vec<(u32, i64)>,
}

impl Log {
    fn end(&self) -> i64 {
        self.records.len() as i64
    }

    fn last_stable_offset(&self) -> i64 {
        self.open.iter().map(|(_, first)| *first).min().unwrap_or_else(|| self.end())
    }

    fn append(&mut self, first: Value, count: u32, transaction: Option<u32>) -> i64 {
        let offset = self.end();
        if let Some(number) = transaction.filter(|it| self.open.iter().all(|open| open.0 != *it)) {
            self.open.push((number, offset));
        }
        self.records.extend((first..first + count).map(|value| Some((value, transaction))));
        offset
    }
}

/// A transaction that is not over.
#[derive(Debug)]
struct Open {
    number: u32,
    partitions: Vec<usize>,
    /// Partition and offset, in the group that is its client's own.
    offsets: Vec<(u32, i64)>,
    must_abort: bool,
}

#[derive(Debug, Default)]
struct Group {
    generation: i32,
    owners: Vec<u32>,
    committed: BTreeMap<u32, i64>,
}

#[derive(Debug, Default)]
struct Member {
    generation: i32,
    /// What it has to ask for.
    unknown: Vec<u32>,
    positions: BTreeMap<u32, i64>,
}

/// Orders operations by their end.
#[derive(Debug)]
struct Ended(Operation, u64);

impl PartialEq for Ended {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ended {}
impl PartialOrd for Ended {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ended {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.completed, self.1).cmp(&(other.0.completed, other.1))
    }
}

/// The node, its clients, and the operations that have not ended.
#[derive(Debug)]
pub struct Model {
    random: Random,
    now: Time,
    left: u64,
    logs: Vec<Log>,
    is_committed: Vec<bool>,
    groups: Vec<Group>,
    /// The groups whose offsets transactions commit.
    copiers: Vec<BTreeMap<u32, i64>>,
    idle_from: Vec<Time>,
    transactions: Vec<Option<Open>>,
    /// Those whose clients are gone.
    abandoned: Vec<Open>,
    /// Plain writes whose bytes are still on their way: partition, first, count.
    late: Vec<(usize, Value, u32)>,
    positions: Vec<i64>,
    members: Vec<Member>,
    next_value: Value,
    ended: BinaryHeap<Reverse<Ended>>,
    sequence: u64,
    is_over: bool,
}

impl Model {
    /// A history of about so many operations, and the last reads.
    pub fn new(seed: u64, operations: u64) -> Self {
        Self {
            random: Random::new(seed),
            now: STEP,
            left: operations,
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            is_committed: Vec::new(),
            groups: (0..GROUPS).map(|_| Group::default()).collect(),
            copiers: (0..TRANSACTORS).map(|_| BTreeMap::new()).collect(),
            idle_from: vec![0; CLIENTS as usize],
            transactions: (0..TRANSACTORS).map(|_| None).collect(),
            abandoned: Vec::new(),
            late: Vec::new(),
            positions: vec![0; READERS as usize * PARTITIONS],
            members: (0..MEMBERS).map(|_| Member::default()).collect(),
            next_value: 0,
            ended: BinaryHeap::new(),
            sequence: 0,
            is_over: false,
        }
    }

    fn end(&mut self, client: u32, outcome: Outcome, action: Action) {
        let idle_from = &mut self.idle_from[client as usize];
        let invoked = (self.now - self.random.below(STEP)).max(*idle_from + 1);
        let completed = self.now + 1 + self.random.below(6 * STEP);
        *idle_from = completed;
        let operation = Operation { client, invoked, completed, outcome, action };
        self.sequence += 1;
        self.ended.push(Reverse(Ended(operation, self.sequence)));
    }

    fn step(&mut self) {
        self.now += STEP;
        self.settle_late();
        let client = self.random.below(CLIENTS.into()) as u32;
        if self.idle_from[client as usize] >= self.now - 1 {
            return;
        }
        self.left = self.left.saturating_sub(1);
        let mut number = client;
        for (count, act) in [
            (WRITERS, Self::write as fn(&mut Self, u32, u32)),
            (TRANSACTORS, Self::transact),
            (READERS, Self::read),
            (MEMBERS, Self::member),
        ] {
            if number < count {
                return act(self, client, number);
            }
            number -= count;
        }
    }

    /// What arrives late, and transactions that time out.
    fn settle_late(&mut self) {
        if !self.late.is_empty() && self.random.once_in(5) {
            let (partition, first, count) = self.late.swap_remove(0);
            self.logs[partition].append(first, count, None);
        }
        if !self.abandoned.is_empty() && self.random.once_in(20) {
            let open = self.abandoned.swap_remove(0);
            self.decide(&open, None, false);
        }
    }

    fn values(&mut self) -> (Value, u32) {
        let count = 1 + self.random.below(4) as u32;
        let first = self.next_value;
        self.next_value += count;
        (first, count)
    }

    fn write(&mut self, client: u32, number: u32) {
        let partition = self.random.index(PARTITIONS);
        let (first, count) = self.values();
        let is_plain = number.is_multiple_of(2);
        let writer = if is_plain { Writer::Plain } else { Writer::Idempotent };
        let (outcome, offset) = match self.random.below(40) {
            0 => (Outcome::Fail, None),
            1 => (Outcome::Unknown, None),
            2 if is_plain => {
                self.late.push((partition, first, count));
                (Outcome::Unknown, None)
            }
            2..=4 => {
                self.logs[partition].append(first, count, None);
                (Outcome::Unknown, None)
            }
            _ => (Outcome::Ok, Some(self.logs[partition].append(first, count, None))),
        };
        let partition = partition as u32;
        self.end(client, outcome, Action::Write { partition, first, count, writer, offset });
    }

    fn transact(&mut self, client: u32, number: u32) {
        let Some(mut open) = self.transactions[number as usize].take() else {
            if self.random.once_in(3) {
                let partition = self.random.below(PARTITIONS as u64) as u32;
                let offset = self.copiers[number as usize].get(&partition).copied();
                let group = GROUPS as u32 + number;
                let action = Action::Committed { group, partition, offset };
                return self.end(client, Outcome::Ok, action);
            }
            let open = Open {
                number: self.is_committed.len() as u32,
                partitions: Vec::new(),
                offsets: Vec::new(),
                must_abort: false,
            };
            self.is_committed.push(false);
            self.transactions[number as usize] = Some(open);
            return;
        };
        match self.random.below(10) {
            0..=5 => self.write_in(client, &mut open),
            6 => self.commit_in(client, number, &mut open),
            7 if self.random.once_in(4) => return self.abandoned.push(open),
            _ => return self.end_transaction(client, number, &open),
        }
        self.transactions[number as usize] = Some(open);
    }

    fn write_in(&mut self, client: u32, open: &mut Open) {
        let partition = self.random.index(PARTITIONS);
        let (first, count) = self.values();
        let is_written = !self.random.once_in(30);
        let is_told = is_written && !self.random.once_in(30);
        let mut offset = None;
        if is_written {
            let at = self.logs[partition].append(first, count, Some(open.number));
            offset = is_told.then_some(at);
            open.partitions.push(partition);
        }
        open.must_abort |= !is_told;
        let outcome = if is_told { Outcome::Ok } else { Outcome::Unknown };
        let writer = Writer::Transaction(open.number);
        let partition = partition as u32;
        self.end(client, outcome, Action::Write { partition, first, count, writer, offset });
    }

    /// Offsets of a copier: from what is committed, forward.
    fn commit_in(&mut self, client: u32, number: u32, open: &mut Open) {
        let partition = self.random.below(PARTITIONS as u64) as u32;
        let committed = self.copiers[number as usize].get(&partition).copied().unwrap_or(0);
        let known = open.offsets.iter().rev().find(|(of, _)| *of == partition);
        let known = known.map_or(committed, |(_, offset)| *offset);
        let offset = known + 1 + self.random.below(20) as i64;
        open.offsets.push((partition, offset));
        let (group, transaction) = (GROUPS as u32 + number, Some(open.number));
        let action = Action::Commit { group, partition, offset, transaction };
        self.end(client, Outcome::Ok, action);
        if open.partitions.is_empty() {
            // Only what is written tells whether it is committed.
            open.must_abort = true;
        } else {
            let (from, next, transaction) = (known, offset, open.number);
            let action = Action::Copied { group, partition, from, next, transaction };
            self.end(client, Outcome::Ok, action);
        }
    }

    fn end_transaction(&mut self, client: u32, number: u32, open: &Open) {
        let commit = !open.must_abort && !self.random.once_in(8);
        let (is_done, is_told) = match self.random.below(12) {
            0 => (false, false),
            1 => (true, false),
            _ => (true, true),
        };
        let outcome = if is_told { Outcome::Ok } else { Outcome::Unknown };
        self.end(client, outcome, Action::End { transaction: open.number, commit });
        // When it did not arrive, the next one with the same id aborts it.
        self.decide(open, Some(number), commit && is_done);
    }

    fn decide(&mut self, open: &Open, copier: Option<u32>, commit: bool) {
        for (partition, log) in self.logs.iter_mut().enumerate() {
            if open.partitions.contains(&partition) {
                log.open.retain(|(number, _)| *number != open.number);
                log.records.push(None);
            }
        }
        self.is_committed[open.number as usize] = commit;
        if let Some(copier) = copier.filter(|_| commit) {
            self.copiers[copier as usize].extend(open.offsets.iter().copied());
        }
    }

    fn read(&mut self, client: u32, number: u32) {
        let partition = self.random.index(PARTITIONS);
        let is_all = number.is_multiple_of(2);
        let isolation = if is_all { Isolation::Uncommitted } else { Isolation::Committed };
        let at = number as usize * PARTITIONS + partition;
        if self.random.once_in(50) {
            self.positions[at] = self.random.below(self.positions[at] as u64 + 1) as i64;
        }
        if self.random.once_in(10) {
            let log = &self.logs[partition];
            let offset = if is_all { log.end() } else { log.last_stable_offset() };
            let partition = partition as u32;
            return self.end(client, Outcome::Ok, Action::Latest { partition, isolation, offset });
        }
        let count = 1 + self.random.below(60) as i64;
        self.positions[at] =
            self.read_from(client, partition, isolation, self.positions[at], count);
    }

    fn read_from(
        &mut self,
        client: u32,
        partition: usize,
        isolation: Isolation,
        from: i64,
        count: i64,
    ) -> i64 {
        let log = &self.logs[partition];
        let (high_watermark, last_stable_offset) = (log.end(), log.last_stable_offset());
        let limit = match isolation {
            Isolation::Uncommitted => high_watermark,
            Isolation::Committed => last_stable_offset,
        };
        let next = limit.min(from + count).max(from);
        let mut runs: Vec<Run> = Vec::new();
        for offset in from..next {
            let Some((value, transaction)) = log.records[offset as usize] else { continue };
            let is_hidden = transaction.is_some_and(|it| !self.is_committed[it as usize]);
            if is_hidden && isolation == Isolation::Committed {
                continue;
            }
            match runs.last_mut() {
                Some(run)
                    if run.offset + i64::from(run.count) == offset
                        && run.value + run.count == value =>
                {
                    run.count += 1;
                }
                _ => runs.push(Run { offset, value, count: 1 }),
            }
        }
        let partition = partition as u32;
        let action = Action::Read {
            partition,
            isolation,
            from,
            next,
            high_watermark,
            last_stable_offset,
            runs,
        };
        self.end(client, Outcome::Ok, action);
        next
    }

    fn member(&mut self, client: u32, number: u32) {
        let group = number as usize % GROUPS;
        let state = &mut self.groups[group];
        if state.generation == 0 || self.random.once_in(40) {
            state.generation += 1;
            let candidates = u64::from(MEMBERS) / GROUPS as u64;
            let mut owner = || self.random.below(candidates) as u32 * GROUPS as u32 + group as u32;
            state.owners = (0..PARTITIONS).map(|_| owner()).collect();
        }
        let member = &mut self.members[number as usize];
        if member.generation != state.generation {
            member.generation = state.generation;
            member.positions.clear();
            let own = state.owners.iter().enumerate().filter(|(_, owner)| **owner == number);
            member.unknown = own.map(|(partition, _)| partition as u32).collect();
            let partitions = member.unknown.clone();
            let generation = state.generation;
            let action = Action::Assigned { group: group as u32, generation, partitions };
            return self.end(client, Outcome::Ok, action);
        }
        if let Some(partition) = member.unknown.pop() {
            let offset = state.committed.get(&partition).copied();
            member.positions.insert(partition, offset.unwrap_or(0));
            let group = group as u32;
            let action = Action::Committed { group, partition, offset };
            return self.end(client, Outcome::Ok, action);
        }
        if self.random.once_in(10) {
            // Each partition has its owner.
            let (generation, group) = (state.generation, group as u32);
            let partitions = (0..PARTITIONS as u32).collect();
            let action = Action::Owned { group, generation, partitions };
            return self.end(client, Outcome::Ok, action);
        }
        let Some((partition, position)) = member.positions.iter_mut().next() else { return };
        let partition = *partition;
        *position += self.random.below(30) as i64;
        let offset = *position;
        let outcome = match self.random.below(20) {
            0 => Outcome::Fail,
            1 | 2 => Outcome::Unknown,
            _ => Outcome::Ok,
        };
        if outcome == Outcome::Ok || outcome == Outcome::Unknown && self.random.once_in(2) {
            state.committed.insert(partition, offset);
        }
        let group = group as u32;
        let action = Action::Commit { group, partition, offset, transaction: None };
        self.end(client, outcome, action);
    }

    /// All faults are over: everything is read once more.
    fn finish(&mut self) {
        let open = self.transactions.iter_mut().filter_map(Option::take);
        self.abandoned.extend(open);
        for open in std::mem::take(&mut self.abandoned) {
            self.decide(&open, None, false);
        }
        for (partition, first, count) in std::mem::take(&mut self.late) {
            self.logs[partition].append(first, count, None);
        }
        self.now += 10 * STEP;
        for partition in 0..PARTITIONS {
            for isolation in [Isolation::Uncommitted, Isolation::Committed] {
                let mut from = 0;
                while from < self.logs[partition].end() {
                    self.now += 10 * STEP;
                    from = self.read_from(0, partition, isolation, from, LAST_READ);
                }
            }
        }
        for group in 0..GROUPS as u32 + TRANSACTORS {
            for partition in 0..PARTITIONS as u32 {
                let committed = match self.groups.get(group as usize) {
                    Some(group) => &group.committed,
                    None => &self.copiers[group as usize - GROUPS],
                };
                let offset = committed.get(&partition).copied();
                self.now += 10 * STEP;
                self.end(0, Outcome::Ok, Action::Committed { group, partition, offset });
            }
        }
    }
}

impl Iterator for Model {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        loop {
            // What ends later than now is not the next one yet: something may end before it.
            let is_next = |first: &Reverse<Ended>| self.is_over || first.0.0.completed <= self.now;
            if self.ended.peek().is_some_and(is_next) {
                return self.ended.pop().map(|ended| ended.0.0);
            }
            if self.is_over {
                return None;
            }
            if self.left == 0 {
                self.finish();
                self.is_over = true;
            } else {
                self.step();
            }
        }
    }
}
