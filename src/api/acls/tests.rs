//! What the three APIs answer, without an authorizer and with one.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse,
};
use kafka_protocol::protocol::{Decodable as _, Request, StrBytes};
use uuid::Uuid;

use super::*;
use crate::api::answer::{Answer, Call};
use crate::api::harness::{Node, broker_config, bytes_of};
use crate::kernel::authorizer::{AUTHORIZER_CLASS_NAME, STANDARD_AUTHORIZER, SUPER_USERS};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::metadata::acls::Acl;
use crate::kernel::metadata::delta::Delta;
use crate::kernel::metadata::image::Image;
use crate::types::acls::{ANONYMOUS, CLUSTER_NAME};

/// A node whose authorizer has these ACLs, and to which `super_user` may do everything.
fn node(super_user: &str, acls: &[Acl]) -> Node {
    let mut set = broker_config().explicit;
    let keys = [(AUTHORIZER_CLASS_NAME, STANDARD_AUTHORIZER), (SUPER_USERS, super_user)];
    set.extend(keys.map(|(key, text)| (key.to_owned(), text.to_owned())));
    let mut delta = Delta::new(&Image::empty());
    for (acl, id) in acls.iter().zip(1..) {
        delta.replay(&acl.to_record(Uuid::from_u128(id)).into()).unwrap();
    }
    Node::new(BrokerConfig::new(&set).unwrap(), delta.image().clone())
}

fn acl(operation: Operation, resource_type: ResourceType, name: &str) -> Acl {
    Acl {
        resource_type,
        resource_name: name.to_owned(),
        pattern_type: PatternType::LITERAL,
        operation,
        principal: ANONYMOUS.to_owned(),
        host: "*".to_owned(),
        permission: Permission::ALLOW,
    }
}

fn ask<R: Request>(node: &Node, version: i16, request: &R) -> Answer {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    let call = Call::for_test(R::KEY, version);
    let row = crate::api::table::row(R::KEY).unwrap();
    (row.handler)(&node.ctx, call, body.freeze())
}

fn answered<R: Request>(node: &Node, version: i16, request: &R) -> R::Response {
    let flexible_header = usize::from(version >= 2);
    let mut bytes = Bytes::from(bytes_of(ask(node, version, request))).split_off(flexible_header);
    R::Response::decode(&mut bytes, version).unwrap()
}

fn everything() -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(1)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1)
}

fn creation(resource_type: i8) -> CreateAclsRequest {
    let creation = AclCreation::default()
        .with_resource_type(resource_type)
        .with_resource_name(StrBytes::from_static_str("a"))
        .with_resource_pattern_type(3)
        .with_principal(StrBytes::from_static_str("User:a"))
        .with_host(StrBytes::from_static_str("*"))
        .with_operation(3)
        .with_permission_type(3);
    CreateAclsRequest::default().with_creations(vec![creation])
}

fn deletion() -> DeleteAclsRequest {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    DeleteAclsRequest::default().with_filters(vec![filter])
}

type Told = (i16, Option<String>);

fn told(code: i16, message: Option<&StrBytes>) -> Told {
    (code, message.map(ToString::to_string))
}

fn of_describe(response: &DescribeAclsResponse) -> Told {
    told(response.error_code, response.error_message.as_ref())
}

fn of_create(response: &CreateAclsResponse) -> Told {
    told(response.results[0].error_code, response.results[0].error_message.as_ref())
}

fn of_delete(response: &DeleteAclsResponse) -> Told {
    let result = &response.filter_results[0];
    told(result.error_code, result.error_message.as_ref())
}

#[test]
fn without_an_authorizer_there_are_no_acls() {
    let node = Node::with(&[]);
    for version in 1..=3 {
        let at = |message: &str| (54, Some(message.to_owned()));
        let described = answered(&node, version, &everything());
        assert_eq!(of_describe(&described), at("No Authorizer is configured on the broker"));
        let created = answered(&node, version, &creation(2));
        assert_eq!(of_create(&created), at("No Authorizer is configured."));
        let deleted = answered(&node, version, &deletion());
        assert_eq!(of_delete(&deleted), at("No Authorizer is configured."));
    }
}

#[test]
fn describe_acls_create_acls_and_delete_acls_ask_for_the_cluster() {
    let node = node("User:root", &[]);
    let denied = (31, Some("Cluster authorization failed.".to_owned()));
    for version in 1..=3 {
        assert_eq!(of_describe(&answered(&node, version, &everything())), denied);
        assert_eq!(of_create(&answered(&node, version, &creation(2))), denied);
        assert_eq!(of_delete(&answered(&node, version, &deletion())), denied);
    }
}

#[test]
fn describe_acls_groups_by_resource() {
    let acls = [
        acl(Operation::READ, ResourceType::TOPIC, "b"),
        acl(Operation::WRITE, ResourceType::TOPIC, "a"),
        acl(Operation::READ, ResourceType::TOPIC, "a"),
        acl(Operation::DESCRIBE, ResourceType::CLUSTER, CLUSTER_NAME),
    ];
    let node = node("User:root", &acls);
    let described = answered(&node, 3, &everything());
    let lines: Vec<_> = described
        .resources
        .iter()
        .map(|it| {
            let operations: Vec<i8> = it.acls.iter().map(|acl| acl.operation).collect();
            (it.resource_type, it.resource_name.to_string(), operations)
        })
        .collect();
    let line = |kind, name: &str, operations: &[i8]| (kind, name.to_owned(), operations.to_vec());
    assert_eq!(lines, [line(2, "a", &[3, 4]), line(2, "b", &[3]), line(4, CLUSTER_NAME, &[8])]);
    assert_eq!(of_describe(&described), (0, Some(String::new())));
}

/// Kafka ends the connection of who sends the number 0, and stumbles over what only filters have.
#[test]
fn numbers_that_say_nothing() {
    let node = node(ANONYMOUS, &[]);
    assert!(matches!(ask(&node, 3, &creation(0)), Answer::Close));
    assert!(matches!(ask(&node, 3, &everything().with_operation(0)), Answer::Close));
    let mut request = deletion();
    request.filters[0].permission_type = 0;
    assert!(matches!(ask(&node, 3, &request), Answer::Close));
    assert_eq!(of_create(&answered(&node, 3, &creation(1))), (-1, None));
    // The rest the controller decides.
    assert!(matches!(ask(&node, 3, &creation(99)), Answer::Later(_)));
}
