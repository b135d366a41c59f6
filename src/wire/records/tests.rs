//! The logs in `testdata` are those of Apache Kafka: one node, a topic, transactions, a group; some were stopped in
//! order, some killed. Their records must read, and be written again byte for byte.

use proptest::prelude::*;
use uuid::Uuid;

use super::samples::numbers;
use super::*;
use crate::wire::batch::Batches;
use crate::wire::record_iter::iterate;

/// The first two batches of a log that is written by hand, as the protocol's stage tests do.
const HAND_WRITTEN: [&str; 2] = [
    "00000000000000010000004f0000000102b069457c00000000000000000191e05af81800000191e05af818ffffffffffffffffffffffffffff\
     000000013a000000012e010c00116d657461646174612e76657273696f6e00140000",
    "00000000000000020000009a000000010203391bc900000000000100000191e05b2d1500000191e05b2d15ffffffffffffffffffffffffffff\
     000000023c000000013001020004666f6f71a59a5189684f8b937e00000000000100009001000002018201010301000000007\
     1a59a5189684f8b937e00000000000102000000010200000001010100000001000000000000000002100000000000400080000000000000\
     010000",
];

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The values of all records that are not control records.
fn values(log: &[u8]) -> Vec<Bytes> {
    let mut values = Vec::new();
    for batch in Batches::new(Bytes::copy_from_slice(log)) {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        if !batch.header.is_control() {
            let records = iterate(&batch, 0).unwrap();
            values.extend(records.map(|record| record.unwrap().value.unwrap()));
        }
    }
    values
}

fn decoded(log: &[u8]) -> Vec<MetadataRecord> {
    values(log).iter().map(|value| MetadataRecord::decode(value).unwrap()).collect()
}

/// Reads a log of Apache's and writes each record again.
fn check_log(log: &[u8], metadata_version: i16, expected_records: usize) {
    let values = values(log);
    for value in &values {
        let record = MetadataRecord::decode(value).unwrap();
        assert_eq!(record.encode(metadata_version), value, "{record:?}");
    }
    assert_eq!(values.len(), expected_records);
}

#[test]
fn apaches_logs_read_and_are_written_the_same() {
    check_log(include_bytes!("testdata/apache-4.1.1.log"), 27, 34);
    check_log(include_bytes!("testdata/apache-4.1.1-killed.log"), 27, 29);
    check_log(include_bytes!("testdata/apache-4.1.1.bootstrap.checkpoint"), 27, 4);
    check_log(include_bytes!("testdata/apache-4.2.0.log"), 29, 37);
    check_log(include_bytes!("testdata/apache-4.2.0-killed.log"), 29, 31);
    check_log(include_bytes!("testdata/apache-4.2.0.bootstrap.checkpoint"), 29, 6);
    check_log(include_bytes!("testdata/apache-4.3.1.log"), 30, 44);
    check_log(include_bytes!("testdata/apache-4.3.1-killed.log"), 30, 34);
    check_log(include_bytes!("testdata/apache-4.3.1.bootstrap.checkpoint"), 30, 6);
    check_log(include_bytes!("testdata/apache-4.3.1-all-parts.log"), 30, 32);
    check_log(include_bytes!("testdata/apache-4.3.1-all-parts.147.checkpoint"), 30, 20);
}

#[test]
fn the_registration_of_a_broker_of_4_3_names_its_directories() {
    let records = decoded(include_bytes!("testdata/apache-4.3.1.log"));
    let registration = records.iter().find_map(|record| match record {
        MetadataRecord::RegisterBroker(record) => Some(record),
        _ => None,
    });
    let registration = registration.unwrap();
    assert_eq!((registration.broker_id, registration.broker_epoch), (1, 14));
    assert_eq!(registration.end_points[0].host, "127.0.0.1");
    assert_eq!(registration.end_points[0].port, 29892);
    assert_eq!(registration.log_dirs.len(), 1);
    assert!(registration.fenced);
    let cordoned = records.iter().any(|record| {
        matches!(record, MetadataRecord::BrokerRegistrationChange(change)
            if change.cordoned_log_dirs.as_deref() == Some(&[]))
    });
    assert!(cordoned, "an empty list is not the same as none");
}

#[test]
fn hand_written_logs_read_and_are_written_the_same() {
    let records = decoded(&unhex(HAND_WRITTEN[0]));
    let level = FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 20 };
    assert_eq!(records, [MetadataRecord::FeatureLevel(level)]);

    let topic_id = Uuid::from_u128(0x71a5_9a51_8968_4f8b_937e_0000_0000_0001);
    let topic = TopicRecord { name: "foo".to_owned(), topic_id };
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0001)],
        ..PartitionRecord::default()
    };
    let records = decoded(&unhex(HAND_WRITTEN[1]));
    assert_eq!(records, [MetadataRecord::from(topic), partition.into()]);
    for batch in HAND_WRITTEN {
        for value in values(&unhex(batch)) {
            assert_eq!(MetadataRecord::decode(&value).unwrap().encode(20), value);
        }
    }
}

