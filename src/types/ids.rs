//! Identifiers of nodes, topics, partitions, directories and producers, and Kafka's text form of a UUID.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use uuid::Uuid;

/// Kafka prints UUIDs in URL-safe base64 without padding, and reads them with or without it.
const KAFKA_BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A UUID in Kafka's 22-character text form.
pub fn uuid_to_text(uuid: Uuid) -> String {
    KAFKA_BASE64.encode(uuid.as_bytes())
}

/// Reads Kafka's text form, padded or not; none if it is not 16 bytes of URL-safe base64.
pub fn uuid_from_text(text: &str) -> Option<Uuid> {
    // Standard base64 of the same bytes is accepted too where it means the same: hand-written
    // directories carry it.
    let bytes = KAFKA_BASE64.decode(text.trim()).ok()?;
    Some(Uuid::from_bytes(bytes.try_into().ok()?))
}

/// Makes a UUID of 16 random bytes that Kafka accepts for a topic, a directory or a cluster: version
/// 4, not reserved (high half 0 and low half < 100), and with no leading `-` in its text, which
/// command lines would take for an option. None if these bytes do not give one: draw again.
pub fn uuid_from_random(bytes: [u8; 16]) -> Option<Uuid> {
    let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let reserved = uuid.as_u128() < 100;
    (!reserved && !uuid_to_text(uuid).starts_with('-')).then_some(uuid)
}

/// A broker or controller: `node.id`; −1 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub i32);

impl NodeId {
    /// "No leader", "no controller".
    pub const NONE: Self = Self(-1);
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The index of a partition within its topic, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub i32);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&uuid_to_text(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), uuid_to_text(self.0))
            }
        }
    };
}

uuid_newtype! {
    /// The identity of a topic across deletion and re-creation under one name (KIP-516).
    TopicId
}
uuid_newtype! {
    /// The identity of a log directory (KIP-858), kept in its `meta.properties`.
    DirectoryId
}

impl TopicId {
    /// "No topic id", all zero.
    pub const ZERO: Self = Self(Uuid::from_u128(0));
    /// The topic id of `__cluster_metadata`.
    pub const METADATA: Self = Self(Uuid::from_u128(1));
}

impl DirectoryId {
    /// The replica is being moved from a ZooKeeper cluster.
    pub const MIGRATING: Self = Self(Uuid::from_u128(0));
    /// No directory was chosen yet.
    pub const UNASSIGNED: Self = Self(Uuid::from_u128(1));
    /// The directory failed.
    pub const LOST: Self = Self(Uuid::from_u128(2));
}

/// The name of a topic. Cheap to clone; never a slice of a request's frame.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// The metadata log's topic.
    pub const METADATA: &'static str = "__cluster_metadata";

    /// Copies `name`.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A producer's identity (KIP-98); −1 for a producer without idempotence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl ProducerId {
    /// "No producer".
    pub const NONE: Self = Self(-1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_read_padded_and_unpadded_text() {
        let unpadded = uuid_from_text("EAAAAAAAQACAAAAAAAAAAQ").unwrap();
        assert_eq!(uuid_from_text("EAAAAAAAQACAAAAAAAAAAQ=="), Some(unpadded));
        assert_eq!(uuid_to_text(unpadded), "EAAAAAAAQACAAAAAAAAAAQ");
        assert_eq!(unpadded, Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0001));
    }

    #[test]
    fn a_uuid_of_another_length_or_alphabet_is_refused() {
        for text in ["", "AAAA", "EAAAAAAAQACAAAAAAAAAAQAA", "EAAAAAAAQACAAAAAAAAA!Q"] {
            assert_eq!(uuid_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_random_uuid_never_starts_with_a_dash() {
        // 0xf8 begins with the bits 111110, which URL-safe base64 prints as '-'.
        assert_eq!(uuid_from_random([0xf8; 16]), None);
        let uuid = uuid_from_random([7; 16]).unwrap();
        assert_eq!(uuid.get_version_num(), 4);
    }
}
