//! A hash of the topics that a group is subscribed to (KIP-1101): another hash is a reason for a new assignment.
//!
//! XXH3-64, over the same bytes as Kafka's, so that a group which changes its broker does not rebalance for it.

use std::collections::BTreeSet;

use twox_hash::XxHash3_64;

use crate::kernel::metadata::image::{Image, TopicImage};
use crate::types::ids::TopicName;

/// Changes whenever what is hashed does.
const TOPIC_HASH_MAGIC: u8 = 0;

/// The hash of those of these topics that exist; 0 if none does.
pub fn of_topics<'a>(names: impl Iterator<Item = &'a TopicName>, image: &Image) -> i64 {
    // A topic may be named twice; the order is that of the names.
    let names: BTreeSet<&TopicName> = names.collect();
    let mut bytes = Vec::new();
    for topic in names.into_iter().filter_map(|name| image.topics.named(name.as_str())) {
        bytes.extend_from_slice(&of_topic(topic, image).to_le_bytes());
    }
    if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes) as i64 }
}

fn of_topic(topic: &TopicImage, image: &Image) -> u64 {
    let mut bytes = vec![TOPIC_HASH_MAGIC];
    let (high, low) = topic.id.0.as_u64_pair();
    bytes.extend_from_slice(&high.to_le_bytes());
    bytes.extend_from_slice(&low.to_le_bytes());
    put_text(&mut bytes, topic.name.as_str());
    bytes.extend_from_slice(&(topic.partitions.len() as i32).to_le_bytes());
    for (id, partition) in &topic.partitions {
        bytes.extend_from_slice(&id.0.to_le_bytes());
        let replicas = partition.replicas.iter().filter_map(|replica| image.brokers.get(replica));
        let mut racks: Vec<&str> = replicas.filter_map(|broker| broker.rack.as_deref()).collect();
        racks.sort_unstable();
        for rack in racks {
            let length = rack.encode_utf16().count() as i32;
            bytes.extend_from_slice(&length.to_le_bytes());
            put_text(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes)
}

/// A text as the hash library of Kafka has it: UTF-16, and then how long it is.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let mut length: i32 = 0;
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
        length += 1;
    }
    bytes.extend_from_slice(&length.to_le_bytes());
}
