//! High watermarks and last stable offsets never go back, and whoever has an answer to a write can read it.

use super::facts::Facts;
use super::running_max::RunningMax;
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation, Outcome};

/// What is known of each partition.
#[derive(Debug, Default)]
pub struct Watermark {
    high_watermarks: Vec<RunningMax>,
    last_stable_offsets: Vec<RunningMax>,
}

/// The numbers of a partition.
fn of(all: &mut Vec<RunningMax>, partition: u32) -> &mut RunningMax {
    while all.len() <= partition as usize {
        all.push(RunningMax::default());
    }
    &mut all[partition as usize]
}

impl Check for Watermark {
    fn operation(&mut self, operation: &Operation, _: &Facts, found: &mut Found) {
        let Operation { invoked, completed, .. } = *operation;
        match operation.action {
            Action::Write { partition, count, offset: Some(offset), .. }
                if operation.outcome == Outcome::Ok =>
            {
                let end = offset.saturating_add(count.into());
                of(&mut self.high_watermarks, partition).push(completed, end);
            }
            Action::Read { partition, high_watermark, last_stable_offset, .. } => {
                let mut judge = |all: &mut Vec<RunningMax>, now, name| {
                    let known = of(all, partition).before(invoked);
                    if known > Some(now) {
                        found.add(
                            Kind::WatermarkBack,
                            Subject::place(partition, high_watermark),
                            || format!("{partition}: {name} {now} after {known:?}"),
                        );
                    }
                    of(all, partition).push(completed, now);
                };
                judge(&mut self.high_watermarks, high_watermark, "high watermark");
                judge(&mut self.last_stable_offsets, last_stable_offset, "last stable offset");
                if last_stable_offset > high_watermark {
                    found.add(
                        Kind::WatermarkBack,
                        Subject::place(partition, high_watermark),
                        || format!("{partition}: {last_stable_offset} above {high_watermark}"),
                    );
                }
            }
            _ => {}
        }
    }
}
