use super::*;
use crate::kernel::metadata::image::{LeaderRecoveryState, PartitionRegistration, Provenance};
use crate::types::epoch::{LeaderEpoch, PartitionEpoch};
use crate::types::ids::DirectoryId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::records::{
    BrokerRegistrationChangeRecord, ClearElrRecord, FenceBrokerRecord, PartitionChangeRecord,
    PartitionRecord, RemoveTopicRecord, TopicRecord, UnfenceBrokerRecord,
};

const FOO: TopicId = TopicId(Uuid::from_u128(0xf00));
const BAR: TopicId = TopicId(Uuid::from_u128(0xba5));
const DIRECTORY: Uuid = Uuid::from_u128(0xd1);

fn topic(id: TopicId, name: &str) -> MetadataRecord {
    TopicRecord { name: name.to_owned(), topic_id: id.0 }.into()
}

fn remove(id: TopicId) -> MetadataRecord {
    RemoveTopicRecord { topic_id: id.0 }.into()
}

fn partition(id: TopicId, index: i32) -> PartitionRecord {
    PartitionRecord {
        partition_id: index,
        topic_id: id.0,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2, 3],
        leader: 1,
        leader_epoch: 4,
        partition_epoch: 9,
        directories: vec![DIRECTORY; 3],
        ..PartitionRecord::default()
    }
}

fn change(id: TopicId, index: i32) -> PartitionChangeRecord {
    PartitionChangeRecord { partition_id: index, topic_id: id.0, ..Default::default() }
}

fn broker(id: i32, epoch: i64) -> MetadataRecord {
    RegisterBrokerRecord { broker_id: id, broker_epoch: epoch, ..Default::default() }.into()
}

fn config(kind: i8, name: &str, value: Option<&str>) -> MetadataRecord {
    ConfigRecord {
        resource_type: kind,
        resource_name: name.to_owned(),
        name: "key".to_owned(),
        value: value.map(str::to_owned),
    }
    .into()
}

fn feature(name: &str, feature_level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: name.to_owned(), feature_level }.into()
}

fn replayed(records: impl IntoIterator<Item = MetadataRecord>) -> Delta {
    let mut delta = Delta::new(&Image::empty());
    for record in records {
        delta.replay(&record).unwrap();
    }
    delta
}

fn foo_with(partitions: i32) -> Delta {
    let records = (0..partitions).map(|index| partition(FOO, index).into());
    replayed(std::iter::once(topic(FOO, "foo")).chain(records))
}

fn registration(delta: &Delta, index: i32) -> PartitionRegistration {
    let topic = delta.image().topics.of_id(FOO).unwrap();
    assert!(Arc::ptr_eq(topic, delta.image().topics.named("foo").unwrap()), "one in both maps");
    topic.partitions[&PartitionId(index)].clone()
}

#[test]
fn what_contradicts_is_refused_and_changes_nothing() {
    let check = |record: MetadataRecord, expected: ReplayError| {
        let mut delta = foo_with(1);
        delta.replay(&broker(1, 7)).unwrap();
        let before = delta.clone();
        assert_eq!(delta.replay(&record), Err(expected));
        assert_eq!((delta.image(), delta.changes()), (before.image(), before.changes()));
    };
    check(topic(FOO, "other"), ReplayError::TopicIdExists(FOO));
    check(topic(BAR, "foo"), ReplayError::TopicNameExists(TopicName::new("foo")));
    check(remove(BAR), ReplayError::NoTopicId(BAR));
    check(partition(BAR, 0).into(), ReplayError::NoTopicId(BAR));
    check(partition(FOO, -1).into(), ReplayError::PartitionIndex(FOO, PartitionId(-1)));
    check(change(BAR, 0).into(), ReplayError::NoTopicId(BAR));
    check(change(FOO, 1).into(), ReplayError::NoPartition(FOO, PartitionId(1)));
    let directories = ReplayError::Directories(FOO, PartitionId(0), 3, 1);
    let record = PartitionRecord { directories: vec![DIRECTORY], ..partition(FOO, 0) };
    check(record.into(), directories.clone());
    let record = PartitionChangeRecord { directories: Some(vec![DIRECTORY]), ..change(FOO, 0) };
    check(record.into(), directories);
    let record = PartitionChangeRecord { leader_recovery_state: 2, ..change(FOO, 0) };
    check(record.into(), ReplayError::LeaderRecoveryState(2));
    let record = ClearElrRecord { topic_name: "bar".to_owned() };
    check(record.into(), ReplayError::NoTopicName("bar".to_owned()));

    let (id, epoch) = (NodeId(1), BrokerEpoch(7));
    let record = UnregisterBrokerRecord { broker_id: 2, broker_epoch: 7 };
    check(record.into(), ReplayError::NoBroker(NodeId(2)));
    let stale = ReplayError::BrokerEpoch { id, said: BrokerEpoch(6), epoch };
    check(UnregisterBrokerRecord { broker_id: 1, broker_epoch: 6 }.into(), stale.clone());
    check(FenceBrokerRecord { id: 1, epoch: 6 }.into(), stale);
    let record = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: 7,
        fenced: 2,
        ..Default::default()
    };
    check(record.into(), ReplayError::BrokerState(2));
    let record = crate::wire::records::UnregisterControllerRecord { controller_id: 9 };
    check(record.into(), ReplayError::NoController(NodeId(9)));
}

