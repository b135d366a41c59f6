//! CreateTopics (19), versions 2–7: topics with their partitions and configuration.
//!
//! KIP-4; 4: KIP-464, defaults for both numbers; 5: KIP-525, the configuration in the answer, KIP-482; 6: KIP-599; 7:
//! KIP-516, ids. Deviations from Apache Kafka: an answer is in the order of its request; the time that a client grants is
//! not looked at, since a decision takes none; among the keys of a topic is one of our own.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::CreateTopicsRequest;

use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::controller::{Reply, Request};

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match decode::<CreateTopicsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    forward(ctx, call, Request::CreateTopics(request), answer)
}

pub(super) fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::CreateTopics(response) = decided else { return None };
    Some(reply::<CreateTopicsRequest>(call, &response))
}
