//! Directories that Apache Kafka wrote: a batch of three records, a transaction of two that was committed, one of one
//! that was aborted. Opened they say what Kafka says; written anew by the same batches they are the same bytes.

use super::*;
use crate::kernel::log::partition_metadata;
use crate::types::ids::ProducerId;

type Files = &'static [(&'static str, &'static [u8])];

macro_rules! files {
    ($version:literal) => {
        files!($version:
            "00000000000000000000.log", "00000000000000000000.timeindex", "00000000000000000005.log",
            "00000000000000000005.snapshot", "00000000000000000005.timeindex",
            "00000000000000000005.txnindex", "00000000000000000008.snapshot",
            "leader-epoch-checkpoint", "partition.metadata")
    };
    ($version:literal: $($name:literal),*) => {
        &[$(($name, include_bytes!(concat!("testdata/apache-", $version, "/", $name)) as &[u8])),*]
    };
}

/// What a clean stop of each version left; the two `.index` files are empty.
const CLEANLY_STOPPED: [Files; 3] = [files!("4.1.1"), files!("4.2.0"), files!("4.3.1")];
const EMPTY: [&str; 2] = ["00000000000000000000.index", "00000000000000000005.index"];
const BATCHES: [&str; 2] = ["00000000000000000000.log", "00000000000000000005.log"];
/// Ninety records in batches of a few, `index.interval.bytes` 300 and segments of 3,000 bytes.
const INDEXED: Files = files!("4.3.1-indexed":
    "00000000000000000000.index", "00000000000000000000.log", "00000000000000000000.timeindex",
    "00000000000000000050.index", "00000000000000000050.log", "00000000000000000050.snapshot",
    "00000000000000000050.timeindex", "00000000000000000090.snapshot", "leader-epoch-checkpoint",
    "partition.metadata");
/// What Kafka writes when it becomes active and trims when it stops.
const PREALLOCATED: [&str; 2] = ["00000000000000000005.index", "00000000000000000005.timeindex"];
const STOPPED_WITH: &str = "00000000000000000008.snapshot";

fn path(name: &str) -> std::path::PathBuf {
    Path::new(DIRECTORY).join(name)
}

fn content(files: Files, name: &str) -> &'static [u8] {
    files.iter().find(|(other, _)| *other == name).map_or(&[], |(_, content)| content)
}

fn topic_id(files: Files) -> TopicId {
    let text = std::str::from_utf8(content(files, "partition.metadata")).unwrap();
    partition_metadata::parse(text).unwrap()
}

fn put(files: Files) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    for name in EMPTY {
        disk.put(&path(name), &[]);
    }
    for (name, bytes) in files {
        disk.put(&path(name), bytes);
    }
    disk
}

/// As a kill leaves it: no snapshot of the end, the active segment's indexes preallocated.
fn put_killed(files: Files) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    disk.put(&path(EMPTY[0]), &[]);
    for (name, bytes) in files.iter().filter(|(name, _)| *name != STOPPED_WITH) {
        disk.put(&path(name), bytes);
    }
    for name in PREALLOCATED {
        disk.put(&path(name), &[0; 12_000]);
    }
    disk
}

/// Nothing but the batches.
fn put_batches(files: Files) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    for name in BATCHES {
        disk.put(&path(name), content(files, name));
    }
    disk
}

fn open(disk: &SimulatedDisk, files: Files, start: LogStart) -> Log<SimulatedDisk> {
    let config = Arc::new(LogConfig { producer_id_expiration_ms: i64::MAX, ..config() });
    let directory = Path::new(DIRECTORY);
    Log::open(disk.clone(), directory, topic_id(files), config, start, at(1000)).unwrap().0
}

fn check(log: &mut Log<SimulatedDisk>) {
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(8)));
    log.on_high_watermark(Offset(8));
    assert_eq!(log.first_unstable_offset(), None);
    assert_eq!(log.segment_count(), 2);
    assert_eq!(bases_from(log, 0), [0, 3, 5, 6, 7]);
    let aborted = |log: &mut Log<SimulatedDisk>, from, to| {
        let found = log.aborted_transactions(Offset(from), Offset(to)).unwrap();
        let of = |found: &crate::kernel::log::transaction_index::AbortedTransaction| {
            assert_eq!((found.producer_id, found.last_offset), (ProducerId(1), Offset(7)));
            found.first_offset.0
        };
        found.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(aborted(log, 0, 8), [6]);
    assert_eq!(aborted(log, 7, 8), [6]);
    assert!(aborted(log, 0, 6).is_empty());
    let epochs = log.leader_epochs();
    assert_eq!(epochs.to_text(), "0\n1\n0 0\n");
    let producers = log.producers();
    assert_eq!(producers.len(), 2);
    assert_eq!(producers.get(ProducerId(0)).unwrap().last_sequence(), 2);
    assert_eq!(producers.get(ProducerId(1)).unwrap().epoch.0, 2);
    let newest = log.max_timestamp().unwrap().unwrap();
    assert_eq!(newest.1, Offset(7));
    let found = log.offset_for_timestamp(Timestamp(1_700_000_000_001), Offset(8)).unwrap();
    assert_eq!(found.unwrap().1, Offset(1));
    let found = log.offset_for_timestamp(Timestamp(1_700_000_000_003), Offset(8)).unwrap();
    assert_eq!(found.unwrap().1, Offset(3));
}

fn check_files(disk: &SimulatedDisk, files: Files) {
    for name in EMPTY {
        assert_eq!(disk.content(&path(name)).as_deref(), Some(&[][..]), "{name}");
    }
    for (name, bytes) in files {
        assert_eq!(disk.content(&path(name)).as_deref(), Some(*bytes), "{name}");
    }
    assert_eq!(disk.paths().len(), files.len() + EMPTY.len(), "{:?}", disk.paths());
}

