//! One clear line about clients that speak another protocol, and not one for each of them.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::foreign::Protocol;
use crate::shell::clock::Clock;
use crate::types::time::Mono;

/// The shortest time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub struct WrongDoor {
    clock: Clock,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Mono>,
    untold: u64,
}

impl WrongDoor {
    /// Nobody came yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, told: Mutex::default() }
    }

    /// A client came that speaks `protocol`.
    pub fn tell(&self, protocol: Protocol, listener: &str, peer: SocketAddr) {
        let now = self.clock.now().mono;
        let due = self.told.lock().unwrap_or_else(PoisonError::into_inner).due(now);
        if let Some(others) = due {
            tracing::warn!(
                %peer, %listener, others,
                "closed a connection: the client speaks {protocol}, the listener Kafka's protocol in plain text"
            );
        }
    }
}

impl Told {
    /// How many were passed over since the last line, if it is time for another.
    fn due(&mut self, now: Mono) -> Option<u64> {
        if self.at.is_some_and(|at| now.since(at) < INTERVAL) {
            self.untold += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_and_then_its_size() {
        let mut told = Told::default();
        let second = |s| Mono(Duration::from_secs(s));
        assert_eq!(told.due(second(100)), Some(0));
        assert_eq!(told.due(second(101)), None);
        assert_eq!(told.due(second(109)), None);
        assert_eq!(told.due(second(110)), Some(2));
        assert_eq!(told.due(second(200)), Some(0));
    }
}
