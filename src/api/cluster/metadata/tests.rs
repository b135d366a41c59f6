//! What is expected was answered by Apache Kafka 4.3.1.

use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};

use super::*;
use crate::api::cluster::view::tests::{broker, cluster, image, partition, topic, topic_id};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::metadata::image::Image;
use crate::wire::messages;

fn config(lines: &[(&str, &str)]) -> BrokerConfig {
    let base = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.voters", "1@localhost:9093"),
    ];
    let texts = base.iter().chain(lines).map(|(key, text)| ((*key).into(), (*text).into()));
    BrokerConfig::new(&texts.collect()).unwrap()
}

/// Asks through a listener; the answer has been through the bytes of its version.
fn ask_of(
    image: &Image,
    listener: &str,
    version: i16,
    request: &MetadataRequest,
) -> (MetadataResponse, Vec<String>) {
    let view = View { image, listener };
    let node = NodeInfo { node_id: NodeId(1), cluster_id: Arc::from("cluster") };
    let access = Access::default();
    let may_create = request.allow_auto_topic_creation;
    let asked = Asked { view, version, request, access: &access, may_create };
    let (response, to_create) = asked.answer(&node);
    let mut bytes = bytes::BytesMut::new();
    messages::encode::<MetadataRequest>(version, &response, &mut bytes).unwrap();
    let mut bytes = bytes.freeze();
    let decoded = MetadataResponse::decode(&mut bytes, version).unwrap();
    assert!(bytes.is_empty());
    (decoded, to_create)
}

fn ask(version: i16, request: &MetadataRequest) -> MetadataResponse {
    ask_of(&cluster(), "PLAINTEXT", version, request).0
}

fn all() -> MetadataRequest {
    MetadataRequest::default().with_topics(None)
}

fn of_names(names: &[&str]) -> MetadataRequest {
    let topic =
        |&name: &&str| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    MetadataRequest::default().with_topics(Some(names.iter().map(topic).collect()))
}

fn of_ids(ids: &[Uuid]) -> MetadataRequest {
    let topic = |&id: &Uuid| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    MetadataRequest::default().with_topics(Some(ids.iter().map(topic).collect()))
}

/// Error and name of each topic.
fn topics(response: &MetadataResponse) -> Vec<(i16, Option<&str>)> {
    let name = |topic: &MetadataResponseTopic| topic.error_code;
    let topics = response.topics.iter();
    topics.map(|topic| (name(topic), topic.name.as_deref().map(StrBytes::as_str))).collect()
}

#[test]
fn null_is_all_topics_and_an_empty_list_none_but_in_version_0() {
    let both: &[_] = &[(0, Some("a")), (0, Some("b"))];
    let none = MetadataRequest::default().with_topics(Some(Vec::new()));
    for version in 0..=13 {
        let expected = if version == 0 { both } else { &[] };
        assert_eq!(topics(&ask(version, &none)), expected, "{version}");
        if version > 0 {
            assert_eq!(topics(&ask(version, &all())), both, "{version}");
        }
    }
}

#[test]
fn brokers_that_are_fenced_or_lack_the_listener_are_not_told_of() {
    let brokers = |listener| {
        let (response, _) = ask_of(&cluster(), listener, 9, &all());
        let broker = |it: &MetadataResponseBroker| {
            (it.node_id.0, it.host.to_string(), it.port, it.rack.as_deref().map(str::to_owned))
        };
        response.brokers.iter().map(broker).collect::<Vec<_>>()
    };
    let first = (1, "host1".to_owned(), 9001, Some("r1".to_owned()));
    assert_eq!(brokers("PLAINTEXT"), std::slice::from_ref(&first));
    assert_eq!(brokers("OTHER"), [first, (2, "host2".to_owned(), 9002, None)]);
    let response = ask(13, &all());
    assert_eq!(response.cluster_id.as_deref(), Some("cluster"));
    assert_eq!((response.controller_id.0, response.error_code), (1, 0));
}

