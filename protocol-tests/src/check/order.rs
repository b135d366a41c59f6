//! Offsets follow the order of what was done: what was acknowledged before something else began is before it; an
//! idempotent producer's values are in the order in which it sent them; a reader goes forward.

use super::facts::{At, Facts, grown, sightings};
use super::running_max::RunningMax;
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation, Outcome, Value};

/// The last offset that was acknowledged in each partition; and, on the walk along the logs, the last value of each
/// client.
#[derive(Debug, Default)]
pub struct Order {
    acknowledged: Vec<RunningMax>,
    partition: u32,
    last: Vec<Option<Value>>,
}

impl Order {
    fn write(&mut self, operation: &Operation, found: &mut Found) {
        let Action::Write { partition, count, offset: Some(offset), .. } = operation.action else {
            return;
        };
        if operation.outcome != Outcome::Ok {
            return;
        }
        while self.acknowledged.len() <= partition as usize {
            self.acknowledged.push(RunningMax::default());
        }
        let acknowledged = &mut self.acknowledged[partition as usize];
        let known = acknowledged.before(operation.invoked);
        if known >= Some(offset) {
            let subject = Subject::place(partition, offset);
            found.add(Kind::Order, subject, || {
                format!("{partition}: {offset} is written after {known:?}")
            });
        }
        acknowledged.push(operation.completed, offset.saturating_add(i64::from(count) - 1));
    }
}

impl Check for Order {
    fn operation(&mut self, operation: &Operation, facts: &Facts, found: &mut Found) {
        self.write(operation, found);
        let range = match operation.action {
            Action::Read { from, next, .. } => from..next,
            _ => 0..i64::MAX,
        };
        let mut least = range.start;
        for (partition, offset, value) in sightings(operation) {
            let is_forward = (least..range.end).contains(&offset);
            if !is_forward || !facts.is_in_reach(partition, offset) {
                let subject = Subject::value(partition, value);
                found.add(Kind::Order, subject, || {
                    format!("value {value} at {partition}:{offset} in {range:?} after {least}")
                });
            }
            least = offset.saturating_add(1);
        }
    }

    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        if at.partition != self.partition {
            self.partition = at.partition;
            self.last.clear();
        }
        if !at.is_sound() || !at.facts.is_numbered() || !at.is_first_place() {
            return;
        }
        let last = grown(&mut self.last, at.facts.client.into(), None);
        if last.is_some_and(|last| last > at.value) {
            found.add(Kind::Order, at.subject(), || format!("{} is after {last:?}", at.words()));
        }
        *last = (*last).max(Some(at.value));
    }
}
