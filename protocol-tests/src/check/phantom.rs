//! Every value that is seen was written, and to this partition.

use super::facts::{At, Facts};
use super::{Check, Found, Kind};

/// It keeps nothing.
#[derive(Debug)]
pub struct Phantom;

impl Check for Phantom {
    fn offset(&mut self, at: &At<'_>, _: &Facts, found: &mut Found) {
        if !at.facts.was_written_to(at.partition) {
            found.add(Kind::Phantom, at.subject(), || at.words());
        }
    }
}
