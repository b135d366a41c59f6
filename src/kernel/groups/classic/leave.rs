//! LeaveGroup: members leave, by their ids or their own names, several at once (KIP-345), and say why (KIP-800).

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::group::State;
use super::step::Step;
use crate::kernel::groups::requests::GroupOutput;
use crate::kernel::groups::table::Groups;
use crate::kernel::machine::Env;
use crate::types::error_code::ErrorCode;

/// Decides a LeaveGroup.
pub fn leave(
    groups: &mut Groups,
    env: &mut Env<'_>,
    output: &mut GroupOutput,
    request: &LeaveGroupRequest,
) -> LeaveGroupResponse {
    let left = groups.update_classic(&request.group_id, |group| {
        Step { group, env, output }.leave(&request.members)
    });
    let members = left.unwrap_or_else(|| {
        let unknown = |member| answer(member, ErrorCode::UnknownMemberId);
        request.members.iter().map(unknown).collect()
    });
    LeaveGroupResponse::default().with_members(members)
}

fn answer(member: &MemberIdentity, error: ErrorCode) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(member.member_id.clone())
        .with_group_instance_id(member.group_instance_id.clone())
        .with_error_code(error.code())
}

impl Step<'_, '_> {
    fn leave(&mut self, members: &[MemberIdentity]) -> Vec<MemberResponse> {
        let mut someone_left = false;
        let mut answers = Vec::with_capacity(members.len());
        for member in members {
            let error = self.leave_one(member).err().unwrap_or(ErrorCode::None);
            someone_left |= error == ErrorCode::None;
            answers.push(answer(member, error));
        }
        if someone_left {
            match self.group.state {
                State::Stable | State::CompletingRebalance => {
                    self.prepare_rebalance("a member has left");
                }
                State::PreparingRebalance => self.maybe_complete_join(),
                State::Empty => {}
            }
        }
        answers
    }

    fn leave_one(&mut self, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance_id = member.group_instance_id.as_deref();
        let id = if member.member_id.is_empty() {
            // An administrator removes a static member, of which only the name is known.
            let id = instance_id.and_then(|name| self.group.static_member(name));
            id.ok_or(ErrorCode::UnknownMemberId)?.clone()
        } else {
            if !self.group.is_pending(&member.member_id) {
                self.group.check_member(&member.member_id, instance_id)?;
            }
            member.member_id.clone()
        };
        let reason = member.reason.as_deref().unwrap_or("not provided");
        tracing::debug!(group = &*self.group.id, member = &*id, reason, "leaves");
        self.remove(&id);
        Ok(())
    }
}
