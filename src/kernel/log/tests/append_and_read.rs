//! What is appended is read, where it was put.

use super::*;
use crate::kernel::log::append::AppendError;
use crate::kernel::log::disk::simulated::Loss;
use crate::kernel::log::read::ReadError;

#[test]
fn offsets_follow_and_only_the_prefix_is_ours() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    let batch = batch_of(3);
    assert_eq!(append(&mut log, &batch), Offset(0));
    let second = log.append_as_leader(&batch, EPOCH, at(1000)).unwrap();
    assert_eq!((second.base_offset, second.last_offset), (Offset(3), Offset(5)));
    assert_eq!(second.log_append_time, Timestamp::NONE);
    let plan = log.read(Offset(3), ALL).unwrap();
    let read = bytes_of(&plan);
    assert_eq!(read[16..], batch.bytes[16..]);
    let header = Batch::parse(&read).unwrap().header;
    assert_eq!((header.base_offset, header.partition_leader_epoch), (Offset(3), EPOCH));
    assert_eq!(log.log_end_offset(), Offset(6));
    assert_eq!(log.size_bytes(), 2 * batch.bytes.len() as u64);
    assert_eq!(log.leader_epochs().latest().unwrap().start_offset, Offset(0));
}

#[test]
fn an_idle_log_has_neither_files_nor_handles() {
    let disk = SimulatedDisk::default();
    let log = create(&disk, config());
    assert_eq!(disk.paths(), [Path::new(DIRECTORY).join("partition.metadata")]);
    assert_eq!(log.open_files(), 0);
}

#[test]
fn a_read_from_any_offset_gives_the_batch_that_holds_it() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, LogConfig { segment_bytes: 3000, ..config() });
    for records in 1..=12 {
        append(&mut log, &batch_of(records));
    }
    assert!(log.segment_count() > 2);
    let starts: Vec<i64> = (0..12).map(|n| n * (n + 1) / 2).collect();
    assert_eq!(bases_from(&mut log, 0), starts);
    for offset in 0..log.log_end_offset().0 {
        let first = starts.iter().rposition(|start| *start <= offset).unwrap();
        assert_eq!(bases_from(&mut log, offset), starts[first..], "{offset}");
    }
}

#[test]
fn limits_of_a_read() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    let size = append_three(&mut log);
    let check = |log: &mut Log<SimulatedDisk>, from, max_bytes, one, up_to, expected: u32| {
        let limits = ReadLimits { max_bytes, at_least_one_batch: one, up_to: Offset(up_to) };
        let plan = log.read(Offset(from), limits).unwrap();
        assert_eq!(plan.size_bytes, expected, "{from} {max_bytes} {one} {up_to}");
        assert_eq!(plan.ranges.is_empty(), expected == 0);
    };
    let all = i64::MAX;
    check(&mut log, 0, 1 << 20, false, all, 3 * size);
    check(&mut log, 2, 1 << 20, false, all, 2 * size);
    check(&mut log, 0, size + 10, false, all, size + 10);
    check(&mut log, 0, size - 1, false, all, 0);
    check(&mut log, 0, 0, true, all, size);
    check(&mut log, 6, 1 << 20, true, all, 0);
    for up_to in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (6, 3), (99, 3)] {
        check(&mut log, 0, 1 << 20, false, up_to.0, up_to.1 * size);
        check(&mut log, 0, 1 << 20, false, up_to.0, up_to.1 * size);
    }
    for offset in [-1, 7] {
        let refused = log.read(Offset(offset), ALL);
        assert!(matches!(refused, Err(ReadError::OutOfRange { .. })), "{offset}");
    }
}

fn append_three(log: &mut Log<SimulatedDisk>) -> u32 {
    let batch = batch_of(2);
    for _ in 0..3 {
        append(log, &batch);
    }
    batch.bytes.len() as u32
}

