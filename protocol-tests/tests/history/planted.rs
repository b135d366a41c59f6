//! One thing that is wrong, put into a valid history.

use std::time::Duration;

use protocol_tests::check::Kind;
use protocol_tests::history::{Action, Isolation, Operation, Outcome, Run, Time, Value, Writer};
use protocol_tests::random::Random;

/// How long a last stable offset may stay in these histories.
pub const STUCK_AFTER: Duration = Duration::from_secs(1);

/// A record of a read: offset and value.
type Record = (i64, Value);

fn records(runs: &[Run]) -> Vec<Record> {
    let of = |run: &Run| {
        let run = *run;
        (0..run.count).map(move |at| (run.offset + i64::from(at), run.value + at))
    };
    runs.iter().flat_map(of).collect()
}

fn runs(records: &[Record]) -> Vec<Run> {
    records.iter().map(|(offset, value)| Run { offset: *offset, value: *value, count: 1 }).collect()
}

/// A read, taken apart.
#[derive(Debug)]
struct Read<'a> {
    isolation: Isolation,
    from: i64,
    next: &'a mut i64,
    high_watermark: &'a mut i64,
    last_stable_offset: &'a mut i64,
    runs: &'a mut Vec<Run>,
}

fn read_of(operation: &mut Operation, of: u32) -> Option<Read<'_>> {
    match &mut operation.action {
        Action::Read {
            partition,
            isolation,
            from,
            next,
            high_watermark,
            last_stable_offset,
            runs,
        } if *partition == of => Some(Read {
            isolation: *isolation,
            from: *from,
            next,
            high_watermark,
            last_stable_offset,
            runs,
        }),
        _ => None,
    }
}

/// A batch that was written.
#[derive(Clone, Copy, Debug)]
struct Batch {
    partition: u32,
    first: Value,
    count: u32,
    writer: Writer,
    offset: Option<i64>,
    outcome: Outcome,
}

fn batches(history: &[Operation]) -> Vec<Batch> {
    let of = |operation: &Operation| match operation.action {
        Action::Write { partition, first, count, writer, offset } => {
            let outcome = operation.outcome;
            Some(Batch { partition, first, count, writer, offset, outcome })
        }
        _ => None,
    };
    history.iter().filter_map(of).collect()
}

/// One history and what is known of it.
#[derive(Debug)]
struct Soil<'a> {
    history: &'a mut Vec<Operation>,
    random: &'a mut Random,
    batches: Vec<Batch>,
}

