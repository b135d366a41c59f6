//! The load tool on our broker: a short run of each scenario, and that it notices an answer that is not right.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod between;
mod figures;

use std::panic::{AssertUnwindSafe, catch_unwind};

use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, EndTxnRequest, EndTxnResponse,
    FetchRequest, FetchResponse, HeartbeatRequest, HeartbeatResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, ProduceRequest, ProduceResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::Request;
use protocol_tests::load::{Report, Spec, Subject, run};
use protocol_tests::program::broker;

use between::Between;

fn start() -> Subject {
    Subject::start(&broker(), &[], None)
}

/// Runs a scenario. What it tells are numbers of things that have happened.
fn check(spec: &str, reports: usize) -> Vec<Report> {
    let told = run(&Spec::parse(spec), &mut start());
    assert_eq!(told.len(), reports);
    told
}

/// The scenario fails when one of the answers to a kind of request is changed.
fn fails<R: Request>(
    spec: &str,
    version: i16,
    change: impl FnMut(&mut R::Response) -> bool + Send + 'static,
) {
    let mut subject = start();
    let between = Between::start::<R>(subject.address, version, change);
    subject.address = between.address;
    let result = catch_unwind(AssertUnwindSafe(|| run(&Spec::parse(spec), &mut subject)));
    assert!(between.has_changed_one(), "{spec}: no answer was changed");
    assert!(result.is_err(), "{spec}: an answer was changed, and nobody minds");
}

/// Lets the answer be changed that comes after so many others.
fn after<T>(
    mut others: usize,
    change: impl Fn(&mut T) + Send + 'static,
) -> impl FnMut(&mut T) -> bool + Send + 'static {
    move |answer| {
        if others == 0 {
            change(answer);
            return true;
        }
        others -= 1;
        false
    }
}

#[test]
fn groups_heartbeat_and_commit() {
    for protocol in ["classic", "consumer"] {
        let spec = format!("groups:protocol={protocol},groups=20,connections=3,warm=0,seconds=1");
        let report = &check(&spec, 1)[0];
        assert_eq!(report.get("requests"), Some(40.0));
        assert!(report.get("kib_per_group").is_some());
    }
}

#[test]
fn the_floor_is_asked_the_same() {
    for protocol in ["classic", "consumer"] {
        let settings = "groups=20,connections=3,warm=0,seconds=1,floor=true";
        let reports = check(&format!("groups:protocol={protocol},{settings}"), 2);
        for (report, is_floor) in reports.iter().zip([false, true]) {
            assert_eq!(report.said("broker") == "floor", is_floor);
            assert_eq!(report.get("requests"), Some(40.0));
            assert!(report.get("us_per_request").unwrap() > 0.0);
        }
    }
}

#[test]
fn live_members_ask_in_a_closed_loop() {
    for request in ["heartbeat", "commit"] {
        for protocol in ["classic", "consumer"] {
            let spec = format!("live:request={request},protocol={protocol},seconds=0.1");
            assert!(check(&spec, 1)[0].get("requests").unwrap() >= 8.0);
        }
    }
}

#[test]
fn a_group_comes_together() {
    for protocol in ["classic", "consumer"] {
        let spec = format!("rebalance:protocol={protocol},members=8,changes=2,heartbeat_ms=20");
        for report in check(&spec, 5) {
            assert!(report.get("settled_ms").unwrap() >= report.get("last_change_ms").unwrap());
        }
    }
}

#[test]
fn transactions_alternate_with_idempotent_batches() {
    for (modes, more) in
        [("tv2+idempotent", ",offsets=true"), ("tv1+tv2", ",offsets=true"), ("tv1", "")]
    {
        let spec = format!(
            "transactions:modes={modes},repeats=2,count=40,connections=3,partitions=2,records=3,\
             bytes=10,abort_every=4,again_ms=1{more}"
        );
        let turns = if modes.contains('+') { 8 } else { 1 };
        let reports = check(&spec, if turns > 1 { turns + 1 } else { turns });
        assert!(reports[..turns].iter().all(|report| report.get("count") == Some(40.0)));
        let ratio = reports.last().and_then(|report| report.get("ratio_of_cpu"));
        assert_eq!(ratio.is_some(), turns > 1);
    }
}

