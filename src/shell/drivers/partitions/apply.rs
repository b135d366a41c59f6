//! What a new image makes of the partitions of this node: logs are made and opened, roles change, what is deleted
//! goes.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use uuid::Uuid;

use super::partition::{Identity, lock, log_error};
use super::settings::{self, Settings};
use super::{Control, Key, LogDirectory, Partition, Partitions};
use crate::kernel::log::disk::Disk as _;
use crate::kernel::log::file_names::{DirectoryFate, fated_directory, partition_directory};
use crate::kernel::log::recovery::LogStart;
use crate::kernel::log::{Log, LogError};
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{Image, PartitionRegistration, TopicImage};
use crate::kernel::replica::leadership::Leadership;
use crate::shell::disk::files::Files;
use crate::shell::random::random_bytes;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicName};
use crate::types::offset::Offset;
use crate::types::time::Now;

/// So many names are remembered that checkpoints still speak of, before those are written anew.
const GONE_MAX: usize = 10_000;

impl Partitions {
    /// Makes of the partitions what `image` says; `changes` is what it changed. The first image is taken whole:
    /// what the disk has and it does not name is put aside.
    pub fn apply(&self, image: &Image, changes: &Changes, now: Now) {
        let mut control = lock(&self.control);
        let control = &mut *control;
        for topic in &changes.topics_deleted {
            for id in topic.partitions.keys() {
                self.leave((topic.id, *id), control, now);
            }
        }
        let is_first = !self.is_started();
        let inherits = |resource| settings::is_inherited(self.node, resource);
        if is_first || changes.configs_changed.iter().any(inherits) {
            control.inherited.change(self.node, image);
            lock(&self.schedule).change(control.inherited.broker());
            for topic in image.topics.by_id.values() {
                self.configure(topic, image, control);
            }
        }
        for resource in &changes.configs_changed {
            if resource.kind == settings::TOPIC
                && let Some(topic) = image.topics.named(&resource.name)
            {
                self.configure(topic, image, control);
            }
        }
        if is_first {
            let all = image.topics.by_id.values();
            let all = all.flat_map(|topic| topic.partitions.keys().map(|id| (topic.id, *id)));
            self.change_partitions(all, image, control, now);
            self.put_strays_aside(control);
            control.left = Vec::new();
            self.is_started.store(true, Ordering::Release);
        } else {
            let changed = changes.partitions_changed.iter().copied();
            self.change_partitions(changed, image, control, now);
        }
    }

