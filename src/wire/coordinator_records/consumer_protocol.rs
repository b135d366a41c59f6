//! What consumers of classic groups tell each other through the coordinator: the subscriptions of members and the
//! assignments of leaders. The coordinator hands them on as they are; it looks into them to see which topics a group
//! consumes, and to turn a classic group into a consumer group and back (KIP-848).
//!
//! They come from clients as they please, so nothing is allocated on their word. A version that is not known is read
//! as the newest that is, as in Kafka: later versions only add to the end.

use bytes::Bytes;

use super::split;
use crate::wire::fields::{Malformed, Reader};
use crate::wire::records::notation::{Field, RecordWriter, structure};

/// The newest version of both.
pub const CONSUMER_PROTOCOL_MAX_VERSION: i16 = 3;

structure! {
    /// What a member wants. Version 1 brings what it owns (KIP-429), version 2 the generation (KIP-792), version 3 the
    /// rack (KIP-881).
    ConsumerProtocolSubscription {
        /// The topics that it wants to read.
        0+ topics: Vec<String>;
        /// What its assignor adds.
        0+ user_data: Option<Bytes>;
        /// The partitions that it has.
        1+ owned_partitions: Vec<TopicPartition>;
        /// The generation in which it got them; −1 if unknown.
        2+ generation_id: i32 = -1;
        /// Its rack.
        3+ rack_id: Option<String>;
    }
}

structure! {
    /// What a member gets.
    ConsumerProtocolAssignment {
        /// The partitions.
        0+ assigned_partitions: Vec<TopicPartition>;
        /// What the assignor adds.
        0+ user_data: Option<Bytes>;
    }
}

structure! {
    /// Partitions of a topic.
    TopicPartition {
        /// The topic's name.
        0+ topic: String;
        /// The partitions' indices.
        0+ partitions: Vec<i32>;
    }
}

macro_rules! versioned {
    ($( $name:ident )*) => { $(
        impl $name {
            /// Reads the version in front, as it was said, and what follows.
            pub fn decode(bytes: &Bytes) -> Result<(i16, Self), Malformed> {
                let (version, body) = split(bytes).ok_or(Malformed::Cut)?;
                if version < 0 {
                    return Err(Malformed::Version(version));
                }
                let read_as = version.min(CONSUMER_PROTOCOL_MAX_VERSION);
                Ok((version, Self::take(&mut Reader::new(body, false), read_as)?))
            }
        }
    )* };
}

macro_rules! written {
    ($name:ident) => {
        impl $name {
            /// Writes it in this version, or the newest there is.
            pub fn encode(&self, version: i16) -> Bytes {
                let version = version.clamp(0, CONSUMER_PROTOCOL_MAX_VERSION);
                let mut out = RecordWriter::new(false);
                version.put(version, &mut out);
                self.put(version, &mut out);
                out.finish()
            }
        }
    };
}

versioned! { ConsumerProtocolSubscription ConsumerProtocolAssignment }
written! { ConsumerProtocolAssignment }
#[cfg(any(test, feature = "sim"))]
written! { ConsumerProtocolSubscription }

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Bytes {
        let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
        pairs.map(|pair| u8::from_str_radix(&pair, 16).unwrap()).collect()
    }

    fn partitions(topic: &str, partitions: &[i32]) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partitions: partitions.to_vec() }
    }

    fn owned() -> Vec<TopicPartition> {
        vec![partitions("t", &[1, 0]), partitions("u", &[2])]
    }

    /// The bytes are those that `ConsumerProtocol` of Kafka 4.3.1's clients writes.
    #[test]
    fn subscriptions_read_and_are_written_as_apaches_clients_do() {
        let check = |hex: &str, expected: ConsumerProtocolSubscription| {
            let bytes = unhex(hex);
            let (version, read) = ConsumerProtocolSubscription::decode(&bytes).unwrap();
            assert_eq!(read, expected);
            assert_eq!(read.encode(version), bytes);
        };
        let whole = ConsumerProtocolSubscription {
            topics: vec!["t".to_owned(), "u".to_owned()],
            user_data: Some(Bytes::from_static(&[1, 2])),
            owned_partitions: owned(),
            generation_id: 7,
            rack_id: Some("r".to_owned()),
        };
        let v2 = ConsumerProtocolSubscription { rack_id: None, ..whole.clone() };
        let v1 = ConsumerProtocolSubscription { generation_id: -1, ..v2.clone() };
        let v0 = ConsumerProtocolSubscription { owned_partitions: vec![], ..v1.clone() };
        let topics = "00000002 000174 000175 00000002 0102";
        let owned = "00000002 000174 00000002 00000001 00000000 000175 00000001 00000002";
        check(&format!("0000 {topics}"), v0);
        check(&format!("0001 {topics} {owned}"), v1);
        check(&format!("0002 {topics} {owned} 00000007"), v2);
        check(&format!("0003 {topics} {owned} 00000007 000172"), whole);
        let plain = ConsumerProtocolSubscription {
            topics: vec!["t".to_owned()],
            ..ConsumerProtocolSubscription::default()
        };
        check("0003 00000001 000174 ffffffff 00000000 ffffffff ffff", plain);
    }

    #[test]
    fn assignments_read_and_are_written_as_apaches_clients_do() {
        for version in 0..=CONSUMER_PROTOCOL_MAX_VERSION {
            let body = "00000002 000174 00000002 00000001 00000000 000175 00000001 00000002";
            let bytes = unhex(&format!("{version:04x} {body} 00000001 09"));
            let (said, read) = ConsumerProtocolAssignment::decode(&bytes).unwrap();
            let expected = ConsumerProtocolAssignment {
                assigned_partitions: owned(),
                user_data: Some(Bytes::from_static(&[9])),
            };
            assert_eq!((said, &read), (version, &expected));
            assert_eq!(read.encode(version), bytes);
        }
    }

    #[test]
    fn a_later_version_is_read_as_the_newest() {
        let bytes = unhex("0009 00000001 000174 ffffffff 00000000 00000005 ffff 0102");
        let (version, read) = ConsumerProtocolSubscription::decode(&bytes).unwrap();
        assert_eq!((version, read.generation_id), (9, 5));
        assert_eq!(read.encode(version)[..2], [0, 3]);
    }

    #[test]
    fn what_does_not_read_is_refused() {
        let check = |hex: &str, expected: Malformed| {
            let bytes = unhex(hex);
            assert_eq!(ConsumerProtocolSubscription::decode(&bytes), Err(expected), "{hex}");
            let assignment = ConsumerProtocolAssignment::decode(&bytes);
            assert_eq!(assignment, Err(expected), "{hex}");
        };
        check("", Malformed::Cut);
        check("00", Malformed::Cut);
        check("ffff 00000000 ffffffff", Malformed::Version(-1));
        check("0000 00000000", Malformed::Cut);
        check("0000 ffffffff ffffffff", Malformed::Null);
        check("0000 7fffffff ffffffff", Malformed::Elements);
        check("0000 80000000 ffffffff", Malformed::Length);
        check("0000 00000000 7fffffff", Malformed::Cut);
    }
}
