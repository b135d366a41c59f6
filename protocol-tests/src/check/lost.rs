//! What is at an offset is seen by those who read over that offset: when nobody sees it, it is lost.

use super::facts::{At, Facts};
use super::{Check, Found, Kind};

/// It keeps nothing.
#[derive(Debug)]
pub struct Lost;

impl Check for Lost {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        if !at.is_sound() {
            return;
        }
        let is_visible = at.transaction.is_some_and(|transaction| transaction.is_visible);
        // Committed, but to its readers it never happened. When a part of it did, it is torn.
        let is_withheld = at.transaction.is_some()
            && at.is_committed()
            && !is_visible
            && at.committed.was_never_seen();
        let is_missed = at.uncommitted.passed != 0
            || at.committed.passed != 0 && at.is_committed() && !is_visible;
        if at.is_unseen() && is_missed || is_withheld {
            found.add(Kind::Lost, at.subject(), || at.words());
        }
    }
}
