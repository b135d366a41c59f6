//! What a group reads is the base of one transaction that is committed: of one after the other, with no gap.

use std::collections::BTreeMap;

use super::facts::{Facts, Fate};
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation};

/// From where to where, and in which transaction.
type Copied = (i64, i64, u32);

/// By group and partition.
#[derive(Debug, Default)]
pub struct CopiedOnce(BTreeMap<(u32, u32), Vec<Copied>>);

impl Check for CopiedOnce {
    fn operation(&mut self, operation: &Operation, _: &Facts, _: &mut Found) {
        if let Action::Copied { group, partition, from, next, transaction } = operation.action {
            self.0.entry((group, partition)).or_default().push((from, next, transaction));
        }
    }

    fn end(&mut self, facts: &Facts, found: &mut Found) {
        for ((group, partition), copied) in &mut self.0 {
            // Each of them has written something, which tells whether it was committed.
            copied.retain(|(_, _, number)| {
                let transaction = facts.transaction(*number);
                match transaction.fate {
                    Fate::Committed => true,
                    Fate::Aborted => false,
                    Fate::Unknown => transaction.is_visible,
                }
            });
            copied.sort_unstable();
            let mut at = 0;
            for (from, next, number) in copied {
                if *from != at {
                    found.add(Kind::NotCopiedOnce, Subject::group(*group, *partition), || {
                        format!("group {group}, {partition}: {number} from {from}, not from {at}")
                    });
                }
                at = *next;
            }
        }
    }
}
