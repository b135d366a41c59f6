//! What a start finds after a stop in order, and after none.

use super::*;

#[test]
fn a_clean_stop_leaves_what_the_next_start_believes() {
    let mut node = Node::with_topic();
    for _ in 0..3 {
        node.append(1);
    }
    node.partition(1).delete_records(Offset(1)).unwrap();
    node.partitions.close(BrokerEpoch(17));
    assert_eq!(node.text(".kafka_cleanshutdown"), r#"{"version":0,"brokerEpoch":17}"#);
    assert_eq!(node.text("recovery-point-offset-checkpoint"), "0\n1\na 0 3\n");
    assert_eq!(node.text("replication-offset-checkpoint"), "0\n1\na 0 3\n");
    assert_eq!(node.text("log-start-offset-checkpoint"), "0\n1\na 0 1\n");
    assert!(node.path("a-0/00000000000000000003.snapshot").exists());
    // Nobody is answered after the end.
    let late = node.partition(1).append(&record(0), 1, node.now);
    assert_eq!(late.unwrap_err(), ErrorCode::NotLeaderOrFollower);

    node = node.crash();
    assert_eq!(node.partitions.previous_broker_epoch(), BrokerEpoch(17));
    assert!(!node.path(".kafka_cleanshutdown").exists());
    let partition = node.partition(1);
    assert_eq!(read(&partition, 1), [1, 2]);
    let offsets = partition.offsets();
    assert_eq!((offsets.log_start, offsets.high_watermark), (Offset(1), Offset(3)));
    assert_eq!(node.append(1).base_offset, Offset(3));
}

#[test]
fn many_logs_are_closed_together() {
    let mut node = Node::new();
    node.create("a", 1, 40);
    for id in 0..40 {
        let partition = node.partitions.get(topic_id(1), PartitionId(id)).unwrap();
        partition.append(&record(0), 1, node.now).unwrap();
    }
    node = node.restart();
    let recovery_points = node.text("recovery-point-offset-checkpoint");
    assert_eq!(recovery_points.lines().filter(|line| line.ends_with(" 1")).count(), 40);
    assert_eq!(node.partitions.previous_broker_epoch(), BrokerEpoch(17));
    assert_eq!(read(&node.partition(1), 0), [0]);
}

#[test]
fn logs_of_several_directories_are_made_closed_and_opened_side_by_side() {
    let mut node = Node::new();
    node.create("a", 1, 40);
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = || {
        let ids = [1, 2].map(|id| DirectoryId(uuid::Uuid::from_u128(0x1000 + id)));
        let directories = roots.iter().map(|root| root.path().to_owned()).zip(ids).collect();
        let partitions = Partitions::open(ME, broker_config(), directories, node.now).unwrap();
        partitions.apply(&node.image, &Changes::default(), node.now);
        partitions
    };
    let get = |partitions: &Partitions, id| partitions.get(topic_id(1), PartitionId(id)).unwrap();
    let places = |partitions: &Partitions| -> Vec<PathBuf> {
        (0..40).map(|id| get(partitions, id).directory().path().to_owned()).collect()
    };
    let ends = |partitions: &Partitions| -> Vec<i64> {
        (0..40).map(|id| get(partitions, id).offsets().log_end.0).collect()
    };
    let partitions = start();
    let made_in = places(&partitions);
    for directory in partitions.directories() {
        assert_eq!(directory.partition_count(), 20);
    }
    for id in 0..40 {
        for _ in 0..id % 3 {
            get(&partitions, id).append(&record(0), 1, node.now).unwrap();
        }
    }
    let written: Vec<i64> = (0..40).map(|id| id % 3).collect();
    partitions.close(BrokerEpoch(17));
    let partitions = start();
    assert_eq!(partitions.previous_broker_epoch(), BrokerEpoch(17));
    assert_eq!((places(&partitions), ends(&partitions)), (made_in.clone(), written.clone()));
    // As after a crash.
    let partitions = start();
    assert_eq!(partitions.previous_broker_epoch(), BrokerEpoch::UNKNOWN);
    assert_eq!((places(&partitions), ends(&partitions)), (made_in, written));
}

#[test]
fn nothing_that_was_written_is_lost_by_a_crash_of_the_process() {
    let mut node = Node::with_topic();
    for _ in 0..3 {
        node.append(1);
    }
    node = node.crash();
    assert_eq!(node.partitions.previous_broker_epoch(), BrokerEpoch::UNKNOWN);
    assert_eq!(read(&node.partition(1), 0), [0, 1, 2]);
    assert_eq!(node.append(1).base_offset, Offset(3));
}

/// A transaction had ended, and the high watermark behind its marker was in the checkpoint. After a crash the marker
/// was read from the log again, but the high watermark had nowhere to move to, which alone made ended transactions
/// stable: readers of committed records were held up until somebody wrote to the partition.
#[test]
fn a_transaction_that_had_ended_is_stable_after_a_crash() {
    let mut node = Node::with_topic();
    let partition = node.partition(1);
    partition.append(&transactional(0), -1, node.now).unwrap();
    let end = marker(ControlType::Commit);
    partition.append_from(&end, Origin::COORDINATOR, -1, node.now).unwrap();
    node.append(1);
    assert_eq!(partition.offsets().last_stable, Offset(3));
    node.partitions.checkpoint_high_watermarks(true);
    node = node.crash();
    let offsets = node.partition(1).offsets();
    assert_eq!((offsets.high_watermark, offsets.last_stable), (Offset(3), Offset(3)));
}

#[test]
fn half_a_batch_is_cut_by_the_start_after_a_crash() {
    use std::io::Write as _;
    let mut node = Node::with_topic();
    node.append(1);
    let path = node.path("a-0/00000000000000000000.log");
    let before = std::fs::metadata(&path).unwrap().len();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&record(0).bytes[..80]).unwrap();
    node = node.crash();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), before);
    assert_eq!(node.append(1).base_offset, Offset(1));
    assert_eq!(read(&node.partition(1), 0), [0, 1]);
}

