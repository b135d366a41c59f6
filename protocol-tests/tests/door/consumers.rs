//! Rows 47, 65, 66 and 68: what members of consumer groups (KIP-848) may not say, and what it costs if they do.
//!
//! Row 47, a bomb in PushTelemetry: there is no such API here, nor is it listed.

use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, FindCoordinatorRequest, ListGroupsRequest, TopicName,
};
use protocol_tests::connection::{Connection, header_of};
use protocol_tests::fields::Writer;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;
use protocol_tests::requests::{ask_until, create_topic, text};

use super::coordinators::{group_id, of_group};
use super::{api_versions, assert_frame_closed, assert_growth_below, assert_served, error};

fn beat(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

fn join(group: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    beat(group, member, 0)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![TopicName(text("t"))]))
        .with_topic_partitions(Some(Vec::new()))
}

fn join_regex(group: &str, member: &str, regex: &str) -> ConsumerGroupHeartbeatRequest {
    join(group, member)
        .with_subscribed_topic_names(Some(Vec::new()))
        .with_subscribed_topic_regex(Some(text(regex)))
}

/// 66
#[test]
fn an_epoch_that_is_not_the_members_is_refused() {
    let node = Node::shared();
    let mut connection = of_group(&node, "epochs-848");
    let joined = connection.ask(1, &join("epochs-848", "m"));
    assert_eq!(joined.error_code, 0, "{joined:?}");
    let epoch = joined.member_epoch;
    for (request, expected) in [
        (beat("epochs-848", "m", epoch + 1), error::FENCED_MEMBER_EPOCH),
        (beat("epochs-848", "m", i32::MAX), error::FENCED_MEMBER_EPOCH),
        (beat("epochs-848", "m", -3), error::INVALID_REQUEST),
        (beat("epochs-848", "m", i32::MIN), error::INVALID_REQUEST),
        (beat("epochs-848", "n", epoch), error::UNKNOWN_MEMBER_ID),
        (beat("epochs-848", "m", epoch), 0),
    ] {
        assert_eq!(connection.ask(1, &request).error_code, expected, "{request:?}");
    }
    assert_eq!(connection.ask(1, &beat("epochs-848", "m", -1)).error_code, 0);
    assert_served(&node);
}

/// 66: an offset of a member that is late, or gone.
#[test]
fn a_commit_with_an_epoch_that_is_over_is_stale() {
    use kafka_protocol::messages::OffsetCommitRequest;
    use kafka_protocol::messages::offset_commit_request::{
        OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    };
    let node = Node::shared();
    let mut connection = of_group(&node, "stale-848");
    create_topic(&mut connection, "stale-848", 1, &[]);
    let epoch = connection.ask(1, &join("stale-848", "m")).member_epoch;
    for (member, epoch, expected) in [
        ("m", epoch + 1, error::STALE_MEMBER_EPOCH),
        ("m", i32::MAX, error::STALE_MEMBER_EPOCH),
        ("n", epoch, error::UNKNOWN_MEMBER_ID),
        ("m", epoch, 0),
    ] {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text("stale-848")))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id("stale-848"))
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(vec![topic]);
        let answer = connection.ask(9, &request);
        assert_eq!(answer.topics[0].partitions[0].error_code, expected, "{member} {epoch}");
    }
    assert_eq!(connection.ask(1, &beat("stale-848", "m", -1)).error_code, 0);
    assert_served(&node);
}

/// 68: expressions that an engine which goes back on its steps would not come to an end with; those that become too large,
/// or are none.
#[test]
fn a_regular_expression_is_no_bomb() {
    let node = Node::start();
    let mut connection = of_group(&node, "regex");
    create_topic(&mut connection, &"a".repeat(200), 1, &[]);
    assert_growth_below(&node, 32, || {
        for (number, regex) in
            ["(a*)*b", "(a|a)*c", "(a|aa)+$", "(.*)*(.*)*(.*)*x"].into_iter().enumerate()
        {
            let request = join_regex("regex", &format!("m{number}"), regex);
            assert_eq!(connection.ask(1, &request).error_code, 0, "{regex}");
        }
        let long = "a".repeat(9000);
        let invalid = error::INVALID_REGULAR_EXPRESSION;
        for (regex, expected) in [
            ("(", invalid),
            (")(", invalid),
            ("(?=a)a", invalid),
            (r"(a)\1", invalid),
            // Apache takes whatever is a text, and does not come to an end with the last.
            (&long, invalid),
            ("((a{100}){10}){9}(b{1000})", invalid),
            ("(((a{1,100}){1,100}){1,100}){1,100}", invalid),
        ] {
            if is_foreign() && regex.len() > 10 {
                continue;
            }
            let request = join_regex("regex", "refused", regex);
            let answer = connection.ask(1, &request);
            assert_eq!(answer.error_code, expected, "{regex:.40}");
            connection.ask(1, &beat("regex", "refused", -1));
        }
    });
    // Longer than a text may be.
    let body = Writer::default().compact(b"regex").compact(b"m").i32(0).uvarint(0).uvarint(0);
    let body =
        body.i32(60_000).uvarint(1).compact(&vec![b'a'; 64 * 1024]).uvarint(0).uvarint(1).tags();
    assert_frame_closed(&node, &header_of(68, 1, 1, true).raw(&body.0).0);
}

