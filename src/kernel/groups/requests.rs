//! What a shard is asked, and what it replies: Kafka's messages, and beside them what the message does not say.
//!
//! Requests may be slices of a frame: what is kept of them is copied.

use std::convert::Infallible;
use std::net::IpAddr;

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerDescribedGroup;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    OffsetDeleteRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::offsets::{
    CommitReply, CommitRequest, DeleteReply, FetchReply, FetchRequest, TxnCommitRequest,
};
use crate::kernel::machine::{Output, Write};
use crate::wire::coordinator_records::groups::GroupRecord;

/// What a shard decides.
pub type GroupOutput = Output<GroupRecord, GroupReply, Infallible>;

/// What a shard is asked.
#[derive(Debug)]
pub enum GroupRequest {
    /// A member joins, or joins again.
    JoinGroup(Box<JoinGroup>),
    /// A member fetches its assignment; the leader brings those of all.
    SyncGroup(Box<SyncGroupRequest>),
    /// A member is alive.
    Heartbeat(HeartbeatRequest),
    /// Members leave. Versions below 3 have become a list of one.
    LeaveGroup(Box<LeaveGroupRequest>),
    /// What some groups look like.
    DescribeGroups(DescribeGroups),
    /// Which groups there are.
    ListGroups(GroupFilter),
    /// Groups are deleted, with their offsets.
    DeleteGroups(Vec<StrBytes>),
    /// Offsets are committed.
    OffsetCommit(Box<CommitRequest>),
    /// Offsets are committed if a transaction is.
    TxnOffsetCommit(Box<TxnCommitRequest>),
    /// What a group has committed.
    OffsetFetch(Box<FetchRequest>),
    /// Offsets are deleted.
    OffsetDelete(OffsetDeleteRequest),
    /// A member of a consumer group joins, is alive, or leaves.
    ConsumerGroupHeartbeat(Box<ConsumerGroupHeartbeat>),
    /// What some consumer groups look like.
    ConsumerGroupDescribe(Vec<StrBytes>),
}

/// What a shard replies.
#[derive(Debug, PartialEq)]
pub enum GroupReply {
    /// See [`GroupRequest::JoinGroup`].
    JoinGroup(Box<JoinGroupResponse>),
    /// See [`GroupRequest::SyncGroup`].
    SyncGroup(Box<SyncGroupResponse>),
    /// See [`GroupRequest::Heartbeat`].
    Heartbeat(HeartbeatResponse),
    /// See [`GroupRequest::LeaveGroup`].
    LeaveGroup(LeaveGroupResponse),
    /// One for each group that was named, in that order.
    DescribeGroups(Vec<DescribedGroup>),
    /// In the order of the ids.
    ListGroups(Vec<ListedGroup>),
    /// One for each group that was named, in that order.
    DeleteGroups(Vec<DeletableGroupResult>),
    /// See [`GroupRequest::OffsetCommit`] and [`GroupRequest::TxnOffsetCommit`].
    OffsetCommit(CommitReply),
    /// See [`GroupRequest::OffsetFetch`].
    OffsetFetch(FetchReply),
    /// See [`GroupRequest::OffsetDelete`].
    OffsetDelete(DeleteReply),
    /// See [`GroupRequest::ConsumerGroupHeartbeat`].
    ConsumerGroupHeartbeat(Box<ConsumerGroupHeartbeatResponse>),
    /// One for each group that was named, in that order.
    ConsumerGroupDescribe(Vec<ConsumerDescribedGroup>),
}

/// JoinGroup, and who sends it.
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// The request. In version 0, which has no rebalance timeout, that is the session timeout.
    pub request: JoinGroupRequest,
    /// Its version: from 4 on a new member is given an id first (KIP-394), from 9 on a static leader is told not to
    /// assign (KIP-814).
    pub version: i16,
    /// What the client calls itself; empty if it does not.
    pub client_id: StrBytes,
    /// Its address.
    pub client_address: IpAddr,
}

/// ConsumerGroupHeartbeat, and who sends it. The request has passed the checks that need no group.
#[derive(Clone, Debug)]
pub struct ConsumerGroupHeartbeat {
    /// The request.
    pub request: ConsumerGroupHeartbeatRequest,
    /// What the client calls itself; empty if it does not.
    pub client_id: StrBytes,
    /// Its address.
    pub client_address: IpAddr,
}

/// DescribeGroups, for the groups of one shard.
#[derive(Clone, Debug)]
pub struct DescribeGroups {
    /// Their ids.
    pub groups: Vec<StrBytes>,
    /// The version: from 6 on a group that does not exist is an error (KIP-1043).
    pub version: i16,
}

/// Which groups are listed. Nothing given is no filter.
#[derive(Clone, Debug, Default)]
pub struct GroupFilter {
    /// Names of states in small letters, without spaces around them (KIP-518).
    pub states: Vec<String>,
    /// The kinds of groups by their names in small letters (KIP-848); a name that Kafka does not know matches none.
    pub types: Vec<String>,
}

impl GroupFilter {
    /// Whether a group in this state (as Kafka writes it) and of this type passes.
    pub fn matches(&self, state: &str, group_type: &str) -> bool {
        let passes = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|it| it.eq_ignore_ascii_case(name))
        };
        passes(&self.states, state) && passes(&self.types, group_type)
    }
}

/// A copy that pins no frame.
pub fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Writes one record, in a batch of its own.
pub fn write(output: &mut GroupOutput, record: GroupRecord) {
    output.writes.push(Write { records: vec![record], transaction: None });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_passes_what_it_names() {
        let filter = |states: &[&str], types: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            GroupFilter { states: owned(states), types: owned(types) }
        };
        let check = |filter: GroupFilter, expected| {
            assert_eq!(filter.matches("Stable", "classic"), expected, "{filter:?}");
        };
        check(filter(&[], &[]), true);
        check(filter(&["stable"], &[]), true);
        check(filter(&["empty", "stable"], &["classic"]), true);
        check(filter(&["empty"], &[]), false);
        check(filter(&[], &["consumer"]), false);
        check(filter(&["stable"], &["consumer"]), false);
        check(filter(&["sta"], &[]), false);
    }
}
