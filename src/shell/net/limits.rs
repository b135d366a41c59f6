//! How many connections there may be, in all and from one address, and how fast they may come.
//!
//! At the limit for all, nobody is accepted until somebody leaves: as Kafka does, the system's backlog waits. An
//! address at its own limit is accepted and closed at once, which tells it. Where they come too fast, whoever was accepted
//! waits, and the backlog behind. All of it may change while the node runs: what holds is asked for each connection.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::creation_rate::{CreationRate, Window};
use crate::types::seeded_map::SeededMap;
use crate::types::time::Mono;

/// How soon a limit that was raised is noticed by those who wait for somebody to leave.
const RAISED_LIMIT_PERIOD: Duration = Duration::from_secs(1);

/// What may be at the moment.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// `max.connections`.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub per_ip_overrides: BTreeMap<IpAddr, usize>,
    /// `max.connection.creation.rate`, of all listeners together.
    pub creation_rate: u32,
    /// The same of each listener, by its name.
    pub listeners: BTreeMap<String, ListenerQuota>,
    /// Over which time these rates are measured.
    pub window: Window,
}

/// What may be at the moment through one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerQuota {
    /// `max.connection.creation.rate`.
    pub creation_rate: u32,
    /// Whether its connections do not count for the rate of all: clients must not hinder brokers.
    pub is_protected: bool,
}

/// Gives what may be at the moment.
pub type QuotaSource = Arc<dyn Fn() -> Arc<Quotas> + Send + Sync>;

/// See the module.
pub struct Limits {
    quotas: QuotaSource,
    counted: Mutex<Counted>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Counted {
    all: usize,
    /// No more entries than connections.
    by_ip: SeededMap<IpAddr, usize>,
    rate: CreationRate,
    /// No more entries than listeners.
    rates: BTreeMap<String, CreationRate>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("counted", &self.counted).finish_non_exhaustive()
    }
}

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    ip: IpAddr,
    slot: Slot,
}

/// A place whose address is not known yet.
#[derive(Debug)]
pub struct Slot(Arc<Limits>);

