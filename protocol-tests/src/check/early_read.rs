//! A reader of committed values sees none whose commit nobody has asked for yet, even if it is committed later.

use std::collections::BTreeSet;

use super::facts::{At, Facts, Fate};
use super::{Check, Found, Kind};

/// The transactions that were told already.
#[derive(Debug, Default)]
pub struct EarlyRead(BTreeSet<u32>);

impl Check for EarlyRead {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        let (Some(transaction), Some(number)) = (at.transaction, at.facts.transaction()) else {
            return;
        };
        let is_early = transaction.first_read < transaction.commit_invoked;
        let is_read = at.committed.seen != 0 && transaction.fate != Fate::Aborted;
        if is_read && is_early && self.0.insert(number) {
            found.add(Kind::EarlyRead, at.subject(), || at.words());
        }
    }
}
