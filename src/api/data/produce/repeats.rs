//! Topics and partitions that a request names more than once: Kafka, which keeps them in maps, answers each once.
//!
//! Where several batches went to one partition, a failure is what is told, so that nothing is lost: the client sends
//! again. Otherwise the last batch is the one that is answered.

use smallvec::SmallVec;

use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::types::seeded_map::SeededMap;
use crate::wire::produce::{ProducePartitionReply, ProduceReply, ProduceTopicReply};

/// Leaves one answer for each topic and each partition, where it was first named. That nothing comes twice is seen
/// without an allocation in what clients send: few topics, partitions in order.
pub fn merge(reply: &mut ProduceReply) {
    if has_repeated_topics(&reply.topics) {
        let mut places = SeededMap::default();
        let mut merged: SmallVec<[ProduceTopicReply; 1]> = SmallVec::new();
        for topic in std::mem::take(&mut reply.topics) {
            let place = *places.entry((topic.name.clone(), topic.id)).or_insert(merged.len());
            match merged.get_mut(place) {
                Some(first) => first.partitions.extend(topic.partitions),
                None => merged.push(topic),
            }
        }
        reply.topics = merged;
    }
    for topic in &mut reply.topics {
        if has_repeated_partitions(&topic.partitions) {
            merge_partitions(&mut topic.partitions);
        }
    }
}

/// The most topics, or partitions out of order, that are compared with each other; more are put in a map.
const COMPARED_MAX: usize = 8;

fn has_repeated_topics(topics: &[ProduceTopicReply]) -> bool {
    topics.len() > COMPARED_MAX
        || has_pair(topics, |one, other| one.id == other.id && one.name == other.name)
}

fn has_repeated_partitions(partitions: &[ProducePartitionReply]) -> bool {
    !partitions.is_sorted_by(|one, next| one.index < next.index)
        && (partitions.len() > COMPARED_MAX
            || has_pair(partitions, |one, other| one.index == other.index))
}

fn has_pair<T>(all: &[T], are_same: impl Fn(&T, &T) -> bool) -> bool {
    all.iter().enumerate().any(|(at, one)| all.iter().take(at).any(|other| are_same(one, other)))
}

fn merge_partitions(partitions: &mut SmallVec<[ProducePartitionReply; 1]>) {
    let mut places: SeededMap<PartitionId, usize> = SeededMap::default();
    let mut merged: SmallVec<[ProducePartitionReply; 1]> = SmallVec::new();
    for partition in std::mem::take(partitions) {
        let place = *places.entry(partition.index).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(first) if first.error == ErrorCode::None => *first = partition,
            Some(_) => {}
            None => merged.push(partition),
        }
    }
    *partitions = merged;
}
