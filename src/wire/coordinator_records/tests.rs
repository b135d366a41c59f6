//! `testdata/apache-4.3.1.txt` was written by `testdata/WriteGolden.java` with Kafka's own classes: its schemas, the
//! versions that it writes, and a record of each type in each version, with values that are drawn here as there. The
//! logs beside it are those of Apache Kafka: a group that committed an offset, and two transactions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::classic::*;
use super::consumer::*;
use super::groups::GroupRecord;
use super::offsets::*;
use super::transactions::*;
use super::*;
use crate::wire::batch::Batches;
use crate::wire::record_iter::iterate;
use crate::wire::records::samples::{Sample, numbers};

const GOLDEN: &str = include_str!("testdata/apache-4.3.1.txt");

/// A record's key and value.
type Pair = (Bytes, Option<Bytes>);

/// The words of the lines that begin with this one.
fn golden(first: &str) -> Vec<Vec<&'static str>> {
    let lines = GOLDEN.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let lines = lines.filter(|words| words[0] == first).map(|words| words[1..].to_vec());
    lines.collect()
}

fn unhex(text: &str) -> Bytes {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The records of a log that are not control records.
fn logged(log: &[u8]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for batch in Batches::new(Bytes::copy_from_slice(log)) {
        let batch = batch.unwrap();
        if !batch.header.is_control() {
            for record in iterate(&batch, 0).unwrap() {
                let record = record.unwrap();
                pairs.push((record.key.unwrap(), record.value));
            }
        }
    }
    pairs
}

fn group(pair: &Pair) -> Result<Option<GroupRecord>, CoordinatorRecordError> {
    GroupRecord::decode(&pair.0, pair.1.as_ref())
}

fn transaction(pair: &Pair) -> Result<Option<TransactionLogRecord>, CoordinatorRecordError> {
    TransactionLogRecord::decode(&pair.0, pair.1.as_ref())
}

fn transaction_sample(seed: u64) -> TransactionLogRecord {
    let mut draw = numbers(seed);
    let key = TransactionLogKey::sample(&mut draw);
    TransactionLogRecord(key, Some(TransactionLogValue::sample(&mut draw)))
}

#[test]
fn records_are_read_and_written_as_apaches_classes_do() {
    let mut seen = BTreeMap::new();
    for words in golden("record") {
        let [name, seed, version, key, value] = words[..] else { panic!("{words:?}") };
        let (seed, version): (u64, i16) = (seed.parse().unwrap(), version.parse().unwrap());
        let pair = (unhex(key), Some(unhex(value)));
        let place = format!("{name} {seed} {version}");
        if name == "TransactionLog" {
            let sample = transaction_sample(seed);
            assert_eq!(sample.encode_version(version), pair, "{place}");
            let read = transaction(&pair).unwrap().unwrap();
            assert_eq!(read.encode_version(version), pair, "{place}");
            assert!(version < 1 || read == sample, "{place}");
        } else {
            let samples = GroupRecord::samples(seed);
            let sample = samples.into_iter().find(|(sampled, ..)| *sampled == name);
            let (_, newest, sample) = sample.unwrap();
            assert_eq!(sample.encode_version(version), pair, "{place}");
            let read = group(&pair).unwrap().unwrap();
            assert_eq!(read.encode_version(version), pair, "{place}");
            if version == newest && name != "OffsetCommit" {
                assert_eq!(read, sample, "{place}");
            }
        }
        *seen.entry(name).or_insert(0) += 1;
    }
    let expected = GroupRecord::samples(0);
    let expected = expected.iter().map(|(name, newest, _)| (*name, 3 * (newest + 1)));
    assert_eq!(seen, expected.chain([("TransactionLog", 6)]).collect());
}

/// The name of a structure, then a line for each of its fields.
macro_rules! declared {
    ($( $name:ident )*) => { BTreeMap::from([ $( (stringify!($name), $name::declared()), )* ]) };
}

#[test]
fn fields_are_those_of_kafkas_schemas() {
    let declared = declared! {
        OffsetCommitKey OffsetCommitValue GroupMetadataKey GroupMetadataValue MemberMetadata
        ConsumerGroupMetadataKey ConsumerGroupMetadataValue ConsumerGroupPartitionMetadataKey
        ConsumerGroupPartitionMetadataValue TopicMetadata PartitionMetadata
        ConsumerGroupMemberMetadataKey ConsumerGroupMemberMetadataValue ClassicMemberMetadata
        ClassicProtocol ConsumerGroupTargetAssignmentMetadataKey
        ConsumerGroupTargetAssignmentMetadataValue ConsumerGroupTargetAssignmentMemberKey
        ConsumerGroupTargetAssignmentMemberValue TopicPartition
        ConsumerGroupCurrentMemberAssignmentKey ConsumerGroupCurrentMemberAssignmentValue
        TopicPartitions ConsumerGroupRegularExpressionKey ConsumerGroupRegularExpressionValue
        TransactionLogKey TransactionLogValue PartitionsSchema
    };
    let mut expected: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for words in golden("schema") {
        expected.entry(words[0]).or_default().push(words.join(" "));
    }
    assert_eq!(declared, expected);
}

#[test]
fn what_is_written_has_the_version_that_kafka_chooses() {
    let version = |pair: Pair| i16::from_be_bytes(*pair.1.unwrap().first_chunk().unwrap());
    let offset = |expire_timestamp| {
        let value = OffsetCommitValue { expire_timestamp, ..OffsetCommitValue::default() };
        version(GroupRecord::OffsetCommit(OffsetCommitKey::default(), Some(value)).encode())
    };
    let classic_group = GroupRecord::GroupMetadata(
        GroupMetadataKey::default(),
        Some(GroupMetadataValue::default()),
    );
    let at = |level| version(transaction_sample(1).encode(level));
    let ours = [
        ("OffsetCommit", offset(-1)),
        ("OffsetCommitThatExpires", offset(5)),
        ("GroupMetadata", version(classic_group.encode())),
        ("TransactionLog0", at(0)),
        ("TransactionLog1", at(1)),
        ("TransactionLog2", at(2)),
    ];
    let expected = golden("written");
    let expected = expected.iter().map(|words| (words[0], words[1].parse().unwrap()));
    assert_eq!(ours.to_vec(), expected.collect::<Vec<_>>());
}

fn check_group_log(log: &[u8], expected_records: usize) {
    let pairs = logged(log);
    for pair in &pairs {
        let record = group(pair).unwrap().unwrap();
        assert_eq!(record.encode(), *pair, "{record:?}");
    }
    assert_eq!(pairs.len(), expected_records);
}

fn check_transaction_log(log: &[u8], expected_records: usize) {
    let pairs = logged(log);
    for pair in &pairs {
        let record = transaction(pair).unwrap().unwrap();
        assert_eq!(record.encode(2), *pair, "{record:?}");
    }
    assert_eq!(pairs.len(), expected_records);
}

#[test]
fn apaches_logs_read_and_are_written_the_same() {
    check_group_log(include_bytes!("testdata/apache-4.1.1-consumer-offsets.log"), 1);
    check_transaction_log(include_bytes!("testdata/apache-4.1.1-transaction-state.log"), 7);
    check_group_log(include_bytes!("testdata/apache-4.3.1-consumer-offsets.log"), 1);
    check_transaction_log(include_bytes!("testdata/apache-4.3.1-transaction-state.log"), 7);
}

#[test]
fn a_commit_of_apaches_says_what_was_committed() {
    let pairs = logged(include_bytes!("testdata/apache-4.3.1-consumer-offsets.log"));
    let commit = pairs.iter().find_map(|pair| match group(pair).unwrap().unwrap() {
        GroupRecord::OffsetCommit(key, value) => Some((key, value.unwrap())),
        _ => None,
    });
    let (key, value) = commit.unwrap();
    let expected_key =
        OffsetCommitKey { group: "golden-group".into(), topic: "golden".into(), partition: 0 };
    assert_eq!(key, expected_key);
    assert_eq!((value.offset, value.metadata.as_str()), (3, "note"));
    assert_eq!((value.leader_epoch, value.expire_timestamp), (-1, -1));
}

#[test]
fn a_tombstone_is_a_key_without_a_value() {
    for (name, _, sample) in GroupRecord::samples(7) {
        let key = sample.encode().0;
        let read = group(&(key.clone(), None)).unwrap().unwrap();
        assert_eq!(read.encode(), (key, None), "{name}");
    }
    let key = transaction_sample(7).encode(2).0;
    let read = transaction(&(key.clone(), None)).unwrap().unwrap();
    assert_eq!(read.encode(2), (key, None));
}

#[test]
fn types_that_are_not_known_are_skipped() {
    for record_type in [9i16, 10, 11, 12, 13, 14, 15, 17, 18, 19, 23, 99, -1] {
        let key = Bytes::copy_from_slice(&record_type.to_be_bytes());
        assert_eq!(group(&(key, Some(Bytes::new()))), Ok(None), "{record_type}");
    }
    for record_type in [1i16, 2, -1] {
        let key = Bytes::copy_from_slice(&record_type.to_be_bytes());
        assert_eq!(transaction(&(key, Some(Bytes::new()))), Ok(None), "{record_type}");
    }
}

#[test]
fn an_offset_of_the_oldest_type_reads_as_one_of_today() {
    let pair = (
        unhex("000000016700017400000002"),
        Some(unhex("0000000000000000000700016d0000000000000009")),
    );
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 2 };
    let value = OffsetCommitValue {
        offset: 7,
        metadata: "m".into(),
        commit_timestamp: 9,
        ..OffsetCommitValue::default()
    };
    assert_eq!(group(&pair), Ok(Some(GroupRecord::OffsetCommit(key, Some(value)))));
    let newer = (pair.0, Some(Bytes::from_static(&[0, 1])));
    let refused = CoordinatorRecordError::Version { record_type: 0, version: 1 };
    assert_eq!(group(&newer), Err(refused));
}

