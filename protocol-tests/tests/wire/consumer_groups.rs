//! Consumer groups of the new protocol (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe, and what is configured for
//! groups.

use std::time::{Duration, Instant};

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    DescribeConfigsRequest, FindCoordinatorRequest, GroupId, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, TopicName,
};
use protocol_tests::requests::text;
use uuid::Uuid;

use super::script::Script;

const READY_LIMIT: Duration = Duration::from_mins(1);
const GROUP: i8 = 32;

/// A node whose coordinator is ready, and which assigns as often as it is asked to.
fn begin(name: &'static str) -> Script {
    let script = Script::begin_with(
        name,
        &[
            ("group.consumer.assignment.interval.ms", "0"),
            ("offsets.topic.num.partitions", "1"),
            ("offsets.topic.replication.factor", "1"),
        ],
    );
    let mut connection = script.node.connect();
    let end = Instant::now() + READY_LIMIT;
    loop {
        let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
        let found = connection.ask(4, &find).coordinators;
        let beat = connection.ask(1, &quiet("nobody", 1)).error_code;
        if found.iter().all(|it| it.error_code == 0) && beat == 69 {
            return script;
        }
        assert!(Instant::now() < end, "no coordinator: {found:?} {beat}");
        std::thread::yield_now();
    }
}

fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

fn quiet(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id("g"))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

fn join(member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    let names = topics.iter().map(|name| TopicName(text(*name))).collect();
    quiet(member, 0)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(names))
        .with_topic_partitions(Some(Vec::new()))
}

fn owning(member: &str, epoch: i32, topic: Uuid, owned: &[i32]) -> ConsumerGroupHeartbeatRequest {
    let owned = TopicPartitions::default().with_topic_id(topic).with_partitions(owned.to_vec());
    quiet(member, epoch).with_topic_partitions(Some(vec![owned]))
}

/// Apache tells members in the order of a hash map.
fn sort_members(response: &mut ConsumerGroupDescribeResponse) {
    for group in &mut response.groups {
        group.members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
    }
}

fn describe(script: &mut Script, version: i16) {
    let request = ConsumerGroupDescribeRequest::default()
        .with_group_ids(vec![group_id("g")])
        .with_include_authorized_operations(true);
    script.ask_hiding(version, &request, sort_members);
}

#[test]
fn consumer_group_heartbeat() {
    let mut script = begin("consumer-group-heartbeat");
    let t = script.topic("t", 3, &[]);
    script.ask(1, &quiet("a", 1));
    script.ask(1, &quiet("a", -1));
    script.ask(1, &join("a", &["t"]));
    script.ask(1, &quiet("a", 2));
    script.ask(0, &join("b", &["t"]).with_rack_id(Some(text("r"))));
    script.ask(1, &quiet("a", 2));
    script.ask(1, &quiet("b", 3));
    script.ask(1, &owning("a", 2, t, &[0, 1, 2]));
    script.ask(1, &owning("a", 2, t, &[0, 1]));
    script.ask(1, &quiet("b", 3));
    // The answer was lost; then epochs that are not the member's; then one who is no member.
    script.ask(1, &owning("a", 2, t, &[0, 1]));
    script.ask(1, &owning("a", 2, t, &[0, 1, 2]));
    script.ask(1, &quiet("a", 9));
    script.ask(1, &quiet("c", 3));
    script.ask(1, &join("a", &["t"]));
    script.ask(1, &join("b", &["t", "u"]).with_server_assignor(Some(text("range"))));
    describe(&mut script, 1);
    describe(&mut script, 0);
    script.ask(1, &quiet("b", -1));
    describe(&mut script, 1);
    script.ask(1, &quiet("a", 3));
    script.ask(1, &quiet("a", -1));
    describe(&mut script, 1);
    script.end();
}

