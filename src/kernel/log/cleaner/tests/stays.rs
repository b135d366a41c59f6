//! What stays of a log, case by case.

use super::*;
use crate::kernel::log::append::AppendError;

fn offsets(seen: &Seen) -> Vec<i64> {
    seen.iter().map(|(offset, ..)| *offset).collect()
}

fn bases(tested: &Tested) -> Vec<(i64, i32)> {
    let batches = tested.batches();
    batches.iter().map(|it| (it.header.base_offset.0, it.header.record_count)).collect()
}

#[test]
fn the_last_record_of_each_key_stays_where_it_was() {
    for codec in Codec::ALL {
        let tested = Tested::new(config());
        let put = |records: &[(&str, Option<&str>)]| tested.append(&batch(None, codec, records));
        put(&[("a", Some("1")), ("b", Some("2")), ("a", Some("3"))]);
        put(&[("c", Some("4"))]);
        tested.roll();
        put(&[("a", Some("5")), ("d", Some("6"))]);
        tested.roll();
        put(&[("b", Some("7"))]);
        let before = table(&tested.consume());
        assert!(tested.clean(at(1000)));
        assert_eq!(offsets(&tested.consume()), [1, 3, 4, 5, 6], "{codec:?}: 1 is below the active");
        assert_eq!(table(&tested.consume()), before);
        let header = tested.batches()[0].header;
        assert_eq!(header.compression(), Some(codec));
        assert_eq!((header.last_offset(), header.partition_leader_epoch), (Offset(2), EPOCH));
        assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(101), Timestamp(101)));
        assert!(!tested.clean(at(1000)), "nothing is dirty");
        assert_eq!(tested.log.borrow().segment_count(), 2, "two small ones became one");
    }
}

#[test]
fn a_batch_that_loses_nothing_is_the_same_bytes() {
    let tested = Tested::new(config());
    tested.append(&batch(
        Some((5, 0, 0, false)),
        Codec::Lz4,
        &[("a", Some("1")), ("b", Some("2"))],
    ));
    tested.roll();
    let before = tested.batches();
    assert!(tested.clean(at(1000)));
    assert_eq!(tested.batches(), before);
}

/// KIP-534: the cleaning that first keeps a tombstone says from when on it may go, and the one that comes after
/// takes it.
#[test]
fn a_tombstone_stays_until_its_horizon() {
    let tested = Tested::new(config());
    tested.put(&[("a", Some("1")), ("b", Some("2"))]);
    tested.put(&[("a", None)]);
    tested.roll();
    let dirty = || {
        tested.put(&[("z", Some("dirt"))]);
        tested.roll();
    };
    assert!(tested.clean(at(5000)));
    assert_eq!(offsets(&tested.consume()), [1, 2], "the tombstone, without what it buried");
    let header = tested.batches()[1].header;
    assert!(header.has_delete_horizon());
    assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(6000), Timestamp(100)));
    let record = iterate(&tested.batches()[1], 0).unwrap().next().unwrap().unwrap();
    assert_eq!(record.timestamp, Timestamp(100));
    dirty();
    assert!(tested.clean(at(5999)));
    assert_eq!(offsets(&tested.consume()), [1, 2, 3]);
    assert_eq!(tested.batches()[1].header, header, "the horizon is set once");
    dirty();
    assert!(tested.clean(at(6000)));
    assert_eq!(offsets(&tested.consume()), [1, 4]);
}

