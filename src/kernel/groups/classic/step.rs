//! One step on one group: the group, what may be looked at, and what comes of it.

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::group::ClassicGroup;
use crate::kernel::groups::requests::{GroupOutput, GroupReply};
use crate::kernel::machine::{CallId, Env};
use crate::types::error_code::ErrorCode;

/// No generation, on the wire.
const NO_GENERATION: i32 = -1;

/// See the module.
pub(super) struct Step<'a, 'e> {
    pub(super) group: &'a mut ClassicGroup,
    pub(super) env: &'a mut Env<'e>,
    pub(super) output: &'a mut GroupOutput,
}

impl Step<'_, '_> {
    pub(super) fn reply_join(&mut self, call: CallId, response: JoinGroupResponse) {
        self.output.replies.push((call, GroupReply::JoinGroup(Box::new(response))));
    }

    pub(super) fn refuse_join(&mut self, call: CallId, member_id: StrBytes, error: ErrorCode) {
        self.reply_join(call, join_error(member_id, error));
    }

    pub(super) fn reply_sync(&mut self, call: CallId, response: SyncGroupResponse) {
        self.output.replies.push((call, GroupReply::SyncGroup(Box::new(response))));
    }

    pub(super) fn refuse_sync(&mut self, call: CallId, error: ErrorCode) {
        self.reply_sync(call, sync_error(error));
    }

    /// What a member is told about the group's generation.
    pub(super) fn joined(&self, member_id: StrBytes, with_members: bool) -> JoinGroupResponse {
        let members = if with_members { self.listed_members() } else { Vec::new() };
        JoinGroupResponse::default()
            .with_generation_id(self.group.generation)
            .with_protocol_type(self.group.protocol_type.clone())
            .with_protocol_name(self.group.protocol_name.clone())
            .with_leader(self.group.leader.clone().unwrap_or_default())
            .with_member_id(member_id)
            .with_members(members)
    }

    /// The members and what they say for the chosen protocol, for the leader to assign by.
    fn listed_members(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.group.protocol_name.as_deref().unwrap_or_default();
        let members = self.group.members.values();
        members
            .map(|member| {
                JoinGroupResponseMember::default()
                    .with_member_id(member.id.clone())
                    .with_group_instance_id(member.instance_id.clone())
                    .with_metadata(member.metadata(protocol))
            })
            .collect()
    }

    /// A member or an id that was given out goes. What waits for it is told that it is not known any more, so that a
    /// client which is still there begins anew.
    pub(super) fn remove(&mut self, id: &str) {
        let Some(member) = self.group.remove(id) else { return };
        if let Some(call) = member.awaiting_join {
            self.refuse_join(call, StrBytes::new(), ErrorCode::UnknownMemberId);
        }
        if let Some(call) = member.awaiting_sync {
            self.refuse_sync(call, ErrorCode::UnknownMemberId);
        }
    }

    /// A member has shown a sign of life.
    pub(super) fn keep_alive(&mut self, id: &str) {
        if let Some(member) = self.group.member(id) {
            let end = self.env.now.mono.after(member.session_timeout());
            self.group.begin_session(id, end);
        }
    }
}

/// JoinGroup's answer to a member that is refused.
pub fn join_error(member_id: StrBytes, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(NO_GENERATION)
        .with_protocol_name(None)
        .with_member_id(member_id)
}

/// SyncGroup's answer to a member that is refused.
pub fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(error.code()).with_assignment(Bytes::new())
}
