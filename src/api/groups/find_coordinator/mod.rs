//! FindCoordinator (10), versions 0–6: which broker has a group, or a transactional id.
//!
//! 1: KIP-98, transactions, a message; 3: KIP-482; 4: KIP-699, many keys in one request; 5: KIP-890, only a new version;
//! 6: KIP-932, share groups. The internal topic is made when it is first needed; until it is there the answer is
//! COORDINATOR_NOT_AVAILABLE, upon which clients ask again.
//!
//! Deviations from Apache Kafka: the key of a share group's partition is refused as a malformed one is, because none of the
//! APIs of share groups is there that its coordinator would be asked with. Kafka makes `__share_group_state` for it and
//! names the leader, whether share.version is on or off.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::cluster::auto_creation;
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::configs::internal_topics::{CONSUMER_OFFSETS, InternalTopic, TRANSACTION_STATE};
use crate::kernel::coordinator::partition_of;
use crate::kernel::metadata::image::{Image, ListenerEndpoint};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;

/// From here on a request has many keys, and its answer many coordinators.
const MIN_BATCHED_VERSION: i16 = 4;
/// From here on share groups are asked for, by brokers.
const FIRST_WITH_SHARE_GROUPS: i16 = 6;
/// Key types: a group, a transactional id, a partition of a share group.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// Looks for the leader of the partition that has each key.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<FindCoordinatorRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let topic = match request.key_type {
        GROUP => Some(&CONSUMER_OFFSETS),
        TRANSACTION => Some(&TRANSACTION_STATE),
        // The lookup fails before it begins: each key by itself, without a message.
        SHARE => None,
        _ => {
            let refused = refused_whole(call, &request, ErrorCode::InvalidRequest);
            return reply::<FindCoordinatorRequest>(call, &refused);
        }
    };
    let access = Access::of(ctx, call);
    if request.key_type == SHARE
        && call.version >= FIRST_WITH_SHARE_GROUPS
        && let Err(code) = access.cluster(Operation::CLUSTER_ACTION)
    {
        let refused = refused_whole(call, &request, code);
        return reply::<FindCoordinatorRequest>(call, &refused);
    }
    let allowed = |key: &str| match request.key_type {
        GROUP => access.group(Operation::DESCRIBE, key),
        _ => access.transactional_id(Operation::DESCRIBE, key),
    };
    let image = ctx.image.load();
    let mut is_asked = false;
    let count = topic.map_or(0, |topic| partition_count(ctx, &image, topic));
    let mut find = |key: &StrBytes| {
        let topic = topic.ok_or(ErrorCode::InvalidRequest)?;
        allowed(key)?;
        is_asked = true;
        find(call, &image, topic, key, count)
    };
    let response = if call.version < MIN_BATCHED_VERSION {
        single(find(&request.key))
    } else {
        let keys = request.coordinator_keys.iter();
        let coordinators = keys.map(|key| coordinator(key, find(key))).collect();
        FindCoordinatorResponse::default().with_coordinators(coordinators)
    };
    if let Some(topic) = topic
        && is_asked
        && image.topics.named(topic.name).is_none()
    {
        auto_creation::create(ctx, vec![topic.name.to_owned()]);
    }
    reply::<FindCoordinatorRequest>(call, &response)
}

/// Of the topic as it is, or as it will be made.
fn partition_count(ctx: &Ctx, image: &Image, topic: &InternalTopic) -> i32 {
    match image.topics.named(topic.name) {
        Some(topic) => topic.partitions.len() as i32,
        None => (topic.num_partitions)(&ctx.config.load()),
    }
}

type Found<'a> = Result<(NodeId, &'a ListenerEndpoint), ErrorCode>;

/// The leader, if it lives and can be reached through this listener.
fn find<'a>(
    call: &Call,
    image: &'a Image,
    topic: &InternalTopic,
    key: &str,
    count: i32,
) -> Found<'a> {
    let found = image.topics.named(topic.name).and_then(|topic| {
        let leader = topic.partitions.get(&partition_of(key, count))?.leader;
        let broker = image.brokers.get(&leader).filter(|broker| !broker.fenced)?;
        Some((leader, broker.listener(&call.listener)?))
    });
    found.ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// Up to version 3 an answer names its error in words, success included.
fn single(found: Found<'_>) -> FindCoordinatorResponse {
    let error = found.err().unwrap_or(ErrorCode::None);
    let (id, host, port) = node(found);
    FindCoordinatorResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(text(error.message())))
        .with_node_id(id)
        .with_host(host)
        .with_port(port)
}

/// From version 4 on it does not, unless the whole request is refused.
fn coordinator(key: &StrBytes, found: Found<'_>) -> Coordinator {
    let (id, host, port) = node(found);
    Coordinator::default()
        .with_key(key.clone())
        .with_error_code(found.err().unwrap_or(ErrorCode::None).code())
        .with_error_message(Some(StrBytes::default()))
        .with_node_id(id)
        .with_host(host)
        .with_port(port)
}

fn node(found: Found<'_>) -> (BrokerId, StrBytes, i32) {
    match found {
        Ok((id, at)) => (BrokerId(id.0), text(at.host.as_str()), i32::from(at.port)),
        Err(_) => (BrokerId(-1), StrBytes::default(), -1),
    }
}

/// Where nobody coordinates such keys, or the client is not to know who does.
fn refused_whole(
    call: &Call,
    request: &FindCoordinatorRequest,
    error: ErrorCode,
) -> FindCoordinatorResponse {
    if call.version < MIN_BATCHED_VERSION {
        return single(Err(error));
    }
    let refused = |key: &StrBytes| {
        coordinator(key, Err(error)).with_error_message(Some(text(error.message())))
    };
    let keys = request.coordinator_keys.iter();
    FindCoordinatorResponse::default().with_coordinators(keys.map(refused).collect())
}

#[cfg(test)]
mod tests;