/// A marker that went before its transaction's batches would turn an aborted one into a committed one.
#[test]
fn a_marker_stays_until_nothing_of_its_transaction_was_met() {
    for kind in [ControlType::Abort, ControlType::Commit] {
        let tested = Tested::new(config());
        tested.append(&batch(Some((7, 0, 0, true)), Codec::None, &[("a", Some("1"))]));
        tested.append(&marker(7, 0, kind));
        // The producer goes on, so that none of this is the last of it.
        tested.append(&batch(Some((7, 0, 1, true)), Codec::None, &[("a", Some("2"))]));
        tested.append(&marker(7, 0, ControlType::Commit));
        tested.roll();
        let dirty = |number: &str| {
            tested.put(&[("z", Some(number))]);
            tested.roll();
        };
        assert!(tested.clean(at(5000)));
        assert_eq!(bases(&tested), [(1, 1), (2, 1), (3, 1)], "{kind:?}: met");
        assert!(!tested.batches()[0].header.has_delete_horizon());
        dirty("1");
        assert!(tested.clean(at(5000)));
        assert_eq!(bases(&tested), [(1, 1), (2, 1), (3, 1), (4, 1)]);
        let header = tested.batches()[0].header;
        assert!(header.has_delete_horizon() && header.is_control());
        assert_eq!(header.base_timestamp, Timestamp(6000));
        let batches = tested.batches();
        let found = super::super::super::producers::EndTransactionMarker::of_batch(&batches[0]);
        assert_eq!(found.unwrap().timestamp, Timestamp(200));
        dirty("2");
        assert!(tested.clean(at(6000)));
        assert_eq!(bases(&tested), [(2, 1), (3, 1), (5, 1)]);
        assert_eq!(table(&tested.consume())["a"], "2");
        let end = tested.end();
        let aborted = tested.log.borrow_mut().aborted_transactions(Offset(0), end);
        assert_eq!(aborted.unwrap(), []);
    }
}

#[test]
fn nothing_of_an_aborted_transaction_buries_anything() {
    let tested = Tested::new(config());
    tested.put(&[("a", Some("good"))]);
    tested.append(&batch(Some((7, 0, 0, true)), Codec::None, &[("a", Some("bad"))]));
    tested.append(&batch(Some((7, 0, 1, true)), Codec::None, &[("a", None)]));
    tested.roll();
    // The marker lies in a segment that is not cleaned.
    tested.append(&marker(7, 0, ControlType::Abort));
    assert!(tested.clean(at(5000)));
    assert_eq!(bases(&tested), [(0, 1), (2, 0), (3, 1)], "the producer's last one stays, empty");
    assert_eq!(table(&tested.consume())["a"], "good");
    let last = tested.batches()[1].header;
    assert_eq!((last.base_sequence, last.producer_id), (1, ProducerId(7)));
}

#[test]
fn what_is_open_is_not_cleaned() {
    let tested = Tested::new(config());
    tested.put(&[("a", Some("1"))]);
    tested.roll();
    tested.put(&[("a", Some("2"))]);
    tested.append(&batch(Some((7, 0, 0, true)), Codec::None, &[("a", Some("3"))]));
    tested.roll();
    tested.put(&[("a", Some("4"))]);
    tested.roll();
    assert_eq!(tested.plan(at(1)).unwrap().range.end, Offset(1));
}

/// A producer that comes back after everybody else has written over its keys must be told apart from one that never
/// was.
#[test]
fn a_producer_finds_its_last_sequence_after_all_its_records_have_gone() {
    let tested = Tested::new(config());
    for sequence in 0..3 {
        tested.append(&batch(Some((5, 2, sequence, false)), Codec::Zstd, &[("a", Some("mine"))]));
    }
    tested.roll();
    tested.put(&[("a", Some("theirs"))]);
    tested.roll();
    assert!(tested.clean(at(5000)));
    assert_eq!(bases(&tested), [(2, 0), (3, 1)]);
    let crashed = tested
        .disk
        .after_crash(tested.disk.operations(), crate::kernel::log::disk::simulated::Loss::Nothing);
    for name in tested.names(".snapshot") {
        use super::super::super::disk::Disk as _;
        crashed.remove(&Path::new(DIRECTORY).join(name)).unwrap();
    }
    let start =
        LogStart { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO, clean: false };
    let opened = Tested::of(&crashed, config(), start);
    let send = |sequence| {
        let batch = batch(Some((5, 2, sequence, false)), Codec::None, &[("a", Some("again"))]);
        opened.log.borrow_mut().append_as_leader(&batch, EPOCH, at(1))
    };
    assert!(send(2).unwrap().duplicate);
    assert!(matches!(send(4), Err(AppendError::Producer(_))));
    assert!(!send(3).unwrap().duplicate);
}

