//! Starts and ends: new clusters, directories that others wrote, crashes.

use super::*;
use crate::wire::records::{BrokerRegistrationChangeRecord, PartitionRecord, TopicRecord};

const TOPIC: Uuid = Uuid::from_u128(0x7091);

/// One topic with one partition on broker 1, as a tool writes it that knows of no registrations.
fn hand_written(directory: DirectoryId) -> Image {
    let records: [MetadataRecord; 3] = [
        level("metadata.version", 20),
        TopicRecord { name: "foo".to_owned(), topic_id: TOPIC }.into(),
        PartitionRecord {
            partition_id: 0,
            topic_id: TOPIC,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![directory.0],
            ..PartitionRecord::default()
        }
        .into(),
    ];
    replayed(&Image::empty(), &records)
}

fn replayed(image: &Image, records: &[MetadataRecord]) -> Image {
    let mut delta = Delta::new(image);
    for record in records {
        delta.replay(record).unwrap();
    }
    delta.image().clone()
}

fn leader(image: &Image) -> (i32, Vec<i32>) {
    let partition =
        &image.topics.named("foo").unwrap().partitions[&crate::types::ids::PartitionId(0)];
    (partition.leader.0, partition.isr.iter().map(|id| id.0).collect())
}

fn check_start(start: ControllerStart, image: &Image, expected: &str) -> Node {
    let mut node = Node::stopped(start, image);
    assert_eq!(show(&node.activate()), expected);
    node
}

#[test]
fn a_new_cluster_begins_at_the_latest_metadata_version() {
    let mut node = check_start(
        start(&[]),
        &Image::empty(),
        "begin Bootstrap records\n\
         metadata.version 30\n\
         end\n\
         register controller 1\n\
         register broker 1@5 dirs 1\n\
         broker 1@5 fenced 0 shutdown 0 cordoned Some([])\n\
         broker 1@5 fenced -1 shutdown 0 cordoned None",
    );
    assert_eq!(node.activate(), []);
    assert_eq!(
        show(&node.leave()),
        "broker 1@5 fenced 0 shutdown 1 cordoned None\n\
         broker 1@5 fenced 1 shutdown 0 cordoned None"
    );
    assert_eq!(node.leave(), []);
}

#[test]
fn a_new_cluster_begins_with_what_its_bootstrap_file_says() {
    let bootstrap =
        |records| ControllerStart { bootstrap: records, ..start(&[("min.insync.replicas", "2")]) };
    let elr = level("eligible.leader.replicas.version", 1);
    check_start(
        bootstrap(vec![level("metadata.version", 26), elr]),
        &Image::empty(),
        "begin Bootstrap records\n\
         metadata.version 26\n\
         eligible.leader.replicas.version 1\n\
         config 4: min.insync.replicas=2\n\
         end\n\
         register controller 1\n\
         register broker 1@7 dirs 1\n\
         broker 1@7 fenced -1 shutdown 0 cordoned None",
    );
    // Without transactions the first records are one batch; without directories none are named.
    let mut node = Node::stopped(bootstrap(vec![level("metadata.version", 12)]), &Image::empty());
    let first = node.controller.activate(Offset(1)).unwrap();
    assert_eq!((first.values.len(), first.atomic), (1, true));
    node.next = Offset(2);
    assert_eq!(
        show(&node.activate()),
        "register broker 1@2 dirs 0\nbroker 1@2 fenced -1 shutdown 0 cordoned None"
    );
}

#[test]
fn a_transaction_that_nobody_ended_is_aborted_first() {
    let open = || ControllerStart { open_transaction: Some(Offset(3)), ..start(&[]) };
    let mut node = Node::stopped(open(), &Image::empty());
    let first = node.controller.activate(Offset(9)).unwrap();
    assert_eq!(
        show(&node.take(&first)),
        "abort Controller failover\nbegin Bootstrap records\nmetadata.version 30\nend"
    );
    let image = replayed(&Image::empty(), &[level("metadata.version", 21)]);
    let mut node = Node::stopped(open(), &image);
    let first = node.controller.activate(Offset(9)).unwrap();
    assert_eq!(show(&node.take(&first)), "abort Controller failover");
}

#[test]
fn a_directory_written_by_hand_is_led_by_this_node() {
    let node = check_start(
        start(&[]),
        &hand_written(DIRECTORY),
        "register controller 1\n\
         change 0 leader -1\n\
         register broker 1@2 dirs 1\n\
         broker 1@2 fenced -1 shutdown 0 cordoned None\n\
         change 0 leader 1",
    );
    assert_eq!(leader(node.controller.image()), (1, vec![1]));
    assert_eq!(node.controller.image().metadata_version(), 20);
}

