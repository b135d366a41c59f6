//! A conversation on one connection with a new node, compared with the one that Apache had.
//!
//! It is kept in `golden/NAME.txt`, a line for what was sent and a line for what came back, after what differs
//! from run to run was replaced: ids and addresses by zeros, whatever else a test names by its own choice.
//! `GOLDEN=write` writes the files; `OTTLA_BROKER` should name Apache then.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{MetadataRequest, ResponseHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request};
use protocol_tests::connection::{CLIENT_ID, Connection, Outcome, decode, frame_of, header_of};
use protocol_tests::fields::hex;
use protocol_tests::node::Node;
use protocol_tests::requests::create_topic;
use uuid::Uuid;

/// See the module.
pub struct Script {
    pub node: Node,
    pub connection: Connection,
    name: &'static str,
    text: String,
    /// What is replaced by zeros.
    hidden: Vec<Vec<u8>>,
}

impl Script {
    /// Begins the conversation called `name`.
    pub fn begin(name: &'static str) -> Self {
        Self::begin_with(name, &[])
    }

    /// Begins it with a node that has further keys of configuration.
    pub fn begin_with(name: &'static str, properties: &[(&str, &str)]) -> Self {
        let node = Node::start_with(properties);
        let mut connection = node.connect();
        let cluster = connection.ask(9, &MetadataRequest::default()).cluster_id.unwrap();
        let address = node.address().port();
        let hidden = vec![
            cluster.as_bytes().to_vec(),
            i32::from(address).to_be_bytes().to_vec(),
            node.data().to_str().unwrap().as_bytes().to_vec(),
        ];
        let connection = node.connect();
        Self { node, connection, name, text: String::new(), hidden }
    }

    /// Makes a topic, whose id is hidden.
    pub fn topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
        let id = create_topic(&mut self.node.connect(), name, partitions, configs);
        self.hide(id.as_bytes());
        id
    }

    /// Replaces these bytes from now on.
    pub fn hide(&mut self, bytes: &[u8]) {
        self.hidden.push(bytes.to_vec());
    }

    /// Asks, and notes both frames.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.ask_hiding(version, request, |_| ())
    }

    /// As [`Self::ask`]; `hide` changes what it wants to be left out of the comparison.
    pub fn ask_hiding<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        hide: impl FnOnce(&mut R::Response),
    ) -> R::Response {
        let correlation_id = self.connection.next_correlation_id();
        let frame = frame_of(version, correlation_id, request);
        self.note(&format!("\n# {} version {version}\n>", short_name::<R>()), &frame);
        self.connection.send_frame(&frame);
        let Outcome::Answer(frame) = self.connection.receive() else {
            panic!("API {} version {version}: closed\n{}", R::KEY, self.text);
        };
        let mut answer = decode::<R>(version, frame.clone()).1;
        // Nothing in the frame that the protocol does not have.
        assert_eq!(encode::<R>(version, correlation_id, &answer), frame);
        let whole = decode::<R>(version, frame).1;
        hide(&mut answer);
        let shown = encode::<R>(version, correlation_id, &answer);
        self.note("<", &shown);
        whole
    }

    /// Asks with a body that the protocol crate cannot write, and notes both frames.
    pub fn ask_bytes(
        &mut self,
        key: i16,
        version: i16,
        is_flexible: bool,
        body: &[u8],
        hide: impl FnOnce(&mut Vec<u8>),
    ) {
        let correlation_id = self.connection.next_correlation_id();
        let frame = header_of(key, version, correlation_id, is_flexible).raw(body).0;
        self.note(&format!("\n# API {key} version {version}\n>"), &frame);
        self.connection.send_frame(&frame);
        let Outcome::Answer(answer) = self.connection.receive() else {
            panic!("API {key} version {version}: closed\n{}", self.text);
        };
        let mut answer = answer.to_vec();
        hide(&mut answer);
        self.note("<", &answer);
    }

    fn note(&mut self, prefix: &str, frame: &[u8]) {
        let mut frame = frame.to_vec();
        for hidden in &self.hidden {
            while let Some(at) = frame.windows(hidden.len()).position(|it| it == hidden) {
                frame[at..at + hidden.len()].fill(0);
            }
        }
        writeln!(self.text, "{prefix} {}", hex(&frame)).unwrap();
    }

    /// Ends it: it went as it went with Apache.
    pub fn end(self) {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/golden");
        let path = directory.join(self.name).with_extension("txt");
        let text = self.text.trim_start();
        if std::env::var_os("GOLDEN").is_some_and(|it| it == "write") {
            fs::create_dir_all(&directory).unwrap();
            fs::write(path, text).unwrap();
            return;
        }
        let golden = fs::read_to_string(&path).unwrap();
        let mut title = "";
        let mut differences = String::new();
        for (expected, line) in golden.lines().zip(text.lines()) {
            if expected.starts_with('#') {
                title = expected;
            }
            if expected != line {
                let (expected, line) = around_the_first_difference(expected, line);
                writeln!(differences, "{title}\nKafka {expected}\nours  {line}").unwrap();
            }
        }
        assert!(differences.is_empty(), "{}\n{differences}", self.name);
        assert_eq!(golden.lines().count(), text.lines().count(), "{}", self.name);
    }
}

/// Two lines, from a little before the place where they part.
fn around_the_first_difference<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(60);
    let part = |line: &'a str| &line[from..line.len().min(same + 120)];
    (part(one), part(other))
}

/// The name of a request's type, without its modules.
fn short_name<R>() -> &'static str {
    std::any::type_name::<R>().rsplit("::").next().unwrap()
}

fn encode<R: Request>(version: i16, correlation_id: i32, answer: &R::Response) -> Bytes {
    let mut frame = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut frame, R::Response::header_version(version)).unwrap();
    answer.encode(&mut frame, version).unwrap();
    frame.freeze()
}

/// By hand: the frames of the protocol crate are what the protocol says.
#[test]
fn a_request_is_written_as_the_protocol_says() {
    let id = hex(CLIENT_ID.as_bytes());
    // Version 1: null is all topics. Version 9: the same, compact, with its two flags and tags.
    let request = MetadataRequest::default().with_topics(None);
    let frame = frame_of(1, 7, &request);
    assert_eq!(hex(&frame), format!("0003000100000007000e{id}ffffffff"));
    let frame = frame_of(9, 7, &request.with_allow_auto_topic_creation(true));
    assert_eq!(hex(&frame), format!("0003000900000007000e{id}000001000000"));
}
