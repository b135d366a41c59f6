//! Virtual time, and the queue of what is to happen: in the order of time, and of what was said first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::types::time::{Mono, Now, Timestamp};

/// Where the wall clock begins.
const START_WALL_MS: i64 = 1_764_000_000_000;
/// Where the other one begins: later than any timeout, so that what is before the start can be said.
const START_MONO: Duration = Duration::from_hours(1);

/// See the module.
#[derive(Debug)]
pub struct Clock<E> {
    now_ms: u64,
    /// How far the wall clock was put forward or back.
    skew_ms: i64,
    said: u64,
    queue: BTreeMap<(u64, u64), E>,
}

impl<E> Clock<E> {
    /// At the beginning.
    pub const fn new() -> Self {
        Self { now_ms: 0, skew_ms: 0, said: 0, queue: BTreeMap::new() }
    }

    /// How much time has passed.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The present, as a machine is told.
    pub const fn now(&self) -> Now {
        let mono = Mono(START_MONO.saturating_add(Duration::from_millis(self.now_ms)));
        Now { mono, wall: Timestamp(START_WALL_MS + self.now_ms as i64 + self.skew_ms) }
    }

    /// The time that a point on the machine's clock is; now if it has passed.
    pub fn at_ms(&self, mono: Mono) -> u64 {
        let since = mono.since(Mono(START_MONO));
        let ms = since.as_micros().div_ceil(1000) as u64;
        ms.max(self.now_ms)
    }

    /// The wall clock is put forward or back.
    pub const fn skew(&mut self, by_ms: i64) {
        self.skew_ms += by_ms;
    }

    /// Something is to happen.
    pub fn at(&mut self, at_ms: u64, event: E) {
        self.said += 1;
        self.queue.insert((at_ms.max(self.now_ms), self.said), event);
    }

    /// Something is to happen in a while.
    pub fn after(&mut self, delay_ms: u64, event: E) {
        self.at(self.now_ms + delay_ms, event);
    }

    /// The next thing that happens, up to a time; time passes until then.
    pub fn next(&mut self, until_ms: u64) -> Option<E> {
        let (at, _) = *self.queue.first_key_value()?.0;
        if at > until_ms {
            self.now_ms = self.now_ms.max(until_ms);
            return None;
        }
        self.now_ms = self.now_ms.max(at);
        self.queue.pop_first().map(|(_, event)| event)
    }

    /// What is under way is gone, as far as it is of a kind.
    pub fn forget(&mut self, is_gone: impl Fn(&E) -> bool) {
        self.queue.retain(|_, event| !is_gone(event));
    }
}
