//! What happens from time to time.

use super::*;

#[test]
fn high_watermarks_are_written_down_when_they_have_moved() {
    let mut node = Node::with_topic();
    node.append(1);
    assert_eq!(node.text("replication-offset-checkpoint"), "");
    let next = node.partitions.on_time(node.now);
    assert_eq!(next, node.now.mono.after(Duration::from_secs(5)));
    node.pass(5000);
    node.partitions.on_time(node.now);
    assert_eq!(node.text("replication-offset-checkpoint"), "0\n1\na 0 1\n");
    std::fs::remove_file(node.path("replication-offset-checkpoint")).unwrap();
    node.pass(5000);
    node.partitions.on_time(node.now);
    assert_eq!(node.text("replication-offset-checkpoint"), "", "nothing is new");
    node.append(1);
    node.pass(5000);
    node.partitions.on_time(node.now);
    assert_eq!(node.text("replication-offset-checkpoint"), "0\n1\na 0 2\n");
}

#[test]
fn recovery_points_and_log_starts_are_written_down_every_minute() {
    let mut node = Node::with_topic();
    node.set(settings::TOPIC, "a", "internal.segment.bytes", "200");
    for _ in 0..3 {
        node.append(1);
    }
    node.partition(1).delete_records(Offset(1)).unwrap();
    node.pass(29_999);
    node.partitions.on_time(node.now);
    assert!(!node.path("recovery-point-offset-checkpoint").exists());
    node.pass(1);
    node.partitions.on_time(node.now);
    // Full segments are durable, the active one is not.
    assert_eq!(node.text("recovery-point-offset-checkpoint"), "0\n1\na 0 2\n");
    node.append(1);
    node.pass(59_999);
    node.partitions.on_time(node.now);
    assert_eq!(node.text("recovery-point-offset-checkpoint"), "0\n1\na 0 2\n");
    node.pass(1);
    node.partitions.on_time(node.now);
    assert_eq!(node.text("recovery-point-offset-checkpoint"), "0\n1\na 0 3\n");
}

#[test]
fn retention_takes_what_is_too_old_and_then_its_files() {
    let mut node = Node::with_topic();
    node.set(settings::TOPIC, "a", "internal.segment.bytes", "200");
    node.set(settings::TOPIC, "a", "retention.ms", "100000");
    for _ in 0..3 {
        node.append(1);
    }
    let partition = node.partition(1);
    node.pass(100_001);
    node.append(1);
    node.partitions.on_time(node.now);
    assert_eq!(partition.offsets().log_start, Offset(3));
    assert!(node.path("a-0/00000000000000000000.log.deleted").exists());
    assert_eq!(read(&partition, 3), [3]);
    node.pass(65_000);
    node.partitions.on_time(node.now);
    assert!(!node.path("a-0/00000000000000000000.log.deleted").exists());
    assert!(node.path("a-0/00000000000000000003.log").exists());
}

#[test]
fn flush_messages_makes_an_append_durable_before_it_is_answered() {
    let mut node = Node::with_topic();
    node.set(settings::TOPIC, "a", "flush.messages", "2");
    let partition = node.partition(1);
    node.append(1);
    assert_eq!(partition.checkpointed().unwrap().recovery_point, Offset(0));
    node.append(1);
    assert_eq!(partition.checkpointed().unwrap().recovery_point, Offset(2));
    assert_eq!(partition.offsets().high_watermark, Offset(2));
}

#[test]
fn a_duplicate_is_answered_when_it_is_durable_too() {
    let mut node = Node::with_topic();
    let partition = node.partition(1);
    partition.append(&transactional(0), -1, node.now).unwrap();
    node.set(settings::TOPIC, "a", "flush.messages", "1");
    assert_eq!(partition.checkpointed().unwrap().recovery_point, Offset(0));
    assert!(partition.append(&transactional(0), -1, node.now).unwrap().duplicate);
    assert_eq!(partition.checkpointed().unwrap().recovery_point, Offset(1));
}

#[test]
fn flush_ms_makes_appends_durable_in_time() {
    let mut node = Node::with_topic();
    node.set(settings::TOPIC, "a", "flush.ms", "700");
    let partition = node.partition(1);
    let recovery_point = || partition.checkpointed().unwrap().recovery_point;
    let next = node.partitions.on_time(node.now);
    assert_eq!(next, node.now.mono.after(Duration::from_millis(700)));
    node.append(1);
    node.pass(600);
    let next = node.partitions.on_time(node.now);
    assert_eq!(
        (recovery_point(), next),
        (Offset(0), node.now.mono.after(Duration::from_millis(100)))
    );
    node.pass(100);
    node.partitions.on_time(node.now);
    assert_eq!(recovery_point(), Offset(1));
}

#[test]
fn files_of_idle_partitions_are_closed_when_too_many_are_open() {
    let mut node = Node::with_topic();
    node.create("b", 2, 1);
    node.append(1);
    node.append(2);
    let open = |node: &Node| [1, 2].map(|number| node.partition(number).open_files());
    node.pass(5000);
    node.partitions.on_time(node.now);
    assert_eq!(open(&node), [1, 1]);
    node.partitions.open_files_max = 1;
    node.append(2);
    node.pass(5000);
    node.partitions.on_time(node.now);
    assert_eq!(open(&node), [0, 1], "one was in use");
    assert_eq!(read(&node.partition(1), 0), [0]);
    assert_eq!(node.append(1).base_offset, Offset(1));
}

#[test]
fn silent_producers_are_forgotten() {
    let mut node = Node::with_topic();
    let partition = node.partition(1);
    let batch = |sequence| {
        BatchBuilder::new(Offset(0))
            .producer(ProducerId(5), ProducerEpoch(0), sequence)
            .record(Timestamp(START_MS), None, None)
            .build_batch()
    };
    partition.append(&batch(0), -1, node.now).unwrap();
    let refused = partition.append(&batch(9), -1, node.now);
    assert_eq!(refused.unwrap_err(), ErrorCode::OutOfOrderSequenceNumber);
    node.pass(86_400_000);
    node.partitions.on_time(node.now);
    // Nobody knows it: it may begin anywhere.
    assert!(partition.append(&batch(9), -1, node.now).is_ok());
}
