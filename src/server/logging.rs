//! The log on standard error: one line an event, and nobody waits for it to be read. `RUST_LOG` in the syntax of
//! `env_logger` chooses what is written.
//!
//! By default nothing is written per request or connection: a line a request would cost more than the request.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::shell::log_output::LogOutput;

/// What is written where `RUST_LOG` says nothing.
const DEFAULT_FILTER: &str = "info";

/// Starts logging. A filter that does not read is told, and the default taken.
pub fn start(filter: Option<&str>) {
    let default = || EnvFilter::new(DEFAULT_FILTER);
    let (filter, wrong) = match filter.map(EnvFilter::try_new) {
        None => (default(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (default(), Some(error)),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Arc::new(LogOutput::new(std::io::stderr())))
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    // A second start in one process changes nothing.
    let _ = tracing::subscriber::set_global_default(subscriber);
    if let Some(error) = wrong {
        tracing::warn!(%error, "RUST_LOG is passed over");
    }
}
