//! DumpLogSegments reads every file of a directory without one complaint.

use std::path::{Path, PathBuf};

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use protocol_tests::node::Node;
use protocol_tests::requests::{batch_of, create_topic, produce};

use super::apache::Apache;
use super::jvm::Jvm;

/// A node that has used its directory, formatted for a release, and left it cleanly.
fn used(release: &str) -> Node {
    let mut node = Node::start_release(release);
    let mut connection = node.connect();
    let keys = [("segment.bytes", "1048576"), ("index.interval.bytes", "100")];
    create_topic(&mut connection, "dumped", 2, &keys);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let id = connection.ask(4, &request).producer_id.0;
    for number in 0..300 {
        let value = vec![b'v'; 5000];
        let batch = batch_of(&[value.as_slice(), b"short"]).from_producer(id, 0, 2 * number);
        assert_eq!(produce(&mut connection, "dumped", 0, batch.sealed()).error_code, 0);
    }
    assert_eq!(node.stop().code(), Some(0));
    node
}

/// Files with one of these endings, in all partitions of a directory.
fn files(directory: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if path.extension().is_some_and(|it| endings.iter().any(|ending| it == *ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What the tool prints when something is wrong.
const COMPLAINTS: [&str; 9] = [
    "isvalid: false",
    "Found",
    "mismatch",
    "not divisible",
    "corrupt",
    "Could not",
    "Mismatches",
    "failed",
    "skipping",
];

fn assert_is_content(what: &str, text: &str) {
    let complaint = COMPLAINTS.into_iter().find(|complaint| text.contains(complaint));
    assert_eq!(complaint, None, "{what}\n{text}");
}

fn dump(apache: &Apache, path: &Path, options: &[&str]) -> String {
    let path = path.to_str().unwrap();
    let text = apache.tool(apache.dump_class(), &[options, &["--files", path]].concat());
    assert_is_content(&format!("{} {path} {options:?}", apache.version), &text);
    text
}

/// All records of an internal topic, as the tool prints them from the log of a node that has ended.
pub fn dump_topic(jvm: &mut Jvm, data: &Path, topic: &str, decoder: &str) -> String {
    let is_of_topic = |path: &&PathBuf| {
        let directory = path.parent().and_then(Path::file_name).unwrap().to_string_lossy();
        directory.rsplit_once('-').is_some_and(|(name, _)| name == topic)
    };
    let logs = files(data, &["log"]);
    let logs: Vec<_> = logs
        .iter()
        .filter(is_of_topic)
        .filter(|path| path.metadata().is_ok_and(|it| it.len() > 0))
        .map(|path| path.to_str().unwrap())
        .collect();
    let arguments = [decoder, "--deep-iteration", "--files", &logs.join(",")];
    let text = jvm.run(jvm.dump_class(), &arguments);
    assert_is_content(&format!("{arguments:?}"), &text);
    text
}

/// The tool reads all files with these endings.
pub fn dump_files(jvm: &mut Jvm, data: &Path, endings: &[&str]) {
    let found = files(data, endings);
    for ending in endings {
        let is_one = |path: &PathBuf| path.extension().is_some_and(|it| it == *ending);
        assert!(found.iter().any(is_one), "no {ending} in {found:?}");
    }
    let paths: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
    let text = jvm.run(jvm.dump_class(), &["--files", &paths.join(",")]);
    assert_is_content(&paths.join(","), &text);
}

#[test]
fn data() {
    for apache in Apache::all() {
        let node = used(apache.release());
        let logs: Vec<_> = files(&node.data(), &["log"]);
        let logs: Vec<_> = logs.iter().filter(|it| !is_metadata(it)).collect();
        assert_eq!(logs.len(), 3, "two segments and an empty one: {logs:?}");
        let records: usize = logs
            .iter()
            .map(|path| dump(&apache, path, &["--deep-iteration"]).matches("| offset:").count())
            .sum();
        assert_eq!(records, 600);
        for path in files(&node.data(), &["index", "timeindex"]) {
            dump(&apache, &path, &["--index-sanity-check"]);
            dump(&apache, &path, &["--verify-index-only"]);
            dump(&apache, &path, &[]);
        }
        for path in files(&node.data(), &["snapshot"]) {
            dump(&apache, &path, &[]);
        }
    }
}

#[test]
fn metadata() {
    for apache in Apache::all() {
        let node = used(apache.release());
        let logs = files(&node.data(), &["log", "checkpoint"]);
        let logs: Vec<_> = logs.iter().filter(|it| is_metadata(it)).collect();
        assert!(!logs.is_empty(), "{logs:?}");
        let options = ["--cluster-metadata-decoder", "--deep-iteration"];
        let text: String = logs.iter().map(|path| dump(&apache, path, &options)).collect();
        for record in ["TOPIC_RECORD", "PARTITION_RECORD", "REGISTER_BROKER_RECORD", "LeaderChange"]
        {
            assert!(text.contains(record), "{record}\n{text}");
        }
    }
}

fn is_metadata(path: &Path) -> bool {
    path.parent().is_some_and(|it| it.ends_with("__cluster_metadata-0"))
        && path.file_name().is_some_and(|it| it.to_string_lossy().starts_with('0'))
}
