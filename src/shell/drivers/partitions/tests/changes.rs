//! What a new image does to the disk and to those who ask.

use super::*;

#[test]
fn a_topic_has_a_directory_for_each_partition() {
    let mut node = Node::new();
    node.create("a", 1, 3);
    assert_eq!(node.directories(), ["a-0", "a-1", "a-2"]);
    assert_eq!(node.text("a-0/leader-epoch-checkpoint"), "0\n1\n0 0\n");
    let metadata = format!("version: 0\ntopic_id: {}", topic_id(1));
    assert_eq!(node.text("a-2/partition.metadata"), metadata);
    assert!(node.partitions.get(topic_id(1), PartitionId(2)).is_some());
    assert!(node.partitions.get(topic_id(1), PartitionId(3)).is_none());
    assert!(node.partitions.get(topic_id(2), P0).is_none());
    assert_eq!(node.partitions.directories()[0].partition_count(), 3);
}

#[test]
fn partitions_of_others_are_not_ours() {
    let mut node = Node::new();
    let other = PartitionRegistration { replicas: vec![NodeId(2)], ..registration(0) };
    let partitions = BTreeMap::from([(P0, other)]);
    let topic = TopicImage { name: TopicName::new("a"), id: topic_id(1), partitions };
    let changes = node.put(topic);
    node.partitions.apply(&node.image, &changes, node.now);
    assert!(node.partitions.get(topic_id(1), P0).is_none());
    assert!(node.directories().is_empty());

    // It comes, and goes again.
    node.change(1, registration(1));
    node.append(1);
    node.change(1, PartitionRegistration { replicas: vec![NodeId(2)], ..registration(2) });
    assert!(node.partitions.get(topic_id(1), P0).is_none());
    assert!(node.directories()[0].ends_with("-delete"));
}

#[test]
fn a_deleted_topic_is_renamed_at_once_and_removed_later() {
    let mut node = Node::with_topic();
    node.append(1);
    let range = node.partition(1).read(&spec(0)).unwrap();
    node.delete(1);
    assert!(node.partitions.get(topic_id(1), P0).is_none());
    let directories = node.directories();
    assert_eq!(directories.len(), 1);
    assert!(directories[0].starts_with("a-0.") && directories[0].ends_with("-delete"));
    // Who reads it may end.
    assert_eq!(offsets_of(&range), [0]);
    node.pass(59_999);
    node.partitions.on_time(node.now);
    assert_eq!(node.directories().len(), 1);
    node.pass(5_001);
    node.partitions.on_time(node.now);
    assert!(node.directories().is_empty());
    assert_eq!(node.partitions.directories()[0].partition_count(), 0);
}

