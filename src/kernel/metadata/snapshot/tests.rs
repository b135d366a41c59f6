use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::kernel::metadata::delta::Delta;
use crate::kernel::raft::batches;
use crate::kernel::raft::checkpoint::Checkpoint;
use crate::types::ids::{NodeId, TopicName};
use crate::wire::records::quotas::EntityData;
use crate::wire::records::{
    AccessControlEntryRecord, BrokerRegistrationChangeRecord, ClearElrRecord, ClientQuotaRecord,
    DelegationTokenRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord,
    RegisterControllerRecord, RemoveDelegationTokenRecord, RemoveTopicRecord,
    RemoveUserScramCredentialRecord, UnregisterBrokerRecord, UserScramCredentialRecord,
};

/// The newest level that writes every field.
const LEVEL: i16 = 30;

fn replayed(records: impl IntoIterator<Item = MetadataRecord>) -> Image {
    let mut delta = Delta::new(&Image::empty());
    for record in records {
        delta.replay(&record).unwrap();
    }
    delta.finish(Image::empty().at).0
}

/// Through bytes, as a snapshot goes.
fn round_trip(image: &Image) -> Image {
    replayed(
        snapshot_records(image)
            .map(|record| MetadataRecord::decode(&record.encode(LEVEL)).unwrap()),
    )
}

fn kinds(image: &Image) -> Vec<u32> {
    let mut kinds: Vec<u32> = snapshot_records(image).map(|record| record.record_type()).collect();
    kinds.dedup();
    kinds
}

/// The logs in the records' test data are Apache's.
fn of_log(log: &'static [u8]) -> Image {
    let mut delta = Delta::new(&Image::empty());
    batches::read(&Bytes::from_static(log), |batch, record| {
        if !batch.is_control() {
            let record = MetadataRecord::decode(&record.value.unwrap()).unwrap();
            delta.replay(&record).unwrap();
        }
        Ok::<_, batches::BatchReadError>(())
    })
    .unwrap();
    delta.finish(Image::empty().at).0
}

#[test]
fn apaches_logs_make_images_that_a_snapshot_keeps() {
    let check = |log: &'static [u8], level: i16, leader: i32| {
        let image = of_log(log);
        assert_eq!(image.metadata_version(), level);
        let names: Vec<&str> = image.topics.by_name.keys().map(TopicName::as_str).collect();
        assert_eq!(names, ["__consumer_offsets", "__transaction_state", "golden"]);
        for topic in image.topics.by_name.values() {
            assert_eq!(topic.partitions.len(), 1);
            assert!(topic.partitions.values().all(|one| one.leader == NodeId(leader)));
        }
        assert_eq!(image.brokers[&NodeId(1)].fenced, leader == -1);
        assert_eq!(image.overrides(2, "__consumer_offsets").unwrap()["cleanup.policy"], "compact");
        assert_eq!(image.next_producer_id, ProducerId(1000));
        assert_eq!(image.controllers.len(), 1);
        assert_eq!(round_trip(&image), image);
        assert_eq!(kinds(&image), [12, 0, 27, 2, 3, 2, 3, 2, 3, 4, 15]);
    };
    // After an ordered stop nobody leads.
    check(include_bytes!("../../../wire/records/testdata/apache-4.1.1.log"), 27, -1);
    check(include_bytes!("../../../wire/records/testdata/apache-4.1.1-killed.log"), 27, 1);
    check(include_bytes!("../../../wire/records/testdata/apache-4.2.0.log"), 29, -1);
    check(include_bytes!("../../../wire/records/testdata/apache-4.2.0-killed.log"), 29, 1);
    check(include_bytes!("../../../wire/records/testdata/apache-4.3.1.log"), 30, -1);
    check(include_bytes!("../../../wire/records/testdata/apache-4.3.1-killed.log"), 30, 1);
}

