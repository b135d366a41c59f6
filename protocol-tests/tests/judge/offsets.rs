//! Committed offsets as Apache's tools see them: through the node, in its topic, and in its files.

use std::path::PathBuf;

use protocol_tests::node::Node;
use protocol_tests::requests::{batch_of, create_topic, produce};

use super::apache::Apache;
use super::dumps::{dump, files};

const TOOLS: &str = "org.apache.kafka.tools";
const RECORDS: [usize; 2] = [7, 5];

/// What one version of Apache's tools does with a node.
struct Tools {
    apache: Apache,
    server: String,
    topic: String,
    group: String,
}

impl Tools {
    fn new(apache: Apache, node: &Node) -> Self {
        let (topic, group) = (format!("t-{}", apache.version), format!("g-{}", apache.version));
        Self { server: node.address().to_string(), apache, topic, group }
    }

    fn groups(&self, arguments: &[&str]) -> String {
        let first = ["--bootstrap-server", &self.server, "--group", &self.group];
        let class = format!("{TOOLS}.consumer.group.ConsumerGroupCommand");
        self.apache.tool(&class, &[&first, arguments].concat())
    }

    /// Partition, offset, end and lag, as `--describe` says, in the order of the partitions.
    fn described(&self) -> Vec<[String; 4]> {
        let text = self.groups(&["--describe"]);
        let mut lines: Vec<[String; 4]> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.len() > 5 && words[0] == self.group && words[1] == self.topic)
            .map(|words| [words[2], words[3], words[4], words[5]].map(str::to_owned))
            .collect();
        lines.sort();
        lines
    }

    fn check_described(&self, expected: &[[&str; 4]]) {
        assert_eq!(self.described(), expected, "{}", self.apache.version);
    }

    /// All records of the offsets' topic, as the formatter for them prints them.
    fn offsets_topic(&self) -> String {
        // As many as there are for this group: two commits and two resets.
        let class = format!("{TOOLS}.consumer.ConsoleConsumer");
        let arguments = [
            "--bootstrap-server",
            &self.server,
            "--topic",
            "__consumer_offsets",
            "--from-beginning",
            "--timeout-ms",
            "4000",
            "--formatter",
            "org.apache.kafka.tools.consumer.OffsetsMessageFormatter",
        ];
        // It ends with a complaint that nothing more came.
        self.apache.tool_complaining(&class, &arguments)
    }
}

#[test]
fn consumer_groups() {
    let mut node = Node::start();
    for apache in Apache::all() {
        let tools = Tools::new(apache, &node);
        let mut connection = node.connect();
        create_topic(&mut connection, &tools.topic, 2, &[]);
        for (partition, count) in (0..).zip(RECORDS) {
            for _ in 0..count {
                let batch = batch_of(&[b"v"]).sealed();
                let answer = produce(&mut connection, &tools.topic, partition, batch);
                assert_eq!(answer.error_code, 0);
            }
        }
        let to = |arguments: &[&str]| {
            let first = ["--reset-offsets", "--topic", &tools.topic, "--execute"];
            tools.groups(&[&first, arguments].concat())
        };
        to(&["--to-latest"]);
        tools.check_described(&[["0", "7", "7", "0"], ["1", "5", "5", "0"]]);
        to(&["--shift-by", "-2"]);
        tools.check_described(&[["0", "5", "7", "2"], ["1", "3", "5", "2"]]);
        let topic = format!("{}:1", tools.topic);
        tools.groups(&["--delete-offsets", "--topic", &topic]);
        tools.check_described(&[["0", "5", "7", "2"]]);
        let text = tools.offsets_topic();
        for (partition, offset) in [(0, 7), (1, 5), (0, 5), (1, 3)] {
            let key = format!(
                "\"data\":{{\"group\":\"{}\",\"topic\":\"{}\",\"partition\":{partition}}}",
                tools.group, tools.topic
            );
            let value = format!("\"offset\":{offset},");
            let is_there = |line: &str| line.contains(&key) && line.contains(&value);
            assert!(text.lines().any(is_there), "{key} {value}\n{text}");
        }
        tools.groups(&["--delete"]);
        assert!(
            !tools
                .apache
                .tool(
                    &format!("{TOOLS}.consumer.group.ConsumerGroupCommand"),
                    &["--bootstrap-server", &tools.server, "--list",]
                )
                .contains(&tools.group)
        );
    }
    node.stop();
    let is_of_offsets = |path: &PathBuf| path.to_string_lossy().contains("__consumer_offsets-");
    let logs = files(&node.data(), &["log"]).into_iter().filter(is_of_offsets);
    let logs: Vec<_> = logs.filter(|path| path.metadata().is_ok_and(|it| it.len() > 0)).collect();
    for apache in Apache::all() {
        let options = ["--offsets-decoder", "--deep-iteration"];
        let text: String = logs.iter().map(|path| dump(&apache, path, &options)).collect();
        for version in ["4.1.1", "4.2.0", "4.3.1"] {
            let group = format!("\"group\":\"g-{version}\"");
            assert!(text.contains(&group), "{group}\n{text}");
        }
    }
}
