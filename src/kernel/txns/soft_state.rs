//! What a shard knows beside its log: timers, the markers that are under way, and what a client need not repeat. All of
//! it is made anew after a load, or may be lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::transaction::{PartitionSet, Transaction};
use crate::types::epoch::ProducerEpoch;
use crate::types::seeded_map::SeededMap;
use crate::types::time::{Mono, Now};

/// How long a marker that could not be written waits for the next try.
pub const MARKER_RETRY: Duration = Duration::from_millis(100);

/// See the module. Each map has an entry for an id of the hard state at most, so it is bounded as that is.
#[derive(Debug, Default)]
pub struct SoftState {
    /// When open transactions have taken too long.
    deadlines: Timers,
    /// Markers to be written again.
    retries: Timers,
    /// Where the markers of decided transactions are still missing.
    missing: SeededMap<Arc<str>, Arc<PartitionSet>>,
    /// The epoch before the last bump that its producer asked for: when it asks again, it did not hear (KIP-360).
    last_epochs: SeededMap<Arc<str>, ProducerEpoch>,
    /// When ids are looked through for those that have expired.
    pub expiry_at: Option<Mono>,
    /// How far that has come.
    pub expired_up_to: Option<Arc<str>>,
}

/// One time for each id at most.
#[derive(Debug, Default)]
struct Timers {
    by_time: BTreeSet<(Mono, Arc<str>)>,
    by_id: SeededMap<Arc<str>, Mono>,
}

impl Timers {
    fn set(&mut self, id: &Arc<str>, at: Mono) {
        self.clear(id);
        self.by_id.insert(Arc::clone(id), at);
        self.by_time.insert((at, Arc::clone(id)));
    }

    fn clear(&mut self, id: &Arc<str>) {
        if self.by_id.is_empty() {
            return;
        }
        if let Some(at) = self.by_id.remove(id) {
            self.by_time.remove(&(at, Arc::clone(id)));
        }
    }

    fn first(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Mono) -> Option<Arc<str>> {
        if self.first()? > now {
            return None;
        }
        let (_, id) = self.by_time.pop_first()?;
        self.by_id.remove(&id);
        Some(id)
    }
}

impl SoftState {
    /// The next time at which anything is due.
    pub fn next_deadline(&self) -> Option<Mono> {
        [self.deadlines.first(), self.retries.first(), self.expiry_at].into_iter().flatten().min()
    }

    /// An id's transaction that has taken its time.
    pub fn take_overdue(&mut self, now: Mono) -> Option<Arc<str>> {
        self.deadlines.take_due(now)
    }

    /// An id whose markers are to be tried again.
    pub fn take_retry(&mut self, now: Mono) -> Option<Arc<str>> {
        self.retries.take_due(now)
    }

    /// The timer of an open transaction begins.
    pub fn watch(&mut self, id: &Arc<str>, transaction: &Transaction, now: Now) {
        if let Some(left_ms) = transaction.left_ms(now) {
            self.deadlines.set(id, now.mono.after(Duration::from_millis(left_ms)));
        }
    }

    /// The timer of an open transaction begins anew, but not at once: its abort was refused.
    pub fn watch_again(&mut self, id: &Arc<str>, transaction: &Transaction, now: Now) {
        if let Some(left_ms) = transaction.left_ms(now) {
            let left = Duration::from_millis(left_ms).max(MARKER_RETRY);
            self.deadlines.set(id, now.mono.after(left));
        }
    }

    /// An id has no open transaction any more.
    pub fn unwatch(&mut self, id: &Arc<str>) {
        self.deadlines.clear(id);
    }

    /// Whether an open transaction has its timer.
    pub fn is_watched(&self, id: &str) -> bool {
        self.deadlines.by_id.contains_key(id)
    }

    /// A transaction is decided: its time does not count any more, its markers are missing.
    pub fn decided(&mut self, id: &Arc<str>, partitions: &Arc<PartitionSet>) {
        self.deadlines.clear(id);
        self.missing.insert(Arc::clone(id), Arc::clone(partitions));
    }

    /// Where markers are missing.
    pub fn missing(&self, id: &str) -> Option<&Arc<PartitionSet>> {
        self.missing.get(id)
    }

    /// The markers of these are written. Gives whether none is missing any more; nothing if none was.
    pub fn written(&mut self, id: &str, written: &PartitionSet) -> Option<bool> {
        let missing = self.missing.get_mut(id)?;
        // What takes part in the transaction is not copied for the usual case, in which all are written at once.
        if **missing == *written {
            *missing = PartitionSet::none();
        } else if !written.is_empty() {
            Arc::make_mut(missing).remove_all(written);
        }
        Some(missing.is_empty())
    }

    /// Markers are to be tried again in a while.
    pub fn retry(&mut self, id: &Arc<str>, now: Mono) {
        self.retries.set(id, now.after(MARKER_RETRY));
    }

    /// A transaction is complete.
    pub fn completed(&mut self, id: &Arc<str>) {
        self.missing.remove(id);
        self.retries.clear(id);
    }

    /// Nothing is known of an id any more but what the log says.
    pub fn forget(&mut self, id: &Arc<str>) {
        self.completed(id);
        self.deadlines.clear(id);
        self.last_epochs.remove(id);
    }

    /// The epoch before the last bump; −1 if none is remembered.
    pub fn last_epoch(&self, id: &str) -> ProducerEpoch {
        self.last_epochs.get(id).copied().unwrap_or(ProducerEpoch::NONE)
    }

    /// Remembers the epoch before a bump, or that there is none to remember.
    pub fn set_last_epoch(&mut self, id: &Arc<str>, epoch: ProducerEpoch) {
        if epoch == ProducerEpoch::NONE {
            self.last_epochs.remove(id);
        } else {
            self.last_epochs.insert(Arc::clone(id), epoch);
        }
    }
}
