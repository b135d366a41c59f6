//! The end of a run: what the next start needs to find.

use std::io;
use std::sync::Arc;

use super::{LogDirectory, Partition, Partitions};
use crate::kernel::log::flush::Flush;
use crate::shell::disk::data_dirs::sync_file_system;
use crate::shell::disk::files::Files;
use crate::types::epoch::BrokerEpoch;

/// From so many logs with something to sync on, the whole file system is synced instead of each file.
const SYNC_WHOLE_FROM: usize = 32;

impl Partitions {
    /// Closes all logs and writes all checkpoints; then, where nothing failed, the clean mark with the epoch of
    /// this broker. No request is answered any more. A node that stops before it has started leaves no mark: it has
    /// not looked at all logs.
    pub fn close(&self, broker_epoch: BrokerEpoch) {
        let partitions = self.all();
        let is_closed = |directory: &&Arc<LogDirectory>| {
            let of_directory =
                partitions.iter().filter(|it| Arc::ptr_eq(it.directory(), directory));
            close_all(directory, of_directory)
        };
        let closed: Vec<_> = self.directories.iter().filter(is_closed).collect();
        self.checkpoint_recovery_points();
        self.checkpoint_log_starts();
        self.checkpoint_high_watermarks(true);
        if self.is_started() {
            for directory in closed.into_iter().filter(|directory| !directory.is_offline()) {
                directory.failing("mark", directory.mark_clean(broker_epoch));
            }
        }
        for partition in &partitions {
            partition.end();
        }
    }
}

/// Closes the logs of a directory. Whether all of them could be.
fn close_all<'a>(
    directory: &LogDirectory,
    partitions: impl Iterator<Item = &'a Arc<Partition>>,
) -> bool {
    let mut all_closed = true;
    let mut unsynced: Vec<(&Partition, Flush<Files>)> = Vec::new();
    for partition in partitions {
        match partition.begin_close() {
            Ok(Some(flush)) => unsynced.push((partition, flush)),
            Ok(None) => {}
            Err(_) => all_closed = false,
        }
    }
    let whole = (unsynced.len() >= SYNC_WHOLE_FROM).then(|| sync_file_system(directory.path()));
    for (partition, flush) in unsynced {
        let synced = match &whole {
            None => flush.run(),
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        all_closed &= partition.end_close(&flush, synced).is_ok();
    }
    all_closed
}