#[test]
fn what_does_not_read_is_refused() {
    use CoordinatorRecordError as Error;
    let check = |key: &str, value: &str, expected: Error| {
        assert_eq!(group(&(unhex(key), Some(unhex(value)))), Err(expected), "{key} {value}");
    };
    check("", "", Error::NoType);
    check("00", "", Error::NoType);
    let key = |source| Error::Key { record_type: 2, source };
    check("0002", "", key(Malformed::Cut));
    check("0002ffff", "", key(Malformed::Null));
    check("0002fffe", "", key(Malformed::Length));
    check("0002000267", "", key(Malformed::Cut));
    check("00020001ff", "", key(Malformed::Text));
    check("0002000167", "", Error::NoVersion { record_type: 2 });
    check("0002000167", "00", Error::NoVersion { record_type: 2 });
    for version in [5, -1] {
        let hex = format!("{version:04x}");
        check("0002000167", &hex, Error::Version { record_type: 2, version });
    }
    let value = |record_type, source| Error::Value { record_type, source };
    check("0002000167", "0003ffff", value(2, Malformed::Null));
    check("0002000167", "0003fffe", value(2, Malformed::Length));
    // Two billion members in nothing: the old form, and the flexible one.
    let old = "0003 0000 00000001 ffff ffff 0000000000000001 7fffffff".replace(' ', "");
    check("0002000167", &old, value(2, Malformed::Elements));
    let flexible = "0004 01 00000001 00 00 0000000000000001 ffffffff07 00".replace(' ', "");
    check("0002000167", &flexible, value(2, Malformed::Elements));
    // A tag with bytes left over.
    check(
        "0003000167",
        "0000 00000001 01 00 09 0000000000000001 00".replace(' ', "").as_str(),
        value(3, Malformed::Tag),
    );

    let unknown_version = (unhex("0000000174"), Some(unhex("0002")));
    assert_eq!(transaction(&unknown_version), Ok(None));
    let cut = (unhex("0000000174"), Some(unhex("0001")));
    assert_eq!(transaction(&cut), Err(Error::Value { record_type: 0, source: Malformed::Cut }));
}

