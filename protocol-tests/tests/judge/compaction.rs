//! Ours and Apache's cleaner: from the same records they leave the same, each goes on with what the other has left, and
//! Apache's tools read it.

use protocol_tests::compacted::{Compacted, NODE_KEYS, wait_until_clean};
use protocol_tests::node::Node;
use protocol_tests::program::broker;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{all_batches, create_topic, now_ms, produce};

use super::apache::Apache;
use super::dumps::{dump_files, dump_topic};

/// By their number in a batch's attributes, from 1 on.
const CODECS: [&str; 4] = ["gzip", "snappy", "lz4", "zstd"];
const CODEC_BITS: i16 = 7;
const KEYS: usize = 100;

#[test]
fn both_leave_the_same_and_go_on_with_each_others() {
    let apache = Apache::of("4.3.1");
    let brokers = [broker(), apache.broker()];
    let mut nodes = brokers.clone().map(|broker| {
        let node = Node::start_broker_with(broker, &NODE_KEYS);
        let mut topic = Compacted::create(&node);
        for _ in 0..4 {
            topic.write_round(&node);
        }
        topic.compact(&node);
        (node, topic)
    });
    assert_same(&nodes, "at once");
    for pass in ["again", "a third time"] {
        for (node, topic) in &mut nodes {
            topic.write_round(node);
            topic.compact(node);
        }
        assert_same(&nodes, pass);
    }
    // Each takes over the other's directory.
    let [other, own] = brokers;
    let mut jvm = apache.jvm();
    for ((node, topic), next) in nodes.iter_mut().zip([own, other]) {
        node.stop();
        dump_files(&mut jvm, &node.data(), &["log", "index", "timeindex", "snapshot"]);
        node.restart_as(next);
        topic.assert_is_whole(node);
        topic.write_round(node);
        topic.compact(node);
    }
    assert_same(&nodes, "with the brokers changed");
}

fn assert_same(nodes: &[(Node, Compacted); 2], when: &str) {
    let [(ours, our_topic), (theirs, their_topic)] = nodes;
    our_topic.assert_is_whole(ours);
    their_topic.assert_is_whole(theirs);
    let (our_batches, our_records) = our_topic.read_from(ours, 0);
    let (their_batches, their_records) = their_topic.read_from(theirs, 0);
    assert_eq!(our_records, their_records, "{when}");
    let (ours, theirs) =
        (our_topic.comparable(&our_batches), their_topic.comparable(&their_batches));
    assert_eq!(ours, theirs, "{when}");
}

/// A batch of which compaction left a part is compressed anew, as it was before: Apache's consumer reads it from us, its
/// tool finds no fault with it, and its broker goes on with it.
#[test]
fn what_is_left_of_a_compressed_batch_is_read_by_apache() {
    let apache = Apache::of("4.3.1");
    let mut node = Node::start_with(&NODE_KEYS);
    let mut jvm = apache.jvm();
    // Each key, and the even ones again.
    let first = (0..KEYS).map(|key| format!("{key}\tfirst\n"));
    let again = (0..KEYS).step_by(2).map(|key| format!("{key}\tagain\n"));
    let sent: String = first.clone().chain(again.clone()).collect();
    let left: String = first.skip(1).step_by(2).chain(again).collect();
    for (codec, number) in CODECS.into_iter().zip(1..) {
        let keys = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "1000"),
            ("min.cleanable.dirty.ratio", "0.0001"),
        ];
        let id = create_topic(&mut node.connect(), codec, 1, &keys);
        let server = node.address().to_string();
        let producer = ["--bootstrap-server", &server, "--topic", codec];
        let more = ["--compression-codec", codec, "--reader-property", "parse.key=true"];
        let class = "org.apache.kafka.tools.ConsoleProducer";
        apache.tool_reading(&sent, class, &[producer, more].concat());
        // Much later, so in a segment of its own: what is before it is compacted.
        let later = now_ms() + 60_000;
        let end = RecordBatch::new(later).record(Some(b"end"), Some(b"end"));
        let end = produce(&mut node.connect(), codec, 0, end.sealed());
        assert_eq!(end.error_code, 0, "{end:?}");
        wait_until_clean(&node, codec, end.base_offset);
        let mut batches = all_batches(&mut node.connect(), id, 0);
        batches.retain(|it| it.base_offset < end.base_offset);
        assert!(batches.iter().all(|it| it.attributes & CODEC_BITS == number), "{batches:?}");
        assert_eq!(batches.iter().map(|it| it.count).sum::<i32>(), KEYS as i32, "{codec}");
    }
    let mut assert_read = |node: &Node| {
        for codec in CODECS {
            let with_keys = ["--formatter-property", "print.key=true"];
            let got = jvm.read(&node.address().to_string(), codec, KEYS + 1, &with_keys);
            assert_eq!(got, format!("{left}end\tend\n"), "{codec}");
        }
    };
    assert_read(&node);
    node.stop();
    node.restart_as(apache.broker());
    assert_read(&node);
    node.stop();
    for codec in CODECS {
        let text = dump_topic(&mut jvm, &node.data(), codec, "--print-data-log");
        assert!(text.contains(&format!("compresscodec: {codec}")), "{text}");
        assert_eq!(text.matches("payload: again").count(), KEYS / 2, "{text}");
    }
}
