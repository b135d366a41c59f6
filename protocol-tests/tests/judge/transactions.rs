//! Transactions of the Java client, and Apache's tools for them.

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use protocol_tests::node::Node;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{batch_of, create_topic, now_ms, produce, produce_request, text};

use super::apache::Apache;
use super::dumps::{dump_files, dump_topic};
use super::groups::GROUPS_COMMAND;
use super::jvm::Jvm;

const TRANSACTIONS_COMMAND: &str = "org.apache.kafka.tools.TransactionsCommand";
const STATE_TOPIC: &str = "__transaction_state";
const HOUR_MS: i64 = 3_600_000;
/// Before KIP-890 the coordinator was told of partitions by the client alone.
const OLD_PRODUCE_VERSION: i16 = 11;

/// A node with a topic, and tools.
struct Court {
    node: Node,
    server: String,
    jvm: Jvm,
}

impl Court {
    fn begin(keys: &[(&str, &str)]) -> Self {
        let few =
            [("offsets.topic.num.partitions", "2"), ("transaction.state.log.num.partitions", "2")];
        let node = Node::start_with(&[&few, keys].concat());
        create_topic(&mut node.connect(), "t", 1, &[]);
        let server = node.address().to_string();
        Self { node, server, jvm: Apache::of("4.3.1").jvm() }
    }

    fn transact(&mut self, id: &str, transactions: &[&str]) {
        self.jvm.transact(&self.server, id, "t", transactions);
    }

    /// What a console consumer of committed records, or of all, reads first.
    fn read(&mut self, isolation: &str, expected: &[&str]) {
        let more = ["--isolation-level", isolation];
        let said = self.jvm.read(&self.server, "t", expected.len(), &more);
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{isolation}");
    }

    /// The words of what kafka-transactions prints, but for the titles.
    fn tool(&mut self, arguments: &[&str]) -> Vec<Vec<String>> {
        let first = ["--bootstrap-server", &self.server];
        let said = self.jvm.run(TRANSACTIONS_COMMAND, &[&first, arguments].concat());
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        said.lines().skip(1).map(words).collect()
    }
}

#[test]
fn java_transactions_are_read_as_they_ended() {
    let mut court = Court::begin(&[]);
    let transactions = ["commit,a,b", "abort,c", "commit,d", "abort,e,g=1", "commit,f,g=3"];
    court.transact("java", &transactions);
    court.read("read_committed", &["a", "b", "d", "f"]);
    court.read("read_uncommitted", &["a", "b", "c", "d", "e", "f"]);
    let describe = ["--bootstrap-server", &court.server.clone(), "--describe", "--group", "g"];
    let said = court.jvm.run(GROUPS_COMMAND, &describe);
    let of_g = said.lines().find(|line| line.starts_with('g')).unwrap();
    assert_eq!(of_g.split_whitespace().nth(3), Some("3"), "{said}");

    let formatter = "org.apache.kafka.tools.consumer.TransactionLogMessageFormatter";
    let states = court.jvm.read_all(&court.node, STATE_TOPIC, formatter);
    assert!(states.contains("\"transactionalId\":\"java\""), "{states}");
    court.node.stop();
    let data = court.node.data();
    let jvm = &mut court.jvm;
    let dumped = dump_topic(jvm, &data, STATE_TOPIC, "--transaction-log-decoder");
    // Ongoing, to be committed, to be aborted, committed, aborted.
    for state in 1..=5 {
        let state = format!("\"transactionStatus\":{state},");
        assert!(dumped.contains(&state), "{state}\n{dumped}");
    }
    let dumped = dump_topic(jvm, &data, "__consumer_offsets", "--offsets-decoder");
    for marker in ["endTxnMarker: COMMIT", "endTxnMarker: ABORT"] {
        assert!(dumped.contains(marker), "{marker}\n{dumped}");
    }
    dump_files(jvm, &data, &["txnindex", "snapshot"]);
}

