//! Cleanings of logs on a simulated disk, and what their readers see.

mod crashes;
mod histories;
mod stays;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::config::LogConfig;
use super::super::disk::simulated::SimulatedDisk;
use super::super::read::ReadLimits;
use super::super::recovery::LogStart;
use super::*;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::ids::{ProducerId, TopicId};
use crate::types::time::{Mono, Now, Timestamp};
use crate::wire::batch::Batch;
use crate::wire::batch_builder::{BatchBuilder, ControlType};
use crate::wire::compression::Codec;
use crate::wire::record_iter::iterate;

const DIRECTORY: &str = "/data/accounts-0";
const EPOCH: LeaderEpoch = LeaderEpoch(3);
const LIMITS: Limits =
    Limits { map_bytes: 1 << 20, load_factor: 0.9, buffer_bytes: 0, secret: [1, 2] };

const fn at(ms: i64) -> Now {
    Now { mono: Mono(Duration::from_millis(ms as u64)), wall: Timestamp(ms) }
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 20,
        index_interval_bytes: 200,
        delete: false,
        compact: true,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 1000,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

/// A log that a cleaning works on while its test has it.
struct Tested {
    disk: SimulatedDisk,
    log: RefCell<Log<SimulatedDisk>>,
}

impl Door<SimulatedDisk> for Tested {
    fn with_log<R>(
        &self,
        act: impl FnOnce(&mut Log<SimulatedDisk>) -> Result<R, LogError>,
    ) -> Result<Option<R>, LogError> {
        act(&mut self.log.borrow_mut()).map(Some)
    }
}

/// What a consumer gets: offset, key, value.
type Seen = Vec<(i64, String, Option<String>)>;

impl Tested {
    fn new(config: LogConfig) -> Self {
        let disk = SimulatedDisk::default();
        let directory = Path::new(DIRECTORY);
        let log = Log::create(disk.clone(), directory, TopicId::METADATA, Arc::new(config), at(0))
            .unwrap();
        Self { disk, log: RefCell::new(log) }
    }

    fn of(disk: &SimulatedDisk, config: LogConfig, start: LogStart) -> Self {
        let (disk, directory) = (disk.clone(), Path::new(DIRECTORY));
        let id = TopicId::METADATA;
        let (log, _) =
            Log::open(disk.clone(), directory, id, Arc::new(config), start, at(0)).unwrap();
        Self { disk, log: RefCell::new(log) }
    }

    fn append(&self, batch: &Batch) -> Offset {
        let mut log = self.log.borrow_mut();
        log.append_as_leader(batch, EPOCH, at(1)).unwrap().base_offset
    }

    /// Records without a producer: keys, and values that may be tombstones.
    fn put(&self, records: &[(&str, Option<&str>)]) -> Offset {
        self.append(&batch(None, Codec::None, records))
    }

    fn roll(&self) {
        let mut log = self.log.borrow_mut();
        let end = log.log_end_offset();
        log.roll(end, at(1)).unwrap();
    }

    fn end(&self) -> Offset {
        let mut log = self.log.borrow_mut();
        let end = log.log_end_offset();
        log.on_high_watermark(end);
        end
    }

    fn last_stable(&self) -> Offset {
        let end = self.end();
        self.log.borrow().first_unstable_offset().unwrap_or(end)
    }

    fn plan(&self, now: Now) -> Option<Plan<SimulatedDisk>> {
        let stable = self.last_stable();
        self.log.borrow_mut().begin_cleaning(stable, now).unwrap()
    }

    /// Cleans once; false if there was nothing to do.
    fn clean(&self, now: Now) -> bool {
        self.clean_with(now, &LIMITS)
    }

    fn clean_with(&self, now: Now, limits: &Limits) -> bool {
        let Some(plan) = self.plan(now) else {
            return false;
        };
        let first_dirty = plan.range.first_dirty;
        let report = clean(self, plan, limits, &mut |_| true).unwrap();
        assert!(report.cleaned_to > first_dirty, "it gets on");
        assert!(self.names(".cleaned").is_empty() && self.names(".swap").is_empty());
        true
    }

    /// All batches that are there.
    fn batches(&self) -> Vec<Batch> {
        let mut log = self.log.borrow_mut();
        let (mut next, end) = (log.log_start_offset(), log.log_end_offset());
        let limits =
            ReadLimits { max_bytes: 1 << 30, at_least_one_batch: true, up_to: Offset(i64::MAX) };
        let mut found = Vec::new();
        while next < end {
            let plan = log.read(next, limits).unwrap();
            if plan.size_bytes == 0 {
                break;
            }
            for range in &plan.ranges {
                let mut bytes = vec![0; range.length_bytes as usize];
                range.source.read_exact_at(&mut bytes, range.position).unwrap();
                for batch in crate::wire::batch::Batches::new(bytes.into()) {
                    let batch: Batch = batch.unwrap();
                    batch.check_crc().unwrap();
                    assert!(batch.header.last_offset() >= next, "offsets rise");
                    next = batch.header.last_offset().next();
                    found.push(batch);
                }
            }
        }
        found
    }

    /// What a consumer under `read_committed` gets, told of aborted transactions as Fetch tells of them.
    fn consume(&self) -> Seen {
        let stable = self.last_stable();
        let batches = self.batches();
        let start = self.log.borrow().log_start_offset();
        let mut aborted = self.log.borrow_mut().aborted_transactions(start, stable).unwrap();
        aborted.sort_by_key(|aborted| aborted.first_offset);
        let mut aborted = aborted.into_iter().peekable();
        let mut producers = Vec::new();
        let mut seen = Vec::new();
        for batch in batches.iter().filter(|batch| batch.header.base_offset < stable) {
            let header = &batch.header;
            while let Some(next) = aborted.next_if(|next| next.first_offset <= header.last_offset())
            {
                producers.push(next.producer_id);
            }
            if header.is_control() {
                let marker = super::super::producers::EndTransactionMarker::of_batch(batch);
                if marker.is_some_and(|marker| marker.abort) {
                    producers.retain(|id| *id != header.producer_id);
                }
            } else if !header.is_transactional() || !producers.contains(&header.producer_id) {
                seen.extend(records_of(batch));
            }
        }
        seen
    }

    fn names(&self, suffix: &str) -> Vec<String> {
        let names = self.disk.paths().into_iter();
        let names = names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        names.filter(|name| name.ends_with(suffix)).collect()
    }
}

fn records_of(batch: &Batch) -> Seen {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let records = iterate(batch, 1 << 20).unwrap().map(Result::unwrap);
    records
        .map(|record| (record.offset.0, text(record.key.unwrap()), record.value.map(text)))
        .collect()
}

/// The last value of each key that has one.
fn table(seen: &Seen) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for (_, key, value) in seen {
        match value {
            Some(value) => drop(table.insert(key.clone(), value.clone())),
            None => drop(table.remove(key)),
        }
    }
    table
}

/// Who writes: id, epoch, sequence, whether in a transaction.
type Writer = (i64, i16, i32, bool);

fn batch(writer: Option<Writer>, codec: Codec, records: &[(&str, Option<&str>)]) -> Batch {
    let mut builder = BatchBuilder::new(Offset(0));
    if let Some((id, epoch, sequence, transactional)) = writer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), sequence);
        if transactional {
            builder = builder.transactional();
        }
    }
    for (index, (key, value)) in records.iter().enumerate() {
        let time = Timestamp(100 + index as i64);
        let headers = [("name", Some(&b"content"[..]))];
        builder.push(time, Some(key.as_bytes()), value.map(str::as_bytes), &headers);
    }
    builder.build_compressed(codec).unwrap()
}

fn marker(id: i64, epoch: i16, kind: ControlType) -> Batch {
    let builder = BatchBuilder::new(Offset(0))
        .producer(ProducerId(id), ProducerEpoch(epoch), -1)
        .transactional();
    builder.control_record(kind, Timestamp(200), &[0; 6]).build_batch()
}
