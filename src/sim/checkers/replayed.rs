//! A shard is what its log says: hard state after a replay is the state before it, and also after the log was compacted up
//! to any point below the last stable offset (KAFKA-17306, KAFKA-19862).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::kernel::coordinator::Replay;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::kernel::log::producers::EndTransactionMarker;
use crate::kernel::machine::{Machine, Marker, Replayed, ShardId};
use crate::kernel::txns::TransactionShard;
use crate::sim::chance::Chance;
use crate::sim::log::PartitionLog;
use crate::sim::topics::{OFFSETS, Place, TRANSACTIONS};
use crate::sim::world::Node;
use crate::types::offset::Offset;
use crate::wire::batch::Batch;
use crate::wire::coordinator_records::groups::GroupRecord;
use crate::wire::record_iter::iterate;

/// The records of a batch take no more.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

/// All shards that work.
pub fn check_all(node: &Node, chance: &mut Chance) -> Result<(), String> {
    let groups = node.groups.keys().map(|at| (OFFSETS, *at));
    let transactions = node.transactions.keys().map(|at| (TRANSACTIONS, *at));
    groups.chain(transactions).try_for_each(|place| check_one(node, place, chance))
}

/// A shard, if it works.
pub fn check_one(node: &Node, place: Place, chance: &mut Chance) -> Result<(), String> {
    let Some(log) = node.logs.get(&place) else { return Ok(()) };
    let groups = node.groups.get(&place.1).filter(|_| place.0 == OFFSETS);
    if let Some((id, machine)) = groups.and_then(|shard| Some((shard.id, shard.machine()?))) {
        let ahead = groups_ahead(log)?;
        let differ = |own: &GroupShard, other: &GroupShard| differs_from(own, other, &ahead);
        check(id, machine, log, chance, differ)?;
    }
    let transactions = node.transactions.get(&place.1).filter(|_| place.0 == TRANSACTIONS);
    if let Some((id, machine)) = transactions.and_then(|shard| Some((shard.id, shard.machine()?))) {
        check(id, machine, log, chance, transactions_differ)?;
    }
    Ok(())
}

fn check<M: Machine>(
    id: ShardId,
    machine: &M,
    log: &PartitionLog,
    chance: &mut Chance,
    differ: impl Fn(&M, &M) -> Option<String>,
) -> Result<(), String> {
    let mut replay = Replay::<M>::new(id, Offset::ZERO);
    for batch in &log.truth {
        replay.take(batch).map_err(|error| error.to_string())?;
    }
    if let Some(what) = differ(machine, &replay.finish().machine) {
        return Err(format!("a shard is not what its log says: {what}"));
    }
    let cut = Offset(chance.between(0, log.last_stable_offset().0.max(0).cast_unsigned()) as i64);
    let compacted = compacted_replay::<M>(id, &log.truth, cut, chance)?;
    if let Some(what) = differ(machine, &compacted) {
        return Err(format!("a shard is not what its log says, compacted up to {cut:?}: {what}"));
    }
    Ok(())
}

/// What a log holds, taken apart.
enum Item {
    Record(Bytes, Option<Bytes>, Replayed),
    Marker(Marker),
}

fn take_apart(truth: &[Batch]) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    for batch in truth {
        let header = &batch.header;
        let producer = (header.producer_id, header.producer_epoch);
        if let Some(marker) = EndTransactionMarker::of_batch(batch) {
            items.push(Item::Marker(Marker {
                offset: header.base_offset,
                producer_id: producer.0,
                producer_epoch: producer.1,
                committed: !marker.abort,
            }));
            continue;
        }
        let transaction = header.is_transactional().then_some(producer);
        let records = iterate(batch, UNPACKED_BYTES_MAX).map_err(|error| error.to_string())?;
        for record in records {
            let record = record.map_err(|error| error.to_string())?;
            let at = Replayed { offset: record.offset, transaction, timestamp: record.timestamp };
            items.push(Item::Record(record.key.unwrap_or_default(), record.value, at));
        }
    }
    Ok(items)
}

/// The offsets of records below `cut` that compaction keeps: the last of each key, of those that were not aborted.
fn kept(items: &[Item], cut: Offset) -> BTreeMap<Bytes, Offset> {
    let mut last: BTreeMap<Bytes, Offset> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Item::Record(key, _, at) = item
            && at.offset < cut
            && !is_aborted(items, index, at)
        {
            last.insert(key.clone(), at.offset);
        }
    }
    last
}

fn is_aborted(items: &[Item], index: usize, at: &Replayed) -> bool {
    let Some((producer_id, _)) = at.transaction else { return false };
    let mut after = items[index..].iter();
    let marker = after.find_map(|item| match item {
        Item::Marker(marker) if marker.producer_id == producer_id => Some(marker.committed),
        _ => None,
    });
    marker == Some(false)
}