#[test]
fn a_stop_before_the_start_was_complete_is_not_clean() {
    let root = tempfile::tempdir().unwrap();
    let partitions = open(root.path(), Now::default());
    partitions.close(BrokerEpoch(3));
    assert!(!root.path().join(".kafka_cleanshutdown").exists());
}

#[test]
fn what_no_topic_claims_is_put_aside() {
    let mut node = Node::with_topic();
    node.append(1);
    // Deleted while the node was away, once for good and once to come again.
    node.create("b", 2, 1);
    node.append(2);
    node.take(1);
    node.take(2);
    let partitions = BTreeMap::from([(P0, registration(0))]);
    node.put(TopicImage { name: TopicName::new("b"), id: topic_id(3), partitions });
    std::fs::create_dir(node.path("lost+found")).unwrap();
    std::fs::create_dir(node.path("__cluster_metadata-0")).unwrap();
    node = node.restart();
    let directories = node.directories();
    let has = |start: &str, end: &str| {
        directories.iter().filter(|name| name.starts_with(start) && name.ends_with(end)).count()
    };
    assert_eq!(directories.len(), 5, "{directories:?}");
    assert_eq!((has("a-0.", "-stray"), has("b-0.", "-stray"), has("b-0", "-0")), (1, 1, 1));
    assert_eq!((has("lost+found", ""), has("__cluster_metadata-0", "")), (1, 1));
    assert_eq!(node.append(3).base_offset, Offset(0));
    // Strays stay as they are.
    node = node.restart();
    assert_eq!(node.directories(), directories);
}

#[test]
fn what_was_being_deleted_is_removed_by_the_next_run() {
    let mut node = Node::with_topic();
    node.delete(1);
    node = node.restart();
    assert_eq!(node.directories().len(), 1);
    node.pass(65_000);
    node.partitions.on_time(node.now);
    assert!(node.directories().is_empty());
}

#[test]
fn one_partition_in_two_directories_is_no_start() {
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for root in &roots {
        std::fs::create_dir(root.path().join("a-0")).unwrap();
    }
    let directories: Vec<_> =
        roots.iter().map(|root| (root.path().to_owned(), DirectoryId::default())).collect();
    let error = Partitions::open(ME, broker_config(), directories, Now::default()).err().unwrap();
    assert!(error.to_string().starts_with("duplicate log directories found: "), "{error}");
    let nowhere = vec![(PathBuf::from("/nowhere/at/all"), DirectoryId::default())];
    let error = Partitions::open(ME, broker_config(), nowhere, Now::default()).err().unwrap();
    assert!(error.to_string().starts_with("no log directory can be read: /nowhere"), "{error}");
}

#[test]
fn a_directory_made_by_hand_is_served() {
    // Without a topic id, an epoch or a checkpoint: as tests of other programs make them.
    let mut node = Node::new();
    std::fs::create_dir(node.path("a-0")).unwrap();
    std::fs::write(node.path("a-0/00000000000000000000.log"), &record(5).bytes).unwrap();
    let partitions = BTreeMap::from([(P0, registration(0))]);
    node.put(TopicImage { name: TopicName::new("a"), id: topic_id(1), partitions });
    node = node.crash();
    assert_eq!(read(&node.partition(1), 0), [0]);
    assert_eq!(node.partition(1).offsets().high_watermark, Offset(1));
}
