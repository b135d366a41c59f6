//! Assignors beside Kafka's, and what holds of every assignment.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Assignment, Assignor, GroupAssignment, GroupSpec, MemberSpec};
use crate::types::ids::{PartitionId, TopicId};

const KAFKA: &str = include_str!("testdata/kafka_4_3_1.txt");

fn topic(number: &str) -> TopicId {
    TopicId(Uuid::from_u64_pair(0, number.parse().unwrap()))
}

/// `1:0.3 2:1`
fn assignment(text: &str) -> Assignment {
    let topics = text.split_whitespace().map(|part| {
        let (number, partitions) = part.split_once(':').unwrap();
        let partitions = partitions.split('.').map(|it| PartitionId(it.parse().unwrap()));
        (topic(number), partitions.collect())
    });
    topics.collect()
}

/// `m0 - [1 2] 1:0.3`
fn member(text: &str) -> (String, MemberSpec) {
    let (head, rest) = text.split_once('[').unwrap();
    let (subscribed, assigned) = rest.split_once(']').unwrap();
    let (id, instance_id) = head.trim().split_once(' ').unwrap();
    let spec = MemberSpec {
        instance_id: (instance_id != "-").then(|| instance_id.to_owned()),
        subscribed: subscribed.split_whitespace().map(topic).collect(),
        assigned: assignment(assigned),
    };
    (id.to_owned(), spec)
}

#[test]
fn assignments_are_kafkas() {
    let lines = KAFKA.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let (asked, answered) = line.split_once(" => |").unwrap();
        let mut parts = asked.split(" | ");
        let assignor = parts.next().unwrap();
        let topics = parts.next().unwrap();
        let partitions = topics.split_whitespace().map(|part| {
            let (number, count) = part.split_once(':').unwrap();
            (topic(number), count.parse().unwrap())
        });
        let group =
            GroupSpec { partitions: partitions.collect(), members: parts.map(member).collect() };
        let expected = answered.split(" | ").map(|part| {
            let part = part.trim();
            let (id, assigned) = part.split_once(' ').unwrap_or((part, ""));
            (id.to_owned(), assignment(assigned))
        });
        let expected: GroupAssignment = expected.collect();
        assert_eq!(Assignor::named(assignor).unwrap().assign(&group), expected, "{line}");
        count += 1;
    }
    assert_eq!(count, 240);
}

/// Partitions of one topic for each of five, up to six members with any subscriptions, and what was assigned before.
fn any_group() -> impl Strategy<Value = GroupSpec> {
    let counts = prop::collection::vec(0..9i32, 5);
    let subscriptions = prop::collection::vec(0..32u8, 1..7);
    let owners = prop::collection::vec(0..9usize, 45);
    (counts, subscriptions, owners).prop_map(|(counts, subscriptions, owners)| {
        let id = |index: usize| topic(&index.to_string());
        let partitions = counts.iter().enumerate().map(|(at, count)| (id(at), *count));
        let mut group = GroupSpec { partitions: partitions.collect(), ..GroupSpec::default() };
        for (index, bits) in subscriptions.iter().enumerate() {
            let subscribed = (0..5).filter(|at| bits & (1 << at) != 0).map(id).collect();
            let member = MemberSpec { subscribed, ..MemberSpec::default() };
            group.members.insert(format!("m{index}"), member);
        }
        for (at, owner) in owners.iter().enumerate() {
            if let Some(member) = group.members.get_mut(&format!("m{owner}")) {
                let partition = PartitionId((at % 9) as i32);
                member.assigned.entry(id(at / 9)).or_default().insert(partition);
            }
        }
        group
    })
}

/// Every partition of a topic with subscribers has one owner, who is subscribed to it.
fn check_owners(group: &GroupSpec, assigned: &GroupAssignment) {
    let mut owners: BTreeMap<(TopicId, PartitionId), &str> = BTreeMap::new();
    for (id, assignment) in assigned {
        for (topic, partitions) in assignment {
            assert!(!partitions.is_empty());
            assert!(group.members[id].subscribed.contains(topic));
            for partition in partitions {
                assert_eq!(owners.insert((*topic, *partition), id), None, "two owners");
            }
        }
    }
    let subscribed: BTreeSet<TopicId> =
        group.members.values().flat_map(|member| member.subscribed.iter().copied()).collect();
    let all: i32 = subscribed.iter().map(|topic| group.partitions[topic]).sum();
    assert_eq!(owners.len() as i32, all, "all have an owner");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_partition_has_one_owner_who_wants_it(group in any_group()) {
        for assignor in [Assignor::Range, Assignor::Uniform] {
            check_owners(&group, &assignor.assign(&group));
        }
    }

    #[test]
    fn the_uniform_assignor_is_fair_and_moves_nothing_the_second_time(group in any_group()) {
        let assigned = Assignor::Uniform.assign(&group);
        let load = |id: &str| assigned[id].values().map(BTreeSet::len).sum::<usize>();
        if group.topics_of_all().is_some() {
            let loads: Vec<usize> = group.members.keys().map(|id| load(id)).collect();
            let (low, high) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            prop_assert!(high - low <= 1, "{loads:?}");
        }
        let mut next = group;
        for (id, member) in &mut next.members {
            member.assigned = assigned[id].clone();
        }
        prop_assert_eq!(Assignor::Uniform.assign(&next), assigned);
    }
}

#[test]
fn a_member_more_takes_only_what_it_gets() {
    let topics = BTreeSet::from([topic("1")]);
    let member = |assigned| MemberSpec {
        subscribed: topics.clone(),
        assigned: assignment(assigned),
        instance_id: None,
    };
    let mut group = GroupSpec::default();
    group.partitions.insert(topic("1"), 6);
    group.members.insert("a".to_owned(), member("1:0.1.2"));
    group.members.insert("b".to_owned(), member("1:3.4.5"));
    group.members.insert("c".to_owned(), member(""));
    let assigned = Assignor::Uniform.assign(&group);
    assert_eq!(assigned["a"], assignment("1:0.1"));
    assert_eq!(assigned["b"], assignment("1:3.4"));
    assert_eq!(assigned["c"], assignment("1:2.5"));
}

#[test]
fn assignors_have_names() {
    for assignor in [Assignor::Range, Assignor::Uniform] {
        assert_eq!(Assignor::named(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::named("sticky"), None);
}
