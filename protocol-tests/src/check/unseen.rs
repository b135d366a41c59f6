//! The last reads reach all that was acknowledged: those of committed values too, unless it was aborted.

use super::facts::{At, Facts};
use super::{Check, Found, Kind, Subject};
use crate::history::Value;

/// It keeps nothing.
#[derive(Debug)]
pub struct Unseen;

impl Check for Unseen {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        if !at.is_sound() || !at.facts.is_acknowledged() || !at.is_first_place() {
            return;
        }
        let is_passed = at.uncommitted.passed != 0 || at.committed.passed != 0;
        let is_behind = at.is_committed() && at.committed.passed == 0;
        if !is_passed || is_behind {
            found.add(Kind::Unseen, at.subject(), || at.words());
        }
    }

    fn end(&mut self, facts: &Facts, found: &mut Found) {
        for (value, known) in facts.values().iter().enumerate() {
            if known.is_acknowledged() && known.place().is_none() {
                let subject = Subject::value(known.target(), value as Value);
                found.add(Kind::Unseen, subject, || format!("value {value} in {}", known.target()));
            }
        }
    }
}
