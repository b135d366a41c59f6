//! Every step that a member can take, as a table.

use std::collections::BTreeSet;

use super::{assignment, topic_id};
use crate::kernel::groups::assignors::Assignment;
use crate::kernel::groups::consumer::member::{ConsumerGroupMember, MemberState, PartitionEpochs};
use crate::kernel::groups::consumer::reconcile::{OwnedPartitions, Reconciliation, UnknownState};
use crate::types::ids::{PartitionId, TopicId};

/// `t:0@3.1@4`
fn partitions(text: &str) -> PartitionEpochs {
    let topics = text.split_whitespace().map(|part| {
        let (name, partitions) = part.split_once(':').unwrap();
        let partitions = partitions.split('.').map(|it| {
            let (partition, epoch) = it.split_once('@').unwrap();
            (PartitionId(partition.parse().unwrap()), epoch.parse().unwrap())
        });
        (topic_id(name), partitions.collect())
    });
    topics.collect()
}

fn show(partitions: &PartitionEpochs) -> String {
    let topics = partitions.iter().map(|(topic, partitions)| {
        let partitions: Vec<String> =
            partitions.iter().map(|(partition, epoch)| format!("{partition}@{epoch}")).collect();
        format!("{}:{}", topic.0.as_u128() as u8 as char, partitions.join("."))
    });
    topics.collect::<Vec<_>>().join(" ")
}

fn state(name: &str) -> MemberState {
    match name {
        "stable" => MemberState::Stable,
        "unrevoked" => MemberState::UnrevokedPartitions,
        "unreleased" => MemberState::UnreleasedPartitions,
        _ => MemberState::Unknown,
    }
}

fn name(state: MemberState) -> &'static str {
    match state {
        MemberState::Stable => "stable",
        MemberState::UnrevokedPartitions => "unrevoked",
        MemberState::UnreleasedPartitions => "unreleased",
        MemberState::Unknown => "unknown",
    }
}

/// `state epoch / assigned / pending`
fn member(text: &str) -> ConsumerGroupMember {
    let mut parts = text.split('/').map(str::trim);
    let (state_name, epoch) = parts.next().unwrap().split_once(' ').unwrap();
    let mut member = ConsumerGroupMember::new("m");
    member.state = state(state_name);
    member.epoch = epoch.parse().unwrap();
    member.previous_epoch = member.epoch;
    member.assigned = partitions(parts.next().unwrap());
    member.pending_revocation = partitions(parts.next().unwrap());
    member
}

struct Case {
    target_epoch: i32,
    target: &'static str,
    subscribed: &'static str,
    changed: bool,
    owned: Option<&'static str>,
    others: &'static str,
}

const PLAIN: Case = Case {
    target_epoch: 11,
    target: "",
    subscribed: "tu",
    changed: false,
    owned: None,
    others: "",
};

fn check(before: &str, case: &Case, expected: &str) {
    let target: Assignment = assignment(case.target)
        .into_iter()
        .map(|(topic, partitions)| (topic, partitions.into_iter().map(PartitionId).collect()))
        .collect();
    let subscribed: BTreeSet<TopicId> =
        case.subscribed.chars().map(|name| topic_id(&name.to_string())).collect();
    let owned: Option<Vec<_>> = case.owned.map(|owned| {
        let topics = assignment(owned).into_iter();
        topics.map(|(it, list)| (it, list.into_iter().map(PartitionId).collect())).collect()
    });
    let owned: Option<&OwnedPartitions> = owned.as_deref();
    let before = member(before);
    let others = assignment(case.others);
    let has = |partitions: &PartitionEpochs, topic: TopicId, partition: PartitionId| {
        partitions.get(&topic).is_some_and(|it| it.contains_key(&partition))
    };
    let reconciliation = Reconciliation {
        target_epoch: case.target_epoch,
        target: &target,
        subscribed: &subscribed,
        subscription_changed: case.changed,
        owned,
        is_owned: |topic, partition: PartitionId| {
            others.get(&topic).is_some_and(|it| it.contains(&partition.0))
                || has(&before.assigned, topic, partition)
                || has(&before.pending_revocation, topic, partition)
        },
    };
    let after = match reconciliation.next(&before) {
        Err(UnknownState) => "fenced".to_owned(),
        Ok(None) => "same".to_owned(),
        Ok(Some(member)) => {
            assert_eq!(member.previous_epoch, before.epoch);
            let (assigned, pending) = (show(&member.assigned), show(&member.pending_revocation));
            format!("{} {} / {assigned} / {pending}", name(member.state), member.epoch)
        }
    };
    assert_eq!(after, expected);
}

