//! Points in time, as values. The only clock is `shell::clock`; everything else is told.

use std::time::Duration;

/// Milliseconds since 1970 by the wall clock: what records and files carry. −1 means "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// "No timestamp", as the wire says it.
    pub const NONE: Self = Self(-1);
}

/// A point on a clock that never goes back, counted from an arbitrary start: what timers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub Duration);

impl Mono {
    /// This point plus `delay`; the largest point if that overflows.
    #[must_use]
    pub const fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }

    /// The time from `earlier` to this point; zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a machine is told about the present: both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines and ages.
    pub mono: Mono,
    /// For what is written down.
    pub wall: Timestamp,
}
