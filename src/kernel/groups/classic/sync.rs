//! SyncGroup: a member asks for its assignment, the leader brings those of all, and what it brings is written down
//! before anyone learns of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::group::State;
use super::member::copied;
use super::record;
use super::step::{Step, sync_error};
use crate::kernel::groups::requests::{GroupOutput, GroupReply, write};
use crate::kernel::groups::table::Groups;
use crate::kernel::machine::{CallId, Env};
use crate::types::error_code::ErrorCode;

/// Decides a SyncGroup.
pub fn sync(
    groups: &mut Groups,
    env: &mut Env<'_>,
    output: &mut GroupOutput,
    call: CallId,
    request: &SyncGroupRequest,
) {
    let known = groups.update_classic(&request.group_id, |group| {
        Step { group, env, output: &mut *output }.sync(call, request);
    });
    if known.is_none() {
        let response = sync_error(ErrorCode::UnknownMemberId);
        output.replies.push((call, GroupReply::SyncGroup(Box::new(response))));
    }
}

impl Step<'_, '_> {
    fn sync(&mut self, call: CallId, request: &SyncGroupRequest) {
        if let Err(error) = self.check_sync(request) {
            self.refuse_sync(call, error);
            return;
        }
        match self.group.state {
            State::Empty => self.refuse_sync(call, ErrorCode::UnknownMemberId),
            State::PreparingRebalance => self.refuse_sync(call, ErrorCode::RebalanceInProgress),
            State::CompletingRebalance => {
                self.has_asked(&request.member_id);
                let member = self.group.member_mut(&request.member_id);
                if let Some(before) = member.and_then(|it| it.awaiting_sync.replace(call)) {
                    // Kafka forgets it. Whoever sent it has sent another meanwhile.
                    self.refuse_sync(before, ErrorCode::RebalanceInProgress);
                }
                if self.group.is_leader(&request.member_id) {
                    self.assign(request);
                }
            }
            State::Stable => {
                self.has_asked(&request.member_id);
                let member = self.group.member(&request.member_id);
                let assignment = member.map(|it| it.assignment.clone()).unwrap_or_default();
                let response = self.synced().with_assignment(assignment);
                self.reply_sync(call, response);
            }
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let group = &self.group;
        group.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        let differs = |asked: &Option<StrBytes>, own: &Option<StrBytes>| {
            asked.as_ref().zip(own.as_ref()).is_some_and(|(asked, own)| asked != own)
        };
        if request.generation_id != group.generation {
            Err(ErrorCode::IllegalGeneration)
        } else if differs(&request.protocol_type, &group.protocol_type)
            || differs(&request.protocol_name, &group.protocol_name)
        {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else {
            Ok(())
        }
    }

    /// One less is waited for.
    fn has_asked(&mut self, member_id: &str) {
        if let Some(member) = self.group.member_mut(member_id) {
            member.is_sync_pending = false;
        }
        if self.group.members.values().all(|member| !member.is_sync_pending) {
            self.group.sync_timer = None;
        }
    }

    /// What a member is told beside its assignment.
    fn synced(&self) -> SyncGroupResponse {
        SyncGroupResponse::default()
            .with_protocol_type(self.group.protocol_type.clone())
            .with_protocol_name(self.group.protocol_name.clone())
    }

    /// The leader has assigned. The group is stable once that is in the log ([`record::replay`]); the answers leave once
    /// it is committed. Who is not assigned anything has nothing; what is assigned to others is passed over.
    fn assign(&mut self, request: &SyncGroupRequest) {
        let parts = request.assignments.iter();
        let parts: BTreeMap<&str, &Bytes> =
            parts.map(|part| (part.member_id.as_str(), &part.assignment)).collect();
        let response = self.synced();
        self.give_assignments(
            |id| parts.get(id).map(|part| copied(part)).unwrap_or_default(),
            &response,
        );
        write(self.output, record::of(self.group));
    }
}
