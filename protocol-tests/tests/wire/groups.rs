//! Classic groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest,
    SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use protocol_tests::connection::frame_of;
use protocol_tests::requests::text;

use super::script::Script;

const UUID_CHARS: usize = 36;
const READY_LIMIT: Duration = Duration::from_mins(1);

/// A node whose coordinator is ready, and which does not wait for more members than one.
fn begin(name: &'static str) -> Script {
    let script = Script::begin_with(
        name,
        &[
            ("group.initial.rebalance.delay.ms", "0"),
            ("offsets.topic.num.partitions", "3"),
            ("offsets.topic.replication.factor", "1"),
        ],
    );
    let mut connection = script.node.connect();
    let end = Instant::now() + READY_LIMIT;
    loop {
        let find = FindCoordinatorRequest::default()
            .with_coordinator_keys(["g", "a", "b", "c"].map(text).to_vec());
        let found = connection.ask(4, &find).coordinators;
        let list = connection.ask(5, &ListGroupsRequest::default());
        if found.iter().all(|it| it.error_code == 0) && list.error_code == 0 {
            let beat = HeartbeatRequest::default().with_member_id(text("x"));
            let beats = ["g", "a", "b", "c"].map(|group| {
                connection.ask(4, &beat.clone().with_group_id(group_id(group))).error_code
            });
            if beats == [25; 4] {
                return script;
            }
        }
        assert!(Instant::now() < end, "no coordinator: {found:?}");
        std::thread::yield_now();
    }
}

fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

/// The id without what was drawn for it.
fn plain(id: &StrBytes) -> StrBytes {
    match id.len().checked_sub(UUID_CHARS) {
        Some(start) if !id.is_empty() => {
            text(format!("{}{}", &id[..start], "\0".repeat(UUID_CHARS)))
        }
        _ => id.clone(),
    }
}

fn hide_ids(response: &mut JoinGroupResponse) {
    response.member_id = plain(&response.member_id);
    response.leader = plain(&response.leader);
    for member in &mut response.members {
        member.member_id = plain(&member.member_id);
    }
}

fn hide_members(response: &mut LeaveGroupResponse) {
    for member in &mut response.members {
        member.member_id = plain(&member.member_id);
    }
}

fn request(version: i16, group: &str, member_id: &str) -> JoinGroupRequest {
    let protocol = |name: &str| {
        JoinGroupRequestProtocol::default()
            .with_name(text(name))
            .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"))
    };
    let request = JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(30_000)
        .with_member_id(text(member_id))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range"), protocol("sticky")]);
    if version == 0 { request } else { request.with_rebalance_timeout_ms(60_000) }
}

fn join(script: &mut Script, version: i16, request: &JoinGroupRequest) -> JoinGroupResponse {
    let response = script.ask_hiding(version, request, hide_ids);
    if let Some(start) = response.member_id.len().checked_sub(UUID_CHARS) {
        script.hide(&response.member_id.as_bytes()[start..]);
    }
    response
}

/// Joins as the version wants it: the id of the member.
fn become_member(script: &mut Script, version: i16, request: &JoinGroupRequest) -> String {
    let mut response = join(script, version, request);
    if response.error_code == 79 {
        let request = request.clone().with_member_id(response.member_id);
        response = join(script, version, &request);
    }
    assert_eq!(response.error_code, 0);
    response.member_id.to_string()
}

fn sync(script: &mut Script, version: i16, group: &str, member: &str, generation: i32) {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text(member))
        .with_assignment(Bytes::from_static(b"all"));
    let request = SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(vec![assignment]);
    let named = |kind: &str, name: &str| {
        let request = request.clone();
        request.with_protocol_type(Some(text(kind))).with_protocol_name(Some(text(name)))
    };
    if version >= 5 {
        script.ask(version, &request);
        script.ask(version, &named("consumer", "other"));
        script.ask(version, &named("other", "range"));
        script.ask(version, &named("consumer", "range"));
    } else {
        script.ask(version, &request);
    }
}

fn leave(script: &mut Script, version: i16, group: &str, member: &str) {
    let request = LeaveGroupRequest::default().with_group_id(group_id(group));
    let request = if version < 3 {
        request.with_member_id(text(member))
    } else {
        request.with_members(vec![MemberIdentity::default().with_member_id(text(member))])
    };
    script.ask_hiding(version, &request, hide_members);
}

