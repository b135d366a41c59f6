//! How the ends of transactions come to their partitions, as `shell::drivers::markers` has it: by the newest image, through
//! the group's shard where it is one of `__consumer_offsets`, else straight into the log.

use std::sync::Arc;

use super::World;
use super::node::Waiting;
use super::requests::Then;
use crate::kernel::coordinator::EndOfTransaction;
use crate::kernel::log::append::Origin;
use crate::kernel::machine::ShardId;
use crate::kernel::txns::{MarkerOutcome, WriteMarkers};
use crate::sim::planted::Planted;
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, OFFSETS, Place};
use crate::types::error_code::ErrorCode;

/// Markers that a coordinator wanted, and what is known of them.
#[derive(Debug)]
pub struct Job {
    shard: ShardId,
    wanted: WriteMarkers,
    outcomes: Vec<(Arc<str>, i32, Option<MarkerOutcome>)>,
}

impl World {
    /// What a transaction's shard wants done.
    pub(super) fn perform(&mut self, id: ShardId, effects: Vec<WriteMarkers>) {
        for mut wanted in effects {
            if self.setup.planted == Some(Planted::MarkersSayTheOpposite) {
                wanted.committed = !wanted.committed;
            }
            self.write_all(id, wanted);
        }
    }

    fn write_all(&mut self, shard: ShardId, wanted: WriteMarkers) {
        self.node.next_job += 1;
        let number = self.node.next_job;
        let places: Vec<(Arc<str>, i32)> =
            wanted.partitions.iter().map(|(topic, at)| (Arc::clone(topic), at)).collect();
        let end = EndOfTransaction {
            producer_id: wanted.producer_id,
            producer_epoch: wanted.producer_epoch,
            coordinator_epoch: wanted.coordinator_epoch.0,
            commit: wanted.committed,
            transaction_version: wanted.transaction_version,
        };
        let outcomes = places.iter().map(|(topic, at)| (Arc::clone(topic), *at, None)).collect();
        self.node.jobs.insert(number, Job { shard, wanted, outcomes });
        for (index, (topic, partition)) in places.into_iter().enumerate() {
            let place = topics::place_of(&topic)
                .filter(|it| partition < topics::partitions(&self.node.image, *it));
            if let Some(topic) = place {
                self.write_marker(number, index, (topic, partition), end);
            } else {
                // What is gone is as good as written.
                self.counters.hit(Sometimes::MarkerOfDeletedTopic);
                self.marker_told(number, index, Ok(()));
            }
        }
        self.finish(number);
    }

    fn write_marker(&mut self, job: u64, index: usize, place: Place, end: EndOfTransaction) {
        let epoch = self.node.logs.get(&place).map(|log| log.epoch).unwrap_or_default();
        let written = if place.0 == OFFSETS {
            let mut written = Err(ErrorCode::NotCoordinator);
            self.at_group(place.1, |shard, base| {
                let (result, after) = shard.write_marker(base, end);
                written = result;
                after
            });
            written
        } else {
            let now = self.clock.now();
            match self.node.logs.get_mut(&place) {
                None => Err(ErrorCode::UnknownTopicOrPartition),
                Some(log) => {
                    let origin = Origin::marker(end.transaction_version);
                    let appended = log.append(&end.batch(now), origin, None, now);
                    appended.map(|appended| appended.last_offset.next())
                }
            }
        };
        match written {
            Ok(end) => self.wait_for(place, end, epoch, Waiting::Marker(job, index)),
            Err(code) => self.marker_told(job, index, Err(code)),
        }
    }

    /// What became of one marker.
    pub(super) fn marker_told(&mut self, job: u64, index: usize, result: Result<(), ErrorCode>) {
        let outcome = MarkerOutcome::of(result);
        if outcome == MarkerOutcome::Failed {
            self.counters.hit(Sometimes::MarkerFailed);
        }
        if let Some(known) = self.node.jobs.get_mut(&job).and_then(|it| it.outcomes.get_mut(index))
        {
            known.2 = Some(outcome);
        }
        self.finish(job);
    }

    /// A shard that is not there any more asks again once it is loaded.
    fn finish(&mut self, number: u64) {
        let is_known = |job: &Job| job.outcomes.iter().all(|(_, _, it)| it.is_some());
        if !self.node.jobs.get(&number).is_some_and(is_known) {
            return;
        }
        let Some(Job { shard, wanted, outcomes }) = self.node.jobs.remove(&number) else { return };
        let known = outcomes.into_iter().filter_map(|(topic, at, it)| Some((topic, at, it?)));
        let request = wanted.became(known);
        self.call_transaction_shard(shard.partition.0, request, Then::Nothing);
    }
}
