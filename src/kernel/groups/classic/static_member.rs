//! Static members (KIP-345): one that comes back within its session takes the place that it had, under a new id, and if
//! the group is stable and stays what it is, nobody else notices.

use kafka_protocol::messages::JoinGroupResponse;
use kafka_protocol::protocol::StrBytes;

use super::group::State;
use super::join::client_reason;
use super::record;
use super::step::{Step, join_error};
use crate::kernel::groups::requests::{JoinGroup, owned, write};
use crate::kernel::machine::CallId;
use crate::types::error_code::ErrorCode;

/// From here on a leader can be told that it leads and need not assign (KIP-814).
const FIRST_WITH_SKIP_ASSIGNMENT: i16 = 9;

impl Step<'_, '_> {
    /// A client without an id joins under the name of a member.
    pub(super) fn replace_static_member(
        &mut self,
        call: CallId,
        join: &JoinGroup,
        old_id: &StrBytes,
        new_id: &StrBytes,
    ) {
        let old_leader = self.group.leader.clone().unwrap_or_default();
        self.fence(old_id, new_id);
        // Its session is what it was, until it is told of its new one.
        self.keep_alive(new_id);
        self.update_member(call, join, new_id);
        let reason = client_reason(join);
        match self.group.state {
            State::Stable if self.group.select_protocol() == self.group.protocol_name => {
                self.rejoin_unnoticed(join.version, new_id, old_leader);
            }
            // The old id may be with the leader already, and the new one would be assigned nothing.
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(reason),
            State::PreparingRebalance | State::Empty => self.maybe_complete_join(),
        }
    }

    /// Whoever uses the old id is told that there is another.
    fn fence(&mut self, old_id: &StrBytes, new_id: &StrBytes) {
        let Some(old) = self.group.replace_static(old_id, new_id.clone()) else { return };
        let error = ErrorCode::FencedInstanceId;
        if let Some(call) = old.awaiting_join {
            self.reply_join(call, join_error(old_id.clone(), error));
        }
        if let Some(call) = old.awaiting_sync {
            self.refuse_sync(call, error);
        }
    }

    /// The member goes on in the generation that there is, once its new id is in the log. Before version 9 a leader was
    /// told of its old id as the leader's, so that it does not assign.
    fn rejoin_unnoticed(&mut self, version: i16, id: &StrBytes, old_leader: StrBytes) {
        let is_leader = self.group.is_leader(id);
        let response: JoinGroupResponse = if version >= FIRST_WITH_SKIP_ASSIGNMENT {
            self.joined(owned(id), is_leader).with_skip_assignment(is_leader)
        } else {
            self.joined(owned(id), false).with_leader(old_leader)
        };
        if let Some(call) = self.group.unpark_join(id) {
            self.reply_join(call, response);
        }
        write(self.output, record::of(self.group));
    }
}
