//! What of a request its sender may not do does not reach the controller.

use std::collections::BTreeMap;

use kafka_protocol::messages::TopicName;

/// Takes out of `topics` those that are denied. One that is there twice is refused for that, whoever asks.
pub fn deny<T>(
    topics: &mut Vec<T>,
    name: impl Fn(&T) -> &TopicName,
    is_denied: impl Fn(&T) -> bool,
) -> Vec<T> {
    let mut times: BTreeMap<TopicName, usize> = BTreeMap::new();
    for topic in topics.iter() {
        *times.entry(name(topic).clone()).or_default() += 1;
    }
    let is_out = |topic: &mut T| times.get(name(topic)) == Some(&1) && is_denied(topic);
    topics.extract_if(.., is_out).collect()
}
