//! One partition at a time: how it is, what changes, what is written.

use super::*;
use crate::types::epoch::{LeaderEpoch, PartitionEpoch};
use crate::types::ids::DirectoryId;
use uuid::Uuid;

fn ids(numbers: &[i32]) -> Vec<NodeId> {
    numbers.iter().map(|number| NodeId(*number)).collect()
}

/// On brokers 1, 2 and 3.
fn partition(isr: &[i32], leader: i32, elr: &[i32], last_known: &[i32]) -> PartitionRegistration {
    PartitionRegistration {
        replicas: ids(&[1, 2, 3]),
        directories: vec![DirectoryId::UNASSIGNED; 3],
        isr: ids(isr),
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        eligible_leader_replicas: ids(elr),
        last_known_elr: ids(last_known),
        leader: NodeId(leader),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(5),
        partition_epoch: PartitionEpoch(7),
    }
}

const PLAIN: Rules = Rules { metadata_version: 21, elr_enabled: false, min_isr: 1, unclean: false };
const ELR: Rules = Rules { metadata_version: 30, elr_enabled: true, min_isr: 2, unclean: false };

fn show(record: &PartitionChangeRecord) -> String {
    let mut parts = Vec::new();
    let mut list = |name: &str, value: &Option<Vec<i32>>| {
        parts.extend(value.as_ref().map(|value| format!("{name} {value:?}")));
    };
    list("isr", &record.isr);
    list("elr", &record.eligible_leader_replicas);
    list("last", &record.last_known_elr);
    if record.leader != NO_LEADER_CHANGE {
        parts.push(format!("leader {}", record.leader));
    }
    if record.leader_recovery_state != -1 {
        parts.push(format!("state {}", record.leader_recovery_state));
    }
    parts.join(", ")
}

/// The new ISR is `isr`, and the brokers `up` may lead.
fn check(rules: Rules, partition: &PartitionRegistration, isr: &[i32], up: &[i32], expected: &str) {
    let change = PartitionChange {
        partition,
        rules,
        is_acceptable_leader: &|id| up.contains(&id.0),
        isr: ids(isr),
        unclean_shutdown: None,
        leader_recovery_state: partition.leader_recovery_state,
    };
    let record = change.build(TopicId(Uuid::from_u128(9)), PartitionId(0));
    assert_eq!(record.as_ref().map(show).unwrap_or_default(), expected);
}

#[test]
fn a_leader_stays_while_it_may() {
    check(PLAIN, &partition(&[1, 2, 3], 2, &[], &[]), &[1, 2, 3], &[1, 2, 3], "");
    check(PLAIN, &partition(&[1, 2, 3], 2, &[], &[]), &[2, 3], &[2, 3], "isr [2, 3]");
}

#[test]
fn the_first_replica_in_sync_leads_next() {
    check(PLAIN, &partition(&[3, 2, 1], 1, &[], &[]), &[3, 2], &[2, 3], "isr [3, 2], leader 2");
    check(PLAIN, &partition(&[1, 2], 1, &[], &[]), &[2], &[3], "isr [2], leader -1");
}

#[test]
fn the_last_replica_in_sync_is_kept_without_eligible_leaders() {
    check(PLAIN, &partition(&[1], 1, &[], &[]), &[], &[2, 3], "leader -1");
    check(PLAIN, &partition(&[1], -1, &[], &[]), &[1], &[1, 2], "leader 1");
}

#[test]
fn an_unclean_election_takes_any_replica_and_marks_it() {
    let rules = Rules { unclean: true, ..PLAIN };
    check(rules, &partition(&[1], 1, &[], &[]), &[], &[2, 3], "isr [2], leader 2, state 1");
    check(rules, &partition(&[1], 1, &[], &[]), &[], &[], "leader -1");
}

#[test]
fn who_leaves_too_small_an_isr_stays_eligible() {
    let three = partition(&[1, 2, 3], 1, &[], &[]);
    check(ELR, &three, &[2, 3], &[2, 3], "isr [2, 3], leader 2");
    let two = partition(&[1, 2], 1, &[], &[]);
    check(ELR, &two, &[2], &[2, 3], "isr [2], elr [1], leader 2");
    let last = partition(&[2], 2, &[1], &[]);
    check(ELR, &last, &[], &[3], "isr [], elr [1, 2], last [2], leader -1");
}

#[test]
fn an_eligible_replica_is_elected_cleanly_and_is_in_sync_again() {
    let none = partition(&[], -1, &[1, 2], &[2]);
    check(ELR, &none, &[], &[1], "isr [1], elr [2], last [], leader 1");
    check(ELR, &none, &[], &[3], "");
    let back = partition(&[1], 1, &[2], &[]);
    check(ELR, &back, &[1, 2], &[1, 2], "isr [1, 2], elr []");
}

#[test]
fn the_last_leader_is_elected_uncleanly_when_nobody_is_eligible() {
    let none = partition(&[], -1, &[], &[2]);
    check(ELR, &none, &[], &[1, 2], "isr [2], last [], leader 2, state 1");
    check(ELR, &none, &[], &[1, 3], "");
}

#[test]
fn a_replica_that_crashed_is_not_eligible() {
    let partition = partition(&[1], 1, &[], &[]);
    let change = PartitionChange {
        partition: &partition,
        rules: Rules { min_isr: 1, ..ELR },
        is_acceptable_leader: &|_| false,
        isr: Vec::new(),
        unclean_shutdown: Some(NodeId(1)),
        leader_recovery_state: LeaderRecoveryState::Recovered,
    };
    let record = change.build(TopicId(Uuid::from_u128(9)), PartitionId(0)).unwrap();
    assert_eq!(show(&record), "isr [], last [1], leader -1");
}

#[test]
fn a_smaller_isr_started_a_new_epoch_before_3_6() {
    let rules = Rules { metadata_version: 11, ..PLAIN };
    let three = partition(&[1, 2, 3], 1, &[], &[]);
    check(rules, &three, &[1, 2], &[1, 2], "isr [1, 2], leader 1");
    check(rules, &partition(&[1], 1, &[], &[]), &[1, 2], &[1, 2], "isr [1, 2]");
}
