//! How many connections there may be, in all and from one address.
//!
//! At the limit for all, nobody is accepted until somebody leaves: as Kafka does, the system's backlog waits. An
//! address at its own limit is accepted and closed at once, which tells it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::types::seeded_map::SeededMap;

/// See the module.
#[derive(Debug)]
pub struct Limits {
    slots: Arc<Semaphore>,
    per_ip: usize,
    overrides: BTreeMap<IpAddr, usize>,
    counts: Mutex<SeededMap<IpAddr, usize>>,
}

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    limits: Arc<Limits>,
    ip: IpAddr,
    _slot: Slot,
}

/// A place whose address is not known yet.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>);

impl Limits {
    /// At most `connections`, at most `per_ip` from one address unless `overrides` names it.
    pub fn new(connections: usize, per_ip: usize, overrides: BTreeMap<IpAddr, usize>) -> Self {
        let slots = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Self { slots, per_ip, overrides, counts: Mutex::default() }
    }

    /// Waits until there is a place.
    pub async fn slot(&self) -> Slot {
        // The semaphore is never closed.
        Slot(Arc::clone(&self.slots).acquire_owned().await.ok())
    }

    /// A place for a connection from `ip`, unless there are too many already.
    pub fn place(self: &Arc<Self>, slot: Slot, ip: IpAddr) -> Option<Place> {
        let ip = ip.to_canonical();
        let limit = self.overrides.get(&ip).copied().unwrap_or(self.per_ip);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count < limit {
            *count += 1;
            Some(Place { limits: Arc::clone(self), ip, _slot: slot })
        } else {
            if *count == 0 {
                counts.remove(&ip);
            }
            None
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.limits.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn an_address_has_its_own_limit_whatever_it_is_written_as() {
        let special = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let limits = Arc::new(Limits::new(100, 1, BTreeMap::from([(special, 0)])));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let place = limits.place(limits.slot().await, here);
        assert!(place.is_some());
        assert!(limits.place(limits.slot().await, mapped).is_none());
        let other = limits.place(limits.slot().await, IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert!(other.is_some());
        assert!(limits.place(limits.slot().await, special).is_none());
        drop(place);
        assert!(limits.place(limits.slot().await, mapped).is_some());
        drop(other);
        assert!(limits.counts.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn at_the_limit_for_all_a_slot_is_waited_for() {
        let limits = Arc::new(Limits::new(1, 9, BTreeMap::new()));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let place = limits.place(limits.slot().await, here);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(limits.slot()).poll(&mut cx).is_pending());
        drop(place);
        assert!(matches!(pin!(limits.slot()).poll(&mut cx), Poll::Ready(_)));
    }
}
