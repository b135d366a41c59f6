//! Many connections on one thread. Answers come in the order of their requests, by their numbers.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::protocol::Request;
use rustix::event::{Timespec, epoll};

use super::template::Template;

/// How long all may be silent while an answer is due.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);
const EVENTS: usize = 256;
const READ_BYTES: usize = 64 << 10;

/// An answer: whose, and its frame without the length.
pub(super) type Answer = (usize, Bytes);

#[derive(Debug)]
struct Lane {
    stream: TcpStream,
    /// What has come of the next answer.
    buffer: Vec<u8>,
    next: i32,
    /// The numbers of the requests that are not answered.
    due: VecDeque<i32>,
}

/// The connections, which are called by their index.
pub(super) struct Lanes {
    epoll: OwnedFd,
    all: Vec<Lane>,
    events: Vec<epoll::Event>,
    scratch: Vec<u8>,
}

impl Lanes {
    pub fn connect(address: SocketAddr, count: usize) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let events = Vec::with_capacity(EVENTS);
        let mut lanes = Self { epoll, all: Vec::new(), events, scratch: vec![0; READ_BYTES] };
        for _ in 0..count {
            lanes.add(address);
        }
        lanes
    }

    /// One more; returns its index.
    pub fn add(&mut self, address: SocketAddr) -> usize {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let index = self.all.len();
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN).unwrap();
        self.all.push(Lane { stream, buffer: Vec::new(), next: 0, due: VecDeque::new() });
        index
    }

    /// Sends a request and does not wait for its answer.
    pub fn send(&mut self, lane: usize, template: &mut Template) {
        let lane = &mut self.all[lane];
        lane.next += 1;
        lane.due.push_back(lane.next);
        lane.stream.write_all(template.numbered(lane.next)).unwrap();
    }

    /// As [`Self::send`], of a request that is made for it.
    pub fn ask<R: Request>(&mut self, lane: usize, version: i16, request: &R) {
        self.send(lane, &mut Template::of(version, request));
    }

    /// The answers that come next, at once or up to a point in time; none when there is none by then.
    pub fn receive(&mut self, until: Option<Instant>, answers: &mut Vec<Answer>) {
        answers.clear();
        let deadline = Instant::now() + SILENCE_LIMIT;
        let until = until.unwrap_or(deadline);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap();
            let spare = rustix::buffer::spare_capacity(&mut self.events);
            let waited = epoll::wait(&self.epoll, spare, Some(&timeout));
            assert!(waited.is_ok() || waited == Err(rustix::io::Errno::INTR), "{waited:?}");
            for event in self.events.drain(..) {
                let index = event.data.u64() as usize;
                self.all[index].read(&mut self.scratch);
                while let Some(frame) = self.all[index].take() {
                    answers.push((index, frame));
                }
            }
            if !answers.is_empty() || Instant::now() >= until {
                break;
            }
        }
        let is_silent = answers.is_empty() && Instant::now() >= deadline;
        assert!(!is_silent, "no answer within {SILENCE_LIMIT:?}");
    }
}

impl Lane {
    /// Reads what is there; something is.
    fn read(&mut self, scratch: &mut [u8]) {
        let count = self.stream.read(scratch).unwrap();
        assert!(count > 0, "the broker has closed the connection");
        self.buffer.extend_from_slice(&scratch[..count]);
    }

    /// The next answer, if it is whole. It is that of the request that was sent first.
    fn take(&mut self) -> Option<Bytes> {
        let length = self.buffer.first_chunk().map(|it| i32::from_be_bytes(*it))? as usize;
        let whole = self.buffer.get(4..4 + length)?;
        let number = i32::from_be_bytes(*whole.first_chunk().unwrap());
        assert_eq!(Some(number), self.due.pop_front(), "the answer to another request");
        let frame = Bytes::copy_from_slice(whole);
        self.buffer.drain(..4 + length);
        Some(frame)
    }
}
