//! How much memory the large frames of all connections may take together (`queued.max.request.bytes`).
//!
//! A frame takes its place before its bytes are read, all of it at once: with places that grow, many half-read frames
//! could wait for each other for ever. Who gets none waits in order, and its socket is not read meanwhile.

use std::pin::Pin;
use std::sync::Arc;

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
}

impl MemoryBudget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { units: Arc::new(Semaphore::new(total)), total }
    }

    /// A place for `bytes`, now or later. A frame larger than the whole budget takes all of it.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Queued> {
        let units = bytes.div_ceil(UNIT_BYTES).min(self.total) as u32;
        if let Ok(permit) = Arc::clone(&self.units).try_acquire_many_owned(units) {
            return Ok(Reservation(Some(permit)));
        }
        let acquired = Arc::clone(&self.units).acquire_many_owned(units);
        // The semaphore is never closed.
        Err(Box::pin(async move { Reservation(acquired.await.ok()) }))
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
        assert!(third.is_ok());
        drop((first, third));
        drop(queued.await);
        assert!(budget.reserve(1_000_000 * UNIT_BYTES).is_ok());
    }
}
