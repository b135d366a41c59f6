//! Which offsets have been kept long enough (KIP-211).

use super::{Offsets, tombstone};
use crate::kernel::groups::classic::offsets::OffsetsExpire;
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::groups::GroupRecord;

/// What of a group's offsets is left once those that have expired are gone.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Left {
    /// Nothing: a group without members is at its end.
    Nothing,
    /// Something, or an open transaction which may still commit something.
    Something,
}

impl Offsets {
    /// Adds what deletes the offsets of a group which have expired: those of topics that it does not read, and for
    /// which nothing is pending.
    pub fn expire(
        &self,
        group: &str,
        expire: OffsetsExpire,
        is_subscribed: &dyn Fn(&str) -> bool,
        now: Timestamp,
        retention_ms: i64,
        records: &mut Vec<GroupRecord>,
    ) -> Left {
        let is_open = self.open.group(group).is_some();
        let Some(topics) = self.committed.group(group) else {
            return if is_open { Left::Something } else { Left::Nothing };
        };
        let empty_since = match expire {
            OffsetsExpire::Never => return Left::Something,
            OffsetsExpire::AfterCommit => None,
            OffsetsExpire::After(since) => Some(since),
        };
        let mut expired = Vec::new();
        let mut left = if is_open { Left::Something } else { Left::Nothing };
        for (topic, partitions) in topics {
            let topic = topic.as_str();
            if is_subscribed(topic) {
                left = Left::Something;
                continue;
            }
            for (&index, committed) in partitions {
                let is_expired = committed.expire_timestamp().map_or_else(
                    || {
                        let since = empty_since.unwrap_or(committed.commit_timestamp);
                        now.0.saturating_sub(since.0) >= retention_ms
                    },
                    |at| now >= at,
                );
                if is_expired && !self.is_open(group, topic, index) {
                    expired.push((topic, index));
                } else {
                    left = Left::Something;
                }
            }
        }
        expired.sort_unstable();
        records.extend(expired.into_iter().map(|(topic, index)| tombstone(group, topic, index)));
        left
    }
}
