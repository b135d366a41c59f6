//! Rows 64 to 66, and groups of several members: bad input, and that members go on where they were when the node was killed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, SyncGroupRequest,
};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;
use protocol_tests::requests::{ask_until, text};

use super::{assert_growth_below, assert_served, error};

const JOIN_VERSION: i16 = 9;
const LIMIT: Duration = Duration::from_mins(1);

/// A connection to a node that coordinates this group by now.
fn ready(node: &Node, group: &str) -> Connection {
    let mut connection = node.connect();
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
    ask_until(&mut connection, 4, &find, |it| it.coordinators[0].error_code == 0);
    let beat = HeartbeatRequest::default().with_group_id(id(group)).with_member_id(text("x"));
    ask_until(&mut connection, 4, &beat, |it| it.error_code == error::UNKNOWN_MEMBER_ID);
    connection
}

fn id(group: &str) -> GroupId {
    GroupId(text(group))
}

fn join(group: &str, member: &str, metadata: &'static [u8]) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(metadata));
    JoinGroupRequest::default()
        .with_group_id(id(group))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// Sends a JoinGroup with the id that the coordinator gives out; its answer is still to come.
fn begin_to_join(connection: &mut Connection, group: &str, metadata: &'static [u8]) -> String {
    let given = connection.ask(JOIN_VERSION, &join(group, "", metadata));
    assert_eq!(given.error_code, error::MEMBER_ID_REQUIRED);
    connection.send(JOIN_VERSION, &join(group, &given.member_id, metadata));
    given.member_id.to_string()
}

fn joined(connection: &mut Connection) -> JoinGroupResponse {
    let answer = connection.receive_answer::<JoinGroupRequest>(JOIN_VERSION);
    assert_eq!(answer.error_code, 0, "{answer:?}");
    answer
}

fn sync(group: &str, member: &str, generation: i32, parts: &[(&str, &str)]) -> SyncGroupRequest {
    let part = |(member, part): &(&str, &str)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(*member))
            .with_assignment(Bytes::copy_from_slice(part.as_bytes()))
    };
    SyncGroupRequest::default()
        .with_group_id(id(group))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(parts.iter().map(part).collect())
}

fn beat(connection: &mut Connection, group: &str, member: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(id(group))
        .with_generation_id(generation)
        .with_member_id(text(member));
    connection.ask(3, &request).error_code
}

/// Two members: a round, the leader's assignment for both, a kill of the node, and they go on.
#[test]
fn members_wait_for_each_other_and_go_on_after_a_kill() {
    let mut node = Node::start();
    let mut one = ready(&node, "two");
    let a = begin_to_join(&mut one, "two", b"a");
    let first = joined(&mut one);
    assert_eq!((first.generation_id, first.leader.as_str()), (1, a.as_str()));
    assert_eq!(one.ask(3, &sync("two", &a, 1, &[(&a, "all")])).assignment, &b"all"[..]);

    let mut other = node.connect();
    let b = begin_to_join(&mut other, "two", b"b");
    let end = Instant::now() + LIMIT;
    while beat(&mut one, "two", &a, 1) != error::REBALANCE_IN_PROGRESS {
        assert!(Instant::now() < end);
    }
    one.send(JOIN_VERSION, &join("two", &a, b"a"));
    let (leader, follower) = (joined(&mut one), joined(&mut other));
    assert_eq!((leader.generation_id, follower.generation_id), (2, 2));
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    let said = leader.members.iter().find(|it| it.member_id.as_str() == b).unwrap();
    assert_eq!(said.metadata, &b"b"[..]);
    other.send(3, &sync("two", &b, 2, &[]));
    let part = one.ask(3, &sync("two", &a, 2, &[(&a, "1"), (&b, "2")]));
    assert_eq!(part.assignment, &b"1"[..]);
    assert_eq!(other.receive_answer::<SyncGroupRequest>(3).assignment, &b"2"[..]);

    node.kill();
    node.restart();
    let mut one = ready(&node, "another");
    assert_eq!(beat(&mut one, "two", &a, 2), 0);
    assert_eq!(one.ask(3, &sync("two", &b, 2, &[])).assignment, &b"2"[..]);
    let leave = LeaveGroupRequest::default().with_group_id(id("two")).with_member_id(text(&*b));
    assert_eq!(one.ask(2, &leave).error_code, 0);
    assert_eq!(beat(&mut one, "two", &a, 2), error::REBALANCE_IN_PROGRESS);
    assert_served(&node);
}

