//! How many committed offsets are loaded in a second, on one core: `cargo bench --features internals --bench loading`.
//!
//! Logs are made in memory as a broker writes them, one batch for each commit, and loaded into a shard. After `--`: how
//! many records, groups, partitions of each group, and records in a batch.

#![expect(clippy::print_stdout, reason = "a bench speaks on stdout")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs the clock")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla::internals::kernel::coordinator::Replay;
use ottla::internals::kernel::groups::shard::GroupShard;
use ottla::internals::kernel::machine::ShardId;
use ottla::internals::types::epoch::LeaderEpoch;
use ottla::internals::types::ids::PartitionId;
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::Timestamp;
use ottla::internals::wire::batch_builder::BatchBuilder;
use ottla::internals::wire::coordinator_records::groups::GroupRecord;
use ottla::internals::wire::coordinator_records::offsets::{OffsetCommitKey, OffsetCommitValue};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// As much as is read at once: `offsets.load.buffer.size`.
const READ_BYTES: usize = 5 << 20;
const ROUNDS: usize = 5;

/// What a log is made of.
#[derive(Clone, Copy)]
struct Shape {
    records: usize,
    groups: usize,
    partitions: usize,
    batch: usize,
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|it| it.parse().ok()).collect();
    let records = numbers.first().copied().unwrap_or(500_000);
    let shape = |groups, partitions, batch| Shape { records, groups, partitions, batch };
    let shapes = if let [_, groups, partitions, batch] = numbers[..] {
        vec![shape(groups, partitions, batch)]
    } else {
        vec![shape(100, 10, 1), shape(100, 10, 10), shape(1_000, 100, 10), shape(10_000, 10, 10)]
    };
    println!(
        "{:>10} {:>8} {:>10} {:>8} {:>12}",
        "records", "groups", "partitions", "a batch", "a second"
    );
    for shape in shapes {
        let log = log_of(shape);
        let best = (0..ROUNDS).map(|_| load(&log)).min().unwrap_or(Duration::MAX);
        let rate = shape.records as u128 * 1_000_000_000 / best.as_nanos().max(1);
        let Shape { records, groups, partitions, batch } = shape;
        println!("{records:>10} {groups:>8} {partitions:>10} {batch:>8} {rate:>12}");
    }
}

/// The reads that a load makes of such a log: each group commits for some of its partitions in turn.
fn log_of(shape: Shape) -> Vec<Bytes> {
    let (mut reads, mut read) = (Vec::new(), Vec::with_capacity(READ_BYTES));
    let mut offset = 0;
    while offset < shape.records {
        let mut batch = BatchBuilder::new(Offset(offset as i64));
        for _ in 0..shape.batch {
            let turn = offset / shape.batch;
            let place = turn / shape.groups * shape.batch + offset % shape.batch;
            let record = commit(turn % shape.groups, place % shape.partitions, offset);
            let (key, value) = record.encode();
            batch.push(NOW, Some(&key), value.as_deref(), &[]);
            offset += 1;
        }
        let batch = batch.build();
        if read.len() + batch.len() > READ_BYTES {
            reads.push(Bytes::from(std::mem::replace(&mut read, Vec::with_capacity(READ_BYTES))));
        }
        read.extend_from_slice(&batch);
    }
    reads.push(Bytes::from(read));
    reads
}

fn commit(group: usize, partition: usize, offset: usize) -> GroupRecord {
    let key = OffsetCommitKey {
        group: format!("consumer-group-{group}"),
        topic: "orders-by-customer".to_owned(),
        partition: partition as i32,
    };
    let value = OffsetCommitValue {
        offset: offset as i64,
        leader_epoch: 3,
        metadata: String::new(),
        commit_timestamp: NOW.0,
        expire_timestamp: -1,
        topic_id: uuid::Uuid::from_u128(7),
    };
    GroupRecord::OffsetCommit(key, Some(value))
}

fn load(log: &[Bytes]) -> Duration {
    let id = ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) };
    let mut replay = Replay::<GroupShard>::new(id, Offset::ZERO);
    let start = Instant::now();
    for read in log {
        if let Err(error) = replay.take_read(read.clone(), &|| false) {
            panic!("{error}");
        }
    }
    let took = start.elapsed();
    drop(replay.finish());
    took
}
