//! DeleteTopics (20), versions 1–6: topics go, with all that is in them.
//!
//! KIP-4; 3: KIP-322, its own error where deletion is switched off; 4: KIP-482; 5: KIP-599, words beside errors; 6:
//! KIP-516, by id. Deviations from Apache Kafka: answers are not shuffled; the time that a client grants is not looked at,
//! since a decision takes none.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, TopicName};
use uuid::Uuid;

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::controller::{Reply, Request};
use crate::kernel::metadata::image::Image;
use crate::types::acls::{Operation, ResourceType};
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;

/// The first version with an error for switched off deletion.
const DELETION_DISABLED_ERROR: i16 = 3;

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let mut request = match decode::<DeleteTopicsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, &call);
    // Where nothing can be deleted, nobody is told more than that.
    let denied =
        if access.may_on_cluster(Operation::DELETE) || !ctx.config.load().delete_topic_enable {
            Vec::new()
        } else {
            take_denied(&ctx.image.load(), &access, &mut request)
        };
    forward(ctx, call, Request::DeleteTopics(request), move |call, mut decided| {
        if let Reply::DeleteTopics(response) = &mut decided {
            response.responses.extend(denied);
        }
        answer(call, decided)
    })
}

/// Takes out of a request what its sender may not delete, and answers it: a name without an id, and an id without a
/// name, unless the sender may describe the topic. What is there twice is refused all the same.
fn take_denied(
    image: &Image,
    access: &Access,
    request: &mut DeleteTopicsRequest,
) -> Vec<DeletableTopicResult> {
    let is_denied = |name: &str| {
        // Who may know that there is no such topic is told so.
        let may_know =
            access.topic(Operation::DESCRIBE, name) && image.topics.named(name).is_none();
        !may_know && !access.topic(Operation::DELETE, name)
    };
    let refused = |name: Option<TopicName>, id: Uuid| {
        let code = ErrorCode::TopicAuthorizationFailed;
        DeletableTopicResult::default()
            .with_name(name)
            .with_topic_id(id)
            .with_error_code(code.code())
            .with_error_message(Some(text(code.message())))
    };
    let (mut names, mut ids) = (BTreeMap::new(), BTreeMap::new());
    for name in request.topic_names.iter().chain(request.topics.iter().flat_map(|it| &it.name)) {
        *names.entry(name.clone()).or_insert(0) += 1;
    }
    for topic in request.topics.iter().filter(|topic| topic.name.is_none()) {
        *ids.entry(topic.topic_id).or_insert(0) += 1;
    }
    let is_once = |name: &TopicName| names.get(name) == Some(&1);
    let mut denied = Vec::new();
    request.topic_names.retain(|name| {
        let is_denied = is_once(name) && is_denied(name);
        denied.extend(is_denied.then(|| refused(Some(name.clone()), Uuid::nil())));
        !is_denied
    });
    request.topics.retain(|topic| {
        let answer = match &topic.name {
            Some(name) => (topic.topic_id.is_nil() && is_once(name) && is_denied(name))
                .then(|| refused(Some(name.clone()), Uuid::nil())),
            None => image.topics.of_id(TopicId(topic.topic_id)).and_then(|known| {
                let name = known.name.as_str();
                let is_once = ids.get(&topic.topic_id) == Some(&1);
                let is_denied = is_once && !access.topic(Operation::DELETE, name);
                let kind = ResourceType::TOPIC;
                let may_know = access.may_see(Operation::DESCRIBE, kind, name);
                let name = may_know.then(|| TopicName(text(name)));
                is_denied.then(|| refused(name, topic.topic_id))
            }),
        };
        let stays = answer.is_none();
        denied.extend(answer);
        stays
    });
    denied
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
