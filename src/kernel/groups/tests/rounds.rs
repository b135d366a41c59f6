//! Rounds: who is waited for, how long, and what those that wait are told.

use super::{NO_DELAY, pair};
use crate::kernel::groups::world::{Joiner, World};

#[test]
fn the_first_members_are_waited_for() {
    let mut world = World::new(&[("group.initial.rebalance.delay.ms", "3000")]);
    let (a, _) = world.join_new(&Joiner::of("a"));
    world.pass_ms(2999);
    assert_eq!(world.told(a), "waits");
    world.pass_ms(1);
    assert_eq!(world.told(a), "joined 1 range id=a#1 leader=a#1 a#1=");
}

/// librdkafka's 0089 has two consumers that begin together, a partition, and a first record that is to be worked on for
/// long: served alone, the first had it before the second was there, which half of the time was given the partition then.
/// Fifteen pairs of fifteen were served so where nothing is configured to be waited for, of Apache's three.
#[test]
fn who_comes_just_after_the_first_is_in_the_first_generation() {
    let mut world = World::new(NO_DELAY);
    let joiner = Joiner { version: 3, ..Joiner::of("m") };
    let first = world.join_alone(&joiner);
    world.pass_ms(5);
    assert_eq!(world.told(first), "waits");
    let second = world.join_alone(&joiner);
    world.pass_ms(4);
    assert_eq!(world.told(first), "waits");
    // It is no delay that newcomers prolong.
    world.pass_ms(1);
    assert_eq!(world.told(first), "joined 1 range id=m#1 leader=m#1 m#1= m#2=");
    assert_eq!(world.told(second), "joined 1 range id=m#2 leader=m#1");
}

/// Each newcomer prolongs the wait by the delay, up to the longest rebalance timeout.
#[test]
fn newcomers_prolong_the_first_wait() {
    let mut world = World::new(&[("group.initial.rebalance.delay.ms", "3000")]);
    let joiner = Joiner { rebalance_timeout_ms: 7000, version: 3, ..Joiner::of("m") };
    let first = world.join(&joiner);
    for waited_ms in [2000, 3000] {
        world.pass_ms(waited_ms);
        world.join(&joiner);
    }
    // 3000, and 3000 more for the second; of the 7000 only 1000 are left for the third.
    world.pass_ms(1999);
    assert_eq!(world.told(first), "waits");
    world.pass_ms(1);
    assert!(world.told(first).starts_with("joined 1 range id=m#1 leader=m#1 m#1= m#2= m#3="));
}

#[test]
fn who_does_not_join_in_time_is_out() {
    let mut world = pair();
    let (c, _) = world.join_new(&Joiner::of("c"));
    for _ in 0..12 {
        assert_eq!(world.told(c), "waits");
        world.pass_ms(4999);
        assert_eq!((world.heartbeat("a#1", 2), world.heartbeat("b#2", 2)), (27, 27));
    }
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    world.pass_ms(12);
    assert_eq!(world.told(a), "joined 3 range id=a#1 leader=a#1 a#1= c#3=");
    assert_eq!(world.told(c), "joined 3 range id=c#3 leader=a#1");
    assert_eq!(world.heartbeat("b#2", 2), 25);
}

#[test]
fn a_leader_that_does_not_join_leads_no_longer() {
    let mut world = pair();
    let b =
        world.join(&Joiner { protocols: &[("range", "new")], ..Joiner::of("b").with_id("b#2") });
    world.pass_ms(9_999);
    assert_eq!(world.told(b), "waits");
    world.pass_ms(1);
    assert_eq!(world.told(b), "joined 3 range id=b#2 leader=b#2 b#2=new");
}

#[test]
fn members_that_fall_silent_are_missed() {
    let mut world = pair();
    world.pass_ms(9_000);
    assert_eq!(world.heartbeat("a#1", 2), 0);
    world.pass_ms(1_000);
    assert_eq!(world.group(), "PreparingRebalance 2 a#1=one");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.told(a), "joined 3 range id=a#1 leader=a#1 a#1=");
    let a = world.sync("a#1", 3, &[]);
    assert_eq!(world.told(a), "synced consumer range ");
    world.pass_ms(10_000);
    assert_eq!(world.group(), "Empty 4");
    assert_eq!(world.heartbeat("a#1", 4), 25);
}

/// A session does not end while we let its member wait.
#[test]
fn who_waits_for_us_need_not_show_signs_of_life() {
    let mut world = pair();
    let patient = Joiner { session_timeout_ms: 60_000, ..Joiner::of("b").with_id("b#2") };
    let b = world.join(&Joiner { protocols: &[("range", "new")], ..patient });
    assert_eq!(world.told(b), "waits");
    // a has 10 s; c waits 5 minutes at most, as all that are new.
    let (c, _) = world.join_new(&Joiner::of("c"));
    for _ in 0..11 {
        world.pass_ms(5_000);
        world.heartbeat("a#1", 2);
    }
    assert_eq!((world.told(b), world.told(c)), ("waits".to_owned(), "waits".to_owned()));
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.told(a), "joined 3 range id=a#1 leader=a#1 a#1= b#2=new c#3=");
    // Their sessions begin with the answer.
    world.sync("a#1", 3, &[]);
    world.pass_ms(9_999);
    assert_eq!(world.heartbeat("c#3", 3), 0);
}