#[test]
fn unknown_topics_are_told_apart_and_made_if_that_is_allowed() {
    let request =
        of_names(&["new", "a", "a/b", "", "new", "__consumer_offsets", "__share_group_state", "a"]);
    let expected: &[_] = &[
        (3, Some("new")),
        (0, Some("a")),
        (17, Some("a/b")),
        (17, Some("")),
        (3, Some("__consumer_offsets")),
        (3, Some("__share_group_state")),
    ];
    let (response, to_create) = ask_of(&cluster(), "PLAINTEXT", 12, &request);
    assert_eq!(topics(&response), expected);
    assert!(response.topics[4].is_internal && !response.topics[0].is_internal);
    assert_eq!(to_create, ["new", "__consumer_offsets"]);

    let request = request.with_allow_auto_topic_creation(false);
    let (response, to_create) = ask_of(&cluster(), "PLAINTEXT", 12, &request);
    assert_eq!(topics(&response), expected);
    assert!(to_create.is_empty());
}

#[test]
fn nothing_is_made_where_the_configuration_says_no() {
    let image = cluster();
    let node = NodeInfo { node_id: NodeId(1), cluster_id: Arc::from("cluster") };
    let view = View { image: &image, listener: "PLAINTEXT" };
    let request = of_names(&["new"]);
    let access = Access::default();
    let to_create = |may_create| {
        let asked = Asked { view, version: 4, request: &request, access: &access, may_create };
        asked.answer(&node).1
    };
    assert_eq!(to_create(true), ["new"]);
    assert!(to_create(false).is_empty());
}

#[test]
fn ids_count_more_than_names_and_make_nothing() {
    let (a, unknown) = (topic_id("a"), Uuid::from_u128(77));
    let (response, to_create) = ask_of(&cluster(), "PLAINTEXT", 12, &of_ids(&[unknown, a, a]));
    assert_eq!(topics(&response), [(100, None), (0, Some("a"))]);
    assert_eq!((response.topics[0].topic_id, response.topics[1].topic_id), (unknown, a));
    assert!(to_create.is_empty());

    let mut mixed = of_names(&["new", "b"]);
    mixed.topics.as_mut().unwrap().push(MetadataRequestTopic::default().with_topic_id(a));
    let (response, to_create) = ask_of(&cluster(), "PLAINTEXT", 12, &mixed);
    assert_eq!(topics(&response), [(0, Some("a"))]);
    assert!(to_create.is_empty());
}

#[test]
fn ids_and_nulls_before_version_12_refuse_every_topic() {
    let check = |version: i16, request: &MetadataRequest, expected: &[(i16, Option<&str>)]| {
        let response = ask(version, request);
        assert_eq!(topics(&response), expected);
        assert!(response.brokers.is_empty() && response.cluster_id.is_none());
        assert_eq!(response.controller_id.0, -1);
    };
    let mut with_id = of_names(&["a", "b"]);
    with_id.topics.as_mut().unwrap()[1].topic_id = Uuid::from_u128(5);
    check(10, &with_id, &[(42, Some("a")), (42, Some("b"))]);
    check(11, &of_ids(&[Uuid::nil()]), &[(42, Some(""))]);
    check(12, &of_ids(&[Uuid::nil()]), &[(-1, Some(""))]);
}

#[test]
fn permitted_operations_are_told_if_asked() {
    let check = |version: i16, topics_too: bool, topic: i32, of_cluster: i32| {
        let request = of_names(&["a", "unknown"])
            .with_include_topic_authorized_operations(topics_too)
            .with_include_cluster_authorized_operations(topics_too && version < 11);
        let response = ask(version, &request);
        assert!(response.topics.iter().all(|it| it.topic_authorized_operations == topic));
        assert_eq!(response.cluster_authorized_operations, of_cluster, "{version}");
    };
    check(8, true, 3576, 8096);
    check(10, true, 3576, 8096);
    check(8, false, i32::MIN, i32::MIN);
    check(11, true, 3576, i32::MIN);
    check(13, true, 3576, i32::MIN);
    let request = of_ids(&[Uuid::from_u128(5)]).with_include_topic_authorized_operations(true);
    assert_eq!(ask(12, &request).topics[0].topic_authorized_operations, i32::MIN);
}

