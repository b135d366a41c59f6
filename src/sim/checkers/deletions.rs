//! What was deleted is gone, and what is in use is not deleted: no group that has members, and no offset of a topic
//! that they read.

use super::offsets::{CommittedOffsets, Key};
use crate::kernel::groups::offsets::DeleteReply;
use crate::kernel::groups::requests::GroupReply;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;

/// A deletion that was asked for.
#[derive(Debug)]
pub struct Asked {
    partition: i32,
    group: String,
    /// Whether there is such a group, and whether nobody is in it.
    is_empty: Option<bool>,
    /// Where the log ended.
    at: Offset,
}

/// A deletion is about to be decided.
pub fn asked(partition: i32, machine: &GroupShard, group: &str, at: Offset) -> Asked {
    let is_empty = machine.groups().get(group).map(|it| match it {
        Group::Classic(group) => group.is_empty(),
        Group::Consumer(group) => group.hard().members().is_empty(),
    });
    Asked { partition, group: group.to_owned(), is_empty, at }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Deletions {
    /// What nothing of may be left that is older than this.
    promised: Vec<(i32, What, Offset)>,
}

#[derive(Debug)]
enum What {
    Group(String),
    Partition(Key),
}

impl What {
    fn has(&self, key: &Key) -> bool {
        match self {
            Self::Group(group) => key.0 == *group,
            Self::Partition(partition) => key == partition,
        }
    }
}

impl Deletions {
    /// It was decided so.
    pub fn check(
        &mut self,
        asked: &Asked,
        reply: &GroupReply,
        counters: &mut Counters,
    ) -> Result<(), String> {
        match reply {
            GroupReply::DeleteGroups(results) => {
                let codes = results.iter().map(|it| it.error_code);
                self.check_group(asked, codes.collect::<Vec<_>>().as_slice(), counters)
            }
            GroupReply::OffsetDelete(reply) => self.check_offsets(asked, reply, counters),
            _ => Ok(()),
        }
    }

    fn check_group(
        &mut self,
        asked: &Asked,
        codes: &[i16],
        counters: &mut Counters,
    ) -> Result<(), String> {
        let expected = match asked.is_empty {
            None => ErrorCode::GroupIdNotFound,
            Some(false) => ErrorCode::NonEmptyGroup,
            Some(true) => ErrorCode::None,
        };
        let group = &asked.group;
        if codes != [expected.code()] {
            return Err(format!("the deletion of {group} is answered {codes:?}, not {expected:?}"));
        }
        match expected {
            ErrorCode::None => {
                counters.hit(Sometimes::GroupDeleted);
                self.promised.push((asked.partition, What::Group(group.clone()), asked.at));
            }
            ErrorCode::NonEmptyGroup => counters.hit(Sometimes::DeletionRefused),
            _ => {}
        }
        Ok(())
    }

    fn check_offsets(
        &mut self,
        asked: &Asked,
        reply: &DeleteReply,
        counters: &mut Counters,
    ) -> Result<(), String> {
        let group = &asked.group;
        let topics = match (reply, asked.is_empty) {
            (Err(ErrorCode::GroupIdNotFound), None) => return Ok(()),
            (Ok(topics), Some(_)) => topics,
            (reply, is_empty) => {
                return Err(format!("offsets of {group}, empty: {is_empty:?}: {reply:?}"));
            }
        };
        for topic in topics {
            for partition in &topic.partitions {
                let key = (group.clone(), topic.name.to_string(), partition.partition_index);
                if partition.error_code == ErrorCode::None.code() {
                    self.promised.push((asked.partition, What::Partition(key), asked.at));
                } else if partition.error_code != ErrorCode::GroupSubscribedToTopic.code()
                    || asked.is_empty == Some(true)
                {
                    let code = partition.error_code;
                    return Err(format!("an offset of {group} is not deleted because of {code}"));
                } else {
                    counters.hit(Sometimes::DeletionRefused);
                }
            }
        }
        Ok(())
    }

    /// Everything that is in the logs was taken.
    pub fn keep_promises<'a>(
        &mut self,
        offsets: impl Fn(i32) -> Option<&'a CommittedOffsets>,
    ) -> Result<(), String> {
        for (partition, what, at) in self.promised.drain(..) {
            let Some(offsets) = offsets(partition) else { continue };
            if let Some(key) = offsets.older_than(at).find(|key| what.has(key)) {
                return Err(format!("{key:?} was deleted, and is there"));
            }
        }
        Ok(())
    }
}
