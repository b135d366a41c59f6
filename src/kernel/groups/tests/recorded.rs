//! Partitions of `__consumer_offsets` that were recorded: of Apache's broker and of this one, under members of both
//! kinds of groups, commits and transactions, and what Apache's left when it was killed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NO_DELAY;
use crate::kernel::coordinator::recorded::check_prefixes;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::kernel::groups::world::World;
use crate::kernel::machine::Machine;

fn group(group: &Group) -> String {
    match group {
        Group::Classic(group) => format!("{group:?}"),
        Group::Consumer(_) => "of the other kind".to_owned(),
    }
}

/// Groups that nobody was ever a member of are there as their offsets are, or were: those of a transaction that was
/// aborted are not in a compacted log.
fn groups(shard: &GroupShard) -> BTreeMap<&Arc<str>, &Group> {
    let is_simple = |group: &Group| match group {
        Group::Classic(group) => group.generation() == 0 && group.is_empty(),
        Group::Consumer(_) => false,
    };
    shard.groups().iter().filter(|(_, group)| !is_simple(group)).collect()
}

fn same(one: &GroupShard, other: &GroupShard, what: &str) {
    assert_eq!(one.offsets(), other.offsets(), "{what}");
    let (one, other) = (groups(one), groups(other));
    assert!(one.keys().eq(other.keys()), "{what}: {:?} {:?}", one.keys(), other.keys());
    for (id, one) in one {
        match (one, other[id]) {
            (Group::Consumer(one), Group::Consumer(other)) => {
                assert_eq!(one.hard(), other.hard(), "{what}: {id}");
            }
            (one, other) => assert_eq!(group(one), group(other), "{what}: {id}"),
        }
    }
}

/// Sessions of some minutes end, and rebalances with them.
fn go_on(shard: GroupShard) {
    let mut world = World::new(NO_DELAY);
    world.shard = shard;
    world.step(Machine::on_loaded);
    world.pass_ms(600_000);
}

macro_rules! check {
    ($( $name:ident $file:literal )*) => { $(
        #[test]
        fn $name() {
            let log = include_bytes!(concat!("testdata/", $file, ".log"));
            check_prefixes($file, log, same, go_on);
        }
    )* };
}

check! {
    prefixes_of_apache_without_members "apache-4.3.1-offsets-1"
    prefixes_of_apache_with_members "apache-4.3.1-offsets-3"
    prefixes_of_apache_that_was_killed "apache-4.3.1-killed-offsets-0"
    prefixes_without_members "ottla-offsets-1"
    prefixes_with_members_who_stay "ottla-offsets-2"
    prefixes_with_members_who_come_and_go "ottla-offsets-3"
}
