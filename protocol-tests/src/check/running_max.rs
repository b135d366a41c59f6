//! The largest number that was known at a time.

use crate::history::Time;

/// How many steps are remembered at least: who asks about earlier times is told of nothing, which allows all.
const STEPS: usize = 1 << 16;

/// Numbers with the times at which they became known, which never decrease.
#[derive(Debug, Default)]
pub struct RunningMax(Vec<(Time, i64)>);

impl RunningMax {
    /// A number is known from this time on.
    pub fn push(&mut self, time: Time, number: i64) {
        if self.0.last().is_none_or(|(_, largest)| *largest < number) {
            if self.0.len() >= 2 * STEPS {
                self.0.drain(..STEPS);
            }
            self.0.push((time, number));
        }
    }

    /// The largest one that was known before a time.
    pub fn before(&self, time: Time) -> Option<i64> {
        let count = self.0.partition_point(|(known, _)| *known < time);
        self.0[..count].last().map(|(_, largest)| *largest)
    }
}
