//! The committed offsets of a shard, those of open transactions included.
//!
//! Whether a group exists and whether a member may commit is the group's to say; here it is taken as said. Like all of
//! the shard's hard state, offsets change by [`Offsets::replay`] and [`Offsets::replay_marker`] alone; the rest decides
//! which records are to be written.
//!
//! - `ByPartition`: where they are kept. `Committed`: as what.
//! - `decisions`: what a shard does with a request, where the group has a say.
//! - A commit in a transaction is pending until the transaction's marker: then it counts, unless a record that lies
//!   behind it was there before it. Thus the state is that of the log and of the compacted log, which has only the later
//!   one of the two.
//! - A tombstone ends what is committed and what is pending: it is later than both. It may also be all that is left of
//!   its key (KAFKA-17306, KAFKA-19862).

mod by_partition;
mod committed;
mod decisions;
mod expiry;
mod fetch;
mod requests;
#[cfg(test)]
mod tests;

use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use smallvec::SmallVec;

use self::by_partition::{ByPartition, Partitions};
use self::committed::Committed;
pub use self::decisions::{
    clean_up, commit_in_transaction, commit_offsets, delete_offsets, fetch_offsets,
    on_topics_deleted, write_in_batches,
};
pub use self::requests::{
    CommitPartition, CommitReply, CommitRequest, CommitTopic, DeleteReply, FetchReply,
    FetchRequest, TxnCommitRequest,
};
use crate::kernel::machine::{Marker, Replayed};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{ProducerId, TopicId};
use crate::types::seeded_map::SeededMap;
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::groups::GroupRecord;
use crate::wire::coordinator_records::offsets::{
    OffsetCommitKey, OffsetCommitSlice, OffsetCommitValue,
};

/// What [`CommitRequest::retention_time_ms`] says where the broker decides.
const DEFAULT_RETENTION_TIME_MS: i64 = -1;

/// See the module.
#[derive(Debug, Default, PartialEq)]
pub struct Offsets {
    committed: ByPartition<Committed>,
    /// What the open transactions of each producer have committed.
    pending: SeededMap<ProducerId, ByPartition<Committed>>,
    /// The producers that have something pending, by what it is for.
    open: ByPartition<SmallVec<[ProducerId; 1]>>,
}

/// The records of a commit, and which of its partitions were refused because of their metadata, counted over all
/// topics.
#[derive(Debug, PartialEq)]
pub struct Commit {
    /// What is to be written.
    pub records: Vec<GroupRecord>,
    /// Which partitions were refused with OFFSET_METADATA_TOO_LARGE.
    pub too_large: Vec<usize>,
}

/// Whether a partition may be committed by a member that is late (KIP-1251); what is refused here refuses the whole
/// request.
pub type PartitionCheck<'a> = &'a dyn Fn(&CommitTopic, &CommitPartition) -> Result<(), ErrorCode>;

/// What a commit writes. In a transaction a commit has no topic ids and no time of its own.
pub fn commit(
    request: &CommitRequest,
    in_transaction: bool,
    check: Option<PartitionCheck<'_>>,
    now: Timestamp,
    metadata_max_size: i32,
) -> Result<Commit, ErrorCode> {
    let expire_timestamp = match request.retention_time_ms {
        DEFAULT_RETENTION_TIME_MS => Timestamp::NONE,
        _ if in_transaction => Timestamp::NONE,
        retention_time_ms => Timestamp(now.0.wrapping_add(retention_time_ms)),
    };
    let partitions = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut commit = Commit { records: Vec::with_capacity(partitions), too_large: Vec::new() };
    for topic in &request.topics {
        for partition in &topic.partitions {
            if is_larger(&partition.metadata, metadata_max_size) {
                commit.too_large.push(commit.records.len() + commit.too_large.len());
                continue;
            }
            if let Some(check) = check {
                check(topic, partition)?;
            }
            // The version of the value in which offsets have a time of their own has no place for the rest.
            let is_old = expire_timestamp != Timestamp::NONE;
            let knows_id = !in_transaction && !is_old;
            let value = OffsetCommitValue {
                offset: partition.offset.0,
                leader_epoch: if is_old { -1 } else { partition.leader_epoch.0 },
                metadata: partition.metadata.as_str().to_owned(),
                commit_timestamp: now.0,
                expire_timestamp: expire_timestamp.0,
                topic_id: if knows_id { topic.id.0 } else { TopicId::ZERO.0 },
            };
            let key = key(&request.group_id, topic.name.as_str(), partition.index.0);
            commit.records.push(GroupRecord::OffsetCommit(key, Some(value)));
        }
    }
    Ok(commit)
}

/// Kafka counts as Java does: in units of UTF-16, of which a text has at most as many as bytes.
fn is_larger(metadata: &str, max_size: i32) -> bool {
    let is_above = |size: usize| i64::try_from(size).is_ok_and(|size| size > i64::from(max_size));
    is_above(metadata.len()) && is_above(metadata.encode_utf16().count())
}

fn key(group: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group.to_owned(), topic: topic.to_owned(), partition }
}

fn tombstone(group: &str, topic: &str, partition: i32) -> GroupRecord {
    GroupRecord::OffsetCommit(key(group, topic, partition), None)
}

impl Offsets {
    /// How many offsets are committed.
    #[cfg(test)]
    pub const fn count(&self) -> usize {
        self.committed.count()
    }

    /// Whether a group has an offset, committed or pending.
    #[cfg(any(test, feature = "sim"))]
    pub fn has_group(&self, group: &str) -> bool {
        self.committed.group(group).is_some() || self.open.group(group).is_some()
    }

