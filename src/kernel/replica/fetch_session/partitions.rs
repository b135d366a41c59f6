//! The partitions of a session: a hash table that remembers an order.
//!
//! Partitions stand in a list in the order in which they came, and those that gave records go to its end, so that a
//! limit on the answer's size starves none. The list and the table share one array; nothing is allocated by a lookup,
//! an update or a move.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use hashbrown::HashTable;
use kafka_protocol::protocol::StrBytes;

use crate::types::ids::{PartitionId, TopicId};
use crate::types::offset::Offset;
use crate::types::seeded_map::Seed;
use crate::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};

/// A topic as a session holds it: by id from Fetch 13 on, by name before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicKey {
    /// By id.
    Id(TopicId),
    /// By name.
    Name(StrBytes),
}

/// A topic as a request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef<'a> {
    /// By id.
    Id(TopicId),
    /// By name.
    Name(&'a str),
}

impl TopicKey {
    /// The same, borrowed.
    pub fn as_ref(&self) -> TopicRef<'_> {
        match self {
            Self::Id(id) => TopicRef::Id(*id),
            Self::Name(name) => TopicRef::Name(name),
        }
    }
}

impl<'a> TopicRef<'a> {
    /// What a request says: the id, or the name where there is no id.
    pub fn of(id: TopicId, name: &'a str) -> Self {
        if name.is_empty() { Self::Id(id) } else { Self::Name(name) }
    }

    /// The same in memory of its own, not in the request's frame.
    pub fn to_key(self) -> TopicKey {
        match self {
            Self::Id(id) => TopicKey::Id(id),
            Self::Name(name) => TopicKey::Name(StrBytes::from_string(name.to_owned())),
        }
    }
}

/// Where a partition stands; good until the partition is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// The end of the list, and of the free places.
const NOWHERE: u32 = u32::MAX;

/// One partition of a session.
#[derive(Clone, Debug)]
pub struct SessionPartition {
    /// Its topic.
    pub topic: TopicKey,
    /// What the client asks of it.
    pub asked: FetchPartition,
    /// What the client was told.
    pub high_watermark: Offset,
    /// What the client was told.
    pub log_start_offset: Offset,
}

#[derive(Clone, Debug)]
struct Node {
    /// None where a partition was removed.
    partition: Option<SessionPartition>,
    before: u32,
    /// The next in the list, or the next free place.
    after: u32,
}

/// The partitions of a session, in order.
#[derive(Clone, Debug)]
pub struct SessionPartitions {
    nodes: Vec<Node>,
    places: HashTable<u32>,
    seed: Seed,
    first: u32,
    last: u32,
    free: u32,
}

