//! Dialogues with a shard.

mod commits;
mod joining;
mod leaving;
mod listing;
mod log;
mod offsets;
mod random;
mod recorded;
mod rounds;
mod static_members;

use super::world::{Joiner, World};

/// The first round begins at once, as in Kafka's own server.properties.
const NO_DELAY: &[(&str, &str)] = &[("group.initial.rebalance.delay.ms", "0")];

/// A stable group of `a#1`, who leads, and `b#2`, in generation 2.
fn pair() -> World {
    let mut world = World::new(NO_DELAY);
    let (joined, a) = world.join_new(&Joiner::of("a"));
    assert_eq!(world.told(joined), "joined 1 range id=a#1 leader=a#1 a#1=");
    let synced = world.sync(&a, 1, &[("a#1", "all")]);
    assert_eq!(world.told(synced), "synced consumer range all");
    let (b_joins, b) = world.join_new(&Joiner::of("b"));
    assert_eq!(world.heartbeat(&a, 1), 27);
    let a_joins = world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.told(a_joins), "joined 2 range id=a#1 leader=a#1 a#1= b#2=");
    assert_eq!(world.told(b_joins), "joined 2 range id=b#2 leader=a#1");
    let b_syncs = world.sync(&b, 2, &[]);
    assert_eq!(world.told(b_syncs), "waits");
    let a_syncs = world.sync(&a, 2, &[("a#1", "one"), ("b#2", "two")]);
    assert_eq!(world.told(a_syncs), "synced consumer range one");
    assert_eq!(world.told(b_syncs), "synced consumer range two");
    assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    world
}
