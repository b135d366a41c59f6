//! A commit is accepted only from a member of the present generation, or at an epoch since which a member of a consumer
//! group has had the partition; or from anyone, where a group has no members.

use crate::kernel::groups::classic::State;
use crate::kernel::groups::offsets::{CommitReply, CommitRequest};
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;

/// Whether a commit may be accepted, and how the group stood.
#[derive(Debug)]
pub struct MayCommit {
    /// Whether it may.
    pub may: bool,
    why: String,
}

/// A commit is about to be decided.
pub fn may_commit(machine: &GroupShard, request: &CommitRequest) -> MayCommit {
    let asked = request.generation_id_or_member_epoch;
    let member_id = request.member_id.as_str();
    let (may, why) = match machine.groups().get(&request.group_id) {
        None => (asked < 0, "there is no group".to_owned()),
        Some(Group::Classic(group)) => {
            let described = group.describe();
            let has = described.members.iter().any(|it| it.member_id.as_str() == member_id);
            let is_empty = described.members.is_empty();
            let is_current = has && asked == group.generation();
            let may = (is_empty && asked < 0)
                || (is_current && group.state() != State::CompletingRebalance);
            (may, format!("classic, {:?} at {}, has it: {has}", group.state(), group.generation()))
        }
        Some(Group::Consumer(group)) => {
            let group = group.hard();
            let may = match group.member(member_id) {
                None => asked < 0 && group.members().is_empty(),
                Some(member) if asked == member.epoch => true,
                Some(member) if asked > member.epoch => false,
                Some(member) => request.topics.iter().all(|topic| {
                    let since = |of: &crate::kernel::groups::consumer::member::PartitionEpochs,
                                 at| {
                        of.get(&topic.id).and_then(|it| it.get(at)).copied()
                    };
                    topic.partitions.iter().all(|partition| {
                        let since = since(&member.assigned, &partition.index)
                            .or_else(|| since(&member.pending_revocation, &partition.index));
                        since.is_some_and(|since| asked >= since)
                    })
                }),
            };
            (may, format!("consumer, {:?}", group.member(member_id).map(|it| it.epoch)))
        }
    };
    MayCommit { may, why: format!("{member_id} at {asked}: {why}") }
}

/// It was decided so.
pub fn check(may: &MayCommit, reply: &CommitReply) -> Result<(), String> {
    if reply.is_ok() && !may.may {
        return Err(format!("a commit is accepted that is not a member's of now: {}", may.why));
    }
    Ok(())
}
