//! ListConfigResources (74), versions 0–1: which resources can have configuration.
//!
//! KIP-1000 (0: client metrics, then named ListClientMetricsResources), KIP-1142 (1: all kinds).
//! Deviations from Apache Kafka: none; there are no client metrics to list.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::resources::{Cluster, ResourceType, text};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// Every kind, in the order in which Kafka lists them.
const ALL: [ResourceType; 5] = [
    ResourceType::Group,
    ResourceType::ClientMetrics,
    ResourceType::BrokerLogger,
    ResourceType::Broker,
    ResourceType::Topic,
];

/// Decodes and answers.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<ListConfigResourcesRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if let Err(code) = Access::of(ctx, call).cluster(Operation::DESCRIBE_CONFIGS) {
        let refused = ListConfigResourcesResponse::default().with_error_code(code.code());
        return reply::<ListConfigResourcesRequest>(call, &refused);
    }
    let image = ctx.image.load();
    reply::<ListConfigResourcesRequest>(call, &answer(&**image, call.version, &request))
}

/// The answer to `request`.
pub fn answer(
    cluster: &impl Cluster,
    version: i16,
    request: &ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let asked = &request.resource_types;
    if asked.iter().any(|number| ResourceType::from_wire(*number).is_none()) {
        let code = ErrorCode::UnsupportedVersion.code();
        return ListConfigResourcesResponse::default().with_error_code(code);
    }
    let is_asked = |kind: &ResourceType| match version {
        0 => *kind == ResourceType::ClientMetrics,
        _ => asked.is_empty() || asked.contains(&(*kind as i8)),
    };
    let resources = ALL.into_iter().filter(is_asked).flat_map(|kind| named(cluster, kind));
    ListConfigResourcesResponse::default().with_config_resources(resources.collect())
}

fn named(cluster: &impl Cluster, kind: ResourceType) -> Vec<ConfigResource> {
    let resource = |name: String| {
        ConfigResource::default().with_resource_name(text(name)).with_resource_type(kind as i8)
    };
    match kind {
        ResourceType::Topic => cluster.topics().map(|name| resource(name.to_owned())).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => {
            cluster.brokers().map(|id| resource(id.to_string())).collect()
        }
        ResourceType::Group => {
            cluster.configured(kind).map(|name| resource(name.to_owned())).collect()
        }
        ResourceType::ClientMetrics => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::configs::resources::tests::FakeCluster;

    fn ask(version: i16, kinds: &[i8]) -> (i16, Vec<(String, i8)>) {
        let cluster = FakeCluster::with_topic("t1", &[]);
        let request = ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec());
        let response = answer(&cluster, version, &request);
        let resource = |r: &ConfigResource| (r.resource_name.to_string(), r.resource_type);
        (response.error_code, response.config_resources.iter().map(resource).collect())
    }

    #[test]
    fn kinds_are_listed_as_asked_for() {
        let named = |pairs: &[(&str, i8)]| {
            (0, pairs.iter().map(|&(name, kind)| (name.to_owned(), kind)).collect::<Vec<_>>())
        };
        assert_eq!(ask(1, &[]), named(&[("1", 8), ("1", 4), ("t1", 2)]));
        assert_eq!(ask(1, &[2]), named(&[("t1", 2)]));
        assert_eq!(ask(1, &[2, 4]), named(&[("1", 4), ("t1", 2)]));
        assert_eq!(ask(1, &[16]), named(&[]));
        // Version 0 knows client metrics only, and has no field to ask for more.
        assert_eq!(ask(0, &[]), named(&[]));
        for unknown in [0, 3, 77] {
            assert_eq!(ask(1, &[2, unknown]), (35, Vec::new()), "{unknown}");
        }
    }
}