#[test]
fn join_group_frames() {
    let mut script = begin("join-group");
    for version in 0..=9 {
        let ask = |script: &mut Script, request: JoinGroupRequest| {
            join(script, version, &request);
        };
        ask(&mut script, request(version, "", ""));
        ask(&mut script, request(version, "g", "").with_session_timeout_ms(5_999));
        ask(&mut script, request(version, "g", "x").with_session_timeout_ms(1_800_001));
        ask(&mut script, request(version, "g", "x"));
        let group = format!("g{version}");
        ask(&mut script, request(version, &group, "").with_protocols(Vec::new()));
        ask(&mut script, request(version, &group, "").with_protocol_type(text("")));
        let id = become_member(&mut script, version, &request(version, &group, ""));
        // The same again, while the group completes; then the leader joins a stable group.
        ask(&mut script, request(version, &group, &id));
        sync(&mut script, 3, &group, &id, 1);
        ask(&mut script, request(version, &group, &id));
        ask(&mut script, request(version, &group, &id).with_protocol_type(text("connect")));
        ask(&mut script, request(version, &group, &id).with_protocols(Vec::new()));
        ask(&mut script, request(version, &group, "x"));
        if version >= 5 {
            let named = request(version, &group, &id).with_group_instance_id(Some(text("i")));
            ask(&mut script, named);
        }
        leave(&mut script, 4, &group, &id);
        ask(&mut script, request(version, &group, &id));
    }
    script.end();
}

#[test]
fn static_members_frames() {
    let mut script = begin("static-members");
    for version in 5..=9 {
        let group = format!("s{version}");
        let named = |id: &str| request(version, &group, id).with_group_instance_id(Some(text("i")));
        let first = become_member(&mut script, version, &named(""));
        sync(&mut script, 4, &group, &first, 1);
        let second = become_member(&mut script, version, &named(""));
        join(&mut script, version, &named(&first));
        let beat =
            HeartbeatRequest::default().with_group_id(group_id(&group)).with_generation_id(1);
        for (id, instance_id) in [(&first, Some("i")), (&second, Some("i")), (&second, Some("j"))] {
            let beat = beat.clone().with_member_id(text(id));
            script.ask(4, &beat.with_group_instance_id(instance_id.map(text)));
        }
        let asked = SyncGroupRequest::default()
            .with_group_id(group_id(&group))
            .with_generation_id(1)
            .with_group_instance_id(Some(text("i")));
        script.ask(4, &asked.clone().with_member_id(text(&first)));
        script.ask(4, &asked.with_member_id(text(&second)));
        let member = |id: &str, name: &str| {
            MemberIdentity::default()
                .with_member_id(text(id))
                .with_group_instance_id(Some(text(name)))
        };
        let members = vec![member(&first, "i"), member("", "j"), member("", "i"), member("", "i")];
        let request = LeaveGroupRequest::default().with_group_id(group_id(&group));
        script.ask_hiding(5, &request.with_members(members), hide_members);
    }
    script.end();
}

#[test]
fn sync_group_frames() {
    let mut script = begin("sync-group");
    for version in 0..=5 {
        let group = format!("y{version}");
        let id = become_member(&mut script, 5, &request(5, &group, ""));
        for (group, member, generation) in [
            ("", "x", 0),
            ("none", "x", 0),
            (&*group, "x", 1),
            (&*group, &*id, 2),
            (&*group, &*id, 0),
        ] {
            sync(&mut script, version, group, member, generation);
        }
        sync(&mut script, version, &group, &id, 1);
        sync(&mut script, version, &group, &id, 1);
        leave(&mut script, 4, &group, &id);
        sync(&mut script, version, &group, &id, 1);
    }
    script.end();
}

#[test]
fn heartbeat_frames() {
    let mut script = begin("heartbeat");
    let id = become_member(&mut script, 5, &request(5, "h", ""));
    let ask = |script: &mut Script, id: &str| {
        for version in 0..=4 {
            for (group, member, generation) in [
                ("", "x", 0),
                ("none", "x", 0),
                ("h", "x", 1),
                ("h", id, 0),
                ("h", id, 2),
                ("h", id, 1),
            ] {
                let request = HeartbeatRequest::default()
                    .with_group_id(group_id(group))
                    .with_generation_id(generation)
                    .with_member_id(text(member));
                script.ask(version, &request);
            }
        }
    };
    ask(&mut script, &id);
    sync(&mut script, 3, "h", &id, 1);
    ask(&mut script, &id);
    // Another is about to join.
    join(&mut script, 5, &request(5, "h", ""));
    let frame = frame_of(5, 1, &request(5, "h", &id));
    let mut waiting = script.node.connect();
    waiting.send_frame(&frame);
    let end = Instant::now() + READY_LIMIT;
    let mut connection = script.node.connect();
    let beat = HeartbeatRequest::default()
        .with_group_id(group_id("h"))
        .with_generation_id(1)
        .with_member_id(text(&*id));
    while connection.ask(4, &beat).error_code == 0 {
        assert!(Instant::now() < end);
    }
    ask(&mut script, &id);
    script.end();
}

