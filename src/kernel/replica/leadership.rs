//! What this node is to a partition, under which epoch, and up to where the partition's records are safe.
//!
//! - The leader epoch only rises; a request that names another one is fenced (KIP-320).
//! - The high watermark only rises. It is the end of the log as soon as this node is the only one in sync; with
//!   others in sync it stays, until their fetches move it.
//! - While fewer replicas are in sync than `min.insync.replicas` asks for, it stays too (KIP-966). That number is
//!   capped by the number of replicas, as Kafka's leader does.

use crate::kernel::metadata::image::PartitionRegistration;
use crate::types::epoch::{LeaderEpoch, PartitionEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;
use crate::types::offset::Offset;

/// What this node is to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It takes the writes.
    Leader,
    /// It has a copy.
    Follower,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    role: Role,
    leader_epoch: LeaderEpoch,
    partition_epoch: PartitionEpoch,
    replica_count: u32,
    in_sync_count: u32,
    /// This node is in sync, and it alone.
    alone_in_sync: bool,
    high_watermark: Offset,
}

/// What a change of the metadata made of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// It is led under another epoch than before: those who wait for it must learn that.
    pub new_epoch: bool,
    /// This node begins to lead, or leads on under another epoch: the epoch begins at the end of the log.
    pub begins_to_lead: bool,
}

impl Leadership {
    /// Before the metadata has said anything. `high_watermark` is the last one that is known.
    pub const fn new(high_watermark: Offset) -> Self {
        Self {
            role: Role::Follower,
            leader_epoch: LeaderEpoch::UNKNOWN,
            partition_epoch: PartitionEpoch(-1),
            replica_count: 0,
            in_sync_count: 0,
            alone_in_sync: false,
            high_watermark,
        }
    }

    /// Takes what the metadata says now.
    pub fn change(&mut self, node: NodeId, registration: &PartitionRegistration) -> RoleChange {
        let new_epoch = self.leader_epoch != registration.leader_epoch;
        let was_leader = self.role == Role::Leader;
        let leads = registration.leader == node;
        self.role = if leads { Role::Leader } else { Role::Follower };
        self.leader_epoch = registration.leader_epoch;
        self.partition_epoch = registration.partition_epoch;
        self.replica_count = registration.replicas.len() as u32;
        self.in_sync_count = registration.isr.len() as u32;
        self.alone_in_sync = registration.isr == [node];
        RoleChange { new_epoch, begins_to_lead: leads && (new_epoch || !was_leader) }
    }

