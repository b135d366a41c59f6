//! The quorum as others see it: what DescribeQuorum (KIP-595, KIP-836) tells.

use super::voters::{Endpoint, ReplicaKey};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::NodeId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// A voter or an observer, as its leader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaView {
    /// Who it is.
    pub key: ReplicaKey,
    /// Where its log ends; −1 if that is not known.
    pub log_end_offset: Offset,
    /// When it last fetched; −1 if it never did. Of the leader itself this is not looked at: it is always now.
    pub last_fetch: Timestamp,
    /// When it last had all that the leader had; as above.
    pub last_caught_up: Timestamp,
    /// Where it listens, by listener name.
    pub endpoints: Vec<(String, Endpoint)>,
}

/// What is known of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumView {
    /// Who leads; −1 if that is not known.
    pub leader_id: NodeId,
    /// The epoch.
    pub leader_epoch: LeaderEpoch,
    /// The offset after the last record that a majority has.
    pub high_watermark: Offset,
    /// 1 where the voters are in the log (KIP-853).
    pub kraft_version: i16,
    /// Who votes.
    pub voters: Vec<ReplicaView>,
    /// Who only reads.
    pub observers: Vec<ReplicaView>,
}

impl Default for QuorumView {
    /// Before anything is known.
    fn default() -> Self {
        Self {
            leader_id: NodeId::NONE,
            leader_epoch: LeaderEpoch(0),
            high_watermark: Offset::UNKNOWN,
            kraft_version: 0,
            voters: Vec::new(),
            observers: Vec::new(),
        }
    }
}
