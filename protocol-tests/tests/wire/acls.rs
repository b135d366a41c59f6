//! ACLs: what the three APIs answer, and what every other one answers to who may not ask.
//!
//! Everybody is `User:ANONYMOUS`. What another user may do on all resources of a kind makes them forbidden to him.

use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource as Replaced;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest as TopicAsked;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use protocol_tests::connection::Outcome;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{ask_until, ends_of, new_topic, produce_request, text, topic_name};
use uuid::Uuid;

use super::script::Script;

const STANDARD: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
const ANONYMOUS: &str = "User:ANONYMOUS";
const CLUSTER: &str = "kafka-cluster";

/// Kinds of resources.
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const OF_CLUSTER: i8 = 4;
const TRANSACTIONAL_ID: i8 = 5;
/// Operations.
const ALL: i8 = 2;
const READ: i8 = 3;
const ALTER: i8 = 7;
const DESCRIBE: i8 = 8;
const CLUSTER_ACTION: i8 = 9;
/// The attribute of a batch of a transaction.
const TRANSACTIONAL: i16 = 1 << 4;

/// An ACL that permits something to somebody from anywhere.
fn allow(kind: i8, name: &str, operation: i8, principal: &str) -> AclCreation {
    AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_resource_pattern_type(3)
        .with_principal(text(principal))
        .with_host(text("*"))
        .with_operation(operation)
        .with_permission_type(3)
}

fn create(acls: &[AclCreation]) -> CreateAclsRequest {
    CreateAclsRequest::default().with_creations(acls.to_vec())
}

fn any_acl() -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(1)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1)
}

fn any_filter() -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(1)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(1)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1)
}

/// Kafka has no order.
fn sort(response: &mut DescribeAclsResponse) {
    response
        .resources
        .sort_by_key(|it| (it.resource_type, it.resource_name.to_string(), it.pattern_type));
    for resource in &mut response.resources {
        resource.acls.sort_by_key(|it| (it.operation, it.principal.to_string()));
    }
}

fn sort_deleted(response: &mut DeleteAclsResponse) {
    for result in &mut response.filter_results {
        result.matching_acls.sort_by_key(|it| {
            let name = it.resource_name.to_string();
            (it.resource_type, name, it.pattern_type, it.operation, it.principal.to_string())
        });
    }
}

/// A node with an authorizer, a topic, and coordinators that are ready.
fn begin(name: &'static str) -> (Script, Uuid) {
    let mut script = Script::begin_with(
        name,
        &[
            ("authorizer.class.name", STANDARD),
            ("allow.everyone.if.no.acl.found", "true"),
            ("offsets.topic.num.partitions", "1"),
            ("transaction.state.log.num.partitions", "1"),
        ],
    );
    let id = script.topic("t", 1, &[]);
    let mut connection = script.node.connect();
    for kind in [0, 1] {
        let find = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![text("g")]);
        ask_until(&mut connection, 4, &find, |it| it.coordinators[0].error_code == 0);
    }
    let beat =
        HeartbeatRequest::default().with_group_id(GroupId(text("g"))).with_member_id(text("x"));
    ask_until(&mut connection, 4, &beat, |it| it.error_code == 25);
    (script, id)
}

/// Creates ACLs, and waits until the broker goes by them.
fn grant(script: &mut Script, acls: &[AclCreation]) {
    let created = script.ask(3, &create(acls));
    assert!(created.results.iter().all(|it| it.error_code == 0), "{created:?}");
    let mut connection = script.node.connect();
    let last = acls.last().unwrap();
    let filter = any_acl()
        .with_resource_type_filter(last.resource_type)
        .with_resource_name_filter(Some(last.resource_name.clone()))
        .with_principal_filter(Some(last.principal.clone()))
        .with_operation(last.operation);
    ask_until(&mut connection, 3, &filter, |it| !it.resources.is_empty());
}

