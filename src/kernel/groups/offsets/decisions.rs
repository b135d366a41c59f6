//! What a shard does with a request about offsets: the group says whether, the offsets say what.

use kafka_protocol::messages::OffsetDeleteRequest;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics;

use super::expiry::Left;
use super::{
    CommitReply, CommitRequest, DeleteReply, FetchRequest, Offsets, TxnCommitRequest, commit,
};
use crate::kernel::groups::classic;
use crate::kernel::groups::requests::GroupOutput;
use crate::kernel::groups::table::{Group, Groups};
use crate::kernel::machine::{Env, Write};
use crate::kernel::metadata::changes::Changes;
use crate::types::error_code::ErrorCode;
use crate::wire::coordinator_records::groups::GroupRecord;

/// From here on OffsetCommit tells that a group does not exist.
const FIRST_WITH_GROUP_ID_NOT_FOUND: i16 = 9;

/// How many records are written in one batch, of those that need not be written together.
const BATCH_MAX_RECORDS: usize = 500;
/// How many bytes; a single record may have more.
const BATCH_MAX_BYTES: usize = 128 << 10;
/// What a tombstone takes in a batch beside its texts, at most.
const TOMBSTONE_BYTES: usize = 64;

const MS_PER_MINUTE: i64 = 60_000;

/// OffsetCommit. What a member commits shows that it is alive.
pub fn commit_offsets(
    groups: &mut Groups,
    env: &Env<'_>,
    output: &mut GroupOutput,
    request: &CommitRequest,
) -> CommitReply {
    let CommitRequest { group_id, member_id, .. } = request;
    let instance_id = request.group_instance_id.as_deref();
    let generation = request.generation_id_or_member_epoch;
    let checked = groups.update_classic(group_id, |group| {
        group.check_offset_commit(member_id, instance_id, generation, false)?;
        if group.commits_keep_alive() {
            group.keep_alive(member_id, env.now);
        }
        Ok(())
    });
    match checked {
        Some(checked) => checked?,
        // Without a group there is no membership to check: its first commit makes it (a simple group).
        None if generation < 0 => {}
        None if request.api_version >= FIRST_WITH_GROUP_ID_NOT_FOUND => {
            return Err(ErrorCode::GroupIdNotFound);
        }
        None => return Err(ErrorCode::IllegalGeneration),
    }
    let metadata_max_size = env.config.offset_metadata_max_bytes;
    let commit = commit(request, false, None, env.now.wall, metadata_max_size)?;
    if !commit.records.is_empty() {
        output.writes.push(Write { records: commit.records, transaction: None });
    }
    Ok(commit.too_large)
}

/// TxnOffsetCommit.
pub fn commit_in_transaction(
    groups: &Groups,
    env: &Env<'_>,
    output: &mut GroupOutput,
    request: &TxnCommitRequest,
) -> CommitReply {
    let TxnCommitRequest { producer_id, producer_epoch, commit: request, .. } = request;
    let instance_id = request.group_instance_id.as_deref();
    let generation = request.generation_id_or_member_epoch;
    match groups.get(&request.group_id) {
        Some(Group::Classic(group)) => {
            group.check_offset_commit(&request.member_id, instance_id, generation, true)?;
        }
        None if generation < 0 => {}
        None => return Err(ErrorCode::IllegalGeneration),
    }
    let metadata_max_size = env.config.offset_metadata_max_bytes;
    let commit = commit(request, true, None, env.now.wall, metadata_max_size)?;
    if !commit.records.is_empty() {
        let transaction = Some((*producer_id, *producer_epoch));
        output.writes.push(Write { records: commit.records, transaction });
    }
    Ok(commit.too_large)
}

/// OffsetFetch. A group that does not exist has committed nothing, which is no error.
pub fn fetch_offsets(
    groups: &Groups,
    offsets: &Offsets,
    request: &FetchRequest,
) -> Vec<OffsetFetchResponseTopics> {
    let group_id = &request.group.group_id;
    match groups.get(group_id) {
        Some(Group::Classic(_)) | None => {}
    }
    offsets.fetch(group_id, request.group.topics.as_deref(), request.require_stable)
}

/// OffsetDelete.
pub fn delete_offsets(
    groups: &Groups,
    offsets: &Offsets,
    output: &mut GroupOutput,
    request: &OffsetDeleteRequest,
) -> DeleteReply {
    let group_id = &request.group_id;
    let Group::Classic(group) = groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
    group.check_offset_delete()?;
    let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
    let (records, topics) = offsets.delete(group_id, &request.topics, &is_subscribed);
    write_in_batches(output, records);
    Ok(topics)
}

/// Topics are gone, and what was committed for them goes too.
pub fn on_topics_deleted(offsets: &Offsets, output: &mut GroupOutput, changes: &Changes) {
    for topic in &changes.topics_deleted {
        write_in_batches(output, offsets.delete_topic(topic.name.as_str(), topic.id));
    }
}

/// Deletes the offsets that have expired, and the groups that have neither members nor offsets any more.
pub fn clean_up(groups: &Groups, offsets: &Offsets, env: &Env<'_>, output: &mut GroupOutput) {
    let retention_ms = i64::from(env.config.offsets_retention_minutes) * MS_PER_MINUTE;
    let mut records = Vec::new();
    for (id, group) in groups.iter() {
        let Group::Classic(group) = group;
        let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
        let expire = group.offsets_expire();
        let now = env.now.wall;
        let left = offsets.expire(id, expire, &is_subscribed, now, retention_ms, &mut records);
        if left == Left::Nothing && group.is_disused() {
            records.push(classic::tombstone(id));
        }
    }
    write_in_batches(output, records);
}

/// Writes tombstones, of which one more or less does no harm: as many in a batch as surely fit.
pub fn write_in_batches(output: &mut GroupOutput, records: Vec<GroupRecord>) {
    let mut batch = Vec::new();
    let mut batch_bytes = 0;
    for record in records {
        let bytes = TOMBSTONE_BYTES + text_bytes(&record);
        if batch.len() == BATCH_MAX_RECORDS || batch_bytes + bytes > BATCH_MAX_BYTES {
            write(output, std::mem::take(&mut batch));
            batch_bytes = 0;
        }
        batch_bytes += bytes;
        batch.push(record);
    }
    write(output, batch);
}

fn write(output: &mut GroupOutput, records: Vec<GroupRecord>) {
    if !records.is_empty() {
        output.writes.push(Write { records, transaction: None });
    }
}

fn text_bytes(record: &GroupRecord) -> usize {
    match record {
        GroupRecord::OffsetCommit(key, _) => key.group.len() + key.topic.len(),
        GroupRecord::GroupMetadata(key, _) => key.group.len(),
        _ => 0,
    }
}
