//! What a group has to say to offsets: who may commit, and when they expire.

use super::group::{ClassicGroup, State};
use crate::types::error_code::ErrorCode;
use crate::types::time::Timestamp;

/// From when on the retention time of a group's offsets counts (KIP-211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetsExpire {
    /// They do not: members use them.
    Never,
    /// From the commit of each, if none of the members subscribes to its topic.
    AfterCommit,
    /// All of them from when the group became empty.
    After(Timestamp),
}

impl ClassicGroup {
    /// Whether offsets may be committed by whom a request says. Commits of transactions that carry no member, as
    /// older ones do, are always accepted (KIP-447).
    pub fn check_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        is_transactional: bool,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.is_empty() {
            // An administrator, or a consumer that assigns partitions to itself.
            return Ok(());
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.check_member(member_id, instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !is_transactional && !self.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if !is_transactional && self.state == State::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Whether a commit is a sign of life: not while the group waits for the leader's assignment.
    pub fn commits_keep_alive(&self) -> bool {
        matches!(self.state, State::Stable | State::PreparingRebalance)
    }

    /// Whether offsets may be deleted: of a group with members only consumers', whose topics are known.
    pub fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() || self.has_consumers() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether the group may be deleted.
    pub fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether members subscribe to a topic. Of consumers that say what cannot be read it is supposed.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic.as_bytes()),
            None => self.has_consumers(),
        }
    }

    /// When its offsets expire.
    pub fn offsets_expire(&self) -> OffsetsExpire {
        if self.protocol_type.is_none() {
            return OffsetsExpire::AfterCommit;
        }
        match self.state {
            State::Empty => self.since.map_or(OffsetsExpire::AfterCommit, OffsetsExpire::After),
            State::Stable if self.has_consumers() && self.subscribed.is_some() => {
                OffsetsExpire::AfterCommit
            }
            _ => OffsetsExpire::Never,
        }
    }
}
