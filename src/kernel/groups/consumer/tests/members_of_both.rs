//! Groups with members of both protocols, and groups that go from one to the other.

use super::{AT_ONCE, Beat, group, world};
use crate::kernel::groups::world::{Joiner, World};

/// What a consumer of topic `t` says of itself, in version 1 of its protocol, with what it owns.
fn consumer(owned: &[u8]) -> String {
    let mut text = "\0\x01\0\0\0\x01\0\x01t\0\0\0\0".to_owned();
    text.push_str(if owned.is_empty() { "\0\0\0\0" } else { "\0\0\0\x01\0\x01t" });
    text.push_str(&partitions(owned));
    text
}

fn partitions(partitions: &[u8]) -> String {
    if partitions.is_empty() {
        return String::new();
    }
    let count = char::from(partitions.len() as u8);
    let list = partitions.iter().map(|it| format!("\0\0\0{}", char::from(*it)));
    format!("\0\0\0{count}{}", list.collect::<String>())
}

/// An assignment of partitions of `t`, in that version.
fn given(version: char, list: &[u8], user_data: &str) -> String {
    let topics = if list.is_empty() { "\0\0\0\0" } else { "\0\0\0\x01\0\x01t" };
    format!("\0{version}{topics}{}{user_data}", partitions(list))
}

fn join(world: &mut World, member: &str, owned: &[u8]) -> String {
    let metadata = consumer(owned);
    let protocols = [("range", metadata.as_str())];
    let call = world.join(&Joiner { member_id: member, protocols: &protocols, ..Joiner::of("c") });
    world.told(call)
}

fn sync(world: &mut World, member: &str, generation: i32) -> String {
    let call = world.sync(member, generation, &[]);
    world.told(call).trim_start_matches("synced null null ").to_owned()
}

/// A classic group with one member `a`, which has all of `t`, in generation 1.
fn classic_group(set: &[(&str, &str)], user_data: &str) -> (World, String) {
    let mut world = world(&[("t", 3)], &[&[AT_ONCE], set].concat());
    let metadata = consumer(&[]);
    let protocols = [("range", metadata.as_str())];
    let (call, id) = world.join_new(&Joiner { protocols: &protocols, ..Joiner::of("c") });
    world.pass_ms(3000);
    assert!(world.told(call).starts_with("joined 1 range"));
    let call = world.sync(&id, 1, &[(&id, &given('\x01', &[0, 1, 2], user_data))]);
    assert!(world.told(call).starts_with("synced"));
    (world, id)
}

#[test]
fn a_classic_group_becomes_a_consumer_group_and_back() {
    let (mut world, a) = classic_group(&[], "\0\0\0\0");
    assert_eq!(Beat::join("m", &["t"]).told(&mut world), "2 []");
    let target = |world: &World, id: &str| {
        let target = group(&world.shard).unwrap().target(id).unwrap();
        target.values().flatten().map(|partition| partition.0).collect::<Vec<_>>()
    };
    let of_a = {
        let members = group(&world.shard).unwrap().members();
        members.values().find(|member| member.uses_classic_protocol()).unwrap().id.clone()
    };
    assert_eq!((target(&world, &of_a).len(), target(&world, "m").len()), (2, 1));
    // The classic member learns that it is to join again, gives one back, and joins once more.
    assert_eq!(world.heartbeat(&a, 1), 27);
    assert!(join(&mut world, &a, &[0, 1, 2]).starts_with("joined 1 range"));
    let kept: Vec<u8> = target(&world, &of_a).iter().map(|it| *it as u8).collect();
    let nothing = "\u{fffd}\u{fffd}\u{fffd}\u{fffd}";
    assert_eq!(sync(&mut world, &a, 1), given('\x01', &kept, nothing));
    assert_eq!(Beat::quiet("m", 2).told(&mut world), "2");
    assert_eq!(world.heartbeat(&a, 1), 27);
    assert!(join(&mut world, &a, &kept).starts_with("joined 2 range"));
    assert_eq!(sync(&mut world, &a, 2), given('\x01', &kept, nothing));
    assert_eq!(world.heartbeat(&a, 2), 0);
    let freed = target(&world, "m")[0];
    assert_eq!(Beat::quiet("m", 2).told(&mut world), format!("2 [t:{freed}]"));
    let loaded = world.loaded(world.log.len());
    assert_eq!(group(&loaded), group(&world.shard));
    // The last one of the new protocol goes.
    assert_eq!(Beat::quiet("m", -1).told(&mut world), "-1");
    assert!(group(&world.shard).is_none());
    world.pass_ms(0);
    assert!(world.group().starts_with("PreparingRebalance 2"), "{}", world.group());
    assert_eq!(world.heartbeat(&a, 2), 27);
    let rejoined = join(&mut world, &a, &kept);
    assert!(rejoined.starts_with("joined 3 range"), "{rejoined}");
}

