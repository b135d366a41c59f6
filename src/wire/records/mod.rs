//! Records on disk which the protocol crate lacks, declared in our notation: those of the metadata log.
//!
//! A record's value is a frame (the unsigned varints 1, type, version) and a flexible body that ends with the value.
//! What has another frame, an unknown type or version, or bytes left over is refused, as in Kafka: whoever cannot read
//! a record cannot know the metadata.
//!
//! - [`notation`]: how they are declared.
//! - the other files: the records, by what they are about.

pub mod brokers;
pub mod configs;
pub mod controllers;
pub mod notation;
pub mod quotas;
#[cfg(test)]
pub mod samples;
pub mod security;
pub mod topics;
pub mod transactions;

use bytes::Bytes;

pub use self::brokers::{
    BrokerRegistrationChangeRecord, FenceBrokerRecord, RegisterBrokerRecord, UnfenceBrokerRecord,
    UnregisterBrokerRecord,
};
pub use self::configs::{
    ConfigRecord, FeatureLevelRecord, ProducerIdsRecord, ZkMigrationStateRecord,
};
pub use self::controllers::{RegisterControllerRecord, UnregisterControllerRecord};
use self::notation::{Field, RecordWriter};
pub use self::quotas::ClientQuotaRecord;
pub use self::security::{
    AccessControlEntryRecord, DelegationTokenRecord, RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord,
};
pub use self::topics::{
    ClearElrRecord, PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
pub use self::transactions::{
    AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, NoOpRecord,
};
use super::fields::{Malformed, Reader};
use super::varint;

/// The only framing of metadata records there is.
const FRAME_VERSION: u32 = 1;

/// From this metadata.version on, registrations may name cordoned directories.
const CORDONED_LOG_DIRS: i16 = 30;
/// From this metadata.version on, partitions have eligible leader replicas.
const ELIGIBLE_LEADER_REPLICAS: i16 = 23;
/// From this metadata.version on, replicas have directories.
const DIRECTORIES: i16 = 17;
/// From this metadata.version on, registrations say whether ZooKeeper is being left.
const ZK_MIGRATION: i16 = 8;

/// Why a value is not a metadata record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataRecordError {
    /// It ends within its frame.
    #[error("it ends within its frame")]
    NoFrame,
    /// A framing that does not exist.
    #[error("its frame has version {0}, not 1")]
    Frame(u32),
    /// A type that does not exist.
    #[error("records of type {0} are not known")]
    Type(u32),
    /// A version that does not exist.
    #[error("version {version} of records of type {record_type} is not known")]
    Version {
        /// The type.
        record_type: u32,
        /// The version.
        version: u32,
    },
    /// Its body does not read.
    #[error("a record of type {record_type}: {source}")]
    Body {
        /// The type.
        record_type: u32,
        /// What is wrong.
        source: Malformed,
    },
    /// Bytes after the body.
    #[error("{left_bytes} bytes after a record of type {record_type}")]
    Left {
        /// The type.
        record_type: u32,
        /// How many.
        left_bytes: usize,
    },
}