/// From now on only brokers are served, and whoever changes ACLs.
fn lock(script: &mut Script) {
    grant(
        script,
        &[
            allow(OF_CLUSTER, CLUSTER, CLUSTER_ACTION, ANONYMOUS),
            allow(OF_CLUSTER, CLUSTER, ALTER, ANONYMOUS),
            allow(TOPIC, "*", ALL, "User:nobody"),
            allow(GROUP, "*", ALL, "User:nobody"),
            allow(TRANSACTIONAL_ID, "*", ALL, "User:nobody"),
        ],
    );
}

#[test]
fn acls_without_an_authorizer() {
    let mut script = Script::begin("acls-without-an-authorizer");
    for version in 1..=3 {
        script.ask(version, &any_acl());
        script.ask(version, &create(&[allow(TOPIC, "a", READ, "User:a")]));
        let delete = DeleteAclsRequest::default().with_filters(vec![any_filter(), any_filter()]);
        script.ask(version, &delete);
        script.ask(version, &create(&[]));
        script.ask(version, &DeleteAclsRequest::default());
    }
    script.end();
}

#[test]
fn acls_come_are_found_and_go() {
    let (mut script, _) = begin("acls");
    let good = allow(TOPIC, "a", READ, "User:a");
    for version in 1..=3 {
        script.ask(
            version,
            &create(&[
                good.clone(),
                good.clone(),
                good.clone().with_resource_pattern_type(4),
                good.clone().with_resource_type(OF_CLUSTER),
                good.clone().with_resource_name(text("")),
                good.clone().with_principal(text("nobody")),
                good.clone().with_principal(text("Group:x")).with_host(text("somewhere")),
                good.clone().with_resource_type(99),
                good.clone().with_resource_pattern_type(99),
                good.clone().with_operation(99),
                good.clone().with_permission_type(99),
                allow(OF_CLUSTER, CLUSTER, ALL, ANONYMOUS),
                allow(GROUP, "*", ALL, "User:a").with_permission_type(2),
                allow(6, "token", DESCRIBE, "User:a"),
            ]),
        );
        for wrong in [
            good.clone().with_resource_type(1),
            good.clone().with_resource_pattern_type(1),
            good.clone().with_resource_pattern_type(2),
            good.clone().with_operation(1),
            good.clone().with_permission_type(1),
        ] {
            script.ask(version, &create(&[good.clone(), wrong]));
        }
        let mut connection = script.node.connect();
        ask_until(&mut connection, 3, &any_acl(), |it| it.resources.len() == 5);
        let name = Some(text("a"));
        for filter in [
            any_acl(),
            any_acl().with_resource_type_filter(TOPIC),
            any_acl().with_resource_type_filter(99),
            any_acl().with_resource_name_filter(name.clone()),
            any_acl().with_resource_name_filter(name.clone()).with_pattern_type_filter(2),
            any_acl().with_resource_name_filter(name.clone()).with_pattern_type_filter(3),
            any_acl().with_resource_name_filter(name.clone()).with_pattern_type_filter(4),
            any_acl().with_resource_name_filter(Some(text("abc"))).with_pattern_type_filter(2),
            any_acl().with_resource_name_filter(Some(text("*"))),
            any_acl().with_principal_filter(Some(text("User:a"))),
            any_acl().with_host_filter(Some(text("somewhere"))),
            any_acl().with_operation(ALL),
            any_acl().with_permission_type(2),
        ] {
            script.ask_hiding(version, &filter, sort);
        }
        let filters = vec![
            any_filter().with_resource_type_filter(99),
            any_filter().with_pattern_type_filter(99),
            any_filter().with_operation(99),
            any_filter().with_permission_type(99),
            any_filter().with_resource_name_filter(name).with_pattern_type_filter(2),
            any_filter(),
        ];
        let delete = DeleteAclsRequest::default().with_filters(filters);
        script.ask_hiding(version, &delete, sort_deleted);
        ask_until(&mut connection, 3, &any_acl(), |it| it.resources.is_empty());
    }
    script.end();
}

fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