/// 64
#[test]
fn a_join_that_makes_no_sense_is_refused() {
    let node = Node::shared();
    let mut connection = ready(&node, "sense");
    let mut refused = |request: JoinGroupRequest| connection.ask(JOIN_VERSION, &request).error_code;
    let good = join("sense", "", b"");
    assert_eq!(refused(join("", "", b"")), error::INVALID_GROUP_ID);
    for timeout_ms in [i32::MIN, -1, 0, 5_999, 1_800_001, i32::MAX] {
        let request = good.clone().with_session_timeout_ms(timeout_ms);
        assert_eq!(refused(request), error::INVALID_SESSION_TIMEOUT);
    }
    let inconsistent = error::INCONSISTENT_GROUP_PROTOCOL;
    assert_eq!(refused(good.clone().with_protocols(Vec::new())), inconsistent);
    assert_eq!(refused(good.clone().with_protocol_type(text(""))), inconsistent);
    // Ten thousand protocols are many, and no mistake. Apache needs longer for them than a test waits.
    let count = if is_foreign() { 1000 } else { 10_000 };
    let many = vec![good.protocols[0].clone(); count];
    assert_eq!(refused(good.with_protocols(many)), error::MEMBER_ID_REQUIRED);
    assert_served(&node);
}

/// 65
#[test]
fn ids_that_nobody_joins_with_take_bounded_memory() {
    let node = Node::start();
    let mut connection = ready(&node, "spray");
    let name = "g".repeat(30_000);
    assert_growth_below(&node, 64, || {
        let mut refused = 0;
        for number in 0..4000 {
            // All in one group, whose ids are as long as its clients' names would be; and in groups of their own.
            let request = match number % 2 {
                0 => join("spray", "", b""),
                _ => join(&format!("{number}{name}"), "", b""),
            };
            let answer = connection.ask(JOIN_VERSION, &request);
            refused += usize::from(answer.error_code == error::COORDINATOR_NOT_AVAILABLE);
        }
        assert!(refused < 4000);
    });
}

/// 66
#[test]
fn who_is_not_a_member_now_is_told() {
    let node = Node::shared();
    let mut connection = ready(&node, "stale");
    let member = begin_to_join(&mut connection, "stale", b"");
    let generation = joined(&mut connection).generation_id;
    for (id, generation, expected) in [
        ("x", generation, error::UNKNOWN_MEMBER_ID),
        (&*member, generation - 1, error::ILLEGAL_GENERATION),
        (&*member, generation + 1, error::ILLEGAL_GENERATION),
        (&*member, i32::MIN, error::ILLEGAL_GENERATION),
    ] {
        assert_eq!(beat(&mut connection, "stale", id, generation), expected);
        let answer = connection.ask(3, &sync("stale", id, generation, &[]));
        assert_eq!(answer.error_code, expected);
    }
    assert_served(&node);
}

/// 64: what a leader assigns has to fit into a record of the log. The group begins anew, and others have no harm.
#[test]
fn an_assignment_that_is_too_large_is_refused() {
    let node = Node::start();
    let mut connection = ready(&node, "large");
    let member = begin_to_join(&mut connection, "large", b"");
    assert_eq!(joined(&mut connection).generation_id, 1);
    let large = "x".repeat(2 << 20);
    let answer = connection.ask(3, &sync("large", &member, 1, &[(&member, &large)]));
    let expected =
        if is_foreign() { error::UNKNOWN_SERVER_ERROR } else { error::MESSAGE_TOO_LARGE };
    assert_eq!(answer.error_code, expected);
    assert_eq!(beat(&mut connection, "large", &member, 1), error::REBALANCE_IN_PROGRESS);
    connection.send(JOIN_VERSION, &join("large", &member, b""));
    assert_eq!(joined(&mut connection).generation_id, 2);
    let answer = connection.ask(3, &sync("large", &member, 2, &[(&member, "fits")]));
    assert_eq!(answer.assignment, &b"fits"[..]);
    assert_served(&node);
}