#[test]
fn a_stable_member() {
    let stable = "stable 10 / t:1@5.2@6 / ";
    let same = Case { target_epoch: 10, target: "t:1.2", ..PLAIN };
    check(stable, &same, "same");
    let same = Case { target: "t:1.2", ..PLAIN };
    check(stable, &same, "stable 11 / t:1@5.2@6 / ");
    let more = Case { target: "t:1.2.3", ..PLAIN };
    check(stable, &more, "stable 11 / t:1@5.2@6.3@11 / ");
    let less = Case { target: "t:2", ..PLAIN };
    check(stable, &less, "unrevoked 10 / t:2@6 / t:1@5");
    let other = Case { target: "t:2.3", ..PLAIN };
    check(stable, &other, "unrevoked 10 / t:2@6 / t:1@5");
    let given_back = Case { target: "t:2.3", owned: Some("t:2"), ..PLAIN };
    check(stable, &given_back, "stable 11 / t:2@6.3@11 / ");
    let waits = Case { target: "t:1.2.3", others: "t:3", ..PLAIN };
    check(stable, &waits, "unreleased 11 / t:1@5.2@6 / ");
    let gets_some = Case { target: "t:1.2.3.4", others: "t:3", ..PLAIN };
    check(stable, &gets_some, "unreleased 11 / t:1@5.2@6.4@11 / ");
    let not_subscribed = Case { target: "t:1.2 u:0", subscribed: "t", ..PLAIN };
    check(stable, &not_subscribed, "stable 11 / t:1@5.2@6 / ");
}

#[test]
fn a_member_that_gives_back() {
    let unrevoked = "unrevoked 10 / t:2@6 / t:1@5";
    let silent = Case { target: "t:2.3", ..PLAIN };
    check(unrevoked, &silent, "same");
    let not_yet = Case { owned: Some("t:1.2"), ..silent };
    check(unrevoked, &not_yet, "same");
    let done = Case { target: "t:2.3", owned: Some("t:2"), ..PLAIN };
    check(unrevoked, &done, "stable 11 / t:2@6.3@11 / ");
    let waits = Case { target: "t:2.3", owned: Some("t:2"), others: "t:3", ..PLAIN };
    check(unrevoked, &waits, "unreleased 11 / t:2@6 / ");
    let gets_it_again = Case { target: "t:1.2", owned: Some("t:2"), ..PLAIN };
    check(unrevoked, &gets_it_again, "stable 11 / t:1@11.2@6 / ");
    let even_less = Case { target: "u:0", owned: Some("t:2"), ..PLAIN };
    check(unrevoked, &even_less, "unrevoked 10 /  / t:2@6");
}

#[test]
fn a_member_that_waits() {
    let unreleased = "unreleased 11 / t:1@5 / ";
    let still = Case { target: "t:1.2", others: "t:2", ..PLAIN };
    check(unreleased, &still, "same");
    let free = Case { target: "t:1.2", ..PLAIN };
    check(unreleased, &free, "stable 11 / t:1@5.2@11 / ");
    let next = Case { target_epoch: 12, target: "t:2", others: "t:2", ..PLAIN };
    check(unreleased, &next, "unrevoked 11 /  / t:1@5");
}

#[test]
fn a_subscription_that_changes_takes_partitions_away_at_once() {
    let stable = "stable 10 / t:1@5 u:0@6 / ";
    let fewer =
        Case { target_epoch: 10, target: "t:1 u:0", subscribed: "t", changed: true, ..PLAIN };
    check(stable, &fewer, "unrevoked 10 / t:1@5 / u:0@6");
    let given_back = Case { owned: Some("t:1"), ..fewer };
    check(stable, &given_back, "stable 10 / t:1@5 / ");
    let unrevoked = "unrevoked 10 / t:1@5 u:0@6 / t:2@7";
    let fewer = Case { owned: None, ..given_back };
    check(unrevoked, &fewer, "unrevoked 10 / t:1@5 / t:2@7 u:0@6");
    let same = Case { subscribed: "tu", ..fewer };
    check(stable, &same, "same");
}

#[test]
fn a_member_of_an_unknown_state_must_come_with_nothing() {
    let unknown = "unknown 10 / t:1@5 / ";
    let silent = Case { target: "t:1.2", ..PLAIN };
    check(unknown, &silent, "fenced");
    let has_some = Case { owned: Some("t:1"), ..silent };
    check(unknown, &has_some, "fenced");
    let has_none = Case { target: "t:1.2", owned: Some(""), ..PLAIN };
    check(unknown, &has_none, "stable 11 / t:1@5.2@11 / ");
}
