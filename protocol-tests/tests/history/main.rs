//! Histories: what several clients of all kinds see of a node that is killed now and then, and a judge who is proved
//! on histories in which one thing is wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod judge;
mod load;
mod model;
mod planted;
mod small;

use std::path::PathBuf;
use std::time::Instant;

/// How many operations a run has that is part of all tests.
const OPERATIONS: u64 = 6000;
/// How many operations there are from one kill to the next: at least, and in a long run.
const OPERATIONS_PER_KILL: u64 = 1500;
const KILLS_MAX: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// `make history OPERATIONS=10000000` is the long run. The history of one that fails is kept; with `OPERATIONS=0` the
/// one in `HISTORY` is judged again.
#[test]
fn clients_of_a_node_that_is_killed_see_nothing_that_must_not_be() {
    let operations = number("OPERATIONS").unwrap_or(OPERATIONS);
    let kills = number("KILLS").unwrap_or_else(|| KILLS_MAX.min(operations / OPERATIONS_PER_KILL));
    let seed = number("SEED").unwrap_or(1);
    let directory = tempfile::tempdir().unwrap();
    let wanted = std::env::var_os("HISTORY").map(PathBuf::from);
    let path = wanted.clone().unwrap_or_else(|| directory.path().join("history"));
    let began = Instant::now();
    if operations > 0 {
        load::run(operations, kills, seed, &path);
        println!("{operations} operations and {kills} kills: {:?}", began.elapsed());
    }
    let judging = Instant::now();
    let found = load::judge(&path);
    println!("judged in {:?}", judging.elapsed());
    if !found.is_clean() {
        let path = wanted.unwrap_or_else(|| directory.keep().join("history"));
        let evidence = load::evidence(&path, &found);
        panic!("{found}{evidence}\nthe history is in {}", path.display());
    }
}
