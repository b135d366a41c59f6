//! What a group says to offsets.

use super::pair;
use crate::kernel::groups::classic::offsets::OffsetsExpire;
use crate::kernel::groups::classic::{ClassicGroup, tombstone};
use crate::kernel::groups::world::{Joiner, World, long};
use crate::types::error_code::ErrorCode;
use crate::types::time::Timestamp;

fn group(world: &World) -> &ClassicGroup {
    world.shard.groups().classic("g").unwrap()
}

fn check_commit(world: &World, member: &str, generation: i32, in_transaction: bool) -> i16 {
    let checked = group(world).check_offset_commit(&long(member), None, generation, in_transaction);
    checked.err().unwrap_or(ErrorCode::None).code()
}

#[test]
fn members_commit_in_their_generation() {
    let mut world = pair();
    let check = |world: &World, expected: [[i16; 2]; 5]| {
        let who = [("a#1", 2), ("a#1", 1), ("c#9", 2), ("", -1), ("", 0)];
        let found = who.map(|(member, generation)| {
            [false, true].map(|it| check_commit(world, member, generation, it))
        });
        assert_eq!(found, expected, "{}", world.group());
    };
    check(&world, [[0, 0], [22, 22], [25, 25], [25, 0], [25, 25]]);
    assert_eq!(
        group(&world).check_offset_commit(&long("a#1"), Some("x"), 2, false),
        Err(ErrorCode::UnknownMemberId)
    );
    let b =
        world.join(&Joiner { protocols: &[("range", "new")], ..Joiner::of("b").with_id("b#2") });
    check(&world, [[0, 0], [22, 22], [25, 25], [25, 0], [25, 25]]);
    assert!(group(&world).commits_keep_alive());
    world.join(&Joiner::of("a").with_id("a#1"));
    assert!(world.told(b).starts_with("joined 3"));
    check(&world, [[22, 22], [22, 22], [25, 25], [25, 0], [25, 25]]);
    assert_eq!(check_commit(&world, "a#1", 3, false), 27);
    assert_eq!(check_commit(&world, "a#1", 3, true), 0);
    assert!(!group(&world).commits_keep_alive());
    world.leave(&[("a#1", None), ("b#2", None)]);
    check(&world, [[25, 25], [25, 25], [25, 25], [0, 0], [25, 25]]);
    assert_eq!(check_commit(&world, "a#1", -1, false), 0);
}

#[test]
fn offsets_expire_where_nobody_uses_them() {
    let subscription = "\0\0\0\0\0\u{1}\0\u{1}t";
    let mut world = World::new(super::NO_DELAY);
    world.shard.groups_mut().ensure_simple("g", Timestamp(5));
    assert_eq!(group(&world).offsets_expire(), OffsetsExpire::AfterCommit);
    let joiner = Joiner { protocols: &[("range", subscription)], ..Joiner::of("a") };
    let (_, a) = world.join_new(&joiner);
    assert_eq!(group(&world).offsets_expire(), OffsetsExpire::Never);
    world.sync(&a, 1, &[]);
    assert_eq!(group(&world).offsets_expire(), OffsetsExpire::AfterCommit);
    assert!(group(&world).is_subscribed_to("t") && !group(&world).is_subscribed_to("u"));
    world.pass_ms(7_000);
    let emptied = world.now.wall;
    world.leave(&[(&a, None)]);
    assert_eq!(group(&world).offsets_expire(), OffsetsExpire::After(emptied));
    assert!(!group(&world).is_subscribed_to("t"));
    world.restart();
    assert_eq!(group(&world).offsets_expire(), OffsetsExpire::After(emptied));

    // What cannot be read may be anything.
    let world = pair();
    assert!(group(&world).is_subscribed_to("anything"));
    assert_eq!(group(&world).offsets_expire(), OffsetsExpire::Never);
}

#[test]
fn offsets_of_members_that_are_not_consumers_are_not_deleted() {
    let mut world = World::new(super::NO_DELAY);
    let (_, a) = world.join_new(&Joiner { protocol_type: "connect", ..Joiner::of("a") });
    assert_eq!(group(&world).check_offset_delete(), Err(ErrorCode::NonEmptyGroup));
    assert!(!group(&world).is_subscribed_to("t"));
    world.leave(&[(&a, None)]);
    assert_eq!(group(&world).check_offset_delete(), Ok(()));
    assert_eq!(group(&pair()).check_offset_delete(), Ok(()));
}

/// A commit without a member makes a group of which only its offsets tell.
#[test]
fn a_group_may_only_have_offsets() {
    let mut world = World::new(super::NO_DELAY);
    let groups = world.shard.groups_mut();
    groups.ensure_simple("g", Timestamp(5));
    assert_eq!(world.group(), "Empty 0");
    assert_eq!(check_commit(&world, "", -1, false), 0);
    let record = tombstone("g");
    let place = crate::kernel::machine::Replayed {
        offset: crate::types::offset::Offset(0),
        transaction: None,
        timestamp: Timestamp(5),
    };
    crate::kernel::machine::Machine::replay(&mut world.shard, record, place);
    assert_eq!(world.group(), "none");
}
