//! What is committed is what is fetched. An offset of a transaction is pending until the marker, and counts if that
//! commits; whoever asks for what is stable is told of what is pending. What members of a group have committed never goes
//! back.

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics;

use crate::kernel::groups::offsets::FetchRequest;
use crate::kernel::log::producers::EndTransactionMarker;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::sim::topics::{FLEETING, NAMES};
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::wire::batch::Batch;
use crate::wire::coordinator_records::groups::GroupRecord;

/// Groups whose members read in order, by how they are called here.
const READERS: &str = "g";

/// A group, a topic, a partition.
pub type Key = (String, String, i32);

/// See the module. One for each partition of `__consumer_offsets`.
#[derive(Debug, Default)]
pub struct CommittedOffsets {
    committed: BTreeMap<Key, (i64, Offset)>,
    pending: BTreeMap<i64, BTreeMap<Key, (i64, Offset)>>,
    /// The end of what was taken.
    end: Offset,
}

/// What a fetch is to be answered: for each partition its offset, or none if it is not stable.
#[derive(Debug)]
pub struct ExpectedOffsets {
    group: String,
    offsets: Vec<(String, i32, Option<i64>)>,
}

impl CommittedOffsets {
    /// Takes a batch of the log, which has these records. What members have committed does not go back, unless it may.
    pub fn take(
        &mut self,
        batch: &Batch,
        records: &[(Offset, GroupRecord)],
        may_go_back: &mut dyn FnMut(&Key) -> bool,
        counters: &mut Counters,
    ) -> Result<(), String> {
        let header = &batch.header;
        self.end = header.last_offset().next();
        if let Some(marker) = EndTransactionMarker::of_batch(batch) {
            self.end_transaction(header.producer_id.0, marker.abort, counters);
        }
        for (at, record) in records {
            let GroupRecord::OffsetCommit(key, value) = record else { continue };
            let key = (key.group.clone(), key.topic.clone(), key.partition);
            match value {
                None => self.forget(&key),
                Some(value) if header.is_transactional() => {
                    let pending = self.pending.entry(header.producer_id.0).or_default();
                    pending.insert(key, (value.offset, *at));
                }
                Some(value) => {
                    let may_go_back = may_go_back(&key);
                    self.commit(key, value.offset, *at, may_go_back)?;
                }
            }
        }
        Ok(())
    }

    /// The end of what was taken.
    pub const fn end(&self) -> Offset {
        self.end
    }

    /// What there is, committed or pending, that was written before this offset.
    pub fn older_than(&self, at: Offset) -> impl Iterator<Item = &Key> {
        let all = self.committed.iter().chain(self.pending.values().flatten());
        all.filter(move |(_, (_, of))| *of < at).map(|(key, _)| key)
    }

    fn commit(
        &mut self,
        key: Key,
        offset: i64,
        at: Offset,
        may_go_back: bool,
    ) -> Result<(), String> {
        // Who still has a partition of a topic that was deleted commits by its name, which another has got since.
        let is_in_order = key.0.starts_with(READERS) && key.1 != NAMES[FLEETING] && !may_go_back;
        if let Some((before, _)) = self.committed.get(&key)
            && is_in_order
            && offset < *before
        {
            return Err(format!("what {key:?} has committed goes back from {before} to {offset}"));
        }
        self.committed.insert(key, (offset, at));
        Ok(())
    }

    fn forget(&mut self, key: &Key) {
        self.committed.remove(key);
        for pending in self.pending.values_mut() {
            pending.remove(key);
        }
    }

    fn end_transaction(&mut self, producer_id: i64, is_abort: bool, counters: &mut Counters) {
        for (key, (offset, at)) in self.pending.remove(&producer_id).unwrap_or_default() {
            if is_abort {
                counters.hit(Sometimes::OffsetsAborted);
                continue;
            }
            counters.hit(Sometimes::OffsetsCommittedInTransaction);
            if self.committed.get(&key).is_none_or(|(_, before)| *before < at) {
                self.committed.insert(key, (offset, at));
            }
        }
    }
}

/// What a fetch is to be answered now.
pub fn expected(offsets: Option<&CommittedOffsets>, request: &FetchRequest) -> ExpectedOffsets {
    let group = request.group.group_id.to_string();
    let mut expected = Vec::new();
    for topic in request.group.topics.iter().flatten() {
        for at in &topic.partition_indexes {
            let key = (group.clone(), topic.name.to_string(), *at);
            let is_pending = |it: &CommittedOffsets| {
                it.pending.values().any(|pending| pending.contains_key(&key))
            };
            let is_unstable = request.require_stable && offsets.is_some_and(is_pending);
            let committed = offsets.and_then(|it| it.committed.get(&key));
            let committed = committed.map_or(-1, |(offset, _)| *offset);
            expected.push((key.1, *at, (!is_unstable).then_some(committed)));
        }
    }
    ExpectedOffsets { group, offsets: expected }
}

/// It was answered so.
pub fn check(
    expected: &ExpectedOffsets,
    topics: &[OffsetFetchResponseTopics],
    counters: &mut Counters,
) -> Result<(), String> {
    let found = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |it| (topic.name.as_str(), it)));
    for ((topic, at, offset), (name, found)) in expected.offsets.iter().zip(found) {
        let is_unstable = found.error_code == ErrorCode::UnstableOffsetCommit.code();
        if is_unstable {
            counters.hit(Sometimes::PendingOffsets);
        }
        let seen = (!is_unstable).then_some(found.committed_offset);
        if (name, found.partition_index) != (topic.as_str(), *at) || seen != *offset {
            let group = &expected.group;
            return Err(format!("{group} fetches {seen:?} of {name}-{at}, not {offset:?}"));
        }
    }
    Ok(())
}