#[test]
fn leave_group_frames() {
    let mut script = begin("leave-group");
    for version in 0..=5 {
        let group = format!("l{version}");
        let id = become_member(&mut script, 5, &request(5, &group, ""));
        for (group, member) in
            [("", "x"), ("none", "x"), (&*group, "x"), (&*group, ""), (&*group, &*id)]
        {
            leave(&mut script, version, group, member);
        }
        leave(&mut script, version, &group, &id);
        // An id that was given out.
        let pending = join(&mut script, 5, &request(5, &group, "")).member_id;
        leave(&mut script, version, &group, &pending);
        leave(&mut script, version, &group, &pending);
        if version >= 3 {
            let request = LeaveGroupRequest::default().with_group_id(group_id(&group));
            script.ask(version, &request);
        }
    }
    script.end();
}

#[test]
fn describe_groups_frames() {
    let mut script = begin("describe-groups");
    let stable = become_member(&mut script, 5, &request(5, "stable", ""));
    sync(&mut script, 3, "stable", &stable, 1);
    become_member(&mut script, 5, &request(5, "completing", ""));
    let named = request(5, "static", "").with_group_instance_id(Some(text("i")));
    let named = become_member(&mut script, 5, &named);
    sync(&mut script, 3, "static", &named, 1);
    let gone = become_member(&mut script, 5, &request(5, "empty", ""));
    leave(&mut script, 4, "empty", &gone);
    join(&mut script, 5, &request(5, "pending", ""));
    for version in 0..=6 {
        for group in ["stable", "completing", "static", "empty", "pending", "none", ""] {
            let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
            script.ask(version, &request);
            if version >= 3 {
                script.ask(version, &request.with_include_authorized_operations(true));
            }
        }
        script.ask(version, &DescribeGroupsRequest::default());
    }
    script.end();
}

#[test]
fn list_and_delete_groups_frames() {
    let mut script = begin("list-and-delete-groups");
    let stable = become_member(&mut script, 5, &request(5, "stable", ""));
    sync(&mut script, 3, "stable", &stable, 1);
    let gone = become_member(&mut script, 5, &request(5, "empty", ""));
    leave(&mut script, 4, "empty", &gone);
    become_member(&mut script, 5, &request(5, "connect", "").with_protocol_type(text("connect")));
    let list = |script: &mut Script, version, states: &[&str], types: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| text(*name)).collect();
        let request = ListGroupsRequest::default()
            .with_states_filter(names(states))
            .with_types_filter(names(types));
        script.ask_hiding(version, &request, |response| {
            response.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        });
    };
    for version in 0..=5 {
        list(&mut script, version, &[], &[]);
        if version >= 4 {
            list(&mut script, version, &["stable"], &[]);
            list(&mut script, version, &["Empty", " COMPLETINGREBALANCE "], &[]);
            list(&mut script, version, &["unheard of"], &[]);
            list(&mut script, version, &[""], &[]);
        }
        if version >= 5 {
            list(&mut script, version, &[], &["Classic"]);
            list(&mut script, version, &[], &["consumer", "share"]);
            list(&mut script, version, &[], &["unheard of", "classic"]);
            list(&mut script, version, &["Stable"], &["consumer"]);
        }
    }
    for version in 0..=2 {
        for group in ["stable", "connect", "none", ""] {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![group_id(group)]);
            script.ask(version, &request);
        }
        script.ask(version, &DeleteGroupsRequest::default());
        let id = become_member(&mut script, 5, &request(5, "delete", ""));
        leave(&mut script, 4, "delete", &id);
        let twice = vec![group_id("delete"), group_id("delete")];
        script.ask(version, &DeleteGroupsRequest::default().with_groups_names(twice));
        let request = DescribeGroupsRequest::default().with_groups(vec![group_id("delete")]);
        script.ask(6, &request);
    }
    script.end();
}
