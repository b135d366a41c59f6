//! A group's committed offset is one that was committed, and goes forward as its members do.

use std::collections::BTreeMap;

use super::facts::{Facts, Fate};
use super::running_max::RunningMax;
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation, Outcome, Time};

/// What is known of the offsets of one partition in one group.
#[derive(Debug, Default)]
struct Offsets {
    /// What was certainly committed, or told.
    committed: RunningMax,
    /// All that was tried, with the transaction that it was part of.
    tried: Vec<(i64, Option<u32>)>,
    /// All that was told.
    told: Vec<i64>,
}

/// By group and partition; and what transactions will have committed when they are.
#[derive(Debug, Default)]
pub struct CommittedOffset {
    offsets: BTreeMap<(u32, u32), Offsets>,
    pending: BTreeMap<u32, Vec<(u32, u32, i64)>>,
}

impl CommittedOffset {
    fn commit(&mut self, operation: &Operation) {
        let Action::Commit { group, partition, offset, transaction } = operation.action else {
            return;
        };
        if operation.outcome == Outcome::Fail {
            return;
        }
        let offsets = self.offsets.entry((group, partition)).or_default();
        offsets.tried.push((offset, transaction));
        match transaction {
            Some(number) if operation.outcome == Outcome::Ok => {
                self.pending.entry(number).or_default().push((group, partition, offset));
            }
            None if operation.outcome == Outcome::Ok => {
                offsets.committed.push(operation.completed, offset);
            }
            _ => {}
        }
    }

    fn end_transaction(&mut self, number: u32, is_committed: bool, time: Time) {
        for (group, partition, offset) in self.pending.remove(&number).unwrap_or_default() {
            if is_committed {
                self.offsets.entry((group, partition)).or_default().committed.push(time, offset);
            }
        }
    }
}

impl Check for CommittedOffset {
    fn operation(&mut self, operation: &Operation, _: &Facts, found: &mut Found) {
        let is_ok = operation.outcome == Outcome::Ok;
        match operation.action {
            Action::Commit { .. } => self.commit(operation),
            Action::End { transaction, commit } if is_ok => {
                self.end_transaction(transaction, commit, operation.completed);
            }
            Action::Committed { group, partition, offset } if is_ok => {
                let offsets = self.offsets.entry((group, partition)).or_default();
                let known = offsets.committed.before(operation.invoked);
                if known > offset {
                    found.add(Kind::CommittedOffsetBack, Subject::group(group, partition), || {
                        format!("group {group}, {partition}: {offset:?} after {known:?}")
                    });
                }
                if let Some(offset) = offset {
                    offsets.committed.push(operation.completed, offset);
                    offsets.told.push(offset);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, facts: &Facts, found: &mut Found) {
        for ((group, partition), offsets) in &mut self.offsets {
            let may_be = |(_, transaction): &(i64, Option<u32>)| {
                transaction.is_none_or(|number| facts.transaction(number).fate != Fate::Aborted)
            };
            offsets.tried.retain(may_be);
            offsets.tried.sort_unstable();
            for offset in &offsets.told {
                let at = offsets.tried.partition_point(|(tried, _)| tried < offset);
                if offsets.tried.get(at).is_none_or(|(tried, _)| tried != offset) {
                    let subject = Subject::group(*group, *partition);
                    found.add(Kind::CommittedOffsetPhantom, subject, || {
                        format!("group {group}, {partition}: {offset}")
                    });
                }
            }
        }
    }
}
