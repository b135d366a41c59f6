//! Files that may be damaged, or written by someone else.

use bytes::Bytes;
use ottla::internals::kernel::log::leader_epochs::LeaderEpochs;
use ottla::internals::kernel::log::meta_properties::MetaProperties;
use ottla::internals::kernel::log::offset_index::OffsetIndex;
use ottla::internals::kernel::log::producers::Producers;
use ottla::internals::kernel::log::time_index::TimeIndex;
use ottla::internals::kernel::log::transaction_index::TransactionIndex;
use ottla::internals::kernel::log::{
    clean_shutdown, file_names, offset_checkpoint, partition_metadata,
};
use ottla::internals::kernel::raft::checkpoint::Checkpoint;
use ottla::internals::kernel::raft::control::ControlRecord;
use ottla::internals::kernel::raft::quorum_state::QuorumState;
use ottla::internals::kernel::raft::snapshot_id::SnapshotFile;
use ottla::internals::kernel::raft::voters::VoterSet;
use ottla::internals::types::epoch::LeaderEpoch;
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::Timestamp;

use crate::Dice;

/// A file of a log, of the kind that the first byte chooses: what reads is written, and reads as the same.
pub fn log_files(data: &[u8]) {
    let mut dice = Dice(data);
    let kind = dice.u8() % 10;
    // No file of a segment has a name above that.
    let base = file_names::LAST_SEGMENT_OFFSET.min(Offset((dice.u64() >> 1) as i64));
    let target = Offset((dice.u64() >> 1) as i64);
    let bytes = dice.rest();
    match kind {
        0 => {
            let Ok(mut index) = OffsetIndex::parse(base, bytes.to_vec()) else { return };
            index.lookup(target);
            index.append(target, 1 << 30);
            index.truncate_to(target);
            OffsetIndex::parse(base, index.bytes().to_vec()).expect("it is still an index");
        }
        1 => {
            let Ok(mut index) = TimeIndex::parse(base, bytes.to_vec()) else { return };
            index.lookup(Timestamp(target.0));
            index.append(Timestamp(target.0), base);
            index.truncate_to(target);
            TimeIndex::parse(base, index.bytes().to_vec()).expect("it is still an index");
        }
        2 => {
            let Ok(mut index) = TransactionIndex::parse(base, bytes) else { return };
            let mut found = Vec::new();
            index.collect(base, target, &mut found);
            assert!(found.len() <= index.entries().len());
            index.truncate_to(target);
            TransactionIndex::parse(base, &index.to_bytes()).expect("it is still an index");
        }
        3 => snapshot(bytes, base),
        _ => text(kind, &String::from_utf8_lossy(bytes), base, target),
    }
}

fn text(kind: u8, text: &str, base: Offset, target: Offset) {
    match kind {
        4 => {
            if let Ok(mut epochs) = LeaderEpochs::parse(text) {
                assert_eq!(LeaderEpochs::parse(&epochs.to_text()).as_ref(), Ok(&epochs));
                epochs.end_offset_for(LeaderEpoch(target.0 as i32), target);
                epochs.truncate_from_end(target);
                epochs.truncate_from_start(base);
            }
        }
        5 => {
            if let Ok(offsets) = offset_checkpoint::parse(text) {
                let entries = offsets.iter().map(|o| (o.topic.as_str(), o.partition, o.offset));
                let written = offset_checkpoint::to_text(entries);
                assert_eq!(offset_checkpoint::parse(&written), Ok(offsets));
            }
        }
        6 => {
            if let Ok(id) = partition_metadata::parse(text) {
                let written = partition_metadata::to_text(id);
                assert_eq!(partition_metadata::parse(&written), Ok(id));
            }
        }
        7 => {
            clean_shutdown::parse(text);
        }
        8 => {
            if let Ok(properties) = MetaProperties::parse(text) {
                let written = properties.to_text(Timestamp(base.0));
                assert_eq!(MetaProperties::parse(&written), Ok(properties));
            }
        }
        _ => {
            if let Some(file) = file_names::SegmentFile::parse(text) {
                assert_eq!(file.name(), text);
            }
            if let Some(directory) = file_names::PartitionDirectory::parse(text) {
                let topic = directory.topic.as_str();
                let live = file_names::partition_directory(topic, directory.partition);
                let again = file_names::PartitionDirectory::parse(&live).expect("it reads");
                assert_eq!(
                    (&again.topic, again.partition),
                    (&directory.topic, directory.partition)
                );
            }
        }
    }
}

fn snapshot(bytes: &[u8], end_offset: Offset) {
    // The checksum would keep the fuzzer out.
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 6 {
        let crc = ottla::internals::wire::batch::crc_of(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    }
    let now = Timestamp(1_800_000_000_000);
    let Ok(producers) = Producers::of_snapshot(&bytes, end_offset, now, 86_400_000) else { return };
    let written = producers.to_snapshot();
    let again = Producers::of_snapshot(&written, end_offset, now, 86_400_000).expect("it reads");
    assert_eq!(again.to_snapshot(), written);
}

/// A file of the metadata quorum, of the kind that the first byte chooses.
pub fn raft_files(data: &[u8]) {
    let mut dice = Dice(data);
    let kind = dice.u8() % 5;
    let bytes = dice.rest();
    let text = String::from_utf8_lossy(bytes);
    match kind {
        0 => {
            let _ = Checkpoint::decode(&Bytes::copy_from_slice(bytes));
        }
        1 => {
            let Ok(state) = QuorumState::parse(&text) else { return };
            let written = state.to_text(1, &VoterSet::default());
            let again = QuorumState::parse(&written).expect("what is written reads");
            assert_eq!(again.to_text(1, &VoterSet::default()), written);
        }
        2 => {
            let _ = VoterSet::from_dynamic(&text, "CONTROLLER");
        }
        3 => {
            if let Some(SnapshotFile::Whole(id)) = SnapshotFile::parse(&text) {
                assert_eq!(SnapshotFile::parse(&id.file_name()), Some(SnapshotFile::Whole(id)));
            }
        }
        _ => {
            let kind = dice.u16().to_be_bytes();
            let key = [&[0, 0][..], &kind].concat();
            if let Ok(Some(record)) = ControlRecord::decode(&key, dice.rest()) {
                let again = ControlRecord::decode(&key, &record.value()).expect("it reads");
                assert_eq!(again, Some(record));
            }
        }
    }
}
