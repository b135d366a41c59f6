//! The Java client, in long runs: through ends of the node, with large records, over many partitions.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use protocol_tests::node::Node;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{create_topic, fetch};
use uuid::Uuid;

use super::apache::Apache;

const RECORDS: usize = 6000;
const PARTITIONS: i32 = 3;

/// A VerifiableProducer, which is idempotent unless told otherwise, and prints a line for each acknowledgement.
fn producer(apache: &Apache, node: &Node, configuration: &str) -> Child {
    let file = node.data().with_file_name("producer.properties");
    std::fs::write(&file, configuration).unwrap();
    let (records, server) = (RECORDS.to_string(), node.address().to_string());
    let mut command = apache.java("org.apache.kafka.tools.VerifiableProducer");
    command.args(["--bootstrap-server", &server, "--topic", "verified", "--acks", "-1"]);
    command.args(["--max-messages", &records, "--throughput", "1500", "--repeating-keys", "50"]);
    // Renamed in 4.2, and both are understood since.
    let option = if apache.version == "4.1.1" { "--producer.config" } else { "--command-config" };
    command.arg(option).arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Ends the node each time that a third is acknowledged; how many were in the end.
fn run(apache: &Apache, node: &mut Node, configuration: &str, end: fn(&mut Node)) -> usize {
    let mut child = producer(apache, node, configuration);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = 0;
    for line in lines {
        let line = line.unwrap();
        assert!(!line.contains("producer_send_error"), "{line}");
        acknowledged += usize::from(line.contains("producer_send_success"));
        if line.contains("producer_send_success") && acknowledged % (RECORDS / 3) == 1000 {
            end(node);
            node.restart();
        }
    }
    assert!(child.wait().unwrap().success());
    acknowledged
}

/// How often each value is there; the values of a partition in their order.
fn values(node: &Node, id: Uuid) -> (BTreeMap<String, usize>, Vec<Vec<usize>>) {
    let mut connection = node.connect();
    let (mut counts, mut orders) = (BTreeMap::new(), Vec::new());
    for partition in 0..PARTITIONS {
        let records = fetch(&mut connection, id, partition, 0).records.unwrap();
        let batches = RecordBatch::all(&records).unwrap();
        let values: Vec<_> = batches.iter().flat_map(RecordBatch::values).collect();
        let text = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap();
        let texts: Vec<_> = values.iter().map(text).collect();
        orders.push(texts.iter().map(|text| text.parse().unwrap()).collect());
        for text in texts {
            *counts.entry(text).or_default() += 1;
        }
    }
    (counts, orders)
}

fn through(configuration: &str, end: fn(&mut Node), is_once: bool) {
    for apache in Apache::all() {
        let mut node = Node::start();
        let id = create_topic(&mut node.connect(), "verified", PARTITIONS, &[]);
        assert_eq!(run(&apache, &mut node, configuration, end), RECORDS);
        let (counts, orders) = values(&node, id);
        assert_eq!(counts.len(), RECORDS, "{}: none is lost", apache.version);
        if is_once {
            assert!(counts.values().all(|count| *count == 1), "{}: none is twice", apache.version);
            assert!(orders.iter().all(|order: &Vec<usize>| order.is_sorted()), "in order");
        }
    }
}

/// VerifiableProducer does not try again unless told to.
const QUICK: &str =
    "retries=1000000\nretry.backoff.ms=20\nreconnect.backoff.ms=20\nreconnect.backoff.max.ms=100\n";

#[test]
fn idempotent_through_kills() {
    through(QUICK, Node::kill, true);
}

#[test]
fn idempotent_through_stops() {
    through(QUICK, |node| assert_eq!(node.stop().code(), Some(0)), true);
}

#[test]
fn plain_through_kills() {
    let configuration =
        format!("{QUICK}enable.idempotence=false\nmax.in.flight.requests.per.connection=1\n");
    through(&configuration, Node::kill, false);
}

/// 10 MiB each, and small ones in a hundred partitions; ProducerPerformance fails on any error.
#[test]
fn large_records_and_many_partitions() {
    let apache = Apache::of("4.3.1");
    let node = Node::start_with(&[("message.max.bytes", "20000000")]);
    let server = node.address().to_string();
    let bootstrap = format!("bootstrap.servers={server}");
    create_topic(&mut node.connect(), "large", 1, &[]);
    create_topic(&mut node.connect(), "many", 100, &[]);
    for (topic, count, bytes) in [("large", "12", "10485760"), ("many", "100000", "100")] {
        let said = apache.tool(
            "org.apache.kafka.tools.ProducerPerformance",
            &[
                "--topic",
                topic,
                "--num-records",
                count,
                "--record-size",
                bytes,
                "--throughput",
                "-1",
                "--producer-props",
                &bootstrap,
                "max.request.size=20000000",
                "buffer.memory=100000000",
                "compression.type=lz4",
            ],
        );
        assert!(said.contains(&format!("{count} records sent")), "{said}");
    }
}
