//! Heartbeat: a member is alive, and learns whether it is to join again. It costs a look-up and no allocation.

use kafka_protocol::messages::HeartbeatRequest;

use super::group::{ClassicGroup, State};
use crate::kernel::groups::table::Groups;
use crate::types::error_code::ErrorCode;
use crate::types::time::Now;

/// Decides a Heartbeat.
pub fn heartbeat(groups: &mut Groups, now: Now, request: &HeartbeatRequest) -> ErrorCode {
    let beat = groups.update_classic(&request.group_id, |group| group.heartbeat(now, request));
    beat.unwrap_or(ErrorCode::UnknownMemberId)
}

impl ClassicGroup {
    fn heartbeat(&mut self, now: Now, request: &HeartbeatRequest) -> ErrorCode {
        let instance_id = request.group_instance_id.as_deref();
        if let Err(error) = self.check_member(&request.member_id, instance_id) {
            return error;
        }
        if request.generation_id != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.keep_alive(&request.member_id, now);
        match self.state {
            State::Empty => ErrorCode::UnknownMemberId,
            State::PreparingRebalance => ErrorCode::RebalanceInProgress,
            State::CompletingRebalance | State::Stable => ErrorCode::None,
        }
    }

    /// A member has shown a sign of life: by a heartbeat, or by committing offsets.
    pub fn keep_alive(&mut self, member_id: &str, now: Now) {
        let Some(member) = self.member_mut(member_id) else { return };
        let end = now.mono.after(member.session_timeout());
        member.session_end = Some(end);
        self.wake_at(end);
    }
}
