//! High watermarks and last stable offsets never go back, and whoever has an answer to a write can read it.

use super::facts::Facts;
use super::running_max::RunningMax;
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Isolation, Operation, Outcome};

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

impl Watermark {
    /// Readers of a kind are told how far they may read.
    fn told(
        &mut self,
        operation: &Operation,
        partition: u32,
        (isolation, now): (Isolation, i64),
        found: &mut Found,
    ) {
        let (all, name) = match isolation {
            Isolation::Uncommitted => (&mut self.high_watermarks, "high watermark"),
            Isolation::Committed => (&mut self.last_stable_offsets, "last stable offset"),
        };
        let known = of(all, partition).before(operation.invoked);
        if known > Some(now) {
            found.add(Kind::WatermarkBack, Subject::place(partition, now), || {
                format!("{partition}: {name} {now} after {known:?}")
            });
        }
        of(all, partition).push(operation.completed, now);
    }
}

impl Check for Watermark {
    fn operation(&mut self, operation: &Operation, _: &Facts, found: &mut Found) {
        match operation.action {
            Action::Write { partition, count, offset: Some(offset), .. }
                if operation.outcome == Outcome::Ok =>
            {
                let end = offset.saturating_add(count.into());
                of(&mut self.high_watermarks, partition).push(operation.completed, end);
            }
            Action::Read { partition, high_watermark, last_stable_offset, .. } => {
                let mut told = |isolation, offset| {
                    self.told(operation, partition, (isolation, offset), found);
                };
                told(Isolation::Uncommitted, high_watermark);
                told(Isolation::Committed, last_stable_offset);
                if last_stable_offset > high_watermark {
                    found.add(
                        Kind::WatermarkBack,
                        Subject::place(partition, high_watermark),
                        || format!("{partition}: {last_stable_offset} above {high_watermark}"),
                    );
                }
            }
            Action::Latest { partition, isolation, offset } => {
                self.told(operation, partition, (isolation, offset), found);
            }
            _ => {}
        }
    }
}
