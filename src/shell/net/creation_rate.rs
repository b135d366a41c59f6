//! How fast connections may come (`max.connection.creation.rate`): a bucket of tokens, told the time.
//!
//! Kafka measures the rate over a window of several seconds, so after a quiet time a burst of as many connections passes
//! at once; each one beyond it waits until the rate over the window is the allowed one again, but no longer than one
//! sample of the window. Connections wait in the order in which they come, and none is refused.

use std::time::Duration;

use crate::types::time::Mono;

/// Over which time the rate is measured (`quota.window.num`, `quota.window.size.seconds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What may come in so much time may come at once.
    pub burst: Duration,
    /// No connection waits longer.
    pub wait_max: Duration,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct CreationRate {
    /// Until when the connections so far would have taken, one after the other at the allowed rate.
    spent: Mono,
}

impl CreationRate {
    /// Counts a connection that came at `now`; how long it waits.
    pub fn count(&mut self, per_second: u32, window: Window, now: Mono) -> Duration {
        let Some(cost) = Duration::from_secs(1).checked_div(per_second) else {
            return window.wait_max;
        };
        // Where others count, too, more come than may; what is older than the window is forgotten all the same.
        let most = now.after(window.burst.saturating_mul(2));
        self.spent = self.spent.max(now).after(cost).min(most);
        self.spent.since(now.after(window.burst)).min(window.wait_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kafka's defaults.
    const WINDOW: Window =
        Window { burst: Duration::from_secs(10), wait_max: Duration::from_secs(1) };

    fn at(ms: u64) -> Mono {
        Mono(Duration::from_millis(ms))
    }

    fn waits(rate: &mut CreationRate, per_second: u32, ms: u64, count: usize) -> Vec<u64> {
        let mut wait = || rate.count(per_second, WINDOW, at(ms)).as_millis() as u64;
        (0..count).map(|_| wait()).collect()
    }

    #[test]
    fn a_burst_passes_and_then_one_comes_at_a_time() {
        let mut rate = CreationRate::default();
        assert_eq!(waits(&mut rate, 2, 5, 20), [0; 20]);
        assert_eq!(waits(&mut rate, 2, 5, 1), [500]);
        assert_eq!(waits(&mut rate, 2, 505, 1), [500]);
        assert_eq!(waits(&mut rate, 2, 1005, 1), [500]);
        // In five seconds there is room for ten, less the one that still counts.
        assert_eq!(waits(&mut rate, 2, 6505, 11), [[0; 10].as_slice(), &[500]].concat());
    }

    #[test]
    fn no_wait_is_longer_than_a_sample_and_what_was_is_forgotten() {
        let mut rate = CreationRate::default();
        assert_eq!(waits(&mut rate, 1, 0, 10), [0; 10]);
        assert_eq!(waits(&mut rate, 1, 0, 1000)[..3], [1000, 1000, 1000]);
        assert_eq!(waits(&mut rate, 1, 9_000, 1), [1000]);
        let mut rate = CreationRate::default();
        waits(&mut rate, 1, 0, 1000);
        assert_eq!(waits(&mut rate, 1, 11_000, 2), [0, 1000]);
    }

    #[test]
    fn the_largest_rate_is_no_limit_and_the_smallest_lets_one_pass_after_each_wait() {
        let mut rate = CreationRate::default();
        assert_eq!(waits(&mut rate, i32::MAX as u32, 0, 100_000), vec![0; 100_000]);
        assert_eq!(waits(&mut rate, 0, 0, 2), [1000, 1000]);
        assert_eq!(waits(&mut rate, 1, 0, 1), [0]);
    }
}
