//! A partition has one owner, and a static member's name one holder.

use std::collections::BTreeMap;

use crate::kernel::groups::consumer::ConsumerGroup;
use crate::kernel::groups::consumer::member::ConsumerGroupMember;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::types::ids::{PartitionId, TopicId};

/// All groups of a shard, as they are now.
pub fn check(machine: &GroupShard) -> Result<(), String> {
    for (id, group) in machine.groups().iter() {
        match group {
            Group::Classic(group) => group.assert_consistent(),
            Group::Consumer(group) => check_group(id, group.hard())?,
        }
    }
    Ok(())
}

fn check_group(id: &str, group: &ConsumerGroup) -> Result<(), String> {
    if group.assignment_epoch() > group.epoch() {
        return Err(format!("the target of {id} is ahead of the group"));
    }
    check_members(id, group.members().values().map(Box::as_ref))
}

/// Members of a group.
pub fn check_members<'a>(
    id: &str,
    members: impl Iterator<Item = &'a ConsumerGroupMember>,
) -> Result<(), String> {
    let mut owners: BTreeMap<(TopicId, PartitionId), &str> = BTreeMap::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for member in members {
        let all = member.assigned.iter().chain(&member.pending_revocation);
        for (topic, partitions) in all {
            for partition in partitions.keys() {
                if let Some(other) = owners.insert((*topic, *partition), &member.id) {
                    let owner = &member.id;
                    return Err(format!("{other} and {owner} of {id} own partition {partition}"));
                }
            }
        }
        if let Some(name) = &member.instance_id
            && let Some(other) = names.insert(name, &member.id)
        {
            return Err(format!("{other} and {} of {id} are both {name}", member.id));
        }
    }
    Ok(())
}
