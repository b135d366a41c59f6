//! The metadata log, its snapshots and `quorum-state` in their directory.
//!
//! A snapshot is there whole or not at all: written under another name, flushed, renamed. The log before the oldest kept
//! snapshot goes, and never before that snapshot is durable.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::MetadataStore;
use super::loader::{LoadError, Loaded, Loader, Replay};
use crate::kernel::log::append::AppendError;
use crate::kernel::log::config::LogConfig;
use crate::kernel::log::disk::{Disk, DiskFile as _, Durability, OpenMode};
use crate::kernel::log::read::{ReadError, ReadLimits};
use crate::kernel::log::recovery::{LogStart, Recovery};
use crate::kernel::log::{Log, LogError};
use crate::kernel::raft::batches;
use crate::kernel::raft::checkpoint::{Checkpoint, CheckpointError};
use crate::kernel::raft::control::ControlRecord;
use crate::kernel::raft::quorum_state::{
    QUORUM_STATE, QUORUM_STATE_BYTES_MAX, QuorumState, QuorumStateError,
};
use crate::kernel::raft::snapshot_directory::{MissingSnapshot, sort_out};
use crate::kernel::raft::snapshot_id::SnapshotId;
use crate::kernel::raft::snapshot_retention::{SnapshotInfo, SnapshotLimits};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::TopicId;
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};
use crate::wire::batch::{Batch, BatchError, BatchHeader, Batches};

/// The directory of the metadata log.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";
/// What a new cluster begins with, in the root of each log directory.
pub const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";
/// No snapshot that is longer is read.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 31;
/// The log is replayed in pieces of about this size.
const REPLAY_BYTES: u32 = 1024 * 1024;
/// How long a snapshot that was given up stays, for those who fetch it: Kafka's default for files of any log.
const DELETE_DELAY: Duration = Duration::from_mins(1);

/// How the log and its snapshots are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// `metadata.log.segment.bytes`
    pub segment_bytes: u32,
    /// `metadata.log.segment.ms`
    pub segment_ms: i64,
    /// When snapshots are written and removed.
    pub limits: SnapshotLimits,
}