#[test]
fn a_named_leader_begins_an_epoch_and_every_change_counts() {
    let check = |record: PartitionChangeRecord, leader: i32, leader_epoch: i32| {
        let mut delta = foo_with(2);
        delta.replay(&record.into()).unwrap();
        let partition = registration(&delta, 1);
        assert_eq!(
            (partition.leader, partition.leader_epoch, partition.partition_epoch),
            (NodeId(leader), LeaderEpoch(leader_epoch), PartitionEpoch(10))
        );
        assert_eq!(registration(&delta, 0).partition_epoch, PartitionEpoch(9));
    };
    check(PartitionChangeRecord { leader: 2, ..change(FOO, 1) }, 2, 5);
    check(PartitionChangeRecord { leader: 1, ..change(FOO, 1) }, 1, 5);
    check(PartitionChangeRecord { leader: -1, ..change(FOO, 1) }, -1, 5);
    check(PartitionChangeRecord { isr: Some(vec![1]), ..change(FOO, 1) }, 1, 4);
}

#[test]
fn a_change_replaces_what_it_names() {
    let mut delta = foo_with(1);
    let record = PartitionChangeRecord {
        isr: Some(vec![]),
        leader_recovery_state: 1,
        eligible_leader_replicas: Some(vec![2]),
        last_known_elr: Some(vec![3]),
        removing_replicas: Some(vec![1]),
        adding_replicas: Some(vec![4]),
        ..change(FOO, 0)
    };
    delta.replay(&record.into()).unwrap();
    let partition = registration(&delta, 0);
    assert_eq!(partition.isr, []);
    assert_eq!(partition.replicas, [NodeId(1), NodeId(2), NodeId(3)]);
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovering);
    assert_eq!(partition.eligible_leader_replicas, [NodeId(2)]);
    assert_eq!(partition.last_known_elr, [NodeId(3)]);
    assert_eq!(partition.removing_replicas, [NodeId(1)]);
    assert_eq!(partition.adding_replicas, [NodeId(4)]);
}

#[test]
fn a_replica_that_stays_keeps_its_directory() {
    let mut delta = foo_with(1);
    let record = PartitionChangeRecord { replicas: Some(vec![4, 1]), ..change(FOO, 0) };
    delta.replay(&record.into()).unwrap();
    let expected = [DirectoryId::UNASSIGNED, DirectoryId(DIRECTORY)];
    assert_eq!(registration(&delta, 0).directories, expected);

    let none = PartitionRecord { directories: vec![], ..partition(FOO, 0) };
    delta.replay(&none.into()).unwrap();
    assert_eq!(registration(&delta, 0).directories, [DirectoryId::MIGRATING; 3]);
}

#[test]
fn cleared_eligible_leader_replicas_count_as_a_change_where_there_were_some() {
    for name in ["", "foo"] {
        let mut delta = foo_with(1);
        let record = PartitionRecord {
            eligible_leader_replicas: Some(vec![2]),
            last_known_elr: Some(vec![2]),
            ..partition(FOO, 1)
        };
        delta.replay(&record.into()).unwrap();
        delta.changes.partitions_changed.clear();
        delta.replay(&ClearElrRecord { topic_name: name.to_owned() }.into()).unwrap();
        assert_eq!(registration(&delta, 0).partition_epoch, PartitionEpoch(9));
        let partition = registration(&delta, 1);
        assert_eq!(partition.partition_epoch, PartitionEpoch(10));
        assert_eq!(
            (partition.eligible_leader_replicas, partition.last_known_elr),
            (vec![], vec![])
        );
        let changed: Vec<_> = delta.changes().partitions_changed.iter().collect();
        assert_eq!(changed, [&(FOO, PartitionId(1))]);
    }
}

