//! Who is let in.

use super::{NO_DELAY, pair};
use crate::kernel::groups::table::{MEMBERS_BYTES_MAX, STRANGERS_BYTES_MAX};
use crate::kernel::groups::world::{Joiner, World};

fn told(world: &mut World, joiner: &Joiner<'_>) -> String {
    let call = world.join(joiner);
    world.told(call)
}

#[test]
fn a_new_member_is_given_an_id_and_joins_with_it() {
    let mut world = World::new(NO_DELAY);
    let joiner = Joiner::of("a");
    assert_eq!(told(&mut world, &joiner), "error 79 id=a#1");
    assert_eq!(world.group(), "Empty 0");
    let joined = told(&mut world, &joiner.with_id("a#1"));
    assert_eq!(joined, "joined 1 range id=a#1 leader=a#1 a#1=");
    assert_eq!(world.group(), "CompletingRebalance 1 a#1=");
    let call = world.sync("a#1", 1, &[("a#1", "all")]);
    assert_eq!(world.told(call), "synced consumer range all");
    assert_eq!(world.group(), "Stable 1 a#1=all");
    assert_eq!(world.heartbeat("a#1", 1), 0);
}

#[test]
fn before_version_4_a_new_member_joins_at_once() {
    for version in 0..4 {
        let mut world = World::new(NO_DELAY);
        let joiner = Joiner { version, ..Joiner::of("a") };
        assert_eq!(told(&mut world, &joiner), "joined 1 range id=a#1 leader=a#1 a#1=");
    }
}

#[test]
fn who_does_not_fit_in_is_refused() {
    let check = |joiner: &Joiner<'_>, expected: &str| {
        let mut world = pair();
        assert_eq!(told(&mut world, joiner), expected);
        assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    };
    let c = Joiner::of("c");
    check(&Joiner { protocol_type: "connect", ..c.clone() }, "error 23 id=");
    check(&Joiner { protocol_type: "", ..c.clone() }, "error 23 id=");
    check(&Joiner { protocols: &[], ..c.clone() }, "error 23 id=");
    check(&Joiner { protocols: &[("sticky", "")], ..c.clone() }, "error 23 id=");
    check(
        &Joiner { member_id: "b#2", protocols: &[("sticky", "")], ..c.clone() },
        "error 23 id=b#2",
    );
    check(&c.with_id("c#7"), "error 25 id=c#7");
    check(&Joiner { member_id: "a#1", instance_id: Some("x"), ..c }, "error 25 id=a#1");
}

#[test]
fn the_first_member_must_say_what_it_is() {
    let check = |joiner: &Joiner<'_>, expected: &str, group: &str| {
        let mut world = World::new(NO_DELAY);
        assert_eq!(told(&mut world, joiner), expected);
        assert_eq!(world.group(), group);
    };
    let a = Joiner::of("a");
    check(&Joiner { protocol_type: "", ..a.clone() }, "error 23 id=", "Empty 0");
    check(&Joiner { protocols: &[], ..a.clone() }, "error 23 id=", "Empty 0");
    check(&a.with_id("a#1"), "error 25 id=a#1", "none");
}

#[test]
fn a_group_takes_no_more_members_than_it_may() {
    let mut world =
        World::new(&[("group.initial.rebalance.delay.ms", "0"), ("group.max.size", "1")]);
    let (_, a) = world.join_new(&Joiner::of("a"));
    world.sync(&a, 1, &[]);
    assert_eq!(told(&mut world, &Joiner::of("b")), "error 81 id=");
    assert_eq!(world.group(), "Stable 1 a#1=");
    // It may join again, though.
    assert_eq!(
        told(&mut world, &Joiner::of("a").with_id("a#1")),
        "joined 2 range id=a#1 leader=a#1 a#1="
    );
}

#[test]
fn of_a_group_that_is_too_large_the_last_ones_to_join_stay_out() {
    let mut world = pair();
    world.config.group_max_size = 1;
    world.restart();
    assert_eq!(world.group(), "PreparingRebalance 2 a#1=one b#2=two");
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    assert_eq!(world.told(b), "waits");
    let again = world.join(&Joiner::of("b").with_id("b#2"));
    assert_eq!(world.told(b), "error 27 id=b#2", "its client has sent another");
    assert_eq!(told(&mut world, &Joiner::of("a").with_id("a#1")), "error 81 id=");
    world.pass_ms(60_000);
    assert_eq!(world.told(again), "joined 3 range id=b#2 leader=b#2 b#2=");
    assert_eq!(world.group(), "CompletingRebalance 3 b#2=two");
}

#[test]
fn who_has_missed_the_answer_is_told_again() {
    let mut world = pair();
    let b = Joiner::of("b").with_id("b#2");
    assert_eq!(told(&mut world, &b), "joined 2 range id=b#2 leader=a#1");
    assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    // While the group completes the leader is, too.
    world.leave(&[("b#2", None)]);
    let a = Joiner::of("a").with_id("a#1");
    assert_eq!(told(&mut world, &a), "joined 3 range id=a#1 leader=a#1 a#1=");
    assert_eq!(told(&mut world, &a), "joined 3 range id=a#1 leader=a#1 a#1=");
    assert_eq!(world.group(), "CompletingRebalance 3 a#1=one");
}