#[test]
fn after_a_failed_write_nothing_is_written_and_everything_read() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    append_three(&mut log);
    disk.fail_after(0);
    let failed = log.append_as_leader(&batch_of(1), EPOCH, at(1000));
    assert!(matches!(failed, Err(AppendError::Log(LogError::Io(_)))));
    let again = log.append_as_leader(&batch_of(1), EPOCH, at(1000));
    assert!(matches!(again, Err(AppendError::Log(LogError::Offline))));
    assert!(matches!(log.flush(), Err(LogError::Offline)));
    assert!(matches!(log.close(), Err(LogError::Offline)));
    assert_eq!(bases_from(&mut log, 0), [0, 2, 4]);
}

#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, LogConfig { segment_bytes: 300, ..config() });
    assert!(matches!(
        log.append_as_leader(&batch_of(3), EPOCH, at(1000)),
        Err(AppendError::TooLarge { segment_bytes: 300, .. })
    ));
    assert_eq!(append(&mut log, &batch_of(1)), Offset(0));
}

#[test]
fn a_closed_log_opens_as_it_was() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, LogConfig { segment_bytes: 1200, ..config() });
    (0..9).for_each(|_| _ = append(&mut log, &batch_of(2)));
    log.close().unwrap();
    assert_eq!(log.recovery_point(), Offset(18));
    for (loss, indexes_rebuilt) in [(Loss::Nothing, 0), (Loss::Unsynced, 1)] {
        // The machine may lose the last segment's indexes, which are made anew; all else was made durable.
        let disk = disk.after_crash(disk.operations(), loss);
        let (mut log, recovery) = try_open(&disk, config(), CLEAN).unwrap();
        assert_eq!(recovery, Recovery { indexes_rebuilt, ..Recovery::default() });
        assert_eq!(log.log_end_offset(), Offset(18));
        assert_eq!(log.recovery_point(), Offset(18));
        assert_eq!(log.leader_epochs().latest().unwrap().epoch, EPOCH);
        assert_eq!(bases_from(&mut log, 4), [4, 6, 8, 10, 12, 14, 16]);
        assert_eq!(append(&mut log, &batch_of(1)), Offset(18));
    }
}

