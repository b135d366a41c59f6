//! One offset never has two values, whoever sees it, and whatever became of its writer.

use std::collections::BTreeSet;

use super::facts::{Facts, sightings};
use super::{Check, Found, Kind, Subject};
use crate::history::Operation;

/// The offsets that were told already.
#[derive(Debug, Default)]
pub struct InconsistentOffset(BTreeSet<(u32, i64)>);

impl Check for InconsistentOffset {
    fn operation(&mut self, operation: &Operation, facts: &Facts, found: &mut Found) {
        for (partition, offset, value) in sightings(operation) {
            let Some(known) = facts.value_at(partition, offset) else { continue };
            if known != value && self.0.insert((partition, offset)) {
                let subject = Subject { value: Some(value), ..Subject::place(partition, offset) };
                found.add(Kind::InconsistentOffset, subject, || {
                    format!("{partition}:{offset} is {known} and {value}")
                });
            }
        }
    }
}