#[test]
fn a_leader_that_joins_or_a_member_that_says_something_new_begins_a_round() {
    let check = |joiner: &Joiner<'_>| {
        let mut world = pair();
        let call = world.join(joiner);
        assert_eq!(world.told(call), "waits");
        assert_eq!(world.group(), "PreparingRebalance 2 a#1=one b#2=two");
    };
    check(&Joiner::of("a").with_id("a#1"));
    check(&Joiner { protocols: &[("range", "new")], ..Joiner::of("b").with_id("b#2") });
}

/// While the group completes, too: who waits for the old assignment is to join again.
#[test]
fn a_round_that_begins_anew_lets_nobody_wait() {
    let mut world = pair();
    world.leave(&[("b#2", None)]);
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    world.told(a);
    let (c, id) = world.join_new(&Joiner::of("c"));
    assert_eq!(world.told(c), "waits");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.told(a), "joined 4 range id=a#1 leader=a#1 a#1= c#3=");
    world.told(c);
    let c_syncs = world.sync(&id, 4, &[]);
    let a =
        world.join(&Joiner { protocols: &[("range", "new")], ..Joiner::of("a").with_id("a#1") });
    assert_eq!(world.told(a), "waits");
    assert_eq!(world.told(c_syncs), "error 27");
}

#[test]
fn the_protocol_that_all_know_and_most_want_is_chosen() {
    let check = |members: &[&[(&str, &str)]], expected: &str| {
        let mut world = World::new(&[("group.initial.rebalance.delay.ms", "100")]);
        let calls: Vec<_> = members
            .iter()
            .map(|protocols| world.join(&Joiner { version: 3, protocols, ..Joiner::of("m") }))
            .collect();
        world.pass_ms(1000);
        assert!(world.told(calls[0]).starts_with(&format!("joined 1 {expected} ")), "{expected}");
    };
    let (ab, ba, bc): (&[_], &[_], &[_]) =
        (&[("a", "1"), ("b", "2")], &[("b", "3"), ("a", "4")], &[("b", "5"), ("c", "6")]);
    check(&[ab], "a");
    check(&[ab, bc], "b");
    check(&[ab, ba, ba], "b");
    check(&[ab, ba], "a");
    check(&[ab, ba, bc], "b");
    // A name that is there twice has one vote.
    check(&[&[("a", ""), ("a", "")]], "a");
}

#[test]
fn ids_that_nobody_joins_with_are_forgotten_and_bounded() {
    let mut world = World::new(NO_DELAY);
    assert_eq!(told(&mut world, &Joiner::of("a")), "error 79 id=a#1");
    world.pass_ms(10_000);
    assert_eq!(told(&mut world, &Joiner::of("a").with_id("a#1")), "error 25 id=a#1");
    // The group goes with the next clean-up.
    assert_eq!(world.group(), "Empty 0");
    world.pass_ms(600_000);
    assert_eq!(world.group(), "none");
    assert_eq!(world.shard.groups().weight(), crate::kernel::groups::table::Weight::default());

    let long_name = "x".repeat(10_000);
    let mut refused = 0;
    for _ in 0..1000 {
        match told(&mut world, &Joiner::of(&long_name)).as_str() {
            "error 15 id=" => refused += 1,
            other => assert!(other.starts_with("error 79"), "{other}"),
        }
    }
    assert!(refused > 500, "{refused}");
    assert!(world.shard.groups().weight().strangers < STRANGERS_BYTES_MAX + 20_000);
    world.pass_ms(10_000);
    assert!(told(&mut world, &Joiner::of("a")).starts_with("error 79"));
}

#[test]
fn members_are_bounded_by_what_they_weigh() {
    let mut world = World::new(&[]);
    let metadata = "m".repeat(1 << 20);
    let joiner = Joiner { version: 3, protocols: &[("range", &metadata)], ..Joiner::of("a") };
    let calls: Vec<_> = (0..70).map(|_| world.join(&joiner)).collect();
    let told: Vec<String> = calls.into_iter().map(|call| world.told(call)).collect();
    assert_eq!(told.iter().filter(|it| *it == "error 15 id=").count(), 70 - 32);
    let weight = world.shard.groups().weight();
    assert!((32 << 20..MEMBERS_BYTES_MAX + (2 << 20)).contains(&weight.members), "{weight:?}");
}

#[test]
fn a_member_id_is_no_longer_than_a_text_may_be() {
    let mut world = World::new(NO_DELAY);
    let name = "é".repeat(16_380);
    let call = world.join(&Joiner::of(&name));
    let told = world.told(call);
    let id = told.strip_prefix("error 79 id=").unwrap();
    assert!(id.ends_with("é#1") && id.len() < 32_767);
}
