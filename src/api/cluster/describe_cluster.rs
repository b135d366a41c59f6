//! DescribeCluster (60), versions 0–2: the brokers, and which of them takes what the controller must do.
//!
//! 0: KIP-700. 1: KIP-919, whether brokers or controllers are asked. 2: KIP-1073, fenced brokers too. Deviation from
//! Apache Kafka: the controller is this broker as long as it lives, not one drawn anew for each answer.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::view::{CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, View};
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::{Ctx, NodeInfo};
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;

/// What the request wants to speak with.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Decodes and answers.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<DescribeClusterRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let image = ctx.image.load();
    let view = View { image: &image, listener: &call.listener };
    reply::<DescribeClusterRequest>(call, &answer(view, &ctx.node, call.version, &request))
}

fn answer(
    view: View<'_>,
    node: &NodeInfo,
    version: i16,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let message = "The request was sent to an endpoint of type BROKER, but we wanted an \
                           endpoint of type CONTROLLER";
            return refusal(version, ErrorCode::MismatchedEndpointType, message);
        }
        other => {
            let message = format!("Unsupported endpoint type {other}");
            return refusal(version, ErrorCode::UnsupportedEndpointType, &message);
        }
    }
    let brokers = brokers(view, request.include_fenced_brokers);
    let controller = view.controller(node.node_id);
    let is_named = brokers.iter().any(|broker| broker.broker_id.0 == controller.0);
    let controller = if is_named { controller } else { NodeId::NONE };
    let operations = if request.include_cluster_authorized_operations {
        CLUSTER_OPERATIONS
    } else {
        OPERATIONS_NOT_ASKED
    };
    DescribeClusterResponse::default()
        .with_cluster_id(text(&*node.cluster_id))
        .with_controller_id(BrokerId(controller.0))
        .with_brokers(brokers)
        .with_cluster_authorized_operations(operations)
}

fn brokers(view: View<'_>, with_fenced: bool) -> Vec<DescribeClusterBroker> {
    let nodes = view.nodes().filter(|(broker, _)| with_fenced || !broker.fenced);
    let broker = nodes.map(|(broker, endpoint)| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(broker.id.0))
            .with_host(text(endpoint.host.as_str()))
            .with_port(i32::from(endpoint.port))
            .with_rack(broker.rack.as_deref().map(text))
            .with_is_fenced(broker.fenced)
    });
    broker.collect()
}

/// Version 0 has no words for types of endpoints.
fn refusal(version: i16, error: ErrorCode, message: &str) -> DescribeClusterResponse {
    let error = if version == 0 { ErrorCode::InvalidRequest } else { error };
    DescribeClusterResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::cluster::view::tests::cluster;

    const NODE: i32 = 1;

    fn ask(version: i16, request: &DescribeClusterRequest) -> DescribeClusterResponse {
        let image = cluster();
        let node = NodeInfo { node_id: NodeId(NODE), cluster_id: Arc::from("cluster") };
        answer(View { image: &image, listener: "PLAINTEXT" }, &node, version, request)
    }

    fn named(response: &DescribeClusterResponse) -> Vec<(i32, &str, i32, bool)> {
        let broker = |it: &DescribeClusterBroker| it.broker_id.0;
        let brokers = response.brokers.iter();
        brokers.map(|it| (broker(it), it.host.as_str(), it.port, it.is_fenced)).collect()
    }

    #[test]
    fn brokers_of_the_listener_are_named_fenced_ones_if_asked() {
        let response = ask(2, &DescribeClusterRequest::default());
        assert_eq!(named(&response), [(1, "host1", 9001, false)]);
        assert_eq!(response.brokers[0].rack.as_deref(), Some("r1"));
        assert_eq!((response.controller_id.0, &*response.cluster_id), (1, "cluster"));
        assert_eq!((response.endpoint_type, response.error_message), (1, None));
        assert_eq!(response.cluster_authorized_operations, i32::MIN);

        let request = DescribeClusterRequest::default()
            .with_include_fenced_brokers(true)
            .with_include_cluster_authorized_operations(true);
        let response = ask(2, &request);
        assert_eq!(named(&response), [(1, "host1", 9001, false), (3, "host3", 9003, true)]);
        assert_eq!(response.cluster_authorized_operations, 8096);
    }

    #[test]
    fn a_controller_that_the_listener_does_not_have_is_none() {
        let image = cluster();
        let node = NodeInfo { node_id: NodeId(2), cluster_id: Arc::from("cluster") };
        let view = View { image: &image, listener: "PLAINTEXT" };
        let response = answer(view, &node, 0, &DescribeClusterRequest::default());
        assert_eq!(response.controller_id.0, -1);
    }

    #[test]
    fn other_endpoints_are_refused_in_kafkas_words() {
        let check = |version: i16, endpoint_type: i8, code: i16, message: &str| {
            let request = DescribeClusterRequest::default().with_endpoint_type(endpoint_type);
            let response = ask(version, &request);
            assert_eq!(response.error_code, code);
            assert_eq!(response.error_message.as_deref(), Some(message));
            assert_eq!((response.controller_id.0, &*response.cluster_id), (-1, ""));
            assert!(response.brokers.is_empty());
        };
        let sent = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of \
                    type CONTROLLER";
        check(1, 2, 114, sent);
        check(0, 2, 42, sent);
        check(1, 9, 115, "Unsupported endpoint type 9");
        check(2, -1, 115, "Unsupported endpoint type -1");
        check(0, 0, 42, "Unsupported endpoint type 0");
    }
}