/// Why the metadata log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A part of it that a read was refused.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A batch that does not read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The log begins after every snapshot.
    #[error(transparent)]
    MissingSnapshot(#[from] MissingSnapshot),
    /// A snapshot, or `bootstrap.checkpoint`.
    #[error("{name}: {source}")]
    Checkpoint {
        /// The file.
        name: String,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// `quorum-state`.
    #[error("quorum-state: {0}")]
    QuorumState(#[from] QuorumStateError),
    /// A record.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// See the module.
pub struct Store<D: Disk> {
    disk: D,
    directory: Arc<Path>,
    log: Log<D>,
    limits: SnapshotLimits,
    snapshots: BTreeMap<SnapshotId, SnapshotInfo>,
    bytes_since_snapshot: u64,
    snapshot_at: Mono,
    /// Snapshots that were given up, and when they go.
    doomed: Vec<(PathBuf, Mono)>,
}

impl<D: Disk> Store<D> {
    /// Opens the metadata log below `log_dir`, or makes an empty one. The log is read in full: it is in no checkpoint file.
    pub fn open(
        disk: D,
        log_dir: &Path,
        options: StoreOptions,
        now: Now,
    ) -> Result<(Self, Recovery), StoreError> {
        let directory: Arc<Path> = Arc::from(log_dir.join(METADATA_DIRECTORY));
        let config = Arc::new(LogConfig {
            segment_bytes: options.segment_bytes,
            segment_ms: options.segment_ms,
            retention_ms: None,
            retention_bytes: None,
            producer_id_expiration_ms: i64::MAX,
            ..LogConfig::default()
        });
        disk.create_directory(&directory)?;
        let start =
            LogStart { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO, clean: false };
        let (log, recovery) =
            Log::open(disk.clone(), &directory, TopicId::METADATA, config, start, now)?;
        let mut store = Self {
            disk,
            directory,
            log,
            limits: options.limits,
            snapshots: BTreeMap::new(),
            bytes_since_snapshot: 0,
            snapshot_at: now.mono,
            doomed: Vec::new(),
        };
        store.find_snapshots()?;
        store.start_at_latest_snapshot(now)?;
        Ok((store, recovery))
    }

    fn find_snapshots(&mut self) -> Result<(), StoreError> {
        let entries = self.disk.list(&self.directory)?;
        let names = entries.iter().map(|entry| entry.name.as_str());
        let sorted = sort_out(names, self.log.log_start_offset())?;
        for name in &sorted.remove {
            self.disk.remove(&self.directory.join(name))?;
        }
        for id in sorted.snapshots {
            let name = id.file_name();
            let size_bytes =
                entries.iter().find(|entry| entry.name == name).map_or(0, |entry| entry.size_bytes);
            let last_contained_log_timestamp = self.read_snapshot_time(id)?;
            let info = SnapshotInfo { size_bytes, last_contained_log_timestamp };
            self.snapshots.insert(id, info);
        }
        Ok(())
    }

    /// A snapshot beyond the end of the log replaces all of it: it was fetched, and the log was to be cut when the node
    /// stopped.
    fn start_at_latest_snapshot(&mut self, now: Now) -> Result<(), StoreError> {
        let Some(latest) = self.latest_snapshot() else {
            return Ok(());
        };
        let epoch = self.log.leader_epochs().latest().map_or(LeaderEpoch(0), |entry| entry.epoch);
        let end_offset = self.log.log_end_offset();
        if latest.epoch > epoch || (latest.epoch == epoch && latest.end_offset > end_offset) {
            self.log.truncate_fully_and_start_at(latest.end_offset, now)?;
            self.forget_snapshots_before(latest, now)?;
        }
        Ok(())
    }

    /// The newest snapshot.
    pub fn latest_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.keys().next_back().copied()
    }

    /// Reads a whole snapshot.
    pub fn read_snapshot(&self, id: SnapshotId) -> Result<Checkpoint, StoreError> {
        let name = id.file_name();
        let bytes = self.disk.read_small(&self.directory.join(&name), SNAPSHOT_BYTES_MAX)?;
        let bytes = Bytes::from(bytes.unwrap_or_default());
        Checkpoint::decode(&bytes).map_err(|source| StoreError::Checkpoint { name, source })
    }

    /// The time of the last record in a snapshot, which its first batch names.
    fn read_snapshot_time(&self, id: SnapshotId) -> Result<Timestamp, StoreError> {
        let name = id.file_name();
        let map = self.disk.map(&self.directory.join(&name))?;
        let size_bytes = BatchHeader::parse(&map)?.size_bytes();
        let first = Bytes::copy_from_slice(map.get(..size_bytes).unwrap_or(&map));
        let mut found = None;
        batches::read(&first, |_, record| {
            let value = record.value.unwrap_or_default();
            let control = ControlRecord::decode(&record.key.unwrap_or_default(), &value)?;
            if let Some(ControlRecord::SnapshotHeader { last_contained_log_timestamp }) = control {
                found.get_or_insert(last_contained_log_timestamp);
            }
            Ok::<_, CheckpointError>(())
        })
        .and_then(|()| found.ok_or(CheckpointError::NoHeader))
        .map_err(|source| StoreError::Checkpoint { name, source })
    }

    /// What the node remembers of elections; none before the first.
    pub fn quorum_state(&self) -> Result<Option<QuorumState>, StoreError> {
        let path = self.directory.join(QUORUM_STATE);
        let bytes = self.disk.read_small(&path, QUORUM_STATE_BYTES_MAX)?;
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(text.map(|text| QuorumState::parse(&text)).transpose()?)
    }

    /// Replays the newest snapshot and the log after it.
    pub fn load(&mut self, image: &mut impl Replay) -> Result<Loaded, StoreError> {
        let mut loader = Loader::new(image);
        if let Some(id) = self.latest_snapshot() {
            let mut snapshot = self.read_snapshot(id)?;
            if id == SnapshotId::BOOTSTRAP {
                // Its metadata is no state yet: the first leader writes it into the log ([`read_bootstrap`]).
                snapshot.values.clear();
            }
            loader.snapshot(id, &snapshot)?;
        }
        let mut next = loader.from().max(self.log.log_start_offset());
        let limits = ReadLimits {
            max_bytes: REPLAY_BYTES,
            at_least_one_batch: true,
            up_to: self.log.log_end_offset(),
        };
        self.bytes_since_snapshot = 0;
        while next < limits.up_to {
            let (bytes, after) = self.read_whole_batches(next, limits)?;
            let Some(after) = after else {
                break;
            };
            loader.batches(&bytes)?;
            self.bytes_since_snapshot += bytes.len() as u64;
            next = after;
        }
        self.log.release();
        Ok(loader.finish())
    }

    /// The batches from `from` on that fit into the limits, and the offset after them.
    fn read_whole_batches(
        &mut self,
        from: Offset,
        limits: ReadLimits,
    ) -> Result<(Bytes, Option<Offset>), StoreError> {
        let plan = self.log.read(from, limits)?;
        let mut bytes = vec![0; plan.size_bytes as usize];
        let mut rest = &mut bytes[..];
        for range in &plan.ranges {
            let (into, after) = rest.split_at_mut(range.length_bytes as usize);
            range.source.read_exact_at(into, range.position)?;
            rest = after;
        }
        let bytes = Bytes::from(bytes);
        let (mut whole, mut after) = (0, None);
        for batch in Batches::new(bytes.clone()) {
            match batch {
                Ok(batch) => {
                    whole += batch.bytes.len();
                    after = Some(batch.header.last_offset().next());
                }
                Err(BatchError::Cut { .. } | BatchError::HeaderCut { .. }) if whole > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok((bytes.slice(..whole), after))
    }

    fn forget_snapshots_before(&mut self, id: SnapshotId, now: Now) -> io::Result<()> {
        let kept = self.snapshots.split_off(&id);
        let gone = std::mem::replace(&mut self.snapshots, kept);
        for id in gone.into_keys() {
            let from = self.directory.join(id.file_name());
            let to = self.directory.join(id.deleted_file_name());
            self.disk.rename(&from, &to)?;
            self.doomed.push((to, now.mono.after(DELETE_DELAY)));
        }
        Ok(())
    }

    fn clean_up(&mut self, now: Now) -> Result<(), StoreError> {
        while let Some(start) =
            self.limits.new_start(&self.snapshots, self.log.size_bytes(), now.wall)
        {
            if start.end_offset <= self.log.log_start_offset() {
                break;
            }
            self.log.delete_records_before(start.end_offset)?;
            self.log.retain(now, self.log.recovery_point())?;
            self.forget_snapshots_before(start, now)?;
        }
        let (due, wait): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.doomed).into_iter().partition(|(_, at)| *at <= now.mono);
        self.doomed = wait;
        for (path, _) in due {
            self.disk.remove(&path)?;
        }
        self.log.remove_due_files(now)?;
        Ok(())
    }
}

/// What a new cluster begins with: of the snapshot 0-0, where Kafka's `format` puts it from 4.4 on (KIP-1170), or of
/// `bootstrap.checkpoint` in the root of `log_dir`; none if neither has it.
pub fn read_bootstrap<D: Disk>(disk: &D, log_dir: &Path) -> Result<Option<Checkpoint>, StoreError> {
    let snapshot = SnapshotId::BOOTSTRAP.file_name();
    for path in [Path::new(METADATA_DIRECTORY).join(snapshot), BOOTSTRAP_CHECKPOINT.into()] {
        let bytes = disk.read_small(&log_dir.join(&path), SNAPSHOT_BYTES_MAX)?;
        let read = bytes.map(|bytes| Checkpoint::decode(&Bytes::from(bytes))).transpose();
        let name = path.display().to_string();
        let read = read.map_err(|source| StoreError::Checkpoint { name, source })?;
        if let Some(checkpoint) = read.filter(|checkpoint| !checkpoint.values.is_empty()) {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

impl<D: Disk> MetadataStore for Store<D> {
    fn end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    fn persist_quorum_state(&mut self, text: &str) -> io::Result<()> {
        let path = self.directory.join(QUORUM_STATE);
        self.disk.replace_small(&path, text.as_bytes(), Durability::Durable)
    }

    fn append(&mut self, batch: Bytes, now: Now) -> io::Result<()> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let batch = Batch::parse(&batch).map_err(|error| invalid(error.to_string()))?;
        if batch.header.base_offset != self.log.log_end_offset() {
            let base_offset = batch.header.base_offset;
            return Err(invalid(format!("a batch at {base_offset} does not follow the log")));
        }
        match self.log.append_as_follower(&batch, now) {
            Ok(()) => {
                self.bytes_since_snapshot += batch.bytes.len() as u64;
                Ok(())
            }
            Err(AppendError::Log(error)) => Err(into_io(error)),
            Err(refused) => Err(invalid(refused.to_string())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.log.flush().map(|_| ()).map_err(into_io)
    }

    fn is_snapshot_due(&self, now: Now) -> bool {
        self.limits.is_due(self.bytes_since_snapshot, self.snapshot_at, now.mono)
    }

    fn write_snapshot(
        &mut self,
        id: SnapshotId,
        last_contained: Timestamp,
        bytes: &[u8],
        now: Now,
    ) -> io::Result<()> {
        self.bytes_since_snapshot = 0;
        self.snapshot_at = now.mono;
        if self.snapshots.contains_key(&id) {
            return Ok(());
        }
        let partial = self.directory.join(id.partial_file_name());
        self.disk.write_small(&partial, bytes)?;
        self.disk.open(&partial, OpenMode::Existing)?.sync()?;
        self.disk.set_read_only(&partial)?;
        self.disk.rename(&partial, &self.directory.join(id.file_name()))?;
        self.disk.sync_directory(&self.directory)?;
        let info = SnapshotInfo {
            size_bytes: bytes.len() as u64,
            last_contained_log_timestamp: last_contained,
        };
        self.snapshots.insert(id, info);
        Ok(())
    }

    fn clean(&mut self, now: Now) -> io::Result<()> {
        self.clean_up(now).map_err(io::Error::other)
    }

    fn close(&mut self, _now: Now) -> io::Result<()> {
        self.log.close().map_err(into_io)
    }
}

fn into_io(error: LogError) -> io::Error {
    match error {
        LogError::Io(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
