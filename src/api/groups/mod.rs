//! Groups and their committed offsets; and where coordinators are found, those of transactions too.
//!
//! A handler checks what the coordinator need not see, asks the shard that has the group, and writes its reply as the
//! version has it.

pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod delete_groups;
pub mod describe_groups;
pub mod find_coordinator;
pub mod heartbeat;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
mod sorted_out;
pub mod sync_group;
pub mod txn_offset_commit;

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;

use super::context::Ctx;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;

/// The reply of one kind that a request of that kind has, boxed or not.
macro_rules! reply_of {
    ($told:expr, $kind:ident) => {
        $told.and_then(|reply| match reply {
            $crate::kernel::groups::requests::GroupReply::$kind(reply) => Ok(reply),
            _ => Err($crate::types::error_code::ErrorCode::NotCoordinator),
        })
    };
}
use reply_of;

/// What a record that is too large for the log is called. Kafka calls it an unknown error (−1), which tells nobody
/// what is the matter; the coordinator has no other use for that code.
fn named(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownServerError => ErrorCode::MessageTooLarge,
        error => error,
    }
}

/// A group without a name has no coordinator.
fn check_group_id(group_id: &str) -> Result<(), ErrorCode> {
    if group_id.is_empty() { Err(ErrorCode::InvalidGroupId) } else { Ok(()) }
}

/// The groups of a request by the partition that has them, each with its place in the request.
fn by_partition<'a>(
    ctx: &Ctx,
    groups: impl Iterator<Item = (usize, &'a StrBytes)>,
) -> BTreeMap<PartitionId, Vec<(usize, StrBytes)>> {
    let mut of_partition: BTreeMap<PartitionId, Vec<(usize, StrBytes)>> = BTreeMap::new();
    for (place, id) in groups {
        of_partition.entry(ctx.groups.partition_for(id)).or_default().push((place, id.clone()));
    }
    of_partition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name() {
        assert_eq!(check_group_id(""), Err(ErrorCode::InvalidGroupId));
        assert_eq!(check_group_id(" "), Ok(()));
    }
}