impl Limits {
    /// Limits that `quotas` gives.
    pub fn new(quotas: QuotaSource) -> Self {
        Self { quotas, counted: Mutex::default(), left: Notify::new() }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is a place.
    pub async fn slot(self: &Arc<Self>) -> Slot {
        loop {
            {
                let mut counted = self.counted();
                if counted.all < (self.quotas)().connections_max {
                    counted.all += 1;
                    return Slot(Arc::clone(self));
                }
            }
            // Who left meanwhile is remembered. A limit that is raised tells nobody.
            let _ = timeout(RAISED_LIMIT_PERIOD, self.left.notified()).await;
        }
    }

    /// Counts a connection that came through `listener` at `now`; how long it must wait for its turn.
    pub fn delay(&self, listener: &str, now: Mono) -> Duration {
        let quotas = (self.quotas)();
        let mut counted = self.counted();
        let Some(quota) = quotas.listeners.get(listener) else { return Duration::ZERO };
        if !counted.rates.contains_key(listener) {
            counted.rates.insert(listener.to_owned(), CreationRate::default());
        }
        let of_listener = counted
            .rates
            .get_mut(listener)
            .map_or(Duration::ZERO, |rate| rate.count(quota.creation_rate, quotas.window, now));
        if quota.is_protected {
            return of_listener;
        }
        of_listener.max(counted.rate.count(quotas.creation_rate, quotas.window, now))
    }

    /// A place for a connection from `ip`, unless there are too many already.
    pub fn place(slot: Slot, ip: IpAddr) -> Option<Place> {
        let ip = ip.to_canonical();
        let quotas = (slot.0.quotas)();
        let limit = quotas.per_ip_overrides.get(&ip).copied().unwrap_or(quotas.per_ip_max);
        let limits = Arc::clone(&slot.0);
        let mut counted = limits.counted();
        let count = counted.by_ip.entry(ip).or_default();
        if *count < limit {
            *count += 1;
            return Some(Place { ip, slot });
        }
        if *count == 0 {
            counted.by_ip.remove(&ip);
        }
        // Giving the slot back takes the lock.
        drop(counted);
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.counted().all -= 1;
        self.0.left.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counted = self.slot.0.counted();
        if let Some(count) = counted.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counted.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// So many connections in all and from one address, at any rate.
    pub fn quotas(connections_max: usize, per_ip_max: usize) -> Quotas {
        Quotas {
            connections_max,
            per_ip_max,
            per_ip_overrides: BTreeMap::new(),
            creation_rate: i32::MAX as u32,
            listeners: BTreeMap::new(),
            window: Window { burst: Duration::from_secs(10), wait_max: Duration::from_secs(1) },
        }
    }

    /// Limits that do not change.
    pub fn fixed(quotas: Quotas) -> Arc<Limits> {
        let quotas = Arc::new(quotas);
        Arc::new(Limits::new(Arc::new(move || Arc::clone(&quotas))))
    }

    #[tokio::test]
    async fn an_address_has_its_own_limit_whatever_it_is_written_as() {
        let special = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let overrides = BTreeMap::from([(special, 0)]);
        let limits = fixed(Quotas { per_ip_overrides: overrides, ..quotas(100, 1) });
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let place = Limits::place(limits.slot().await, HERE);
        assert!(place.is_some());
        assert!(Limits::place(limits.slot().await, mapped).is_none());
        let other = Limits::place(limits.slot().await, IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert!(other.is_some());
        assert!(Limits::place(limits.slot().await, special).is_none());
        drop(place);
        assert!(Limits::place(limits.slot().await, mapped).is_some());
        drop(other);
        let counted = limits.counted();
        assert_eq!((counted.all, counted.by_ip.len()), (0, 0));
    }

    #[tokio::test]
    async fn at_the_limit_for_all_a_slot_is_waited_for() {
        let limits = fixed(quotas(1, 9));
        let place = Limits::place(limits.slot().await, HERE);
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = pin!(limits.slot());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        drop(place);
        assert!(matches!(waiting.poll(&mut cx), Poll::Ready(_)));
    }

    #[tokio::test]
    async fn limits_hold_as_they_are_at_the_moment() {
        let now = Arc::new(Mutex::new(Arc::new(quotas(1, 1))));
        let told = Arc::clone(&now);
        let limits = Arc::new(Limits::new(Arc::new(move || Arc::clone(&told.lock().unwrap()))));
        let _first = Limits::place(limits.slot().await, HERE).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(limits.slot()).poll(&mut cx).is_pending());
        *now.lock().unwrap() = Arc::new(quotas(2, 1));
        assert!(Limits::place(limits.slot().await, HERE).is_none());
        *now.lock().unwrap() = Arc::new(quotas(2, 2));
        assert!(Limits::place(limits.slot().await, HERE).is_some());
    }

    #[test]
    fn listeners_have_rates_of_their_own_and_one_together() {
        let listener =
            |creation_rate: u32, is_protected: bool| ListenerQuota { creation_rate, is_protected };
        let limits = fixed(Quotas {
            creation_rate: 1,
            listeners: BTreeMap::from([
                ("SLOW".to_owned(), listener(1, false)),
                ("FAST".to_owned(), listener(2, false)),
                ("BROKERS".to_owned(), listener(100, true)),
            ]),
            ..quotas(9, 9)
        });
        let delay = |name: &str| limits.delay(name, Mono(Duration::from_secs(7))).as_millis();
        assert_eq!((0..10).map(|_| delay("FAST")).sum::<u128>(), 0);
        // Its own limit is not reached, that of all is.
        assert_eq!(delay("FAST"), 1000);
        assert_eq!(delay("SLOW"), 1000);
        assert_eq!((0..1000).map(|_| delay("BROKERS")).sum::<u128>(), 0);
        assert_eq!(delay("BROKERS"), 10);
    }
}
