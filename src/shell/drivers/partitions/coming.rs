//! A partition that comes to this node: its log is opened, or made, and it takes its first role.
//!
//! Nothing here looks at other partitions, so many may come side by side.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::partition::{Identity, log_error};
use super::settings::Settings;
use super::{LogDirectory, Partition};
use crate::kernel::log::disk::Disk as _;
use crate::kernel::log::file_names::{DirectoryFate, fated_directory, partition_directory};
use crate::kernel::log::recovery::LogStart;
use crate::kernel::log::{Log, LogError};
use crate::kernel::metadata::image::PartitionRegistration;
use crate::kernel::replica::leadership::Leadership;
use crate::shell::disk::files::Files;
use crate::shell::random::random_bytes;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId, TopicName};
use crate::types::offset::Offset;
use crate::types::time::Now;

/// Everything that a partition needs to come.
pub struct Coming<'a> {
    /// Where it lies.
    pub directory: &'a Arc<LogDirectory>,
    /// Who it is.
    pub identity: Identity,
    /// What the metadata says of it.
    pub registration: &'a PartitionRegistration,
    /// What it is configured with.
    pub settings: Settings,
    /// How the log that the last run left is to be opened, and its high watermark; none if there is no log yet.
    pub left: Option<(LogStart, Offset)>,
    /// Up to where the last run compacted it.
    pub cleaned_to: Option<Offset>,
}

impl Coming<'_> {
    /// Opens the log, or makes it. A log that cannot be opened makes a partition that says so.
    pub fn enter(&self, node: NodeId, now: Now) -> Partition {
        let mut log = if self.directory.is_offline() {
            Err(ErrorCode::KafkaStorageError)
        } else {
            let opened = match self.left {
                Some((start, _)) => self.open(start, now),
                None => self.create(now),
            };
            let Identity { topic, id, .. } = &self.identity;
            opened.map_err(|error| log_error(self.directory, topic, *id, "open a log in", &error))
        };
        let high_watermark = self.left.map_or(Offset::ZERO, |(_, high_watermark)| high_watermark);
        let mut leadership = Leadership::new(high_watermark);
        if let Ok(log) = &mut log {
            leadership.on_log_start(log.log_start_offset());
            leadership.cap(log.log_end_offset());
            // Its markers were read again, and the high watermark may have nowhere to move to from here.
            log.on_high_watermark(leadership.high_watermark());
        }
        let (directory, topic) = (Arc::clone(self.directory), Arc::clone(&self.settings.topic));
        let identity = self.identity.clone();
        let partition = Partition::new(identity, directory, topic, log, leadership, now.mono);
        partition.note_checkpointed(self.left.is_some());
        partition.change_role(node, self.registration);
        partition
    }

    fn path(&self) -> PathBuf {
        let name = partition_directory(self.identity.topic.as_str(), self.identity.id);
        self.directory.path().join(name)
    }

    fn create(&self, now: Now) -> Result<Log<Files>, LogError> {
        let (path, config) = (self.path(), Arc::clone(&self.settings.log));
        Log::create(Files, &path, self.identity.topic_id, config, now)
    }

    /// A directory of another topic of that name, which was deleted while this node was away, is put aside.
    fn open(&self, start: LogStart, now: Now) -> Result<Log<Files>, LogError> {
        let (path, config) = (self.path(), Arc::clone(&self.settings.log));
        let Identity { topic, topic_id, id } = &self.identity;
        match Log::open(Files, &path, *topic_id, config, start, now) {
            Ok((mut log, recovery)) => {
                log.set_cleaned_to(self.cleaned_to);
                if recovery.segments_read > 0 {
                    tracing::info!(%topic, partition = %id, ?recovery, "recovered the log");
                }
                Ok(log)
            }
            Err(LogError::TopicId { .. }) => {
                put_aside(self.directory, topic, *id);
                self.create(now)
            }
            Err(error) => Err(error),
        }
    }
}

/// The name of a partition's directory that waits for something else than being used.
pub fn fated(topic: &TopicName, id: PartitionId, fate: DirectoryFate) -> String {
    fated_directory(topic.as_str(), id, fate, Uuid::from_bytes(random_bytes()))
}

/// Renames a directory that is no replica of this node's, so that nothing is lost and nobody is misled.
pub fn put_aside(directory: &LogDirectory, topic: &TopicName, id: PartitionId) {
    let from = directory.path().join(partition_directory(topic.as_str(), id));
    let to = directory.path().join(fated(topic, id, DirectoryFate::Stray));
    if directory.failing("rename a stray in", rename(&from, &to)).is_some() {
        tracing::warn!(%topic, partition = %id, to = %to.display(), "put a stray log aside");
    }
}

fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    Files.rename(from, to)
}