#[test]
fn a_directory_that_was_stopped_cleanly() {
    for files in CLEANLY_STOPPED {
        let disk = put(files);
        let mut log = open(&disk, files, CLEAN);
        assert_eq!(disk.operations(), 0, "nothing is written");
        check(&mut log);
        log.close().unwrap();
        check_files(&disk, files);
    }
}

#[test]
fn a_directory_whose_broker_was_killed() {
    for files in CLEANLY_STOPPED {
        for recovery_point in [0, 3, 5, 6, 8] {
            let disk = put_killed(files);
            let recovery_point = Offset(recovery_point);
            let mut log = open(&disk, files, LogStart { recovery_point, ..UNCLEAN });
            check(&mut log);
            assert_eq!(log.recovery_point(), recovery_point);
            log.close().unwrap();
            check_files(&disk, files);
        }
    }
}

#[test]
fn a_directory_without_its_small_files() {
    for files in CLEANLY_STOPPED {
        let disk = put_batches(files);
        let mut log = open(&disk, files, UNCLEAN);
        check(&mut log);
        log.close().unwrap();
        check_files(&disk, files);
        // Nobody is asked to recover it, so what is missing is made anew as far as it is needed.
        let disk = put_batches(files);
        let mut log = open(&disk, files, CLEAN);
        assert_eq!(log.log_end_offset(), Offset(8));
        assert_eq!(bases_from(&mut log, 0), [0, 3, 5, 6, 7]);
    }
}

#[test]
fn the_same_batches_make_the_same_files() {
    for files in CLEANLY_STOPPED {
        let disk = SimulatedDisk::default();
        let directory = Path::new(DIRECTORY);
        let config = Arc::new(LogConfig::default());
        let mut log =
            Log::create(disk.clone(), directory, topic_id(files), config, at(1000)).unwrap();
        log.assign_epoch_start(LeaderEpoch(0)).unwrap();
        for name in BATCHES {
            for batch in Batches::new(Bytes::from_static(content(files, name))) {
                log.append_as_follower(&batch.unwrap(), at(1000)).unwrap();
            }
        }
        check(&mut log);
        log.close().unwrap();
        check_files(&disk, files);
    }
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let files = CLEANLY_STOPPED[2];
    let disk = put_killed(files);
    // Everything but the marker of the second transaction.
    disk.put(&path("00000000000000000005.log"), &content(files, "00000000000000000005.log")[..200]);
    let mut log = open(&disk, files, UNCLEAN);
    assert_eq!(log.log_end_offset(), Offset(7));
    log.on_high_watermark(Offset(7));
    assert_eq!(log.first_unstable_offset(), Some(Offset(6)));
    assert!(log.aborted_transactions(Offset(0), Offset(7)).unwrap().is_empty());
    assert_eq!(disk.content(&path("00000000000000000005.log")).unwrap().len(), 162);
    let limits = ReadLimits { up_to: Offset(6), ..ALL };
    assert_eq!(log.read(Offset(5), limits).unwrap().size_bytes, 78);
}

#[test]
fn a_directory_of_another_topic_is_refused() {
    let disk = put(CLEANLY_STOPPED[2]);
    let (found, expected) = (topic_id(CLEANLY_STOPPED[2]), TopicId::METADATA);
    let refused = try_open(&disk, config(), CLEAN).map(|_| ());
    match refused {
        Err(LogError::TopicId { expected: e, found: f }) => assert_eq!((e, f), (expected, found)),
        other => panic!("{other:?}"),
    }
}

fn check_indexed(disk: &SimulatedDisk) {
    for (name, bytes) in INDEXED {
        assert_eq!(disk.content(&path(name)).as_deref(), Some(*bytes), "{name}");
    }
    assert_eq!(disk.paths().len(), INDEXED.len(), "{:?}", disk.paths());
}

#[test]
fn indexes_are_apaches_whether_appended_or_recovered() {
    let config = LogConfig {
        segment_bytes: 3000,
        index_interval_bytes: 300,
        producer_id_expiration_ms: i64::MAX,
        ..LogConfig::default()
    };
    let logs = ["00000000000000000000.log", "00000000000000000050.log"];
    let epochs = std::str::from_utf8(content(INDEXED, "leader-epoch-checkpoint")).unwrap();
    let epochs = crate::kernel::log::leader_epochs::LeaderEpochs::parse(epochs).unwrap();
    let disk = SimulatedDisk::default();
    let directory = Path::new(DIRECTORY);
    let shared = Arc::new(config);
    let (id, config) = (topic_id(INDEXED), Arc::clone(&shared));
    let mut log = Log::create(disk.clone(), directory, id, config, at(1000)).unwrap();
    for entry in epochs.entries().iter().filter(|entry| entry.start_offset == Offset(0)) {
        log.assign_epoch_start(entry.epoch).unwrap();
    }
    for name in logs {
        for batch in Batches::new(Bytes::from_static(content(INDEXED, name))) {
            let batch = batch.unwrap();
            let epoch = batch.header.partition_leader_epoch;
            log.append_as_leader(&batch, epoch, at(1000)).unwrap();
        }
    }
    log.close().unwrap();
    check_indexed(&disk);

    let disk = SimulatedDisk::default();
    for name in logs {
        disk.put(&path(name), content(INDEXED, name));
    }
    let (mut log, _) = Log::open(disk.clone(), directory, id, shared, UNCLEAN, at(1000)).unwrap();
    log.close().unwrap();
    check_indexed(&disk);
}
