//! ConsumerGroupHeartbeat (68), versions 0–1: a member of a consumer group joins, says what it wants and has, learns what
//! it has, and leaves.
//!
//! KIP-848; version 1: expressions, and members make their ids themselves (KIP-1082). The coordinator decides
//! (`kernel::groups::consumer`). Refused with UNSUPPORTED_VERSION where group.version is 0 or
//! `group.coordinator.rebalance.protocols` does not name the protocol.
//! Deviations from Apache Kafka: an expression is bounded (8 KiB, and what it is compiled to), and the members of
//! a shard are, by the memory they take (COORDINATOR_NOT_AVAILABLE).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::groups::assignors::Assignor;
use crate::kernel::groups::consumer::heartbeat;
use crate::kernel::groups::requests::{ConsumerGroupHeartbeat, GroupReply, GroupRequest};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// The protocol's name in `group.coordinator.rebalance.protocols`.
const PROTOCOL: &str = "consumer";
/// The feature that turns it on.
const GROUP_VERSION: &str = "group.version";

/// Whether this node coordinates consumer groups.
pub fn is_enabled(ctx: &Ctx) -> bool {
    let level = ctx.image.load().features.get(GROUP_VERSION).copied().unwrap_or(0);
    let config = ctx.config.load();
    let mut protocols = config.group_coordinator_rebalance_protocols.iter();
    level > 0 && protocols.any(|protocol| protocol == PROTOCOL)
}

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: ConsumerGroupHeartbeatRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if !is_enabled(ctx) {
        return refuse(&call, ErrorCode::UnsupportedVersion, None);
    }
    let access = Access::of(ctx, &call);
    if let Err(code) = allowed(&access, &request) {
        return refuse(&call, code, None);
    }
    let config = ctx.config.load();
    let names = config.group_consumer_assignors.iter();
    let assignors = names.filter_map(|name| Assignor::named(name));
    if let Err(refusal) = heartbeat::check(&request, call.version, assignors) {
        return refuse(&call, refusal.code, Some(&refusal.message));
    }
    let group_id = request.group_id.clone();
    let request = GroupRequest::ConsumerGroupHeartbeat(Box::new(ConsumerGroupHeartbeat {
        request,
        client_id: call.client_id.clone().unwrap_or_default(),
        client_address: call.peer.ip(),
    }));
    let called = ctx.groups.call_for(&group_id, call.now, request);
    called.answer(move |result| match result {
        Ok(GroupReply::ConsumerGroupHeartbeat(response)) => {
            reply::<ConsumerGroupHeartbeatRequest>(&call, &response)
        }
        Ok(_) => refuse(&call, ErrorCode::UnknownServerError, None),
        Err(code) => refuse(&call, code, None),
    })
}

/// Nobody subscribes to a topic that he may not know of.
fn allowed(access: &Access, request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
    access.group(Operation::READ, &request.group_id)?;
    let mut names = request.subscribed_topic_names.iter().flatten();
    if names.all(|name| access.topic(Operation::DESCRIBE, name)) {
        Ok(())
    } else {
        Err(ErrorCode::TopicAuthorizationFailed)
    }
}

fn refuse(call: &Call, code: ErrorCode, message: Option<&str>) -> Answer {
    let response = ConsumerGroupHeartbeatResponse::default()
        .with_error_code(code.code())
        .with_error_message(message.map(text));
    reply::<ConsumerGroupHeartbeatRequest>(call, &response)
}
