//! A log whose files were damaged between two runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla::internals::kernel::log::Log;
use ottla::internals::kernel::log::config::LogConfig;
use ottla::internals::kernel::log::disk::Disk as _;
use ottla::internals::kernel::log::disk::simulated::SimulatedDisk;
use ottla::internals::kernel::log::read::ReadLimits;
use ottla::internals::kernel::log::recovery::{LogStart, Recovery};
use ottla::internals::types::epoch::{LeaderEpoch, ProducerEpoch};
use ottla::internals::types::ids::{ProducerId, TopicId};
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::{Mono, Now, Timestamp};
use ottla::internals::wire::batch::{Batch, BatchHeader, Batches};
use ottla::internals::wire::batch_builder::BatchBuilder;

use crate::Dice;

const DIRECTORY: &str = "/data/orders-0";
const NOW: Now = Now { mono: Mono(Duration::from_secs(9)), wall: Timestamp(1_800_000_000_000) };
const DAMAGES_MAX: usize = 8;

/// A log is written, damaged and opened again. After an unclean stop nothing damaged may be left in it, it must
/// take an append, and the next start must find what this one left.
pub fn log_recovery(data: &[u8]) {
    let mut dice = Dice(data);
    let disk = SimulatedDisk::default();
    write(&disk, &mut dice);
    for _ in 0..DAMAGES_MAX {
        if dice.rest().is_empty() {
            break;
        }
        damage(&disk, &mut dice);
    }
    let how = dice.u8();
    let start = LogStart {
        recovery_point: if how & 1 == 0 { Offset::ZERO } else { Offset(i64::from(how >> 2)) },
        log_start_offset: if how & 2 == 0 { Offset::ZERO } else { Offset(i64::from(how >> 3)) },
        clean: how & 0xc0 == 0xc0,
    };
    let Ok((mut log, _)) = open(&disk, start) else { return };
    let is_checked = !start.clean && start.recovery_point == Offset::ZERO;
    walk(&mut log, is_checked);
    if !is_checked {
        return;
    }
    let end = log.log_end_offset();
    let batch = Batch::parse(&batch(2, 1)).expect("it is one");
    log.append_as_leader(&batch, LeaderEpoch(i32::MAX), NOW).expect("it takes an append");
    assert_eq!(log.log_end_offset(), end + 2);
    drop(log);
    let (mut log, recovery) = open(&disk, start).expect("it opens again");
    assert_eq!((log.log_end_offset(), recovery.bytes_cut), (end + 2, 0), "nothing is lost");
    walk(&mut log, true);
}

fn open(
    disk: &SimulatedDisk,
    start: LogStart,
) -> Result<(Log<SimulatedDisk>, Recovery), ottla::internals::kernel::log::LogError> {
    let directory = Path::new(DIRECTORY);
    Log::open(disk.clone(), directory, TopicId::METADATA, config(), start, NOW)
}

fn config() -> Arc<LogConfig> {
    let config =
        LogConfig { segment_bytes: 512, index_interval_bytes: 128, ..LogConfig::default() };
    Arc::new(config)
}

fn batch(records: u8, fill: u8) -> Bytes {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    for _ in 0..records {
        builder.push(NOW.wall, None, Some(&[fill; 20]), &[]);
    }
    builder.build()
}

/// What the first run writes, in small segments.
fn write(disk: &SimulatedDisk, dice: &mut Dice<'_>) {
    let directory = Path::new(DIRECTORY);
    let mut log = Log::create(disk.clone(), directory, TopicId::METADATA, config(), NOW)
        .expect("a disk without faults");
    let appends = dice.u8();
    for index in 0..i32::from(appends % 16) {
        let choice = dice.u8();
        let mut bytes = batch(1 + choice % 3, choice);
        if choice & 0x80 != 0 {
            let header = BatchHeader::parse(&bytes).expect("it is one");
            let header = BatchHeader {
                producer_id: ProducerId(i64::from(choice & 3)),
                producer_epoch: ProducerEpoch(0),
                base_sequence: index,
                attributes: i16::from(choice & 0x10),
                ..header
            };
            bytes = Batch::assemble(header, &bytes[61..]).bytes;
        }
        let batch = Batch::parse(&bytes).expect("it is one");
        // Refused where the sequence numbers do not follow.
        let _ = log.append_as_leader(&batch, LeaderEpoch(index / 4), NOW);
    }
    if appends & 0x80 != 0 {
        log.close().expect("a disk without faults");
    }
}

