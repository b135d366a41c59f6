//! Groups of Apache's console consumers, and what its tools tell of them.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{DescribeGroupsRequest, GroupId};
use protocol_tests::node::Node;
use protocol_tests::program::{Program, Which, broker};
use protocol_tests::requests::{ask_until, batch_of, create_topic, ends_of, produce, text};
use rustix::process::Signal;

use super::apache::Apache;
use super::dumps::dump_topic;
use super::jvm::{CONSOLE_CONSUMER, Jvm};

pub const GROUPS_COMMAND: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const OFFSETS_TOPIC: &str = "__consumer_offsets";
const LIMIT: Duration = Duration::from_mins(1);

/// Waits until a group has so many members who all know what they have; Kafka's name of the state.
fn wait_for_members(node: &Node, group: &str, count: usize) {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
    let state = if count == 0 { "Empty" } else { "Stable" };
    ask_until(&mut node.connect(), 5, &request, |answer| {
        let group = &answer.groups[0];
        group.group_state.as_str() == state && group.members.len() == count
    });
}

/// A console consumer in a group.
struct Member(Program);

impl Member {
    fn join(apache: &Apache, node: &Node) -> Self {
        Self::join_with(apache, node, "g", &["heartbeat.interval.ms=100"])
    }

    fn join_with(apache: &Apache, node: &Node, group: &str, properties: &[&str]) -> Self {
        let server = node.address().to_string();
        let mut command: Command = apache.java(CONSOLE_CONSUMER);
        command.args(["--bootstrap-server", &server, "--topic", "t", "--group", group]);
        command.arg("--from-beginning");
        for property in properties {
            command.args(["--command-property", property]);
        }
        Self(Program::start(&mut command))
    }

    /// The first lines that it prints, in the order of the alphabet.
    fn lines(&self, count: usize) -> Vec<String> {
        let lines = |bytes: &[u8]| {
            let mut lines: Vec<_> =
                String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
            lines.sort_unstable();
            (lines.len() >= count && bytes.ends_with(b"\n")).then_some(lines)
        };
        let found = self.0.wait_for(Which::Stdout, Instant::now() + LIMIT, lines);
        found.unwrap_or_else(|| panic!("{count} lines: {}", self.0.said()))
    }

    /// It leaves the group and commits what it has read.
    fn leave(mut self) {
        self.0.signal(Signal::TERM);
        assert!(self.0.wait(LIMIT).is_some(), "{}", self.0.said());
    }
}

/// So many values in each partition, once the node leads them: Apache's brokers answer a moment before they do.
fn fill(node: &Node, numbers: std::ops::Range<usize>) {
    let mut connection = node.connect();
    ask_until(&mut connection, 5, &ends_of("t", 2), |answer| {
        answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0)
    });
    for partition in 0..2 {
        for number in numbers.clone() {
            let value = format!("{partition} {number}");
            let batch = batch_of(&[value.as_bytes()]).sealed();
            assert_eq!(produce(&mut connection, "t", partition, batch).error_code, 0);
        }
    }
}

/// What `fill` gave a partition.
fn filled(partition: usize, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{partition} {number}")).collect()
}

struct Tool {
    jvm: Jvm,
    server: String,
}

impl Tool {
    /// The words of those lines that have one of these words.
    fn ask(&mut self, arguments: &[&str], word: &str) -> Vec<Vec<String>> {
        let first = ["--bootstrap-server", &self.server.clone()];
        let said = self.jvm.run(GROUPS_COMMAND, &[&first, arguments].concat());
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        said.lines().map(words).filter(|it| it.iter().any(|it| it == word)).collect()
    }
}

