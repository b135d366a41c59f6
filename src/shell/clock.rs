//! The only clock. Everything else is told the time as a value ([`Now`]).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::types::time::{Mono, Now, Timestamp};

/// Reads both clocks of the machine. Monotonic time is counted from when this was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting.
    #[expect(clippy::disallowed_methods, reason = "this is the one place which reads the clock")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks, read together.
    #[expect(clippy::disallowed_methods, reason = "this is the one place which reads the clock")]
    pub fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let wall_ms = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Now { mono: Mono(self.start.elapsed()), wall: Timestamp(wall_ms) }
    }
}
