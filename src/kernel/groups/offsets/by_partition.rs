//! Values by group, topic and partition. A group or a topic without values is not there.
//!
//! Maps in maps, because all that is asked is asked of one group, mostly of one topic. The name of a topic is kept once,
//! however many groups have it. What is iterated has no order that means something: sort what can be seen from outside.

use hashbrown::hash_map::EntryRef;

use crate::types::ids::TopicName;
use crate::types::seeded_map::SeededMap;

/// The values of a topic, by the index of the partition.
pub type Partitions<V> = SeededMap<i32, V>;

/// The values of a group, by topic.
pub type Topics<V> = SeededMap<TopicName, Partitions<V>>;

/// See the module.
#[derive(Debug)]
pub struct ByPartition<V> {
    groups: SeededMap<String, Topics<V>>,
    /// Each topic with the number of groups that have it.
    names: SeededMap<TopicName, usize>,
    values: usize,
}

impl<V> Default for ByPartition<V> {
    fn default() -> Self {
        Self { groups: SeededMap::default(), names: SeededMap::default(), values: 0 }
    }
}

impl<V: PartialEq> PartialEq for ByPartition<V> {
    fn eq(&self, other: &Self) -> bool {
        self.groups == other.groups
    }
}

impl<V> ByPartition<V> {
    /// How many values there are.
    pub const fn count(&self) -> usize {
        self.values
    }

    /// All of a group, if it has any.
    pub fn group(&self, group: &str) -> Option<&Topics<V>> {
        self.groups.get(group)
    }

    /// The value of a partition.
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&V> {
        self.groups.get(group)?.get(topic)?.get(&partition)
    }

    /// Puts a value, and says what was there before.
    pub fn insert(&mut self, group: &str, topic: &str, partition: i32, value: V) -> Option<V> {
        let previous = self.partitions(group, topic).insert(partition, value);
        self.values += usize::from(previous.is_none());
        previous
    }

    /// The value of a partition, made where there is none.
    pub fn get_or_default(&mut self, group: &str, topic: &str, partition: i32) -> &mut V
    where
        V: Default,
    {
        if self.get(group, topic, partition).is_none() {
            self.values += 1;
        }
        self.partitions(group, topic).entry(partition).or_default()
    }

    /// The value of a partition, if there is one.
    pub fn get_mut(&mut self, group: &str, topic: &str, partition: i32) -> Option<&mut V> {
        self.groups.get_mut(group)?.get_mut(topic)?.get_mut(&partition)
    }

    /// Takes a value out.
    pub fn remove(&mut self, group: &str, topic: &str, partition: i32) -> Option<V> {
        let topics = self.groups.get_mut(group)?;
        let partitions = topics.get_mut(topic)?;
        let removed = partitions.remove(&partition)?;
        self.values -= 1;
        if partitions.is_empty() {
            topics.remove(topic);
            if topics.is_empty() {
                self.groups.remove(group);
            }
            self.forget(topic);
        }
        Some(removed)
    }

    /// Every value with where it is.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TopicName, i32, &V)> {
        self.groups.iter().flat_map(|(group, topics)| {
            topics.iter().flat_map(move |(topic, partitions)| {
                let partitions = partitions.iter();
                partitions.map(move |(&partition, value)| (group.as_str(), topic, partition, value))
            })
        })
    }

    /// The groups of which one has this topic.
    pub fn groups_with<'a>(
        &'a self,
        topic: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Partitions<V>)> {
        // Nobody has what has no name here.
        let groups = self.names.contains_key(topic).then(|| self.groups.iter());
        let groups = groups.into_iter().flatten();
        groups.filter_map(move |(group, topics)| Some((group.as_str(), topics.get(topic)?)))
    }

    fn partitions(&mut self, group: &str, topic: &str) -> &mut Partitions<V> {
        let topics = self.groups.entry_ref(group).or_default();
        match topics.entry_ref(topic) {
            EntryRef::Occupied(there) => there.into_mut(),
            EntryRef::Vacant(new) => {
                let known = self.names.get_key_value(topic).map(|(name, _)| name.clone());
                let name = known.unwrap_or_else(|| TopicName::new(topic));
                *self.names.entry(name.clone()).or_default() += 1;
                new.insert_entry_with_key(name, Partitions::default()).into_mut()
            }
        }
    }

    fn forget(&mut self, topic: &str) {
        if let Some(groups) = self.names.get_mut(topic) {
            *groups -= 1;
            if *groups == 0 {
                self.names.remove(topic);
            }
        }
    }
}