fn named(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    MetadataRequest::default().with_topics(Some(names.iter().map(topic).collect()))
}

fn of_id(id: Uuid) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    MetadataRequest::default().with_topics(Some(vec![topic]))
}

fn commit(topics: &[&str]) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let topic = |name: &&str| {
        OffsetCommitRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(vec![partition.clone()])
    };
    OffsetCommitRequest::default()
        .with_group_id(group_id("g"))
        .with_topics(topics.iter().map(topic).collect())
}

fn fetch_offsets(topics: &[&str]) -> OffsetFetchRequest {
    let topic = |name: &&str| {
        OffsetFetchRequestTopics::default()
            .with_name(topic_name(name))
            .with_partition_indexes(vec![0])
    };
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(group_id("g"))
        .with_topics(Some(topics.iter().map(topic).collect()));
    OffsetFetchRequest::default().with_groups(vec![group])
}

fn data_path(script: &mut Script, id: Uuid) {
    let batch = RecordBatch::new(1000).record(None, Some(b"v"));
    let produce = produce_request("t", 0, Some(batch.sealed().into()));
    script.ask(9, &produce);
    let unknown = produce_request("u", 0, None);
    script.ask(9, &unknown);
    let partition = FetchPartition::default().with_partition_max_bytes(1000);
    let fetch = |topic: FetchTopic| {
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(1000)
            .with_session_epoch(-1)
            .with_topics(vec![topic.with_partitions(vec![partition.clone()])])
    };
    script.ask(12, &fetch(FetchTopic::default().with_topic(topic_name("t"))));
    script.ask(12, &fetch(FetchTopic::default().with_topic(topic_name("u"))));
    script.ask(17, &fetch(FetchTopic::default().with_topic_id(id)));
    script.ask(17, &fetch(FetchTopic::default().with_topic_id(Uuid::from_u128(7))));
    script.ask(7, &ends_of("t", 1));
    script.ask(7, &ends_of("u", 1));
    let records = DeleteRecordsTopic::default()
        .with_name(topic_name("t"))
        .with_partitions(vec![DeleteRecordsPartition::default()]);
    script.ask(2, &DeleteRecordsRequest::default().with_topics(vec![records]));
    let producers =
        TopicRequest::default().with_name(topic_name("t")).with_partition_indexes(vec![0]);
    script.ask(0, &DescribeProducersRequest::default().with_topics(vec![producers]));
}

fn metadata(script: &mut Script, id: Uuid) {
    for version in [0, 4, 9, 12] {
        script.ask(version, &named(&["t"]).with_allow_auto_topic_creation(true));
        script.ask(version, &named(&["u"]).with_allow_auto_topic_creation(true));
        script.ask(version, &named(&["u"]).with_allow_auto_topic_creation(version < 4));
        let all = if version == 0 { Some(Vec::new()) } else { None };
        script.ask(version, &MetadataRequest::default().with_topics(all));
    }
    script.ask(12, &of_id(id));
    script.ask(12, &of_id(Uuid::from_u128(7)));
    let with_operations = named(&["t"])
        .with_include_topic_authorized_operations(true)
        .with_include_cluster_authorized_operations(true);
    script.ask(10, &with_operations);
    let topic = TopicAsked::default().with_name(topic_name("t"));
    let one = DescribeTopicPartitionsRequest::default().with_response_partition_limit(9);
    script.ask(0, &one.clone().with_topics(vec![topic]));
    script.ask(0, &one);
    script.ask(
        0,
        &DescribeClusterRequest::default().with_include_cluster_authorized_operations(true),
    );
}

