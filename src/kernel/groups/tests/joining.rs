//! Who is let in.

use crate::kernel::groups::world::{Joiner, World};

const NO_DELAY: &[(&str, &str)] = &[("group.initial.rebalance.delay.ms", "0")];

#[test]
fn a_new_member_is_given_an_id_and_joins_with_it() {
    let mut world = World::new(NO_DELAY);
    let joiner = Joiner::of("a");
    let call = world.join(&joiner);
    assert_eq!(world.told(call), "error 79 id=a#1");
    assert_eq!(world.group(), "Empty 0");
    let call = world.join(&joiner.with_id("a#1"));
    assert_eq!(world.told(call), "joined 1 range id=a#1 leader=a#1 a#1=");
    assert_eq!(world.group(), "CompletingRebalance 1 a#1=");
    let call = world.sync("a#1", 1, &[("a#1", "all")]);
    assert_eq!(world.told(call), "synced consumer range all");
    assert_eq!(world.group(), "Stable 1 a#1=all");
    assert_eq!(world.heartbeat("a#1", 1), 0);
}