#[test]
fn offsets_are_there_after_a_restart() {
    let report = &check("load-time:offsets=1000,groups=5,partitions=10", 1)[0];
    assert_eq!(report.get("offsets"), Some(1000.0));
}

const GROUPS: &str = "groups:groups=4,connections=2,warm=0,seconds=1";
const CONSUMERS: &str = "groups:protocol=consumer,groups=4,connections=2,warm=0,seconds=1";
const TRANSACTIONS: &str =
    "transactions:modes=tv2,count=12,connections=1,partitions=1,records=3,bytes=9,abort_every=4";

#[test]
fn an_error_of_a_heartbeat_ends_the_trial() {
    fails::<HeartbeatRequest>(
        GROUPS,
        4,
        after(9, |answer: &mut HeartbeatResponse| {
            answer.error_code = 27;
        }),
    );
}

#[test]
fn another_epoch_of_a_member_ends_the_trial() {
    let change = |answer: &mut ConsumerGroupHeartbeatResponse| answer.member_epoch += 1;
    fails::<ConsumerGroupHeartbeatRequest>(CONSUMERS, 1, after(18, change));
}

#[test]
fn an_error_of_a_commit_ends_the_trial() {
    let change = |answer: &mut OffsetCommitResponse| {
        answer.topics[0].partitions[0].error_code = 25;
    };
    fails::<OffsetCommitRequest>("live:request=commit,seconds=0.2", 9, after(18, change));
}

#[test]
fn an_offset_that_is_not_what_was_committed_ends_the_trial() {
    let change = |answer: &mut OffsetFetchResponse| {
        answer.groups[0].topics[0].partitions[0].committed_offset -= 1;
    };
    fails::<OffsetFetchRequest>(GROUPS, 9, after(2, change));
}

#[test]
fn a_partition_with_two_owners_ends_the_trial() {
    let spec = "rebalance:protocol=consumer,members=4,partitions=8,heartbeat_ms=20";
    let mut first: Option<(_, _)> = None;
    // Another member is given what the first one has.
    fails::<ConsumerGroupHeartbeatRequest>(spec, 1, move |answer| match &first {
        None => {
            let is_given =
                answer.assignment.as_ref().is_some_and(|it| !it.topic_partitions.is_empty());
            first = is_given.then(|| (answer.member_id.clone(), answer.assignment.clone()));
            false
        }
        Some((member, assignment)) => {
            let is_another = answer.member_id != *member;
            if is_another {
                answer.assignment.clone_from(assignment);
            }
            is_another
        }
    });
}

#[test]
fn a_partition_that_nobody_owns_ends_the_trial() {
    let spec = "rebalance:members=1,partitions=6,heartbeat_ms=20";
    // The one member is told another partition instead of its last one, which stands before the null user data.
    let change = |answer: &mut SyncGroupResponse| {
        let mut assignment = answer.assignment.to_vec();
        let at = assignment.len() - 5;
        assignment[at] = 0;
        answer.assignment = assignment.into();
    };
    fails::<SyncGroupRequest>(spec, 5, after(0, change));
}

#[test]
fn a_wrong_base_offset_ends_the_trial() {
    let change = |answer: &mut ProduceResponse| {
        answer.responses[0].partition_responses[0].base_offset += 1;
    };
    fails::<ProduceRequest>(TRANSACTIONS, 12, after(5, change));
}

#[test]
fn an_error_of_an_end_ends_the_trial() {
    fails::<EndTxnRequest>(
        TRANSACTIONS,
        5,
        after(5, |answer: &mut EndTxnResponse| {
            answer.error_code = 90;
        }),
    );
}

#[test]
fn an_aborted_batch_that_is_seen_ends_the_trial() {
    let change = |answer: &mut FetchResponse| {
        let data = &mut answer.responses[0].partitions[0];
        let is_hiding = data.aborted_transactions.as_ref().is_some_and(|it| !it.is_empty());
        data.aborted_transactions = None;
        is_hiding
    };
    fails::<FetchRequest>(TRANSACTIONS, 17, change);
}

#[test]
fn a_setting_that_nobody_knows_is_refused() {
    let mut subject = start();
    let spec = Spec::parse("live:secnds=1");
    assert!(catch_unwind(AssertUnwindSafe(|| run(&spec, &mut subject))).is_err());
}
