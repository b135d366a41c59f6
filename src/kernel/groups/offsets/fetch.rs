//! What is committed, for whoever begins to read.

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::by_partition::Topics;
use super::{Committed, Offsets};
use crate::types::error_code::ErrorCode;

const INVALID_OFFSET: i64 = -1;
const NO_LEADER_EPOCH: i32 = -1;

impl Offsets {
    /// The offsets of a group: of these topics, or of all that it has. What is not committed is −1, without an error. A
    /// reader that must not miss what a transaction is about to commit asks for what is stable, and is told to come
    /// again where something is pending (KIP-447).
    pub fn fetch(
        &self,
        group: &str,
        topics: Option<&[OffsetFetchRequestTopics]>,
        require_stable: bool,
    ) -> Vec<OffsetFetchResponseTopics> {
        let there = self.committed.group(group);
        match topics {
            Some(topics) => {
                topics.iter().map(|topic| self.topic(group, there, topic, require_stable)).collect()
            }
            None => there.map(|there| self.all(group, there, require_stable)).unwrap_or_default(),
        }
    }

    fn topic(
        &self,
        group: &str,
        there: Option<&Topics<Committed>>,
        asked: &OffsetFetchRequestTopics,
        require_stable: bool,
    ) -> OffsetFetchResponseTopics {
        let topic: &str = &asked.name;
        let there = there.and_then(|topics| topics.get(topic));
        let partition = |&index: &i32| {
            if require_stable && self.is_open(group, topic, index) {
                return unstable(index);
            }
            let committed = there.and_then(|partitions| partitions.get(&index));
            let is_of_it = |committed: &&Committed| is_of(committed, asked.topic_id);
            fetched(index, committed.filter(is_of_it))
        };
        OffsetFetchResponseTopics::default()
            .with_name(asked.name.clone())
            .with_topic_id(asked.topic_id)
            .with_partitions(asked.partition_indexes.iter().map(partition).collect())
    }

    fn all(
        &self,
        group: &str,
        there: &Topics<Committed>,
        require_stable: bool,
    ) -> Vec<OffsetFetchResponseTopics> {
        let mut topics: Vec<_> = there.iter().collect();
        topics.sort_unstable_by_key(|(topic, _)| *topic);
        let topic = |(topic, partitions): (&crate::types::ids::TopicName, _)| {
            let mut partitions: Vec<(&i32, &Committed)> = Vec::from_iter(partitions);
            partitions.sort_unstable_by_key(|(index, _)| **index);
            let partitions = partitions.into_iter().map(|(&index, committed)| {
                if require_stable && self.is_open(group, topic.as_str(), index) {
                    unstable(index)
                } else {
                    fetched(index, Some(committed))
                }
            });
            OffsetFetchResponseTopics::default()
                .with_name(TopicName(StrBytes::from_string(topic.as_str().to_owned())))
                .with_partitions(partitions.collect())
        };
        topics.into_iter().map(topic).collect()
    }
}

/// Whether an offset is of the topic with this id, and not of one that had its name before. Either may not know.
fn is_of(committed: &Committed, asked: Uuid) -> bool {
    let there = committed.topic_id.0;
    there.is_nil() || asked.is_nil() || there == asked
}

fn fetched(index: i32, committed: Option<&Committed>) -> OffsetFetchResponsePartitions {
    let metadata = committed.map(Committed::metadata).filter(|metadata| !metadata.is_empty());
    let metadata = metadata.map(|metadata| StrBytes::from_string(metadata.to_owned()));
    let answer = OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_metadata(Some(metadata.unwrap_or_default()));
    match committed {
        None => answer
            .with_committed_offset(INVALID_OFFSET)
            .with_committed_leader_epoch(NO_LEADER_EPOCH),
        Some(committed) => answer
            .with_committed_offset(committed.offset.0)
            .with_committed_leader_epoch(committed.leader_epoch.0),
    }
}

fn unstable(index: i32) -> OffsetFetchResponsePartitions {
    fetched(index, None).with_error_code(ErrorCode::UnstableOffsetCommit.code())
}
