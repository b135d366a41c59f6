//! The records of `__consumer_offsets`: which types there are, and in which versions they are read and written.

use bytes::Bytes;

use super::classic::{GroupMetadataKey, GroupMetadataValue};
use super::consumer::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupPartitionMetadataValue, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use super::offsets::{OffsetCommitKey, OffsetCommitValue};
use super::{CoordinatorRecordError, ValueVersions, put_key, split, take_key};

/// The type that offsets had before Kafka 0.9: the same key, and a value that never got past version 0.
const LEGACY_OFFSET_COMMIT: i16 = 0;

macro_rules! group_records {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident($key:ident, $value:ident) 0..=$max:literal flexible $flexible:literal+;
    )*) => {
        /// A record of `__consumer_offsets`; without a value a tombstone.
        #[derive(Clone, Debug, PartialEq)]
        pub enum GroupRecord {
            $( $(#[$doc])* $name($key, Option<$value>), )*
        }

        impl GroupRecord {
            /// Reads a record. None for a type that is not known.
            pub fn decode(
                key: &Bytes,
                value: Option<&Bytes>,
            ) -> Result<Option<Self>, CoordinatorRecordError> {
                let (record_type, body) = split(key).ok_or(CoordinatorRecordError::NoType)?;
                let record = match record_type {
                    LEGACY_OFFSET_COMMIT => {
                        let versions = ValueVersions { record_type, max: 0, flexible: 1 };
                        Self::OffsetCommit(
                            take_key(record_type, body)?,
                            versions.take_nullable(value)?,
                        )
                    }
                    $( $kind => {
                        let versions =
                            ValueVersions { record_type, max: $max, flexible: $flexible };
                        Self::$name(take_key(record_type, body)?, versions.take_nullable(value)?)
                    } )*
                    _ => return Ok(None),
                };
                Ok(Some(record))
            }

            pub(super) fn encode_version(&self, version: i16) -> (Bytes, Option<Bytes>) {
                match self { $( Self::$name(key, value) => {
                    let versions =
                        ValueVersions { record_type: $kind, max: $max, flexible: $flexible };
                    let value = value.as_ref().map(|value| versions.put(value, version));
                    (put_key($kind, key), value)
                } )* }
            }

            /// A record of each type, each drawn from the seed anew: its name, its newest version, the record.
            #[cfg(test)]
            pub(super) fn samples(seed: u64) -> Vec<(&'static str, i16, Self)> {
                use crate::wire::records::samples::{Sample as _, numbers};
                vec![ $( {
                    let mut draw = numbers(seed);
                    let (key, value) = ($key::sample(&mut draw), $value::sample(&mut draw));
                    (stringify!($name), $max, Self::$name(key, Some(value)))
                } ),* ]
            }
        }
    };
}

group_records! {
    /// A committed offset (types 0 and 1).
    1 OffsetCommit(OffsetCommitKey, OffsetCommitValue) 0..=4 flexible 4+;
    /// A classic group and its members.
    2 GroupMetadata(GroupMetadataKey, GroupMetadataValue) 0..=4 flexible 4+;
    /// A consumer group's epoch (KIP-848).
    3 ConsumerGroupMetadata(ConsumerGroupMetadataKey, ConsumerGroupMetadataValue)
        0..=0 flexible 0+;
    /// The partitions of a consumer group's topics, as Kafka 4.0 wrote them; later only tombstones.
    4 ConsumerGroupPartitionMetadata(
        ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue
    ) 0..=0 flexible 0+;
    /// A member of a consumer group.
    5 ConsumerGroupMemberMetadata(
        ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue
    ) 0..=0 flexible 0+;
    /// The epoch of a consumer group's target assignment.
    6 ConsumerGroupTargetAssignmentMetadata(
        ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue
    ) 0..=0 flexible 0+;
    /// A member's part of the target assignment.
    7 ConsumerGroupTargetAssignmentMember(
        ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue
    ) 0..=0 flexible 0+;
    /// What a member of a consumer group has now.
    8 ConsumerGroupCurrentMemberAssignment(
        ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue
    ) 0..=0 flexible 0+;
    /// What a regular expression that members subscribe to matches.
    16 ConsumerGroupRegularExpression(
        ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue
    ) 0..=0 flexible 0+;
}

impl GroupRecord {
    /// The record's key and value, in the version that Kafka 4.3 writes.
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        self.encode_version(self.written_version())
    }

    /// Kafka 4.3 can read version 4 of a group, and still writes version 3, so that 3.x can be gone back to.
    /// Only version 1 of an offset can say when it expires, so it is written where that is said.
    fn written_version(&self) -> i16 {
        match self {
            Self::OffsetCommit(_, Some(value)) if value.expire_timestamp != -1 => 1,
            Self::OffsetCommit(..) => 4,
            Self::GroupMetadata(..) => 3,
            _ => 0,
        }
    }
}