#[test]
fn a_topic_that_came_and_went_leaves_no_trace() {
    let mut delta = foo_with(2);
    let (base, changes) = delta.clone().finish(Provenance {
        offset: Offset(3),
        epoch: LeaderEpoch(1),
        timestamp: Timestamp(5),
    });
    assert_eq!(base.at.offset, Offset(3));
    assert_eq!(changes.topics_created, [FOO]);
    assert_eq!(changes.partitions_changed.len(), 2);
    delta.replay(&remove(FOO)).unwrap();
    assert_eq!((delta.image(), delta.changes()), (&Image::empty(), &Changes::default()));

    let mut delta = Delta::new(&base);
    delta.replay(&PartitionChangeRecord { leader: 2, ..change(FOO, 0) }.into()).unwrap();
    delta.replay(&remove(FOO)).unwrap();
    delta.replay(&topic(BAR, "foo")).unwrap();
    let changes = delta.changes();
    assert_eq!(changes.topics_created, [BAR]);
    assert_eq!(changes.topics_deleted[0].id, FOO);
    assert!(changes.partitions_changed.is_empty());
    assert_eq!(delta.image().topics.named("foo").unwrap().id, BAR);
    assert_eq!(base.topics.named("foo").unwrap().id, FOO, "an image never changes");
}

#[test]
fn a_topics_configuration_goes_with_it() {
    let set = [config(2, "foo", Some("v")), config(4, "foo", Some("v"))];
    let mut delta = replayed([topic(FOO, "foo")].into_iter().chain(set));
    assert_eq!(delta.image().overrides(2, "foo").unwrap()["key"], "v");
    delta.replay(&remove(FOO)).unwrap();
    assert_eq!(delta.image().overrides(2, "foo"), None);
    assert!(delta.image().overrides(4, "foo").is_some());
    delta.replay(&config(4, "foo", None)).unwrap();
    assert!(delta.image().configs.is_empty(), "no entry where nothing is set");
}

#[test]
fn brokers_change_by_either_kind_of_record() {
    let state = |delta: &Delta| {
        let broker = &delta.image().brokers[&NodeId(1)];
        (broker.fenced, broker.in_controlled_shutdown)
    };
    let mut delta = replayed([broker(1, 7)]);
    assert_eq!(state(&delta), (true, false));
    delta.replay(&UnfenceBrokerRecord { id: 1, epoch: 7 }.into()).unwrap();
    assert_eq!(state(&delta), (false, false));
    let record = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: 7,
        in_controlled_shutdown: 1,
        log_dirs: vec![DIRECTORY],
        cordoned_log_dirs: Some(vec![]),
        ..Default::default()
    };
    delta.replay(&record.into()).unwrap();
    assert_eq!(state(&delta), (false, true));
    assert_eq!(delta.image().brokers[&NodeId(1)].log_dirs, [DirectoryId(DIRECTORY)]);
    assert_eq!(delta.image().brokers[&NodeId(1)].cordoned_log_dirs, Some(vec![]));
    delta.replay(&FenceBrokerRecord { id: 1, epoch: 7 }.into()).unwrap();
    assert_eq!(state(&delta), (true, true));
    delta.replay(&UnregisterBrokerRecord { broker_id: 1, broker_epoch: 7 }.into()).unwrap();
    assert!(delta.image().brokers.is_empty());
    assert!(delta.changes().brokers_changed.contains(&NodeId(1)));
}

#[test]
fn features_and_producer_ids_move_forward() {
    let mut delta = replayed([feature("metadata.version", 30), feature("group.version", 1)]);
    assert_eq!(delta.image().metadata_version(), 30);
    delta.replay(&feature("group.version", 0)).unwrap();
    assert_eq!(delta.image().features.len(), 1);
    assert!(delta.changes().features_changed);

    let ids = |next_producer_id| ProducerIdsRecord { next_producer_id, ..Default::default() };
    delta.replay(&ids(1000).into()).unwrap();
    delta.replay(&ids(2000).into()).unwrap();
    assert_eq!(delta.image().next_producer_id, ProducerId(2000));
    let (said, next) = (ProducerId(1000), ProducerId(2000));
    assert_eq!(delta.replay(&ids(1000).into()), Err(ReplayError::ProducerIds { said, next }));
}

#[test]
fn a_topic_is_copied_once_however_many_of_its_partitions_change() {
    let (base, _) = foo_with(3).finish(Image::empty().at);
    let mut delta = Delta::new(&base);
    let addresses = |delta: &Delta| Arc::as_ptr(delta.image().topics.of_id(FOO).unwrap());
    let first = addresses(&delta);
    delta.replay(&partition(FOO, 0).into()).unwrap();
    let copied = addresses(&delta);
    assert_ne!(copied, first);
    for index in 1..100 {
        delta.replay(&partition(FOO, index).into()).unwrap();
    }
    assert_eq!(addresses(&delta), copied);
    assert_eq!(base.topics.of_id(FOO).unwrap().partitions.len(), 3);
}
