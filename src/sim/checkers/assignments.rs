//! What members of a classic group are assigned in one generation: no partition goes to two of them, and nobody is told now
//! this and now that.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::kernel::groups::shard::GroupShard;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::wire::coordinator_records::consumer_protocol::ConsumerProtocolAssignment;

/// What a group is called to be whose members have their assignments.
const STABLE: &str = "Stable";

/// Who asks.
#[derive(Clone, Debug)]
pub struct Whose {
    group: String,
    generation: i32,
    /// A static member's name, under which another may come back to the same; else its id.
    member: String,
    id: String,
}

#[cfg(test)]
impl Whose {
    /// This member of that group.
    pub fn of(group: &str, generation: i32, member: &str) -> Self {
        let owned = str::to_owned;
        Self { group: owned(group), generation, member: owned(member), id: owned(member) }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Assignments {
    given: BTreeMap<(String, i32), BTreeMap<String, (String, Bytes)>>,
}

/// Who asks with this SyncGroup, if the group is a classic one.
pub fn whose(machine: &GroupShard, request: &SyncGroupRequest) -> Option<Whose> {
    machine.groups().classic(&request.group_id)?;
    let member = request.group_instance_id.as_ref().unwrap_or(&request.member_id).to_string();
    let (group, generation) = (request.group_id.to_string(), request.generation_id);
    Some(Whose { group, generation, member, id: request.member_id.to_string() })
}

impl Assignments {
    /// Groups that are there no more, or no classic ones, are forgotten: one of the same name begins anew.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.given.retain(|(group, _), _| is_there(group));
    }

    /// An assignment leaves.
    pub fn check(
        &mut self,
        whose: &Whose,
        response: &SyncGroupResponse,
        counters: &mut Counters,
    ) -> Result<(), String> {
        if response.error_code != 0 {
            return Ok(());
        }
        let Whose { group, generation, member, id } = whose;
        let given = self.given.entry((group.clone(), *generation)).or_default();
        if let Some((before_id, before)) = given.get(member) {
            if before_id != id {
                counters.hit(Sometimes::StaticReplaced);
            }
            if *before == response.assignment {
                return Ok(());
            }
            return Err(format!("{member} of {group} is assigned two things at {generation}"));
        }
        let own = partitions(&response.assignment);
        for (other, (_, assignment)) in given.iter() {
            if partitions(assignment).iter().any(|it| own.contains(it)) {
                return Err(format!("{member} and {other} of {group} have the same partition"));
            }
        }
        given.insert(member.clone(), (id.clone(), response.assignment.clone()));
        Ok(())
    }

    /// A group is described, which was in that generation.
    pub fn check_described(
        &self,
        (group, generation): (&str, i32),
        described: &[DescribedGroup],
        counters: &mut Counters,
    ) -> Result<(), String> {
        let Some(given) = self.given.get(&(group.to_owned(), generation)) else { return Ok(()) };
        for described in described.iter().filter(|it| it.group_state.as_str() == STABLE) {
            counters.hit(Sometimes::ClassicGroupDescribed);
            for member in &described.members {
                let name = member.group_instance_id.as_ref().unwrap_or(&member.member_id);
                let told = given.get(name.as_str()).map(|(_, assignment)| assignment);
                if told.is_some_and(|told| *told != member.member_assignment) {
                    return Err(format!("{name:?} of {group} is described with what it has not"));
                }
            }
        }
        Ok(())
    }
}

fn partitions(assignment: &Bytes) -> Vec<(String, i32)> {
    let Ok((_, read)) = ConsumerProtocolAssignment::decode(assignment) else { return Vec::new() };
    let topics = read.assigned_partitions.into_iter();
    let topics = topics.flat_map(|topic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |at| (name.clone(), at))
    });
    topics.collect()
}