impl Soil<'_> {
    fn any<T>(&mut self, mut candidates: Vec<T>) -> Option<T> {
        let at = (!candidates.is_empty()).then(|| self.random.index(candidates.len()))?;
        Some(candidates.swap_remove(at))
    }

    fn any_batch(&mut self, wanted: impl Fn(&Batch) -> bool) -> Option<Batch> {
        let candidates = self.batches.iter().copied().filter(wanted).collect();
        self.any(candidates)
    }

    fn new_value(&self) -> Value {
        self.batches.iter().map(|batch| batch.first + batch.count).max().unwrap_or(0)
    }

    fn end_time(&self) -> Time {
        self.history.last().map_or(0, |operation| operation.completed)
    }

    fn append(&mut self, outcome: Outcome, after: Time, action: Action) {
        let invoked = self.end_time() + after;
        let completed = invoked + 1;
        self.history.push(Operation { client: 99, invoked, completed, outcome, action });
    }

    fn log_end(&self, of: u32) -> i64 {
        let next = |operation: &Operation| match operation.action {
            Action::Read { partition, next, .. } if partition == of => next,
            _ => 0,
        };
        self.history.iter().map(next).max().unwrap_or(0)
    }

    /// Changes every read of a partition.
    fn reads(&mut self, partition: u32, change: impl FnMut(Read<'_>)) {
        self.history.iter_mut().filter_map(|it| read_of(it, partition)).for_each(change);
    }

    fn remove_from(&mut self, partition: u32, isolation: Option<Isolation>, value: Value) {
        self.reads(partition, |read| {
            if isolation.is_none_or(|isolation| isolation == read.isolation) {
                let mut seen = records(read.runs);
                seen.retain(|(_, it)| *it != value);
                *read.runs = runs(&seen);
            }
        });
    }

    /// The first one who reads everything sees one more value, behind all others.
    fn append_to_log(&mut self, partition: u32, value: Value) {
        let end = self.log_end(partition);
        let mut is_later = false;
        for operation in self.history.iter_mut() {
            if let Action::Latest { partition: of, offset, .. } = &mut operation.action
                && (*of, is_later) == (partition, true)
            {
                *offset = end + 1;
            }
            let Some(read) = read_of(operation, partition) else { continue };
            let is_last = read.isolation == Isolation::Uncommitted && *read.next == end;
            if is_last && !is_later && *read.last_stable_offset == end {
                read.runs.push(Run { offset: end, value, count: 1 });
                *read.next = end + 1;
                is_later = true;
            }
            // Those who come later know as much.
            if is_later {
                (*read.high_watermark, *read.last_stable_offset) = (end + 1, end + 1);
            }
        }
        assert!(is_later);
    }

    /// The operations that see a value: index and offset.
    fn seen(&self, value: Value, isolation: Isolation) -> Vec<(usize, i64)> {
        let find = |(index, operation): (usize, &Operation)| match &operation.action {
            Action::Read { isolation: of, runs, .. } if *of == isolation => {
                let run =
                    runs.iter().find(|run| (run.value..run.value + run.count).contains(&value));
                run.map(|run| (index, run.offset + i64::from(value - run.value)))
            }
            _ => None,
        };
        self.history.iter().enumerate().filter_map(find).collect()
    }

    /// How each transaction was asked to end.
    fn ends(&self, commit: bool, outcome: Outcome) -> Vec<(u32, Time)> {
        let of = |operation: &Operation| match operation.action {
            Action::End { transaction, commit: it } if it == commit => {
                (operation.outcome == outcome).then_some((transaction, operation.invoked))
            }
            _ => None,
        };
        self.history.iter().filter_map(of).collect()
    }

    fn inconsistent_offset(&mut self) -> Option<()> {
        let batch = self.any_batch(|batch| batch.outcome == Outcome::Ok)?;
        let other = self.new_value();
        let seen = self.seen(batch.first, Isolation::Uncommitted);
        let (index, offset) = self.any(seen)?;
        let read = read_of(&mut self.history[index], batch.partition)?;
        let mut all = records(read.runs);
        all.iter_mut().filter(|(at, _)| *at == offset).for_each(|(_, value)| *value = other);
        *read.runs = runs(&all);
        let Batch { partition, .. } = batch;
        let writer = Writer::Plain;
        let action = Action::Write { partition, first: other, count: 1, writer, offset: None };
        self.append(Outcome::Unknown, 1, action);
        Some(())
    }

    fn duplicate(&mut self) -> Option<()> {
        let is_wanted = |it: &Batch| it.writer == Writer::Idempotent && it.offset.is_some();
        let batch = self.any_batch(is_wanted)?;
        self.append_to_log(batch.partition, batch.first);
        Some(())
    }

    fn lost(&mut self) -> Option<()> {
        let is_wanted = |it: &Batch| it.writer != Writer::Plain || it.offset.is_some();
        let batch = self.any_batch(|it| is_wanted(it) && it.outcome == Outcome::Ok)?;
        let value = batch.first + self.random.below(batch.count.into()) as Value;
        self.remove_from(batch.partition, None, value);
        Some(())
    }

    fn unseen(&mut self) -> Option<()> {
        let batch = self.any_batch(|_| true)?;
        let (first, partition) = (self.new_value(), batch.partition);
        // Behind all that was read, or at an offset that was not told.
        let offset = self.random.once_in(2).then(|| self.log_end(partition));
        let action = Action::Write { partition, first, count: 1, writer: Writer::Plain, offset };
        self.append(Outcome::Ok, 1, action);
        Some(())
    }

    fn skipped(&mut self) -> Option<()> {
        let batch = self.any_batch(|batch| batch.outcome == Outcome::Ok)?;
        let mut seen = self.seen(batch.first, Isolation::Uncommitted);
        // Of two kinds of readers, or two readers of a kind.
        let committed = self.seen(batch.first, Isolation::Committed);
        if committed.len() > 1 || !committed.is_empty() && batch.writer == Writer::Plain {
            seen.extend(committed);
        }
        (seen.len() > 1).then_some(())?;
        let (index, offset) = self.any(seen)?;
        let read = read_of(&mut self.history[index], batch.partition)?;
        let mut all = records(read.runs);
        all.retain(|(at, _)| *at != offset);
        *read.runs = runs(&all);
        Some(())
    }

    fn phantom(&mut self) -> Option<()> {
        let batch = self.any_batch(|_| true)?;
        let value = self.new_value();
        self.append_to_log(batch.partition, value);
        Some(())
    }

    fn aborted_read(&mut self) -> Option<()> {
        if self.random.once_in(3) {
            let batch = self.any_batch(|batch| batch.outcome == Outcome::Fail)?;
            self.append_to_log(batch.partition, batch.first);
            return Some(());
        }
        let aborted: Vec<u32> =
            self.ends(false, Outcome::Ok).iter().map(|(number, _)| *number).collect();
        let is_wanted = |batch: &Batch| match batch.writer {
            Writer::Transaction(number) => aborted.contains(&number) && batch.offset.is_some(),
            _ => false,
        };
        let batch = self.any_batch(is_wanted)?;
        let offset = batch.offset?;
        let mut is_planted = false;
        self.reads(batch.partition, |read| {
            let is_over = (read.from..*read.next).contains(&offset);
            if is_over && read.isolation == Isolation::Committed && !is_planted {
                let mut all = records(read.runs);
                all.push((offset, batch.first));
                all.sort_unstable();
                *read.runs = runs(&all);
                is_planted = true;
            }
        });
        is_planted.then_some(())
    }

    fn early_read(&mut self) -> Option<()> {
        let committed = self.ends(true, Outcome::Ok);
        let mut candidates = Vec::new();
        for batch in &self.batches {
            let Writer::Transaction(number) = batch.writer else { continue };
            let Some((_, invoked)) = committed.iter().find(|(it, _)| *it == number) else {
                continue;
            };
            let seen = self.seen(batch.first, Isolation::Uncommitted);
            let early = seen.into_iter().filter(|(at, _)| self.history[*at].completed < *invoked);
            candidates.extend(early.map(|(at, offset)| (at, offset, batch.first)));
        }
        let (at, offset, value) = self.any(candidates)?;
        let mut operation = self.history[at].clone();
        if let Action::Read { isolation, from, next, runs, .. } = &mut operation.action {
            *isolation = Isolation::Committed;
            (*from, *next) = (offset, offset + 1);
            *runs = vec![Run { offset, value, count: 1 }];
        }
        self.history.insert(at + 1, operation);
        Some(())
    }

    fn torn(&mut self) -> Option<()> {
        let committed = self.ends(true, Outcome::Ok);
        let of = |batch: &Batch, number| batch.writer == Writer::Transaction(number);
        let values = |number| {
            let batches = self.batches.iter().filter(|batch| of(batch, number));
            let values = |batch: &Batch| batch.first..batch.first + batch.count;
            let all = batches.flat_map(|batch| values(batch).map(|value| (batch.partition, value)));
            all.collect::<Vec<_>>()
        };
        let candidates = committed.iter().map(|(number, _)| values(*number));
        let candidates = candidates.filter(|values| values.len() > 1).collect();
        let values = self.any(candidates)?;
        let (partition, value) = self.any(values)?;
        self.remove_from(partition, Some(Isolation::Committed), value);
        Some(())
    }

    /// The last time that each group's offset was told: index, group, partition.
    fn last_told(&self) -> Vec<(usize, u32, u32)> {
        let mut last: Vec<(usize, u32, u32)> = Vec::new();
        for (index, operation) in self.history.iter().enumerate() {
            if let Action::Committed { group, partition, offset: Some(_) } = operation.action {
                last.retain(|(_, of, at)| (*of, *at) != (group, partition));
                last.push((index, group, partition));
            }
        }
        last
    }

    fn tell(&mut self, index: usize, now: i64) {
        if let Action::Committed { offset, .. } = &mut self.history[index].action {
            *offset = Some(now);
        }
    }

    fn committed_offset_back(&mut self) -> Option<()> {
        let told = self.last_told();
        let (index, group, partition) = self.any(told)?;
        let mut committed = Vec::new();
        for operation in &self.history[..index] {
            let Action::Commit { group: of, partition: at, offset, .. } = operation.action else {
                continue;
            };
            if (of, at) == (group, partition) && operation.outcome == Outcome::Ok {
                committed.push(offset);
            }
        }
        let Action::Committed { offset: Some(now), .. } = self.history[index].action else {
            return None;
        };
        let told = |operation: &Operation| operation.action == self.history[index].action;
        // It was told or acknowledged before, and something before that was acknowledged too.
        let first = committed.first().copied()?;
        let is_certain = committed.contains(&now) || self.history[..index].iter().any(told);
        (is_certain && first < now && group < 2).then_some(())?;
        self.tell(index, first);
        Some(())
    }

    fn committed_offset_phantom(&mut self) -> Option<()> {
        let told = self.last_told();
        let (index, _, _) = self.any(told)?;
        let beyond = 1 << 40;
        self.tell(index, beyond);
        Some(())
    }

    /// A group is called settled, and then has another generation.
    fn rebalance(&mut self) -> Option<()> {
        let assigned = |(index, operation): (usize, &Operation)| match operation.action {
            Action::Assigned { group, generation, .. } => Some((index, group, generation)),
            _ => None,
        };
        let all: Vec<_> = self.history.iter().enumerate().filter_map(assigned).collect();
        let is_new = |(index, group, generation): &(usize, u32, i32)| {
            let before = all.iter().rev().find(|(at, of, _)| at < index && of == group);
            before.is_some_and(|(_, _, before)| before != generation)
        };
        let candidates = all.iter().copied().filter(is_new).collect();
        let (index, group, _) = self.any(candidates)?;
        let mut settled = self.history[index].clone();
        settled.action = Action::Settled { group };
        self.history.insert(index, settled);
        Some(())
    }

    fn not_copied_once(&mut self) -> Option<()> {
        let committed = self.ends(true, Outcome::Ok);
        let is_wanted = |operation: &&mut Operation| match operation.action {
            Action::Copied { transaction, from, .. } => {
                from > 0 && committed.iter().any(|(number, _)| *number == transaction)
            }
            _ => false,
        };
        let candidates: Vec<_> = self.history.iter_mut().filter(is_wanted).collect();
        (!candidates.is_empty()).then_some(())?;
        let mut candidates = candidates;
        let at = self.random.index(candidates.len());
        if let Action::Copied { from, .. } = &mut candidates[at].action {
            *from += if self.random.once_in(2) { 1 } else { -1 };
        }
        Some(())
    }

    fn double_owner(&mut self) -> Option<()> {
        if self.random.once_in(2) {
            let is_owned = |it: &&mut Operation| matches!(it.action, Action::Owned { .. });
            let operation = self.history.iter_mut().find(is_owned)?;
            if let Action::Owned { partitions, .. } = &mut operation.action {
                partitions.push(0);
            }
            return Some(());
        }
        let assigned = |operation: &Operation| match &operation.action {
            Action::Assigned { partitions, .. } if !partitions.is_empty() => {
                Some(operation.action.clone())
            }
            _ => None,
        };
        let candidates = self.history.iter().filter_map(assigned).collect();
        let mut action = self.any(candidates)?;
        if let Action::Assigned { partitions, .. } = &mut action {
            partitions.truncate(1);
        }
        self.append(Outcome::Ok, 1, action);
        Some(())
    }

    fn stuck(&mut self) -> Option<()> {
        let batch = self.any_batch(|_| true)?;
        let (first, partition) = (self.new_value(), batch.partition);
        let end = self.log_end(partition);
        let writer = Writer::Transaction(1 << 20);
        let offset = Some(end);
        let action = Action::Write { partition, first, count: 1, writer, offset };
        self.append(Outcome::Ok, 1, action);
        for after in [1, STUCK_AFTER.as_nanos() as Time + 2] {
            let action = Action::Read {
                partition,
                isolation: Isolation::Uncommitted,
                from: end,
                next: end + 1,
                high_watermark: end + 1,
                last_stable_offset: end,
                runs: vec![Run { offset: end, value: first, count: 1 }],
            };
            self.append(Outcome::Ok, after, action);
        }
        Some(())
    }

    fn watermark_back(&mut self) -> Option<()> {
        let batch = self.any_batch(|_| true)?;
        let partition = batch.partition;
        let end = self.log_end(partition);
        if self.random.once_in(2) {
            let all = [Isolation::Uncommitted, Isolation::Committed];
            let (isolation, offset) = (all[self.random.index(2)], end - 1);
            self.append(Outcome::Ok, 1, Action::Latest { partition, isolation, offset });
            return Some(());
        }
        let action = Action::Read {
            partition,
            isolation: Isolation::Uncommitted,
            from: 0,
            next: 0,
            high_watermark: end - 1,
            last_stable_offset: end - 1,
            runs: Vec::new(),
        };
        self.append(Outcome::Ok, 1, action);
        Some(())
    }

    fn order(&mut self) -> Option<()> {
        // The offsets of these were never told: all who see them see them in the wrong order.
        let is_wanted = |it: &Batch| {
            it.writer != Writer::Plain && it.outcome == Outcome::Unknown && it.count > 1
        };
        let batch = self.any_batch(is_wanted)?;
        (!self.seen(batch.first, Isolation::Uncommitted).is_empty()).then_some(())?;
        self.reads(batch.partition, |read| {
            let mut all = records(read.runs);
            for (_, value) in &mut all {
                if *value == batch.first {
                    *value += 1;
                } else if *value == batch.first + 1 {
                    *value -= 1;
                }
            }
            *read.runs = runs(&all);
        });
        Some(())
    }
}

/// Puts an anomaly into a valid history; nothing when this one has no place for it.
pub fn plant(kind: Kind, history: &mut Vec<Operation>, random: &mut Random) -> Option<()> {
    let batches = batches(history);
    let mut soil = Soil { history, random, batches };
    match kind {
        Kind::InconsistentOffset => soil.inconsistent_offset(),
        Kind::Duplicate => soil.duplicate(),
        Kind::Lost => soil.lost(),
        Kind::Unseen => soil.unseen(),
        Kind::Skipped => soil.skipped(),
        Kind::Phantom => soil.phantom(),
        Kind::AbortedRead => soil.aborted_read(),
        Kind::EarlyRead => soil.early_read(),
        Kind::Torn => soil.torn(),
        Kind::CommittedOffsetBack => soil.committed_offset_back(),
        Kind::CommittedOffsetPhantom => soil.committed_offset_phantom(),
        Kind::DoubleOwner => soil.double_owner(),
        Kind::Rebalance => soil.rebalance(),
        Kind::NotCopiedOnce => soil.not_copied_once(),
        Kind::StuckLastStableOffset => soil.stuck(),
        Kind::WatermarkBack => soil.watermark_back(),
        Kind::Order => soil.order(),
    }
}
