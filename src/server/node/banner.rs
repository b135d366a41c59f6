//! What the person, or the program, that started the node is told once it can be used.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use crate::api::context::Ctx;
use crate::server::config::{Settings, Source};

/// Prints that the node is ready. A reader of standard output that has gone does not stop it.
pub fn print(
    source: &Source,
    settings: &Settings,
    ctx: &Ctx,
    addresses: &[SocketAddr],
    since_start: Duration,
) {
    let text = text(source, settings, ctx, addresses, since_start);
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn text(
    source: &Source,
    settings: &Settings,
    ctx: &Ctx,
    addresses: &[SocketAddr],
    since_start: Duration,
) -> String {
    let mut out = String::new();
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let directories = settings.broker.log_dirs.join(", ");
    let fate = if settings.is_ephemeral() { " (removed at the end)" } else { "" };
    // Writing to a String does not fail.
    let _ = writeln!(out, "ottla ready: listening on {}", addresses.join(" and "));
    let _ = writeln!(out, "  data in     {directories}{fate}");
    let _ = writeln!(out, "  cluster id  {}", ctx.node.cluster_id);
    let _ = writeln!(out, "  ready in    {} ms", since_start.as_millis());
    match source {
        Source::Embedded { .. } => {
            let address = addresses.first().map_or("", String::as_str);
            let _ = writeln!(out, "try it:  echo hello | kcat -b {address} -t greetings -P");
            let _ = writeln!(out, "         kcat -b {address} -t greetings -C -e");
        }
        // Those who start containers wait for one of these lines.
        Source::File { .. } | Source::Environment { .. } => {
            let id = ctx.node.node_id;
            let _ = writeln!(
                out,
                "The broker has been unfenced. Transitioning from RECOVERY to RUNNING."
            );
            let _ = writeln!(out, "[KafkaRaftServer nodeId={id}] Kafka Server started");
        }
    }
    out
}
