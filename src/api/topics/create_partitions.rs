//! CreatePartitions (37), versions 0–3: more partitions for topics.
//!
//! KIP-195; 2: KIP-482; 3: KIP-599. Deviations from Apache Kafka: an answer is in the order of its request; the time that
//! a client grants is not looked at, since a decision takes none; more than 10,000 partitions at once are refused, where
//! Kafka adds 10,000 of them and answers that it failed.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;

use super::denied::deny;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::controller::{Reply, Request};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let mut request = match decode::<CreatePartitionsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, &call);
    let denied =
        deny(&mut request.topics, |it| &it.name, |it| !access.topic(Operation::ALTER, &it.name));
    forward(ctx, call, Request::CreatePartitions(request), move |call, mut decided| {
        if let Reply::CreatePartitions(response) = &mut decided {
            response.results.extend(denied.into_iter().map(|topic| {
                CreatePartitionsTopicResult::default()
                    .with_name(topic.name)
                    .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
                    .with_error_message(None)
            }));
        }
        answer(call, decided)
    })
}

pub(super) fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::CreatePartitions(response) = decided else { return None };
    Some(reply::<CreatePartitionsRequest>(call, &response))
}
