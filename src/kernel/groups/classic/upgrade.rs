//! A classic group on its way to become a consumer group, and one that was one (KIP-848).

use kafka_protocol::protocol::StrBytes;

use super::group::ClassicGroup;
use super::step::Step;
use crate::kernel::groups::consumer::migration::{ClassicMemberSnapshot, ClassicSnapshot};
use crate::kernel::groups::requests::GroupOutput;
use crate::kernel::groups::table::Groups;
use crate::kernel::machine::Env;
use crate::types::error_code::ErrorCode;

impl ClassicGroup {
    /// What of the group outlives it.
    pub fn snapshot(&self) -> ClassicSnapshot {
        let text = |text: &Option<StrBytes>| text.as_deref().map(str::to_owned);
        let members = self.members.values().map(|member| {
            let protocols = member.protocols.names().map(|name| {
                let metadata = member.protocols.metadata(name).cloned().unwrap_or_default();
                (name.to_string(), metadata)
            });
            ClassicMemberSnapshot {
                id: member.id.to_string(),
                instance_id: text(&member.instance_id),
                client_id: member.client_id.to_string(),
                client_host: member.client_host.to_string(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: member.session_timeout_ms,
                protocols: protocols.collect(),
                assignment: member.assignment.clone(),
            }
        });
        ClassicSnapshot {
            generation: self.generation,
            protocol_type: text(&self.protocol_type),
            protocol_name: text(&self.protocol_name),
            members: members.collect(),
        }
    }
}

/// Whoever waits in a group is told to join again, because the group becomes another one.
pub fn refuse_all(groups: &mut Groups, env: &mut Env<'_>, output: &mut GroupOutput, id: &str) {
    groups.update_classic(id, |group| {
        let mut step = Step { group, env, output };
        let ids: Vec<StrBytes> = step.group.members.keys().cloned().collect();
        for id in ids {
            if let Some(call) = step.group.unpark_join(&id) {
                step.refuse_join(call, id.clone(), ErrorCode::RebalanceInProgress);
            }
            let sync = step.group.member_mut(&id).and_then(|member| member.awaiting_sync.take());
            if let Some(call) = sync {
                step.refuse_sync(call, ErrorCode::RebalanceInProgress);
            }
        }
    });
}

/// Members are to join again.
pub fn rebalance(
    groups: &mut Groups,
    env: &mut Env<'_>,
    output: &mut GroupOutput,
    id: &str,
    reason: &str,
) {
    groups.update_classic(id, |group| {
        Step { group, env, output }.prepare_rebalance(reason);
    });
}
