//! Markers: the ends of transactions, written where their records are.
//!
//! The coordinator of a transaction wants them written ([`WriteMarkers`]), and other coordinators and administrators ask
//! for them (WriteTxnMarkers). Here each goes to its partition: through the group coordinator if that is one of
//! `__consumer_offsets`, so that the offsets in it count from then on, else straight into the log.
//!
//! The image is the newest, as the coordinator's own: an older one may not know a partition yet, and its marker would be
//! lost. A partition that does not exist any more needs no marker. One whose leader is another node has to wait for the
//! channel to that node, which there is none of yet: its coordinator tries again.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::coordinators::{Called, Coordinator, FollowsMetadata, Perform, Threads};
use super::partitions::{Origin, Partitions};
use crate::kernel::coordinator::EndOfTransaction;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::machine::ShardId;
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::{
    MarkerOutcome, MarkerOutcomes, TransactionRequest, TransactionShard, WriteMarkers,
};
use crate::shell::clock::Clock;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId};
use crate::types::time::Now;

/// The topic whose partitions belong to the group coordinator.
const GROUP_METADATA_TOPIC: &str = "__consumer_offsets";

/// See the module.
pub struct Markers {
    node: NodeId,
    image: ArcSwap<Image>,
    partitions: Arc<Partitions>,
    groups: Arc<Coordinator<GroupShard>>,
    /// Who wants markers; set once, after [`Self::perform`] went into it.
    transactions: OnceLock<Weak<Coordinator<TransactionShard>>>,
}

/// Markers that wait for their replicas.
type Waiting = Vec<(Arc<str>, i32, Called<()>)>;

impl FollowsMetadata for Markers {
    fn apply(&self, image: &Arc<Image>, _: &Changes, _: Now) {
        self.image.store(Arc::clone(image));
    }
}

impl Markers {
    /// Markers for the partitions of `node`. It follows the metadata before the coordinator of transactions does.
    pub fn new(
        node: NodeId,
        partitions: Arc<Partitions>,
        groups: Arc<Coordinator<GroupShard>>,
    ) -> Arc<Self> {
        let image = ArcSwap::from_pointee(Image::empty());
        Arc::new(Self { node, image, partitions, groups, transactions: OnceLock::new() })
    }

    /// What the coordinator of transactions does with its effects.
    pub fn perform(
        self: &Arc<Self>,
        threads: &Arc<Threads>,
        clock: Clock,
    ) -> Perform<WriteMarkers> {
        let (markers, threads) = (Arc::clone(self), Arc::downgrade(threads));
        Box::new(move |shard, wanted| {
            let now = clock.now();
            let (known, waiting) = markers.write_all(&wanted, now);
            if waiting.is_empty() {
                markers.tell(shard, wanted.became(known), now);
            } else if let Some(threads) = threads.upgrade() {
                let markers = Arc::clone(&markers);
                threads.spawn(async move {
                    let known = told(known, waiting).await;
                    markers.tell(shard, wanted.became(known), clock.now());
                });
            }
        })
    }

    /// Effects are told to this coordinator.
    pub fn serve(&self, transactions: &Arc<Coordinator<TransactionShard>>) {
        // The first one stays.
        let _ = self.transactions.set(Arc::downgrade(transactions));
    }

    /// A shard that is not there any more asks again once it is loaded.
    fn tell(&self, shard: ShardId, became: TransactionRequest, now: Now) {
        if let Some(transactions) = self.transactions.get().and_then(Weak::upgrade) {
            drop(transactions.call(shard.partition, now, became));
        }
    }

    /// Writes a marker to a partition of this node. The error is the one that WriteTxnMarkers answers.
    pub fn write(
        &self,
        end: EndOfTransaction,
        topic: &str,
        partition: PartitionId,
        now: Now,
    ) -> Called<()> {
        let image = self.image.load();
        let known = image.topics.named(topic);
        let local = known.and_then(|known| self.partitions.get(known.id, partition));
        let Some(local) = local else {
            return Called::Now(Err(ErrorCode::UnknownTopicOrPartition));
        };
        if topic == GROUP_METADATA_TOPIC {
            return self.groups.write_marker(partition, end, now);
        }
        let origin = Origin::marker(end.transaction_version);
        match local.append_from(&end.batch(now), origin, ACKS_ALL, now) {
            Ok(appended) => Called::appended(local, appended.last_offset.next(), MARKER_TIMEOUT),
            Err(code) => Called::Now(Err(code)),
        }
    }

    /// Writes what a coordinator of this node wants. Gives what became of it, and what has to be waited for. Partitions
    /// that are gone are as good as written, as in Kafka; for those of other brokers here will be the door, once there
    /// is one.
    fn write_all(&self, wanted: &WriteMarkers, now: Now) -> (MarkerOutcomes, Waiting) {
        let end = EndOfTransaction {
            producer_id: wanted.producer_id,
            producer_epoch: wanted.producer_epoch,
            coordinator_epoch: wanted.coordinator_epoch.0,
            commit: wanted.committed,
            transaction_version: wanted.transaction_version,
        };
        let image = self.image.load();
        let (mut known, mut waiting) = (MarkerOutcomes::new(), Waiting::new());
        for (topic, partition) in wanted.partitions.iter() {
            let id = PartitionId(partition);
            let registered = image.topics.named(topic).and_then(|it| it.partitions.get(&id));
            let called = match registered {
                None => Called::Now(Ok(())),
                Some(it) if it.leader == self.node => self.write(end, topic, id, now),
                Some(_) => Called::Now(Err(ErrorCode::NotLeaderOrFollower)),
            };
            let topic = Arc::clone(topic);
            match called {
                Called::Now(result) => known.push((topic, partition, MarkerOutcome::of(result))),
                called @ Called::Later(_) => waiting.push((topic, partition, called)),
            }
        }
        (known, waiting)
    }
}

const ACKS_ALL: i16 = -1;
/// How long a marker waits for the replicas in sync, before its coordinator is told to try again.
const MARKER_TIMEOUT: Duration = Duration::from_secs(30);

/// What became of all, once that is known.
async fn told(mut known: MarkerOutcomes, waiting: Waiting) -> MarkerOutcomes {
    for (topic, partition, called) in waiting {
        known.push((topic, partition, MarkerOutcome::of(called.told().await)));
    }
    known
}