#[test]
fn metadata_version_comes_before_all() {
    let feature =
        |name: &str| FeatureLevelRecord { name: name.to_owned(), feature_level: 1 }.into();
    let image = replayed([feature("group.version"), feature("metadata.version"), feature("a")]);
    let names: Vec<String> = snapshot_records(&image)
        .map(|record| match record {
            MetadataRecord::FeatureLevel(record) => record.name,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["metadata.version", "a", "group.version"]);
}

fn quota(entity: &[(&str, Option<&str>)], key: &str, remove: bool) -> MetadataRecord {
    let part = |&(entity_type, name): &(&str, Option<&str>)| EntityData {
        entity_type: entity_type.to_owned(),
        entity_name: name.map(str::to_owned),
    };
    let entity = entity.iter().map(part).collect();
    ClientQuotaRecord { entity, key: key.to_owned(), value: 7.5, remove }.into()
}

#[test]
fn what_is_carried_is_removed_by_what_identifies_it() {
    let set = |record: &MetadataRecord, removal: &MetadataRecord, same: bool| {
        let image = replayed([record.clone()]);
        assert!(snapshot_records(&image).eq([record.clone()]));
        let image = replayed([record.clone(), removal.clone()]);
        assert_eq!(image.carried.is_empty(), same, "{removal:?}");
    };
    let name = || "alice".to_owned();
    let scram = UserScramCredentialRecord { name: name(), mechanism: 1, ..Default::default() };
    let no_scram = |mechanism| RemoveUserScramCredentialRecord { name: name(), mechanism };
    set(&scram.clone().into(), &no_scram(1).into(), true);
    set(&scram.into(), &no_scram(2).into(), false);

    let token = DelegationTokenRecord { token_id: name(), ..Default::default() };
    let no_token = |token_id: &str| RemoveDelegationTokenRecord { token_id: token_id.to_owned() };
    set(&token.clone().into(), &no_token("alice").into(), true);
    set(&token.into(), &no_token("bob").into(), false);

    let both = [("user", Some("alice")), ("client-id", None)];
    let record = quota(&both, "producer_byte_rate", false);
    let turned = [("client-id", None), ("user", Some("alice"))];
    set(&record, &quota(&turned, "producer_byte_rate", true), true);
    set(&record, &quota(&both, "consumer_byte_rate", true), false);
    let empty = [("user", Some("alice")), ("client-id", Some(""))];
    set(&record, &quota(&empty, "producer_byte_rate", true), false);
}

#[test]
fn what_is_carried_lies_where_kafka_puts_it() {
    let image = replayed([
        DelegationTokenRecord::default().into(),
        AccessControlEntryRecord::default().into(),
        UserScramCredentialRecord::default().into(),
        ProducerIdsRecord { next_producer_id: 5, ..Default::default() }.into(),
        quota(&[("user", None)], "k", false),
    ]);
    assert_eq!(kinds(&image), [14, 15, 18, 11, 10]);
}

/// A record about one of few things, so that many of them meet.
fn record_of((kind, a, b, c): (u8, u8, u8, u8)) -> MetadataRecord {
    let topic_id = Uuid::from_u128(u128::from(a % 3) + 100);
    let name = format!("t{}", a % 4);
    let (partition_id, broker_id) = (i32::from(b % 3), i32::from(a % 3));
    let nodes: Vec<i32> = (0..i32::from(c % 4)).collect();
    let some = |nodes: &Vec<i32>| (b % 2 == 0).then(|| nodes.clone());
    let ids: Vec<Uuid> = nodes.iter().map(|&id| Uuid::from_u128(id as u128 + 7)).collect();
    match kind % 16 {
        0 | 1 => TopicRecord { name, topic_id }.into(),
        2 => RemoveTopicRecord { topic_id }.into(),
        3..=5 => PartitionRecord {
            partition_id,
            topic_id,
            replicas: nodes.clone(),
            isr: nodes.clone(),
            leader: i32::from(b),
            leader_recovery_state: (b % 2) as i8,
            directories: ids,
            eligible_leader_replicas: some(&nodes),
            ..PartitionRecord::default()
        }
        .into(),
        6 | 7 => PartitionChangeRecord {
            partition_id,
            topic_id,
            isr: some(&nodes),
            leader: i32::from(c) - 2,
            replicas: (c % 2 == 0).then(|| nodes.clone()),
            last_known_elr: some(&nodes),
            ..PartitionChangeRecord::default()
        }
        .into(),
        8 => ClearElrRecord { topic_name: if b == 0 { String::new() } else { name } }.into(),
        9 => RegisterBrokerRecord {
            broker_id,
            broker_epoch: i64::from(b % 2),
            log_dirs: ids.clone(),
            cordoned_log_dirs: (c % 2 == 0).then_some(ids),
            ..RegisterBrokerRecord::default()
        }
        .into(),
        10 => BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch: i64::from(b % 2),
            fenced: (c % 4) as i8 - 1,
            ..BrokerRegistrationChangeRecord::default()
        }
        .into(),
        11 => UnregisterBrokerRecord { broker_id, broker_epoch: i64::from(b % 2) }.into(),
        12 | 13 => ConfigRecord {
            resource_type: 2,
            resource_name: name,
            name: b.to_string(),
            value: (c % 3 > 0).then(|| c.to_string()),
        }
        .into(),
        14 => ProducerIdsRecord { next_producer_id: i64::from(b), ..Default::default() }.into(),
        _ => RegisterControllerRecord { controller_id: broker_id, ..Default::default() }.into(),
    }
}

