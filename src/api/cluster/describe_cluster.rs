//! DescribeCluster (60), versions 0–2: the brokers, and which of them takes what the controller must do.
//!
//! 0: KIP-700. 1: KIP-919, whether brokers or controllers are asked; a controller's listener names the controllers and
//! which of them leads. 2: KIP-1073, fenced brokers too. Deviation from Apache Kafka: for clients of brokers the controller
//! is this broker as long as it lives, not one drawn anew for each answer.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::view::{OPERATIONS_NOT_ASKED, View};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call, ListenerType};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::{Ctx, NodeInfo};
use crate::kernel::controller::feature_table::{CONTROLLERS_REGISTER, METADATA_VERSION};
use crate::kernel::metadata::image::ControllerRegistration;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;

/// What the request wants to speak with, by number; `None` is nothing that Kafka has.
const fn endpoint_type(number: i8) -> Option<ListenerType> {
    match number {
        1 => Some(ListenerType::Broker),
        2 => Some(ListenerType::Controller),
        _ => None,
    }
}

const fn number(endpoint_type: ListenerType) -> i8 {
    match endpoint_type {
        ListenerType::Broker => 1,
        ListenerType::Controller => 2,
    }
}

const fn name(endpoint_type: ListenerType) -> &'static str {
    match endpoint_type {
        ListenerType::Broker => "BROKER",
        ListenerType::Controller => "CONTROLLER",
    }
}

/// Decodes and answers.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<DescribeClusterRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, call);
    if call.listener_type == ListenerType::Controller
        && let Err(code) = access.cluster(Operation::ALTER)
    {
        return reply::<DescribeClusterRequest>(call, &refusal(code, code.message()));
    }
    let image = ctx.image.load();
    let view = View { image: &image, listener: &call.listener };
    let asked = Asked {
        view,
        at: call.listener_type,
        version: call.version,
        quorum_leader: ctx.quorum.load().leader_id,
        access: &access,
    };
    reply::<DescribeClusterRequest>(call, &answer(&asked, &ctx.node, &request))
}

/// What an answer depends on beside the request.
struct Asked<'a> {
    view: View<'a>,
    /// Whose door it came through.
    at: ListenerType,
    version: i16,
    quorum_leader: NodeId,
    access: &'a Access,
}

fn answer(
    asked: &Asked<'_>,
    node: &NodeInfo,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    let &Asked { view, at, version, quorum_leader, access } = asked;
    let level = view.image.features.get(METADATA_VERSION).copied().unwrap_or_default();
    if at == ListenerType::Controller && level < CONTROLLERS_REGISTER {
        let message = "Direct-to-controller communication is not supported with the current \
                       MetadataVersion.";
        return refusal(ErrorCode::UnsupportedVersion, message);
    }
    let Some(wanted) = endpoint_type(request.endpoint_type) else {
        let message = format!("Unsupported endpoint type {}", request.endpoint_type);
        return refusal(for_version(version, ErrorCode::UnsupportedEndpointType), &message);
    };
    if wanted != at {
        let message = format!(
            "The request was sent to an endpoint of type {}, but we wanted an endpoint of type {}",
            name(at),
            name(wanted)
        );
        return refusal(for_version(version, ErrorCode::MismatchedEndpointType), &message);
    }
    let (brokers, controller) = match at {
        ListenerType::Broker => {
            (brokers(view, request.include_fenced_brokers), view.controller(node.node_id))
        }
        ListenerType::Controller => (controllers(view), quorum_leader),
    };
    let is_named = brokers.iter().any(|broker| broker.broker_id.0 == controller.0);
    let controller = if is_named { controller } else { NodeId::NONE };
    let operations = if request.include_cluster_authorized_operations {
        access.cluster_operations()
    } else {
        OPERATIONS_NOT_ASKED
    };
    DescribeClusterResponse::default()
        .with_cluster_id(text(&*node.cluster_id))
        .with_controller_id(BrokerId(controller.0))
        .with_brokers(brokers)
        .with_cluster_authorized_operations(operations)
        .with_endpoint_type(number(at))
}

