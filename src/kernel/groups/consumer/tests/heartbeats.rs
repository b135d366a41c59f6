//! Heartbeats: members join, get, give back, fall silent, return, leave.

use kafka_protocol::messages::ConsumerGroupHeartbeatRequest;

use super::{AT_ONCE, Beat, create, group, world};
use crate::kernel::groups::assignors::Assignor;
use crate::kernel::groups::consumer::heartbeat;
use crate::kernel::groups::consumer::offsets::{OffsetCheck, check_offset_fetch};
use crate::kernel::groups::requests::{GroupFilter, GroupReply, GroupRequest, owned};
use crate::kernel::groups::world::World;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::wire::coordinator_records::groups::GroupRecord;

/// Two members, `a` with t:0.1 and `b` with t:2, at epoch 3.
fn two_members(set: &[(&str, &str)]) -> World {
    let mut world = world(&[("t", 3)], set);
    assert_eq!(Beat::join("a", &["t"]).told(&mut world), "2 [t:0.1.2]");
    assert_eq!(Beat::join("b", &["t"]).told(&mut world), "3 []");
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2 [t:0.1]");
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "3");
    assert_eq!(Beat::owning("a", 2, "t:0.1").told(&mut world), "3");
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "3 [t:2]");
    world
}

#[test]
fn a_partition_goes_from_one_member_to_another() {
    let mut world = two_members(&[AT_ONCE]);
    assert_eq!(group(&world.shard).unwrap().state().name(), "Stable");
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "3");
    assert_eq!(Beat::quiet("a", -1).told(&mut world), "-1");
    assert_eq!(group(&world.shard).unwrap().state().name(), "Assigning");
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "4 [t:0.1.2]");
    assert_eq!(Beat::quiet("b", -1).told(&mut world), "-1");
    assert_eq!(group(&world.shard).unwrap().state().name(), "Empty");
}

#[test]
fn a_quiet_heartbeat_writes_nothing() {
    let mut world = two_members(&[AT_ONCE]);
    let before = world.log.len();
    assert_eq!(Beat::quiet("a", 3).told(&mut world), "3");
    assert_eq!(world.log.len(), before);
}

#[test]
fn an_assignment_waits_for_the_interval() {
    let mut world = world(&[("t", 3)], &[]);
    assert_eq!(Beat::join("a", &["t"]).told(&mut world), "2 [t:0.1.2]");
    assert_eq!(Beat::join("b", &["t"]).told(&mut world), "2 []");
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2");
    world.pass_ms(1000);
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2 [t:0.1]");
}

#[test]
fn a_member_that_does_not_give_back_in_time_is_out() {
    let mut world = world(&[("t", 3)], &[AT_ONCE]);
    Beat { timeout_ms: Some(20_000), ..Beat::join("a", &["t"]) }.ask(&mut world);
    Beat::join("b", &["t"]).ask(&mut world);
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2 [t:0.1]");
    world.pass_ms(19_999);
    assert_eq!(Beat::owning("a", 2, "t:0.1.2").told(&mut world), "2");
    world.pass_ms(1);
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "error 25");
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "4 [t:0.1.2]");
}

#[test]
fn a_silent_member_is_out_when_its_session_ends() {
    let mut world = two_members(&[AT_ONCE]);
    world.pass_ms(44_000);
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "3");
    world.pass_ms(1_000);
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "4 [t:0.1.2]");
    assert_eq!(Beat::quiet("a", 3).told(&mut world), "error 25");
}

#[test]
fn sessions_begin_anew_when_a_group_is_loaded() {
    let mut world = two_members(&[AT_ONCE]);
    world.pass_ms(44_000);
    world.restart();
    world.pass_ms(44_000);
    assert_eq!(Beat::quiet("a", 3).told(&mut world), "3");
    world.pass_ms(1_000);
    assert_eq!(Beat::quiet("b", 3).told(&mut world), "error 25");
}

/// Row 66 of bad input: an old epoch, one that never was, one that is lost.
#[test]
fn a_member_of_another_epoch_is_fenced() {
    let mut world = two_members(&[AT_ONCE]);
    assert_eq!(Beat::quiet("a", 4).told(&mut world), "error 110");
    assert_eq!(Beat::quiet("a", 1).told(&mut world), "error 110");
    // The answer that told of epoch 3 was lost: the member says what it has.
    assert_eq!(Beat::owning("a", 2, "t:0.1").told(&mut world), "3");
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "error 110");
    assert_eq!(Beat::owning("a", 2, "t:0.1.2").told(&mut world), "error 110");
    let error = Beat::quiet("a", 4).ask(&mut world).error_message.unwrap();
    let text = "The consumer group member has a greater member epoch (4) than the one known by the \
                group coordinator (3). The member must abandon all its partitions and rejoin.";
    assert_eq!(error.as_str(), text);
    assert_eq!(Beat::quiet("c", 3).told(&mut world), "error 25");
    // Joining again is always allowed.
    assert_eq!(Beat::join("a", &["t"]).told(&mut world), "3 [t:0.1]");
}