/// 65: members who join and are never heard of again: each costs its share, up to a bound, and is forgotten when its
/// session is over.
#[test]
fn members_that_are_never_heard_of_again_are_forgotten() {
    const MEMBERS: usize = 1500;
    let node = Node::start_with(&[
        ("offsets.topic.num.partitions", "1"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "3000"),
        ("group.consumer.heartbeat.interval.ms", "500"),
        ("group.consumer.min.heartbeat.interval.ms", "500"),
    ]);
    let mut connection = of_group(&node, "g0");
    let rack = text("r".repeat(1000));
    assert_growth_below(&node, 64, || {
        for number in 0..MEMBERS {
            let group = format!("g{}", number % 500);
            let request = join(&group, &format!("m{number}")).with_rack_id(Some(rack.clone()));
            assert_eq!(connection.ask(1, &request).error_code, 0, "{number}");
        }
    });
    let stable = ListGroupsRequest::default().with_states_filter(vec![
        text("Stable"),
        text("Assigning"),
        text("Reconciling"),
    ]);
    ask_until(&mut connection, 5, &stable, |answer| answer.groups.is_empty());
    assert_eq!(connection.ask(1, &beat("g1", "m1", 1)).error_code, error::UNKNOWN_MEMBER_ID);
}

/// 47 and 72: what is not listed is not answered.
#[test]
fn telemetry_is_not_there() {
    let node = Node::shared();
    let listed = node.connect().ask(3, &api_versions());
    assert!(!listed.api_keys.iter().any(|api| [71, 72].contains(&api.api_key)));
    if is_foreign() {
        return;
    }
    let push = Writer::default().raw(&[7; 16]).i32(1).i8(0).i8(0).compact(&[0; 100]).tags();
    assert_frame_closed(&node, &header_of(72, 0, 1, true).raw(&push.0).0);
    let subscribe = Writer::default().raw(&[7; 16]).tags();
    assert_frame_closed(&node, &header_of(71, 0, 1, true).raw(&subscribe.0).0);
}

/// The key of a share group's partition is refused as one that is none: there is nobody here who coordinates them. Apache
/// makes a topic for them.
#[test]
fn share_groups_have_no_coordinator() {
    let node = Node::start();
    let ask = |version: i16, key: &str| {
        let find = FindCoordinatorRequest::default().with_key_type(2);
        let find = find.with_coordinator_keys(vec![text(key)]);
        node.connect().ask(version, &find).coordinators[0].error_code
    };
    for key in ["", "g", "g:x:0", "g:4L6g3nShT-eMCtK--X86sw", ":4L6g3nShT-eMCtK--X86sw:0"] {
        assert_eq!(ask(6, key), error::INVALID_REQUEST, "{key}");
    }
    let key = "g:4L6g3nShT-eMCtK--X86sw:0";
    assert_eq!(ask(5, key), error::INVALID_REQUEST);
    let expected =
        if is_foreign() { error::COORDINATOR_NOT_AVAILABLE } else { error::INVALID_REQUEST };
    assert_eq!(ask(6, key), expected);
}

/// A topic of offsets with more replicas than there are brokers is not made, as in Kafka: clients are told again and again
/// that there is no coordinator, and the log says why, once.
#[test]
fn an_internal_topic_with_too_many_replicas_is_told_once() {
    let node = Node::start_with(&[
        ("offsets.topic.replication.factor", "3"),
        ("transaction.state.log.replication.factor", "2"),
    ]);
    let mut connection = node.connect();
    let find = |connection: &mut Connection, kind: i8| {
        let find = FindCoordinatorRequest::default().with_key_type(kind);
        let find = find.with_coordinator_keys(vec![text("g")]);
        connection.ask(4, &find).coordinators[0].error_code
    };
    let said = |node: &Node, topic: &str| {
        let said = node.program().said();
        said.lines().filter(|line| line.contains(topic) && line.contains("factor")).count()
    };
    for (kind, topic) in [(0, "__consumer_offsets"), (1, "__transaction_state")] {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while said(&node, topic) == 0 {
            assert_eq!(find(&mut connection, kind), error::COORDINATOR_NOT_AVAILABLE);
            assert!(std::time::Instant::now() < end, "{}", node.program().said());
        }
        for _ in 0..200 {
            assert_eq!(find(&mut connection, kind), error::COORDINATOR_NOT_AVAILABLE);
        }
        assert!(is_foreign() || said(&node, topic) == 1, "{}", node.program().said());
    }
    assert_eq!(connection.ask(1, &join("g", "m")).error_code, error::NOT_COORDINATOR);
    assert_served(&node);
}