fn compacted_replay<M: Machine>(
    id: ShardId,
    truth: &[Batch],
    cut: Offset,
    chance: &mut Chance,
) -> Result<M, String> {
    let items = take_apart(truth)?;
    let kept = kept(&items, cut);
    let mut machine = M::new(id);
    let mut open = BTreeSet::new();
    for item in items {
        match item {
            Item::Record(key, value, at) => {
                let is_below = at.offset < cut;
                let is_last = kept.get(&key) == Some(&at.offset);
                // A tombstone goes, too, after a while.
                if is_below && (!is_last || value.is_none() && chance.one_in(2)) {
                    continue;
                }
                if let Some((producer_id, _)) = at.transaction {
                    open.insert(producer_id);
                }
                let read = M::decode(Some(&key), value.as_ref()).map_err(|it| it.to_string())?;
                if let Some(record) = read {
                    machine.replay(record, at);
                }
            }
            Item::Marker(marker) => {
                let has_data = open.remove(&marker.producer_id);
                // A marker goes once nothing of its transaction is left.
                if has_data || marker.offset >= cut || chance.one_in(2) {
                    machine.replay_marker(marker);
                }
            }
        }
    }
    Ok(machine)
}

/// Groups of which the last record was refused: a classic one may be empty without the log knowing it, as in Kafka, where
/// "this should be safe since there are no active members in an empty generation" (`completeClassicGroupJoin`): a load
/// finds the generation before, whose members have gone and time out.
fn groups_ahead(log: &PartitionLog) -> Result<BTreeSet<String>, String> {
    let mut ahead = BTreeMap::new();
    for (at, batch) in &log.refused {
        ahead.extend(written_groups(batch)?.into_iter().map(|id| (id, *at)));
    }
    if let Some(since) = ahead.values().min().copied() {
        for batch in log.truth.iter().rev().take_while(|it| it.header.base_offset >= since) {
            let at = batch.header.base_offset;
            for id in written_groups(batch)? {
                if ahead.get(&id).is_some_and(|refused_at| at >= *refused_at) {
                    ahead.remove(&id);
                }
            }
        }
    }
    Ok(ahead.into_keys().collect())
}

/// The classic groups that a batch has records of.
fn written_groups(batch: &Batch) -> Result<Vec<String>, String> {
    let records = super::group_records(batch)?;
    let groups = records.into_iter().filter_map(|(_, record)| match record {
        GroupRecord::GroupMetadata(key, _) => Some(key.group),
        _ => None,
    });
    Ok(groups.collect())
}

/// What is different about two shards of groups. A classic group in the middle of a round is not what the log says, and one
/// that is ahead of its log may be empty.
fn differs_from(
    machine: &GroupShard,
    replayed: &GroupShard,
    ahead: &BTreeSet<String>,
) -> Option<String> {
    if machine.offsets() != replayed.offsets() {
        return Some(format!("{:?} / {:?}", machine.offsets(), replayed.offsets()));
    }
    let (ours, theirs) = (machine.groups(), replayed.groups());
    let ids = (ids_that_count(machine), ids_that_count(replayed));
    if ids.0 != ids.1 {
        return Some(format!("groups {ids:?}"));
    }
    for (id, group) in ours.iter() {
        let Some(other) = theirs.get(id) else { continue };
        match (group, other) {
            (Group::Consumer(own), Group::Consumer(other)) => {
                if own.hard() != other.hard() {
                    return Some(format!("{:?} / {:?}", own.hard(), other.hard()));
                }
            }
            (Group::Classic(own), Group::Classic(other)) => {
                let is_behind = own.is_empty()
                    && other.generation() < own.generation()
                    && ahead.contains(&**id);
                if own.is_settled() && other.is_settled() && !is_behind {
                    let (own_text, other_text) = (own.describe(), other.describe());
                    let generations = (own.generation(), other.generation());
                    if own_text != other_text || generations.0 != generations.1 {
                        return Some(format!("{generations:?} {own_text:?} / {other_text:?}"));
                    }
                }
            }
            _ => return Some(format!("the kind of {id}")),
        }
    }
    None
}

/// The ids of groups, without those that are only the shell of offsets which were never committed: compaction takes the
/// records of an aborted transaction away, and with them such a group, as in Kafka. The next clean-up would, too.
fn ids_that_count(machine: &GroupShard) -> Vec<std::sync::Arc<str>> {
    let counts = |id: &std::sync::Arc<str>| match machine.groups().get(id) {
        Some(Group::Classic(group)) => {
            group.generation() > 0
                || !group.is_disused()
                || machine.offsets().has_group(id)
                || !group.has_committed()
        }
        _ => true,
    };
    machine.groups().ids().into_iter().filter(counts).collect()
}

fn transactions_differ(machine: &TransactionShard, replayed: &TransactionShard) -> Option<String> {
    let (ours, theirs): (Vec<_>, Vec<_>) = (machine.known().collect(), replayed.known().collect());
    (ours != theirs).then(|| format!("{ours:?} / {theirs:?}"))
}
