//! The machine: which role this node has in which epoch, and what its role obliges it to write.
//!
//! Rules kept here, each because of what breaks without it:
//! - An epoch is never used twice: the first one after a start lies above the epoch of `quorum-state` and above that of
//!   the last record, since a record is known by (offset, epoch) alone and what was not flushed may be lost.
//! - Epoch, vote and leadership are on disk before anything is written or said in that epoch.
//! - The first record of an epoch is a LeaderChange; the high watermark moves only past it (KIP-595).
//! - A voter set counts from the moment it is appended (KIP-853).

use bytes::Bytes;

use super::control::ControlRecord;
use super::quorum_state::QuorumState;
use super::voters::{ReplicaKey, Voter, VoterSet};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::NodeId;
use crate::types::offset::Offset;

/// Where the voters came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VotersOrigin {
    /// `controller.quorum.voters`: kraft.version 0.
    Config,
    /// The snapshot 0-0 that `format` left: the first leader copies them into the log.
    Bootstrap,
    /// A record of the log, or a snapshot of it.
    Log,
}

/// What the machine is told when it starts.
#[derive(Clone, Debug)]
pub struct RaftStart {
    /// This node, with its directory, and where its controller listens.
    pub local: Voter,
    /// The latest voters.
    pub voters: VoterSet,
    /// Where they came from.
    pub voters_origin: VotersOrigin,
    /// 1 where the voters are in the log.
    pub kraft_version: i16,
    /// The content of `quorum-state`, where there is one.
    pub quorum_state: Option<QuorumState>,
    /// The epoch of the last record, or of the snapshot that the log starts after.
    pub last_epoch: LeaderEpoch,
    /// The end of the log.
    pub log_end: Offset,
}

/// A quorum that this node cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RaftError {
    /// Neither a config nor the log names a voter.
    #[error("no quorum: set controller.quorum.voters, or format the directory with --standalone")]
    NoVoters,
    /// The voters are others, or more than this node.
    #[error(
        "the quorum's voters are the nodes {voters}, and this is node {local}: a quorum of several nodes is not supported yet"
    )]
    OtherVoters {
        /// Their ids.
        voters: String,
        /// Ours.
        local: NodeId,
    },
    /// The log names this node with another directory: what that directory promised is gone.
    #[error("node {0} is a voter with another directory id than that of the metadata directory")]
    OtherDirectory(NodeId),
    /// Written by a later release.
    #[error("kraft.version {0} is not supported")]
    KRaftVersion(i16),
}

/// What must happen, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Replace `quorum-state`, durably, before anything that follows.
    PersistQuorumState {
        /// The new content.
        state: QuorumState,
        /// Decides the file's version.
        kraft_version: i16,
    },
    /// Append these as one control batch.
    AppendControl {
        /// The batch's epoch.
        epoch: LeaderEpoch,
        /// Its records.
        records: Vec<ControlRecord>,
    },
    /// Append this batch of metadata records.
    Append {
        /// The batch's epoch.
        epoch: LeaderEpoch,
        /// One whole batch.
        batch: Bytes,
    },
    /// Flush the log, then report [`Raft::on_flushed`].
    Flush,
    /// Everything below this offset is committed.
    Committed(Offset),
}

/// What this node is, in the epoch that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It knows an epoch, perhaps a vote, and leads nothing.
    Unattached {
        /// Whom it voted for in this epoch.
        voted: Option<ReplicaKey>,
    },
    /// It asks for votes, and has its own.
    Candidate,
    /// It leads.
    Leader {
        /// The offset of the epoch's LeaderChange record.
        epoch_start: Offset,
    },
    /// It led this epoch and may not lead or vote in it again.
    Resigned,
}

/// One member of the quorum.
#[derive(Debug)]
pub struct Raft {
    local: Voter,
    voters: VoterSet,
    voters_origin: VotersOrigin,
    kraft_version: i16,
    epoch: LeaderEpoch,
    role: Role,
    log_end: Offset,
    high_watermark: Option<Offset>,
}

/// Only a leader appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node does not lead the metadata quorum")]
pub struct NotLeader;

impl Raft {
    /// Takes up where the files left off; nothing is written yet.
    pub fn new(start: RaftStart) -> Result<Self, RaftError> {
        check_voters(&start)?;
        let state = start.quorum_state.unwrap_or_default();
        let local = start.local.key;
        let (epoch, role) = if state.epoch < start.last_epoch {
            // The file is older than the log, or missing: what was voted since is not known.
            (start.last_epoch, Role::Unattached { voted: None })
        } else if state.leader == Some(local.id) {
            (state.epoch, Role::Resigned)
        } else if state.voted.is_some_and(|voted| voted.id == local.id) {
            (state.epoch, Role::Candidate)
        } else {
            (state.epoch, Role::Unattached { voted: state.voted })
        };
        Ok(Self {
            local: start.local,
            voters: start.voters,
            voters_origin: start.voters_origin,
            kraft_version: start.kraft_version,
            epoch,
            role,
            log_end: start.log_end,
            high_watermark: None,
        })
    }

