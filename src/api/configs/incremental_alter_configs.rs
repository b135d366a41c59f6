//! IncrementalAlterConfigs (44), versions 0–1: single keys are set, deleted, appended to, subtracted from.
//!
//! KIP-339; KIP-482 (1: flexible). A broker checks what concerns itself, the controller decides and records.
//! Deviations from Apache Kafka: a broker has no loggers to change; client metrics
//! are refused, because this version has none; keys of listeners and security, and keys that
//! name classes, cannot be changed at run time.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

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
    let request = match decode::<IncrementalAlterConfigsRequest>(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (config, image) = (ctx.config.load(), ctx.image.load());
    let alterations = alterations(&request);
    let checked = check(&config, &**image, Api::Incremental, &alterations);
    let checked = checked.allowed_to(&Access::of(ctx, &call), &alterations);
    let onward = forwarded(&request, &checked);
    if onward.resources.is_empty() {
        return reply::<IncrementalAlterConfigsRequest>(
            &call,
            &response(&request, checked.complete([])),
        );
    }
    forward(ctx, call, Request::IncrementalAlterConfigs(onward), move |call, decided| {
        let Reply::IncrementalAlterConfigs(decided) = decided else { return None };
        let answers =
            decided.responses.into_iter().map(|it| refusal(it.error_code, it.error_message));
        Some(reply::<IncrementalAlterConfigsRequest>(
            call,
            &response(&request, checked.complete(answers)),
        ))
    })
}

/// What the request does, resource by resource. Texts are copied: a slice would keep the frame.
pub fn alterations(request: &IncrementalAlterConfigsRequest) -> Vec<Alteration> {
    let alteration = |resource: &AlterConfigsResource| Alteration {
        kind: resource.resource_type,
        name: resource.resource_name.to_string(),
        changes: resource
            .configs
            .iter()
            .map(|config| Change {
                key: config.name.to_string(),
                operation: config.config_operation,
                value: config.value.as_ref().map(ToString::to_string),
            })
            .collect(),
    };
    request.resources.iter().map(alteration).collect()
}

/// The part of the request that the controller decides.
pub fn forwarded(
    request: &IncrementalAlterConfigsRequest,
    checked: &Checked,
) -> IncrementalAlterConfigsRequest {
    IncrementalAlterConfigsRequest::default()
        .with_resources(checked.forwarded(&request.resources).cloned().collect())
        .with_validate_only(request.validate_only)
}

/// The answer: one for each resource, in the order of the request.
pub fn response(
    request: &IncrementalAlterConfigsRequest,
    answers: Vec<Result<(), AlterRefusal>>,
) -> IncrementalAlterConfigsResponse {
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
    IncrementalAlterConfigsResponse::default()
        .with_responses(request.resources.iter().zip(answers).map(response).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::configs::resources::tests::{FakeCluster, node};
    use crate::types::error_code::ErrorCode;
    use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;

    fn resource(kind: i8, name: &str, key: &str, value: Option<&str>) -> AlterConfigsResource {
        let config = AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(0)
            .with_value(value.map(text));
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(vec![config])
    }

    #[test]
    fn each_resource_gets_its_answer_and_only_good_ones_go_on() {
        let request = IncrementalAlterConfigsRequest::default()
            .with_validate_only(true)
            .with_resources(vec![
                resource(2, "t1", "retention.ms", Some("1")),
                resource(4, "1", "num.partitions", Some("2")),
                resource(2, "t2", "retention.ms", None),
                resource(2, "t3", "retention.ms", Some("x")),
            ]);
        let cluster = FakeCluster::with_topic("t1", &[]);
        let checked = check(&node(), &cluster, Api::Incremental, &alterations(&request));
        let onward = forwarded(&request, &checked);
        let names: Vec<&str> = onward.resources.iter().map(|r| &*r.resource_name).collect();
        assert_eq!((names, onward.validate_only), (vec!["t1", "t3"], true));

        let refused = Err(AlterRefusal::new(ErrorCode::InvalidConfig, "bad"));
        let response = response(&request, checked.complete([Ok(()), refused]));
        let codes: Vec<(&str, i16)> =
            response.responses.iter().map(|r| (&*r.resource_name, r.error_code)).collect();
        assert_eq!(codes, [("t1", 0), ("1", 42), ("t2", 42), ("t3", 40)]);
        assert_eq!(response.responses[0].error_message, None);
        assert_eq!(response.responses[3].error_message.as_deref(), Some("bad"));
    }
}