#[test]
fn damaged_indexes_are_made_anew_when_they_are_needed() {
    let check = |name: &str, content: &[u8]| {
        let disk = SimulatedDisk::default();
        let mut log = create(&disk, config());
        (0..30).for_each(|_| _ = append(&mut log, &batch_of(2)));
        log.close().unwrap();
        disk.put(&Path::new(DIRECTORY).join(name), content);
        let (mut log, _) = try_open(&disk, config(), CLEAN).unwrap();
        assert_eq!(log.log_end_offset(), Offset(60), "{name}");
        assert_eq!(bases_from(&mut log, 41), (20..30).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(append(&mut log, &batch_of(1)), Offset(60));
        assert_eq!(bases_from(&mut log, 58), [58, 60]);
        log.close().unwrap();
        assert!(!log.is_offline());
    };
    check("00000000000000000000.index", &[]);
    check("00000000000000000000.index", &[1, 2, 3]);
    check("00000000000000000000.index", &[0; 800]);
    check("00000000000000000000.index", &[0, 0, 0, 9, 0, 0, 1, 1]);
    check("00000000000000000000.index", &[0, 0, 0, 50, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 1, 1]);
    check("00000000000000000000.timeindex", &[]);
    check("00000000000000000000.timeindex", &[9; 25]);
}

#[test]
fn a_start_writes_nothing_and_its_epoch_is_written_a_moment_later() {
    for (records, is_written) in [(0, false), (2, false), (0, true), (2, true)] {
        let disk = SimulatedDisk::default();
        let text = || {
            let bytes = disk.content(&Path::new(DIRECTORY).join("leader-epoch-checkpoint"));
            String::from_utf8(bytes.unwrap()).unwrap()
        };
        let mut log = create(&disk, config());
        log.assign_epoch_start(EPOCH).unwrap();
        assert_eq!(text(), "0\n1\n3 0\n", "that of a new log at once");
        for _ in 0..records {
            append(&mut log, &batch_of(1));
        }
        log.close().unwrap();
        // Two starts, the second after a crash of the first.
        for epoch in [4, 5] {
            let before = disk.operations();
            (log, _) = try_open(&disk, config(), CLEAN).unwrap();
            log.assign_epoch_start(LeaderEpoch(epoch)).unwrap();
            assert_eq!(disk.operations(), before);
            assert_eq!(text(), "0\n1\n3 0\n");
            let latest = log.end_offset_for_epoch(LeaderEpoch(epoch));
            assert_eq!(latest, Some((LeaderEpoch(epoch), Offset(records))));
        }
        let expected = if records == 0 { "0\n1\n5 0\n" } else { "0\n2\n3 0\n5 2\n" };
        if is_written {
            // Here without a record, as by Kafka; once.
            log.write_epochs().unwrap();
            assert_eq!(text(), expected);
            let before = disk.operations();
            log.write_epochs().unwrap();
            assert_eq!(disk.operations(), before);
        }
        log.append_as_leader(&batch_of(1), LeaderEpoch(5), at(1000)).unwrap();
        assert_eq!(text(), expected);
        let flush = log.begin_flush().unwrap().unwrap();
        log.end_flush(&flush, flush.run()).unwrap();
        let found = disk.after_crash(disk.operations(), Loss::Unsynced);
        let (log, recovery) = try_open(&found, config(), UNCLEAN).unwrap();
        assert_eq!((log.log_end_offset(), recovery.bytes_cut), (Offset(records + 1), 0));
        assert_eq!(log.leader_epochs().to_text(), expected);
    }
}

/// What Kafka leaves, too, and drops at its start: the leader that has begun appended nothing.
#[test]
fn an_epoch_without_records_is_in_the_file_of_a_closed_log() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    append(&mut log, &batch_of(2));
    log.assign_epoch_start(LeaderEpoch(7)).unwrap();
    log.close().unwrap();
    let path = Path::new(DIRECTORY).join("leader-epoch-checkpoint");
    assert_eq!(disk.content(&path).unwrap(), b"0\n2\n3 0\n7 2\n");
    let (log, _) = try_open(&disk, config(), CLEAN).unwrap();
    assert_eq!(log.leader_epochs().to_text(), "0\n1\n3 0\n");
}

#[test]
fn lost_epochs_are_found_in_the_batches() {
    for content in [&b""[..], b"0\n7\n", b"\xff\x00"] {
        let disk = SimulatedDisk::default();
        let mut log = create(&disk, config());
        for epoch in [1, 1, 4] {
            log.append_as_leader(&batch_of(2), LeaderEpoch(epoch), at(1000)).unwrap();
        }
        log.close().unwrap();
        let path = Path::new(DIRECTORY).join("leader-epoch-checkpoint");
        disk.put(&path, content);
        let (log, _) = try_open(&disk, config(), CLEAN).unwrap();
        assert_eq!(log.leader_epochs().to_text(), "0\n2\n1 0\n4 4\n");
        assert_eq!(disk.content(&path).unwrap(), b"0\n2\n1 0\n4 4\n");
    }
}

#[test]
fn that_no_file_can_be_opened_is_no_failed_write() {
    let disk = SimulatedDisk::default();
    let mut log = create(&disk, config());
    append_three(&mut log);
    log.release();
    disk.fail_opens_with(Some(24));
    let refused = log.append_as_leader(&batch_of(1), EPOCH, at(1000)).unwrap_err();
    let AppendError::Log(error) = refused else { panic!("{refused:?}") };
    assert!(error.is_shortage_of_descriptors() && !log.is_offline());
    disk.fail_opens_with(None);
    assert_eq!(append(&mut log, &batch_of(1)), Offset(6));
}
