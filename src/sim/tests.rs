//! A short run of the simulated world, the proof that a seed is all that it depends on, and the proof that it sees what it is
//! to see.

use super::planted::Planted;
use super::*;

/// `make sim` runs many more.
const SEEDS: u64 = 25;
/// Within so many seeds a rule that is broken shows.
const SEEDS_UNTIL_SEEN: u64 = 60;

#[test]
fn seeds_keep_all_promises() {
    let config = config().unwrap();
    let mut total = Counters::default();
    for seed in 0..SEEDS {
        let outcome = run_seed(seed, &config, Setup::default());
        assert_eq!(outcome.violation, None, "make sim SEED={seed}");
        total.add(&outcome.counters);
    }
    // A long run must come through all of them.
    assert!(total.missing().len() < sometimes::ALL.len() / 2, "{:?}", total.missing());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let config = config().unwrap();
    let run = |seed, keeps_text| run_seed(seed, &config, Setup { keeps_text, planted: None });
    for seed in [1, 7, 4711] {
        let (first, again, silent) = (run(seed, true), run(seed, true), run(seed, false));
        assert_eq!(first.lines, again.lines);
        assert!(first.lines.len() > 100, "something happens");
        assert_eq!((first.hash, first.events), (again.hash, again.events));
        assert_eq!((first.hash, first.events), (silent.hash, silent.events));
    }
    assert_ne!(run(1, false).hash, run(7, false).hash);
}

/// Breaks a rule of the world: a seed must complain in these words.
fn check(planted: Planted, expected: &[&str]) {
    let config = config().unwrap();
    for seed in 0..SEEDS_UNTIL_SEEN {
        let setup = Setup { keeps_text: false, planted: Some(planted) };
        if let Some(violation) = run_seed(seed, &config, setup).violation {
            let is_expected = expected.iter().any(|it| violation.contains(it));
            assert!(is_expected, "{planted:?}, seed {seed}: {violation}");
            return;
        }
    }
    panic!("nobody sees {planted:?}");
}

#[test]
fn markers_that_say_the_opposite_are_seen() {
    check(Planted::MarkersSayTheOpposite, &["in state"]);
}

#[test]
fn markers_before_their_decision_are_seen() {
    check(Planted::MarkersComeEarly, &["before its decision"]);
}

#[test]
fn the_loss_of_what_was_committed_is_seen() {
    check(Planted::CutsWhatWasCommitted, &["was safe up to"]);
}

#[test]
fn a_load_that_forgets_is_seen() {
    check(Planted::LoadForgets, &["not what its log says"]);
}

#[test]
fn a_commit_of_another_generation_is_seen() {
    check(Planted::CommitsOfAnyGeneration, &["not a member's of now"]);
}

#[test]
fn a_producer_id_for_two_is_seen() {
    check(Planted::SameProducerId, &["one producer id", "two producers", "another producer id"]);
}

#[test]
fn a_transaction_that_hangs_is_seen() {
    check(Planted::NoTimers, &["hangs", "never done"]);
}

#[test]
fn an_offset_that_was_never_committed_is_seen() {
    check(Planted::WrongOffsets, &["fetches"]);
}

#[test]
fn an_assignment_for_two_is_seen() {
    // Or two read the same, and one of them commits what the other has left behind.
    let expected = &["have the same partition", "is assigned two things", "goes back"];
    check(Planted::SameAssignment, expected);
}
