//! The store on a simulated disk: directories of others, snapshots, and crashes.

use super::*;
use crate::kernel::log::disk::simulated::{Loss, SimulatedDisk};

const ROOT: &str = "/data";
/// One FeatureLevelRecord at offset 1, as a test wrote it into a file named after offset 0.
const FIRST: &str = "00000000000000010000004f0000000102b069457c00000000000000000191e05af81800000191e05af818fffff \
                     fffffffffffffffffffffff000000013a000000012e010c00116d657461646174612e76657273696f6e00140000";

#[derive(Clone, Debug, Default, PartialEq)]
struct Values(Vec<Bytes>);

impl Replay for Values {
    fn replay(&mut self, value: &Bytes) -> Result<(), String> {
        self.0.push(value.clone());
        Ok(())
    }

    fn keep(&mut self) {}

    fn forget(&mut self) {}
}

const fn at(seconds: u64) -> Now {
    Now { mono: Mono(Duration::from_secs(seconds)), wall: Timestamp(seconds as i64 * 1000) }
}

const LIMITS: SnapshotLimits = SnapshotLimits {
    record_bytes_between_max: 1000,
    interval_max: Some(Duration::from_hours(1)),
    retention_bytes: None,
    retention_ms: Some(100_000),
};

fn open(disk: &SimulatedDisk) -> Store<SimulatedDisk> {
    let options = StoreOptions { segment_bytes: 400, segment_ms: i64::MAX, limits: LIMITS };
    Store::open(disk.clone(), Path::new(ROOT), options, at(0)).unwrap().0
}

fn load(store: &mut Store<SimulatedDisk>) -> (Vec<String>, Loaded) {
    let mut values = Values::default();
    let loaded = store.load(&mut values).unwrap();
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    (values.0.iter().map(text).collect(), loaded)
}

fn append(store: &mut Store<SimulatedDisk>, values: &[&str]) {
    let values: Vec<Bytes> = values.iter().map(|value| Bytes::from((*value).to_owned())).collect();
    let batch = batches::records(store.end_offset(), LeaderEpoch(1), Timestamp(5), &values);
    store.append(batch, at(1)).unwrap();
}

fn snapshot(store: &mut Store<SimulatedDisk>, values: &[&str], seconds: u64) -> SnapshotId {
    let id = SnapshotId { end_offset: store.end_offset(), epoch: LeaderEpoch(1) };
    let last = at(seconds).wall;
    let header = ControlRecord::SnapshotHeader { last_contained_log_timestamp: last };
    let values = values.iter().map(|value| Bytes::from((*value).to_owned()));
    let bytes = Checkpoint::encode(&[header], values, id, at(seconds).wall);
    store.write_snapshot(id, last, &bytes, at(seconds)).unwrap();
    id
}

fn path(name: &str) -> PathBuf {
    Path::new(ROOT).join(METADATA_DIRECTORY).join(name)
}

