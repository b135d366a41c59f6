//! A value of an aborted transaction is not seen by readers of committed ones; that of a write which failed by
//! nobody. What may yet have been committed does not count.

use super::facts::{At, Facts, Fate};
use super::{Check, Found, Kind};

/// It keeps nothing.
#[derive(Debug)]
pub struct AbortedRead;

impl Check for AbortedRead {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        let is_aborted = at.fate() == Some(Fate::Aborted) && at.committed.seen != 0;
        let has_failed = at.facts.has_failed() && !at.is_unseen();
        if is_aborted || has_failed {
            found.add(Kind::AbortedRead, at.subject(), || at.words());
        }
    }
}
