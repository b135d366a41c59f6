//! Generations of classic groups, epochs of consumer groups and of their members rise, for as long as a shard is led in one
//! term of office and the group is there. A group that changes its kind goes on from where it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::sim::sometimes::{Counters, Sometimes};

/// See the module.
#[derive(Debug, Default)]
pub struct Generations {
    groups: BTreeMap<(i32, Arc<str>), Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    generation: i32,
    is_consumer: bool,
    members: BTreeMap<String, i32>,
    is_empty: bool,
}

impl Generations {
    /// All groups of a shard, as they are now.
    pub fn check(
        &mut self,
        partition: i32,
        machine: &GroupShard,
        counters: &mut Counters,
    ) -> Result<(), String> {
        self.groups.retain(|(of, id), _| *of != partition || machine.groups().get(id).is_some());
        for (id, group) in machine.groups().iter() {
            let key = (partition, Arc::clone(id));
            let is_new = !self.groups.contains_key(&key);
            let seen = self.groups.entry(key).or_default();
            seen.look(id, group, is_new, counters)?;
        }
        Ok(())
    }

    /// Shards are gone.
    pub fn forget(&mut self) {
        self.groups.clear();
    }
}

impl Seen {
    fn look(
        &mut self,
        id: &str,
        group: &Group,
        is_new: bool,
        counters: &mut Counters,
    ) -> Result<(), String> {
        let (generation, is_consumer) = match group {
            Group::Classic(group) => (group.generation(), false),
            Group::Consumer(group) => (group.hard().epoch(), true),
        };
        let is_empty = match group {
            Group::Classic(group) => group.is_empty(),
            Group::Consumer(group) => group.hard().members().is_empty(),
        };
        if !is_new && is_consumer != self.is_consumer && !is_empty && !self.is_empty {
            counters.hit(if is_consumer { Sometimes::Upgraded } else { Sometimes::Downgraded });
        }
        // An empty group of the one kind makes place for a new one of the other.
        let goes_on = !is_empty && !self.is_empty;
        let is_same_group = !is_new && (is_consumer == self.is_consumer || goes_on);
        if is_same_group && generation < self.generation {
            let before = self.generation;
            return Err(format!("the generation of {id} falls from {before} to {generation}"));
        }
        self.generation = generation;
        self.is_consumer = is_consumer;
        self.is_empty = is_empty;
        if !is_consumer {
            // Whoever comes back to a consumer group of that name begins anew.
            self.members.clear();
        }
        if let Group::Consumer(group) = group {
            self.members.retain(|id, _| group.hard().member(id).is_some());
            for (name, member) in group.hard().members() {
                let before = self.members.get(&**name).copied().unwrap_or(0);
                if before != member.epoch {
                    self.members.insert(String::from(&**name), member.epoch);
                }
                if before > 0 && member.epoch > 0 && member.epoch < before {
                    return Err(format!("the epoch of {name} falls to {}", member.epoch));
                }
            }
        }
        Ok(())
    }
}
