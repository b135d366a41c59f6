//! The shortest histories that show something, as lines.

use std::time::Duration;

use protocol_tests::check::{Kind, check as judge};
use protocol_tests::history::parse;

/// Judges lines, between which there is `/`; all that is found is of these kinds.
fn check(history: &str, expected: &[Kind]) {
    let lines = history.split('/').map(str::trim);
    let history: Vec<_> = lines.map(|line| parse(line).unwrap()).collect();
    let found = judge(&history, Duration::from_nanos(50));
    let mut kinds: Vec<Kind> = found.told().iter().map(|anomaly| anomaly.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, expected, "{history:?}\n{found}");
}

/// One value, written and read by both.
const SOUND: &str = "1 1 2 ok write 0 0 1 plain 0 / 2 3 4 ok read 0 uncommitted 0 1 1 1 0 0 1 \
                     / 3 3 4 ok read 0 committed 0 1 1 1 0 0 1";

#[test]
fn what_is_written_and_read_is_sound() {
    check(SOUND, &[]);
}

#[test]
fn an_acknowledged_value_comes_before_one_that_is_written_later() {
    let later = "4 5 6 ok write 0 1 1 plain 0";
    check(&format!("{SOUND} / {later}"), &[Kind::InconsistentOffset, Kind::Order]);
    // They may have been on their way together.
    let together = "4 1 2 ok write 0 1 1 plain 1 / 4 1 6 ok write 0 2 1 plain 0";
    let seen = "2 7 8 ok read 0 uncommitted 0 2 2 2 0 2 1 1 1 1";
    let committed = "2 7 8 ok read 0 committed 0 2 2 2 0 2 1 1 1 1";
    check(&format!("{together} / {seen} / {committed}"), &[]);
}

#[test]
fn a_reader_goes_forward_and_stays_where_it_asked() {
    let write = "1 1 2 ok write 0 0 2 plain 0";
    let committed = "3 3 4 ok read 0 committed 0 2 2 2 0 0 2";
    let backwards = "2 3 4 ok read 0 uncommitted 0 2 2 2 1 1 1 0 0 1";
    let found = [Kind::Skipped, Kind::Order];
    check(&format!("{write} / {committed} / {backwards}"), &found);
    let outside = "2 3 4 ok read 0 uncommitted 1 2 2 2 0 0 2";
    let all = "2 5 6 ok read 0 uncommitted 0 2 2 2 0 0 2";
    check(&format!("{write} / {committed} / {outside} / {all}"), &[Kind::Order]);
}

/// An offset that a node makes up costs no memory.
#[test]
fn an_offset_beyond_all_others_is_out_of_order() {
    let write = "4 5 6 ok write 0 1 1 plain 4611686018427387904";
    check(&format!("{SOUND} / {write}"), &[Kind::Unseen, Kind::Order]);
}

#[test]
fn who_has_an_answer_to_a_write_can_read_it() {
    let stale = "5 5 6 ok read 0 uncommitted 0 0 0 0";
    check(&format!("{SOUND} / {stale}"), &[Kind::WatermarkBack]);
}

#[test]
fn a_committed_transaction_that_no_reader_of_committed_values_has_is_lost() {
    let write = "1 1 2 ok write 0 0 1 0 0";
    let all = "2 5 6 ok read 0 uncommitted 0 2 2 2 0 0 1";
    let none = "3 5 6 ok read 0 committed 0 2 2 2";
    for (end, expected) in [
        ("1 3 4 ok end 0 commit", [Kind::Lost].as_slice()),
        ("1 3 4 unknown end 0 commit", &[]),
        ("1 3 4 fail end 0 commit", &[]),
        ("1 3 4 ok end 0 abort", &[]),
    ] {
        check(&format!("{write} / {end} / {all} / {none}"), expected);
    }
}

