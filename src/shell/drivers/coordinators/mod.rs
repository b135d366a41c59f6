//! Coordinators: runs the shards of an internal topic, each a [`Machine`] behind one short mutex.
//!
//! - [`shard`]: one shard: a step of its machine, its append, its replies, its load.
//! - [`called`]: what a caller gets, and how it waits until a write is committed.
//! - [`changes`]: what a new image makes of the shards.
//! - [`load`]: from a log to a machine.
//! - [`threads`]: the thread that keeps all timers, and the one that loads.
//!
//! A call runs on the thread of its connection, without a hop: it costs what the machine and the append cost. Nothing
//! waits while the mutex is held; a caller whose reply is not committed yet, or not decided, gets a future
//! ([`Called::Later`]).
//!
//! - A shard is there from when the metadata says that this node leads its partition until it says otherwise. While
//!   it loads it answers `COORDINATOR_LOAD_IN_PROGRESS`; where it is not, `NOT_COORDINATOR`.
//! - A shard writes under the leader epoch that it was loaded in, and under no other.
//! - A failed append, unless refused before anything was written, drops the machine: all parked calls are told, and the
//!   shard loads again.

mod called;
mod changes;
mod load;
mod shard;
mod threads;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

pub use self::called::Called;
pub use self::changes::FollowsMetadata;
pub use self::threads::Threads;

use self::shard::{After, Shard};
use self::threads::Timed;
use super::partitions::Partitions;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::internal_topics::InternalTopic;
use crate::kernel::coordinator::{EndOfTransaction, partition_of};
use crate::kernel::machine::{CallId, Machine, ShardId};
use crate::kernel::metadata::image::Image;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId};
use crate::types::time::{Mono, Now};

/// Does what a machine wants done in the world. Called without a lock, on the thread of whoever made the step, or on
/// that of the timers where the step had to be committed first: it must not block for long.
pub type Perform<E> = Box<dyn Fn(ShardId, E) + Send + Sync>;

type Shards<M> = BTreeMap<PartitionId, Arc<Shard<M>>>;

/// The shards of one internal topic. See the module.
pub struct Coordinator<M: Machine> {
    world: World,
    perform: Perform<M::Effect>,
    shards: ArcSwap<Shards<M>>,
    /// An image was applied: what is led is known.
    is_started: AtomicBool,
    this: Weak<Self>,
}

/// What shards share.
struct World {
    node: NodeId,
    topic: &'static InternalTopic,
    config: Arc<ArcSwap<BrokerConfig>>,
    /// The newest image, which is here before it is published.
    image: ArcSwap<Image>,
    partitions: Arc<Partitions>,
    /// How many partitions the topic has; 0 while it is not there.
    partition_count: AtomicI32,
    threads: Arc<Threads>,
    next_call: AtomicU64,
}

impl<M: Machine> Coordinator<M> {
    /// A coordinator without shards: [`FollowsMetadata::apply`] brings them. It is entered with `threads`, which run
    /// its timers and loads until they are stopped.
    pub fn new(
        topic: &'static InternalTopic,
        config: Arc<ArcSwap<BrokerConfig>>,
        partitions: Arc<Partitions>,
        threads: &Arc<Threads>,
        perform: Perform<M::Effect>,
    ) -> Arc<Self> {
        let world = World {
            node: config.load().node_id,
            topic,
            config,
            image: ArcSwap::from_pointee(Image::empty()),
            partitions,
            partition_count: AtomicI32::new(0),
            threads: Arc::clone(threads),
            next_call: AtomicU64::new(0),
        };
        let coordinator = Arc::new_cyclic(|this| Self {
            world,
            perform,
            shards: ArcSwap::default(),
            is_started: AtomicBool::new(false),
            this: Weak::clone(this),
        });
        let timed: Weak<Self> = Arc::downgrade(&coordinator);
        threads.enter(timed);
        coordinator
    }

    /// The partition that has this group, or this transactional id.
    pub fn partition_for(&self, key: &str) -> PartitionId {
        let count = match self.world.partition_count.load(Ordering::Acquire) {
            // As it will be made.
            0 => (self.world.topic.num_partitions)(&self.world.config.load()),
            count => count,
        };
        partition_of(key, count)
    }

    /// The partitions that this node coordinates, those which are loading included.
    pub fn partitions(&self) -> Vec<PartitionId> {
        self.shards.load().keys().copied().collect()
    }

    /// Asks the shard of a partition.
    pub fn call(&self, partition: PartitionId, now: Now, request: M::Request) -> Called<M::Reply> {
        let shards = self.shards.load();
        let Some(shard) = shards.get(&partition) else {
            return Called::Now(Err(ErrorCode::NotCoordinator));
        };
        let (called, after) = shard.call(&self.world, now, request);
        self.after(shard, after);
        called
    }

    /// Asks the shard that has this group, or this transactional id.
    pub fn call_for(&self, key: &str, now: Now, request: M::Request) -> Called<M::Reply> {
        self.call(self.partition_for(key), now, request)
    }

    /// Ends a transaction that wrote to a partition of this topic: appends the marker, and tells the machine. Unlike
    /// those of a call, the errors are the log's own.
    pub fn write_marker(
        &self,
        partition: PartitionId,
        end: EndOfTransaction,
        now: Now,
    ) -> Called<()> {
        let shards = self.shards.load();
        let Some(shard) = shards.get(&partition) else {
            return Called::Now(Err(ErrorCode::NotCoordinator));
        };
        let (called, after) = shard.write_marker(&self.world, end, now);
        self.after(shard, after);
        called
    }

    /// What is left to do after a step, without the lock of its shard.
    fn after(&self, shard: &Arc<Shard<M>>, after: After<M::Effect>) {
        let After { effects, end, deadline, must_load } = after;
        if let Some(deadline) = deadline {
            self.world.threads.wake_by(deadline);
        }
        if must_load {
            self.load_later(shard);
        }
        if effects.is_empty() {
            return;
        }
        if shard.is_committed(end) {
            for effect in effects {
                (self.perform)(shard.id, effect);
            }
            return;
        }
        let (shard, this) = (Arc::clone(shard), Weak::clone(&self.this));
        self.world.threads.spawn(async move {
            // Nobody would ask for them again while the term lasts, so they wait for as long as that. They are lost
            // with it: whoever leads then asks for them anew.
            if shard.committed(end).await.is_ok()
                && let Some(coordinator) = this.upgrade()
            {
                for effect in effects {
                    (coordinator.perform)(shard.id, effect);
                }
            }
        });
    }

    /// Loads a shard on the thread for that.
    fn load_later(&self, shard: &Arc<Shard<M>>) {
        let (shard, this) = (Arc::clone(shard), Weak::clone(&self.this));
        self.world.threads.load(Box::new(move |clock| {
            if let Some(coordinator) = this.upgrade() {
                coordinator.load(&shard, &|| clock.now());
            }
        }));
    }

    fn load(&self, shard: &Arc<Shard<M>>, now: &dyn Fn() -> Now) {
        let after = shard.load(&self.world, now);
        self.after(shard, after);
    }
}

impl<M: Machine> Timed for Coordinator<M> {
    fn on_time(&self, now: Now) -> Option<Mono> {
        let shards = self.shards.load_full();
        let mut next: Option<Mono> = None;
        for shard in shards.values() {
            let mut after = shard.on_time(&self.world, now);
            // The caller looks at all deadlines itself.
            if let Some(deadline) = after.deadline.take() {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
            }
            self.after(shard, after);
        }
        next
    }
}

impl World {
    fn next_call(&self) -> CallId {
        CallId(self.next_call.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
