//! The floor under what a broker spends: a thread that waits, receives, writes to files and sends as a broker must, and
//! knows nothing of the protocol. What a broker spends above it is the broker's own; below it is only the machine.
//!
//! To each request it gives, with its correlation id, what a broker gave to another one of the same API. To a commit it
//! first writes as many bytes as a broker's log does, to one file after the other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use rustix::event::epoll::{self, EventFlags as Flags};
use rustix::thread::gettid;

use super::Cpus;
use super::cost::{Window, pin};
use super::live::Routine;

/// As many as `__consumer_offsets` has partitions: `offsets.topic.num.partitions`.
const FILES: usize = 50;
/// A batch of one committed offset, about.
const BATCH: [u8; 128] = [b'b'; 128];
const READ_BYTES: usize = 64 << 10;
const EVENTS: usize = 256;

/// What it gives to whom.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<i16, Answer>);

#[derive(Debug)]
struct Answer {
    frame: Vec<u8>,
    is_written_before: bool,
}

impl Answers {
    /// What all requests of that API have been answered, but for the correlation id.
    pub fn add(&mut self, routine: &Routine, is_written_before: bool) {
        let rest = &routine.right_answer[..];
        let length = (4 + rest.len()) as i32;
        let frame = [&length.to_be_bytes(), &[0; 4], rest].concat();
        self.0.insert(routine.template.api_key(), Answer { frame, is_written_before });
    }
}

/// See the module. It ends when all its connections have been closed.
pub(super) struct Floor {
    pub address: SocketAddr,
    thread: Option<JoinHandle<()>>,
    id: u32,
}

impl Floor {
    /// Starts it on the CPU of the brokers, for so many connections.
    pub fn start(cpus: Option<Cpus>, connections: usize, answers: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, started) = channel();
        let run = move || serve(cpus, &listener, connections, answers, &sender);
        let thread = Some(std::thread::spawn(run));
        Self { address, thread, id: started.recv().unwrap() }
    }

    /// A part of a trial that is measured begins.
    pub fn open_window(&self) -> Window {
        Window::of_thread(self.id)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // In a trial that has failed, its connections may be open still.
        if !std::thread::panicking() {
            self.thread.take().unwrap().join().unwrap();
        }
    }
}

fn serve(
    cpus: Option<Cpus>,
    listener: &TcpListener,
    connections: usize,
    mut answers: Answers,
    started: &Sender<u32>,
) {
    if let Some(cpus) = cpus {
        pin(cpus.broker);
    }
    started.send(gettid().as_raw_pid().cast_unsigned()).unwrap();
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    for index in 0..connections {
        let stream = accept(listener);
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&epoll, &stream, data, Flags::IN | Flags::RDHUP | Flags::ET).unwrap();
        streams.push(Some(stream));
    }
    let mut log = Log::default();
    let mut received = vec![0; READ_BYTES];
    let mut events = Vec::with_capacity(EVENTS);
    while streams.iter().any(Option::is_some) {
        let waited = epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None);
        assert!(waited.is_ok() || waited == Err(rustix::io::Errno::INTR), "{waited:?}");
        for epoll::Event { flags, data } in events.drain(..) {
            let slot = &mut streams[data.u64() as usize];
            let Some(stream) = slot else { continue };
            let count = match stream.read(&mut received) {
                Ok(count) => count,
                // What is announced now was read with what came before.
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => panic!("{error}"),
            };
            assert!(count < READ_BYTES, "more came than one read takes");
            let mut rest = &received[..count];
            while let Some(length) = rest.first_chunk() {
                let (frame, next) = rest.split_at(4 + i32::from_be_bytes(*length) as usize);
                answers.give(frame, stream, &mut log);
                rest = next;
            }
            if flags.contains(Flags::RDHUP) {
                *slot = None;
            }
        }
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

impl Answers {
    fn give(&mut self, request: &[u8], stream: &mut TcpStream, log: &mut Log) {
        let api_key = i16::from_be_bytes([request[4], request[5]]);
        let answer = self.0.get_mut(&api_key).unwrap();
        if answer.is_written_before {
            log.append();
        }
        answer.frame[4..8].copy_from_slice(&request[8..12]);
        stream.write_all(&answer.frame).unwrap();
    }
}

/// Where it writes.
struct Log {
    files: Vec<File>,
    appends: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { files: (0..FILES).map(|_| tempfile::tempfile().unwrap()).collect(), appends: 0 }
    }
}

impl Log {
    /// At the end of the next file.
    fn append(&mut self) {
        let file = &self.files[self.appends % FILES];
        let position = self.appends / FILES * BATCH.len();
        file.write_all_at(&BATCH, position as u64).unwrap();
        self.appends += 1;
    }
}
