//! When segments begin and end, and what is left of them.

use super::*;
use crate::kernel::log::append::Appended;
use crate::kernel::log::file_names::FileKind;

const HW: Offset = Offset(i64::MAX);

fn append_at(log: &mut Log<SimulatedDisk>, ms: i64) -> Appended {
    log.append_as_leader(&batch_at(ms, &[&[1; 50]]), EPOCH, at(ms)).unwrap()
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let paths = disk.paths();
    paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_segment_rolls_by_size_time_and_a_full_index() {
    let size = batch_at(0, &[&[1; 50]]).bytes.len() as u32;
    let check = |config: LogConfig, times: &[i64], segments: usize| {
        let mut log = create(&SimulatedDisk::default(), config.clone());
        for ms in times {
            append_at(&mut log, *ms);
        }
        assert_eq!(log.segment_count(), segments, "{config:?} {times:?}");
    };
    check(LogConfig { segment_bytes: 2 * size, ..config() }, &[1; 4], 2);
    check(LogConfig { segment_bytes: 2 * size, ..config() }, &[1; 5], 3);
    let slow = LogConfig { segment_ms: 100, ..config() };
    check(slow.clone(), &[5, 105, 50, 105], 1);
    check(slow.clone(), &[5, 106], 2);
    check(slow.clone(), &[5, 106, 206, 207], 3);
    // Without timestamps the clock counts: that of the append is −1 here, which no segment is older than.
    check(slow.clone(), &[-1, -1, -1], 1);
    let jittered = LogConfig { segment_jitter_ms: 100, ..slow };
    check(jittered, &[5, 5, 105], 2);
    let full = LogConfig { segment_index_bytes: 24, index_interval_bytes: 0, ..config() };
    check(full, &[1, 2, 3], 2);
}

#[test]
fn offsets_of_a_segment_fit_into_its_index() {
    let mut log = create(&SimulatedDisk::default(), config());
    append_at(&mut log, 1);
    let mut far = batch_at(1, &[&[1; 50]]);
    far.header.base_offset = Offset(i64::from(i32::MAX));
    log.append_as_follower(&far, at(1)).unwrap();
    assert_eq!(log.segment_count(), 1);
    far.header.base_offset = Offset(i64::from(i32::MAX) + 1);
    log.append_as_follower(&far, at(1)).unwrap();
    assert_eq!(log.segment_count(), 2);
    assert!(log.append_as_follower(&far, at(1)).is_err(), "the offset is taken");
}

#[test]
fn rolled_and_closed_segments_have_kafkas_files() {
    let disk = SimulatedDisk::default();
    let segment_bytes = 3 * batch_at(0, &[&[1; 50]]).bytes.len() as u32;
    let mut log = create(
        &disk,
        LogConfig { segment_bytes, index_interval_bytes: 100, ..LogConfig::default() },
    );
    for ms in [10, 30, 20, 40] {
        append_at(&mut log, ms);
    }
    log.assign_epoch_start(EPOCH).unwrap();
    log.close().unwrap();
    let expected = [
        "00000000000000000000.index",
        "00000000000000000000.log",
        "00000000000000000000.timeindex",
        "00000000000000000003.index",
        "00000000000000000003.log",
        "00000000000000000003.snapshot",
        "00000000000000000003.timeindex",
        "00000000000000000004.snapshot",
        "leader-epoch-checkpoint",
        "partition.metadata",
    ];
    assert_eq!(names(&disk), expected);
    let content = |name: &str| disk.content(&Path::new(DIRECTORY).join(name)).unwrap();
    // The second and the third batch come more than 100 bytes after what was indexed before them.
    let size = (segment_bytes / 3) as u8;
    assert_eq!(content(expected[0]), [0, 0, 0, 1, 0, 0, 0, size, 0, 0, 0, 2, 0, 0, 0, 2 * size]);
    assert_eq!(content(expected[2]), [0, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 1]);
    assert_eq!(content(expected[3]), []);
    assert_eq!(content(expected[6]), [0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 0]);
    assert_eq!(content(expected[5]).len(), 10);
    assert_eq!(content(expected[8]), b"0\n1\n3 0\n");
}

#[test]
fn retention_by_age_counts_the_newest_record() {
    let size = batch_at(0, &[&[1; 50]]).bytes.len() as u32;
    let limits = |retention_ms| LogConfig {
        segment_bytes: 2 * size,
        retention_ms,
        file_delete_delay_ms: 50,
        ..config()
    };
    let check = |retention_ms, now, high_watermark, start: i64, segments: usize| {
        let disk = SimulatedDisk::default();
        let mut log = create(&disk, limits(retention_ms));
        for ms in [10, 100, 20, 30, 200] {
            append_at(&mut log, ms);
        }
        log.retain(at(now), high_watermark).unwrap();
        assert_eq!(log.log_start_offset(), Offset(start), "{retention_ms:?} {now}");
        assert_eq!(log.segment_count(), segments);
        let doomed = names(&disk).iter().filter(|name| name.ends_with(".deleted")).count();
        assert_eq!(doomed > 0, start > 0);
        log.remove_due_files(at(now + 49)).unwrap();
        assert_eq!(names(&disk).iter().any(|name| name.ends_with(".deleted")), start > 0);
        assert_eq!(log.remove_due_files(at(now + 50)).unwrap(), 0);
        assert!(!names(&disk).iter().any(|name| name.ends_with(".deleted")));
        assert_eq!(bases_from(&mut log, start), (start..5).collect::<Vec<_>>());
    };
    check(None, 1 << 40, HW, 0, 3);
    check(Some(100), 200, HW, 0, 3);
    check(Some(100), 201, HW, 4, 1);
    check(Some(100), 201, Offset(3), 2, 2);
    check(Some(100), 300, HW, 4, 1);
    check(Some(100), 301, HW, 5, 1);
    check(Some(100), 301, Offset(4), 4, 1);
}

#[test]
fn retention_by_size_keeps_at_least_the_limit() {
    let size = batch_at(0, &[&[1; 50]]).bytes.len() as u32;
    let check = |retention_bytes: u32, start: i64| {
        let config = LogConfig {
            segment_bytes: 2 * size,
            retention_bytes: Some(u64::from(retention_bytes)),
            retention_ms: None,
            ..config()
        };
        let mut log = create(&SimulatedDisk::default(), config);
        (0..5).for_each(|_| _ = append_at(&mut log, 10));
        log.retain(at(10), HW).unwrap();
        assert_eq!(log.log_start_offset(), Offset(start), "{retention_bytes}");
    };
    check(5 * size, 0);
    check(4 * size, 0);
    check(3 * size, 2);
    check(2 * size, 2);
    check(size, 4);
    check(size - 1, 4);
    check(0, 5);
}

#[test]
fn deleted_records_are_gone_at_once_and_their_segments_later() {
    let size = batch_at(0, &[&[1; 50]]).bytes.len() as u32;
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, LogConfig { segment_bytes: 2 * size, delete: false, ..config() });
    (0..5).for_each(|_| _ = append_at(&mut log, 10));
    log.delete_records_before(Offset(3)).unwrap();
    log.delete_records_before(Offset(1)).unwrap();
    assert_eq!((log.log_start_offset(), log.segment_count()), (Offset(3), 3));
    assert!(log.read(Offset(2), ALL).is_err());
    assert_eq!(log.leader_epochs().earliest().unwrap().start_offset, Offset(3));
    assert_eq!(log.retain(at(10), HW).unwrap(), 1);
    assert_eq!((log.log_start_offset(), log.segment_count()), (Offset(3), 2));
    log.delete_records_before(Offset(99)).unwrap();
    assert_eq!(log.retain(at(10), HW).unwrap(), 1);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(5), Offset(5)));
    log.close().unwrap();
    let start = LogStart { log_start_offset: Offset(5), ..CLEAN };
    let (mut log, _) = try_open(&disk, config(), start).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(5), Offset(5)));
    assert_eq!(append_at(&mut log, 10).base_offset, Offset(5));
}