/// Many short transactions of each version's ProducerPerformance, and what that version's tools tell of them.
#[test]
fn transactions_of_all_versions() {
    let mut court = Court::begin(&[]);
    for apache in Apache::all() {
        court.jvm = apache.jvm();
        let (topic, id) = (format!("t-{}", apache.version), format!("id-{}", apache.version));
        create_topic(&mut court.node.connect(), &topic, 1, &[]);
        let bootstrap = format!("bootstrap.servers={}", court.server);
        let arguments = "--num-records 1000 --record-size 20 --throughput 1000 \
            --transaction-duration-ms 50";
        let mut arguments: Vec<_> = arguments.split_whitespace().collect();
        arguments.extend(["--topic", &topic, "--transactional-id", &id]);
        arguments.extend(["--producer-props", &bootstrap]);
        let said = court.jvm.run("org.apache.kafka.tools.ProducerPerformance", &arguments);
        assert!(said.contains("1000 records sent"), "{said}");
        let more = ["--isolation-level", "read_committed"];
        assert_eq!(court.jvm.read(&court.server, &topic, 1000, &more).lines().count(), 1000);
        let complete = "CompleteCommit".to_owned();
        let listed = court.tool(&["list"]);
        assert!(listed.iter().any(|it| it[0] == id && it.contains(&complete)), "{listed:?}");
        let described = court.tool(&["describe", "--transactional-id", &id]);
        assert!(described[0].contains(&id) && described[0].contains(&complete), "{described:?}");
        let of_topic = ["describe-producers", "--topic", &topic, "--partition", "0"];
        let producers = court.tool(&of_topic);
        assert!(producers[0].contains(&"None".to_owned()), "{producers:?}");
        assert!(court.tool(&["find-hanging", "--broker-id", "1"]).is_empty());
    }
    court.node.stop();
    for apache in Apache::all() {
        let data = court.node.data();
        let text = dump_topic(&mut apache.jvm(), &data, STATE_TOPIC, "--transaction-log-decoder");
        for Apache { version, .. } in Apache::all() {
            assert!(text.contains(&format!("id-{version}")), "{version}\n{text}");
        }
    }
}

#[test]
fn an_open_transaction_is_seen_and_aborted_by_the_tool() {
    let mut court = Court::begin(&[]);
    court.transact("done", &["commit,a"]);
    court.transact("open", &["open,b"]);
    court.transact("done", &["commit,c"]);
    let mut listed = court.tool(&["list"]);
    listed.sort_unstable();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed[0][0] == "done" && listed[0].contains(&"CompleteCommit".to_owned()));
    assert!(listed[1][0] == "open" && listed[1].contains(&"Ongoing".to_owned()));
    let described = court.tool(&["describe", "--transactional-id", "open"]);
    assert!(described[0].contains(&"Ongoing".to_owned()), "{described:?}");
    assert!(described[0].contains(&"t-0".to_owned()), "{described:?}");
    let producers = court.tool(&["describe-producers", "--topic", "t", "--partition", "0"]);
    // "a" and its marker are before it.
    assert!(producers.iter().any(|it| it.last().is_some_and(|it| it == "2")), "{producers:?}");
    // It is not too old yet.
    assert!(court.tool(&["find-hanging", "--broker-id", "1"]).is_empty());
    court.read("read_committed", &["a"]);
    court.tool(&["abort", "--topic", "t", "--partition", "0", "--start-offset", "2"]);
    court.read("read_committed", &["a", "c"]);
}

/// A producer of before KIP-890, of whose transaction the coordinator knows nothing.
#[test]
fn a_hanging_transaction_is_found_and_aborted() {
    let mut court = Court::begin(&[("transaction.partition.verification.enable", "false")]);
    let mut connection = court.node.connect();
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let id = connection.ask(4, &request).producer_id.0;
    let mut batch = RecordBatch::new(now_ms() - HOUR_MS).record(None, Some(b"hangs"));
    batch.attributes |= 0x10;
    let batch = batch.from_producer(id, 0, 0);
    let request = produce_request("t", 0, Some(batch.sealed().into()))
        .with_transactional_id(Some(text("forgotten").into()));
    let answer = connection.ask(OLD_PRODUCE_VERSION, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "{answer:?}");
    let after = produce(&mut connection, "t", 0, batch_of(&[b"after"]).sealed());
    assert_eq!(after.error_code, 0, "{after:?}");
    let found = court.tool(&["find-hanging", "--broker-id", "1"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0][..3], ["t", "0", &id.to_string()].map(str::to_owned));
    court.tool(&["abort", "--topic", "t", "--partition", "0", "--start-offset", "0"]);
    assert!(court.tool(&["find-hanging", "--broker-id", "1"]).is_empty());
    court.read("read_committed", &["after"]);
}
