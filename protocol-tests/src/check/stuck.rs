//! The last stable offset follows the high watermark, as no transaction is open forever.

use std::time::Duration;

use super::facts::{Facts, grown};
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation, Time};

/// Where the last stable offset of each partition is held up, and since when.
#[derive(Debug)]
pub struct Stuck {
    after: Time,
    held: Vec<Option<(i64, Time)>>,
}

impl Stuck {
    /// It may be held up so long.
    pub fn after(limit: Duration) -> Self {
        Self { after: limit.as_nanos() as Time, held: Vec::new() }
    }
}

impl Check for Stuck {
    fn operation(&mut self, operation: &Operation, _: &Facts, found: &mut Found) {
        let Action::Read { partition, high_watermark, last_stable_offset, .. } = operation.action
        else {
            return;
        };
        let held = grown(&mut self.held, partition as usize, None);
        *held = match *held {
            _ if last_stable_offset >= high_watermark => None,
            Some((at, since)) if at == last_stable_offset => {
                if operation.invoked.saturating_sub(since) > self.after {
                    let subject = Subject::place(partition, at);
                    found.add(Kind::StuckLastStableOffset, subject, || format!("{partition}:{at}"));
                    None
                } else {
                    Some((at, since))
                }
            }
            _ => Some((last_stable_offset, operation.completed)),
        };
    }
}