#[test]
fn a_small_table_takes_several_cleanings() {
    let tested = Tested::new(config());
    let limits = Limits { map_bytes: 0, ..LIMITS };
    for round in 0..3 {
        for first in 0..10 {
            let keys: Vec<String> = (0..10).map(|key| format!("{}", first * 10 + key)).collect();
            let value = format!("{round}");
            let records: Vec<_> =
                keys.iter().map(|key| (key.as_str(), Some(value.as_str()))).collect();
            tested.put(&records);
        }
        tested.roll();
    }
    let before = table(&tested.consume());
    let mut cleanings = 0;
    while tested.clean_with(at(1000), &limits) {
        cleanings += 1;
        assert_eq!(table(&tested.consume()), before);
    }
    assert!(cleanings > 3, "{cleanings}");
    assert_eq!(table(&tested.consume()).len(), 100);
    assert_eq!(tested.consume().len(), 100, "one record a key");
}

#[test]
fn a_log_is_cleaned_when_it_is_dirty_enough_or_overdue_and_not_before_its_lag() {
    let check = |config: LogConfig, now: i64, expected: Option<(i64, i64)>| {
        let tested = Tested::new(config.clone());
        tested.put(&[("a", Some(&"1".repeat(1000)))]);
        tested.roll();
        tested.log.borrow_mut().set_cleaned_to(Some(Offset(1)));
        tested.put(&[("b", Some(&"2".repeat(300)))]);
        tested.roll();
        tested.put(&[("c", Some("3"))]);
        tested.roll();
        tested.put(&[("d", Some("4"))]);
        let stable = tested.last_stable();
        let found = tested.log.borrow_mut().cleanable(stable, at(now)).unwrap();
        let range = found.map(|it| (it.first_dirty.0, it.end.0));
        assert_eq!(range, expected, "{config:?} at {now}");
    };
    let of = |ratio: f64| LogConfig { min_cleanable_dirty_ratio: ratio, ..config() };
    check(of(0.2), 1000, Some((1, 3)));
    check(of(0.5), 1000, None);
    let overdue = LogConfig { max_compaction_lag_ms: 500, ..of(0.5) };
    check(overdue.clone(), 601, Some((1, 3)));
    check(overdue, 600, None);
    // Records are from 100 on.
    check(LogConfig { min_compaction_lag_ms: 500, ..of(0.1) }, 599, None);
    check(LogConfig { min_compaction_lag_ms: 500, ..of(0.1) }, 600, Some((1, 3)));
    check(LogConfig { compact: false, ..of(0.0) }, 1 << 40, None);
}

#[test]
fn records_are_found_by_offset_and_by_time_beside_the_holes() {
    let tested = Tested::new(config());
    for number in 0..40 {
        let key = if number % 7 == 3 { format!("{number}") } else { "a".to_owned() };
        let mut builder = BatchBuilder::new(Offset(0));
        builder.push(Timestamp(1000 + number), Some(key.as_bytes()), Some(b"value"), &[]);
        tested.append(&builder.build_batch());
    }
    tested.roll();
    assert!(tested.clean(at(5000)));
    let there = [3, 10, 17, 24, 31, 38, 39];
    assert_eq!(offsets(&tested.consume()), there);
    let limits = ReadLimits { max_bytes: 1, at_least_one_batch: true, up_to: Offset(i64::MAX) };
    for offset in 0..40 {
        let next = there.into_iter().find(|it| *it >= offset).unwrap();
        let mut log = tested.log.borrow_mut();
        let plan = log.read(Offset(offset), limits).unwrap();
        let mut bytes = vec![0; plan.size_bytes as usize];
        plan.ranges[0].source.read_exact_at(&mut bytes, plan.ranges[0].position).unwrap();
        let batch = Batch::parse(&bytes.into()).unwrap();
        assert_eq!(batch.header.base_offset, Offset(next), "from {offset}");
        let found = log.offset_for_timestamp(Timestamp(1000 + offset), Offset(40)).unwrap();
        assert_eq!(found.unwrap().1, Offset(next), "at {offset}");
    }
    let newest = tested.log.borrow_mut().max_timestamp().unwrap().unwrap();
    assert_eq!((newest.0, newest.1), (Timestamp(1039), Offset(39)));
}

