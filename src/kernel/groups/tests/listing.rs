//! What groups look like from outside, and how they are deleted.

use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use super::{NO_DELAY, pair};
use crate::kernel::groups::requests::{DescribeGroups, GroupFilter, GroupReply, GroupRequest};
use crate::kernel::groups::world::{Joiner, World, short};

fn describe(world: &mut World, id: &'static str, version: i16) -> String {
    let groups = vec![StrBytes::from_static_str(id)];
    let reply = world.ask(GroupRequest::DescribeGroups(DescribeGroups { groups, version }));
    let GroupReply::DescribeGroups(groups) = reply else { panic!() };
    let [group] = &groups[..] else { panic!() };
    let members = group.members.iter().map(|it| {
        let bytes = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!(
            " {}/{}@{} {}->{}",
            short(&it.member_id),
            &*it.client_id,
            &*it.client_host,
            bytes(&it.member_metadata),
            bytes(&it.member_assignment)
        )
    });
    format!(
        "{} {} {}:{}{}",
        group.error_code,
        &*group.group_state,
        &*group.protocol_type,
        &*group.protocol_data,
        members.collect::<String>()
    )
}

#[test]
fn a_stable_group_says_all_and_others_what_is_certain() {
    let mut world = pair();
    let stable = "0 Stable consumer:range a#1/a@/127.0.0.1 ->one b#2/b@/127.0.0.1 ->two";
    assert_eq!(describe(&mut world, "g", 5), stable);
    world.join(&Joiner { protocols: &[("range", "new")], ..Joiner::of("b").with_id("b#2") });
    let preparing = "0 PreparingRebalance consumer: a#1/a@/127.0.0.1 ->one b#2/b@/127.0.0.1 ->two";
    assert_eq!(describe(&mut world, "g", 5), preparing);
    world.leave(&[("b#2", None), ("a#1", None)]);
    assert_eq!(describe(&mut world, "g", 5), "0 Empty consumer:");
}

#[test]
fn a_group_that_does_not_exist_is_dead() {
    let mut world = pair();
    assert_eq!(describe(&mut world, "none", 5), "0 Dead :");
    assert_eq!(describe(&mut world, "none", 6), "69 Dead :");
}

fn list(world: &mut World, states: &[&str], types: &[&str]) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let filter = GroupFilter { states: owned(states), types: owned(types) };
    let GroupReply::ListGroups(groups) = world.ask(GroupRequest::ListGroups(filter)) else {
        panic!()
    };
    let text = |it: &kafka_protocol::messages::list_groups_response::ListedGroup| {
        let (id, kind) = (it.group_id.as_str(), it.protocol_type.as_str());
        format!("{id} {kind} {} {}", it.group_state.as_str(), it.group_type.as_str())
    };
    groups.iter().map(text).collect()
}

#[test]
fn groups_are_listed_in_order_and_filtered() {
    let mut world = pair();
    let now = world.now.wall;
    world.shard.groups_mut().ensure_simple("a", now);
    world.shard.groups_mut().ensure_simple("z", now);
    let (a, g, z) = ("a  Empty classic", "g consumer Stable classic", "z  Empty classic");
    assert_eq!(list(&mut world, &[], &[]), [a, g, z]);
    assert_eq!(list(&mut world, &["stable"], &[]), [g]);
    assert_eq!(list(&mut world, &["empty"], &["classic"]), [a, z]);
    assert_eq!(list(&mut world, &[], &["consumer"]), [""; 0]);
}

/// Group `g`, and one that there never was.
fn delete(world: &mut World) -> Vec<i16> {
    let ids = ["g", "none"].map(StrBytes::from_static_str).to_vec();
    let GroupReply::DeleteGroups(results) = world.ask(GroupRequest::DeleteGroups(ids)) else {
        panic!()
    };
    results.iter().map(|it| it.error_code).collect()
}

/// librdkafka's 0081 deletes groups when the session of their last member has ended a millisecond before. On a busy
/// machine the thread of the timers had not had its turn, and the groups were told to have members (68).
#[test]
fn a_session_that_has_just_ended_keeps_no_group_from_being_deleted() {
    let mut world = World::new(NO_DELAY);
    let (_, a) = world.join_new(&Joiner::of("a"));
    world.sync(&a, 1, &[("a#1", "all")]);
    let last_word = world.now.mono;
    world.now.mono = last_word.after(Duration::from_millis(9_999));
    assert_eq!(delete(&mut world), [68, 69]);
    assert_eq!(describe(&mut world, "g", 5), "0 Stable consumer:range a#1/a@/127.0.0.1 ->all");
    world.now.mono = last_word.after(Duration::from_secs(10));
    assert_eq!(describe(&mut world, "g", 5), "0 Empty consumer:");
    assert_eq!(delete(&mut world), [0, 69]);
    world.restart();
    assert_eq!(world.group(), "none");
}

#[test]
fn groups_without_members_are_deleted() {
    let mut world = pair();
    assert_eq!(delete(&mut world), [68, 69]);
    world.leave(&[("b#2", None), ("a#1", None)]);
    assert_eq!(delete(&mut world), [0, 69]);
    assert_eq!(world.group(), "none");
    world.restart();
    assert_eq!(world.group(), "none");
    assert_eq!(delete(&mut world), [69, 69]);
}
