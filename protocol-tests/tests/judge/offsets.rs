//! Committed offsets as Apache's tools see them: through the node, in its topic, and in its files.

use protocol_tests::node::Node;
use protocol_tests::requests::{batch_of, create_topic, produce};

use super::apache::Apache;
use super::dumps::dump_topic;
use super::groups::GROUPS_COMMAND;
use super::jvm::Jvm;

const RECORDS: [usize; 2] = [7, 5];

/// What one version of Apache's tools does with a node.
struct Tools {
    jvm: Jvm,
    server: String,
    topic: String,
    group: String,
}

impl Tools {
    fn new(apache: &Apache, node: &Node) -> Self {
        let (topic, group) = (format!("t-{}", apache.version), format!("g-{}", apache.version));
        Self { server: node.address().to_string(), jvm: apache.jvm(), topic, group }
    }

    fn groups(&mut self, arguments: &[&str]) -> String {
        let first = ["--bootstrap-server", &self.server, "--group", &self.group];
        self.jvm.run(GROUPS_COMMAND, &[&first, arguments].concat())
    }

    /// What `--describe` says of each partition: partition, offset, end and lag.
    fn check_described(&mut self, expected: &[[&str; 4]]) {
        let text = self.groups(&["--describe"]);
        let mut lines: Vec<_> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.len() > 5 && words[0] == self.group && words[1] == self.topic)
            .map(|words| [words[2], words[3], words[4], words[5]])
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, expected, "{text}");
    }

    fn reset(&mut self, to: &[&str]) {
        let topic = self.topic.clone();
        self.groups(&[&["--reset-offsets", "--topic", &topic, "--execute"], to].concat());
    }

    /// Offsets are set, seen and deleted, and so is the group.
    fn judge(&mut self, node: &Node) {
        self.reset(&["--to-latest"]);
        self.check_described(&[["0", "7", "7", "0"], ["1", "5", "5", "0"]]);
        self.reset(&["--shift-by", "-2"]);
        self.check_described(&[["0", "5", "7", "2"], ["1", "3", "5", "2"]]);
        let topic = format!("{}:1", self.topic);
        self.groups(&["--delete-offsets", "--topic", &topic]);
        self.check_described(&[["0", "5", "7", "2"]]);
        self.check_offsets_topic(node);
        let all = ["--bootstrap-server", &self.server.clone(), "--list"];
        assert!(self.jvm.run(GROUPS_COMMAND, &all).contains(&self.group));
        self.groups(&["--delete"]);
        assert!(!self.jvm.run(GROUPS_COMMAND, &all).contains(&self.group));
    }

    /// Two commits and two resets are in the topic, as the formatter for them prints them.
    fn check_offsets_topic(&mut self, node: &Node) {
        let formatter = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter";
        let text = self.jvm.read_all(node, "__consumer_offsets", formatter);
        for (partition, offset) in [(0, 7), (1, 5), (0, 5), (1, 3)] {
            let key = format!(
                "\"data\":{{\"group\":\"{}\",\"topic\":\"{}\",\"partition\":{partition}}}",
                self.group, self.topic
            );
            let value = format!("\"offset\":{offset},");
            let is_there = |line: &str| line.contains(&key) && line.contains(&value);
            assert!(text.lines().any(is_there), "{key} {value}\n{text}");
        }
    }
}

#[test]
fn are_set_seen_and_deleted_by_the_tool_for_groups() {
    let mut node = Node::start_with(&[("offsets.topic.num.partitions", "3")]);
    let mut all: Vec<_> = Apache::all().map(|apache| Tools::new(&apache, &node)).collect();
    for tools in &mut all {
        let mut connection = node.connect();
        create_topic(&mut connection, &tools.topic, 2, &[]);
        for (partition, count) in (0..).zip(RECORDS) {
            for _ in 0..count {
                let batch = batch_of(&[b"v"]).sealed();
                let answer = produce(&mut connection, &tools.topic, partition, batch);
                assert_eq!(answer.error_code, 0);
            }
        }
        tools.judge(&node);
    }
    node.stop();
    let groups: Vec<_> = all.iter().map(|it| format!("\"group\":\"{}\"", it.group)).collect();
    for tools in &mut all {
        let topic = "__consumer_offsets";
        let text = dump_topic(&mut tools.jvm, &node.data(), topic, "--offsets-decoder");
        for group in &groups {
            assert!(text.contains(group), "{group}\n{text}");
        }
    }
}
