//! What a new image makes of the partitions of this node: logs are made and opened, roles change, what is deleted
//! goes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::coming::{Coming, fated, put_aside};
use super::directory::by_directory;
use super::partition::{Identity, lock};
use super::settings::{self, Settings};
use super::{Control, Key, LogDirectory, Partition, Partitions};
use crate::kernel::log::file_names::DirectoryFate;
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{Image, PartitionRegistration, TopicImage};
use crate::shell::tasks::side_by_side;
use crate::types::ids::{DirectoryId, NodeId, TopicId};
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
            self.checkpoint_cleaned_of(directory);
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
        let mut coming = Vec::new();
        // Partitions of one topic come one after the other, and share their configuration.
        let mut of_topic: Option<(TopicId, Settings)> = None;
        for (topic_id, id) in changed {
            let Some(topic) = image.topics.of_id(topic_id) else {
                continue;
            };
            let Some(registration) = topic.partitions.get(&id) else {
                continue;
            };
            if !registration.replicas.contains(&self.node) {
                self.leave((topic_id, id), control, now);
                continue;
            }
            if let Some(partition) = self.get(topic_id, id) {
                partition.change_role(self.node, registration);
                continue;
            }
            let settings = match of_topic.take() {
                Some((of, settings)) if of == topic_id => settings,
                _ => control.inherited.of_topic(image, topic.name.as_str()),
            };
            let identity = Identity { topic: topic.name.clone(), topic_id, id };
            coming.push(self.coming(identity, registration, settings.clone(), control));
            of_topic = Some((topic_id, settings));
        }
        if !coming.is_empty() {
            let new = self.enter(coming, control, now);
            let mut by_key = self.by_key.write().unwrap_or_else(PoisonError::into_inner);
            by_key.extend(new);
        }
    }

    /// A partition is to be here: where, and what the last run left of it.
    fn coming<'a>(
        &'a self,
        identity: Identity,
        registration: &'a PartitionRegistration,
        settings: Settings,
        control: &mut Control,
    ) -> Coming<'a> {
        let key = (identity.topic.clone(), identity.id);
        if control.gone.contains(&key) {
            self.forget_the_gone(control);
        }
        let found = control.found.remove(&key);
        let directory = match found {
            Some(index) => &self.directories[index],
            None => self.directory_for(registration),
        };
        directory.count_up();
        let left = found.and_then(|index| control.left.get(index));
        let cleaned_to = left.and_then(|left| left.cleaned_to(&identity.topic, identity.id));
        let left = left.map(|left| left.of(&identity.topic, identity.id));
        Coming { directory, identity, registration, settings, left, cleaned_to }
    }

    /// Partitions are here now: their logs are opened if the disk has them, and made otherwise.
    fn enter(
        &self,
        coming: Vec<Coming<'_>>,
        control: &Control,
        now: Now,
    ) -> Vec<(Key, Arc<Partition>)> {
        // To make a log takes less time than to start a thread that makes it.
        let is_opening = coming.iter().any(|coming| coming.left.is_some());
        let threads = if is_opening { control.inherited.recovery_threads() } else { 1 };
        let by_directory = by_directory(&self.directories, coming, |coming| coming.directory);
        let entered = side_by_side("recovery", by_directory.len(), &by_directory, |(_, coming)| {
            side_by_side("recovery", threads, coming, |coming| {
                let key = (coming.identity.topic_id, coming.identity.id);
                (key, Arc::new(coming.enter(self.node, now)))
            })
        });
        entered.into_iter().flatten().collect()
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

/// The directory that the controller has assigned to this node's replica.
fn assigned_directory(node: NodeId, registration: &PartitionRegistration) -> Option<DirectoryId> {
    let place = registration.replicas.iter().position(|replica| *replica == node)?;
    registration.directories.get(place).copied()
}
