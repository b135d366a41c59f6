//! The coordinators of a node, as `server` and the tests put them together.

use std::io;
use std::sync::Arc;

use crate::kernel::configs::internal_topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::txns::TransactionShard;
use crate::shell::clock::Clock;
use crate::shell::drivers::coordinators::{Coordinator, FollowsMetadata, Threads};
use crate::shell::drivers::markers::Markers;
use crate::shell::drivers::partitions::Partitions;
use crate::shell::drivers::publisher::Published;
use crate::shell::resources::processors;

/// See the module.
pub struct Coordinators {
    /// Groups and their committed offsets.
    pub groups: Arc<Coordinator<GroupShard>>,
    /// Transactional ids and their transactions.
    pub transactions: Arc<Coordinator<TransactionShard>>,
    /// The ends of transactions.
    pub markers: Arc<Markers>,
    /// Their timers and loads; to be stopped once nobody is answered any more. At the latest, the end of this does.
    pub threads: Arc<Threads>,
    /// Who is to be told of new images.
    pub followers: Vec<Arc<dyn FollowsMetadata>>,
}

impl Coordinators {
    /// Makes them. They have no shards before the first image.
    pub fn start(
        published: &Published,
        partitions: &Arc<Partitions>,
        clock: Clock,
    ) -> io::Result<Self> {
        // More than there are cores would only take turns.
        let configured = published.config.load().group_coordinator_threads;
        let loads_max = usize::try_from(configured).unwrap_or(1).min(processors());
        let threads = Threads::start(clock, loads_max)?;
        let groups = Coordinator::new(
            &CONSUMER_OFFSETS,
            Arc::clone(&published.config),
            Arc::clone(partitions),
            &threads,
            Box::new(|_, nothing| match nothing {}),
        );
        let node = published.config.load().node_id;
        let markers = Markers::new(node, Arc::clone(partitions), Arc::clone(&groups));
        let transactions = Coordinator::new(
            &TRANSACTION_STATE,
            Arc::clone(&published.config),
            Arc::clone(partitions),
            &threads,
            markers.perform(&threads, clock),
        );
        markers.serve(&transactions);
        // In this order: a transaction that goes on after a load writes markers for the groups, among others.
        let followers: Vec<Arc<dyn FollowsMetadata>> = vec![
            Arc::clone(&groups) as _,
            Arc::clone(&markers) as _,
            Arc::clone(&transactions) as _,
        ];
        Ok(Self { groups, transactions, markers, threads, followers })
    }
}

impl Drop for Coordinators {
    fn drop(&mut self) {
        self.threads.stop();
    }
}