#[test]
fn a_group_that_is_not_there_has_no_members() {
    let mut world = world(&[], &[]);
    let text = |beat: Beat<'_>, world: &mut World| {
        let answer = beat.ask(world);
        (answer.error_code, answer.error_message.unwrap().to_string())
    };
    let not_found = ErrorCode::GroupIdNotFound.code();
    let answer = text(Beat::quiet("a", 1), &mut world);
    assert_eq!(answer, (not_found, "Consumer group g not found.".to_owned()));
    let answer = text(Beat::quiet("a", -1), &mut world);
    assert_eq!(answer, (not_found, "Group g not found.".to_owned()));
    assert!(world.log.is_empty());
}

#[test]
fn a_group_takes_no_more_members_than_it_may() {
    let mut world = world(&[("t", 3)], &[AT_ONCE, ("group.consumer.max.size", "1")]);
    Beat::join("a", &["t"]).ask(&mut world);
    assert_eq!(Beat::join("b", &["t"]).told(&mut world), "error 81");
    assert_eq!(Beat::join("a", &["t"]).told(&mut world), "2 [t:0.1.2]");
}

#[test]
fn a_static_member_returns_to_its_partitions() {
    let mut world = world(&[("t", 3)], &[AT_ONCE]);
    let joins = |member| Beat { instance: Some("i"), ..Beat::join(member, &["t"]) };
    let leaves = |member, epoch| Beat { instance: Some("i"), ..Beat::quiet(member, epoch) };
    assert_eq!(joins("a").told(&mut world), "2 [t:0.1.2]");
    assert_eq!(joins("b").told(&mut world), "error 111");
    assert_eq!(leaves("b", -2).told(&mut world), "error 82");
    assert_eq!(leaves("a", -2).told(&mut world), "-2");
    // It keeps its partitions while it is away, and nobody has to change for its return.
    assert_eq!(joins("b").told(&mut world), "2 [t:0.1.2]");
    assert_eq!(leaves("a", 2).told(&mut world), "error 82");
    assert_eq!(group(&world.shard).unwrap().members().len(), 1);
    assert_eq!(leaves("b", -1).told(&mut world), "-1");
    assert_eq!(leaves("b", 2).told(&mut world), "error 25");
}

#[test]
fn a_static_member_that_stays_away_is_out() {
    let mut world = world(&[("t", 3)], &[AT_ONCE]);
    Beat { instance: Some("i"), ..Beat::join("a", &["t"]) }.ask(&mut world);
    Beat { instance: Some("i"), ..Beat::quiet("a", -2) }.ask(&mut world);
    world.pass_ms(45_000);
    assert!(group(&world.shard).unwrap().members().is_empty());
}

#[test]
fn topics_that_grow_are_assigned_anew() {
    let mut world = world(&[("t", 1)], &[AT_ONCE]);
    assert_eq!(Beat::join("a", &["t", "u"]).told(&mut world), "2 [t:0]");
    create(&mut world, "t", 2);
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "3 [t:0.1]");
    create(&mut world, "u", 1);
    assert_eq!(Beat::quiet("a", 3).told(&mut world), "4 [t:0.1 u:0]");
    create(&mut world, "v", 1);
    assert_eq!(Beat::quiet("a", 4).told(&mut world), "4");
}

#[test]
fn a_subscription_may_change() {
    let mut world = world(&[("t", 1), ("u", 1)], &[AT_ONCE]);
    assert_eq!(Beat::join("a", &["t"]).told(&mut world), "2 [t:0]");
    let changes = Beat { topics: Some(&["u"]), ..Beat::quiet("a", 2) };
    assert_eq!(changes.told(&mut world), "2 []");
    assert_eq!(Beat::owning("a", 2, "").told(&mut world), "3 [u:0]");
}

#[test]
fn the_assignor_is_the_one_that_most_members_want() {
    let mut world = world(&[("t", 2), ("u", 2)], &[AT_ONCE]);
    let joins = |member| Beat { assignor: Some("range"), ..Beat::join(member, &["t", "u"]) };
    joins("a").ask(&mut world);
    assert_eq!(joins("b").told(&mut world), "3 []");
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2 [t:0 u:0]");
}

