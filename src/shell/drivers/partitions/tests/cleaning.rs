//! Partitions that are compacted.

use super::*;
use crate::kernel::log::cleaner::Limits;

const LIMITS: Limits =
    Limits { map_bytes: 1 << 20, load_factor: 0.9, buffer_bytes: 4096, secret: [1, 2] };

/// Partitions of a node with a topic `a` that has something to clean.
pub fn dirty_partitions(keys: &[(&str, &str)], now: Now) -> (TempDir, Partitions, BrokerConfig) {
    let mut node = Node::new();
    node.now = now;
    node.compacted();
    node.fill(3);
    (node.root, node.partitions, broker_config_with(keys))
}

impl Node {
    fn compacted(&mut self) {
        self.create("a", 1, 1);
        self.set(settings::TOPIC, "a", "internal.segment.bytes", "200");
        self.set(settings::TOPIC, "a", "min.cleanable.dirty.ratio", "0.0");
        self.set(settings::TOPIC, "a", "cleanup.policy", "compact");
    }

    /// Appends so many records of one key, a segment for each.
    fn fill(&self, records: usize) {
        for _ in 0..records {
            let batch = BatchBuilder::new(Offset(0))
                .record(self.now.wall, Some(b"key"), Some(&[7; 100]))
                .build_batch();
            self.partition(1).append(&batch, 1, self.now).unwrap();
        }
    }

    fn clean(&self) -> bool {
        let begun = self.partitions.begin_cleaning(self.now, |_| false);
        begun.is_some_and(|begun| self.partitions.clean(begun, &LIMITS, &mut |_| true).is_some())
    }
}

const CHECKPOINT: &str = "cleaner-offset-checkpoint";

#[test]
fn what_was_cleaned_is_written_down_and_the_next_start_goes_on_there() {
    let mut node = Node::new();
    node.compacted();
    node.fill(4);
    let open = node.partition(1).read(&spec(0)).unwrap();
    assert!(node.clean());
    assert_eq!(node.text(CHECKPOINT), "0\n1\na 0 3\n");
    assert_eq!(read(&node.partition(1), 0), [2], "a read ends with its segment");
    assert_eq!(offsets_of(&open), [0], "who was reading reads on");
    assert!(!node.clean(), "nothing is dirty");
    for restarted in [true, false] {
        node = if restarted { node.restart() } else { node.crash() };
        assert_eq!(node.partition(1).checkpointed().unwrap().cleaned_to, Some(Offset(3)));
        assert!(!node.clean());
    }
    node.fill(1);
    assert!(node.clean());
    assert_eq!(node.text(CHECKPOINT), "0\n1\na 0 4\n");
    assert_eq!(read(&node.partition(1), 0), [3]);
    node.pass(65_000);
    node.partitions.on_time(node.now);
    let names: Vec<_> = std::fs::read_dir(node.path("a-0")).unwrap().map(Result::unwrap).collect();
    assert!(names.iter().all(|it| !it.file_name().to_str().unwrap().ends_with(".deleted")));
}

/// A topic of the same name must not begin where the one before was cleaned to.
#[test]
fn a_topic_that_comes_again_is_dirty_from_the_start() {
    let mut node = Node::new();
    node.compacted();
    node.fill(4);
    assert!(node.clean());
    node.delete(1);
    node.create("a", 2, 1);
    assert_eq!(node.text(CHECKPOINT), "0\n0\n");
    assert_eq!(node.partition(2).checkpointed().unwrap().cleaned_to, None);
}

#[test]
fn deletion_ends_a_cleaning_and_leaves_nothing_behind() {
    let mut node = Node::new();
    node.compacted();
    node.fill(4);
    let begun = node.partitions.begin_cleaning(node.now, |_| false).unwrap();
    assert!(node.partitions.begin_cleaning(node.now, |_| false).is_none(), "one at a time");
    node.delete(1);
    node.compacted();
    assert_eq!(node.partitions.clean(begun, &LIMITS, &mut |_| true), None);
    let names = std::fs::read_dir(node.path("a-0")).unwrap().map(Result::unwrap);
    let cleaned = names.filter(|it| it.file_name().to_str().unwrap().contains("cleaned"));
    assert_eq!(cleaned.count(), 0);
    assert_eq!(node.text(CHECKPOINT), "");
}

#[test]
fn a_damaged_log_is_passed_over_and_served() {
    let mut node = Node::new();
    node.compacted();
    node.fill(4);
    let path = node.path("a-0/00000000000000000001.log");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(node.partitions.look_for_dirt(node.now), 1);
    assert!(!node.clean());
    assert_eq!(node.partitions.look_for_dirt(node.now), 0, "once is enough");
    assert!(node.partitions.begin_cleaning(node.now, |_| false).is_none());
    assert_eq!(read(&node.partition(1), 2), [2]);
    assert!(!node.partition(1).directory().is_offline());
    node.pass(1);
    node.fill(1);
}

#[test]
fn a_policy_of_both_compacts_and_deletes() {
    let mut node = Node::new();
    node.compacted();
    node.set(settings::TOPIC, "a", "cleanup.policy", "compact,delete");
    node.set(settings::TOPIC, "a", "retention.ms", "1000");
    node.fill(4);
    assert!(node.clean());
    assert_eq!(node.partition(1).offsets().log_start, Offset(0));
    node.pass(1001);
    node.fill(1);
    node.partitions.look_for_dirt(node.now);
    assert_eq!(node.partition(1).offsets().log_start, Offset(4));
    assert_eq!(read(&node.partition(1), 4), [4]);
}

#[test]
fn the_dirtiest_is_first_and_what_nobody_wants_compacted_is_left() {
    let mut node = Node::new();
    node.compacted();
    node.fill(2);
    let find = |node: &Node| {
        let begun = node.partitions.begin_cleaning(node.now, |_| false);
        begun.map(|begun| begun.partition.topic.to_string())
    };
    node.create("b", 2, 1);
    node.append(2);
    assert_eq!(find(&node).as_deref(), Some("a"));
    node.set(settings::TOPIC, "a", "cleanup.policy", "delete");
    assert_eq!(find(&node), None);
}

/// KIP-354: what has to be compacted in time has to be in a closed segment by then.
#[test]
fn a_segment_of_a_compacted_log_takes_no_longer_than_its_records_may_wait() {
    let mut node = Node::new();
    node.compacted();
    node.set(settings::TOPIC, "a", "internal.segment.bytes", "1000000");
    node.set(settings::TOPIC, "a", "max.compaction.lag.ms", "1000");
    node.set(settings::TOPIC, "a", "min.cleanable.dirty.ratio", "1.0");
    node.fill(1);
    node.pass(1000);
    node.fill(1);
    assert!(node.partitions.begin_cleaning(node.now, |_| false).is_none(), "one segment");
    node.pass(1);
    node.fill(1);
    assert!(node.clean(), "overdue, however clean it is");
    assert_eq!(read(&node.partition(1), 0), [1]);
    node.set(settings::TOPIC, "a", "cleanup.policy", "delete");
    node.pass(100_000);
    node.fill(1);
    assert!(!node.path("a-0/00000000000000000003.log").exists(), "no hurry any more");
}
