//! Logs that were recorded, for tests: every prefix of one is a log that a crash may leave, and the state that it loads
//! to is that of a shard that followed the log batch by batch; also when the prefix was read in other pieces, and when
//! it was compacted.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Replay;
use crate::kernel::log::producers::EndTransactionMarker;
use crate::kernel::machine::{Machine, Marker, Replayed, ShardId};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::wire::batch::{Batch, Batches};
use crate::wire::record_iter::iterate;

const UNPACKED_BYTES_MAX: usize = 1 << 20;

fn shard_id() -> ShardId {
    ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) }
}

/// What a log says, one thing after the other.
#[derive(Clone)]
enum Said {
    Record { key: Option<Bytes>, value: Option<Bytes>, at: Replayed },
    Marker(Marker),
}

fn said(batches: &[Batch]) -> Vec<Said> {
    let mut all = Vec::new();
    for batch in batches {
        let header = &batch.header;
        if let Some(marker) = EndTransactionMarker::of_batch(batch) {
            all.push(Said::Marker(Marker {
                offset: header.base_offset,
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                committed: !marker.abort,
            }));
            continue;
        }
        let transaction =
            header.is_transactional().then_some((header.producer_id, header.producer_epoch));
        for record in iterate(batch, UNPACKED_BYTES_MAX).unwrap() {
            let record = record.unwrap();
            let at = Replayed { offset: record.offset, transaction, timestamp: record.timestamp };
            all.push(Said::Record { key: record.key, value: record.value, at });
        }
    }
    all
}

/// What is left of it when it is compacted as far as it may be: the last record of each key, of those that count, and
/// all records of transactions that are not decided.
fn compacted(all: &[Said]) -> Vec<Said> {
    // Of each producer the first marker behind a record decides.
    let fate = |at: usize, producer_id: ProducerId| {
        all[at..].iter().find_map(|it| match it {
            Said::Marker(marker) if marker.producer_id == producer_id => Some(marker.committed),
            _ => None,
        })
    };
    let mut last: BTreeMap<Bytes, usize> = BTreeMap::new();
    let mut is_kept = vec![true; all.len()];
    for (index, it) in all.iter().enumerate() {
        let Said::Record { key: Some(key), at, .. } = it else { continue };
        match at.transaction.map_or(Some(true), |(producer_id, _)| fate(index, producer_id)) {
            Some(true) => {
                if let Some(before) = last.insert(key.clone(), index) {
                    is_kept[before] = false;
                }
            }
            Some(false) => is_kept[index] = false,
            None => {}
        }
    }
    all.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept).map(|(it, _)| it.clone()).collect()
}

fn replayed<M: Machine>(all: &[Said]) -> M {
    let mut machine = M::new(shard_id());
    for it in all {
        match it {
            Said::Marker(marker) => machine.replay_marker(*marker),
            Said::Record { key, value, at } => {
                let record = M::decode(key.as_ref(), value.as_ref());
                if let Some(record) = record.map_err(|it| it.to_string()).unwrap() {
                    machine.replay(record, *at);
                }
            }
        }
    }
    machine
}

/// Loads every prefix of a log, batch by batch. `same` fails when the hard states of two machines differ, and `go_on`
/// lets one that was loaded work for a while.
pub fn check_prefixes<M: Machine>(
    name: &str,
    log: &'static [u8],
    same: impl Fn(&M, &M, &str),
    go_on: impl Fn(M),
) {
    let batches: Vec<Batch> = Batches::new(Bytes::from_static(log)).map(Result::unwrap).collect();
    assert!(!batches.is_empty(), "{name} has no batch");
    let mut following = Replay::<M>::new(shard_id(), Offset::ZERO);
    for count in 0..=batches.len() {
        let what = format!("{name}, {count} batches");
        let prefix = &batches[..count];
        if let Some(batch) = prefix.last() {
            following.take(batch).unwrap();
        }
        let mut loading = Replay::<M>::new(shard_id(), Offset::ZERO);
        for batch in prefix {
            loading.take(batch).unwrap();
            // A read may begin before the end of the last one.
            loading.take(batch).unwrap();
        }
        assert_eq!(loading.passed_over(), 0, "{what}");
        assert_eq!(loading.next(), following.next(), "{what}");
        let loaded = loading.finish().machine;
        same(following.machine(), &loaded, &what);
        let left = compacted(&said(prefix));
        same(&loaded, &replayed(&left), &format!("{what}, compacted"));
        go_on(loaded);
    }
}
