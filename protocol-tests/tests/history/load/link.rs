//! A client's way to the node: a connection that is made again when it has ended.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{FindCoordinatorRequest, InitProducerIdRequest, ProducerId};
use kafka_protocol::protocol::Request;
use protocol_tests::connection::{Connection, Outcome as Received, decode};
use protocol_tests::history::{Action, Begun, Outcome};
use protocol_tests::random::Random;
use protocol_tests::requests::text;

use super::World;

/// The errors of the protocol that clients act upon.
pub mod error {
    pub const NONE: i16 = 0;
    pub const UNKNOWN_SERVER_ERROR: i16 = -1;
    pub const REQUEST_TIMED_OUT: i16 = 7;
    pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub const NOT_COORDINATOR: i16 = 16;
    pub const NOT_ENOUGH_REPLICAS: i16 = 19;
    pub const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
    pub const UNKNOWN_MEMBER_ID: i16 = 25;
    pub const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
    pub const CONCURRENT_TRANSACTIONS: i16 = 51;
    pub const KAFKA_STORAGE_ERROR: i16 = 56;
    pub const MEMBER_ID_REQUIRED: i16 = 79;
    pub const UNSTABLE_OFFSET_COMMIT: i16 = 88;

    /// The coordinator is not there yet: the same may be asked again.
    pub fn is_coordinator_away(code: i16) -> bool {
        matches!(code, COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR)
    }

    /// What an error says about what was to be written.
    pub fn outcome(code: i16) -> super::Outcome {
        match code {
            NONE => super::Outcome::Ok,
            UNKNOWN_SERVER_ERROR
            | REQUEST_TIMED_OUT
            | COORDINATOR_NOT_AVAILABLE
            | NOT_COORDINATOR
            | NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | KAFKA_STORAGE_ERROR => super::Outcome::Unknown,
            _ => super::Outcome::Fail,
        }
    }
}

/// How long a node may be away: its start, and what it has to read for it.
const CONNECT_LIMIT: Duration = Duration::from_mins(2);

/// A client: its number, its choices and its connection.
pub struct Link<'a> {
    /// What it shares with others.
    pub world: &'a World,
    /// What it chooses.
    pub random: Random,
    number: u32,
    connection: Option<Connection>,
}

impl<'a> Link<'a> {
    /// The client of this number.
    pub fn new(world: &'a World, number: u32) -> Self {
        Self { world, random: world.random(number), number, connection: None }
    }

    /// Its connection, which is made when there is none.
    fn connection(&mut self) -> &mut Connection {
        if self.connection.is_none() {
            self.connection = Some(self.connect());
        }
        self.connection.as_mut().unwrap()
    }

    fn connect(&self) -> Connection {
        let deadline = Instant::now() + CONNECT_LIMIT;
        loop {
            self.world.wait_until_up();
            assert!(Instant::now() < deadline, "no connection within {CONNECT_LIMIT:?}");
            if let Ok(stream) = TcpStream::connect(self.world.address) {
                return Connection::new(stream);
            }
            self.world.pause();
        }
    }

    /// Does nothing, as long as the load lasts.
    pub fn wait(&self) {
        while !self.world.is_over() {
            self.world.is_served(self.number);
            self.world.pause();
        }
    }

    /// Ends the connection without a word.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Sends a request and does not wait.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.connection().send(version, request);
    }

    /// The answer to the first of the requests that were sent; nothing when the connection has ended.
    pub fn receive<R: Request>(&mut self, version: i16) -> Option<R::Response> {
        match self.connection().receive() {
            Received::Answer(frame) => Some(decode::<R>(version, frame).1),
            Received::Closed => {
                self.hang_up();
                None
            }
        }
    }

    /// Asks once; nothing when the connection ends before the answer.
    pub fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send(version, request);
        self.receive::<R>(version)
    }

    /// Asks until there is an answer that is no reason to ask again.
    pub fn ask<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        is_ready: impl Fn(&R::Response) -> bool,
    ) -> R::Response {
        loop {
            if let Some(answer) = self.try_ask(version, request).filter(&is_ready) {
                return answer;
            }
            self.world.pause();
        }
    }

    /// An operation begins.
    pub fn begin(&self) -> Begun {
        self.world.recorder.begin(self.number)
    }

    /// An operation has ended.
    pub fn end(&self, begun: Begun, outcome: Outcome, action: Action) {
        self.world.is_served(self.number);
        self.world.recorder.end(begun, outcome, action);
    }

    /// Waits until the coordinator of a group (0) or of a transactional id (1) is there.
    pub fn find_coordinator(&mut self, key_type: i8, key: &str) {
        let request = FindCoordinatorRequest::default()
            .with_key_type(key_type)
            .with_coordinator_keys(vec![text(key)]);
        self.ask(4, &request, |answer| {
            let code = answer.coordinators[0].error_code;
            let is_there = code == error::NONE;
            assert!(is_there || error::is_coordinator_away(code), "FindCoordinator: {code}");
            is_there
        });
    }

    /// A producer's id and epoch: a new id without a transactional one.
    pub fn init_producer_id(
        &mut self,
        transactional_id: Option<&str>,
        timeout_ms: i32,
    ) -> (i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(transactional_id.map(|id| text(id).into()))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = self.ask(4, &request, |answer| {
            let code = answer.error_code;
            let is_busy = code == error::CONCURRENT_TRANSACTIONS;
            let is_away = error::is_coordinator_away(code) || is_busy;
            assert!(code == error::NONE || is_away, "InitProducerId: {code}");
            !is_away
        });
        (answer.producer_id.0, answer.producer_epoch)
    }
}
