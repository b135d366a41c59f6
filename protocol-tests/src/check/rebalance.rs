//! A group whose members all stay keeps its generation, and so their assignment, whatever happens to the node.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation};

/// The last generation of each group, and that of those that are settled.
#[derive(Debug, Default)]
pub struct Rebalance {
    last: BTreeMap<u32, i32>,
    settled: BTreeMap<u32, i32>,
}

impl Check for Rebalance {
    fn operation(&mut self, operation: &Operation, _: &Facts, found: &mut Found) {
        match &operation.action {
            Action::Settled { group } => {
                self.settled.insert(*group, self.last.get(group).copied().unwrap_or(-1));
            }
            Action::Assigned { group, generation, partitions } => {
                self.last.insert(*group, *generation);
                let Some(settled) = self.settled.get_mut(group) else { return };
                if settled != generation {
                    // Each rebalance counts once.
                    let before = std::mem::replace(settled, *generation);
                    let partition = partitions.first().copied().unwrap_or(0);
                    found.add(Kind::Rebalance, Subject::group(*group, partition), || {
                        format!("group {group}: generation {generation} after {before}")
                    });
                }
            }
            _ => {}
        }
    }
}