    /// OffsetDelete of topics and partitions that exist. A topic that the group reads keeps its offsets.
    pub fn delete(
        &self,
        group: &str,
        topics: &[OffsetDeleteRequestTopic],
        is_subscribed: &dyn Fn(&str) -> bool,
    ) -> (Vec<GroupRecord>, Vec<OffsetDeleteResponseTopic>) {
        let mut records = Vec::new();
        let mut answers = Vec::with_capacity(topics.len());
        for topic in topics {
            let error = if is_subscribed(&topic.name) {
                ErrorCode::GroupSubscribedToTopic
            } else {
                ErrorCode::None
            };
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            if error == ErrorCode::None {
                let kept = indexes.clone().filter(|index| self.has(group, &topic.name, *index));
                records.extend(kept.map(|index| tombstone(group, &topic.name, index)));
            }
            let partitions = indexes.map(|index| {
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(error.code())
            });
            let answer = OffsetDeleteResponseTopic::default().with_name(topic.name.clone());
            answers.push(answer.with_partitions(partitions.collect()));
        }
        (records, answers)
    }

    /// All of a group that is to be deleted.
    pub fn delete_all(&self, group: &str) -> Vec<GroupRecord> {
        let committed = self.committed.group(group).into_iter().flatten();
        let pending = self.open.group(group).into_iter().flatten();
        let committed =
            committed.flat_map(|(topic, partitions)| indexes(topic.as_str(), partitions));
        let pending = pending
            .flat_map(|(topic, partitions)| indexes(topic.as_str(), partitions))
            .filter(|(topic, index)| self.committed.get(group, topic, *index).is_none());
        let mut all: Vec<_> = committed.chain(pending).collect();
        all.sort_unstable();
        all.into_iter().map(|(topic, index)| tombstone(group, topic, index)).collect()
    }

    /// What is committed or pending for a topic that is gone; for a topic of the same name that came before or after
    /// it, nothing changes.
    pub fn delete_topic(&self, topic: &str, id: TopicId) -> Vec<GroupRecord> {
        let is_of_it = |committed: &Committed| [TopicId::ZERO, id].contains(&committed.topic_id);
        let mut all = Vec::new();
        for offsets in std::iter::once(&self.committed).chain(self.pending.values()) {
            for (group, partitions) in offsets.groups_with(topic) {
                let partitions = partitions.iter().filter(|(_, committed)| is_of_it(committed));
                all.extend(partitions.map(|(index, _)| (group, *index)));
            }
        }
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|(group, index)| tombstone(group, topic, index)).collect()
    }

    /// Takes a record of the log.
    pub fn replay(&mut self, commit: &OffsetCommitSlice<'_>, at: &Replayed) {
        let OffsetCommitSlice { group, topic, partition: index, value } = *commit;
        let Some(value) = value else {
            return self.forget(group, topic, index);
        };
        let committed = Committed::of_record(at.offset, &value);
        let Some((producer_id, _)) = at.transaction else {
            self.committed.insert(group, topic, index, committed);
            return;
        };
        let pending = self.pending.entry(producer_id).or_default();
        pending.insert(group, topic, index, committed);
        let open = self.open.get_or_default(group, topic, index);
        if !open.contains(&producer_id) {
            open.push(producer_id);
        }
    }

    /// Takes a record of the log, decoded.
    #[cfg(test)]
    #[expect(clippy::needless_pass_by_value, reason = "tests make values where they need them")]
    fn replay_record(
        &mut self,
        key: &OffsetCommitKey,
        value: Option<OffsetCommitValue>,
        at: &Replayed,
    ) {
        let (group, topic, partition) = (key.group.as_str(), key.topic.as_str(), key.partition);
        let value = value.as_ref().map(Into::into);
        self.replay(&OffsetCommitSlice { group, topic, partition, value }, at);
    }

    /// Takes the end of a transaction.
    pub fn replay_marker(&mut self, marker: &Marker) {
        let Some(pending) = self.pending.remove(&marker.producer_id) else { return };
        for (group, topic, index, committed) in pending.iter() {
            let topic = topic.as_str();
            if let Some(open) = self.open.get_mut(group, topic, index) {
                open.retain(|producer_id| *producer_id != marker.producer_id);
                if open.is_empty() {
                    self.open.remove(group, topic, index);
                }
            }
            let there = self.committed.get(group, topic, index);
            let is_later = there.is_none_or(|it| it.record_offset < committed.record_offset);
            if marker.committed && is_later {
                self.committed.insert(group, topic, index, committed.clone());
            }
        }
    }

    fn forget(&mut self, group: &str, topic: &str, index: i32) {
        self.committed.remove(group, topic, index);
        for producer_id in self.open.remove(group, topic, index).into_iter().flatten() {
            if let Some(pending) = self.pending.get_mut(&producer_id) {
                pending.remove(group, topic, index);
                if pending.count() == 0 {
                    self.pending.remove(&producer_id);
                }
            }
        }
    }

    fn has(&self, group: &str, topic: &str, index: i32) -> bool {
        self.committed.get(group, topic, index).is_some() || self.is_open(group, topic, index)
    }

    fn is_open(&self, group: &str, topic: &str, index: i32) -> bool {
        self.open.get(group, topic, index).is_some()
    }
}

fn indexes<'a, V>(
    topic: &'a str,
    partitions: &'a Partitions<V>,
) -> impl Iterator<Item = (&'a str, i32)> {
    partitions.keys().map(move |&index| (topic, index))
}
