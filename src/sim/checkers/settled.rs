//! In the end nothing hangs: who was left alone for long enough is stable, no transaction is open, nothing is unstable, and
//! nobody waits.

use crate::kernel::groups::classic::State;
use crate::kernel::groups::consumer::ConsumerGroup;
use crate::kernel::groups::table::Group;
use crate::sim::clients::Clients;
use crate::sim::topics::{self, NAMES};
use crate::sim::world::Node;
use crate::types::ids::PartitionId;

/// All of it.
pub fn check(node: &Node, clients: &Clients) -> Result<(), String> {
    for (partition, shard) in &node.groups {
        let Some(machine) = shard.machine() else {
            return Err(format!("the groups of partition {partition} are not there"));
        };
        for (id, group) in machine.groups().iter() {
            match group {
                Group::Classic(group) => {
                    if !matches!(group.state(), State::Stable | State::Empty) {
                        return Err(format!("{id} is {:?} in the end", group.state()));
                    }
                }
                Group::Consumer(group) => check_consumer(id, group.hard(), node)?,
            }
        }
    }
    for (partition, shard) in &node.transactions {
        let Some(machine) = shard.machine() else {
            return Err(format!("the transactions of partition {partition} are not there"));
        };
        for (id, transaction) in machine.known() {
            if !transaction.state.is_idle() {
                return Err(format!("{id} hangs: {transaction:?}"));
            }
        }
    }
    for ((topic, at), log) in &node.logs {
        let (stable, end) = (log.last_stable_offset(), log.end());
        if stable != end {
            return Err(format!("{}-{at} is stable up to {stable:?} of {end:?}", NAMES[*topic]));
        }
    }
    for member in clients.members() {
        if !member.is_settled() {
            return Err(format!("a member is never done: {}", member.show()));
        }
    }
    for producer in clients.producers() {
        if let Some(what) = producer.hangs() {
            return Err(format!("a producer is never done: {what}"));
        }
    }
    Ok(())
}

fn check_consumer(id: &str, group: &ConsumerGroup, node: &Node) -> Result<(), String> {
    let state = group.state().name();
    if !matches!(state, "Stable" | "Empty") {
        return Err(format!("{id} is {state} in the end: {group:?}"));
    }
    // A classic group that has become this one brings the assignment that its leader made, of the partitions which that one
    // knew; others wait for the next change, as in Kafka.
    let is_inherited = group.assignment_timestamp().0 == 0;
    if group.members().is_empty() || is_inherited {
        return Ok(());
    }
    for (topic, name) in NAMES.iter().enumerate() {
        let Some(image) = node.image.topics.named(name).filter(|_| group.is_subscribed_to(name))
        else {
            continue;
        };
        for at in 0..topics::partitions(&node.image, topic) {
            if !group.is_owned(image.id, PartitionId(at)) {
                return Err(format!("nobody of {id} has {name}-{at}: {group:?}"));
            }
        }
    }
    Ok(())
}