    /// The latest epoch this node knows.
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        matches!(self.role, Role::Leader { .. }).then_some(self.local.key.id)
    }

    /// The latest voters.
    pub const fn voters(&self) -> &VoterSet {
        &self.voters
    }

    /// The quorum's `kraft.version`.
    pub const fn kraft_version(&self) -> i16 {
        self.kraft_version
    }

    /// Everything below is committed; none until this epoch's leader knows.
    pub const fn high_watermark(&self) -> Option<Offset> {
        self.high_watermark
    }

    /// Stands for election in the next epoch. A node which is all of the quorum has a majority at once.
    pub fn elect(&mut self) -> Vec<Effect> {
        if matches!(self.role, Role::Leader { .. }) {
            return Vec::new();
        }
        self.epoch = self.epoch.next();
        self.role = Role::Candidate;
        // With other voters the vote for itself is persisted here, before they are asked. With none, nobody can
        // see the candidate: the leader's state follows at once and replaces it, for half of the cost.
        self.lead()
    }

    fn lead(&mut self) -> Vec<Effect> {
        let local = self.local.key.id;
        self.role = Role::Leader { epoch_start: self.log_end };
        self.high_watermark = None;
        let mut records = vec![ControlRecord::LeaderChange {
            leader: local,
            voters: self.voters.ids().collect(),
            granting: vec![local],
        }];
        if self.kraft_version >= 1 {
            let updated = self.voters.with_updated(&self.local);
            if updated.is_some() || self.voters_origin != VotersOrigin::Log {
                self.voters = updated.unwrap_or_else(|| self.voters.clone());
                self.voters_origin = VotersOrigin::Log;
                records.push(ControlRecord::KRaftVersion(self.kraft_version));
                records.push(ControlRecord::Voters(self.voters.clone()));
            }
        }
        vec![
            self.persist(Some(local)),
            Effect::AppendControl { epoch: self.epoch, records },
            Effect::Flush,
        ]
    }

    const fn persist(&self, leader: Option<NodeId>) -> Effect {
        let state = QuorumState { epoch: self.epoch, leader, voted: None };
        Effect::PersistQuorumState { state, kraft_version: self.kraft_version }
    }

    /// A leader appends batches of metadata records, flushed once before they are committed.
    pub fn propose(&self, batches: Vec<Bytes>) -> Result<Vec<Effect>, NotLeader> {
        if !matches!(self.role, Role::Leader { .. }) {
            return Err(NotLeader);
        }
        let epoch = self.epoch;
        let appends = batches.into_iter().map(|batch| Effect::Append { epoch, batch });
        Ok(appends.chain([Effect::Flush]).collect())
    }

    /// The log has been flushed up to `end`. The only voter's flush is the majority's.
    pub fn on_flushed(&mut self, end: Offset) -> Option<Effect> {
        self.log_end = self.log_end.max(end);
        let Role::Leader { epoch_start } = self.role else {
            return None;
        };
        let moves = end > epoch_start && self.high_watermark.is_none_or(|mark| end > mark);
        moves.then(|| {
            self.high_watermark = Some(end);
            Effect::Committed(end)
        })
    }

    /// Stops leading: nothing more is appended in this epoch. The file keeps naming this node, so that the next
    /// start resigns from the epoch, too.
    pub fn resign(&mut self) {
        if matches!(self.role, Role::Leader { .. }) {
            self.role = Role::Resigned;
        }
    }
}

fn check_voters(start: &RaftStart) -> Result<(), RaftError> {
    if !(0..=super::voters::KRAFT_VERSION_MAX).contains(&start.kraft_version) {
        return Err(RaftError::KRaftVersion(start.kraft_version));
    }
    let local = start.local.key;
    if start.voters.0.is_empty() {
        return Err(RaftError::NoVoters);
    }
    if start.voters.is_only_voter(local) {
        return Ok(());
    }
    if start.voters.0.len() == 1 && start.voters.0.contains_key(&local.id) {
        return Err(RaftError::OtherDirectory(local.id));
    }
    Err(RaftError::OtherVoters { voters: start.voters.to_string(), local: local.id })
}
