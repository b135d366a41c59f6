//! What a shard does with a request about offsets: the group says whether, the offsets say what.

use kafka_protocol::messages::OffsetDeleteRequest;

use super::expiry::Left;
use super::{
    CommitPartition, CommitReply, CommitRequest, CommitTopic, DeleteReply, FetchReply,
    FetchRequest, Offsets, TxnCommitRequest, commit,
};
use crate::kernel::groups::classic;
use crate::kernel::groups::classic::offsets::OffsetsExpire;
use crate::kernel::groups::consumer;
use crate::kernel::groups::consumer::offsets::{
    LateMember, OffsetCheck, check_offset_fetch, without_epochs,
};
use crate::kernel::groups::requests::GroupOutput;
use crate::kernel::groups::table::{Group, Groups};
use crate::kernel::machine::{Env, Write};
use crate::kernel::metadata::changes::Changes;
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;
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
    if let Some(Group::Consumer(group)) = groups.get(group_id) {
        let check = OffsetCheck::of(group.hard(), member_id, instance_id, generation);
        let check = check.for_commit(Some(request.api_version))?;
        return commit_checked(env, output, request, check.as_ref());
    }
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

/// A commit by a member of a consumer group, which may be late for some of its partitions (KIP-1251).
fn commit_checked(
    env: &Env<'_>,
    output: &mut GroupOutput,
    request: &CommitRequest,
    late: Option<&LateMember<'_>>,
) -> CommitReply {
    let check = |topic: &CommitTopic, partition: &CommitPartition| match late {
        Some(late) => late.check(topic.id, partition.index),
        None => Ok(()),
    };
    let metadata_max_size = env.config.offset_metadata_max_bytes;
    let commit = commit(request, false, Some(&check), env.now.wall, metadata_max_size)?;
    write(output, commit.records);
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
    let mut late = None;
    match groups.get(&request.group_id) {
        Some(Group::Classic(group)) => {
            group.check_offset_commit(&request.member_id, instance_id, generation, true)?;
        }
        Some(Group::Consumer(group)) => {
            let member_id = &request.member_id;
            let check = OffsetCheck::of(group.hard(), member_id, instance_id, generation);
            late = check.for_commit(None).map_err(without_epochs)?;
        }
        None if generation < 0 => {}
        None => return Err(ErrorCode::IllegalGeneration),
    }
    let metadata_max_size = env.config.offset_metadata_max_bytes;
    let check = |topic: &CommitTopic, partition: &CommitPartition| match &late {
        // Such a commit names its topics without ids.
        Some(late) => {
            let topic = env.image.topics.named(topic.name.as_str());
            let id = topic.map_or(TopicId::ZERO, |topic| topic.id);
            late.check(id, partition.index).map_err(without_epochs)
        }
        None => Ok(()),
    };
    let commit = commit(request, true, Some(&check), env.now.wall, metadata_max_size)?;
    if !commit.records.is_empty() {
        let transaction = Some((*producer_id, *producer_epoch));
        output.writes.push(Write { records: commit.records, transaction });
    }
    Ok(commit.too_large)
}

/// OffsetFetch. A group that does not exist has committed nothing, which is no error.
pub fn fetch_offsets(groups: &Groups, offsets: &Offsets, request: &FetchRequest) -> FetchReply {
    let group_id = &request.group.group_id;
    if let Some(Group::Consumer(group)) = groups.get(group_id) {
        let (member_id, epoch) = (request.group.member_id.as_deref(), request.group.member_epoch);
        check_offset_fetch(group.hard(), member_id, epoch)?;
    }
    Ok(offsets.fetch(group_id, request.group.topics.as_deref(), request.require_stable))
}

/// OffsetDelete.
pub fn delete_offsets(
    groups: &Groups,
    offsets: &Offsets,
    output: &mut GroupOutput,
    request: &OffsetDeleteRequest,
) -> DeleteReply {
    let group_id = &request.group_id;
    let group = groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
    if let Group::Classic(group) = group {
        group.check_offset_delete()?;
    }
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
        let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
        let expire = match group {
            Group::Classic(group) => group.offsets_expire(),
            Group::Consumer(_) => OffsetsExpire::AfterCommit,
        };
        let now = env.now.wall;
        let left = offsets.expire(id, expire, &is_subscribed, now, retention_ms, &mut records);
        if left == Left::Something {
            continue;
        }
        match group {
            Group::Classic(group) if group.is_disused() => records.push(classic::tombstone(id)),
            Group::Consumer(group) if group.hard().members().is_empty() => {
                records.extend(consumer::departure::tombstones(id, group.hard(), None));
            }
            Group::Classic(_) | Group::Consumer(_) => {}
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