#[test]
fn a_log_is_cut_at_a_batch_and_grows_again() {
    let check = |to: i64, end: i64| {
        let disk = SimulatedDisk::default();
        let mut log = create(&disk, LogConfig { segment_bytes: 1200, ..config() });
        (0..9).for_each(|_| _ = append(&mut log, &batch_of(2)));
        let all = bases_from(&mut log, 0);
        log.truncate_to(Offset(to), at(1000)).unwrap();
        assert_eq!(log.log_end_offset(), Offset(end), "{to}");
        let left: Vec<i64> = all.iter().copied().filter(|base| *base < end).collect();
        assert_eq!(bases_from(&mut log, 0), left, "{to}");
        log.append_as_leader(&batch_of(1), EPOCH.next(), at(1000)).unwrap();
        assert_eq!(log.leader_epochs().latest().unwrap().start_offset, Offset(end));
        let grown: Vec<i64> = left.into_iter().chain([end]).collect();
        assert_eq!(bases_from(&mut log, 0), grown, "{to}");
        log.close().unwrap();
        let (mut log, _) = try_open(&disk, config(), CLEAN).unwrap();
        assert_eq!(bases_from(&mut log, 0), grown, "{to}");
    };
    for to in 0..=18 {
        check(to, to - to % 2);
    }
    check(99, 18);
}

