//! What is in the log, what comes back from it, and what happens if it cannot be written.

use super::{NO_DELAY, pair};
use crate::kernel::groups::world::{Joiner, World};
use crate::types::error_code::ErrorCode;
use crate::wire::coordinator_records::groups::GroupRecord;

fn written(world: &World) -> Vec<String> {
    let text = |(key, value): &(bytes::Bytes, Option<bytes::Bytes>)| match GroupRecord::decode(
        key,
        value.as_ref(),
    )
    .unwrap()
    .unwrap()
    {
        GroupRecord::GroupMetadata(key, None) => format!("{} gone", key.group),
        GroupRecord::GroupMetadata(key, Some(it)) => format!(
            "{} {}:{} {} leader={} at {} with {}",
            key.group,
            it.protocol_type,
            it.protocol.as_deref().unwrap_or("null"),
            it.generation,
            it.leader
                .as_deref()
                .map_or_else(|| "null".to_owned(), crate::kernel::groups::world::short),
            it.current_state_timestamp - crate::kernel::groups::world::START_MS,
            it.members.len()
        ),
        other => panic!("{other:?}"),
    };
    world.log.iter().map(text).collect()
}

#[test]
fn a_new_group_is_written_and_then_what_its_leaders_assign() {
    let mut world = pair();
    assert_eq!(
        written(&world),
        [
            "g :null 0 leader=null at 0 with 0",
            // The first member is waited with.
            "g consumer:range 1 leader=a#1 at 10 with 1",
            "g consumer:range 2 leader=a#1 at 10 with 2",
        ]
    );
    world.pass_ms(5);
    world.leave(&[("a#1", None), ("b#2", None)]);
    assert_eq!(written(&world)[3..], ["g consumer:null 3 leader=null at 15 with 0"]);
    world.pass_ms(600_000);
    assert_eq!(written(&world)[4..], ["g gone"]);
}

#[test]
fn members_go_on_after_a_restart() {
    let mut world = pair();
    world.pass_ms(8_000);
    world.restart();
    assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    // Their sessions have begun anew.
    world.pass_ms(9_999);
    assert_eq!((world.heartbeat("a#1", 2), world.heartbeat("b#2", 2)), (0, 0));
    let b = world.sync("b#2", 2, &[]);
    assert_eq!(world.told(b), "synced consumer range two");
    world.pass_ms(10_000);
    assert_eq!(world.group(), "Empty 3");
}

#[test]
fn a_round_that_was_under_way_is_forgotten() {
    let mut world = pair();
    world.join_new(&Joiner::of("c"));
    world.join(&Joiner::of("a").with_id("a#1"));
    world.join(&Joiner::of("b").with_id("b#2"));
    assert_eq!(world.group(), "CompletingRebalance 3 a#1=one b#2=two c#3=");
    world.restart();
    assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    assert_eq!(world.heartbeat("a#1", 3), 22);
    let c = world.join(&Joiner::of("c").with_id("c#3"));
    assert_eq!(world.told(c), "error 25 id=c#3");
}

#[test]
fn a_static_member_is_known_after_a_restart() {
    let mut world = World::new(NO_DELAY);
    let named = Joiner { instance_id: Some("x"), ..Joiner::of("a") };
    let x = world.join(&named);
    world.told(x);
    world.sync("x#1", 1, &[("x#1", "all")]);
    world.restart();
    let x = world.join(&named);
    assert_eq!(world.told(x), "joined 1 range id=x#2 leader=x#2 skip x#2=");
    assert_eq!(world.group(), "Stable 1 x#2=all");
}

/// Too large, or too few replicas in sync: the members are told and begin anew, as in Kafka.
#[test]
fn an_assignment_that_cannot_be_written_is_void() {
    let mut world = pair();
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    world.told(a);
    world.told(b);
    let b = world.sync("b#2", 3, &[]);
    world.refusal = Some(ErrorCode::CoordinatorNotAvailable);
    let a = world.sync("a#1", 3, &[("a#1", "x"), ("b#2", "y")]);
    assert_eq!((world.told(a), world.told(b)), ("error 15".to_owned(), "error 15".to_owned()));
    assert_eq!(world.group(), "PreparingRebalance 3 a#1= b#2=");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    let b = world.join(&Joiner::of("b").with_id("b#2"));
    assert!(world.told(a).starts_with("joined 4"));
    assert!(world.told(b).starts_with("joined 4"));
    world.sync("a#1", 4, &[("a#1", "x")]);
    assert_eq!(world.group(), "Stable 4 a#1=x b#2=");
}

#[test]
fn a_group_that_cannot_be_written_was_never_made() {
    let mut world = World::new(NO_DELAY);
    world.refusal = Some(ErrorCode::CoordinatorNotAvailable);
    let a = world.join(&Joiner::of("a"));
    assert_eq!(world.told(a), "error 15");
    assert_eq!(world.group(), "none");
    let a = world.join(&Joiner::of("a").with_id("a#1"));
    assert_eq!(world.told(a), "error 25 id=a#1");
}

/// The simulated world, seed 15906: the first member of a group was let in at once, as those are that have a name or an old
/// client, but the group's first record was refused. Nobody told the member, and the group lived on without a word in the
/// log, so that a load would have forgotten it. Kafka reverts the group and tells the member.
#[test]
fn a_group_that_cannot_be_written_has_no_member_who_waits() {
    let check = |delay: &[(&str, &str)], joiner: &Joiner<'_>| {
        let mut world = World::new(delay);
        world.refusal = Some(ErrorCode::CoordinatorNotAvailable);
        let a = world.join(joiner);
        assert!(world.told(a).starts_with("error 15"));
        assert_eq!(world.group(), "none");
        world.pass_ms(600_000);
        assert_eq!(written(&world), [""; 0]);
        let a = world.join(joiner);
        world.pass_ms(3_000);
        assert!(world.told(a).starts_with("joined 1"));
    };
    let named = Joiner { instance_id: Some("x"), ..Joiner::of("a") };
    let old = Joiner { version: 3, ..Joiner::of("a") };
    for joiner in [&named, &old] {
        check(&[], joiner);
        check(NO_DELAY, joiner);
    }
}

#[test]
fn a_static_member_whose_new_id_cannot_be_written_joins_again() {
    let mut world = World::new(NO_DELAY);
    let named = Joiner { instance_id: Some("x"), ..Joiner::of("a") };
    let x = world.join(&named);
    world.told(x);
    world.sync("x#1", 1, &[("x#1", "all")]);
    world.refusal = Some(ErrorCode::CoordinatorNotAvailable);
    let x = world.join(&named);
    assert_eq!(world.told(x), "error 15");
    let x = world.join(&named);
    assert_eq!(world.told(x), "joined 2 range id=x#3 leader=x#3 x#3=");
}

#[test]
fn a_group_that_is_empty_without_the_log_knowing_stays_so() {
    let mut world = pair();
    world.refusal = Some(ErrorCode::CoordinatorNotAvailable);
    world.leave(&[("a#1", None)]);
    world.leave(&[("b#2", None)]);
    assert_eq!(world.group(), "Empty 3");
    world.restart();
    assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    world.pass_ms(10_000);
    assert_eq!(world.group(), "Empty 3");
}
