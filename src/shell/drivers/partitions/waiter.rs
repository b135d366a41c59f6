//! A request that waits until its partitions have enough for it.
//!
//! The order that loses no wake-up: make a waiter, [watch](super::Partition::watch) with it, read, tell it what the
//! read [found](Waiter::found), and only then wait. What is appended before the watch is seen by the read; what is
//! appended after it is offered to the waiter. What comes in between counts twice, which only wakes early: whoever
//! is woken reads again.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::kernel::replica::waiters::{Isolation, Waits};

/// See the module. One request's, shared with the lists of the partitions that it watches.
#[derive(Debug)]
pub struct Waiter {
    isolation: Isolation,
    /// Bytes that it still needs.
    needs: AtomicU64,
    /// Keeps one wake-up for a request that does not wait yet.
    notify: Notify,
}

impl Waiter {
    /// Waits for so many bytes below the high watermark.
    #[cfg(test)]
    pub fn new(min_bytes: u64) -> Self {
        Self::of(Isolation::HighWatermark, min_bytes)
    }

    /// Waits for so many bytes.
    pub fn of(isolation: Isolation, min_bytes: u64) -> Self {
        Self { isolation, needs: AtomicU64::new(min_bytes), notify: Notify::new() }
    }

    /// A read after the watch found so many bytes: they are not needed any more.
    pub fn found(&self, bytes: u64) {
        if self.offer(bytes) {
            self.wake();
        }
    }

    /// Ends the waiting, or the next.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits until there is enough, or something happened that the request must see.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Waits for Waiter {
    fn isolation(&self) -> Isolation {
        self.isolation
    }

    fn offer(&self, bytes: u64) -> bool {
        let take = |needs: u64| Some(needs.saturating_sub(bytes));
        let before = self.needs.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        before.unwrap_or_else(|same| same) <= bytes
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_woken(waiter: &Waiter) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(waiter.woken()).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn bytes_add_up_to_a_wake_up() {
        let waiter = Waiter::new(100);
        waiter.found(30);
        assert!(!is_woken(&waiter));
        assert!(!waiter.offer(69));
        assert!(waiter.offer(1));
        assert!(waiter.offer(0));
        waiter.wake();
        assert!(is_woken(&waiter));
        assert!(!is_woken(&waiter));
    }

    #[test]
    fn a_wake_up_before_the_wait_is_kept() {
        let waiter = Waiter::of(Isolation::LastStable, 10);
        waiter.found(u64::MAX);
        assert!(is_woken(&waiter));
    }
}
