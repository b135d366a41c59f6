//! Who waits for more of a partition (Kafka's fetch purgatory, one list per partition).
//!
//! A waiter stands in the lists of all partitions that its request names, and knows how many bytes it still needs;
//! an append looks only at the list of its own partition. The lists do not keep a waiter alive: when its request
//! ends, its entries are dead, and are dropped when the list would grow or is looked at.

use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use crate::types::offset::Offset;

/// So many can wait for one partition. Whoever comes after them is not woken, and sees what is new at its deadline.
pub const WAITERS_MAX: usize = 10_000;
/// Below so many entries a list is not searched for dead ones.
const SEARCHED_FROM: usize = 8;

/// Up to where someone reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Everything: a follower.
    LogEnd,
    /// What every replica in sync has: `read_uncommitted`.
    HighWatermark,
    /// Before the first open transaction: `read_committed`.
    LastStable,
}

/// Someone who waits.
pub trait Waits {
    /// Up to where it reads.
    fn isolation(&self) -> Isolation;

    /// There are so many bytes more for it. True once it has what it needs, and is to be woken.
    fn offer(&self, bytes: u64) -> bool;
}

/// The ends of a partition, each for those who read up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ends {
    /// The offset of the next record.
    pub log_end: Offset,
    /// See [`Isolation::HighWatermark`].
    pub high_watermark: Offset,
    /// See [`Isolation::LastStable`].
    pub last_stable: Offset,
}

impl Ends {
    /// The end for those who read so.
    pub const fn of(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::LogEnd => self.log_end,
            Isolation::HighWatermark => self.high_watermark,
            Isolation::LastStable => self.last_stable,
        }
    }
}

/// Those who are to be woken, once no lock is held.
pub type Woken<W> = SmallVec<[Arc<W>; 4]>;

/// See the module.
#[derive(Debug)]
pub struct Waiters<W> {
    entries: Vec<(Offset, Weak<W>)>,
    search_at: usize,
}

impl<W> Default for Waiters<W> {
    fn default() -> Self {
        Self { entries: Vec::new(), search_at: SEARCHED_FROM }
    }
}

impl<W: Waits> Waiters<W> {
    /// `waiter` waits for records from `from` on. False if there are too many.
    pub fn add(&mut self, waiter: &Arc<W>, from: Offset) -> bool {
        if self.entries.len() >= self.search_at {
            self.entries.retain(|(_, waiter)| waiter.strong_count() > 0);
            // Searched again when as many more have come as there are: each entry pays for its own removal.
            self.search_at = (self.entries.len() * 2).clamp(SEARCHED_FROM, WAITERS_MAX);
        }
        let has_room = self.entries.len() < WAITERS_MAX;
        if has_room {
            self.entries.push((from, Arc::downgrade(waiter)));
        }
        has_room
    }

    /// The ends have moved by an append of `bytes`, or by what set records free that had been appended before.
    /// Gives those who have enough now; they are in the list no more.
    pub fn on_moved(&mut self, before: Ends, after: Ends, bytes: u64) -> Woken<W> {
        let mut woken = Woken::new();
        self.entries.retain(|(from, waiter)| {
            let Some(waiter) = waiter.upgrade() else {
                return false;
            };
            let isolation = waiter.isolation();
            let (old, new) = (before.of(isolation), after.of(isolation));
            if new <= old || new <= *from {
                return true;
            }
            // What was held back at this end, beyond the append itself, was not counted: it may be enough.
            let bytes = if old == before.log_end { bytes } else { u64::MAX };
            let is_done = waiter.offer(bytes);
            if is_done {
                woken.push(waiter);
            }
            !is_done
        });
        woken
    }

    /// Something happened that all of them must see, such as another leader. The list is empty then.
    pub fn take_all(&mut self) -> Woken<W> {
        let all = std::mem::take(self).entries;
        all.into_iter().filter_map(|(_, waiter)| waiter.upgrade()).collect()
    }