#[test]
fn a_leader_is_named_if_the_listener_leads_to_it() {
    let image = image([
        broker(1, &["PLAINTEXT", "OTHER"], false),
        broker(2, &["OTHER"], false),
        topic("t"),
        partition("t", 0, 1, &[1]).into(),
        partition("t", 1, 2, &[2]).into(),
        partition("t", 2, -1, &[1]).into(),
        partition("t", 3, 9, &[9]).into(),
    ]);
    let check = |version: i16, expected: &[(i16, i32)]| {
        let (response, _) = ask_of(&image, "PLAINTEXT", version, &of_names(&["t"]));
        let partitions = &response.topics[0].partitions;
        let told: Vec<_> = partitions.iter().map(|it| (it.error_code, it.leader_id.0)).collect();
        assert_eq!(told, expected, "{version}");
        assert!(version < 7 || partitions.iter().all(|it| it.leader_epoch == 5));
    };
    check(5, &[(0, 1), (5, -1), (5, -1), (5, -1)]);
    check(6, &[(0, 1), (72, -1), (5, -1), (5, -1)]);
    check(13, &[(0, 1), (72, -1), (5, -1), (5, -1)]);
}

#[test]
fn version_0_names_only_replicas_that_can_be_reached() {
    let image = image([
        broker(1, &["PLAINTEXT"], false),
        broker(3, &["PLAINTEXT"], true),
        topic("t"),
        partition("t", 0, 1, &[1, 3]).into(),
        partition("t", 1, 1, &[1]).into(),
    ]);
    let check = |version: i16, error: i16, replicas: &[i32]| {
        let (response, _) = ask_of(&image, "PLAINTEXT", version, &of_names(&["t"]));
        let partition = &response.topics[0].partitions[0];
        let ids = |nodes: &[BrokerId]| nodes.iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(
            (partition.error_code, ids(&partition.replica_nodes)),
            (error, replicas.to_vec())
        );
        assert_eq!(ids(&partition.isr_nodes), replicas);
        assert_eq!(response.topics[0].partitions[1].error_code, 0);
        assert!(version < 5 || ids(&partition.offline_replicas) == [3]);
    };
    check(0, 9, &[1]);
    check(1, 0, &[1, 3]);
    check(5, 0, &[1, 3]);
}

#[tokio::test]
async fn what_is_missing_the_controller_is_asked_for_once() {
    use crate::api::harness::Node;
    use crate::kernel::controller::Request;
    use crate::shell::drivers::controller::handle::Message;

    let node = Node::new(config(&[("num.partitions", "7")]), cluster());
    let (ctx, requests) = (node.ctx, node.asked);
    let call = Call::for_test(3, 9);
    let mut body = bytes::BytesMut::new();
    of_names(&["new", "a/b"]).encode(&mut body, 9).unwrap();
    for _ in 0..3 {
        assert!(matches!(handle(&ctx, &call, body.clone().freeze()), Answer::Now(_)));
        tokio::task::yield_now().await;
    }
    let Ok(Message::Call(asked)) = requests.try_recv() else { panic!("nothing was asked") };
    let Request::CreateTopics(request) = &asked.request else { panic!("{:?}", asked.request) };
    let [topic] = &request.topics[..] else { panic!("{request:?}") };
    assert_eq!(
        (topic.name.as_str(), topic.num_partitions, topic.replication_factor),
        ("new", 7, 1)
    );
    assert!(requests.try_recv().is_err(), "it is in the making");

    // The controller says no: the next client's request makes it try again.
    drop(asked);
    tokio::task::yield_now().await;
    assert!(matches!(handle(&ctx, &call, body.freeze()), Answer::Now(_)));
    tokio::task::yield_now().await;
    assert!(requests.try_recv().is_ok());
}