#[test]
fn an_expression_is_held_against_the_topics_after_the_heartbeat_that_brought_it() {
    let mut world = world(&[("t", 1), ("u", 1)], &[AT_ONCE]);
    let joins = Beat { topics: None, regex: Some("t.*"), ..Beat::join("a", &[]) };
    assert_eq!(joins.told(&mut world), "1 []");
    world.pass_ms(0);
    assert_eq!(Beat::quiet("a", 1).told(&mut world), "2 [t:0]");
    assert!(group(&world.shard).unwrap().is_subscribed_to("t"));
    // Topics that come are found at a heartbeat, ten seconds after the last look at the earliest.
    create(&mut world, "table", 1);
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2");
    world.pass_ms(10_001);
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2");
    world.pass_ms(0);
    assert_eq!(group(&world.shard).unwrap().epoch(), 3);
    let gone = Beat { regex: Some(""), topics: Some(&["u"]), ..Beat::quiet("a", 2) };
    assert_eq!(gone.told(&mut world), "2 []");
    assert!(group(&world.shard).unwrap().resolved_regexes().is_empty());
}

/// Row 68 of bad input.
#[test]
fn an_expression_that_is_none_is_refused() {
    let mut world = world(&[("t", 1)], &[AT_ONCE]);
    let long = "a".repeat(32_000);
    for regex in ["[", long.as_str(), "(?=a)"] {
        let joins = Beat { topics: None, regex: Some(regex), ..Beat::join("a", &[]) };
        assert_eq!(joins.told(&mut world), "error 128");
    }
    assert!(group(&world.shard).is_none() && world.log.is_empty());
    let bomb = Beat { topics: None, regex: Some("(a*)*b"), ..Beat::join("a", &[]) };
    assert_eq!(bomb.told(&mut world), "1 []");
    world.pass_ms(0);
}

#[test]
fn what_no_group_takes_is_refused_in_kafkas_words() {
    let check = |request: &ConsumerGroupHeartbeatRequest, version, expected: Option<&str>| {
        let both = [Assignor::Uniform, Assignor::Range];
        let refusal = heartbeat::check(request, version, both.into_iter()).err();
        assert_eq!(refusal.as_ref().map(|it| it.message.as_str()), expected);
        refusal.map(|it| it.code)
    };
    let join = Beat::join("a", &["t"]).request();
    assert_eq!(check(&join, 1, None), None);
    let no_id = join.clone().with_member_id(owned(""));
    assert_eq!(check(&no_id, 0, None), None);
    let invalid = Some(ErrorCode::InvalidRequest);
    assert_eq!(check(&no_id, 1, Some("MemberId can't be empty.")), invalid);
    check(&Beat::quiet("", 1).request(), 0, Some("MemberId can't be empty."));
    check(&Beat::quiet("", -1).request(), 0, Some("MemberId can't be empty."));
    let blank = || Some(owned(" "));
    check(
        &join.clone().with_group_id(kafka_protocol::messages::GroupId(owned(" "))),
        1,
        Some("GroupId can't be empty."),
    );
    let blank_instance = join.clone().with_instance_id(blank());
    check(&blank_instance, 1, Some("InstanceId can't be empty."));
    check(&join.clone().with_rack_id(blank()), 1, Some("RackId can't be empty."));
    check(
        &join.clone().with_rebalance_timeout_ms(-1),
        1,
        Some("RebalanceTimeoutMs must be provided in first request."),
    );
    let owning = "TopicPartitions must be empty when (re-)joining.";
    check(&join.clone().with_topic_partitions(None), 1, Some(owning));
    let has_some = Beat { owned: Some("t:0"), ..Beat::join("a", &["t"]) };
    check(&has_some.request(), 1, Some(owning));
    check(
        &join.clone().with_subscribed_topic_names(None),
        1,
        Some(
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when \
             (re-)joining.",
        ),
    );
    check(&Beat::quiet("a", -2).request(), 1, Some("InstanceId can't be null."));
    check(&Beat::quiet("a", -3).request(), 1, Some("MemberEpoch is invalid."));
    let assignor = join.with_server_assignor(Some(owned("mine")));
    let text = "ServerAssignor mine is not supported. Supported assignors: uniform, range.";
    assert_eq!(check(&assignor, 1, Some(text)), Some(ErrorCode::UnsupportedAssignor));
}

