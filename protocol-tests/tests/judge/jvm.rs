//! Apache's tools in one JVM, one after another: a JVM for each takes longer than all that most of them do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use protocol_tests::node::Node;
use protocol_tests::requests::{ends_of, topic_name};

use super::apache::{Apache, assert_no_complaint};

/// How long a tool may take.
const LIMIT: Duration = Duration::from_mins(2);

/// What a tool left: its status, what it printed, and what it complained about.
struct Left {
    status: i32,
    out: String,
    err: String,
}

/// A JVM that runs tools. It is killed when this is dropped, with the transactions that it has open.
pub struct Jvm {
    child: Child,
    commands: ChildStdin,
    answers: Receiver<Left>,
    apache: Apache,
}

impl Apache {
    /// A JVM for this version's tools. Java compiles its program when it starts.
    pub fn jvm(&self) -> Jvm {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/Tools.java");
        let mut command = self.java(program.to_str().unwrap());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = String::new();
                if stdout.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                let numbers: Vec<i32> =
                    line.split_whitespace().map(|it| it.parse().unwrap()).collect();
                let mut text = |length: i32| {
                    let mut bytes = vec![0; length as usize];
                    stdout.read_exact(&mut bytes).unwrap();
                    String::from_utf8_lossy(&bytes).into_owned()
                };
                let left =
                    Left { status: numbers[0], out: text(numbers[1]), err: text(numbers[2]) };
                if sender.send(left).is_err() {
                    return;
                }
            }
        });
        Jvm { child, commands, answers, apache: self.clone() }
    }
}

impl Jvm {
    /// Runs a tool, which must end well and complain about nothing; what it printed.
    pub fn run(&mut self, class: &str, arguments: &[&str]) -> String {
        let left = self.leave(class, arguments);
        let what = format!("{class} of {} {arguments:?}", self.apache.version);
        assert_eq!(left.status, 0, "{what}\n{}\n{}", left.out, left.err);
        assert_no_complaint(&what, &left.out, &left.err);
        left.out
    }

    /// DumpLogSegments of this version.
    pub fn dump_class(&self) -> &'static str {
        self.apache.dump_class()
    }

    fn leave(&mut self, class: &str, arguments: &[&str]) -> Left {
        let line = [&[class], arguments].concat().join("\t");
        writeln!(self.commands, "{line}").unwrap();
        let left = self.answers.recv_timeout(LIMIT);
        left.unwrap_or_else(|error| {
            panic!("{class} of {} {arguments:?}: {error}", self.apache.version)
        })
    }

    /// Makes transactions as `Tools.java` says, for partition 0 of a topic.
    pub fn transact(&mut self, server: &str, id: &str, topic: &str, transactions: &[&str]) {
        self.run("transact", &[&[server, id, topic], transactions].concat());
    }

    /// Reads so many records of a topic by the console consumer, as a formatter prints them.
    pub fn read(&mut self, server: &str, topic: &str, count: usize, more: &[&str]) -> String {
        let count = count.to_string();
        let first = ["--bootstrap-server", server, "--topic", topic, "--from-beginning"];
        let count = ["--max-messages", &count, "--timeout-ms", "60000"];
        self.run(CONSOLE_CONSUMER, &[&first[..], &count, more].concat())
    }

    /// Reads all partitions of an internal topic, one by one: a group of readers would add to one of them.
    pub fn read_all(&mut self, node: &Node, topic: &str, formatter: &str) -> String {
        let mut connection = node.connect();
        let of = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![of]));
        let partitions = connection.ask(9, &request).topics[0].partitions.len();
        let ends = connection.ask(7, &ends_of(topic, partitions as i32));
        let server = node.address().to_string();
        let mut all = String::new();
        for end in ends.topics[0].partitions.iter().filter(|it| it.offset > 0) {
            let (partition, count) = (end.partition_index.to_string(), end.offset.to_string());
            let first =
                ["--bootstrap-server", &server, "--topic", topic, "--partition", &partition];
            let count = ["--offset", "earliest", "--max-messages", &count, "--timeout-ms", "60000"];
            let last = ["--formatter", formatter];
            all += &self.run(CONSOLE_CONSUMER, &[&first[..], &count, &last].concat());
        }
        all
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
