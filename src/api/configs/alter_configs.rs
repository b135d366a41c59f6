//! AlterConfigs (33), versions 0–2: all keys of topics, groups and brokers are replaced; what is not named is deleted.
//!
//! KIP-133, deprecated by KIP-339; KIP-482 (2: flexible).
//! Deviations from Apache Kafka: as for IncrementalAlterConfigs; and a resource that is there twice is
//! refused, where Kafka closes the connection.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::alter::{Alteration, Api, Checked, check, refusal};
use super::resources::text;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::forward::forward;
use crate::kernel::configs::alter::{AlterRefusal, Change};
use crate::kernel::controller::{Reply, Request};

/// Decodes, checks what concerns this broker, asks the controller about the rest, answers.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match decode::<AlterConfigsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (config, image) = (ctx.config.load(), ctx.image.load());
    let alterations = alterations(&request);
    let checked = check(&config, &**image, Api::Legacy, &alterations);
    let checked = checked.allowed_to(&Access::of(ctx, &call), &alterations);
    let onward = forwarded(&request, &checked);
    if onward.resources.is_empty() {
        return reply::<AlterConfigsRequest>(&call, &response(&request, checked.complete([])));
    }
    forward(ctx, call, Request::AlterConfigs(onward), move |call, decided| {
        let Reply::AlterConfigs(decided) = decided else { return None };
        let answers =
            decided.responses.into_iter().map(|it| refusal(it.error_code, it.error_message));
        Some(reply::<AlterConfigsRequest>(call, &response(&request, checked.complete(answers))))
    })
}

/// What the request does, resource by resource. Texts are copied: a slice would keep the frame.
pub fn alterations(request: &AlterConfigsRequest) -> Vec<Alteration> {
    let alteration = |resource: &AlterConfigsResource| Alteration {
        kind: resource.resource_type,
        name: resource.resource_name.to_string(),
        changes: resource
            .configs
            .iter()
            .map(|config| Change {
                key: config.name.to_string(),
                operation: 0,
                value: config.value.as_ref().map(ToString::to_string),
            })
            .collect(),
    };
    request.resources.iter().map(alteration).collect()
}

/// The part of the request that the controller decides.
pub fn forwarded(request: &AlterConfigsRequest, checked: &Checked) -> AlterConfigsRequest {
    AlterConfigsRequest::default()
        .with_resources(checked.forwarded(&request.resources).cloned().collect())
        .with_validate_only(request.validate_only)
}

/// The answer: one for each resource, in the order of the request.
pub fn response(
    request: &AlterConfigsRequest,
    answers: Vec<Result<(), AlterRefusal>>,
) -> AlterConfigsResponse {
    let response = |(resource, answer): (&AlterConfigsResource, Result<(), AlterRefusal>)| {
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_message(None);
        match answer {
            Ok(()) => response,
            Err(refusal) => response
                .with_error_code(refusal.code.code())
                .with_error_message(refusal.message.map(text)),
        }
    };
    AlterConfigsResponse::default()
        .with_responses(request.resources.iter().zip(answers).map(response).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::configs::alter::texts;
    use crate::api::configs::resources::tests::{FakeCluster, node};
    use kafka_protocol::messages::alter_configs_request::AlterableConfig;

    #[test]
    fn a_resource_names_all_its_keys() {
        let config = |key, value: &str| {
            AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)))
        };
        let resource = |name| {
            AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text(name))
                .with_configs(vec![config("retention.ms", "1"), config("segment.ms", "2")])
        };
        let request = AlterConfigsRequest::default().with_resources(vec![
            resource("t1"),
            resource("t2"),
            resource("t1"),
        ]);
        let alterations = alterations(&request);
        let keys = texts(&alterations[1].changes);
        assert_eq!((keys["retention.ms"].as_str(), keys["segment.ms"].as_str()), ("1", "2"));

        let cluster = FakeCluster::with_topic("t2", &[]);
        let checked = check(&node(), &cluster, Api::Legacy, &alterations);
        assert_eq!(forwarded(&request, &checked).resources, [resource("t2")]);
        let codes: Vec<i16> = response(&request, checked.complete([Ok(())]))
            .responses
            .iter()
            .map(|response| response.error_code)
            .collect();
        assert_eq!(codes, [42, 0, 42]);
    }
}