proptest! {
    #[test]
    fn a_snapshot_gives_the_same_image(
        records in prop::collection::vec(any::<(u8, u8, u8, u8)>(), 0..200),
    ) {
        let mut delta = Delta::new(&Image::empty());
        for (index, record) in records.into_iter().map(record_of).enumerate() {
            if index % 50 == 0 {
                delta = Delta::new(&delta.image().clone());
            }
            let before = delta.image().clone();
            let said: Vec<_> = snapshot_records(&before).collect();
            if delta.replay(&record).is_err() {
                prop_assert!(delta.image() == &before, "refused, yet something changed: {record:?}");
            }
            prop_assert!(snapshot_records(&before).eq(said), "an image changed: {record:?}");
            let topics = &delta.image().topics;
            prop_assert_eq!(topics.by_id.len(), topics.by_name.len());
            for topic in topics.by_id.values() {
                let same = topics.by_name.get(&topic.name).unwrap();
                prop_assert!(std::sync::Arc::ptr_eq(topic, same));
            }
        }
        let image = delta.image().clone();
        prop_assert!(round_trip(&image) == image);
    }
}

/// Apache keeps features in hash maps: their order means nothing.
fn with_features_in_order(values: &[Bytes]) -> Vec<MetadataRecord> {
    let mut records: Vec<MetadataRecord> =
        values.iter().map(|value| MetadataRecord::decode(value).unwrap()).collect();
    for record in &mut records {
        match record {
            MetadataRecord::RegisterBroker(it) => it.features.sort_by_key(|it| it.name.clone()),
            MetadataRecord::RegisterController(it) => it.features.sort_by_key(|it| it.name.clone()),
            _ => {}
        }
    }
    let is_feature = |record: &MetadataRecord| matches!(record, MetadataRecord::FeatureLevel(_));
    let features = records.iter().take_while(|record| is_feature(record)).count();
    // The first is metadata.version.
    records[1..features].sort_by_key(|record| format!("{record:?}"));
    records
}

/// A log of Apache's with records of every part but tokens (and without its idle ones, to be short), and the snapshot
/// that Apache made of all that.
#[test]
fn a_snapshot_is_apaches_record_by_record() {
    let log = include_bytes!("../../../wire/records/testdata/apache-4.3.1-all-parts.log");
    let checkpoint =
        include_bytes!("../../../wire/records/testdata/apache-4.3.1-all-parts.147.checkpoint");
    let image = of_log(log);
    let ours: Vec<Bytes> = snapshot_records(&image).map(|record| record.encode(LEVEL)).collect();
    let apaches = Checkpoint::decode(&Bytes::from_static(checkpoint)).unwrap().values;
    assert_eq!(with_features_in_order(&ours), with_features_in_order(&apaches));
    let bytes = |values: &[Bytes]| values.iter().map(Bytes::len).sum::<usize>();
    assert_eq!(bytes(&ours), bytes(&apaches));
}
