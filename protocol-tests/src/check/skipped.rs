//! Who reads over an offset sees its value, if anyone does who is allowed the same.

use super::facts::{At, Facts, Fate};
use super::{Check, Found, Kind};

/// It keeps nothing.
#[derive(Debug)]
pub struct Skipped;

impl Check for Skipped {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        if !at.is_sound() || at.is_unseen() {
            return;
        }
        // Readers of all values see what anyone sees. Those of committed ones agree with each other, and
        // see what is part of no transaction.
        let is_binding = at.committed.seen != 0 || at.transaction.is_none();
        let is_allowed = at.fate() != Some(Fate::Aborted);
        let is_missed = at.committed.was_missed() && is_binding && is_allowed;
        if at.uncommitted.was_missed() || is_missed {
            found.add(Kind::Skipped, at.subject(), || at.words());
        }
    }
}
