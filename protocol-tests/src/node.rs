//! A broker with files and ports of its own: started, stopped, killed and started again.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::connection::Connection;
use crate::program::{Program, Which, broker, is_foreign_broker};

/// How long a broker may take to its first answer, on a machine that has other things to do.
const READY_LIMIT: Duration = Duration::from_mins(3);
/// How long a broker may take to end when it is told to; one that is not ours takes its time.
const STOP_LIMIT: Duration = Duration::from_secs(2);
const FOREIGN_STOP_LIMIT: Duration = Duration::from_mins(1);

/// Where ports are looked for: below those that the kernel gives to outgoing connections, so that a port stays
/// free while its broker is down.
const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 20_000;

/// How a node is started.
struct Setup<'a> {
    properties: &'a [(&'a str, &'a str)],
    descriptors: Option<u32>,
    release: Option<&'a str>,
    broker: PathBuf,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { properties: &[], descriptors: None, release: None, broker: broker() }
    }
}

/// A combined node. It is killed, and its files removed, when this is dropped.
#[derive(Debug)]
pub struct Node {
    program: Option<Program>,
    directory: TempDir,
    address: SocketAddr,
    controller_address: SocketAddr,
    descriptors: Option<u32>,
    broker: PathBuf,
}

impl Node {
    /// Starts one with Kafka's defaults.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further keys of configuration.
    pub fn start_with(properties: &[(&str, &str)]) -> Self {
        Self::start_as(&Setup { properties, ..Setup::default() })
    }

    /// Starts one of another broker: a program that takes the path of a server.properties.
    pub fn start_broker(broker: PathBuf) -> Self {
        Self::start_broker_with(broker, &[])
    }

    /// Starts one of another broker with further keys of configuration.
    pub fn start_broker_with(broker: PathBuf, properties: &[(&str, &str)]) -> Self {
        Self::start_as(&Setup { properties, descriptors: None, release: None, broker })
    }

    /// Starts one that may open so many descriptors.
    pub fn start_limited(descriptors: u32) -> Self {
        Self::start_as(&Setup { descriptors: Some(descriptors), ..Setup::default() })
    }

    /// Starts one of ours on a directory that it formatted as a release of Kafka does, such as 4.1.
    pub fn start_release(release: &str) -> Self {
        Self::start_as(&Setup { release: Some(release), ..Setup::default() })
    }

    fn start_as(setup: &Setup<'_>) -> Self {
        let (client, controller) = (free_port(), free_port());
        let directory = tempfile::tempdir().unwrap();
        let mut text = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{client}\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={}\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            directory.path().join("data").display()
        );
        for (key, value) in setup.properties {
            text.extend([*key, "=", *value, "\n"]);
        }
        fs::write(directory.path().join("server.properties"), text).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], client));
        let (descriptors, broker) = (setup.descriptors, setup.broker.clone());
        let controller_address = SocketAddr::from(([127, 0, 0, 1], controller));
        let mut node =
            Self { program: None, directory, address, controller_address, descriptors, broker };
        if let Some(release) = setup.release {
            node.format(release);
        }
        node.restart();
        node
    }

    fn format(&self, release: &str) {
        let mut command = Command::new(&self.broker);
        command.args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"]);
        command.arg(self.directory.path().join("server.properties"));
        command.args(["--release-version", release]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The node that the tests of this process share, for those that leave it as they found it. It ends with the
    /// last test that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Node>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let node = Arc::new(Self::start());
            *shared = Arc::downgrade(&node);
            node
        })
    }

    /// Another broker takes over its files.
    pub fn restart_as(&mut self, broker: PathBuf) {
        self.broker = broker;
        self.restart();
    }

    /// Starts it again on the files that it left.
    pub fn restart(&mut self) {
        self.spawn();
        self.wait_until_ready();
    }

    /// Starts it again, and kills it after so long, whatever it has done by then.
    pub fn start_in_vain(&mut self, lifetime: Duration) {
        self.spawn();
        let end = Instant::now() + lifetime;
        let _: Option<()> = self.program().wait_for(Which::Stdout, end, |_| None);
        self.kill();
    }

    /// As [`Self::restart`], without waiting until it is ready.
    pub fn spawn(&mut self) {
        assert!(self.program.is_none(), "it runs already");
        let properties = self.directory.path().join("server.properties");
        let mut command = Command::new("sh");
        let limit = self.descriptors.map_or(String::new(), |limit| format!("ulimit -n {limit};"));
        command
            .arg("-c")
            .arg(format!("{limit} exec \"$0\" \"$@\""))
            .arg(&self.broker)
            .arg(properties);
        let program = Program::start(&mut command);
        self.program = Some(program);
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY_LIMIT;
        let program = self.program();
        while !self.is_ready() {
            let soon = Instant::now() + Duration::from_millis(5);
            let _: Option<()> = program.wait_for(Which::Stdout, soon, |_| None);
            let ended = program.streams(|streams| streams.iter().all(|stream| stream.is_closed));
            let late = Instant::now() > deadline;
            assert!(!ended && !late, "the node is not ready\n{}", program.said());
        }
    }

    /// Whether it answers, and has itself in its metadata.
    fn is_ready(&self) -> bool {
        TcpStream::connect(self.address).is_ok_and(|stream| {
            let answer = Connection::new(stream).try_ask(9, &MetadataRequest::default());
            answer.is_some_and(|answer| !answer.brokers.is_empty())
        })
    }

    /// The process.
    pub fn program(&self) -> &Program {
        self.program.as_ref().unwrap()
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where those connect who want the controller.
    pub fn controller_address(&self) -> SocketAddr {
        self.controller_address
    }

    /// A new connection to the controller.
    pub fn connect_to_controller(&self) -> Connection {
        Connection::new(TcpStream::connect(self.controller_address).unwrap())
    }

    /// Its log directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::new(TcpStream::connect(self.address).unwrap())
    }

    /// Ends it as an operator does, by SIGTERM.
    pub fn stop(&mut self) -> ExitStatus {
        let is_foreign = is_foreign_broker(&self.broker);
        self.stop_within(if is_foreign { FOREIGN_STOP_LIMIT } else { STOP_LIMIT })
    }

    /// The same, where it may take so long.
    pub fn stop_within(&mut self, limit: Duration) -> ExitStatus {
        let mut program = self.program.take().unwrap();
        program.signal(Signal::TERM);
        let status = program.wait(limit);
        status.unwrap_or_else(|| panic!("it still runs after {limit:?}\n{}", program.said()))
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) {
        let mut program = self.program.take().unwrap();
        program.signal(Signal::KILL);
        program.wait(STOP_LIMIT).unwrap();
    }
}

/// A port that nobody listens on. Test processes look in different places, the tests of one at different ports.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() as u16).wrapping_mul(101);
    loop {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST_PORT + next % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
