//! How much memory the large frames of all connections may take together (`queued.max.request.bytes`).
//!
//! A frame takes its place before its bytes are read, all of it at once: with places that grow, many half-read frames
//! could wait for each other for ever. Who gets none waits in order, and its socket is not read meanwhile. A place that
//! was announced and is not used must be given up while others wait ([`MemoryBudget::is_wanted`]).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of the budget, because a semaphore counts in `u32`.
const UNIT_BYTES: usize = 1024;

/// The place of one frame, given back when it is dropped.
#[derive(Debug, Default)]
pub struct Reservation(
    #[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>,
);

/// A place that comes later.
pub type Queued = Pin<Box<dyn Future<Output = Reservation> + Send>>;

/// See the module.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    units: Arc<Semaphore>,
    total: usize,
    queued: Arc<AtomicUsize>,
}

/// One that waits for a place.
struct Wanted(Arc<AtomicUsize>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl MemoryBudget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { units: Arc::new(Semaphore::new(total)), total, queued: Arc::default() }
    }

    /// A place for `bytes`, now or later. A frame larger than the whole budget takes all of it.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Queued> {
        let units = bytes.div_ceil(UNIT_BYTES).min(self.total) as u32;
        if let Ok(permit) = Arc::clone(&self.units).try_acquire_many_owned(units) {
            return Ok(Reservation(Some(permit)));
        }
        let acquired = Arc::clone(&self.units).acquire_many_owned(units);
        self.queued.fetch_add(1, Relaxed);
        let wanted = Wanted(Arc::clone(&self.queued));
        Err(Box::pin(async move {
            let _wanted = wanted;
            // The semaphore is never closed.
            Reservation(acquired.await.ok())
        }))
    }

    /// Whether somebody waits for a place.
    pub fn is_wanted(&self) -> bool {
        self.queued.load(Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_gets_no_place_waits_for_one_and_the_largest_frame_can_pass() {
        let budget = MemoryBudget::new(100 * UNIT_BYTES);
        let Ok(first) = budget.reserve(60 * UNIT_BYTES) else { panic!() };
        let Err(queued) = budget.reserve(50 * UNIT_BYTES) else { panic!() };
        let third = budget.reserve(40 * UNIT_BYTES);
        assert!(third.is_ok() && budget.is_wanted());
        drop((first, third));
        drop(queued.await);
        assert!(!budget.is_wanted());
        assert!(budget.reserve(1_000_000 * UNIT_BYTES).is_ok());
    }
}