    /// How many entries there are, dead ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[cfg(any(test, feature = "internals"))]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Test {
        isolation: Isolation,
        needs: AtomicU64,
    }

    impl Waits for Test {
        fn isolation(&self) -> Isolation {
            self.isolation
        }

        fn offer(&self, bytes: u64) -> bool {
            let left = self.left().saturating_sub(bytes);
            self.needs.store(left, Ordering::Relaxed);
            left == 0
        }
    }

    impl Test {
        fn left(&self) -> u64 {
            self.needs.load(Ordering::Relaxed)
        }
    }

    fn test(isolation: Isolation, needs: u64) -> Arc<Test> {
        Arc::new(Test { isolation, needs: AtomicU64::new(needs) })
    }

    fn ends(log_end: i64, high_watermark: i64, last_stable: i64) -> Ends {
        Ends {
            log_end: Offset(log_end),
            high_watermark: Offset(high_watermark),
            last_stable: Offset(last_stable),
        }
    }

    #[test]
    fn a_waiter_is_woken_when_it_has_enough() {
        let mut waiters = Waiters::default();
        let (small, large) =
            (test(Isolation::HighWatermark, 1), test(Isolation::HighWatermark, 90));
        assert!(waiters.add(&small, Offset(5)));
        assert!(waiters.add(&large, Offset(5)));
        let woken = waiters.on_moved(ends(5, 5, 5), ends(6, 6, 6), 50);
        assert_eq!(woken.len(), 1);
        assert!(Arc::ptr_eq(&woken[0], &small));
        assert_eq!((waiters.len(), large.left()), (1, 40));
        let woken = waiters.on_moved(ends(6, 6, 6), ends(7, 7, 7), 50);
        assert!(Arc::ptr_eq(&woken[0], &large));
        assert!(waiters.is_empty());
    }

    #[test]
    fn records_count_for_those_who_may_read_them() {
        use Isolation as I;
        let check = |isolation: Isolation, from: i64, before: Ends, after: Ends, needs: u64| {
            let mut waiters = Waiters::default();
            let waiter = test(isolation, 100);
            waiters.add(&waiter, Offset(from));
            let woken = waiters.on_moved(before, after, 10);
            assert_eq!(waiter.left(), needs, "{isolation:?} from {from}");
            assert_eq!(woken.len(), usize::from(needs == 0));
        };
        // A plain append.
        check(I::LogEnd, 5, ends(5, 5, 5), ends(6, 6, 6), 90);
        check(I::HighWatermark, 5, ends(5, 5, 5), ends(6, 6, 6), 90);
        check(I::LastStable, 5, ends(5, 5, 5), ends(6, 6, 6), 90);
        // In a transaction, and its end, which frees more than was appended.
        check(I::LastStable, 5, ends(5, 5, 5), ends(6, 6, 5), 100);
        check(I::LastStable, 5, ends(6, 6, 5), ends(7, 7, 7), 0);
        // Replicas in sync lag behind, and catch up.
        check(I::HighWatermark, 5, ends(5, 5, 5), ends(6, 5, 5), 100);
        check(I::LogEnd, 5, ends(5, 5, 5), ends(6, 5, 5), 90);
        check(I::HighWatermark, 5, ends(6, 5, 5), ends(6, 6, 6), 0);
        // Ahead of the end.
        check(I::HighWatermark, 6, ends(5, 5, 5), ends(6, 6, 6), 100);
    }

    #[test]
    fn the_dead_make_room() {
        let mut waiters = Waiters::default();
        let alive = test(Isolation::HighWatermark, 1);
        waiters.add(&alive, Offset(0));
        for _ in 0..1000 {
            waiters.add(&test(Isolation::HighWatermark, 1), Offset(0));
            assert!(waiters.len() <= SEARCHED_FROM, "{}", waiters.len());
        }
        let woken = waiters.take_all();
        assert!(Arc::ptr_eq(&woken[0], &alive));
        assert!(waiters.is_empty());
    }

    #[test]
    fn there_are_no_more_than_the_bound() {
        let mut waiters = Waiters::default();
        let alive = test(Isolation::HighWatermark, 1);
        for _ in 0..WAITERS_MAX {
            assert!(waiters.add(&alive, Offset(0)));
        }
        assert!(!waiters.add(&alive, Offset(0)));
        assert_eq!(waiters.len(), WAITERS_MAX);
    }
}