#[test]
fn a_late_member_commits_for_what_it_has_had_all_the_while() {
    let world = two_members(&[AT_ONCE]);
    let group = group(&world.shard).unwrap();
    let t = super::topic_id("t");
    let commit = |member, epoch, version| {
        let check = OffsetCheck::of(group, member, None, epoch);
        let late = check.for_commit(version)?;
        late.map_or(Ok(()), |late| late.check(t, PartitionId(0)))
    };
    assert_eq!(commit("a", 3, Some(9)), Ok(()));
    assert_eq!(commit("a", 2, Some(9)), Ok(()));
    assert_eq!(commit("a", 1, Some(9)), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(commit("a", 4, Some(9)), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(commit("b", 2, Some(9)), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(commit("a", 3, Some(8)), Err(ErrorCode::UnsupportedVersion));
    assert_eq!(commit("c", 3, Some(9)), Err(ErrorCode::UnknownMemberId));
    assert_eq!(commit("", -1, Some(9)), Err(ErrorCode::UnknownMemberId));
    assert_eq!(commit("", -1, None), Ok(()));
    let fetch = |member, epoch| check_offset_fetch(group, member, epoch);
    assert_eq!(fetch(None, -1), Ok(()));
    assert_eq!(fetch(Some("a"), 3), Ok(()));
    assert_eq!(fetch(Some("a"), 2), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(fetch(Some("c"), 3), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_group_is_listed_described_and_deleted() {
    let mut world = two_members(&[AT_ONCE]);
    let list = |world: &mut World, state: &str| {
        let filter =
            GroupFilter { states: vec![state.to_owned()], types: vec!["consumer".to_owned()] };
        match world.ask(GroupRequest::ListGroups(filter)) {
            GroupReply::ListGroups(groups) => groups.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((list(&mut world, "stable"), list(&mut world, "empty")), (1, 0));
    let ids = vec![owned("g"), owned("h")];
    let described = match world.ask(GroupRequest::ConsumerGroupDescribe(ids)) {
        GroupReply::ConsumerGroupDescribe(groups) => groups,
        other => panic!("{other:?}"),
    };
    let [g, h] = described.as_slice() else { panic!("{described:?}") };
    assert_eq!((g.group_state.as_str(), g.group_epoch, g.assignment_epoch), ("Stable", 3, 3));
    assert_eq!((g.assignor_name.as_str(), g.members.len()), ("uniform", 2));
    let a = &g.members[0];
    assert_eq!((a.member_id.as_str(), a.member_epoch, a.member_type), ("a", 3, 1));
    assert_eq!(a.client_host.as_str(), "/127.0.0.1");
    assert_eq!(a.assignment.topic_partitions[0].partitions, [0, 1]);
    assert_eq!(a.target_assignment, a.assignment);
    assert_eq!(h.error_code, ErrorCode::GroupIdNotFound.code());
    let delete = |world: &mut World| match world.ask(GroupRequest::DeleteGroups(vec![owned("g")])) {
        GroupReply::DeleteGroups(results) => results[0].error_code,
        other => panic!("{other:?}"),
    };
    assert_eq!(delete(&mut world), ErrorCode::NonEmptyGroup.code());
    Beat::quiet("a", -1).ask(&mut world);
    Beat::quiet("b", -1).ask(&mut world);
    assert_eq!(delete(&mut world), 0);
    assert!(world.shard.groups().get("g").is_none());
    assert!(world.loaded(world.log.len()).groups().get("g").is_none());
}

/// Found by the simulated world (seed 161): the record that threw a silent member out was refused, its timers had ended by
/// then, and it stayed for ever.
#[test]
fn a_member_that_could_not_be_thrown_out_is_thrown_out_later() {
    let mut world = world(&[("t", 2)], &[AT_ONCE]);
    Beat::join("a", &["t"]).ask(&mut world);
    world.refusal = Some(ErrorCode::NotEnoughReplicas);
    world.pass_ms(45_000);
    assert!(world.refusal.is_none(), "it was tried");
    assert!(group(&world.shard).unwrap().member("a").is_some());
    world.pass_ms(45_000);
    assert!(group(&world.shard).unwrap().member("a").is_none());
}

/// Found by the simulated world (seed 4084): the session of a member and its time to give partitions back ended at once, it
/// was counted twice, and the members of the classic protocol who were left stayed in a group of the new one.
#[test]
fn a_member_whose_timers_end_at_once_goes_once() {
    let mut world = world(&[("t", 3)], &[AT_ONCE]);
    Beat { timeout_ms: Some(45_000), ..Beat::join("a", &["t"]) }.ask(&mut world);
    Beat::join("b", &["t"]).ask(&mut world);
    // It has to give one back, and both of its timers begin.
    assert_eq!(Beat::quiet("a", 2).told(&mut world), "2 [t:0.1]");
    let before = world.log.len();
    world.pass_ms(45_000);
    let gone = world.log[before..].iter().filter(|(key, value)| {
        let read = GroupRecord::decode(key, value.as_ref()).unwrap();
        let Some(GroupRecord::ConsumerGroupMemberMetadata(key, None)) = read else { return false };
        key.member_id == "a"
    });
    assert_eq!(gone.count(), 1);
}