    /// Whether this node leads.
    pub const fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader)
    }

    /// The epoch.
    pub const fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Up to where every replica in sync has the records: consumers read no further.
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Whether a request may go on that thinks that the partition is led under `current`; one that does not know
    /// may.
    pub fn check_epoch(&self, current: LeaderEpoch) -> Result<(), ErrorCode> {
        match current {
            LeaderEpoch::UNKNOWN => Ok(()),
            _ if current < self.leader_epoch => Err(ErrorCode::FencedLeaderEpoch),
            _ if current > self.leader_epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// The same, for what only the leader does. The epoch is looked at first, as Kafka does.
    pub fn check_leader(&self, current: LeaderEpoch) -> Result<(), ErrorCode> {
        self.check_epoch(current)?;
        if self.is_leader() { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// Whether enough replicas are in sync for a write that asks for all of them (acks −1).
    pub fn check_in_sync(&self, min_insync_replicas: i32) -> Result<(), ErrorCode> {
        if self.is_under_min_isr(min_insync_replicas) {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        Ok(())
    }

    fn is_under_min_isr(&self, min_insync_replicas: i32) -> bool {
        let wanted = u32::try_from(min_insync_replicas).unwrap_or(0).min(self.replica_count);
        self.in_sync_count < wanted
    }

    /// The log ends at `log_end_offset` now: moves the high watermark as far as that alone can. True if it moved.
    pub fn on_log_end(&mut self, log_end_offset: Offset, min_insync_replicas: i32) -> bool {
        let moves = self.is_leader()
            && self.alone_in_sync
            && !self.is_under_min_isr(min_insync_replicas)
            && log_end_offset > self.high_watermark;
        if moves {
            self.high_watermark = log_end_offset;
        }
        moves
    }

    /// The log begins at `log_start_offset`: what is gone was safe.
    pub fn on_log_start(&mut self, log_start_offset: Offset) {
        self.high_watermark = self.high_watermark.max(log_start_offset);
    }

    /// The log ends at `log_end_offset` and cannot be higher: what was noted of a log that was cut since.
    pub fn cap(&mut self, log_end_offset: Offset) {
        self.high_watermark = self.high_watermark.min(log_end_offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::metadata::image::LeaderRecoveryState;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn registration(leader: NodeId, epoch: i32, isr: &[NodeId]) -> PartitionRegistration {
        PartitionRegistration {
            replicas: vec![ME, OTHER],
            directories: Vec::new(),
            isr: isr.to_vec(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            eligible_leader_replicas: Vec::new(),
            last_known_elr: Vec::new(),
            leader,
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(epoch),
            partition_epoch: PartitionEpoch(0),
        }
    }

    fn led(leader: NodeId, epoch: i32, isr: &[NodeId], high_watermark: i64) -> Leadership {
        let mut leadership = Leadership::new(Offset(high_watermark));
        leadership.change(ME, &registration(leader, epoch, isr));
        leadership
    }

    #[test]
    fn another_epoch_is_fenced_before_the_role_is_looked_at() {
        let check = |leader: NodeId, current: i32, expected: Result<(), ErrorCode>| {
            let leadership = led(leader, 5, &[ME], 0);
            assert_eq!(leadership.check_leader(LeaderEpoch(current)), expected, "{current}");
        };
        check(ME, -1, Ok(()));
        check(ME, 5, Ok(()));
        check(ME, 4, Err(ErrorCode::FencedLeaderEpoch));
        check(ME, 6, Err(ErrorCode::UnknownLeaderEpoch));
        check(OTHER, -1, Err(ErrorCode::NotLeaderOrFollower));
        check(OTHER, 5, Err(ErrorCode::NotLeaderOrFollower));
        check(OTHER, 4, Err(ErrorCode::FencedLeaderEpoch));
        let follower = led(OTHER, 5, &[ME], 0);
        assert_eq!(follower.check_epoch(LeaderEpoch(5)), Ok(()));
    }

    #[test]
    fn a_change_says_what_became_of_the_node() {
        let mut leadership = led(OTHER, 5, &[OTHER], 0);
        let mut check = |leader: NodeId, epoch: i32, new_epoch: bool, begins_to_lead: bool| {
            let change = leadership.change(ME, &registration(leader, epoch, &[ME]));
            assert_eq!(change, RoleChange { new_epoch, begins_to_lead });
            assert_eq!(leadership.is_leader(), leader == ME);
        };
        check(OTHER, 5, false, false);
        check(ME, 6, true, true);
        check(ME, 6, false, false);
        check(ME, 7, true, true);
        check(NodeId::NONE, 8, true, false);
    }

    #[test]
    fn the_high_watermark_follows_the_log_of_the_only_one_in_sync() {
        let mut alone = led(ME, 0, &[ME], 3);
        assert!(!alone.on_log_end(Offset(2), 1));
        assert!(!alone.on_log_end(Offset(3), 1));
        assert!(alone.on_log_end(Offset(9), 1));
        assert_eq!(alone.high_watermark(), Offset(9));
        // Fewer in sync than are asked for.
        assert!(!alone.on_log_end(Offset(10), 2));
        alone.on_log_start(Offset(20));
        assert_eq!(alone.high_watermark(), Offset(20));
        alone.cap(Offset(15));
        assert_eq!(alone.high_watermark(), Offset(15));

        for (leader, isr) in [(ME, &[ME, OTHER][..]), (ME, &[OTHER]), (OTHER, &[ME])] {
            let mut other = led(leader, 0, isr, 3);
            assert!(!other.on_log_end(Offset(9), 1), "{leader:?} {isr:?}");
        }
    }

    #[test]
    fn acks_all_wants_enough_in_sync_but_no_more_than_there_are() {
        let check = |isr: &[NodeId], min: i32, expected: Result<(), ErrorCode>| {
            let leadership = led(ME, 0, isr, 0);
            assert_eq!(leadership.check_in_sync(min), expected, "{isr:?} {min}");
        };
        check(&[ME], 1, Ok(()));
        check(&[ME], 2, Err(ErrorCode::NotEnoughReplicas));
        check(&[ME, OTHER], 2, Ok(()));
        check(&[ME, OTHER], 3, Ok(()));
        check(&[], 1, Err(ErrorCode::NotEnoughReplicas));
    }
}
