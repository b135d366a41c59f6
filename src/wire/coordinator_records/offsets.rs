//! Committed offsets.

use uuid::Uuid;

use crate::wire::fields::TEXT_MAX_BYTES;
use crate::wire::records::notation::structure;
use crate::wire::varint;

structure! {
    /// Whose offset it is.
    OffsetCommitKey {
        /// The group.
        0+ group: String;
        /// The topic.
        0+ topic: String;
        /// The partition's index.
        0+ partition: i32;
    }
}

structure! {
    /// A committed offset. Version 1 can expire at a time of its own, version 3 brings the leader epoch (KIP-320),
    /// version 4 is flexible (KIP-915) and brings the topic's id (KIP-848).
    OffsetCommitValue {
        /// The next offset to read.
        0+ offset: i64;
        /// The leader epoch of the record before; −1 if unknown.
        3+ leader_epoch: i32 = -1;
        /// What the client wants to keep with it.
        0+ metadata: String;
        /// When it was committed, in milliseconds since 1970.
        0+ commit_timestamp: i64;
        /// When it expires; −1 if the group decides.
        1-1 expire_timestamp: i64 = -1;
    }
    tagged {
        /// The topic's id; zero if unknown.
        4+ tag 0 topic_id: Uuid;
    }
}

/// A record of a committed offset as most of them are, its texts borrowed from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetCommitSlice<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The partition's index.
    pub partition: i32,
    /// What is committed; none in a tombstone.
    pub value: Option<OffsetCommitValueSlice<'a>>,
}

/// What is committed: [`OffsetCommitValue`] with a borrowed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetCommitValueSlice<'a> {
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the record before; −1 if unknown.
    pub leader_epoch: i32,
    /// What the client wants to keep with it.
    pub metadata: &'a str,
    /// When it was committed, in milliseconds since 1970.
    pub commit_timestamp: i64,
    /// When it expires; −1 if the group decides.
    pub expire_timestamp: i64,
    /// The topic's id; zero if unknown.
    pub topic_id: Uuid,
}

impl<'a> OffsetCommitSlice<'a> {
    /// Reads a record in the forms that brokers have written since Kafka 2.1. None of everything else, be it of another
    /// type, older, newer or damaged: [`GroupRecord::decode`](super::groups::GroupRecord::decode) says what that is.
    pub fn read(key: &'a [u8], value: Option<&'a [u8]>) -> Option<Self> {
        let mut key = Cursor(key);
        if key.number()? != RECORD_TYPE.to_be_bytes() {
            return None;
        }
        let (group, topic) = (key.text()?, key.text()?);
        let partition = i32::from_be_bytes(key.number()?);
        let value = match value {
            Some(value) => Some(OffsetCommitValueSlice::read(value)?),
            None => None,
        };
        Some(Self { group, topic, partition, value })
    }
}

impl OffsetCommitSlice<'_> {
    /// Appends a key and a value in the form that Kafka 4.3 writes. The value must not have a time of its own to expire at,
    /// for which that form has no place. False for a tombstone.
    pub fn put(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> bool {
        key.extend_from_slice(&RECORD_TYPE.to_be_bytes());
        for text in [self.group, self.topic] {
            let text = readable(text);
            key.extend_from_slice(&(text.len() as i16).to_be_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        key.extend_from_slice(&self.partition.to_be_bytes());
        let Some(committed) = &self.value else { return false };
        value.extend_from_slice(&NEWEST_VERSION_READ.to_be_bytes());
        value.extend_from_slice(&committed.offset.to_be_bytes());
        value.extend_from_slice(&committed.leader_epoch.to_be_bytes());
        let metadata = readable(committed.metadata);
        varint::put_unsigned(value, metadata.len() as u32 + 1);
        value.extend_from_slice(metadata.as_bytes());
        value.extend_from_slice(&committed.commit_timestamp.to_be_bytes());
        if committed.topic_id.is_nil() {
            value.push(0);
        } else {
            value.extend_from_slice(&ONE_TOPIC_ID);
            value.extend_from_slice(committed.topic_id.as_bytes());
        }
        true
    }
}

/// As much of a text as Kafka reads, which is all of it in texts that came with a request.
fn readable(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX_BYTES)).unwrap_or_default()
}

impl<'a> OffsetCommitValueSlice<'a> {
    fn read(value: &'a [u8]) -> Option<Self> {
        let mut value = Cursor(value);
        let version = i16::from_be_bytes(value.number()?);
        if !(OLDEST_VERSION_READ..=NEWEST_VERSION_READ).contains(&version) {
            return None;
        }
        let flexible = version == NEWEST_VERSION_READ;
        let offset = i64::from_be_bytes(value.number()?);
        let leader_epoch = i32::from_be_bytes(value.number()?);
        let metadata = if flexible { value.compact_text()? } else { value.text()? };
        let commit_timestamp = i64::from_be_bytes(value.number()?);
        let topic_id = if flexible { value.topic_id()? } else { Uuid::nil() };
        let expire_timestamp = -1;
        Some(Self { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp, topic_id })
    }
}