#[test]
fn members_of_consumer_groups_that_are_static() {
    let mut script = begin("static-consumers");
    script.topic("t", 3, &[]);
    let as_i = |request: ConsumerGroupHeartbeatRequest| request.with_instance_id(Some(text("i")));
    script.ask(1, &as_i(join("a", &["t"])));
    script.ask(1, &as_i(join("b", &["t"])));
    script.ask(1, &as_i(quiet("b", -2)));
    script.ask(1, &as_i(quiet("b", 2)));
    script.ask(1, &as_i(quiet("a", -2)));
    describe(&mut script, 1);
    script.ask(1, &as_i(join("b", &["t"])));
    script.ask(1, &as_i(quiet("a", 2)));
    script.ask(1, &as_i(quiet("b", 2)));
    script.ask(1, &as_i(quiet("b", -1)));
    script.ask(1, &as_i(quiet("b", 2)));
    script.end();
}

#[test]
fn heartbeats_that_no_consumer_group_takes() {
    let mut script = begin("consumer-group-refusals");
    let no_id = join("", &["t"]);
    script.ask(1, &no_id);
    script.ask(0, &quiet("", 1));
    script.ask(1, &join("a", &["t"]).with_group_id(group_id("")));
    script.ask(1, &join("a", &["t"]).with_instance_id(Some(text(""))));
    script.ask(1, &join("a", &["t"]).with_rack_id(Some(text(" "))));
    script.ask(1, &join("a", &["t"]).with_rebalance_timeout_ms(-1));
    script.ask(1, &join("a", &["t"]).with_topic_partitions(None));
    script.ask(1, &join("a", &["t"]).with_subscribed_topic_names(None));
    script.ask(1, &quiet("a", -2));
    script.ask(1, &quiet("a", -3));
    script.ask(1, &join("a", &["t"]).with_server_assignor(Some(text("mine"))));
    for regex in ["[", "(?=a)", "a**", "a)"] {
        script.ask(1, &join("a", &[]).with_subscribed_topic_regex(Some(text(regex))));
    }
    let ids = vec![group_id("g"), group_id("")];
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(ids);
    script.ask_hiding(1, &request, |response| {
        response.groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    });
    script.end();
}

#[test]
fn what_is_configured_for_groups() {
    let mut script = begin("group-configs");
    let alter = |script: &mut Script, name: &str, pairs: &[(&str, i8, Option<&str>)]| {
        let config = |(key, operation, value): &(&str, i8, Option<&str>)| {
            AlterableConfig::default()
                .with_name(text(*key))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        };
        let resource = AlterConfigsResource::default()
            .with_resource_type(GROUP)
            .with_resource_name(text(name))
            .with_configs(pairs.iter().map(config).collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        script.ask(1, &request);
    };
    alter(&mut script, "g", &[("consumer.session.timeout.ms", 0, Some("50000"))]);
    alter(&mut script, "g", &[("consumer.session.timeout.ms", 0, Some("44999"))]);
    alter(&mut script, "g", &[("consumer.session.timeout.ms", 0, Some("x"))]);
    alter(&mut script, "g", &[("consumer.heartbeat.interval.ms", 0, Some("15001"))]);
    alter(&mut script, "g", &[("share.isolation.level", 0, Some("read_committed"))]);
    alter(&mut script, "g", &[("retention.ms", 0, Some("1"))]);
    alter(&mut script, "", &[("consumer.session.timeout.ms", 0, Some("50000"))]);
    let resource =
        DescribeConfigsResource::default().with_resource_type(GROUP).with_resource_name(text("g"));
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource.with_configuration_keys(None)])
        .with_include_synonyms(true);
    script.ask_hiding(4, &request, |response| {
        for result in &mut response.results {
            result.configs.sort_by(|one, other| one.name.cmp(&other.name));
        }
    });
    let list = ListConfigResourcesRequest::default().with_resource_types(vec![GROUP]);
    script.ask(1, &list);
    alter(&mut script, "g", &[("consumer.session.timeout.ms", 1, None)]);
    alter(&mut script, "g", &[("share.isolation.level", 1, None)]);
    script.ask(1, &list);
    script.end();
}