#[test]
fn a_log_that_begins_at_offset_1_is_as_good_as_any() {
    let digits: Vec<u8> = FIRST.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let disk = SimulatedDisk::default();
    disk.put(&path("00000000000000000000.log"), &bytes);
    disk.put(&path("partition.metadata"), b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ==");
    let mut store = open(&disk);
    let (values, loaded) = load(&mut store);
    assert_eq!((values.len(), loaded.next, loaded.last_epoch), (1, Offset(2), LeaderEpoch(1)));
    assert_eq!(store.quorum_state().unwrap(), None);
    append(&mut store, &["more"]);
    store.flush().unwrap();
    assert_eq!(load(&mut open(&disk)).0[1..], ["more"]);
}

#[test]
fn what_apache_wrote_is_loaded() {
    let log = include_bytes!("../../../../wire/records/testdata/apache-4.3.1.log");
    let disk = SimulatedDisk::default();
    disk.put(&path("00000000000000000000.log"), log);
    // Killed, it leaves preallocated indexes.
    disk.put(&path("00000000000000000000.index"), &[0; 4096]);
    disk.put(&path("00000000000000000000.timeindex"), &[0; 4080]);
    disk.put(&path("leader-epoch-checkpoint"), b"0\n1\n1 0\n");
    let state = "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\
                 \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}";
    disk.put(&path("quorum-state"), state.as_bytes());
    let mut store = open(&disk);
    let (_, loaded) = load(&mut store);
    assert_eq!((loaded.next, store.end_offset()), (Offset(47), Offset(47)));
    assert_eq!(loaded.kraft_version, 1);
    assert!(loaded.voters.is_some());
    assert_eq!(store.quorum_state().unwrap().unwrap().epoch, LeaderEpoch(1));
    store.close(at(1)).unwrap();
    assert_eq!(disk.content(&path("00000000000000000000.index")).unwrap(), []);
    assert_eq!(disk.content(&path("00000000000000000000.timeindex")).unwrap().len(), 12);
    assert_eq!(disk.content(&path("00000000000000000047.snapshot")).unwrap().len(), 10);
}

#[test]
fn a_snapshot_is_due_by_bytes_and_stands_for_what_is_before_it() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk);
    assert_eq!(load(&mut store).1.next, Offset(0));
    append(&mut store, &["a", "b"]);
    assert!(!store.is_snapshot_due(at(3599)));
    assert!(store.is_snapshot_due(at(3600)));
    for _ in 0..15 {
        append(&mut store, &["c"]);
    }
    assert!(store.is_snapshot_due(at(2)));
    snapshot(&mut store, &["all"], 3);
    assert!(!store.is_snapshot_due(at(4)));
    append(&mut store, &["d", "e"]);
    store.flush().unwrap();
    let (values, loaded) = load(&mut open(&disk));
    assert_eq!(values, ["all", "d", "e"]);
    assert_eq!(loaded.next, Offset(19));
}

#[test]
fn old_snapshots_go_with_the_log_before_them() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk);
    let mut ids = Vec::new();
    for round in 0..4 {
        for _ in 0..5 {
            append(&mut store, &[&format!("value of the round {round}")]);
        }
        store.flush().unwrap();
        ids.push(snapshot(&mut store, &["all"], round * 60));
    }
    store.clean(at(100)).unwrap();
    assert_eq!(store.log.log_start_offset(), Offset(0));
    store.clean(at(161)).unwrap();
    assert_eq!(store.log.log_start_offset(), Offset(15));
    assert!(store.log.first_segment_offset() > Offset(0));
    assert_eq!(store.snapshots.keys().copied().collect::<Vec<_>>(), ids[2..]);
    assert!(disk.content(&path(&ids[1].deleted_file_name())).is_some());
    store.clean(at(221)).unwrap();
    assert!(disk.content(&path(&ids[1].deleted_file_name())).is_none());
    let (values, loaded) = load(&mut open(&disk));
    assert_eq!((values, loaded.next), (vec!["all".to_owned()], Offset(20)));
    // The last one stays for ever, and what it is needed for.
    store.clean(at(1 << 30)).unwrap();
    assert_eq!(store.snapshots.keys().copied().collect::<Vec<_>>(), ids[3..]);
}

#[test]
fn a_snapshot_beyond_the_log_replaces_it() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk);
    append(&mut store, &["a", "b"]);
    store.flush().unwrap();
    let id = SnapshotId { end_offset: Offset(90), epoch: LeaderEpoch(1) };
    let header = ControlRecord::SnapshotHeader { last_contained_log_timestamp: Timestamp(1) };
    let values = std::iter::once(Bytes::from_static(b"all"));
    disk.put(&path(&id.file_name()), &Checkpoint::encode(&[header], values, id, Timestamp(1)));
    let mut store = open(&disk);
    assert_eq!(store.end_offset(), Offset(90));
    let (values, loaded) = load(&mut store);
    assert_eq!((values, loaded.next), (vec!["all".to_owned()], Offset(90)));
    append(&mut store, &["c"]);
    store.flush().unwrap();
    assert_eq!(load(&mut open(&disk)).0, ["all", "c"]);
}

