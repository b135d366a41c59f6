//! The judge, judged: valid histories are clean, and of each anomaly that is put into one exactly that is found.

use std::time::Instant;

use protocol_tests::check::{Checker, Kind, check};
use protocol_tests::history::{Operation, parse, write};
use protocol_tests::random::Random;

use super::model::Model;
use super::planted::{STUCK_AFTER, plant};

/// How many operations a small history has.
const OPERATIONS: u64 = 1500;
/// How many histories of each sort are judged.
const SEEDS: u64 = 40;

fn valid(seed: u64) -> Vec<Operation> {
    Model::new(seed, OPERATIONS).collect()
}

#[test]
fn valid_histories_are_clean() {
    for seed in 0..SEEDS {
        let history = valid(seed);
        assert!(history.is_sorted_by_key(|operation| operation.completed));
        let found = check(&history, STUCK_AFTER);
        assert!(found.is_clean(), "seed {seed}: {found}");
    }
}

/// Of so many histories most have a place for the anomaly, and there nothing else is found.
fn check_planted(kind: Kind) {
    let mut planted = 0;
    for seed in 0..SEEDS {
        let mut history = valid(seed);
        if plant(kind, &mut history, &mut Random::new(seed)).is_none() {
            continue;
        }
        planted += 1;
        let found = check(&history, STUCK_AFTER);
        let kinds: Vec<Kind> = found.told().iter().map(|anomaly| anomaly.kind).collect();
        assert!(found.count(kind) > 0, "seed {seed}: no {kind:?} is found but {found}");
        assert!(kinds.iter().all(|it| *it == kind), "seed {seed}: more than {kind:?}: {found}");
        for anomaly in found.told() {
            let is_told = history.iter().any(|it| anomaly.subject.is_told_by(it));
            assert!(is_told, "seed {seed}: nothing tells of {anomaly}");
        }
    }
    assert!(planted > SEEDS / 4, "{kind:?} found a place in {planted} histories only");
}

macro_rules! planted {
    ($( $name:ident $kind:ident )*) => { $(
        #[test]
        fn $name() {
            check_planted(Kind::$kind);
        }
    )* };
}

planted! {
    an_offset_with_two_values_is_found InconsistentOffset
    a_value_at_two_offsets_is_found Duplicate
    a_lost_value_is_found Lost
    a_value_that_the_last_reads_do_not_reach_is_found Unseen
    a_value_that_one_reader_skips_is_found Skipped
    a_value_that_nobody_wrote_is_found Phantom
    an_aborted_value_that_is_read_is_found AbortedRead
    a_value_that_is_read_before_its_commit_is_found EarlyRead
    a_torn_transaction_is_found Torn
    a_committed_offset_that_goes_back_is_found CommittedOffsetBack
    a_committed_offset_that_nobody_committed_is_found CommittedOffsetPhantom
    two_owners_in_one_generation_are_found DoubleOwner
    a_rebalance_of_a_group_whose_members_stay_is_found Rebalance
    what_is_copied_twice_or_never_is_found NotCopiedOnce
    a_last_stable_offset_that_is_stuck_is_found StuckLastStableOffset
    a_watermark_that_goes_back_is_found WatermarkBack
    values_out_of_order_are_found Order
}

#[test]
fn a_history_is_the_same_after_it_was_written_and_read() {
    for operation in Model::new(7, OPERATIONS) {
        let mut line = Vec::new();
        write(&operation, &mut line).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert_eq!(parse(&line), Some(operation), "{line}");
        // No line that is cut short tells another operation.
        let cut = line.trim_end().rsplit_once(' ').map(|(head, _)| head);
        let is_whole = [" read ", " assigned ", " owned "].iter().any(|it| line.contains(it));
        assert!(is_whole || cut.and_then(parse).is_none(), "{line}");
    }
}

/// `JUDGED=10000000` tells what a long one costs.
#[test]
fn a_long_history_takes_little_memory() {
    let operations = std::env::var("JUDGED").ok().and_then(|count| count.parse().ok());
    let operations = operations.unwrap_or(50_000);
    let mut checker = Checker::new(STUCK_AFTER);
    let mut judging = std::time::Duration::ZERO;
    let began = Instant::now();
    for operation in Model::new(1, operations) {
        let began = Instant::now();
        checker.take(&operation);
        judging += began.elapsed();
    }
    let finishing = Instant::now();
    let found = checker.finish();
    judging += finishing.elapsed();
    assert!(found.is_clean(), "{found}");
    println!("{operations} operations: {judging:?} of {:?}", began.elapsed());
}
