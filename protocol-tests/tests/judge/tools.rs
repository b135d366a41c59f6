//! Apache's command-line tools against a node, in all their versions.

use protocol_tests::node::Node;

use super::apache::Apache;

const TOOLS: &str = "org.apache.kafka.tools";

/// The producer is idempotent, as it is by default, and the topic is made by its first record.
#[test]
fn console_clients() {
    let node = Node::start();
    let server = node.address().to_string();
    let sent = super::lines(2000, '\t');
    for apache in Apache::all() {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let topic = format!("console-{}-{codec}", apache.version);
            let producer = [
                "--bootstrap-server",
                &server,
                "--topic",
                &topic,
                "--compression-codec",
                codec,
                "--reader-property",
                "parse.key=true",
            ];
            let class = format!("{TOOLS}.ConsoleProducer");
            // Before 4.2 the properties of the reader had another name.
            let producer = producer.map(|it| match it {
                "--reader-property" if apache.version == "4.1.1" => "--property",
                it => it,
            });
            apache.create_topic(&server, &topic);
            apache.tool_reading(&sent, &class, &producer);
            let got = apache.consume(&server, &topic, 2000);
            assert!(got == sent, "{topic}: {} bytes of {}", got.len(), sent.len());
        }
    }
}

impl Apache {
    fn create_topic(&self, server: &str, topic: &str) {
        let class = format!("{TOOLS}.TopicCommand");
        self.tool(&class, &["--bootstrap-server", server, "--create", "--topic", topic]);
    }

    /// Keys and values of a partition's first records.
    fn consume(&self, server: &str, topic: &str, count: usize) -> String {
        let count = count.to_string();
        let property = if self.version == "4.1.1" { "--property" } else { "--formatter-property" };
        self.tool(
            &format!("{TOOLS}.consumer.ConsoleConsumer"),
            &[
                "--bootstrap-server",
                server,
                "--topic",
                topic,
                "--partition",
                "0",
                "--offset",
                "earliest",
                "--max-messages",
                &count,
                "--timeout-ms",
                "60000",
                property,
                "print.key=true",
            ],
        )
    }
}

#[test]
fn kafka_topics() {
    let node = Node::start();
    let server = node.address().to_string();
    for apache in Apache::all() {
        let topics = |arguments: &[&str]| {
            let arguments = [&["--bootstrap-server", server.as_str()], arguments].concat();
            apache.tool(&format!("{TOOLS}.TopicCommand"), &arguments)
        };
        topics(&["--create", "--topic", "t", "--partitions", "3", "--config", "retention.ms=5000"]);
        assert_eq!(topics(&["--list"]), "t\n");
        let described = topics(&["--describe", "--topic", "t"]);
        assert!(described.contains("PartitionCount: 3\tReplicationFactor: 1"), "{described}");
        assert!(described.contains("retention.ms=5000"), "{described}");
        assert!(described.contains("Partition: 2\tLeader: 1\tReplicas: 1\tIsr: 1"), "{described}");
        topics(&["--alter", "--topic", "t", "--partitions", "5"]);
        assert!(topics(&["--describe", "--topic", "t"]).contains("PartitionCount: 5"));
        assert_eq!(topics(&["--describe", "--unavailable-partitions"]), "");
        topics(&["--delete", "--topic", "t"]);
        assert_eq!(topics(&["--list"]), "\n");
    }
}

#[test]
fn kafka_configs() {
    let node = Node::start();
    let server = node.address().to_string();
    for apache in Apache::all() {
        let configs = |arguments: &[&str]| {
            let arguments = [&["--bootstrap-server", server.as_str()], arguments].concat();
            apache.tool("kafka.admin.ConfigCommand", &arguments)
        };
        let topic = format!("configs-{}", apache.version);
        apache.create_topic(&server, &topic);
        let entity = ["--entity-type", "topics", "--entity-name", &topic];
        let on = |arguments: &[&str]| configs(&[&entity, arguments].concat());
        on(&["--alter", "--add-config", "retention.ms=1234,cleanup.policy=[compact,delete]"]);
        let described = on(&["--describe"]);
        assert!(described.contains("retention.ms=1234"), "{described}");
        assert!(described.contains("cleanup.policy=compact,delete"), "{described}");
        on(&["--alter", "--delete-config", "retention.ms"]);
        assert!(!on(&["--describe"]).contains("retention.ms"));
        let all = on(&["--describe", "--all"]);
        assert!(all.contains("retention.ms=604800000"), "{all}");
        let broker = ["--entity-type", "brokers", "--entity-name", "1"];
        let on = |arguments: &[&str]| configs(&[&broker, arguments].concat());
        on(&["--alter", "--add-config", "log.cleaner.threads=2"]);
        assert!(on(&["--describe"]).contains("log.cleaner.threads=2"));
        on(&["--alter", "--delete-config", "log.cleaner.threads"]);
        assert!(on(&["--describe", "--all"]).contains("num.io.threads="));
        let everywhere = ["--entity-type", "brokers", "--entity-default"];
        let on = |arguments: &[&str]| configs(&[&everywhere, arguments].concat());
        on(&["--alter", "--add-config", "message.max.bytes=2000000"]);
        assert!(on(&["--describe"]).contains("message.max.bytes=2000000"));
        on(&["--alter", "--delete-config", "message.max.bytes"]);
    }
}

#[test]
fn tools_that_look() {
    let node = Node::start();
    let server = node.address().to_string();
    for apache in Apache::all() {
        let topic = format!("looked-at-{}", apache.version);
        apache.create_topic(&server, &topic);
        let producer = ["--bootstrap-server", &server, "--topic", &topic];
        apache.tool_reading("a\nb\nc\n", &format!("{TOOLS}.ConsoleProducer"), &producer);
        let on = ["--bootstrap-server", &server];
        let get = |more: &[&str]| {
            let arguments = [&on, &["--topic", topic.as_str()], more].concat();
            apache.tool(&format!("{TOOLS}.GetOffsetShell"), &arguments)
        };
        assert_eq!(get(&[]), format!("{topic}:0:3\n"));
        assert_eq!(get(&["--time", "earliest"]), format!("{topic}:0:0\n"));
        // The times may all be one: then it is the first that has it.
        assert!(get(&["--time", "max-timestamp"]).starts_with(&format!("{topic}:0:")));
        let dirs = [&on[..], &["--describe", "--topic-list", &topic]].concat();
        let dirs = apache.tool(&format!("{TOOLS}.LogDirsCommand"), &dirs);
        assert!(
            dirs.contains(&format!("\"{topic}-0\"")) && dirs.contains("\"error\":null"),
            "{dirs}"
        );
        let quorum = |what| {
            let arguments = [&on[..], &["describe", what]].concat();
            apache.tool(&format!("{TOOLS}.MetadataQuorumCommand"), &arguments)
        };
        let status = quorum("--status");
        for expected in [["LeaderId:", "1"], ["MaxFollowerLag:", "0"], ["CurrentObservers:", "[]"]]
        {
            let words = |line: &str| line.split_whitespace().eq(expected);
            assert!(status.lines().any(words), "{expected:?}\n{status}");
        }
        let replication = quorum("--replication");
        assert!(replication.contains("Leader"), "{replication}");
        let versions = apache.tool(&format!("{TOOLS}.BrokerApiVersionsCommand"), &on);
        assert!(versions.contains("Produce(0): 0 to 13"), "{versions}");
        let features = [&on[..], &["describe"]].concat();
        let features = apache.tool(&format!("{TOOLS}.FeatureCommand"), &features);
        assert!(features.contains("metadata.version"), "{features}");
    }
}