impl Default for SessionPartitions {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl SessionPartitions {
    /// None yet.
    pub fn with_capacity(count: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(count),
            places: HashTable::with_capacity(count),
            seed: Seed::default(),
            first: NOWHERE,
            last: NOWHERE,
            free: NOWHERE,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &SessionPartition)> {
        let mut next = self.first;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next as usize)?;
            let place = Place(next);
            next = node.after;
            Some((place, node.partition.as_ref()?))
        })
    }

    /// The partition at a place.
    pub fn at(&self, place: Place) -> Option<&SessionPartition> {
        self.nodes.get(place.0 as usize)?.partition.as_ref()
    }

    /// The partition at a place.
    pub fn at_mut(&mut self, place: Place) -> Option<&mut SessionPartition> {
        self.nodes.get_mut(place.0 as usize)?.partition.as_mut()
    }

    /// Takes up what a request asks for and what it does not want any more.
    pub fn update(&mut self, request: &FetchRequest) {
        self.want(&request.topics);
        for topic in &request.forgotten {
            for index in &topic.partitions {
                self.remove(TopicRef::of(topic.id, &topic.name), *index);
            }
        }
    }

    /// Takes up what a request asks for: the last word counts where a partition is named more than once.
    pub fn want(&mut self, topics: &[FetchTopic]) {
        for topic in topics {
            let named = TopicRef::of(topic.id, &topic.name);
            // One copy of the name for all new partitions of the topic.
            let mut key = None;
            for asked in &topic.partitions {
                let found = self.find(named, asked.index);
                if let Some(partition) = found.and_then(|place| self.at_mut(place)) {
                    partition.asked = *asked;
                } else {
                    let key: &TopicKey = key.get_or_insert_with(|| named.to_key());
                    self.push(key.clone(), *asked);
                }
            }
        }
    }

    /// Adds a partition that is not there yet.
    pub fn push(&mut self, topic: TopicKey, asked: FetchPartition) -> Place {
        let hash = hash_of(&self.seed, topic.as_ref(), asked.index);
        let unknown = Offset::UNKNOWN;
        let partition =
            SessionPartition { topic, asked, high_watermark: unknown, log_start_offset: unknown };
        let node = Node { partition: Some(partition), before: NOWHERE, after: NOWHERE };
        let mut place = self.free;
        if let Some(free) = self.nodes.get_mut(place as usize) {
            self.free = std::mem::replace(free, node).after;
        } else {
            place = self.nodes.len() as u32;
            self.nodes.push(node);
        }
        self.link_last(place);
        let (nodes, seed) = (&self.nodes, &self.seed);
        self.places.insert_unique(hash, place, |place| hash_at(nodes, seed, *place));
        Place(place)
    }

    /// Moves a partition behind all others.
    pub fn move_to_end(&mut self, place: Place) {
        if self.last != place.0 && self.at(place).is_some() {
            self.unlink(place.0);
            self.link_last(place.0);
        }
    }

    fn find(&self, topic: TopicRef<'_>, index: PartitionId) -> Option<Place> {
        let hash = hash_of(&self.seed, topic, index);
        self.places.find(hash, |place| is_at(&self.nodes, *place, topic, index)).copied().map(Place)
    }

    fn remove(&mut self, topic: TopicRef<'_>, index: PartitionId) {
        let hash = hash_of(&self.seed, topic, index);
        let nodes = &self.nodes;
        let found = self.places.find_entry(hash, |place| is_at(nodes, *place, topic, index));
        let Ok(found) = found else { return };
        let (place, _) = found.remove();
        self.unlink(place);
        if let Some(node) = self.nodes.get_mut(place as usize) {
            *node = Node { partition: None, before: NOWHERE, after: self.free };
            self.free = place;
        }
    }

    fn unlink(&mut self, place: u32) {
        let Some(node) = self.nodes.get(place as usize) else { return };
        let (before, after) = (node.before, node.after);
        match self.nodes.get_mut(before as usize) {
            Some(node) => node.after = after,
            None => self.first = after,
        }
        match self.nodes.get_mut(after as usize) {
            Some(node) => node.before = before,
            None => self.last = before,
        }
    }

    fn link_last(&mut self, place: u32) {
        let before = std::mem::replace(&mut self.last, place);
        match self.nodes.get_mut(before as usize) {
            Some(node) => node.after = place,
            None => self.first = place,
        }
        if let Some(node) = self.nodes.get_mut(place as usize) {
            (node.before, node.after) = (before, NOWHERE);
        }
    }
}

fn hash_of(seed: &Seed, topic: TopicRef<'_>, index: PartitionId) -> u64 {
    let mut hasher = seed.build_hasher();
    topic.hash(&mut hasher);
    index.hash(&mut hasher);
    hasher.finish()
}

fn hash_at(nodes: &[Node], seed: &Seed, place: u32) -> u64 {
    let partition = nodes.get(place as usize).and_then(|node| node.partition.as_ref());
    partition.map_or(0, |it| hash_of(seed, it.topic.as_ref(), it.asked.index))
}

fn is_at(nodes: &[Node], place: u32, topic: TopicRef<'_>, index: PartitionId) -> bool {
    let partition = nodes.get(place as usize).and_then(|node| node.partition.as_ref());
    partition.is_some_and(|it| it.asked.index == index && it.topic.as_ref() == topic)
}
