//! CreateTopics (19), versions 2–7: topics with their partitions and configuration.
//!
//! KIP-4; 4: KIP-464, defaults for both numbers; 5: KIP-525, the configuration in the answer, KIP-482; 6: KIP-599; 7:
//! KIP-516, ids. Deviations from Apache Kafka: an answer is in the order of its request; the time that a client grants is
//! not looked at, since a decision takes none; among the keys of a topic is one of our own.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;

use super::denied::deny;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::controller::{Reply, Request};
use crate::types::acls::{Operation, ResourceType};
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicName;

/// Decodes, asks the controller, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let mut request = match decode::<CreateTopicsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, &call);
    let may_create_any = access.may_on_cluster(Operation::CREATE);
    let may_not_create = |topic: &CreatableTopic| {
        topic.name.as_str() != TopicName::METADATA
            && !may_create_any
            && !access.topic(Operation::CREATE, &topic.name)
    };
    let denied = deny(&mut request.topics, |it| &it.name, may_not_create);
    forward(ctx, call, Request::CreateTopics(request), move |call, mut decided| {
        if let Reply::CreateTopics(response) = &mut decided {
            response.topics.iter_mut().for_each(|topic| hide_configs(&access, topic));
            response.topics.extend(denied.into_iter().map(|topic| {
                CreatableTopicResult::default()
                    .with_name(topic.name)
                    .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
                    .with_error_message(Some(text("Authorization failed.")))
            }));
        }
        answer(call, decided)
    })
}

/// Who may make a topic may not therefore see how it is configured (KIP-525).
fn hide_configs(access: &Access, topic: &mut CreatableTopicResult) {
    let kind = ResourceType::TOPIC;
    if topic.error_code == 0 && !access.may_see(Operation::DESCRIBE_CONFIGS, kind, &topic.name) {
        topic.configs = Some(Vec::new());
        topic.num_partitions = -1;
        topic.replication_factor = -1;
        topic.topic_config_error_code = ErrorCode::TopicAuthorizationFailed.code();
    }
}

pub(super) fn answer(call: &Call, decided: Reply) -> Option<Answer> {
    let Reply::CreateTopics(response) = decided else { return None };
    Some(reply::<CreateTopicsRequest>(call, &response))
}