#[test]
fn console_consumers_share_a_topic_and_one_leaves() {
    let apache = Apache::of("4.3.1");
    let mut node = Node::start_with(&[("offsets.topic.num.partitions", "3")]);
    let mut tool = Tool { jvm: apache.jvm(), server: node.address().to_string() };
    create_topic(&mut node.connect(), "t", 2, &[]);
    let members = [Member::join(&apache, &node), Member::join(&apache, &node)];
    wait_for_members(&node, "g", 2);
    fill(&node, 10..20);
    let mut read = members.each_ref().map(|member| member.lines(10));
    read.sort_unstable();
    assert_eq!(read, [filled(0, 10..20), filled(1, 10..20)]);

    let described = tool.ask(&["--describe", "--group", "g", "--members", "--verbose"], "g");
    assert_eq!(described.len(), 2, "{described:?}");
    let state = tool.ask(&["--describe", "--group", "g", "--state"], "g");
    assert!(state[0].ends_with(&["range", "Stable", "2"].map(str::to_owned)), "{state:?}");
    let listed = tool.ask(&["--list", "--state"], "g");
    assert_eq!(listed, [["g", "Stable"]]);

    let [stays, leaves] = members;
    leaves.leave();
    wait_for_members(&node, "g", 1);
    fill(&node, 20..25);
    let of_both: Vec<_> = stays.lines(20).into_iter().filter(|it| it.as_str() >= "0 2").collect();
    assert!(filled(0, 20..25).iter().chain(&filled(1, 20..25)).all(|it| of_both.contains(it)));
    stays.leave();
    wait_for_members(&node, "g", 0);
    let offsets = tool.ask(&["--describe", "--group", "g"], "t");
    let mut offsets: Vec<_> = offsets.iter().map(|words| words[2..6].to_vec()).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, [["0", "15", "15", "0"], ["1", "15", "15", "0"]]);
    assert_eq!(tool.ask(&["--list", "--state"], "g"), [["g", "Empty"]]);

    let formatter = "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter";
    let metadata = tool.jvm.read_all(&node, OFFSETS_TOPIC, formatter);
    let generations = metadata.matches("\"protocol\":\"range\"").count();
    assert!(generations >= 2 && metadata.contains("\"group\":\"g\""), "{metadata}");
    tool.ask(&["--delete", "--group", "g"], "g");
    assert!(tool.ask(&["--list"], "g").is_empty());
    node.stop();
    let data: PathBuf = node.data();
    let dumped = dump_topic(&mut tool.jvm, &data, OFFSETS_TOPIC, "--offsets-decoder");
    assert!(dumped.contains("\"group\":\"g\"") && dumped.contains("\"protocolType\":\"consumer\""));
}

/// Members of a classic group and of one of KIP-848 go on where they are when another broker takes the node's place:
/// nobody is sent back to what was committed.
#[test]
fn console_consumers_go_on_with_another_broker() {
    let apache = Apache::of("4.3.1");
    let keys = [("offsets.topic.num.partitions", "3")];
    let mut node = Node::start_broker_with(apache.broker(), &keys);
    create_topic(&mut node.connect(), "t", 2, &[]);
    let members = ["classic", "consumer"].map(|protocol| {
        let protocol_property = format!("group.protocol={protocol}");
        Member::join_with(&apache, &node, protocol, &[&protocol_property])
    });
    fill(&node, 100..110);
    let mut end = 110;
    for next in [broker(), apache.broker()] {
        for member in &members {
            member.lines(2 * (end - 100));
        }
        node.kill();
        node.restart_as(next);
        fill(&node, end..end + 10);
        end += 10;
    }
    let expected = [filled(0, 100..end), filled(1, 100..end)].concat();
    for member in &members {
        assert_eq!(member.lines(expected.len()), expected);
    }
    members.into_iter().for_each(Member::leave);
    let mut tool = Tool { jvm: apache.jvm(), server: node.address().to_string() };
    for group in ["classic", "consumer"] {
        let offsets = tool.ask(&["--describe", "--group", group], "t");
        let mut offsets: Vec<_> = offsets.iter().map(|words| words[2..6].to_vec()).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, [["0", "30", "30", "0"], ["1", "30", "30", "0"]], "{group}");
    }
}