#[test]
fn what_was_flushed_survives_every_crash() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk);
    let mut flushed = vec![(0, Vec::new())];
    let mut all: Vec<String> = Vec::new();
    for round in 0..6 {
        let value = format!("round {round}");
        append(&mut store, &[&value, "and more of it"]);
        all.extend([value, "and more of it".to_owned()]);
        store.flush().unwrap();
        flushed.push((disk.operations(), all.clone()));
        if round % 2 == 1 {
            let values: Vec<&str> = all.iter().map(String::as_str).collect();
            snapshot(&mut store, &values, round);
        }
        let text = QuorumState { epoch: LeaderEpoch(round as i32), ..QuorumState::default() };
        let voters = crate::kernel::raft::voters::VoterSet::default();
        store.persist_quorum_state(&text.to_text(1, &voters)).unwrap();
        store.clean(at(round * 200)).unwrap();
    }
    for operations in 0..=disk.operations() {
        let expected = &flushed.iter().rfind(|(at, _)| *at <= operations).unwrap().1;
        for loss in [Loss::Nothing, Loss::Unsynced, Loss::Torn { kept_bytes: 30 }] {
            let crashed = disk.after_crash(operations, loss);
            let mut store = open(&crashed);
            let (values, loaded) = load(&mut store);
            assert!(values.starts_with(expected), "{operations} {loss:?}: {values:?}");
            assert!(all.starts_with(&values), "{operations} {loss:?}: {values:?}");
            assert_eq!(loaded.next.0, values.len() as i64);
            assert_eq!(store.end_offset(), loaded.next);
            store.quorum_state().unwrap();
        }
    }
}

#[test]
fn a_batch_that_does_not_follow_is_refused() {
    let mut store = open(&SimulatedDisk::default());
    let values = [Bytes::from_static(b"a")];
    let batch = batches::records(Offset(3), LeaderEpoch(1), Timestamp(5), &values);
    assert_eq!(store.append(batch, at(1)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(store.end_offset(), Offset(0));
}

#[test]
fn the_bootstrap_checkpoint_of_a_directory() {
    let disk = SimulatedDisk::default();
    assert_eq!(read_bootstrap(&disk, Path::new(ROOT)).unwrap(), None);
    let header = ControlRecord::SnapshotHeader { last_contained_log_timestamp: Timestamp(0) };
    let values = std::iter::once(Bytes::from_static(b"level"));
    let bytes = Checkpoint::encode(&[header], values, SnapshotId::BOOTSTRAP, Timestamp(0));
    disk.put(&Path::new(ROOT).join(BOOTSTRAP_CHECKPOINT), &bytes);
    let read = read_bootstrap(&disk, Path::new(ROOT)).unwrap().unwrap();
    assert_eq!(read.values, ["level"]);
}

/// A directory that Kafka 4.4 formatted was not given back: the level of its metadata.version was taken for state, and
/// never written into the log, where Kafka looks for it.
#[test]
fn the_snapshot_of_a_format_is_what_a_cluster_begins_with_and_no_state() {
    let disk = SimulatedDisk::default();
    let header = ControlRecord::SnapshotHeader { last_contained_log_timestamp: Timestamp(0) };
    let values = std::iter::once(Bytes::from_static(b"level"));
    let bytes = Checkpoint::encode(&[header], values, SnapshotId::BOOTSTRAP, Timestamp(0));
    let directory = Path::new(ROOT).join(METADATA_DIRECTORY);
    disk.put(&directory.join(SnapshotId::BOOTSTRAP.file_name()), &bytes);
    let mut store = open(&disk);
    let read = read_bootstrap(&disk, Path::new(ROOT)).unwrap().unwrap();
    assert_eq!(read.values, ["level"]);
    let (values, loaded) = load(&mut store);
    assert_eq!((values, loaded.next), (Vec::new(), Offset(0)));
}