macro_rules! metadata_records {
    ($( $(#[$doc:meta])* $kind:literal $name:ident($record:ident) 0..=$max:literal; )*) => {
        /// A record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $( $(#[$doc])* $name($record), )*
        }

        impl MetadataRecord {
            /// The number of its type.
            pub const fn record_type(&self) -> u32 {
                match self { $( Self::$name(_) => $kind, )* }
            }

            /// The versions of a type run from 0 to this one; none if there is no such type.
            pub const fn max_version(record_type: u32) -> Option<u32> {
                match record_type { $( $kind => Some($max), )* _ => None }
            }

            /// One record of each type, with values drawn by `draw`.
            #[cfg(test)]
            fn samples(draw: &mut dyn FnMut() -> u64) -> Vec<Self> {
                use self::samples::Sample as _;
                vec![ $( Self::$name($record::sample(draw)), )* ]
            }

            fn take_body(
                record_type: u32,
                version: i16,
                from: &mut Reader,
            ) -> Result<Option<Self>, Malformed> {
                match record_type {
                    $( $kind => $record::take(from, version).map(Self::$name).map(Some), )*
                    _ => Ok(None),
                }
            }

            fn put_body(&self, version: i16, out: &mut RecordWriter) {
                match self { $( Self::$name(record) => record.put(version, out), )* }
            }
        }

        $( impl From<$record> for MetadataRecord {
            fn from(record: $record) -> Self {
                Self::$name(record)
            }
        } )*
    };
}

metadata_records! {
    /// A broker registers.
    0 RegisterBroker(RegisterBrokerRecord) 0..=4;
    /// A broker is no longer registered.
    1 UnregisterBroker(UnregisterBrokerRecord) 0..=0;
    /// A topic comes to be.
    2 Topic(TopicRecord) 0..=0;
    /// A partition comes to be.
    3 Partition(PartitionRecord) 0..=2;
    /// A value is set or deleted.
    4 Config(ConfigRecord) 0..=0;
    /// A partition changes.
    5 PartitionChange(PartitionChangeRecord) 0..=2;
    /// A broker is fenced, in the old way.
    7 FenceBroker(FenceBrokerRecord) 0..=0;
    /// A broker is unfenced, in the old way.
    8 UnfenceBroker(UnfenceBrokerRecord) 0..=0;
    /// A topic is deleted.
    9 RemoveTopic(RemoveTopicRecord) 0..=0;
    /// A delegation token.
    10 DelegationToken(DelegationTokenRecord) 0..=0;
    /// A SCRAM credential.
    11 UserScramCredential(UserScramCredentialRecord) 0..=0;
    /// A feature is finalised.
    12 FeatureLevel(FeatureLevelRecord) 0..=0;
    /// A quota is set or deleted.
    14 ClientQuota(ClientQuotaRecord) 0..=0;
    /// A block of producer ids is given out.
    15 ProducerIds(ProducerIdsRecord) 0..=0;
    /// A broker changes.
    17 BrokerRegistrationChange(BrokerRegistrationChangeRecord) 0..=3;
    /// An ACL.
    18 AccessControlEntry(AccessControlEntryRecord) 0..=0;
    /// An ACL is deleted.
    19 RemoveAccessControlEntry(RemoveAccessControlEntryRecord) 0..=0;
    /// Nothing.
    20 NoOp(NoOpRecord) 0..=0;
    /// Of no meaning since Kafka 4.0.
    21 ZkMigrationState(ZkMigrationStateRecord) 0..=0;
    /// A SCRAM credential is deleted.
    22 RemoveUserScramCredential(RemoveUserScramCredentialRecord) 0..=0;
    /// A transaction begins.
    23 BeginTransaction(BeginTransactionRecord) 0..=0;
    /// A transaction counts.
    24 EndTransaction(EndTransactionRecord) 0..=0;
    /// A transaction does not count.
    25 AbortTransaction(AbortTransactionRecord) 0..=0;
    /// A delegation token is deleted.
    26 RemoveDelegationToken(RemoveDelegationTokenRecord) 0..=0;
    /// A controller registers.
    27 RegisterController(RegisterControllerRecord) 0..=0;
    /// Eligible leader replicas are forgotten.
    28 ClearElr(ClearElrRecord) 0..=0;
    /// A controller is no longer registered.
    29 UnregisterController(UnregisterControllerRecord) 0..=0;
}

impl MetadataRecord {
    /// Reads a record's value.
    pub fn decode(value: &Bytes) -> Result<Self, MetadataRecordError> {
        let mut rest = &value[..];
        let mut number = || varint::take_unsigned(&mut rest).ok_or(MetadataRecordError::NoFrame);
        let (frame, record_type, version) = (number()?, number()?, number()?);
        if frame != FRAME_VERSION {
            return Err(MetadataRecordError::Frame(frame));
        }
        let max = Self::max_version(record_type).ok_or(MetadataRecordError::Type(record_type))?;
        if version > max {
            return Err(MetadataRecordError::Version { record_type, version });
        }
        let mut body = Reader::new(value.slice(value.len() - rest.len()..), true);
        let record = Self::take_body(record_type, version as i16, &mut body)
            .map_err(|source| MetadataRecordError::Body { record_type, source })?
            .ok_or(MetadataRecordError::Type(record_type))?;
        match body.left_bytes() {
            0 => Ok(record),
            left_bytes => Err(MetadataRecordError::Left { record_type, left_bytes }),
        }
    }

    /// The record's value, in the version that a controller of this metadata.version writes.
    pub fn encode(&self, metadata_version: i16) -> Bytes {
        self.encode_version(self.version_for(metadata_version))
    }

    /// The version that Kafka's writers choose at a metadata.version.
    pub fn version_for(&self, metadata_version: i16) -> i16 {
        match self {
            Self::RegisterBroker(_) => match metadata_version {
                CORDONED_LOG_DIRS.. => 4,
                DIRECTORIES.. => 3,
                ZK_MIGRATION.. => 2,
                _ => 1,
            },
            Self::Partition(_) | Self::PartitionChange(_) => match metadata_version {
                ELIGIBLE_LEADER_REPLICAS.. => 2,
                DIRECTORIES.. => 1,
                _ => 0,
            },
            Self::BrokerRegistrationChange(record) => record.needed_version(),
            _ => 0,
        }
    }

    fn encode_version(&self, version: i16) -> Bytes {
        let mut out = RecordWriter::new(true);
        out.unsigned(FRAME_VERSION);
        out.unsigned(self.record_type());
        out.unsigned(version as u32);
        self.put_body(version, &mut out);
        out.finish()
    }
}

#[cfg(test)]
mod tests;
