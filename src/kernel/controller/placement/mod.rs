//! Where the replicas of new partitions go: striped over racks and over the brokers of each rack.
//!
//! Kafka's `StripedReplicaPlacer`: the first replica is on an unfenced broker, each further one in the next rack;
//! brokers take turns, and once every broker was first, racks and brokers are shuffled.

use std::collections::BTreeMap;

use crate::kernel::controller::view::View;
use crate::types::ids::NodeId;

/// The source of chance: 16 random bytes at each call.
pub type Random<'a> = &'a mut dyn FnMut() -> [u8; 16];

/// A number below `bound`; 0 if there is none. The bytes are many more than a bound has, so that none is preferred.
fn below(bound: usize, random: Random<'_>) -> usize {
    let drawn = u128::from_be_bytes(random());
    drawn.checked_rem(bound as u128).unwrap_or(0) as usize
}

fn shuffle<T>(items: &mut [T], random: Random<'_>) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, random));
    }
}

/// Brokers that take turns.
#[derive(Debug, Default)]
struct Turns {
    brokers: Vec<NodeId>,
    epoch: usize,
    index: usize,
    offset: usize,
}

impl Turns {
    /// The next broker of this epoch; a new epoch begins one broker further.
    fn next(&mut self, epoch: usize) -> Option<NodeId> {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.index = 0;
            self.offset = (self.offset + 1).checked_rem(self.brokers.len())?;
        }
        if self.index >= self.brokers.len() {
            return None;
        }
        let place = (self.index + self.offset) % self.brokers.len();
        self.index += 1;
        self.brokers.get(place).copied()
    }
}

#[derive(Debug, Default)]
struct Rack {
    unfenced: Turns,
    fenced: Turns,
}

/// All racks, and whose turn it is.
struct Racks {
    in_turn: Vec<Rack>,
    unfenced_count: usize,
    total_count: usize,
    epoch: usize,
    offset: usize,
}

impl Racks {
    fn new(view: &View<'_>, random: Random<'_>) -> Self {
        let mut by_name: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        let (mut unfenced_count, mut total_count) = (0, 0);
        for broker in view.image.brokers.values() {
            let cordoned = broker.cordoned_log_dirs.as_deref().unwrap_or_default();
            let is_full = !broker.log_dirs.is_empty()
                && broker.log_dirs.iter().all(|directory| cordoned.contains(directory));
            if broker.in_controlled_shutdown || is_full {
                continue;
            }
            total_count += 1;
            let rack = by_name.entry(broker.rack.as_deref()).or_default();
            if broker.fenced {
                rack.fenced.brokers.push(broker.id);
            } else {
                unfenced_count += 1;
                rack.unfenced.brokers.push(broker.id);
            }
        }
        let mut racks: Vec<Rack> = by_name.into_values().collect();
        for turns in racks.iter_mut().flat_map(|rack| [&mut rack.fenced, &mut rack.unfenced]) {
            turns.offset = below(turns.brokers.len(), random);
        }
        let offset = below(racks.len(), random);
        Self { in_turn: racks, unfenced_count, total_count, epoch: 0, offset }
    }

    fn check(&self, replication_factor: i32) -> Result<(), String> {
        if replication_factor <= 0 {
            return Err(format!(
                "Invalid replication factor {replication_factor}: the replication factor must be positive."
            ));
        }
        if self.unfenced_count == 0 {
            return Err("All brokers are currently fenced, or have all their log directories \
                        cordoned."
                .to_owned());
        }
        if replication_factor as usize > self.total_count {
            return Err(format!(
                "The target replication factor of {replication_factor} cannot be reached because only {} broker(s) \
                 are registered or some brokers have all their log directories cordoned.",
                self.total_count
            ));
        }
        Ok(())
    }

    /// The replicas of the next partition; as many as asked for, since [`Self::check`] has counted the brokers.
    fn next(&mut self, replication_factor: usize, random: Random<'_>) -> Vec<NodeId> {
        if self.epoch == self.unfenced_count && self.unfenced_count > 1 {
            shuffle(&mut self.in_turn, random);
            for rack in &mut self.in_turn {
                shuffle(&mut rack.fenced.brokers, random);
                shuffle(&mut rack.unfenced.brokers, random);
            }
            self.epoch = 0;
        }
        let count = self.in_turn.len();
        self.offset %= count.max(1);
        let mut replicas = Vec::with_capacity(replication_factor);
        let mut first = None;
        for step in 0..count {
            let place = (self.offset + step) % count;
            let broker =
                self.in_turn.get_mut(place).and_then(|rack| rack.unfenced.next(self.epoch));
            if let Some(broker) = broker {
                replicas.push(broker);
                first = Some(place);
                break;
            }
        }
        // The rack of the first replica is passed over once. Each round of all racks finds a broker, or there is none.
        let mut place = self.offset;
        let mut misses = 0;
        while replicas.len() < replication_factor && misses <= count {
            let broker = if first == Some(place) {
                first = None;
                None
            } else {
                self.in_turn.get_mut(place).and_then(|rack| {
                    rack.unfenced.next(self.epoch).or_else(|| rack.fenced.next(self.epoch))
                })
            };
            misses = if broker.is_some() { 0 } else { misses + 1 };
            replicas.extend(broker);
            place = (place + 1) % count.max(1);
        }
        self.epoch += 1;
        self.offset += 1;
        replicas
    }
}

/// The replicas of each of so many new partitions; the text says why they cannot be placed. The caller bounds the count.
pub fn place(
    view: &View<'_>,
    partitions: usize,
    replication_factor: i16,
    random: Random<'_>,
) -> Result<Vec<Vec<NodeId>>, String> {
    let mut racks = Racks::new(view, random);
    racks.check(replication_factor.into())?;
    Ok((0..partitions).map(|_| racks.next(replication_factor as usize, random)).collect())
}

#[cfg(test)]
mod tests;
