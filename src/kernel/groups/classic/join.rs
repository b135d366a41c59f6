//! JoinGroup: who is let in, and under which id.

use std::net::IpAddr;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use uuid::Builder;

use super::group::{ClassicGroup, State};
use super::member::{Member, Protocols, duration};
use super::record;
use super::step::{Step, join_error};
use super::timers::size_max;
use crate::kernel::groups::requests::{GroupOutput, GroupReply, JoinGroup, owned, write};
use crate::kernel::groups::table::{Group, Groups, MEMBERS_BYTES_MAX, STRANGERS_BYTES_MAX, Weight};
use crate::kernel::machine::{CallId, Env};
use crate::types::error_code::ErrorCode;

/// From here on a new member is given an id before it may join (KIP-394).
const FIRST_WITH_KNOWN_MEMBER_ID: i16 = 4;

/// How long a new member may wait for the others before it is given up: its client may have gone.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;

/// A member id is no longer than a text may be on the wire.
const MEMBER_ID_BYTES_MAX: usize = i16::MAX as usize;

/// Decides a JoinGroup. A group that does not exist is made for a client that has no id yet.
pub fn join(
    groups: &mut Groups,
    env: &mut Env<'_>,
    output: &mut GroupOutput,
    call: CallId,
    join: &JoinGroup,
) {
    let member_id = &join.request.member_id;
    let group_id = join.request.group_id.as_str();
    let is_new = groups.get(group_id).is_none();
    let refusal = if is_new && !member_id.is_empty() {
        Some(ErrorCode::UnknownMemberId)
    } else if !has_room(groups.weight()) {
        Some(ErrorCode::CoordinatorNotAvailable)
    } else {
        None
    };
    if let Some(error) = refusal {
        let response = join_error(owned(member_id), error);
        output.replies.push((call, GroupReply::JoinGroup(Box::new(response))));
        return;
    }
    if is_new {
        let group = ClassicGroup::new(group_id, env.now.wall);
        groups.insert(Group::Classic(Box::new(group)));
    }
    let writes = output.writes.len();
    groups.update_classic(group_id, |group| {
        // What is written of a new group is how it was made, whatever came of it since.
        let made = is_new.then(|| record::of(group));
        Step { group, env, output: &mut *output }.join(call, join);
        if let Some(made) = made.filter(|_| output.writes.len() == writes) {
            write(output, made);
        }
    });
}

/// Whether a shard takes new members and groups. Kafka has no such bound; whoever is refused looks for the coordinator
/// anew and tries again.
const fn has_room(weight: Weight) -> bool {
    weight.members < MEMBERS_BYTES_MAX && weight.strangers < STRANGERS_BYTES_MAX
}

impl Step<'_, '_> {
    fn join(&mut self, call: CallId, join: &JoinGroup) {
        let member_id = join.request.member_id.as_str();
        if !self.accepts(member_id) {
            self.remove(member_id);
            self.refuse_join(call, StrBytes::new(), ErrorCode::GroupMaxSizeReached);
            return;
        }
        let names = join.request.protocols.iter().map(|protocol| &protocol.name);
        if !self.group.supports(&join.request.protocol_type, names) {
            let error = ErrorCode::InconsistentGroupProtocol;
            self.refuse_join(call, owned(member_id), error);
        } else if member_id.is_empty() {
            self.join_new(call, join);
        } else if self.group.is_pending(member_id) && join.request.group_instance_id.is_none() {
            self.add_member(call, join, owned(member_id));
        } else {
            self.join_again(call, join);
        }
    }

    /// Whether a group of that size takes the member in. While it prepares, those count that have joined, so that the
    /// last ones stay out of a group that has become too large.
    fn accepts(&self, member_id: &str) -> bool {
        let (group, size_max) = (&self.group, size_max(self.env));
        match group.state {
            State::Empty => true,
            State::PreparingRebalance => {
                group.member(member_id).is_some_and(|it| it.awaiting_join.is_some())
                    || group.awaiting_join < size_max
            }
            State::CompletingRebalance | State::Stable => {
                group.member(member_id).is_some() || group.members.len() < size_max
            }
        }
    }

    /// A client that has no id.
    fn join_new(&mut self, call: CallId, join: &JoinGroup) {
        let instance_id = join.request.group_instance_id.as_deref();
        let new_id = self.new_member_id(instance_id.unwrap_or(&join.client_id));
        let existing = instance_id.and_then(|name| self.group.static_member(name)).cloned();
        if let Some(old_id) = existing {
            self.replace_static_member(call, join, &old_id, &new_id);
        } else if instance_id.is_some() || join.version < FIRST_WITH_KNOWN_MEMBER_ID {
            self.add_member(call, join, new_id);
        } else {
            let timeout = duration(join.request.session_timeout_ms);
            self.group.add_pending(new_id.clone(), self.env.now.mono.after(timeout));
            self.refuse_join(call, new_id, ErrorCode::MemberIdRequired);
        }
    }

