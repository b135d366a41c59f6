//! The end of a run: what the next start needs to find.

use std::io;
use std::sync::Arc;

use super::partition::lock;
use super::{LogDirectory, Partition, Partitions};
use crate::kernel::log::flush::Flush;
use crate::shell::disk::data_dirs::sync_file_system;
use crate::shell::disk::files::Files;
use crate::shell::tasks::side_by_side;
use crate::types::epoch::BrokerEpoch;

/// From so many logs with something to sync on, the whole file system is synced instead of each file.
const SYNC_WHOLE_FROM: usize = 32;

impl Partitions {
    /// Closes all logs and writes all checkpoints; then, where nothing failed, the clean mark with the epoch of
    /// this broker. No request is answered any more. A node that stops before it has started leaves no mark: it has
    /// not looked at all logs.
    pub fn close(&self, broker_epoch: BrokerEpoch) {
        let partitions = self.all();
        let threads = lock(&self.control).inherited.recovery_threads();
        let sorted: Vec<_> = self
            .directories
            .iter()
            .map(|directory| {
                let lies_in = |it: &&Arc<Partition>| Arc::ptr_eq(it.directory(), directory);
                (directory, partitions.iter().filter(lies_in).collect::<Vec<_>>())
            })
            .collect();
        let closed = side_by_side("close", sorted.len(), &sorted, |(directory, partitions)| {
            close_all(directory, partitions, threads)
        });
        self.checkpoint_recovery_points();
        self.checkpoint_log_starts();
        self.checkpoint_high_watermarks(true);
        if self.is_started() {
            let closed = self.directories.iter().zip(closed).filter(|(_, is_closed)| *is_closed);
            for (directory, _) in closed.filter(|(directory, _)| !directory.is_offline()) {
                directory.failing("mark", directory.mark_clean(broker_epoch));
            }
        }
        for partition in &partitions {
            partition.end();
        }
    }
}

/// Closes the logs of a directory: first everything that needs no sync, for all of them, so that the syncs find their
/// work in one place. Whether all of them could be closed.
fn close_all(directory: &LogDirectory, partitions: &[&Arc<Partition>], threads: usize) -> bool {
    let begun = side_by_side("close", threads, partitions, |partition| partition.begin_close());
    let mut all_closed = true;
    let mut unsynced: Vec<(&Partition, Flush<Files>)> = Vec::new();
    for (partition, begun) in partitions.iter().zip(begun) {
        match begun {
            Ok(Some(flush)) => unsynced.push((partition, flush)),
            Ok(None) => {}
            Err(_) => all_closed = false,
        }
    }
    let synced = sync_all(directory, &unsynced, threads);
    for ((partition, flush), synced) in unsynced.iter().zip(synced) {
        all_closed &= partition.end_close(flush, synced).is_ok();
    }
    all_closed
}

fn sync_all(
    directory: &LogDirectory,
    unsynced: &[(&Partition, Flush<Files>)],
    threads: usize,
) -> Vec<io::Result<()>> {
    if unsynced.len() < SYNC_WHOLE_FROM {
        return side_by_side("close", threads, unsynced, |(_, flush)| flush.run());
    }
    let whole = sync_file_system(directory.path());
    let copy = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
    unsynced.iter().map(|_| whole.as_ref().copied().map_err(copy)).collect()
}
