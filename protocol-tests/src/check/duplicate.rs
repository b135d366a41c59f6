//! A value is at one offset: batches of an idempotent producer are recognised when they come again. What a plain
//! producer sends is sent once for each operation here, but a history may come from one that does otherwise.

use std::collections::BTreeMap;

use super::facts::{Facts, ValueFacts, sightings};
use super::{Check, Found, Kind, Subject};
use crate::history::{Operation, Value};

/// The values that were seen at a second place. Who wrote them may only be known later.
#[derive(Debug, Default)]
pub struct Duplicate(BTreeMap<Value, (u32, i64)>);

impl Check for Duplicate {
    fn operation(&mut self, operation: &Operation, facts: &Facts, _: &mut Found) {
        for (partition, offset, value) in sightings(operation) {
            let place = facts.value(value).and_then(ValueFacts::place);
            if place.is_some_and(|place| place != (partition, offset)) {
                self.0.entry(value).or_insert((partition, offset));
            }
        }
    }

    fn end(&mut self, facts: &Facts, found: &mut Found) {
        for (value, second) in &self.0 {
            let Some(known) = facts.value(*value).filter(|known| known.is_numbered()) else {
                continue;
            };
            found.add(Kind::Duplicate, Subject::value(second.0, *value), || {
                format!("value {value} is at {:?} and {second:?}", known.place())
            });
        }
    }
}
