//! A node from its configuration to its end.
//!
//! - [`start`]: everything that a node consists of, in the order in which it comes to be.
//! - [`advertised`]: what clients and other nodes are told to connect to.
//! - [`banner`]: what the person who started it is told.

mod advertised;
mod banner;
mod start;

use std::io;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use self::start::Node;
use super::config::{Environment, Settings, Source};
use super::connections;
use super::logging;
use crate::shell::clock::Clock;
use crate::shell::net::Server;
use crate::shell::net::listen::Bound;

/// What ends a node that did not have to end.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs a node until a signal ends it.
pub fn run(source: &Source, environment: &Environment) -> ExitCode {
    let clock = Clock::new();
    logging::start(environment.variable("RUST_LOG"));
    let settings = match source.load(environment) {
        Ok(settings) => settings,
        Err(refusal) => return fail(&refusal),
    };
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(serve(&settings, source, clock)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// The last word of a node that cannot run: one line, exit code 1.
fn fail(why: &dyn std::fmt::Display) -> ExitCode {
    // Nobody is left to tell if this cannot be printed.
    let _ = writeln!(io::stderr(), "ottla: {why}");
    ExitCode::FAILURE
}

async fn serve(settings: &Settings, source: &Source, clock: Clock) -> Result<(), Failure> {
    // From here on a signal ends the node in order, however early it comes.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = &settings.broker;
    let bound = connections::bind(config)?;
    let failed = Arc::new(Notify::new());
    let node = Node::start(settings, &bound, clock, Arc::clone(&failed))?;
    let apis = Arc::new(connections::Apis { ctx: Arc::clone(node.ctx()), clock });
    let addresses: Vec<_> = bound.clients.iter().map(Bound::address).collect();
    let all = bound.clients.into_iter().chain(bound.controllers).collect();
    let server = Server::start(&connections::settings(&node.ctx().config), all, &apis, clock)?;
    banner::print(source, settings, node.ctx(), &addresses, clock.now().mono.0);
    let lost = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = failed.notified() => true,
    };
    node.begin_stop();
    server.stop().await;
    node.stop()?;
    if lost { Err("the node cannot go on: see the log".into()) } else { Ok(()) }
}