#[test]
fn a_replica_in_a_directory_that_is_not_in_use_has_no_leader() {
    let node = Node::started(start(&[]), &hand_written(DirectoryId(Uuid::from_u128(0xdead))));
    assert_eq!(leader(node.controller.image()), (-1, vec![1]));
    let node = Node::started(start(&[]), &hand_written(DirectoryId::UNASSIGNED));
    assert_eq!(leader(node.controller.image()), (1, vec![1]));
}

#[test]
fn the_features_of_another_program_do_not_stop_a_start() {
    let image =
        replayed(&Image::empty(), &[level("metadata.version", 30), level("group.version", 1)]);
    let node = Node::started(start(&[]), &image);
    let broker = &node.controller.image().brokers[&NodeId(1)];
    assert!(!broker.fenced);
    assert_eq!(broker.features["group.version"].max, 1);
    assert_eq!(broker.features["metadata.version"].min, 7);
}

/// What a second start writes about partitions, after a stop in order or a crash.
fn second_start(elr: i16, in_order: bool) -> (String, String) {
    let bootstrap =
        vec![level("metadata.version", 30), level("eligible.leader.replicas.version", elr)];
    let first = ControllerStart { bootstrap, ..start(&[]) };
    let mut node = Node::started(first, &Image::empty());
    node.create(vec![topic("foo", 1, 1, &[])]);
    let epoch = node.controller.image().brokers[&NodeId(1)].epoch;
    let left = if in_order { node.leave() } else { Vec::new() };
    let second = ControllerStart {
        previous_broker_epoch: if in_order { epoch } else { BrokerEpoch::UNKNOWN },
        broker_incarnation_id: Uuid::from_u128(0xb2),
        ..start(&[])
    };
    let mut node = Node::stopped(second, node.controller.image());
    let records = node.activate();
    assert_eq!(leader(node.controller.image()), (1, vec![1]));
    let changes = |records: Vec<MetadataRecord>| {
        let text = show(&records);
        let changes = text.lines().filter(|line| line.starts_with("change"));
        changes.collect::<Vec<_>>().join("; ")
    };
    (changes(left), changes(records))
}

#[test]
fn a_partition_is_led_again_after_a_stop_and_after_a_crash() {
    for (elr, in_order, left, back) in [
        (0, true, "change 0 leader -1", "change 0 leader 1"),
        (0, false, "", "change 0 leader -1; change 0 leader 1"),
        (
            1,
            true,
            "change 0 isr [] leader -1 elr [1] last [1]",
            "change 0 isr [1] leader 1 elr [] last []",
        ),
        // What it acknowledged may be lost, so that it is elected uncleanly; nobody else has more.
        (
            1,
            false,
            "",
            "change 0 isr [] leader -1 last [1]; change 0 isr [1] leader 1 state 1 last []; change 0 state 0",
        ),
    ] {
        let expected = (left.to_owned(), back.to_owned());
        assert_eq!(second_start(elr, in_order), expected, "elr {elr}, in order {in_order}");
    }
}

#[test]
fn what_is_published_is_what_was_decided() {
    let mut node = Node::new(&[]);
    let (image, changes) = node.publish();
    assert_eq!((image.at.offset, changes.brokers_changed.len()), (Offset(7), 1));
    assert!(changes.features_changed);
    node.create(vec![topic("foo", 2, 1, &[])]);
    assert!(image.topics.named("foo").is_none());
    let (image, changes) = node.publish();
    assert_eq!((changes.topics_created.len(), changes.partitions_changed.len()), (1, 2));
    assert!(!changes.features_changed);
    assert!(image.topics.named("foo").is_some());
    let (_, changes) = node.publish();
    assert_eq!(changes, Changes::default());
}

#[test]
fn a_controller_whose_own_record_does_not_apply_decides_nothing_more() {
    let mut node = Node::new(&[]);
    let stranger = BrokerRegistrationChangeRecord { broker_id: 7, ..Default::default() };
    assert!(!node.controller.apply(&[stranger.into()]));
    let (records, answers) = node.create(vec![topic("foo", 1, 1, &[])]);
    assert_eq!((records.as_str(), answers), ("", vec![(-1, "-".to_owned())]));
    assert_eq!(node.controller.idle(), Output::default());
    assert_eq!(node.leave(), []);
}
