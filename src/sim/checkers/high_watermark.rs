//! What was told is not lost: the high watermark of a log never falls, and the log never ends below it.

use std::collections::BTreeMap;

use crate::sim::log::PartitionLog;
use crate::sim::topics::{NAMES, Place};
use crate::types::offset::Offset;

/// See the module.
#[derive(Debug, Default)]
pub struct HighWatermarks {
    seen: BTreeMap<Place, Offset>,
}

impl HighWatermarks {
    /// A log, as it is now.
    pub fn check(&mut self, place: Place, log: &PartitionLog) -> Result<(), String> {
        let seen = self.seen.entry(place).or_default();
        let name = NAMES[place.0];
        if log.high_watermark < *seen || log.end() < *seen {
            let (now, end) = (log.high_watermark, log.end());
            return Err(format!("{name}-{} was safe up to {seen:?}: {now:?}, {end:?}", place.1));
        }
        *seen = log.high_watermark;
        Ok(())
    }

    /// A topic has gone.
    pub fn forget(&mut self, topic: usize) {
        self.seen.retain(|(of, _), _| *of != topic);
    }
}