#[test]
fn a_log_that_is_cut_before_its_beginning_starts_there() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    log.truncate_fully_and_start_at(Offset(40), at(1000)).unwrap();
    assert_eq!(append(&mut log, &batch_of(2)), Offset(40));
    assert_eq!(bases_from(&mut log, 40), [40]);
    log.truncate_to(Offset(7), at(1000)).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(7), Offset(7)));
    assert!(log.leader_epochs().entries().is_empty());
    assert_eq!(append(&mut log, &batch_of(2)), Offset(7));
}

#[test]
fn no_offset_is_given_twice_after_everything_was_deleted() {
    // The name of the empty segment is all that is left of the offsets: it must be there before the node is killed.
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    (0..3).for_each(|_| _ = append_at(&mut log, 10));
    log.flush().unwrap();
    // All of it is too old by then.
    assert_eq!(log.retain(at(1 << 40), HW).unwrap(), 1);
    drop(log);
    let start = LogStart { recovery_point: Offset(3), ..UNCLEAN };
    let (mut log, _) = try_open(&disk, config(), start).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(3), Offset(3)));
    log.truncate_fully_and_start_at(Offset(40), at(10)).unwrap();
    drop(log);
    let (mut log, _) = try_open(&disk, config(), UNCLEAN).unwrap();
    assert_eq!(append_at(&mut log, 10).base_offset, Offset(40));
}

/// A fuzzer found it: a segment has the name of an offset that is in the one before it. Both were taken, and that
/// offset was given twice. What comes after such a segment is whole, and stays.
#[test]
fn a_segment_amid_another_is_dropped_in_a_recovery() {
    let disk = SimulatedDisk::default();
    // Two batches fill a segment.
    let config = LogConfig { segment_bytes: 1500, ..config() };
    let mut log = create(&disk, config.clone());
    (0..3).for_each(|_| _ = append(&mut log, &batch_of(5)));
    assert_eq!(log.segment_count(), 2);
    drop(log);
    for content in [&[][..], &batch_of(1).bytes] {
        let stray = FileKind::Log.name(Offset(7));
        disk.put(&Path::new(DIRECTORY).join(stray), content);
        let (mut log, recovery) = try_open(&disk, config.clone(), UNCLEAN).unwrap();
        assert_eq!((recovery.bytes_cut, recovery.segments_dropped), (0, 1));
        assert_eq!(bases_from(&mut log, 0), [0, 5, 10]);
        assert_eq!((log.segment_count(), log.log_end_offset()), (2, Offset(15)));
    }
    let (mut log, _) = try_open(&disk, config, UNCLEAN).unwrap();
    assert_eq!(append(&mut log, &batch_of(1)), Offset(15));
    assert_eq!(bases_from(&mut log, 0), [0, 5, 10, 15]);
}
