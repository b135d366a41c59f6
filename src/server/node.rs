//! A node from its configuration to its end: listeners, connections, signals.

use std::io;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::config::Environment;
use super::config::Source;
use crate::api::answer::Answer;
use crate::api::cluster::auto_creation::AutoCreation;
use crate::api::context::{Ctx, NodeInfo};
use crate::api::dispatch::{Origin, dispatch};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::listeners::Endpoint;
use crate::kernel::metadata::image::Image;
use crate::kernel::raft::view::QuorumView;
use crate::shell::clock::Clock;
use crate::shell::drivers::controller::handle::Handle;
use crate::wire::frame::{LENGTH_BYTES, announced_length};
use crate::wire::reply::Chunk;

/// The longest request that is taken: `socket.request.max.bytes` in its default.
const REQUEST_BYTES_MAX: i32 = 104_857_600;

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
    let mut listeners = Vec::new();
    for endpoint in config.listeners.iter().filter(|it| !config.is_controller_listener(&it.name)) {
        let name = Arc::<str>::from(endpoint.name.as_str());
        for listener in bind(endpoint).await? {
            listeners.push((listener, Arc::clone(&name)));
        }
    }
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
    let mut tasks = JoinSet::new();
    for (listener, name) in listeners {
        let address = listener.local_addr()?;
        writeln!(io::stdout(), "ottla ready: listening on {address}")?;
        tasks.spawn(accept(listener, name, Arc::clone(&ctx)));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tasks.shutdown().await;
    Ok(())
}

/// `localhost` is both loopback addresses, because clients ask for `::1` first; a machine without
/// IPv6 has only the other. No host is every address.
async fn bind(endpoint: &Endpoint) -> io::Result<Vec<TcpListener>> {
    let port = endpoint.port;
    let bound = match endpoint.host.as_deref() {
        Some("localhost") => {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
            match first {
                Ok(first) => {
                    let port = first.local_addr()?.port();
                    let second = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await;
                    Ok(std::iter::once(first).chain(second.ok()).collect())
                }
                Err(error) => Err(error),
            }
        }
        None | Some("") => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Ok(every) => Ok(vec![every]),
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map(|one| vec![one]),
        },
        Some(host) => TcpListener::bind((host, port)).await.map(|one| vec![one]),
    };
    bound.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {endpoint}: {error}"))
    })
}

async fn accept(listener: TcpListener, name: Arc<str>, ctx: Arc<Ctx>) {
    let clock = Clock::new();
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let origin = Origin { listener: Arc::clone(&name), peer };
                let ctx = Arc::clone(&ctx);
                connections.spawn(async move {
                    if let Err(error) = converse(stream, &origin, &ctx, clock).await {
                        tracing::debug!(%peer, %error, "the connection ended");
                    }
                });
            }
            // Out of descriptors: those who are here go on, and a moment later there may be room.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

/// One connection: requests in, answers out in their order.
async fn converse(
    mut stream: TcpStream,
    origin: &Origin,
    ctx: &Arc<Ctx>,
    clock: Clock,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::new();
    loop {
        while let Some(length) =
            announced_length(&buffer, REQUEST_BYTES_MAX).map_err(io::Error::other)?
        {
            if buffer.len() < LENGTH_BYTES + length {
                break;
            }
            let mut frame = buffer.split_to(LENGTH_BYTES + length).freeze();
            let Answer::Now(reply) =
                dispatch(ctx, origin, clock.now(), frame.split_off(LENGTH_BYTES))
            else {
                return Ok(());
            };
            for chunk in &reply.chunks {
                if let Chunk::Bytes(bytes) = chunk {
                    stream.write_all(bytes).await?;
                }
            }
        }
        // Grows with what has come, not with what was announced.
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}