#[test]
fn a_new_member_that_waits_too_long_is_given_up() {
    let mut world = pair();
    let patient = Joiner { rebalance_timeout_ms: 900_000, ..Joiner::of("c") };
    let (c, _) = world.join_new(&patient);
    for _ in 0..60 {
        assert_eq!(world.told(c), "waits");
        world.pass_ms(5_000);
        assert_eq!((world.heartbeat("a#1", 2), world.heartbeat("b#2", 2)), (27, 27));
    }
    assert_eq!(world.told(c), "error 25 id=");
    assert_eq!(world.group(), "PreparingRebalance 2 a#1=one b#2=two");
}

#[test]
fn who_does_not_ask_for_its_assignment_is_out() {
    let mut world = pair();
    let (c, id) = world.join_new(&Joiner::of("c"));
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    assert_eq!(world.told(a), "joined 3 range id=a#1 leader=a#1 a#1= b#2= c#3=");
    assert_eq!(world.told(b), "joined 3 range id=b#2 leader=a#1");
    assert_eq!(world.told(c), "joined 3 range id=c#3 leader=a#1");
    let c = world.sync(&id, 3, &[]);
    for _ in 0..12 {
        assert_eq!(world.told(c), "waits");
        world.pass_ms(5_000);
        world.heartbeat("a#1", 3);
        world.heartbeat("b#2", 3);
    }
    assert_eq!(world.told(c), "error 27");
    assert_eq!(world.group(), "PreparingRebalance 3 c#3=");
}

/// In a stable group, too.
#[test]
fn who_does_not_ask_after_the_leader_has_assigned_is_out_as_well() {
    let mut world = pair();
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    world.told(a);
    world.told(b);
    let a = world.sync("a#1", 3, &[("a#1", "x"), ("b#2", "y")]);
    assert_eq!(world.told(a), "synced consumer range x");
    assert_eq!(world.group(), "Stable 3 a#1=x b#2=y");
    for _ in 0..12 {
        world.pass_ms(5_000);
        world.heartbeat("a#1", 3);
        world.heartbeat("b#2", 3);
    }
    assert_eq!(world.group(), "PreparingRebalance 3 a#1=x");
}

#[test]
fn an_id_that_was_given_out_is_waited_for() {
    let mut world = pair();
    let c = world.join(&Joiner::of("c"));
    assert_eq!(world.told(c), "error 79 id=c#3");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    assert_eq!((world.told(a), world.told(b)), ("waits".to_owned(), "waits".to_owned()));
    world.pass_ms(10_000);
    assert_eq!(world.told(a), "joined 3 range id=a#1 leader=a#1 a#1= b#2=");
}

#[test]
fn a_sync_is_refused_as_it_deserves() {
    let mut world = pair();
    let told = |world: &mut World, id: &str, generation| {
        let call = world.sync(id, generation, &[]);
        world.told(call)
    };
    assert_eq!(told(&mut world, "b#2", 2), "synced consumer range two");
    assert_eq!(told(&mut world, "b#2", 1), "error 22");
    assert_eq!(told(&mut world, "b#2", 3), "error 22");
    assert_eq!(told(&mut world, "c#9", 2), "error 25");
    assert_eq!(told(&mut world, "", 2), "error 25");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(told(&mut world, "b#2", 2), "error 27");
    assert_eq!(world.told(a), "waits");
    let mut empty = World::new(NO_DELAY);
    assert_eq!(told(&mut empty, "a#1", 1), "error 25");
}

#[test]
fn a_heartbeat_is_refused_as_it_deserves() {
    let mut world = pair();
    let beats = [("a#1", 2), ("a#1", 1), ("a#1", 3), ("c#9", 2), ("", -1)];
    let errors = beats.map(|(id, generation)| world.heartbeat(id, generation));
    assert_eq!(errors, [0, 22, 22, 25, 25]);
    assert_eq!(World::new(NO_DELAY).heartbeat("a#1", 0), 25);
}

/// A sync that was sent again: whoever sent the first does not wait any more.
#[test]
fn a_sync_that_is_sent_again_takes_the_place_of_the_first() {
    let mut world = pair();
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    world.told(a);
    world.told(b);
    let first = world.sync("b#2", 3, &[]);
    let second = world.sync("b#2", 3, &[]);
    assert_eq!(world.told(first), "error 27");
    let a = world.sync("a#1", 3, &[("b#2", "y"), ("c#9", "nobody's")]);
    assert_eq!(world.told(a), "synced consumer range ");
    assert_eq!(world.told(second), "synced consumer range y");
}

#[test]
fn after_the_newest_generation_comes_the_first() {
    let mut world = World::new(NO_DELAY);
    world.join_new(&Joiner::of("a"));
    world.shard.groups_mut().update_classic("g", |group| group.set_generation(i32::MAX - 1));
    let (_, b) = world.join_new(&Joiner::of("b"));
    world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.group(), format!("CompletingRebalance {} a#1= b#2=", i32::MAX));
    world.leave(&[(&b, None)]);
    world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.group(), "CompletingRebalance 1 a#1=");
}