#[test]
fn a_classic_member_that_does_not_join_again_is_out() {
    let (mut world, a) = classic_group(&[], "\0\0\0\0");
    Beat::join("m", &["t"]).ask(&mut world);
    for _ in 0..12 {
        assert_eq!(world.heartbeat(&a, 1), 27);
        world.pass_ms(5_000);
        Beat::quiet("m", 2).ask(&mut world);
    }
    assert_eq!(world.heartbeat(&a, 1), 25);
    assert_eq!(group(&world.shard).unwrap().members().len(), 1);
}

/// A classic group answers 25 to such a member. Kafka's consumer group makes whoever it does not know, under the id that it
/// brings (`classicGroupJoinToConsumerGroup`), and does not ask how it comes to own anything.
#[test]
fn a_classic_member_that_was_expelled_is_taken_back_under_its_old_id() {
    let (mut world, a) = classic_group(&[], "\0\0\0\0");
    Beat::join("m", &["t"]).ask(&mut world);
    for _ in 0..12 {
        world.heartbeat(&a, 1);
        world.pass_ms(5_000);
        Beat::quiet("m", 2).ask(&mut world);
    }
    assert_eq!(world.heartbeat(&a, 1), 25);
    Beat::quiet("m", -1).ask(&mut world);
    Beat::join("n", &["t"]).ask(&mut world);
    let epoch = group(&world.shard).unwrap().epoch();
    let rejoined = join(&mut world, &a, &[0, 1, 2]);
    assert!(rejoined.starts_with(&format!("joined {} range id={a}", epoch + 1)), "{rejoined}");
}

#[test]
fn what_cannot_become_a_consumer_group_stays_what_it_is() {
    let check = |set: &[(&str, &str)], user_data: &str, said: &str| {
        let (mut world, a) = classic_group(set, user_data);
        let answer = Beat::join("m", &["t"]).ask(&mut world);
        let message = answer.error_message.unwrap().to_string();
        assert_eq!((answer.error_code, message.contains(said)), (69, true), "{message}");
        assert_eq!(world.heartbeat(&a, 1), 0);
    };
    check(&[("group.consumer.migration.policy", "downgrade")], "\0\0\0\0", "upgrade is disabled");
    check(&[], "\0\0\0\x01x", "custom assignor");
}

#[test]
fn an_empty_group_is_of_the_kind_that_comes_next() {
    let mut world = world(&[("t", 1)], &[AT_ONCE]);
    Beat::join("m", &["t"]).ask(&mut world);
    Beat::quiet("m", -1).ask(&mut world);
    let metadata = consumer(&[]);
    let protocols = [("range", metadata.as_str())];
    let (call, a) = world.join_new(&Joiner { protocols: &protocols, ..Joiner::of("c") });
    world.pass_ms(3000);
    assert!(world.told(call).starts_with("joined 1 range"));
    assert!(group(&world.shard).is_none());
    world.leave(&[(&a, None)]);
    assert_eq!(Beat::join("m", &["t"]).told(&mut world), "2 [t:0]");
    assert_eq!(group(&world.loaded(world.log.len())), group(&world.shard));
}

#[test]
fn a_classic_member_joins_and_leaves_a_consumer_group() {
    let mut world = world(&[("t", 2)], &[AT_ONCE]);
    assert_eq!(Beat::join("m", &["t"]).told(&mut world), "2 [t:0.1]");
    let metadata = consumer(&[]);
    let protocols = [("range", metadata.as_str())];
    let joiner = Joiner { protocols: &protocols, ..Joiner::of("c") };
    let call = world.join(&joiner);
    let told = world.told(call);
    let id = told.strip_prefix("error 79 id=").unwrap().to_owned();
    assert!(join(&mut world, &id, &[]).starts_with("joined 3 range"));
    assert_eq!(Beat::quiet("m", 2).told(&mut world).len(), "2 [t:0]".len());
    assert_eq!(world.heartbeat(&id, 2), 22);
    assert_eq!(world.heartbeat(&id, 3), 0);
    let left = world.leave(&[(&id, None), ("nobody", None)]);
    assert_eq!(left, format!("left 0 {id}/=0 nobody/=25"));
    assert_eq!(group(&world.shard).unwrap().members().len(), 1);
    let other = Joiner { protocol_type: "connect", ..Joiner::of("c") };
    let call = world.join(&other);
    assert_eq!(world.told(call), "error 23 id=");
}

#[test]
fn a_classic_member_that_takes_a_static_place_makes_a_classic_group() {
    let mut world = world(&[("t", 2)], &[AT_ONCE]);
    Beat { instance: Some("i"), ..Beat::join("m", &["t"]) }.ask(&mut world);
    let metadata = consumer(&[]);
    let protocols = [("range", metadata.as_str())];
    let joiner = Joiner { protocols: &protocols, instance_id: Some("i"), ..Joiner::of("c") };
    let call = world.join(&joiner);
    assert!(world.told(call).starts_with("joined 2 range"));
    assert!(group(&world.shard).is_none());
    world.pass_ms(0);
    assert!(world.group().starts_with("Stable 2"), "{}", world.group());
}
