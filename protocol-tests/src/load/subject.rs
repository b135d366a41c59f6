//! A broker under test: a node of its own, on a CPU of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::cost::{self, Window, pin};
use crate::connection::Connection;
use crate::node::Node;

/// What all brokers are told, beside what a node of the tests is told: deleted topics leave the disk soon, so that
/// trials do not pile up; one that is suspended is not missed; a group may ask for heartbeats as often as it likes.
const PROPERTIES: &[(&str, &str)] = &[
    ("log.segment.delete.delay.ms", "1000"),
    ("broker.session.timeout.ms", "600000"),
    ("group.consumer.min.heartbeat.interval.ms", "1"),
];

/// How long a broker may take to bring to the disk what it has written.
const STOP_LIMIT: Duration = Duration::from_mins(2);

/// A broker under test.
#[derive(Debug)]
pub struct Subject {
    /// What it is called in reports.
    pub name: String,
    /// Where clients connect: to the node, or to who stands in between.
    pub address: SocketAddr,
    node: Node,
    pub(super) cpus: Option<Cpus>,
}

/// Where who runs. Nobody is held anywhere without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// The brokers.
    pub broker: usize,
    /// This thread.
    pub own: usize,
}

impl Subject {
    /// Starts it: a program that takes the path of a server.properties.
    pub fn start(program: &Path, properties: &[(&str, &str)], cpus: Option<Cpus>) -> Self {
        let name = program.file_stem().unwrap().to_string_lossy().into_owned();
        let properties = [PROPERTIES, properties].concat();
        let start = || Node::start_broker_with(program.to_owned(), &properties);
        let node = beside(cpus, start);
        Self { name, address: node.address(), node, cpus }
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        super::connect(self.address)
    }

    /// Its processes: a script may have started others.
    pub fn processes(&self) -> Vec<u32> {
        cost::processes_of(self.node.program().id())
    }

    /// A part of a trial that is measured begins.
    pub fn open_window(&self) -> Window {
        Window::open(self.processes())
    }

    /// What it has in memory, in KiB.
    pub fn rss_kib(&self) -> u64 {
        cost::rss_kib(&self.processes())
    }

    /// Lets it sleep while others are under test.
    pub fn suspend(&self) {
        self.node.program().signal_group(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.node.program().signal_group(Signal::CONT);
    }

    /// Ends it in an orderly way and starts it again, without waiting until it is ready.
    pub fn relaunch(&mut self) {
        let status = self.node.stop_within(STOP_LIMIT);
        // Java ends with 128 + SIGTERM after it has done all that there is to do.
        assert!(matches!(status.code(), Some(0 | 143)), "the broker has ended with {status}");
        beside(self.cpus, || self.node.spawn());
    }
}

/// Does something on the CPU of the brokers: what it starts stays there.
fn beside<T>(cpus: Option<Cpus>, act: impl FnOnce() -> T) -> T {
    if let Some(cpus) = cpus {
        pin(cpus.broker);
    }
    let made = act();
    if let Some(cpus) = cpus {
        pin(cpus.own);
    }
    made
}