    /// What the client calls itself, or a static member's own name, and a UUID.
    fn new_member_id(&mut self, prefix: &str) -> StrBytes {
        let uuid = Builder::from_random_bytes((self.env.random)()).into_uuid();
        let suffix = format!("-{uuid}");
        let end = prefix.floor_char_boundary(MEMBER_ID_BYTES_MAX - suffix.len());
        StrBytes::from_string(prefix.get(..end).unwrap_or_default().to_owned() + &suffix)
    }

    fn add_member(&mut self, call: CallId, join: &JoinGroup, id: StrBytes) {
        let request = &join.request;
        if self.group.state == State::PreparingRebalance && self.group.is_initial {
            self.group.has_new_member = true;
        }
        let end = self.env.now.mono.after(duration(NEW_MEMBER_JOIN_TIMEOUT_MS));
        let member = Member {
            id,
            instance_id: request.group_instance_id.as_deref().map(owned),
            client_id: owned(&join.client_id),
            client_host: java_address(join.client_address),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: Protocols::of(&request.protocols),
            assignment: Bytes::new(),
            awaiting_join: Some(call),
            awaiting_sync: None,
            is_new: true,
            is_sync_pending: false,
            session_end: Some(end),
        };
        self.group.add(member, &owned(&request.protocol_type));
        self.group.wake_at(end);
        self.rebalance_or_complete_join(client_reason(join));
    }

    /// A client that has an id. If nothing has changed and the group is not preparing, it has missed the answer, and is
    /// told again.
    fn join_again(&mut self, call: CallId, join: &JoinGroup) {
        let request = &join.request;
        let (id, instance_id) = (&request.member_id, request.group_instance_id.as_deref());
        if let Err(error) = self.group.check_member(id, instance_id) {
            self.refuse_join(call, owned(id), error);
            return;
        }
        let member = self.group.member(id);
        let is_same = member.is_some_and(|it| it.protocols.are(&request.protocols));
        let is_leader = self.group.is_leader(id);
        match self.group.state {
            State::CompletingRebalance if is_same => {
                let response = self.joined(owned(id), is_leader);
                self.reply_join(call, response);
            }
            // A leader that joins a stable group wants a new assignment, for reasons that only it knows.
            State::Stable if is_same && !is_leader => {
                let response = self.joined(owned(id), false);
                self.reply_join(call, response);
            }
            State::Empty => self.refuse_join(call, owned(id), ErrorCode::UnknownMemberId),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.update_member(call, join, id);
                self.rebalance_or_complete_join(client_reason(join));
            }
        }
    }

    /// Takes up what a member says now, and lets its JoinGroup wait.
    pub(super) fn update_member(&mut self, call: CallId, join: &JoinGroup, id: &str) {
        let request = &join.request;
        self.group.change(id, |member| {
            member.protocols = Protocols::of(&request.protocols);
            member.rebalance_timeout_ms = request.rebalance_timeout_ms;
            member.session_timeout_ms = request.session_timeout_ms;
        });
        if let Some(before) = self.group.park_join(id, call) {
            // Kafka forgets it. Whoever sent it has sent another meanwhile.
            self.refuse_join(before, owned(id), ErrorCode::RebalanceInProgress);
        }
    }
}

/// Why a client joins (KIP-800).
pub(super) fn client_reason(join: &JoinGroup) -> &str {
    let reason = join.request.reason.as_deref();
    reason.filter(|reason| !reason.is_empty()).unwrap_or("not provided")
}

/// An address as Java writes it: a slash, and no shortening of IPv6.
pub fn java_address(address: IpAddr) -> StrBytes {
    StrBytes::from_string(match address.to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let parts = address.segments().map(|segment| format!("{segment:x}"));
            format!("/{}", parts.join(":"))
        }
    })
}

/// Whether a text is an address as Java prints it.
pub fn is_java_address(text: &str, address: IpAddr) -> bool {
    match address.to_canonical() {
        // Such an address has one form only.
        IpAddr::V4(address) => {
            text.strip_prefix('/').is_some_and(|text| text.parse() == Ok(address))
        }
        address @ IpAddr::V6(_) => *java_address(address) == *text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_does() {
        let check = |address: &str, expected: &str| {
            let address = address.parse().unwrap();
            assert_eq!(java_address(address).as_str(), expected);
            assert!(is_java_address(expected, address));
            for other in [&expected[1..], "/10.0.0.07", "/0:0:0:0:0:0:0:2", "a/127.0.0.1", ""] {
                assert!(!is_java_address(other, address), "{other}");
            }
        };
        check("127.0.0.1", "/127.0.0.1");
        check("::1", "/0:0:0:0:0:0:0:1");
        check("fe80::abcd:12", "/fe80:0:0:0:0:0:abcd:12");
        check("::ffff:10.0.0.7", "/10.0.0.7");
    }
}
