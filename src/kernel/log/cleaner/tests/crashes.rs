//! A crash at every step of a cleaning leaves the old or the new.

use super::*;
use crate::kernel::log::disk::simulated::Loss;

fn dirty(config: LogConfig) -> Tested {
    let tested = Tested::new(config);
    for round in 0..3 {
        let value = format!("{round}");
        tested.put(&[("a", Some(&value)), ("b", Some(&value))]);
        tested.append(&batch(Some((7, 0, round, true)), Codec::Lz4, &[("c", Some(&value))]));
        let kind = if round == 1 { ControlType::Abort } else { ControlType::Commit };
        tested.append(&marker(7, 0, kind));
        tested.roll();
    }
    tested.put(&[("a", None)]);
    tested
}

fn start(clean: bool) -> LogStart {
    LogStart { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO, clean }
}

#[test]
fn a_crash_leaves_the_old_or_the_new() {
    let tested = dirty(config());
    tested.log.borrow_mut().flush().unwrap();
    let old = tested.batches();
    let first = tested.disk.operations();
    assert!(tested.clean(at(5000)));
    tested.log.borrow_mut().remove_due_files(at(10_000)).unwrap();
    let new = tested.batches();
    let producers = tested.log.borrow().producers().to_snapshot();
    assert_ne!(old, new);
    let mut found = [0; 2];
    for operations in first..=tested.disk.operations() {
        for loss in [Loss::Nothing, Loss::Unsynced, Loss::Torn { kept_bytes: 9 }] {
            for clean in [false, true] {
                let crashed = tested.disk.after_crash(operations, loss);
                let opened = Tested::of(&crashed, config(), start(clean));
                let batches = opened.batches();
                assert!(batches == old || batches == new, "{loss:?} after {operations}");
                found[usize::from(batches == new)] += 1;
                for suffix in [".cleaned", ".swap", ".deleted"] {
                    assert!(opened.names(suffix).is_empty(), "{loss:?} after {operations}");
                }
                let last = opened.log.borrow().producers().get(ProducerId(7)).cloned();
                let last = last.unwrap();
                assert_eq!((last.last_sequence(), last.epoch), (2, ProducerEpoch(0)));
                assert_eq!(table(&opened.consume()), table(&tested.consume()));
                if batches == old {
                    assert!(opened.clean(at(5000)));
                    assert_eq!(opened.batches(), new, "{loss:?} after {operations}");
                }
            }
        }
    }
    assert!(found[0] > 10 && found[1] > 10, "{found:?}");
    assert_eq!(tested.log.borrow().producers().to_snapshot(), producers);
}

/// Each segment by itself: some are the old ones still.
#[test]
fn a_crash_between_segments_loses_nothing() {
    let small = LogConfig { segment_bytes: 300, ..config() };
    let tested = dirty(small.clone());
    tested.log.borrow_mut().flush().unwrap();
    let before = table(&tested.consume());
    let first = tested.disk.operations();
    assert!(tested.clean(at(5000)));
    assert!(tested.log.borrow().segment_count() > 2);
    for operations in first..=tested.disk.operations() {
        for loss in [Loss::Nothing, Loss::Unsynced] {
            let crashed = tested.disk.after_crash(operations, loss);
            let opened = Tested::of(&crashed, small.clone(), start(false));
            assert_eq!(table(&opened.consume()), before, "{loss:?} after {operations}");
            assert_eq!(opened.log.borrow().log_end_offset(), tested.end());
        }
    }
}

/// Found by reading: a swapped segment without batches covered no offsets, so what it replaced stayed beside it.
#[test]
fn a_segment_that_lost_everything_takes_the_place_of_what_it_was() {
    let tested = Tested::new(config());
    tested.append(&batch(Some((9, 0, 0, true)), Codec::None, &[("a", Some("1"))]));
    tested.append(&marker(9, 0, ControlType::Abort));
    tested.roll();
    tested.append(&batch(Some((9, 1, 0, true)), Codec::None, &[("a", Some("2"))]));
    tested.append(&marker(9, 1, ControlType::Commit));
    tested.roll();
    let one_each = LogConfig { segment_bytes: 200, ..config() };
    tested.log.borrow_mut().set_config(Arc::new(one_each.clone()));
    assert!(tested.clean(at(1000)));
    tested.put(&[("z", Some("dirt"))]);
    tested.roll();
    assert!(tested.clean(at(1000)));
    tested.put(&[("z", Some("more dirt"))]);
    tested.roll();
    let first = tested.disk.operations();
    assert!(tested.clean(at(9000)));
    let sizes = tested.names("0.log");
    assert!(sizes.contains(&"00000000000000000000.log".to_owned()));
    let emptied = Path::new(DIRECTORY).join("00000000000000000000.log");
    assert_eq!(tested.disk.content(&emptied).unwrap(), [], "nothing of the first is left");
    for operations in first..=tested.disk.operations() {
        let crashed = tested.disk.after_crash(operations, Loss::Nothing);
        let opened = Tested::of(&crashed, one_each.clone(), start(true));
        assert_eq!(table(&opened.consume()), table(&tested.consume()), "after {operations}");
        let content = crashed.content(&emptied).unwrap();
        let index = crashed.content(&Path::new(DIRECTORY).join("00000000000000000000.timeindex"));
        assert!(!content.is_empty() || index.unwrap_or_default().is_empty(), "{operations}");
    }
}