impl<'a> From<&'a OffsetCommitValue> for OffsetCommitValueSlice<'a> {
    fn from(value: &'a OffsetCommitValue) -> Self {
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: &value.metadata,
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: value.expire_timestamp,
            topic_id: value.topic_id,
        }
    }
}

/// The type of these records.
const RECORD_TYPE: i16 = 1;
/// The first version that brings the leader epoch.
const OLDEST_VERSION_READ: i16 = 3;
/// The flexible one.
const NEWEST_VERSION_READ: i16 = 4;

/// How tagged fields begin that are the topic's id alone: how many, the tag, the length.
const ONE_TOPIC_ID: [u8; 3] = [1, 0, 16];

/// What is left of a key or a value.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*number)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = i16::from_be_bytes(self.number()?);
        self.text_of(usize::try_from(length).ok()?)
    }

    fn compact_text(&mut self) -> Option<&'a str> {
        let length = varint::take_unsigned(&mut self.0)?.checked_sub(1)? as usize;
        if length > TEXT_MAX_BYTES { None } else { self.text_of(length) }
    }

    fn text_of(&mut self, length_bytes: usize) -> Option<&'a str> {
        let (text, rest) = self.0.split_at_checked(length_bytes)?;
        self.0 = rest;
        str::from_utf8(text).ok()
    }

    /// The tagged fields, of which only that of the topic's id is known.
    fn topic_id(&mut self) -> Option<Uuid> {
        match varint::take_unsigned(&mut self.0)? {
            0 => Some(Uuid::nil()),
            1 => {
                let is_topic_id = self.number::<2>()? == ONE_TOPIC_ID[1..];
                is_topic_id.then_some(Uuid::from_bytes(self.number::<16>()?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coordinator_records::groups::GroupRecord;

    fn slice(record: &GroupRecord) -> Option<OffsetCommitSlice<'_>> {
        let GroupRecord::OffsetCommit(key, value) = record else { return None };
        let (group, topic) = (key.group.as_str(), key.topic.as_str());
        let value = value.as_ref().map(Into::into);
        Some(OffsetCommitSlice { group, topic, partition: key.partition, value })
    }

    /// What is read here is what is read there, also of records that were damaged on the way.
    fn check(key: &[u8], value: Option<&[u8]>) -> bool {
        let Some(read) = OffsetCommitSlice::read(key, value) else { return false };
        let value = value.map(Bytes::copy_from_slice);
        let decoded = GroupRecord::decode(&Bytes::copy_from_slice(key), value.as_ref());
        let decoded = decoded.unwrap().unwrap();
        assert_eq!(Some(read), slice(&decoded));
        true
    }

    #[test]
    fn records_of_these_versions_are_read_and_those_of_no_other() {
        for seed in 0..100 {
            for (_, _, mut record) in GroupRecord::samples(seed) {
                if let GroupRecord::OffsetCommit(_, Some(value)) = &mut record {
                    value.expire_timestamp = -i64::from(seed % 2 == 0);
                }
                for version in 0..=4 {
                    let GroupRecord::OffsetCommit(..) = record else { continue };
                    let (key, value) = record.encode_version(version);
                    assert_eq!(check(&key, value.as_deref()), version >= 3, "version {version}");
                    assert!(check(&key, None), "a tombstone");
                }
                let (key, value) = record.encode();
                if let Some(commit) = slice(&record) {
                    let is_usual = commit.value.is_some_and(|it| it.expire_timestamp == -1);
                    let (mut put_key, mut put_value) = (Vec::new(), Vec::new());
                    assert!(commit.put(&mut put_key, &mut put_value));
                    assert_eq!(put_key, key);
                    assert!(!is_usual || value.as_ref().is_some_and(|it| *it == put_value));
                }
                let is_commit = matches!(record, GroupRecord::OffsetCommit(..));
                assert!(is_commit || !check(&key, value.as_deref()));
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_damaged_is_read_alike_or_not_at_all(
            seed in any::<u64>(),
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
            cut in 0_usize..4,
            in_key in any::<bool>(),
        ) {
            for (_, max, record) in GroupRecord::samples(seed) {
                let GroupRecord::OffsetCommit(..) = record else { continue };
                let (key, value) = record.encode_version(max);
                let (mut key, mut value) = (key.to_vec(), value.unwrap().to_vec());
                let damaged = if in_key { &mut key } else { &mut value };
                let at = at.index(damaged.len());
                damaged[at] = byte;
                damaged.truncate(damaged.len() - cut);
                check(&key, Some(&value));
            }
        }
    }
}
