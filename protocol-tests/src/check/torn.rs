//! A transaction is visible as a whole or not at all, once readers are past it.

use std::collections::BTreeSet;

use super::facts::{At, Facts, Fate};
use super::{Check, Found, Kind};

/// The transactions that were told already.
#[derive(Debug, Default)]
pub struct Torn(BTreeSet<u32>);

impl Check for Torn {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        let (Some(transaction), Some(number)) = (at.transaction, at.facts.transaction()) else {
            return;
        };
        if !at.is_sound() || transaction.fate == Fate::Aborted || !transaction.is_visible {
            return;
        }
        // What nobody sees is lost.
        let is_there = !at.is_unseen() || at.uncommitted.passed == 0;
        if at.committed.was_never_seen() && is_there && self.0.insert(number) {
            found.add(Kind::Torn, at.subject(), || at.words());
        }
    }
}