fn groups(script: &mut Script) {
    script.ask(8, &commit(&["t", "u"]));
    script.ask(8, &fetch_offsets(&["t", "u"]));
    let topic = OffsetFetchRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partition_indexes(vec![0]);
    let older =
        OffsetFetchRequest::default().with_group_id(group_id("g")).with_topics(Some(vec![topic]));
    script.ask(1, &older);
    script.ask(7, &older);
    for kind in [0, 1] {
        let find = FindCoordinatorRequest::default().with_key_type(kind);
        script.ask(3, &find.clone().with_key(text("g")));
        script.ask(4, &find.with_coordinator_keys(vec![text("g"), text("h")]));
    }
    let join = JoinGroupRequest::default()
        .with_group_id(group_id("h"))
        .with_member_id(text("m"))
        .with_protocol_type(text("consumer"))
        .with_session_timeout_ms(10_000);
    script.ask(5, &join);
    script.ask(9, &join);
    let beat = HeartbeatRequest::default().with_group_id(group_id("h")).with_member_id(text("m"));
    script.ask(4, &beat);
    let leave = LeaveGroupRequest::default().with_group_id(group_id("h"));
    script.ask(2, &leave);
    let member = MemberIdentity::default().with_member_id(text("m"));
    script.ask(4, &leave.with_members(vec![member]));
    let sync = SyncGroupRequest::default()
        .with_group_id(group_id("h"))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")));
    script.ask(5, &sync);
    script.ask(5, &DescribeGroupsRequest::default().with_groups(vec![group_id("h")]));
    script.ask(4, &ListGroupsRequest::default());
    script.ask(2, &DeleteGroupsRequest::default().with_groups_names(vec![group_id("h")]));
    let offset = OffsetDeleteRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
    let delete =
        OffsetDeleteRequest::default().with_group_id(group_id("h")).with_topics(vec![offset]);
    script.ask(0, &delete);
    let heartbeat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id("h"))
        .with_rebalance_timeout_ms(1000)
        .with_subscribed_topic_names(Some(vec![topic_name("t")]))
        .with_topic_partitions(Some(Vec::new()));
    script.ask(0, &heartbeat);
    let describe = ConsumerGroupDescribeRequest::default()
        .with_group_ids(vec![group_id("h")])
        .with_include_authorized_operations(true);
    script.ask(0, &describe);
}

fn transactions(script: &mut Script) {
    let id = || TransactionalId(text("x"));
    let plain = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    script.ask(4, &plain);
    let transactional = plain.with_transactional_id(Some(id())).with_transaction_timeout_ms(1000);
    script.ask(4, &transactional);
    let topic =
        AddPartitionsToTxnTopic::default().with_name(topic_name("t")).with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id())
        .with_v3_and_below_topics(vec![topic]);
    script.ask(3, &add);
    let add =
        AddOffsetsToTxnRequest::default().with_transactional_id(id()).with_group_id(group_id("g"));
    script.ask(3, &add);
    script.ask(3, &EndTxnRequest::default().with_transactional_id(id()));
    let partition = TxnOffsetCommitRequestPartition::default();
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partitions(vec![partition]);
    let commit = TxnOffsetCommitRequest::default()
        .with_transactional_id(id())
        .with_group_id(group_id("g"))
        .with_topics(vec![topic]);
    script.ask(3, &commit);
    script.ask(0, &DescribeTransactionsRequest::default().with_transactional_ids(vec![id()]));
    script.ask(0, &ListTransactionsRequest::default());
}

fn topics_and_configs(script: &mut Script, id: Uuid) {
    let create = CreateTopicsRequest::default()
        .with_topics(vec![new_topic("new", 1, &[])])
        .with_timeout_ms(30_000);
    script.ask(7, &create);
    let by_name = DeleteTopicsRequest::default().with_timeout_ms(30_000);
    script.ask(5, &by_name.clone().with_topic_names(vec![topic_name("t")]));
    script.ask(5, &by_name.clone().with_topic_names(vec![topic_name("u")]));
    let state = DeleteTopicState::default().with_name(None).with_topic_id(id);
    script.ask(6, &by_name.with_topics(vec![state]));
    let more = CreatePartitionsTopic::default().with_name(topic_name("t")).with_count(2);
    let more = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(30_000);
    script.ask(3, &more);
    for (kind, name) in [(2, "t"), (2, "u"), (4, "1"), (32, "g")] {
        let key = Some(vec![text("retention.ms")]);
        let described = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(key);
        script.ask(4, &DescribeConfigsRequest::default().with_resources(vec![described]));
        let altered =
            AlterConfigsResource::default().with_resource_type(kind).with_resource_name(text(name));
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![altered]);
        script.ask(1, &request);
        let replaced = Replaced::default().with_resource_type(kind).with_resource_name(text(name));
        script.ask(2, &AlterConfigsRequest::default().with_resources(vec![replaced]));
    }
    script.ask(1, &ListConfigResourcesRequest::default());
}

