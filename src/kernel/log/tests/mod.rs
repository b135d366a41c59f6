//! The log on a simulated disk.

mod apache;
mod append_and_read;
mod crashes;
mod segments;
mod times;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::config::LogConfig;
use super::disk::simulated::SimulatedDisk;
use super::read::{ReadLimits, ReadPlan};
use super::recovery::{LogStart, Recovery};
use super::{Log, LogError};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::TopicId;
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};
use crate::wire::batch::{Batch, Batches};
use crate::wire::batch_builder::BatchBuilder;

const DIRECTORY: &str = "/data/orders-0";
const EPOCH: LeaderEpoch = LeaderEpoch(3);
const ALL: ReadLimits =
    ReadLimits { max_bytes: 1 << 30, at_least_one_batch: true, up_to: Offset(i64::MAX) };

const fn at(ms: i64) -> Now {
    Now { mono: Mono(Duration::from_millis(ms as u64)), wall: Timestamp(ms) }
}

fn batch_at(ms: i64, values: &[&[u8]]) -> Batch {
    let mut builder = BatchBuilder::new(Offset(0));
    for value in values {
        builder.push(Timestamp(ms), None, Some(value), &[]);
    }
    Batch::parse(&builder.build()).unwrap()
}

fn batch_of(records: usize) -> Batch {
    batch_at(1000, &vec![&[7; 100][..]; records])
}

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 500, ..LogConfig::default() }
}

fn create(disk: &SimulatedDisk, config: LogConfig) -> Log<SimulatedDisk> {
    let directory = Path::new(DIRECTORY);
    Log::create(disk.clone(), directory, TopicId::METADATA, Arc::new(config), at(1000)).unwrap()
}

fn try_open(
    disk: &SimulatedDisk,
    config: LogConfig,
    start: LogStart,
) -> Result<(Log<SimulatedDisk>, Recovery), LogError> {
    let directory = Path::new(DIRECTORY);
    Log::open(disk.clone(), directory, TopicId::METADATA, Arc::new(config), start, at(1000))
}

const CLEAN: LogStart =
    LogStart { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO, clean: true };
const UNCLEAN: LogStart = LogStart { clean: false, ..CLEAN };

fn append(log: &mut Log<SimulatedDisk>, batch: &Batch) -> Offset {
    log.append_as_leader(batch, EPOCH, at(1000)).unwrap().base_offset
}

fn bytes_of(plan: &ReadPlan) -> Bytes {
    let mut bytes = Vec::new();
    for range in &plan.ranges {
        let from = bytes.len();
        bytes.resize(from + range.length_bytes as usize, 0);
        range.source.read_exact_at(&mut bytes[from..], range.position).unwrap();
    }
    Bytes::from(bytes)
}

/// Reads everything from `from` on, segment by segment, as the base offsets of its batches.
fn bases_from(log: &mut Log<SimulatedDisk>, from: i64) -> Vec<i64> {
    let mut bases = Vec::new();
    let mut next = Offset(from);
    while next < log.log_end_offset() {
        let plan = log.read(next, ALL).unwrap();
        for batch in Batches::new(bytes_of(&plan)) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            bases.push(batch.header.base_offset.0);
            next = batch.header.last_offset().next();
        }
    }
    bases
}
