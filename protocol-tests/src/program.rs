//! A program under test: its pipes are read, its life is bounded, it is stopped by signals.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

/// The broker that the tests drive: a program that takes the path of a server.properties.
pub fn broker() -> PathBuf {
    std::env::var_os("OTTLA_BROKER").map_or_else(built_broker, PathBuf::from)
}

/// Whether another broker stands in for ours.
pub fn is_foreign() -> bool {
    is_foreign_broker(&broker())
}

/// Whether this is not our binary.
pub fn is_foreign_broker(broker: &Path) -> bool {
    broker.file_name().is_none_or(|name| name != "ottla")
}

/// The binary that cargo built beside this program, which lies in `target/PROFILE`, or in `deps` there if it is a test.
fn built_broker() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    let profile = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    let path = profile.join("ottla");
    assert!(path.is_file(), "{}: build the workspace first (make test does)", path.display());
    path
}

/// What a program has written so far to one of its streams.
#[derive(Debug, Default)]
pub struct Stream {
    /// Everything, from the start.
    pub bytes: Vec<u8>,
    /// Whether the other end is closed.
    pub is_closed: bool,
}

#[derive(Debug, Default)]
struct Streams {
    both: Mutex<[Stream; 2]>,
    changed: Condvar,
}

/// A running program, in a process group of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    pidfd: OwnedFd,
    streams: Arc<Streams>,
}

/// Which of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Which {
    /// Standard output.
    Stdout = 0,
    /// Standard error.
    Stderr = 1,
}

impl Program {
    /// Starts it and reads what it writes.
    pub fn start(command: &mut Command) -> Self {
        let mut program = Self::start_unread(command);
        let stdout = program.child.stdout.take().unwrap();
        let stderr = program.child.stderr.take().unwrap();
        program.read_in_background(Which::Stdout, stdout);
        program.read_in_background(Which::Stderr, stderr);
        program
    }

    /// Starts it with pipes that nobody reads.
    pub fn start_unread(command: &mut Command) -> Self {
        Self::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts it, and files take what it writes.
    pub fn start_into(command: &mut Command, stdout: File, stderr: File) -> Self {
        Self::spawn(command.stdout(stdout).stderr(stderr))
    }

    fn spawn(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        Self { child, pidfd, streams: Arc::default() }
    }

    fn read_in_background(&self, which: Which, mut pipe: impl Read + Send + 'static) {
        let streams = Arc::clone(&self.streams);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = pipe.read(&mut buffer).unwrap_or(0);
                let stream = &mut streams.both.lock().unwrap()[which as usize];
                stream.bytes.extend_from_slice(&buffer[..read]);
                stream.is_closed = read == 0;
                streams.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
    }

    /// Waits until `look` finds something in a stream; `None` when it is closed before, or at the deadline.
    pub fn wait_for<T>(
        &self,
        which: Which,
        deadline: Instant,
        look: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let mut both = self.streams.both.lock().unwrap();
        loop {
            let stream = &both[which as usize];
            if let Some(found) = look(&stream.bytes) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if stream.is_closed || left.is_zero() {
                return None;
            }
            both = self.streams.changed.wait_timeout(both, left).unwrap().0;
        }
    }

    /// Looks at both streams as they are now.
    pub fn streams<T>(&self, look: impl FnOnce(&[Stream; 2]) -> T) -> T {
        look(&self.streams.both.lock().unwrap())
    }

    /// All that it has said, for the message of a test that failed.
    pub fn said(&self) -> String {
        self.streams(|[stdout, stderr]| {
            let text = |stream: &Stream| String::from_utf8_lossy(&stream.bytes).into_owned();
            format!("--- stdout\n{}--- stderr\n{}", text(stdout), text(stderr))
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; `None` when it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let timeout = Timespec::try_from(limit).unwrap();
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        match poll(&mut ended, Some(&timeout)).unwrap() {
            0 => None,
            _ => Some(self.child.wait().unwrap()),
        }
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        // It may have ended: then there is nobody to tell.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Sends a signal to the process and all that it started.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// A figure of `/proc/PID/status` in KiB, such as `VmRSS` or `VmHWM`.
    pub fn status_kib(&self, key: &str) -> u64 {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(&path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let figure = line.and_then(|line| line.split_whitespace().next());
        figure.unwrap_or_else(|| panic!("no {key} in {path}")).parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