#[test]
fn a_tag_that_is_not_known_is_stepped_over_and_so_is_the_end() {
    let value = "0000 00000005 01 07 02 abcd ee".replace(' ', "");
    let read = group(&(unhex("0003000167"), Some(unhex(&value)))).unwrap().unwrap();
    let expected = ConsumerGroupMetadataValue { epoch: 5, metadata_hash: 0 };
    let key = ConsumerGroupMetadataKey { group_id: "g".into() };
    assert_eq!(read, GroupRecord::ConsumerGroupMetadata(key, Some(expected)));
}

#[test]
fn a_text_that_no_length_can_say_is_cut_at_a_letter() {
    let group = "é".repeat(20_000);
    let record = GroupRecord::GroupMetadata(GroupMetadataKey { group }, None);
    let (key, _) = record.encode();
    assert_eq!(key.len(), 2 + 2 + 32_766);
    assert!(GroupRecord::decode(&key, None).is_ok());
}

proptest! {
    // Each case reads every record cut at every byte.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_encoded_decodes_and_what_is_cut_does_not(seed: u64) {
        for (name, newest, sample) in GroupRecord::samples(seed) {
            let (key, value) = sample.encode_version(newest);
            let value = value.unwrap();
            let read = GroupRecord::decode(&key, Some(&value)).unwrap().unwrap();
            prop_assert_eq!(read.encode_version(newest), (key.clone(), Some(value.clone())));
            for cut in 0..value.len() {
                let cut = value.slice(..cut);
                prop_assert!(GroupRecord::decode(&key, Some(&cut)).is_err(), "{}", name);
            }
            for cut in 0..key.len() {
                prop_assert!(GroupRecord::decode(&key.slice(..cut), None).is_err(), "{}", name);
            }
        }
        let sample = transaction_sample(seed);
        let (key, value) = sample.encode(2);
        let value = value.unwrap();
        prop_assert_eq!(TransactionLogRecord::decode(&key, Some(&value)), Ok(Some(sample)));
        for cut in 0..value.len() {
            let cut = value.slice(..cut);
            prop_assert!(TransactionLogRecord::decode(&key, Some(&cut)).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in 0i16..20, version in -1i16..6, body: Vec<u8>) {
        let key = Bytes::from([&kind.to_be_bytes()[..], &body].concat());
        let value = Bytes::from([&version.to_be_bytes()[..], &body].concat());
        let _ = GroupRecord::decode(&key, Some(&value));
        let _ = TransactionLogRecord::decode(&key, Some(&value));
        let key = GroupRecord::samples(1)[0].2.encode().0;
        for record_type in 0..17i16 {
            let mut key = key.to_vec();
            key[..2].copy_from_slice(&record_type.to_be_bytes());
            let _ = GroupRecord::decode(&key.into(), Some(&value));
        }
    }
}