#[test]
fn everything_is_denied() {
    let (mut script, id) = begin("acls-deny-everything");
    lock(&mut script);
    data_path(&mut script, id);
    metadata(&mut script, id);
    groups(&mut script);
    transactions(&mut script);
    topics_and_configs(&mut script, id);
    // Who may describe a topic may know whether there is one, and no more.
    grant(
        &mut script,
        &[
            allow(GROUP, "g", READ, ANONYMOUS),
            allow(TOPIC, "u", DESCRIBE, ANONYMOUS),
            allow(TOPIC, "t", DESCRIBE, ANONYMOUS),
        ],
    );
    data_path(&mut script, id);
    metadata(&mut script, id);
    script.ask(8, &commit(&["t", "u", "v"]));
    script.ask(8, &fetch_offsets(&["t", "v"]));
    topics_and_configs(&mut script, id);
    deny_the_cluster(script);
}

/// Nobody may change ACLs any more. The words beside the error are a dump of the request with Kafka.
fn deny_the_cluster(mut script: Script) {
    let filter = any_filter().with_operation(ALTER).with_principal_filter(Some(text(ANONYMOUS)));
    script.ask(3, &DeleteAclsRequest::default().with_filters(vec![filter]));
    let mut connection = script.node.connect();
    ask_until(&mut connection, 3, &any_acl(), |it| it.error_code == 31);
    let hidden = || Some(StrBytes::default());
    script.ask_hiding(3, &any_acl(), |it| it.error_message = hidden());
    script.ask_hiding(3, &create(&[allow(TOPIC, "a", READ, "User:a")]), |it| {
        it.results[0].error_message = hidden();
    });
    let delete = DeleteAclsRequest::default().with_filters(vec![any_filter()]);
    script.ask_hiding(3, &delete, |it| it.filter_results[0].error_message = hidden());
    script.ask_hiding(2, &DescribeQuorumRequest::default(), |it| it.error_message = hidden());
    script.ask_hiding(1, &UpdateFeaturesRequest::default(), |it| it.error_message = hidden());
    script.ask(1, &DescribeLogDirsRequest::default().with_topics(None));
    script.ask(4, &DescribeLogDirsRequest::default().with_topics(None));
    let cluster =
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    script.ask(0, &cluster);
    let with_operations = named(&["t"]).with_include_cluster_authorized_operations(true);
    script.ask(10, &with_operations);
    script.end();
}

fn add_offsets(group: &str, producer: ProducerId) -> AddOffsetsToTxnRequest {
    AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text("x")))
        .with_producer_id(producer)
        .with_group_id(group_id(group))
}

fn commit_in_a_transaction(
    group: &str,
    producer: ProducerId,
    topics: &[&str],
) -> TxnOffsetCommitRequest {
    let topic = |name: &&str| {
        TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(vec![TxnOffsetCommitRequestPartition::default()])
    };
    TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text("x")))
        .with_producer_id(producer)
        .with_group_id(group_id(group))
        .with_topics(topics.iter().map(topic).collect())
}

fn write_in_a_transaction(script: &mut Script, producer: ProducerId, topic: &str) {
    let mut batch = RecordBatch::new(1000).record(None, Some(b"v")).from_producer(producer.0, 0, 0);
    batch.attributes = TRANSACTIONAL;
    let request = produce_request(topic, 0, Some(batch.sealed().into()))
        .with_transactional_id(Some(TransactionalId(text("x"))));
    for version in [3, 9, 11, 12] {
        script.ask(version, &request);
    }
}

