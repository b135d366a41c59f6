//! A run of the program in one stage: started with the path of the configuration, stopped by SIGTERM.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use protocol_tests::program::{Program, Which, broker, is_foreign};
use rustix::process::Signal;
use tempfile::TempDir;

use super::client::Client;
use super::place::Place;

/// How long a stage may take, and how long the program lives.
const LIMIT: Duration = Duration::from_secs(10);
/// A JVM on a machine that does other things as well is not in a hurry.
const FOREIGN_LIMIT: Duration = Duration::from_mins(1);
/// How long after SIGTERM it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// The tester stops reading a stream after so many bytes, and takes the program for ended.
pub const OUTPUT_BYTES_MAX: usize = 30_000;
/// The memory of a program.
const RSS_KIB_MAX: u64 = 2 << 20;

/// The running program of one stage.
#[derive(Debug)]
pub struct Run<'a> {
    pub place: &'a Place,
    pub program: Program,
    pub deadline: Instant,
    _directory: TempDir,
}

impl<'a> Run<'a> {
    /// Starts the program as the tester does: its script, the path of the configuration, limits.
    pub fn start(place: &'a Place) -> Self {
        Self::start_with(place, Program::start)
    }

    /// Starts it with the pipes treated by `start`.
    pub fn start_with(place: &'a Place, start: impl FnOnce(&mut Command) -> Program) -> Self {
        assert!(connect(place).is_err(), "something listens on {} already", place.client_port);
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("your_program.sh");
        let text = format!("#!/bin/sh\nexec {} \"$@\"\n", broker().display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(directory.path().join("codecrafters.yml"), "debug: false\n").unwrap();
        // 6 GiB of virtual memory, as the tester limits it.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 6291456; exec \"$0\" \"$@\""]);
        command.arg(&script).arg(&place.properties);
        let program = start(&mut command);
        let limit = if is_foreign() { FOREIGN_LIMIT } else { LIMIT };
        Self { place, program, deadline: Instant::now() + limit, _directory: directory }
    }

    /// Connects as soon as the port is open. The program must be alive by then.
    pub fn connect(&self) -> Client {
        loop {
            if let Ok(stream) = connect(self.place) {
                return Client::new(stream, self.deadline);
            }
            let terminated = self.program.streams(|streams| {
                streams.iter().any(|it| it.is_closed || it.bytes.len() > OUTPUT_BYTES_MAX)
            });
            assert!(!terminated, "the program has terminated\n{}", self.program.said());
            assert!(Instant::now() < self.deadline, "no connection\n{}", self.program.said());
            let soon = Instant::now() + Duration::from_millis(2);
            let _: Option<()> = self.program.wait_for(Which::Stdout, soon, |_| None);
        }
    }

    /// Ends the stage: SIGTERM twice, then SIGKILL. A slow exit fails no stage.
    pub fn stop(self) {
        let (_, _) = self.stop_and_tell();
    }

    /// Ends the stage and tells how the program ended and after how long; `None` when it had to be killed.
    pub fn stop_and_tell(mut self) -> (Option<std::process::ExitStatus>, Duration) {
        let rss = self.program.status_kib("VmHWM");
        assert!(rss <= RSS_KIB_MAX, "{rss} KiB of memory");
        assert!(Instant::now() < self.deadline, "the stage took too long");
        let began = Instant::now();
        self.program.signal(Signal::TERM);
        self.program.signal_group(Signal::TERM);
        (self.program.wait(STOP_LIMIT), began.elapsed())
    }
}

/// `localhost` is both of its addresses, the first that answers.
fn connect(place: &Place) -> std::io::Result<TcpStream> {
    let port = place.client_port;
    TcpStream::connect(("::1", port)).or_else(|_| TcpStream::connect(("127.0.0.1", port)))
}
