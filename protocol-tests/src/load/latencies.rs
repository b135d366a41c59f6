//! How long each of many things took.

use std::time::Duration;

use super::Report;

/// All of them; a trial has some hundred thousand at most.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// One more.
    pub fn add(&mut self, taken: Duration) {
        self.0.push(taken.as_nanos() as u64);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The value, in microseconds, that so many of a thousand are not above: the nearest rank.
    pub fn micros(&mut self, per_mille: usize) -> f64 {
        assert!(!self.0.is_empty(), "nothing was measured");
        self.0.sort_unstable();
        let rank = (self.0.len() * per_mille).div_ceil(1000).max(1);
        self.0[rank - 1] as f64 / 1e3
    }

    /// Into a report: median, 99th percentile and the longest.
    pub fn tell(&mut self, report: &mut Report) {
        for (name, per_mille) in [("p50_us", 500), ("p99_us", 990), ("max_us", 1000)] {
            report.figure(name, self.micros(per_mille));
        }
    }
}