#[test]
fn versions_follow_the_metadata_version() {
    let check = |record: MetadataRecord, expected: &[(i16, i16)]| {
        for &(metadata_version, version) in expected {
            assert_eq!(record.version_for(metadata_version), version, "{metadata_version}");
            assert_eq!(record.encode(metadata_version)[2], version as u8);
        }
    };
    let partitions = [(7, 0), (16, 0), (17, 1), (22, 1), (23, 2), (30, 2), (33, 2)];
    check(PartitionRecord::default().into(), &partitions);
    check(PartitionChangeRecord::default().into(), &partitions);
    let brokers = [(7, 1), (8, 2), (16, 2), (17, 3), (29, 3), (30, 4), (33, 4)];
    check(RegisterBrokerRecord::default().into(), &brokers);
    check(TopicRecord::default().into(), &[(7, 0), (30, 0)]);

    let change = BrokerRegistrationChangeRecord { fenced: -1, ..Default::default() };
    check(change.clone().into(), &[(30, 0)]);
    let change = BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change };
    check(change.clone().into(), &[(30, 1)]);
    let change = BrokerRegistrationChangeRecord { log_dirs: vec![Uuid::nil()], ..change };
    check(change.clone().into(), &[(30, 2)]);
    let change = BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(vec![]), ..change };
    check(change.into(), &[(30, 3)]);
}

#[test]
fn what_is_not_a_record_is_refused() {
    let check = |bytes: &[u8], expected: MetadataRecordError| {
        assert_eq!(MetadataRecord::decode(&Bytes::copy_from_slice(bytes)), Err(expected));
    };
    check(&[], MetadataRecordError::NoFrame);
    check(&[1, 12], MetadataRecordError::NoFrame);
    check(&[0, 12, 0, 2, b'a', 0, 1, 0], MetadataRecordError::Frame(0));
    check(&[1, 6, 0, 0], MetadataRecordError::Type(6));
    check(&[1, 0x80, 1, 0, 0], MetadataRecordError::Type(128));
    check(
        &[1, 12, 1, 2, b'a', 0, 1, 0],
        MetadataRecordError::Version { record_type: 12, version: 1 },
    );
    check(
        &[1, 12, 0, 2, b'a', 0, 1, 0, 9],
        MetadataRecordError::Left { record_type: 12, left_bytes: 1 },
    );
    let body = |record_type, source| MetadataRecordError::Body { record_type, source };
    check(&[1, 12, 0, 2, b'a', 0, 1], body(12, Malformed::Cut));
    check(&[1, 12, 0, 0, 0, 1, 0], body(12, Malformed::Null));
    check(&[1, 12, 0, 2, 0xff, 0, 1, 0], body(12, Malformed::Text));
    check(&[1, 25, 0, 1, 0, 3, 2, b'a', 9], body(25, Malformed::Tag));
    // A count of four billion partitions in a body of nothing.
    let lie = [&[1, 3, 0][..], &[0; 20], &[0xfe, 0xff, 0xff, 0xff, 0x07]].concat();
    check(&lie, body(3, Malformed::Elements));
}

#[test]
fn a_tag_that_is_not_known_is_stepped_over() {
    let bytes = [1, 24, 0, 1, 0x7f, 3, 1, 2, 3];
    let record = MetadataRecord::decode(&Bytes::copy_from_slice(&bytes)).unwrap();
    assert_eq!(record, MetadataRecord::EndTransaction(EndTransactionRecord {}));
    // Tag 1 of partitions belongs to version 2.
    let record = PartitionRecord {
        eligible_leader_replicas: Some(vec![7]),
        last_known_elr: Some(vec![]),
        ..PartitionRecord::default()
    };
    let mut bytes = MetadataRecord::from(record).encode(23).to_vec();
    bytes[2] = 1;
    let read = MetadataRecord::decode(&bytes.into()).unwrap();
    assert_eq!(read, MetadataRecord::from(PartitionRecord::default()));
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(seed: u64) {
        for record in MetadataRecord::samples(&mut numbers(seed)) {
            let max = MetadataRecord::max_version(record.record_type()).unwrap() as i16;
            let newest = record.encode_version(max);
            prop_assert!(MetadataRecord::decode(&newest) == Ok(record.clone()), "{record:?}");
            for version in 0..max {
                let bytes = record.encode_version(version);
                let older = MetadataRecord::decode(&bytes).unwrap();
                prop_assert_eq!(older.encode_version(version), bytes);
            }
            for cut in 0..newest.len() {
                prop_assert!(MetadataRecord::decode(&newest.slice(..cut)).is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in 0u8..40, version in 0u8..6, body: Vec<u8>) {
        let value = Bytes::from([&[1, kind, version][..], &body].concat());
        let _ = MetadataRecord::decode(&value);
    }
}
