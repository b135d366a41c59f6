//! The image of these tests is the list of texts that were replayed.

use super::*;
use crate::kernel::raft::control::ControlRecord;

const AT: Timestamp = Timestamp(77);
/// The first batch and the topic's batch of the hand-written directories: they begin at offset 1.
const HAND_WRITTEN: &str = "00000000000000010000004f0000000102b069457c00000000000000000191e05af81800000191e05af818ffffffffffffffffffffffffffff000000013a000000012e010c00116d657461646174612e76657273696f6e00140000\
    00000000000000020000009a000000010203391bc900000000000100000191e05b2d1500000191e05b2d15ffffffffffffffffffffffffffff000000023c000000013001020004666f6f71a59a5189684f8b937e000000000001000090010000020182010103010000000071a59a5189684f8b937e00000000000102000000010200000001010100000001000000000000000002100000000000400080000000000000010000";

#[derive(Default)]
struct Texts {
    kept: Vec<Bytes>,
    open: Vec<Bytes>,
}

impl Replay for Texts {
    fn replay(&mut self, value: &Bytes) -> Result<(), String> {
        if value.ends_with(b"bad") {
            return Err("it is bad".to_owned());
        }
        self.open.push(value.clone());
        Ok(())
    }

    fn keep(&mut self) {
        self.kept.append(&mut self.open);
    }

    fn forget(&mut self) {
        self.open.clear();
    }
}

/// A record's frame: a type, version 0, and the text.
fn framed(kind: u8, text: &str) -> Bytes {
    [&[1, kind, 0], text.as_bytes()].concat().into()
}

/// One batch from a line of words: `(`, `)` and `!` begin, end and abort a transaction.
fn batch(base: i64, epoch: i32, words: &str) -> Bytes {
    let value = |word| match word {
        "(" => framed(23, "\0"),
        ")" => framed(24, "\0"),
        "!" => framed(25, "\0"),
        text => framed(2, text),
    };
    let values: Vec<Bytes> = words.split_whitespace().map(value).collect();
    batches::records(Offset(base), LeaderEpoch(epoch), AT, &values)
}

/// Replays the batches: the words that count, and what was found beside them.
fn load(batches: &[Bytes]) -> Result<(String, Loaded), LoadError> {
    let mut image = Texts::default();
    let mut loader = Loader::new(&mut image);
    for bytes in batches {
        loader.batches(bytes)?;
    }
    let loaded = loader.finish();
    Ok((words(&image), loaded))
}

fn words(image: &Texts) -> String {
    let text = |value: &Bytes| String::from_utf8_lossy(&value[3..]).into_owned();
    image.kept.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn check(log: &str, expected: &str, open: Option<i64>) {
    let (words, loaded) = load(&[batch(0, 1, log)]).unwrap();
    assert_eq!(words, expected, "{log}");
    assert_eq!(loaded.open_transaction, open.map(Offset), "{log}");
    assert_eq!(loaded.next, Offset(log.split_whitespace().count() as i64), "{log}");
}

#[test]
fn a_transaction_counts_whole_or_not_at_all() {
    check("a b", "a b", None);
    check("a ( b c ) d", "a b c d", None);
    check("a ( b c ! d", "a d", None);
    check("a ( b c", "a", Some(1));
    check("( a ! ( a b ) c ( d", "a b c", Some(8));
}

#[test]
fn a_transaction_may_span_batches() {
    let (words, loaded) =
        load(&[batch(0, 1, "a ( b"), batch(3, 2, "c"), batch(4, 2, ") d")]).unwrap();
    assert_eq!(words, "a b c d");
    assert_eq!((loaded.next, loaded.last_epoch), (Offset(6), LeaderEpoch(2)));
}

#[test]
fn transactions_out_of_turn_are_refused() {
    for (log, at) in [("a )", 1), ("!", 0), ("( a ( b )", 2)] {
        assert_eq!(load(&[batch(0, 1, log)]), Err(LoadError::Transaction(Offset(at))), "{log}");
    }
}

#[test]
fn a_record_that_cannot_be_applied_is_told_by_its_offset() {
    let why = "it is bad".to_owned();
    assert_eq!(load(&[batch(5, 1, "a bad")]), Err(LoadError::Record { offset: Offset(6), why }));
    let mut damaged = batch(0, 1, "a").to_vec();
    damaged[30] ^= 1;
    assert!(matches!(load(&[damaged.into()]), Err(LoadError::Batch(_))));
}

#[test]
fn a_hand_written_log_begins_at_offset_1_in_epoch_1() {
    let digits: Vec<u8> = HAND_WRITTEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    let mut image = Texts::default();
    let mut loader = Loader::new(&mut image);
    loader.batches(&bytes.into()).unwrap();
    let loaded = loader.finish();
    assert_eq!(
        (loaded.next, loaded.last_epoch, loaded.kraft_version),
        (Offset(4), LeaderEpoch(1), 0)
    );
    assert_eq!((loaded.voters, loaded.open_transaction), (None, None));
    let kinds: Vec<u8> = image.kept.iter().map(|value| value[1]).collect();
    assert_eq!(kinds, [12, 2, 3]);
}

fn voters() -> VoterSet {
    VoterSet::from_dynamic("1@localhost:9093:5EIy9FEKQM-dukS631KzBw", "CONTROLLER").unwrap()
}

#[test]
fn the_first_voters_are_those_of_the_snapshot_0_0_until_the_log_names_some() {
    let checkpoint =
        Checkpoint { kraft_version: 1, voters: Some(voters()), ..Checkpoint::default() };
    let mut image = Texts::default();
    let mut loader = Loader::new(&mut image);
    loader.snapshot(SnapshotId::BOOTSTRAP, &checkpoint).unwrap();
    assert_eq!(loader.finish().voters, Some((voters(), true)));

    let mut loader = Loader::new(&mut image);
    loader.snapshot(SnapshotId::BOOTSTRAP, &checkpoint).unwrap();
    let records = [ControlRecord::KRaftVersion(1), ControlRecord::Voters(voters())];
    loader.batches(&batches::control(Offset(0), LeaderEpoch(1), AT, &records)).unwrap();
    let loaded = loader.finish();
    assert_eq!((loaded.kraft_version, loaded.voters), (1, Some((voters(), false))));
}

#[test]
fn the_log_goes_on_where_the_snapshot_ends() {
    let checkpoint = Checkpoint {
        last_contained_log_timestamp: Timestamp(9),
        values: vec![framed(2, "old")],
        ..Checkpoint::default()
    };
    let id = SnapshotId { end_offset: Offset(12), epoch: LeaderEpoch(3) };
    let mut image = Texts::default();
    let mut loader = Loader::new(&mut image);
    loader.snapshot(id, &checkpoint).unwrap();
    assert_eq!(loader.from(), Offset(12));
    // The batch which the snapshot ends in is read again from its start.
    loader.batches(&batch(10, 3, "a b c")).unwrap();
    loader.batches(&batch(13, 4, "d")).unwrap();
    let loaded = loader.finish();
    assert_eq!(
        (loaded.next, loaded.last_epoch, loaded.last_timestamp),
        (Offset(14), LeaderEpoch(4), AT)
    );
    assert_eq!(words(&image), "old c d");

    let mut loader = Loader::new(&mut image);
    loader.snapshot(id, &checkpoint).unwrap();
    let loaded = loader.finish();
    assert_eq!(
        (loaded.next, loaded.last_epoch, loaded.last_timestamp),
        (Offset(12), LeaderEpoch(3), Timestamp(9))
    );
}
