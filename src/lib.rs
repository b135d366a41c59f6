//! Ottla: a broker that speaks Apache Kafka's protocol and writes Kafka's files.
//!
//! The folders, from the ground up; a module imports only what is below it (`tests/it/floors.rs`):
//!
//! - [`types`]: the words everyone speaks: identifiers, offsets, epochs, points in time, error codes.
//! - [`wire`]: bytes to values and back; no sockets, no state.
//! - [`kernel`]: every decision, as functions of (state, input, now); no effects.
//! - [`shell`]: every effect: files, sockets, threads, the clock; no decisions.
//! - [`api`]: one file per Kafka API: decode, check, call, encode.
//! - [`server`]: configuration and the assembly of it all, in start order.
//!
//! Only [`run`] and [`Config`] are public, so that anything unused is a warning.

#![cfg_attr(
    not(feature = "server"),
    allow(dead_code, unused_imports, reason = "what the floors above call is not there")
)]

#[cfg(feature = "server")]
mod api;
mod kernel;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod shell;
#[cfg(any(test, feature = "sim"))]
mod sim;
mod types;
mod wire;

#[cfg(feature = "server")]
pub use server::{Config, run};

/// The simulated world, for the program that runs it for long.
#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod simulation {
    pub use crate::sim::{Counters, Outcome, Setup, config, planted, run_seed, sometimes};
}

/// The pure floors, for benches and fuzzers.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    /// See [`crate::types`].
    pub mod types {
        pub use crate::types::*;
    }
    /// See [`crate::wire`].
    pub mod wire {
        pub use crate::wire::*;
    }
    /// See [`crate::kernel`].
    pub mod kernel {
        pub use crate::kernel::*;
    }
}
