//! A committed offset as it is kept: as small as its usual form, in which it has no metadata and no time of its own.

use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::types::{epoch::LeaderEpoch, ids::TopicId};
use crate::wire::coordinator_records::offsets::OffsetCommitValueSlice;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: Offset,
    /// Where the record that says so lies: of two commits, the later one counts, in whatever order their transactions
    /// end.
    pub record_offset: Offset,
    /// When it was committed.
    pub commit_timestamp: Timestamp,
    /// The topic's id; zero if the commit did not know it, as those in transactions.
    pub topic_id: TopicId,
    /// The leader epoch of the record before; −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    rare: Option<Box<Rare>>,
}

/// What most commits do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rare {
    metadata: Box<str>,
    expire_timestamp: Timestamp,
}

impl Committed {
    /// What a record says, which lies at `record_offset`.
    pub fn of_record(record_offset: Offset, value: &OffsetCommitValueSlice<'_>) -> Self {
        let expire_timestamp = Timestamp(value.expire_timestamp);
        let is_rare = !value.metadata.is_empty() || expire_timestamp != Timestamp::NONE;
        let rare = || Box::new(Rare { metadata: value.metadata.into(), expire_timestamp });
        Self {
            offset: Offset(value.offset),
            record_offset,
            commit_timestamp: Timestamp(value.commit_timestamp),
            topic_id: TopicId(value.topic_id),
            leader_epoch: LeaderEpoch(value.leader_epoch),
            rare: is_rare.then(rare),
        }
    }

    /// What the client wanted to be kept with it.
    pub fn metadata(&self) -> &str {
        self.rare.as_ref().map_or("", |rare| &rare.metadata)
    }

    /// When it expires, if it was committed with a time of its own (OffsetCommit until version 4).
    pub fn expire_timestamp(&self) -> Option<Timestamp> {
        let rare = self.rare.as_ref()?;
        (rare.expire_timestamp != Timestamp::NONE).then_some(rare.expire_timestamp)
    }
}
