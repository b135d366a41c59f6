//! A node from its configuration to its end: listeners, connections, signals.

use std::io;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use super::config::Environment;
use super::config::Source;
use super::connections::{self, Apis};
use crate::api::cluster::auto_creation::AutoCreation;
use crate::api::context::{Ctx, NodeInfo};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::metadata::image::Image;
use crate::kernel::raft::view::QuorumView;
use crate::shell::clock::Clock;
use crate::shell::drivers::controller::handle::Handle;
use crate::shell::net::Server;

/// Runs a node until a signal ends it.
pub fn run(source: &Source, environment: &Environment) -> ExitCode {
    let settings = match source.load(environment) {
        Ok(settings) => settings,
        Err(refusal) => return fail(&refusal),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve(&settings.broker))) {
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

async fn serve(config: &BrokerConfig) -> io::Result<()> {
    let bound = connections::bind(config)?;
    let ctx = Arc::new(Ctx {
        node: NodeInfo { node_id: config.node_id, cluster_id: Arc::from("") },
        image: ArcSwap::from_pointee(Image::empty()),
        config: ArcSwap::from_pointee(config.clone()),
        // No controller yet: what needs one is not in the table of APIs.
        controller: Handle::new(std::sync::mpsc::channel().0),
        quorum: ArcSwap::from_pointee(QuorumView::default()),
        auto_creation: AutoCreation::default(),
    });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let clock = Clock::new();
    let apis = Arc::new(Apis { ctx, clock });
    let server = Server::start(&connections::settings(config), bound, &apis, clock)?;
    for address in server.addresses() {
        writeln!(io::stdout(), "ottla ready: listening on {address}")?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    Ok(())
}
