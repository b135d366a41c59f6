//! Transactions as Apache's tools make, see and end them: through the node, in its topic, and in its files.

use std::path::PathBuf;

use protocol_tests::node::Node;
use protocol_tests::requests::create_topic;

use super::apache::Apache;
use super::dumps::{dump, files};

const TOOLS: &str = "org.apache.kafka.tools";
const RECORDS: &str = "3000";

/// What one version of Apache's tools does with a node.
struct Tools {
    apache: Apache,
    server: String,
    topic: String,
    id: String,
}

impl Tools {
    fn new(apache: Apache, node: &Node) -> Self {
        let (topic, id) = (format!("t-{}", apache.version), format!("id-{}", apache.version));
        Self { server: node.address().to_string(), apache, topic, id }
    }

    /// Records in many short transactions.
    fn produce(&self) {
        let bootstrap = format!("bootstrap.servers={}", self.server);
        let arguments = [
            "--topic",
            &self.topic,
            "--num-records",
            RECORDS,
            "--record-size",
            "20",
            "--throughput",
            "1000",
            "--transactional-id",
            &self.id,
            "--transaction-duration-ms",
            "50",
            "--producer-props",
            &bootstrap,
        ];
        let said = self.apache.tool(&format!("{TOOLS}.ProducerPerformance"), &arguments);
        assert!(said.contains(&format!("{RECORDS} records sent")), "{said}");
    }

    fn transactions(&self, arguments: &[&str]) -> String {
        let first = ["--bootstrap-server", &self.server];
        let class = format!("{TOOLS}.TransactionsCommand");
        self.apache.tool(&class, &[&first, arguments].concat())
    }

    /// How many records those read who want what is committed.
    fn committed(&self) -> usize {
        let arguments = [
            "--bootstrap-server",
            &self.server,
            "--topic",
            &self.topic,
            "--partition",
            "0",
            "--from-beginning",
            "--isolation-level",
            "read_committed",
            "--timeout-ms",
            "4000",
        ];
        // It ends with a complaint that nothing more came; records are capital letters.
        let class = format!("{TOOLS}.consumer.ConsoleConsumer");
        let text = self.apache.tool_complaining(&class, &arguments);
        let is_record =
            |line: &&str| line.len() == 20 && line.chars().all(|it| it.is_ascii_uppercase());
        text.lines().filter(is_record).count()
    }
}

#[test]
fn transactions() {
    let mut node = Node::start();
    for apache in Apache::all() {
        let tools = Tools::new(apache, &node);
        create_topic(&mut node.connect(), &tools.topic, 1, &[]);
        tools.produce();
        assert_eq!(tools.committed().to_string(), RECORDS);
        let is_complete = |text: &str| {
            let of_ours = text.lines().find(|line| line.contains(&tools.id));
            assert!(of_ours.is_some_and(|line| line.contains("CompleteCommit")), "{text}");
        };
        is_complete(&tools.transactions(&["list"]));
        is_complete(&tools.transactions(&["describe", "--transactional-id", &tools.id]));
        let of_topic = ["--topic", &tools.topic, "--partition", "0"];
        let producers = tools.transactions(&[&["describe-producers"][..], &of_topic].concat());
        assert!(producers.lines().nth(1).is_some_and(|line| line.contains("None")), "{producers}");
        let hanging = tools.transactions(&["find-hanging", "--broker-id", "1"]);
        assert_eq!(hanging.lines().count(), 1, "{hanging}");
    }
    node.stop();
    let is_of_transactions =
        |path: &PathBuf| path.to_string_lossy().contains("__transaction_state-");
    let logs = files(&node.data(), &["log"]).into_iter().filter(is_of_transactions);
    let logs: Vec<_> = logs.filter(|path| path.metadata().is_ok_and(|it| it.len() > 0)).collect();
    for apache in Apache::all() {
        let options = ["--transaction-log-decoder", "--deep-iteration"];
        let text: String = logs.iter().map(|path| dump(&apache, path, &options)).collect();
        for Apache { version, .. } in Apache::all() {
            let id = format!("id-{version}");
            assert!(text.contains(&id), "{id}\n{text}");
        }
    }
}
