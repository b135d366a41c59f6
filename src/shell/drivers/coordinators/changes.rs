//! What a new image makes of the shards: they come and go with leadership, and hear of what changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::shard::Shard;
use super::{Coordinator, Shards};
use crate::kernel::machine::{Machine, ShardId};
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{Image, TopicImage};
use crate::types::time::Now;

/// Someone who is told of each image before it is published, after the partitions.
pub trait FollowsMetadata: Send + Sync {
    /// There is a new image; `changes` is what it changed. The first one is taken whole.
    fn apply(&self, image: &Arc<Image>, changes: &Changes, now: Now);
}

impl<M: Machine> FollowsMetadata for Coordinator<M> {
    fn apply(&self, image: &Arc<Image>, changes: &Changes, now: Now) {
        // Before the shards are told: one that begins to work meanwhile works with it.
        self.world.image.store(Arc::clone(image));
        let name = self.world.topic.name;
        let topic = image.topics.named(name);
        let count = topic.map_or(0, |topic| topic.partitions.len() as i32);
        self.world.partition_count.store(count, Ordering::Release);
        let before = self.shards.load_full();
        if !self.is_started.swap(true, Ordering::AcqRel) || concerns(topic, name, changes) {
            self.change_shards(topic, &before, now);
        }
        if M::is_concerned_by(changes) {
            let after = self.shards.load_full();
            for (partition, shard) in &*before {
                if after.get(partition).is_some_and(|now_there| Arc::ptr_eq(now_there, shard)) {
                    self.after(shard, shard.on_image(&self.world, changes, now));
                }
            }
        }
    }
}

/// Whether the partitions of the topic changed, or it has gone.
fn concerns(topic: Option<&Arc<TopicImage>>, name: &str, changes: &Changes) -> bool {
    let is_of_topic = |topic: &Arc<TopicImage>| {
        changes.partitions_changed.iter().any(|(changed, _)| *changed == topic.id)
    };
    topic.is_some_and(is_of_topic)
        || changes.topics_deleted.iter().any(|topic| topic.name.as_str() == name)
}

impl<M: Machine> Coordinator<M> {
    fn change_shards(&self, topic: Option<&Arc<TopicImage>>, before: &Shards<M>, now: Now) {
        let (mut shards, mut new) = (Shards::new(), Vec::new());
        let partitions = topic.into_iter().flat_map(|topic| {
            topic.partitions.iter().map(|(id, registration)| (topic.id, *id, registration))
        });
        for (topic_id, partition, registration) in partitions {
            if registration.leader != self.world.node {
                continue;
            }
            let Some(log) = self.world.partitions.get(topic_id, partition) else {
                continue;
            };
            let id = ShardId { partition, leader_epoch: registration.leader_epoch };
            let known = before.get(&partition).filter(|shard| shard.is_of(id, &log));
            let shard = known.cloned().unwrap_or_else(|| {
                let shard = Arc::new(Shard::new(id, log, &self.world));
                new.push(Arc::clone(&shard));
                shard
            });
            shards.insert(partition, shard);
        }
        for (partition, shard) in before {
            if shards.get(partition).is_none_or(|kept| !Arc::ptr_eq(kept, shard)) {
                shard.close();
            }
        }
        self.shards.store(Arc::new(shards));
        for shard in new {
            if shard.is_log_empty() {
                self.load(&shard, &|| now);
            } else {
                self.load_later(&shard);
            }
        }
    }
}
