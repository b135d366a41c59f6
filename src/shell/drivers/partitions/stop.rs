//! The end of a run: what the next start needs to find.

use std::sync::Arc;

use super::{Partition, Partitions};
use crate::types::epoch::BrokerEpoch;

impl Partitions {
    /// Closes all logs and writes all checkpoints; then, where nothing failed, the clean mark with the epoch of
    /// this broker. No request is answered any more. A node that stops before it has started leaves no mark: it has
    /// not looked at all logs.
    pub fn close(&self, broker_epoch: BrokerEpoch) {
        let partitions = self.all();
        let closed: Vec<(Arc<Partition>, bool)> = partitions
            .into_iter()
            .map(|partition| {
                let closed = partition.close().is_ok();
                (partition, closed)
            })
            .collect();
        self.checkpoint_recovery_points();
        self.checkpoint_log_starts();
        self.checkpoint_high_watermarks(true);
        if !self.is_started() {
            return;
        }
        for directory in &self.directories {
            let all_closed = closed
                .iter()
                .filter(|(partition, _)| Arc::ptr_eq(partition.directory(), directory))
                .all(|(_, closed)| *closed);
            if all_closed && !directory.is_offline() {
                directory.failing("mark", directory.mark_clean(broker_epoch));
            }
        }
        for (partition, _) in &closed {
            partition.end();
        }
    }
}