/// What takes part in a transaction is denied one after the other: the group, the topic, the id itself, which each was
/// permitted before.
#[test]
fn a_transaction_is_denied_what_it_needs() {
    let (mut script, _) = begin("acls-of-a-transaction");
    script.topic("w", 1, &[]);
    let id = Some(TransactionalId(text("x")));
    let init = InitProducerIdRequest::default()
        .with_transactional_id(id)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let begun = ask_until(&mut script.node.connect(), 4, &init, |it| it.error_code == 0);
    let producer = begun.producer_id;
    grant(&mut script, &[allow(GROUP, "g", READ, "User:nobody")]);
    for version in [0, 3, 4] {
        script.ask(version, &add_offsets("g", producer));
    }
    for version in [0, 3, 5] {
        script.ask(version, &commit_in_a_transaction("g", producer, &["t", "w"]));
    }
    // Another group may take part, and one of the topics.
    script.ask(3, &add_offsets("h", producer));
    grant(&mut script, &[allow(TOPIC, "t", ALL, "User:nobody")]);
    script.ask(3, &commit_in_a_transaction("h", producer, &["t", "w"]));
    script.ask(3, &commit_in_a_transaction("h", producer, &["t"]));
    write_in_a_transaction(&mut script, producer, "t");
    grant(&mut script, &[allow(TRANSACTIONAL_ID, "x", ALL, "User:nobody")]);
    write_in_a_transaction(&mut script, producer, "w");
    script.ask(3, &add_offsets("h", producer));
    script.ask(3, &commit_in_a_transaction("h", producer, &["t", "w"]));
    let end = EndTxnRequest::default().with_transactional_id(TransactionalId(text("x")));
    script.ask(3, &end.with_producer_id(producer));
    deny_what_brokers_do(script, producer);
}

/// Who is no broker ends nobody's transaction, nor looks at one for somebody else. Apache's own broker is none either from
/// now on.
fn deny_what_brokers_do(mut script: Script, producer: ProducerId) {
    grant(&mut script, &[allow(OF_CLUSTER, CLUSTER, DESCRIBE, ANONYMOUS)]);
    let topic = |name| {
        WritableTxnMarkerTopic::default()
            .with_name(topic_name(name))
            .with_partition_indexes(vec![0])
    };
    let marker = WritableTxnMarker::default()
        .with_producer_id(producer)
        .with_transaction_result(true)
        .with_topics(vec![topic("t")]);
    script.ask(1, &WriteTxnMarkersRequest::default().with_markers(vec![marker]));
    let topic =
        AddPartitionsToTxnTopic::default().with_name(topic_name("w")).with_partitions(vec![0]);
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(TransactionalId(text("x")))
        .with_producer_id(producer)
        .with_topics(vec![topic]);
    script.ask(4, &AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]));
    script.end();
}

/// A number that stands for something unknown ends the connection, here as with Kafka.
#[test]
fn what_says_nothing_is_no_request() {
    let (script, _) = begin("acls-unknown");
    let ends = |api: &str, key: i16, body: &[u8]| {
        let outcome = script.node.connect().ask_body(key, 3, true, body);
        assert!(matches!(outcome, Outcome::Closed), "{api}");
    };
    // A type, nulls for names, patterns; one of the numbers is 0.
    ends("DescribeAcls", 29, &[0, 0, 1, 0, 0, 1, 1, 0]);
    ends("DescribeAcls", 29, &[1, 0, 1, 0, 0, 1, 0, 0]);
    ends("CreateAcls", 30, &[2, 2, 2, b'a', 0, 2, b'a', 2, b'*', 3, 3, 0, 0]);
    ends("DeleteAcls", 31, &[2, 1, 0, 1, 0, 0, 0, 1, 0, 0]);
    script.end();
}
