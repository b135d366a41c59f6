//! DeleteTopics (20), versions 1–6: topics go, with all that is in them.
//!
//! KIP-4; 3: KIP-322, its own error where deletion is switched off; 4: KIP-482; 5: KIP-599, words beside errors; 6:
//! KIP-516, by id. Deviations from Apache Kafka: answers are not shuffled; the time that a client grants is not looked at,
//! since a decision takes none.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::DeleteTopicsRequest;

use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::controller::{Reply, Request};
use crate::types::error_code::ErrorCode;

/// The first version with an error for switched off deletion.
const DELETION_DISABLED_ERROR: i16 = 3;

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match decode::<DeleteTopicsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    forward(ctx, call, Request::DeleteTopics(request), answer)
}

pub(super) fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::DeleteTopics(mut response) = decided else { return None };
    if call.version < DELETION_DISABLED_ERROR {
        for topic in &mut response.responses {
            if topic.error_code == ErrorCode::TopicDeletionDisabled.code() {
                topic.error_code = ErrorCode::InvalidRequest.code();
            }
        }
    }
    Some(reply::<DeleteTopicsRequest>(call, &response))
}