    /// A checkpoint may not speak of a partition that is gone when one of its name comes: it would say of the new
    /// log what was true of the old one. Names seldom come again, so the checkpoints are written anew only then.
    fn forget_the_gone(&self, control: &mut Control) {
        control.gone.clear();
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            self.checkpoint_recovery_points_of(directory);
            self.checkpoint_log_starts_of(directory);
        }
    }

    fn configure(&self, topic: &TopicImage, image: &Image, control: &Control) {
        let settings = control.inherited.of_topic(image, topic.name.as_str());
        for id in topic.partitions.keys() {
            if let Some(partition) = self.get(topic.id, *id) {
                partition.set_config(Arc::clone(&settings.topic), Arc::clone(&settings.log));
            }
        }
    }

    fn change_partitions(
        &self,
        changed: impl Iterator<Item = Key>,
        image: &Image,
        control: &mut Control,
        now: Now,
    ) {
        let mut new = Vec::new();
        // Partitions of one topic come one after the other, and share their configuration.
        let mut of_topic: Option<(Key, Settings)> = None;
        for (topic_id, id) in changed {
            let Some(topic) = image.topics.of_id(topic_id) else {
                continue;
            };
            let Some(registration) = topic.partitions.get(&id) else {
                continue;
            };
            let key = (topic_id, id);
            if !registration.replicas.contains(&self.node) {
                self.leave(key, control, now);
                continue;
            }
            if let Some(partition) = self.get(topic_id, id) {
                partition.change_role(self.node, registration);
                continue;
            }
            let settings = match of_topic.take() {
                Some((of, settings)) if of.0 == topic_id => settings,
                _ => control.inherited.of_topic(image, topic.name.as_str()),
            };
            let identity = Identity { topic: topic.name.clone(), topic_id, id };
            let partition = self.enter(identity, registration, &settings, control, now);
            of_topic = Some((key, settings));
            new.push((key, Arc::new(partition)));
        }
        if !new.is_empty() {
            let mut by_key = self.by_key.write().unwrap_or_else(PoisonError::into_inner);
            by_key.extend(new);
        }
    }

    /// A partition is here now: its log is opened if the disk has it, and made otherwise.
    fn enter(
        &self,
        identity: Identity,
        registration: &PartitionRegistration,
        settings: &Settings,
        control: &mut Control,
        now: Now,
    ) -> Partition {
        let key = (identity.topic.clone(), identity.id);
        if control.gone.contains(&key) {
            self.forget_the_gone(control);
        }
        let found = control.found.remove(&key);
        let directory = match found {
            Some(index) => &self.directories[index],
            None => self.directory_for(registration),
        };
        let left = found.and_then(|index| control.left.get(index));
        let left = left.map(|left| left.of(&identity.topic, identity.id));
        let log = if directory.is_offline() {
            Err(ErrorCode::KafkaStorageError)
        } else {
            let opening = Opening { directory, identity: &identity, settings, now };
            let opened = match left {
                Some((start, _)) => opening.open(start),
                None => opening.create(),
            };
            opened.map_err(|error| {
                log_error(directory, &identity.topic, identity.id, "open a log in", &error)
            })
        };
        let mut leadership =
            Leadership::new(left.map_or(Offset::ZERO, |(_, high_watermark)| high_watermark));
        if let Ok(log) = &log {
            leadership.on_log_start(log.log_start_offset());
            leadership.cap(log.log_end_offset());
        }
        let (directory, topic) = (Arc::clone(directory), Arc::clone(&settings.topic));
        let partition = Partition::new(identity, directory, topic, log, leadership, now.mono);
        partition.note_checkpointed(found.is_some());
        partition.change_role(self.node, registration);
        partition
    }

    /// Where a new partition goes: where the controller has put it, or where there are fewest.
    fn directory_for(&self, registration: &PartitionRegistration) -> &Arc<LogDirectory> {
        let assigned = assigned_directory(self.node, registration);
        let online = || self.directories.iter().filter(|directory| !directory.is_offline());
        let fewest = || online().min_by_key(|directory| directory.partition_count());
        self.directories
            .iter()
            .find(|directory| Some(directory.id()) == assigned)
            .or_else(fewest)
            .unwrap_or(&self.directories[0])
    }

    /// A partition is here no more.
    fn leave(&self, key: Key, control: &mut Control, now: Now) {
        let removed = {
            let mut by_key = self.by_key.write().unwrap_or_else(PoisonError::into_inner);
            by_key.remove(&key)
        };
        let Some(partition) = removed else {
            return;
        };
        let directory = partition.directory();
        if partition.is_checkpointed() {
            control.gone.insert((partition.topic.clone(), partition.id));
            if control.gone.len() >= GONE_MAX {
                self.forget_the_gone(control);
            }
        }
        let name = fated(&partition.topic, partition.id, DirectoryFate::Delete);
        if let Some(path) = partition.leave(&name) {
            let delay_ms = partition.config().file_delete_delay_ms;
            control.doom(path, Arc::clone(directory), delay_ms, now);
        }
    }

    /// What no partition of this node has claimed.
    fn put_strays_aside(&self, control: &mut Control) {
        for ((topic, id), index) in std::mem::take(&mut control.found) {
            put_aside(&self.directories[index], &topic, id);
        }
    }
}

/// The log of a partition that comes.
struct Opening<'a> {
    directory: &'a LogDirectory,
    identity: &'a Identity,
    settings: &'a Settings,
    now: Now,
}

impl Opening<'_> {
    fn path(&self) -> std::path::PathBuf {
        let name = partition_directory(self.identity.topic.as_str(), self.identity.id);
        self.directory.path().join(name)
    }

    fn create(&self) -> Result<Log<Files>, LogError> {
        let (path, config) = (self.path(), Arc::clone(&self.settings.log));
        Log::create(Files, &path, self.identity.topic_id, config, self.now)
    }

    /// A directory of another topic of that name, which was deleted while this node was away, is put aside.
    fn open(&self, start: LogStart) -> Result<Log<Files>, LogError> {
        let (path, config) = (self.path(), Arc::clone(&self.settings.log));
        let Identity { topic, topic_id, id } = self.identity;
        match Log::open(Files, &path, *topic_id, config, start, self.now) {
            Ok((log, recovery)) => {
                if recovery.segments_read > 0 {
                    tracing::info!(%topic, partition = %id, ?recovery, "recovered the log");
                }
                Ok(log)
            }
            Err(LogError::TopicId { .. }) => {
                put_aside(self.directory, topic, *id);
                self.create()
            }
            Err(error) => Err(error),
        }
    }
}

/// The directory that the controller has assigned to this node's replica.
fn assigned_directory(node: NodeId, registration: &PartitionRegistration) -> Option<DirectoryId> {
    let place = registration.replicas.iter().position(|replica| *replica == node)?;
    registration.directories.get(place).copied()
}

fn fated(topic: &TopicName, id: PartitionId, fate: DirectoryFate) -> String {
    fated_directory(topic.as_str(), id, fate, Uuid::from_bytes(random_bytes()))
}

/// Renames a directory that is no replica of this node's, so that nothing is lost and nobody is misled.
fn put_aside(directory: &LogDirectory, topic: &TopicName, id: PartitionId) {
    let from = directory.path().join(partition_directory(topic.as_str(), id));
    let to = directory.path().join(fated(topic, id, DirectoryFate::Stray));
    if directory.failing("rename a stray in", rename(&from, &to)).is_some() {
        tracing::warn!(%topic, partition = %id, to = %to.display(), "put a stray log aside");
    }
}

fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    Files.rename(from, to)
}
