//! Who leaves.

use super::{NO_DELAY, pair};
use crate::kernel::groups::world::{Joiner, World};

#[test]
fn a_member_leaves_and_the_others_go_on() {
    let mut world = pair();
    assert_eq!(world.leave(&[("b#2", None)]), "left 0 b#2/=0");
    assert_eq!(world.group(), "PreparingRebalance 2 a#1=one");
    assert_eq!(world.leave(&[("b#2", None)]), "left 0 b#2/=25");
    assert_eq!(world.leave(&[("a#1", None)]), "left 0 a#1/=0");
    assert_eq!(world.group(), "Empty 3");
}

#[test]
fn several_leave_at_once_and_each_has_its_answer() {
    let mut world = pair();
    let left =
        world.leave(&[("b#2", None), ("c#9", None), ("", Some("x")), ("", None), ("a#1", None)]);
    assert_eq!(left, "left 0 b#2/=0 c#9/=25 /x=25 /=25 a#1/=0");
    assert_eq!(world.group(), "Empty 3");
    assert_eq!(World::new(NO_DELAY).leave(&[("a#1", None)]), "left 0 a#1/=25");
}

#[test]
fn an_id_that_was_given_out_leaves() {
    let mut world = pair();
    let c = world.join(&Joiner::of("c"));
    assert_eq!(world.told(c), "error 79 id=c#3");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    assert_eq!(world.told(a), "waits");
    assert_eq!(world.leave(&[("c#3", None)]), "left 0 c#3/=0");
    assert!(world.told(a).starts_with("joined 3"));
    assert!(world.told(b).starts_with("joined 3"));
}

#[test]
fn what_waits_for_who_leaves_waits_no_longer() {
    let mut world = pair();
    let b =
        world.join(&Joiner { protocols: &[("range", "new")], ..Joiner::of("b").with_id("b#2") });
    world.leave(&[("b#2", None)]);
    assert_eq!(world.told(b), "error 25 id=");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert!(world.told(a).starts_with("joined 3"));
    let (c, id) = world.join_new(&Joiner::of("c"));
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert!(world.told(a).starts_with("joined 4"));
    assert!(world.told(c).starts_with("joined 4"));
    let c = world.sync(&id, 4, &[]);
    world.leave(&[(&id, None)]);
    assert_eq!(world.told(c), "error 25");
}