#[test]
fn a_topic_of_the_same_name_is_another_one() {
    let mut node = Node::with_topic();
    node.append(1);
    let old = node.partition(1);
    // Gone and come again within one image.
    let mut changes = node.take(1);
    let partitions = BTreeMap::from([(P0, registration(0))]);
    let topic = TopicImage { name: TopicName::new("a"), id: topic_id(2), partitions };
    changes.partitions_changed = node.put(topic).partitions_changed;
    node.partitions.apply(&node.image, &changes, node.now);
    assert_eq!(node.append(2).base_offset, Offset(0));
    assert_eq!(old.read(&spec(0)).unwrap_err(), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(node.directories().len(), 2);
}

#[test]
fn a_checkpoint_forgets_a_partition_before_one_of_its_name_comes() {
    let mut node = Node::with_topic();
    for _ in 0..5 {
        node.append(1);
    }
    node = node.restart();
    let recovery_points = "recovery-point-offset-checkpoint";
    node.delete(1);
    node.create("b", 2, 1);
    assert_eq!(node.text(recovery_points), "0\n1\na 0 5\n", "nothing asks for a write");
    // A new topic of the old one's name.
    node.create("a", 3, 1);
    assert_eq!(node.text(recovery_points), "0\n1\nb 0 0\n");
    node.append(3);
    node = node.crash();
    assert_eq!(read(&node.partition(3), 0), [0]);
    // One that no checkpoint speaks of costs no write, though its name comes again.
    node.create("c", 4, 1);
    std::fs::remove_file(node.path(recovery_points)).unwrap();
    node.delete(4);
    node.create("c", 5, 1);
    assert_eq!(node.text(recovery_points), "");
}

#[test]
fn a_change_of_configuration_holds_at_once() {
    let mut node = Node::with_topic();
    let partition = node.partition(1);
    assert_eq!(partition.config().max_message_bytes, 1_048_588);
    node.set(settings::TOPIC, "a", "max.message.bytes", "1000");
    assert_eq!(partition.config().max_message_bytes, 1000);
    // What the broker says holds for what the topic does not say.
    node.set(settings::BROKER, "", "message.max.bytes", "2000");
    node.set(settings::BROKER, "1", "log.retention.ms", "3000");
    node.set(settings::BROKER, "2", "log.retention.ms", "4000");
    node.create("b", 2, 1);
    assert_eq!(partition.config().max_message_bytes, 1000);
    assert_eq!(node.partition(2).config().max_message_bytes, 2000);
    assert_eq!(partition.config().retention_ms, 3000);
}

#[test]
fn a_new_epoch_begins_at_the_end_of_the_log() {
    let mut node = Node::with_topic();
    node.append(1);
    node.change(1, registration(4));
    assert_eq!(node.partition(1).offsets().leader_epoch, LeaderEpoch(4));
    // A change of the partition without a change of the leader begins nothing.
    node.change(1, PartitionRegistration { partition_epoch: PartitionEpoch(9), ..registration(4) });
    node.append(1);
    assert_eq!(node.text("a-0/leader-epoch-checkpoint"), "0\n2\n0 0\n4 1\n");
}

#[test]
fn a_failure_of_the_disk_takes_the_directory_offline() {
    let mut node = Node::with_topic();
    node.create("b", 2, 1);
    node.append(2);
    // The first append makes the file.
    std::fs::remove_dir_all(node.path("a-0")).unwrap();
    let failed = node.partition(1).append(&record(0), 1, node.now);
    assert_eq!(failed.unwrap_err(), ErrorCode::KafkaStorageError);
    let other = node.partition(2);
    assert_eq!(other.read(&spec(0)).unwrap_err(), ErrorCode::KafkaStorageError);
    let append = other.append(&record(0), 1, node.now);
    assert_eq!(append.unwrap_err(), ErrorCode::KafkaStorageError);
    assert!(!node.partitions.is_usable());
    assert_eq!(node.partitions.log_dirs()[0].error, ErrorCode::KafkaStorageError);
    // What comes now answers the same.
    node.create("c", 3, 1);
    assert_eq!(node.partition(3).read(&spec(0)).unwrap_err(), ErrorCode::KafkaStorageError);
    // And the next start has to recover.
    node.partitions.close(BrokerEpoch(1));
    assert!(!node.path(".kafka_cleanshutdown").exists());
}

#[test]
fn new_partitions_go_where_they_are_assigned_or_where_there_are_fewest() {
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let ids = [DirectoryId(uuid::Uuid::from_u128(1001)), DirectoryId(uuid::Uuid::from_u128(1002))];
    let directories = (0..2).map(|at| (roots[at].path().to_owned(), ids[at])).collect();
    let mut node = Node::new();
    node.partitions = Partitions::open(ME, broker_config(), directories, node.now).unwrap();
    let create = |node: &mut Node, number: u128, directory: DirectoryId| {
        let registration =
            PartitionRegistration { directories: vec![directory], ..registration(0) };
        let partitions = BTreeMap::from([(P0, registration)]);
        let name = TopicName::new(&format!("t{number}"));
        let changes = node.put(TopicImage { name, id: topic_id(number), partitions });
        node.partitions.apply(&node.image, &changes, node.now);
    };
    create(&mut node, 1, ids[1]);
    create(&mut node, 2, ids[1]);
    create(&mut node, 3, DirectoryId::UNASSIGNED);
    create(&mut node, 4, DirectoryId::UNASSIGNED);
    let names = |at: usize| list_directories(roots[at].path()).unwrap();
    assert_eq!(
        (names(0), names(1)),
        (vec!["t3-0".to_owned(), "t4-0".to_owned()], vec!["t1-0".to_owned(), "t2-0".to_owned()])
    );
    let described = node.partitions.log_dirs();
    let first = roots[0].path().display().to_string();
    assert_eq!((&described[0].path, described[0].replicas.len()), (&first, 2));
    assert!(described[0].total_bytes > 0 && described[0].usable_bytes > 0);
    assert_eq!(described[1].replicas[0].topic.as_str(), "t1");

    // One of them fails: the other one serves.
    node.partitions.directories()[0].fail("test", &"failure");
    create(&mut node, 5, DirectoryId::UNASSIGNED);
    assert_eq!(names(1).len(), 3);
    assert!(node.partitions.is_usable());
}