#[test]
fn a_part_of_a_transaction_whose_end_is_unknown_is_torn() {
    let writes = "1 1 2 ok write 0 0 1 0 0 / 1 3 4 ok write 0 1 1 0 1";
    let end = "1 5 6 unknown end 0 commit";
    let all = "2 7 8 ok read 0 uncommitted 0 3 3 3 0 0 2";
    let part = "3 7 8 ok read 0 committed 0 3 3 3 0 0 1";
    check(&format!("{writes} / {end} / {all} / {part}"), &[Kind::Torn]);
}

#[test]
fn offsets_of_a_transaction_count_from_its_end_on() {
    let commit = "1 1 2 ok commit 0 0 5 7";
    for (end, told, expected) in [
        ("1 3 4 ok end 7 commit", "5", [].as_slice()),
        ("1 3 4 ok end 7 commit", "-", &[Kind::CommittedOffsetBack]),
        ("1 3 4 ok end 7 abort", "5", &[Kind::CommittedOffsetPhantom]),
        ("1 3 4 unknown end 7 commit", "5", &[]),
        ("1 3 4 unknown end 7 commit", "-", &[]),
    ] {
        check(&format!("{commit} / {end} / 1 5 6 ok committed 0 0 {told}"), expected);
    }
}

#[test]
fn what_was_told_once_is_not_taken_back() {
    let commits = "1 1 2 ok commit 0 0 5 - / 1 3 4 unknown commit 0 0 9 -";
    let told = "2 5 6 ok committed 0 0 9";
    check(&format!("{commits} / {told}"), &[]);
    let back = "2 7 8 ok committed 0 0 5";
    check(&format!("{commits} / {told} / {back}"), &[Kind::CommittedOffsetBack]);
}

#[test]
fn a_last_stable_offset_may_wait_for_a_while() {
    let held = |time: u64, offset: u32| {
        format!("2 {time} {} ok read 0 uncommitted 0 0 9 {offset}", time + 1)
    };
    let all = |times: [(u64, u32); 3]| times.map(|(time, at)| held(time, at)).join(" / ");
    check(&all([(10, 1), (30, 1), (60, 1)]), &[]);
    check(&all([(10, 1), (30, 2), (70, 2)]), &[]);
    check(&all([(10, 1), (30, 1), (70, 1)]), &[Kind::StuckLastStableOffset]);
}

#[test]
fn a_settled_group_keeps_its_generation() {
    let joined = "1 1 2 ok assigned 0 1 0 1 / 1 3 4 ok assigned 0 2 0 / 2 3 4 ok assigned 0 2 1";
    let settled = "9 5 6 ok settled 0";
    let other = "1 7 8 ok assigned 1 7 0 / 1 9 9 ok assigned 1 8 0";
    check(&format!("{joined} / {settled} / {other} / 2 9 10 ok assigned 0 2 1"), &[]);
    let moved = "2 9 10 ok assigned 0 3 1";
    check(&format!("{joined} / {settled} / {moved}"), &[Kind::Rebalance]);
}

#[test]
fn what_is_copied_follows_what_was_copied() {
    let write = |number: u32, at: u32| format!("1 {at} {at} ok write 0 {number} 1 {number} {at}");
    let history = |end: &str, from: u32| {
        let (first, second) = (write(0, 0), write(1, 2));
        let copied = "1 0 0 ok copied 0 5 0 7 0 / 1 1 1 ok end 0 commit";
        let next = format!("1 2 2 ok copied 0 5 {from} 9 1 / 1 3 3 {end} end 1 commit");
        let all = "2 7 8 ok read 0 uncommitted 0 4 4 4 0 0 1 2 1 1";
        let seen = if end == "fail" { "" } else { " 2 1 1" };
        let committed = format!("3 7 8 ok read 0 committed 0 4 4 4 0 0 1{seen}");
        format!("{first} / {copied} / {second} / {next} / {all} / {committed}")
    };
    check(&history("ok", 7), &[]);
    check(&history("ok", 6), &[Kind::NotCopiedOnce]);
    check(&history("unknown", 8), &[Kind::NotCopiedOnce]);
    check(&history("fail", 6), &[]);
}
