//! The groups of a shard, when each is to be looked at, and what they weigh.
//!
//! A group has one timer here: the earliest point at which something of it may be due. It moves forward at once when
//! something earlier comes up, and back only when it has fired and the group was looked at: a heartbeat, which puts
//! off the end of a session, leaves the timers as they are.
//!
//! What clients can fill has a bound of bytes, in two parts. Strangers are ids that were handed out and have not been
//! used to join, and groups that have never had a member: they cost a client nothing (KIP-394), so their part is
//! small, and they are forgotten after a session timeout, the groups at the next clean-up.

use std::collections::BTreeSet;
use std::ops::{Add, Sub};
use std::sync::Arc;

use super::classic::ClassicGroup;
use super::consumer::LiveGroup;
use crate::types::seeded_map::SeededMap;
use crate::types::time::{Mono, Timestamp};

/// How many bytes the members of a shard's groups may take.
pub const MEMBERS_BYTES_MAX: usize = 32 << 20;
/// How many bytes the strangers of a shard may take.
pub const STRANGERS_BYTES_MAX: usize = 1 << 20;

/// How many bytes something takes, roughly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Members, and groups that have had any.
    pub members: usize,
    /// Ids which nobody has joined with, and groups which nobody has joined.
    pub strangers: usize,
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { members: self.members + other.members, strangers: self.strangers + other.strangers }
    }
}

impl Sub for Weight {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            members: self.members.saturating_sub(other.members),
            strangers: self.strangers.saturating_sub(other.strangers),
        }
    }
}

/// A group of one of the kinds.
#[derive(Debug)]
pub enum Group {
    /// Its members agree among themselves, or there are none: it only has offsets.
    Classic(Box<ClassicGroup>),
    /// Its members are told what they have (KIP-848).
    Consumer(Box<LiveGroup>),
}

impl Group {
    /// Its id, of which there is one copy.
    fn id(&self) -> &Arc<str> {
        match self {
            Self::Classic(group) => group.id(),
            Self::Consumer(group) => group.id(),
        }
    }

    /// Whether members subscribe to a topic.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.hard().is_subscribed_to(topic),
        }
    }

    fn earliest(&self) -> Option<Mono> {
        match self {
            Self::Classic(group) => group.earliest(),
            Self::Consumer(group) => group.earliest(),
        }
    }

    fn weight(&self) -> Weight {
        match self {
            Self::Classic(group) => group.weight(),
            Self::Consumer(group) => group.weight(),
        }
    }
}

#[derive(Debug)]
struct Slot {
    group: Group,
    /// Where it stands in `deadlines`.
    armed: Option<Mono>,
    /// What was counted for it.
    weight: Weight,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Groups {
    slots: SeededMap<Arc<str>, Slot>,
    deadlines: BTreeSet<(Mono, Arc<str>)>,
    weight: Weight,
}

impl Groups {
    /// A group.
    pub fn get(&self, id: &str) -> Option<&Group> {
        self.slots.get(id).map(|slot| &slot.group)
    }

    /// A group, if it is classic.
    pub fn classic(&self, id: &str) -> Option<&ClassicGroup> {
        match self.get(id)? {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) => None,
        }
    }

    /// Does something with a group, if there is one, and takes note of what came of it.
    pub fn update<T>(&mut self, id: &str, act: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let slot = self.slots.get_mut(id)?;
        let result = act(&mut slot.group);
        let weight = slot.group.weight();
        if weight != slot.weight {
            self.weight = self.weight - slot.weight + weight;
            slot.weight = weight;
        }
        let earliest = slot.group.earliest();
        if earliest.is_some_and(|earliest| slot.armed.is_none_or(|armed| earliest < armed)) {
            let armed = std::mem::replace(&mut slot.armed, earliest);
            self.rearm(id, armed, earliest);
        }
        Some(result)
    }

    /// Does something with a group, if there is one and it is classic.
    pub fn update_classic<T>(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut ClassicGroup) -> T,
    ) -> Option<T> {
        self.update(id, |group| match group {
            Group::Classic(group) => Some(act(group)),
            Group::Consumer(_) => None,
        })?
    }

    /// Puts a group in the place of whatever has its id.
    pub fn insert(&mut self, group: Group) {
        let id = Arc::clone(group.id());
        self.remove(&id);
        let slot = Slot { group, armed: None, weight: Weight::default() };
        self.slots.insert(Arc::clone(&id), slot);
        self.update(&id, |_| ());
    }

    /// Offsets of a group are in the log. If there is no group this makes one that has nothing else: what a commit without
    /// a member does.
    pub fn ensure_simple(&mut self, id: &str, now: Timestamp) {
        match self.get(id) {
            None => self.insert(Group::Classic(Box::new(ClassicGroup::simple(id, now)))),
            Some(Group::Classic(group)) if !group.has_committed() => {
                self.update_classic(id, ClassicGroup::committed);
            }
            Some(_) => {}
        }
    }

    /// Forgets a group.
    pub fn remove(&mut self, id: &str) -> Option<Group> {
        let (key, slot) = self.slots.remove_entry(id)?;
        self.weight = self.weight - slot.weight;
        if let Some(armed) = slot.armed {
            self.deadlines.remove(&(armed, key));
        }
        Some(slot.group)
    }

    /// The ids of all groups, in their order.
    pub fn ids(&self) -> Vec<Arc<str>> {
        let mut ids: Vec<_> = self.slots.keys().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// All groups, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Group)> {
        let mut all: Vec<_> = self.slots.iter().map(|(id, slot)| (id, &slot.group)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter()
    }

    /// What all groups weigh.
    pub const fn weight(&self) -> Weight {
        self.weight
    }

    /// When [`Self::take_due`] will find something.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A group of which something may be due. Its timer is off until it is [updated](Self::update).
    pub fn take_due(&mut self, now: Mono) -> Option<Arc<str>> {
        if self.next_deadline()? > now {
            return None;
        }
        let (_, id) = self.deadlines.pop_first()?;
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.armed = None;
        }
        Some(id)
    }

    fn rearm(&mut self, id: &str, from: Option<Mono>, to: Option<Mono>) {
        let Some((key, _)) = self.slots.get_key_value(id) else { return };
        let key = Arc::clone(key);
        if let Some(from) = from {
            self.deadlines.remove(&(from, Arc::clone(&key)));
        }
        if let Some(to) = to {
            self.deadlines.insert((to, key));
        }
    }
}
