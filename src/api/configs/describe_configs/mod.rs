//! DescribeConfigs (32), versions 1–4: the configuration of topics, groups and brokers, and where it is from.
//!
//! KIP-133, KIP-226 (1: sources and synonyms), KIP-482 (4: flexible), KIP-569 (3: types and
//! documentation). Deviations from Apache Kafka: documentation is in our own, shorter words; a broker
//! has no loggers; client metrics are refused, because this version has none; a request
//! that asks for more than [`ROWS_MAX`] rows gets errors for the rest.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::resources::{Cluster, ResourceType, layers, overrides, text};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::configs::alter::AlterRefusal;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::describe::{self, Row};
use crate::kernel::controller::topic_names::check_topic_name;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// The most rows in one answer: enough for all keys of seven thousand topics.
pub const ROWS_MAX: usize = 250_000;

/// Decodes and answers.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<DescribeConfigsRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (config, image) = (ctx.config.load(), ctx.image.load());
    let access = Access::of(ctx, call);
    reply::<DescribeConfigsRequest>(call, &answer((&config, &**image), &access, &request))
}

/// The answer to `request`.
pub fn answer(
    (config, cluster): (&BrokerConfig, &impl Cluster),
    access: &Access,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let mut rows_left = ROWS_MAX;
    let resources = &request.resources;
    let unknown = |resource: &DescribeConfigsResource| {
        ResourceType::from_wire(resource.resource_type).is_none()
    };
    // One resource of a kind that does not exist spoils the whole request.
    let is_spoiled = resources.iter().any(unknown);
    let results = resources.iter().map(|resource| {
        let rows = if is_spoiled {
            let code = ErrorCode::InvalidRequest;
            Err(AlterRefusal::new(code, code.message()))
        } else {
            allowed(access, resource)
                .and_then(|()| within(&mut rows_left, || rows(config, cluster, resource)))
        };
        result(request, resource, rows)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn allowed(access: &Access, resource: &DescribeConfigsResource) -> Result<(), AlterRefusal> {
    let Some(kind) = ResourceType::from_wire(resource.resource_type) else { return Ok(()) };
    let allowed = kind.allowed_to(access, Operation::DESCRIBE_CONFIGS, &resource.resource_name);
    allowed.map_err(|code| AlterRefusal::new(code, code.message()))
}

/// Counts rows down; once there are too many, nothing more is even looked up.
fn within(
    rows_left: &mut usize,
    rows: impl FnOnce() -> Result<Vec<Row>, AlterRefusal>,
) -> Result<Vec<Row>, AlterRefusal> {
    if *rows_left > 0 {
        let rows = rows()?;
        *rows_left = rows_left.saturating_sub(rows.len());
        if *rows_left > 0 {
            return Ok(rows);
        }
    }
    let message = format!("more than {ROWS_MAX} rows are not described in one request");
    Err(AlterRefusal::new(ErrorCode::InvalidRequest, message))
}

/// The rows of a resource that the request asks for.
fn rows(
    config: &BrokerConfig,
    cluster: &impl Cluster,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Row>, AlterRefusal> {
    let name: &str = &resource.resource_name;
    let refuse = |message: String| Err(AlterRefusal::new(ErrorCode::InvalidRequest, message));
    let id = config.node_id.0;
    let mut rows = match ResourceType::from_wire(resource.resource_type) {
        Some(ResourceType::Topic) => topic_rows(config, cluster, name)?,
        Some(ResourceType::Broker) if name.is_empty() => {
            describe::cluster_default(overrides(cluster, ResourceType::Broker, ""))
        }
        Some(ResourceType::Broker) => match name.parse::<i32>() {
            Ok(asked) if asked == id => describe::broker(&layers(config, cluster)),
            Ok(asked) => {
                return refuse(format!(
                    "Unexpected broker id, expected {id} or empty string, but received {asked}"
                ));
            }
            Err(_) => return refuse(not_an_integer(name)),
        },
        Some(ResourceType::BrokerLogger) => match name.parse::<i32>() {
            _ if name.is_empty() => return refuse("Broker id must not be empty".to_owned()),
            Ok(asked) if asked == id => Vec::new(),
            Ok(asked) => {
                return refuse(format!("Unexpected broker id, expected {id} but received {asked}"));
            }
            Err(_) => return refuse(not_an_integer(name)),
        },
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            return refuse("Client metrics subscription name must not be empty".to_owned());
        }
        Some(ResourceType::Group) if name.is_empty() => {
            return refuse("Group name must not be empty".to_owned());
        }
        Some(ResourceType::ClientMetrics) => {
            return refuse("Unsupported resource type: CLIENT_METRICS".to_owned());
        }
        Some(ResourceType::Group) => {
            let own = overrides(cluster, ResourceType::Group, name);
            describe::group(&layers(config, cluster), own)
        }
        None => return refuse(ErrorCode::InvalidRequest.message().to_owned()),
    };
    // An empty list of keys means all of them, like no list.
    if let Some(keys) = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty()) {
        rows.retain(|row| keys.iter().any(|key| **key == *row.name));
    }
    Ok(rows)
}

fn not_an_integer(name: &str) -> String {
    format!("Broker id must be an integer, but it is: {name}")
}

fn topic_rows(
    config: &BrokerConfig,
    cluster: &impl Cluster,
    name: &str,
) -> Result<Vec<Row>, AlterRefusal> {
    check_topic_name(name)
        .map_err(|why| AlterRefusal::new(ErrorCode::InvalidTopicException, why))?;
    if !cluster.has_topic(name) {
        // Kafka's answer has an empty text here, not none.
        return Err(AlterRefusal::new(ErrorCode::UnknownTopicOrPartition, ""));
    }
    let own = overrides(cluster, ResourceType::Topic, name);
    Ok(describe::topic(&layers(config, cluster), own))
}

fn result(
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    rows: Result<Vec<Row>, AlterRefusal>,
) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    match rows {
        Ok(rows) => result
            .with_error_message(Some(StrBytes::default()))
            .with_configs(rows.into_iter().map(|row| config_row(request, row)).collect()),
        Err(refusal) => result
            .with_error_code(refusal.code.code())
            .with_error_message(refusal.message.map(text)),
    }
}

fn config_row(request: &DescribeConfigsRequest, row: Row) -> DescribeConfigsResourceResult {
    let documentation = row.documentation.filter(|_| request.include_documentation);
    let synonyms = if request.include_synonyms { row.synonyms } else { Vec::new() };
    let synonym = |synonym: describe::Synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(synonym.value.map(text))
            .with_source(synonym.source as i8)
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(row.name))
        .with_value(row.value.map(text))
        .with_read_only(row.read_only)
        .with_config_source(row.source as i8)
        .with_is_sensitive(row.sensitive)
        .with_synonyms(synonyms.into_iter().map(synonym).collect())
        .with_config_type(row.kind)
        .with_documentation(documentation.map(StrBytes::from_static_str))
}

#[cfg(test)]
mod tests;
