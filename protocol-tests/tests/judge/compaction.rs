//! Ours and Apache's cleaner: from the same records they leave the same, each goes on with what the other has left, and
//! Apache's tools read it.

use protocol_tests::compacted::{Compacted, NODE_KEYS};
use protocol_tests::node::Node;
use protocol_tests::program::broker;

use super::apache::Apache;
use super::dumps::dump_files;

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