fn damage(disk: &SimulatedDisk, dice: &mut Dice<'_>) {
    let paths: Vec<PathBuf> = disk.paths();
    let (kind, file, at) = (dice.u8(), usize::from(dice.u8()), usize::from(dice.u16()));
    let Some(path) = file.checked_rem(paths.len()).map(|index| &paths[index]) else { return };
    let mut bytes = disk.content(path).unwrap_or_default();
    let place = at.checked_rem(bytes.len());
    match (kind % 8, place) {
        (0, Some(place)) => bytes[place] ^= dice.u8(),
        (1, Some(place)) => bytes.truncate(place),
        (2, _) => bytes.extend(dice.u64().to_be_bytes()),
        (3, _) => {
            disk.remove(path).expect("a disk without faults");
            return;
        }
        (4, _) => {
            // A stray file, or one of another segment.
            let name = format!("{:020}.log", dice.u64() >> 1);
            disk.put(&Path::new(DIRECTORY).join(name), &bytes);
            return;
        }
        (5.., _) if path.extension().is_some_and(|extension| extension == "log") => {
            lie(&mut bytes, at, dice);
        }
        _ => return,
    }
    disk.put(path, &bytes);
}

/// Where the fields of a header are that the checksum covers, or that recovery looks at, and their length.
const FIELDS: [(usize, usize); 10] =
    [(0, 8), (12, 4), (21, 2), (23, 4), (27, 8), (35, 8), (43, 8), (51, 2), (53, 4), (57, 4)];

/// Changes a field of a batch's header, and its checksum with it.
fn lie(bytes: &mut [u8], at: usize, dice: &mut Dice<'_>) {
    let mut starts = vec![0];
    for batch in Batches::new(Bytes::copy_from_slice(bytes)).map_while(Result::ok) {
        starts.push(starts.last().unwrap_or(&0) + batch.bytes.len());
    }
    let position = starts[at % starts.len()];
    let Some(field) = bytes.get_mut(position..position + 61) else { return };
    let (from, width) = FIELDS[usize::from(dice.u8()) % FIELDS.len()];
    let value = dice.u64().to_be_bytes();
    field[from..from + width].copy_from_slice(&value[8 - width..]);
    let Ok(batch) = Batch::parse(&Bytes::copy_from_slice(&bytes[position..])) else { return };
    let crc = ottla::internals::wire::batch::crc_of(&batch.bytes[21..]);
    bytes[position + 17..position + 21].copy_from_slice(&crc.to_be_bytes());
}

/// Reads everything there is. What was checked when the log was opened is whole, and its offsets rise to the end.
fn walk(log: &mut Log<SimulatedDisk>, is_checked: bool) {
    let limits =
        ReadLimits { max_bytes: 4096, at_least_one_batch: true, up_to: log.log_end_offset() };
    let mut next = log.log_start_offset();
    let mut last = None;
    while next < log.log_end_offset() {
        let Ok(plan) = log.read(next, limits) else {
            assert!(!is_checked, "what was checked can be read");
            return;
        };
        let mut bytes = Vec::new();
        for range in &plan.ranges {
            let from = bytes.len();
            bytes.resize(from + range.length_bytes as usize, 0);
            range.source.read_exact_at(&mut bytes[from..], range.position).expect("it is there");
        }
        let before = next;
        for batch in Batches::new(Bytes::from(bytes)) {
            let Ok(batch) = batch else {
                assert!(!is_checked, "what was checked is made of batches");
                return;
            };
            if is_checked {
                batch.check_crc().expect("what was checked has its checksum");
                assert!(last.is_none_or(|last| batch.header.base_offset > last), "offsets rise");
                last = Some(batch.header.last_offset());
            }
            next = next.max(Offset(batch.header.last_offset().0.saturating_add(1)));
        }
        if next == before {
            // The rest of the offsets has no records.
            assert!(plan.ranges.is_empty() || !is_checked);
            return;
        }
    }
}
