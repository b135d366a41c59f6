//! Static members: they go and come back, and nobody notices.

use super::NO_DELAY;
use crate::kernel::groups::world::{Joiner, World};

const fn named<'a>(client_id: &'a str, instance_id: &'a str) -> Joiner<'a> {
    let joiner = Joiner::of(client_id);
    Joiner { instance_id: Some(instance_id), ..joiner }
}

/// A stable group of `x#1`, who leads, and `y#2`, in generation 2.
fn static_pair() -> World {
    let mut world = World::new(NO_DELAY);
    let x = world.join(&named("a", "x"));
    assert_eq!(world.told(x), "joined 1 range id=x#1 leader=x#1 x#1=");
    let y = world.join(&named("b", "y"));
    let x = world.join(&named("a", "x").with_id("x#1"));
    assert_eq!(world.told(x), "joined 2 range id=x#1 leader=x#1 x#1= y#2=");
    assert_eq!(world.told(y), "joined 2 range id=y#2 leader=x#1");
    let y = world.sync("y#2", 2, &[]);
    world.sync("x#1", 2, &[("x#1", "one"), ("y#2", "two")]);
    assert_eq!(world.told(y), "synced consumer range two");
    assert_eq!(world.group(), "Stable 2 x#1=one y#2=two");
    world
}

#[test]
fn a_static_member_that_comes_back_is_not_noticed() {
    let mut world = static_pair();
    let written = world.log.len();
    let y = world.join(&named("b", "y"));
    assert_eq!(world.told(y), "joined 2 range id=y#3 leader=x#1");
    assert_eq!(world.log.len(), written + 1, "its new id is in the log");
    assert_eq!(world.group(), "Stable 2 x#1=one y#3=two");
    let y = world.sync("y#3", 2, &[]);
    assert_eq!(world.told(y), "synced consumer range two");
    assert_eq!((world.heartbeat("x#1", 2), world.heartbeat("y#2", 2)), (0, 25));
}

/// A leader is told so from version 9 on, and that it need not assign; before, that the old id leads.
#[test]
fn a_leader_that_comes_back_does_not_assign() {
    let check = |version, expected: &str| {
        let mut world = static_pair();
        let x = world.join(&Joiner { version, ..named("a", "x") });
        assert_eq!(world.told(x), expected);
        assert_eq!(world.group(), "Stable 2 x#3=one y#2=two");
        let x = world.sync("x#3", 2, &[]);
        assert_eq!(world.told(x), "synced consumer range one");
    };
    check(9, "joined 2 range id=x#3 leader=x#3 skip x#3= y#2=");
    check(8, "joined 2 range id=x#3 leader=x#1");
}

#[test]
fn what_changes_the_protocol_is_noticed() {
    let mut world = World::new(NO_DELAY);
    let both = Joiner { protocols: &[("a", ""), ("b", "")], ..named("c", "x") };
    let x = world.join(&both);
    world.told(x);
    world.sync("x#1", 1, &[]);
    let x = world.join(&Joiner { protocols: &[("b", ""), ("a", "")], ..named("c", "x") });
    assert_eq!(world.told(x), "joined 2 b id=x#2 leader=x#2 x#2=");
}

#[test]
fn whoever_uses_the_old_id_is_fenced() {
    let mut world = static_pair();
    let y = world.join(&named("b", "y"));
    world.told(y);
    let old = named("b", "y").with_id("y#2");
    let call = world.join(&old);
    assert_eq!(world.told(call), "error 82 id=y#2");
    assert_eq!(world.leave(&[("y#2", Some("y"))]), "left 0 y#2/y=82");
    let call = world.join(&named("b", "z").with_id("y#3"));
    assert_eq!(world.told(call), "error 25 id=y#3");
}

#[test]
fn what_waits_under_the_old_id_is_fenced() {
    let mut world = static_pair();
    let changed = Joiner { protocols: &[("range", "new")], ..named("b", "y") };
    let y = world.join(&changed.with_id("y#2"));
    assert_eq!(world.told(y), "waits");
    let new = world.join(&changed);
    assert_eq!(world.told(y), "error 82 id=y#2");
    assert_eq!(world.told(new), "waits");
    let x = world.join(&named("a", "x").with_id("x#1"));
    assert_eq!(world.told(x), "joined 3 range id=x#1 leader=x#1 x#1= y#3=new");
    assert_eq!(world.told(new), "joined 3 range id=y#3 leader=x#1");
    // While the group completes the leader may have seen the old id: once more.
    let y = world.sync("y#3", 3, &[]);
    let newer = world.join(&changed);
    assert_eq!(world.told(y), "error 82");
    assert_eq!(world.told(newer), "waits");
    assert_eq!(world.group(), "PreparingRebalance 3 x#1= y#4=");
}

#[test]
fn a_static_member_stays_until_its_session_ends() {
    let mut world = static_pair();
    let x = world.join(&named("a", "x").with_id("x#1"));
    world.pass_ms(9_999);
    assert_eq!(world.told(x), "waits");
    world.pass_ms(1);
    assert_eq!(world.told(x), "joined 3 range id=x#1 leader=x#1 x#1=");

    // Its session is longer than the rebalance timeout: it is kept in, and expected to ask for its assignment.
    let mut world = World::new(NO_DELAY);
    let patient = |name| Joiner {
        session_timeout_ms: 600_000,
        rebalance_timeout_ms: 10_000,
        ..named("a", name)
    };
    let x = world.join(&patient("x"));
    world.told(x);
    let y = world.join(&patient("y"));
    world.pass_ms(10_000);
    assert_eq!(world.told(y), "joined 2 range id=y#2 leader=y#2 x#1= y#2=");
    world.sync("y#2", 2, &[("x#1", "one")]);
    assert_eq!(world.group(), "Stable 2 x#1=one y#2=");
    world.pass_ms(10_000);
    assert_eq!(world.group(), "PreparingRebalance 2 y#2=");
}

/// None of the members has joined: it is waited until their sessions end.
#[test]
fn static_members_that_do_not_join_keep_the_group_waiting() {
    let mut world = World::new(NO_DELAY);
    let patient = |name| Joiner {
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 10_000,
        ..named("a", name)
    };
    let x = world.join(&patient("x"));
    world.told(x);
    let y = world.join(&patient("y"));
    world.leave(&[("", Some("y"))]);
    assert_eq!(world.told(y), "error 25 id=");
    assert_eq!(world.group(), "PreparingRebalance 1 x#1=");
    world.pass_ms(20_000);
    assert_eq!(world.group(), "PreparingRebalance 1 x#1=");
    world.pass_ms(10_000);
    assert_eq!(world.group(), "Empty 2");
}

#[test]
fn an_administrator_removes_static_members_by_their_names() {
    let mut world = static_pair();
    assert_eq!(world.leave(&[("", Some("y")), ("", Some("z"))]), "left 0 /y=0 /z=25");
    assert_eq!(world.group(), "PreparingRebalance 2 x#1=one");
}