#[test]
fn a_damaged_batch_is_an_error_and_nothing_is_written_over_it() {
    let tested = Tested::new(config());
    tested.put(&[("a", Some("1"))]);
    tested.put(&[("a", Some("2"))]);
    tested.roll();
    let path = Path::new(DIRECTORY).join("00000000000000000000.log");
    let mut bytes = tested.disk.content(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let broken = tested
        .disk
        .after_crash(tested.disk.operations(), crate::kernel::log::disk::simulated::Loss::Nothing);
    broken.put(&path, &bytes);
    let start = LogStart { recovery_point: Offset(2), log_start_offset: Offset::ZERO, clean: true };
    let tested = Tested::of(&broken, config(), start);
    let plan = tested.plan(at(1)).unwrap();
    let failed = clean(&tested, plan, &LIMITS, &mut |_| true).unwrap_err();
    assert!(matches!(failed, CleanError::Log(LogError::Batch { .. })), "{failed}");
    assert_eq!(broken.content(&path).unwrap(), bytes);
    assert!(tested.names(".cleaned").is_empty());
    assert!(!tested.log.borrow().is_offline());
    assert!(tested.plan(at(1)).is_some(), "it may be tried again");
}

/// Each of these happens at every point of a cleaning at which its lock is free.
#[test]
fn what_takes_records_away_ends_a_cleaning() {
    type Act = fn(&mut Log<SimulatedDisk>);
    let acts: [(&str, Act); 4] = [
        ("truncation", |log| log.truncate_to(Offset(2), at(1)).unwrap()),
        ("deletion", |log| log.delete_records_before(Offset(2)).unwrap()),
        ("another policy", |log| log.set_config(Arc::new(LogConfig::default()))),
        ("a start anew", |log| log.truncate_fully_and_start_at(Offset(9), at(1)).unwrap()),
    ];
    for (what, act) in acts {
        let mut given_up = 0;
        for point in 1.. {
            let tested = Tested::new(LogConfig { segment_bytes: 100, ..config() });
            for value in ["1", "2", "3", "4"] {
                tested.put(&[("a", Some(value))]);
                tested.roll();
            }
            let plan = tested.plan(at(1)).unwrap();
            let mut calls = 0;
            let done = clean(&tested, plan, &LIMITS, &mut |_| {
                calls += 1;
                if calls == point {
                    act(&mut tested.log.borrow_mut());
                }
                true
            });
            if calls < point {
                done.unwrap();
                break;
            }
            assert!(matches!(done, Err(CleanError::GivenUp)), "{what} at {point}");
            given_up += 1;
            assert!(tested.names(".cleaned").is_empty() && tested.names(".swap").is_empty());
            let cleaned_to = tested.log.borrow().cleaned_to();
            assert_eq!(cleaned_to, None, "{what} at {point}");
            let kept: Vec<i64> = offsets(&tested.consume());
            assert!(kept.is_sorted() && kept.len() <= 4);
        }
        assert!(given_up >= 4, "{what}");
    }
}

#[test]
fn one_that_is_told_to_stop_stops_and_another_begins() {
    let tested = Tested::new(config());
    tested.put(&[("a", Some("1"))]);
    tested.put(&[("a", Some("2"))]);
    tested.roll();
    let plan = tested.plan(at(1)).unwrap();
    assert!(tested.plan(at(1)).is_none(), "one at a time");
    let stopped = clean(&tested, plan, &LIMITS, &mut |_| false);
    assert!(matches!(stopped, Err(CleanError::GivenUp)));
    assert!(tested.clean(at(1)));
    assert_eq!(offsets(&tested.consume()), [1]);
}
