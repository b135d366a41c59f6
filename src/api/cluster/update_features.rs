//! UpdateFeatures (57), versions 0–2: the levels that the cluster's features are finalised at.
//!
//! KIP-584; 1: KIP-778, ways to go down, validation alone; 2: KIP-1022, one answer for all. Deviations from Apache Kafka:
//! kraft.version cannot go up, since voters of a static quorum do not move into the log yet.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::controller::{Reply, Request};
use crate::types::acls::Operation;

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match decode::<UpdateFeaturesRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if let Err(code) = Access::of(ctx, &call).cluster(Operation::ALTER) {
        let refused = UpdateFeaturesResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(text(code.message())));
        return reply::<UpdateFeaturesRequest>(&call, &refused);
    }
    forward(ctx, call, Request::UpdateFeatures(request), answer)
}

/// Results of single features are not written from version 2 on.
fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::UpdateFeatures(response) = decided else { return None };
    Some(reply::<UpdateFeaturesRequest>(call, &response))
}
