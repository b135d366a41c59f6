//! The simulated world: groups and transactions as the kernel has them, run by a driver without threads, over logs whose
//! disks and replicas fail, for clients that are slow, die, and repeat themselves, over a network that loses things.
//!
//! Everything follows from a seed: one thread, one source of [`chance`], virtual time. The same seed gives the same events
//! to the byte, and a seed that breaks a promise is a command that shows it again. What is promised is in [`checkers`], one
//! promise to a file; [`sometimes`] counts the rare branches, so that a run which was too easy is seen to be.
//!
//! It stands on the kernel and below, and never on the shell: what a driver decides is in `kernel::coordinator`. Absent on
//! purpose: several nodes (the shell has no channel to others yet), sockets, and time that passes.

pub mod asks;
pub mod chance;
pub mod checkers;
pub mod clients;
pub mod clock;
pub mod log;
pub mod planted;
pub mod shard;
pub mod sometimes;
#[cfg(test)]
mod tests;
pub mod topics;
pub mod trace;
pub mod world;

use std::sync::Arc;

pub use self::sometimes::Counters;
pub use self::world::{Outcome, Setup, config};

use self::world::World;
use crate::kernel::configs::broker::BrokerConfig;

/// Runs one seed.
pub fn run_seed(seed: u64, config: &Arc<BrokerConfig>, setup: Setup) -> Outcome {
    match World::of_seed(seed, Arc::clone(config), setup) {
        Ok(world) => world.run(),
        Err(violation) => Outcome {
            hash: 0,
            events: 0,
            counters: Counters::default(),
            violation: Some(violation),
            lines: Vec::new(),
        },
    }
}