/// The controllers that have registered with the listener.
fn controllers(view: View<'_>) -> Vec<DescribeClusterBroker> {
    let controller = |node: &Arc<ControllerRegistration>| {
        let endpoint = node.listeners.iter().find(|endpoint| endpoint.name == view.listener)?;
        let controller = DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.id.0))
            .with_host(text(endpoint.host.as_str()))
            .with_port(i32::from(endpoint.port));
        Some(controller)
    };
    view.image.controllers.values().filter_map(controller).collect()
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
const fn for_version(version: i16, error: ErrorCode) -> ErrorCode {
    if version == 0 { ErrorCode::InvalidRequest } else { error }
}

fn refusal(error: ErrorCode, message: &str) -> DescribeClusterResponse {
    DescribeClusterResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::cluster::view::tests::{cluster, image};
    use crate::kernel::metadata::image::Image;
    use crate::wire::records::controllers::ControllerEndpoint;
    use crate::wire::records::{FeatureLevelRecord, RegisterControllerRecord};

    const NODE: i32 = 1;

    fn ask_at(
        (at, listener): (ListenerType, &str),
        image: &Image,
        (node, version): (i32, i16),
        request: &DescribeClusterRequest,
    ) -> DescribeClusterResponse {
        let node = NodeInfo { node_id: NodeId(node), cluster_id: Arc::from("cluster") };
        let view = View { image, listener };
        let access = Access::default();
        let quorum_leader = NodeId(7);
        answer(&Asked { view, at, version, quorum_leader, access: &access }, &node, request)
    }

    fn ask(version: i16, request: &DescribeClusterRequest) -> DescribeClusterResponse {
        ask_at((ListenerType::Broker, "PLAINTEXT"), &cluster(), (NODE, version), request)
    }

    /// Two controllers, of which one has another listener alone, under metadata.version `level`.
    fn with_controllers(level: i16) -> Image {
        let controller = |controller_id: i32, listener: &str| {
            let end_point = ControllerEndpoint {
                name: listener.to_owned(),
                host: format!("c{controller_id}"),
                port: 9093,
                security_protocol: 0,
            };
            let end_points = vec![end_point];
            RegisterControllerRecord { controller_id, end_points, ..Default::default() }.into()
        };
        let name = METADATA_VERSION.to_owned();
        image([
            FeatureLevelRecord { name, feature_level: level }.into(),
            controller(7, "CONTROLLER"),
            controller(8, "OTHER"),
        ])
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
        let (at, request) = (ListenerType::Broker, DescribeClusterRequest::default());
        let response = ask_at((at, "PLAINTEXT"), &cluster(), (2, 0), &request);
        assert_eq!(response.controller_id.0, -1);
        let (at, request) = (ListenerType::Controller, request.with_endpoint_type(2));
        let response = ask_at((at, "OTHER"), &with_controllers(15), (2, 1), &request);
        assert_eq!(
            (named(&response), response.controller_id.0),
            (vec![(8, "c8", 9093, false)], -1)
        );
    }

    /// KIP-919.
    #[test]
    fn a_controller_names_controllers_and_their_leader() {
        let request = DescribeClusterRequest::default().with_endpoint_type(2);
        let here = (ListenerType::Controller, "CONTROLLER");
        let response = ask_at(here, &with_controllers(15), (7, 1), &request);
        assert_eq!(named(&response), [(7, "c7", 9093, false)]);
        assert_eq!((response.controller_id.0, &*response.cluster_id), (7, "cluster"));
        assert_eq!((response.endpoint_type, response.error_code), (2, 0));

        let response = ask_at(here, &with_controllers(14), (7, 1), &request);
        assert_eq!((response.error_code, response.endpoint_type), (35, 1));
        let brokers = request.with_endpoint_type(1);
        for (version, code) in [(1, 114), (0, 42)] {
            let response = ask_at(here, &with_controllers(15), (7, version), &brokers);
            assert_eq!(response.error_code, code);
            let words = "The request was sent to an endpoint of type CONTROLLER, but we wanted an \
                         endpoint of type BROKER";
            assert_eq!(response.error_message.as_deref(), Some(words));
        }
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
