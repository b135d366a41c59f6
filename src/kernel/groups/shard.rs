//! A shard of the group coordinator: the groups of one partition of `__consumer_offsets`, as a [`Machine`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, HeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::classic;
use super::consumer::{self, Doors, door};
use super::offsets::{
    Offsets, clean_up, commit_in_transaction, commit_offsets, delete_offsets, fetch_offsets,
    on_topics_deleted, write_in_batches,
};
use super::requests::{DescribeGroups, GroupFilter, GroupOutput, GroupReply, GroupRequest, owned};
use super::table::{Group, Groups};
use crate::kernel::machine::{CallId, Env, Machine, Marker, Refused, Replayed, ShardId};
use crate::kernel::metadata::changes::Changes;
use crate::types::error_code::ErrorCode;
use crate::types::time::{Mono, Now};
use crate::wire::coordinator_records::CoordinatorRecordError;
use crate::wire::coordinator_records::groups::GroupRecord;
use crate::wire::coordinator_records::offsets::{
    OffsetCommitKey, OffsetCommitSlice, OffsetCommitValue,
};

/// How many groups are looked at in one go when something is due.
const GROUPS_PER_TIMEOUT: usize = 64;
/// From here on DescribeGroups tells that a group does not exist (KIP-1043).
const FIRST_WITH_GROUP_ID_NOT_FOUND: i16 = 6;
/// What a group that does not exist is said to be.
const DEAD: StrBytes = StrBytes::from_static_str("Dead");

/// See the module.
#[derive(Debug)]
pub struct GroupShard {
    groups: Groups,
    offsets: Offsets,
    doors: Doors,
    is_loaded: bool,
    /// When offsets that have expired, and groups that are left over, are looked for. None before the load is over.
    cleanup_at: Option<Mono>,
}

impl GroupShard {
    /// The groups.
    #[cfg(any(test, feature = "sim"))]
    pub const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The committed offsets.
    #[cfg(any(test, feature = "sim"))]
    pub const fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The groups, to set a test up.
    #[cfg(test)]
    pub const fn groups_mut(&mut self) -> &mut Groups {
        &mut self.groups
    }

    fn request(
        &mut self,
        env: &mut Env<'_>,
        output: &mut GroupOutput,
        call: CallId,
        request: GroupRequest,
    ) {
        let (groups, offsets) = (&mut self.groups, &self.offsets);
        let reply = match request {
            GroupRequest::JoinGroup(_)
            | GroupRequest::SyncGroup(_)
            | GroupRequest::Heartbeat(_)
            | GroupRequest::LeaveGroup(_) => {
                return self.membership(env, output, call, request);
            }
            GroupRequest::ConsumerGroupHeartbeat(request) => {
                let response = self.doors.heartbeat(groups, env, output, &request);
                GroupReply::ConsumerGroupHeartbeat(Box::new(response))
            }
            GroupRequest::ConsumerGroupDescribe(ids) => {
                GroupReply::ConsumerGroupDescribe(self.doors.describe(groups, env, &ids))
            }
            GroupRequest::DescribeGroups(request) => {
                GroupReply::DescribeGroups(self.describe(&request))
            }
            GroupRequest::ListGroups(filter) => GroupReply::ListGroups(self.list(&filter)),
            GroupRequest::DeleteGroups(ids) => GroupReply::DeleteGroups(self.delete(output, ids)),
            GroupRequest::OffsetCommit(request) => {
                GroupReply::OffsetCommit(commit_offsets(groups, env, output, &request))
            }
            GroupRequest::TxnOffsetCommit(request) => {
                GroupReply::OffsetCommit(commit_in_transaction(groups, env, output, &request))
            }
            GroupRequest::OffsetFetch(request) => {
                GroupReply::OffsetFetch(fetch_offsets(groups, offsets, &request))
            }
            GroupRequest::OffsetDelete(request) => {
                GroupReply::OffsetDelete(delete_offsets(groups, offsets, output, &request))
            }
        };
        output.replies.push((call, reply));
    }

    /// A request of the classic protocol, whose group may be of the other kind.
    fn membership(
        &mut self,
        env: &mut Env<'_>,
        output: &mut GroupOutput,
        call: CallId,
        request: GroupRequest,
    ) {
        let (groups, doors) = (&mut self.groups, &mut self.doors);
        let reply = match request {
            GroupRequest::JoinGroup(request) => {
                let id = request.request.group_id.as_str();
                if !door::takes_classic_requests(groups, id) {
                    door::make_place(groups, output, id);
                    return classic::join(groups, env, output, call, &request);
                }
                GroupReply::JoinGroup(Box::new(doors.join(groups, env, output, &request)))
            }
            GroupRequest::SyncGroup(request) => {
                if !door::takes_classic_requests(groups, &request.group_id) {
                    return classic::sync(groups, env, output, call, &request);
                }
                GroupReply::SyncGroup(Box::new(doors.sync(groups, env, output, &request)))
            }
            GroupRequest::Heartbeat(request) => {
                if door::takes_classic_requests(groups, &request.group_id) {
                    GroupReply::Heartbeat(doors.classic_heartbeat(groups, env, output, &request))
                } else {
                    let error = classic::heartbeat(groups, env.now, &request);
                    let response = HeartbeatResponse::default().with_error_code(error.code());
                    GroupReply::Heartbeat(response)
                }
            }
            GroupRequest::LeaveGroup(request) => {
                if door::takes_classic_requests(groups, &request.group_id) {
                    GroupReply::LeaveGroup(doors.leave(groups, env, output, &request))
                } else {
                    GroupReply::LeaveGroup(classic::leave(groups, env, output, &request))
                }
            }
            _ => return,
        };
        output.replies.push((call, reply));
    }

    fn replay_offset(&mut self, commit: &OffsetCommitSlice<'_>, at: &Replayed) {
        if commit.value.is_some() {
            self.groups.ensure_simple(commit.group, at.timestamp);
        }
        self.offsets.replay(commit, at);
    }

    fn describe(&self, request: &DescribeGroups) -> Vec<DescribedGroup> {
        let describe = |id: &StrBytes| match self.groups.classic(id) {
            Some(group) => group.describe(),
            None => not_found(id, request.version),
        };
        request.groups.iter().map(describe).collect()
    }

    fn list(&self, filter: &GroupFilter) -> Vec<ListedGroup> {
        let listed = self.groups.iter().map(|(id, group)| match group {
            Group::Classic(group) => group.listed(),
            Group::Consumer(group) => consumer::describe::listed(id, group.hard()),
        });
        listed.filter(|it| filter.matches(&it.group_state, &it.group_type)).collect()
    }

    /// Deletes the groups that have no members, with all that they have committed.
    fn delete(&self, output: &mut GroupOutput, ids: Vec<StrBytes>) -> Vec<DeletableGroupResult> {
        let mut records = Vec::new();
        let mut delete = |id: &StrBytes| match self.groups.get(id) {
            None => Err(ErrorCode::GroupIdNotFound),
            Some(Group::Classic(group)) => {
                group.check_delete()?;
                records.extend(self.offsets.delete_all(id));
                records.push(classic::tombstone(id));
                Ok(())
            }
            Some(Group::Consumer(group)) if !group.hard().members().is_empty() => {
                Err(ErrorCode::NonEmptyGroup)
            }
            Some(Group::Consumer(group)) => {
                records.extend(self.offsets.delete_all(id));
                records.extend(consumer::departure::tombstones(id, group.hard(), None));
                Ok(())
            }
        };
        let delete = |id: StrBytes| {
            let error = delete(&id).err().unwrap_or(ErrorCode::None);
            DeletableGroupResult::default().with_group_id(GroupId(id)).with_error_code(error.code())
        };
        let results = ids.into_iter().map(delete).collect();
        write_in_batches(output, records);
        results
    }
}

fn commit_of<'a>(
    key: &'a OffsetCommitKey,
    value: Option<&'a OffsetCommitValue>,
) -> OffsetCommitSlice<'a> {
    OffsetCommitSlice {
        group: &key.group,
        topic: &key.topic,
        partition: key.partition,
        value: value.map(Into::into),
    }
}

fn next_cleanup(env: &Env<'_>) -> Mono {
    let interval_ms = env.config.offsets_retention_check_interval_ms;
    env.now.mono.after(Duration::from_millis(u64::try_from(interval_ms).unwrap_or(1)))
}

fn not_found(id: &StrBytes, version: i16) -> DescribedGroup {
    let group = DescribedGroup::default().with_group_id(GroupId(id.clone())).with_group_state(DEAD);
    if version < FIRST_WITH_GROUP_ID_NOT_FOUND {
        return group;
    }
    let message = owned(&format!("Group {id} not found."));
    group.with_error_code(ErrorCode::GroupIdNotFound.code()).with_error_message(Some(message))
}

impl Machine for GroupShard {
    type Record = GroupRecord;
    type Request = GroupRequest;
    type Reply = GroupReply;
    type Effect = Infallible;
    type DecodeError = CoordinatorRecordError;

    fn new(_id: ShardId) -> Self {
        Self {
            groups: Groups::default(),
            offsets: Offsets::default(),
            doors: Doors::default(),
            is_loaded: false,
            cleanup_at: None,
        }
    }

    fn decode(
        key: Option<&Bytes>,
        value: Option<&Bytes>,
    ) -> Result<Option<Self::Record>, Self::DecodeError> {
        key.map_or(Ok(None), |key| GroupRecord::decode(key, value))
    }

    fn encode(record: &Self::Record) -> (Bytes, Option<Bytes>) {
        record.encode()
    }

    fn encode_into(record: &Self::Record, key: &mut Vec<u8>, value: &mut Vec<u8>) -> bool {
        if let GroupRecord::OffsetCommit(commit_key, commit_value) = record
            && commit_value.as_ref().is_none_or(|it| it.expire_timestamp == -1)
        {
            return commit_of(commit_key, commit_value.as_ref()).put(key, value);
        }
        let (key_bytes, value_bytes) = record.encode();
        key.extend_from_slice(&key_bytes);
        value.extend_from_slice(value_bytes.as_deref().unwrap_or_default());
        value_bytes.is_some()
    }

    fn replay(&mut self, record: Self::Record, at: Replayed) {
        match record {
            GroupRecord::GroupMetadata(key, value) => {
                classic::replay(&mut self.groups, self.is_loaded, &key, value);
            }
            GroupRecord::OffsetCommit(key, value) => {
                self.replay_offset(&commit_of(&key, value.as_ref()), &at);
            }
            record => {
                if let Some(id) = door::group_of(&record) {
                    door::replay(&mut self.groups, &mut self.doors, &id, record);
                }
            }
        }
    }

    /// Nearly all records of a log are committed offsets, which are looked at where they lie.
    fn load(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        at: Replayed,
    ) -> Result<bool, Self::DecodeError> {
        if let Some(commit) = key.and_then(|key| OffsetCommitSlice::read(key, value)) {
            self.replay_offset(&commit, &at);
            return Ok(true);
        }
        let (key, value) = (key.map(Bytes::copy_from_slice), value.map(Bytes::copy_from_slice));
        let record = Self::decode(key.as_ref(), value.as_ref())?;
        Ok(record.map(|record| self.replay(record, at)).is_some())
    }

    fn replay_marker(&mut self, marker: Marker) {
        self.offsets.replay_marker(&marker);
    }

    fn on_loaded(&mut self, env: &mut Env<'_>) -> GroupOutput {
        self.is_loaded = true;
        self.cleanup_at = Some(next_cleanup(env));
        let mut output = GroupOutput::none();
        for id in self.groups.ids() {
            classic::on_loaded(&mut self.groups, env, &mut output, &id);
        }
        self.doors.on_loaded(&mut self.groups, env);
        output
    }

    fn on_request(
        &mut self,
        env: &mut Env<'_>,
        call: CallId,
        request: Self::Request,
    ) -> GroupOutput {
        let now = env.now.mono;
        // Who looks at groups, or ends them, sees them as they are, however busy the thread of the timers is. Members
        // rather go on: after the node has stood still for long, their requests may be first.
        let is_exact = matches!(
            request,
            GroupRequest::DeleteGroups(_)
                | GroupRequest::DescribeGroups(_)
                | GroupRequest::ConsumerGroupDescribe(_)
                | GroupRequest::ListGroups(_)
        );
        let mut output = if is_exact && self.next_deadline().is_some_and(|due| due <= now) {
            self.on_timeout(env)
        } else {
            GroupOutput::none()
        };
        self.request(env, &mut output, call, request);
        output
    }

    fn is_concerned_by(changes: &Changes) -> bool {
        Doors::is_concerned_by(changes)
    }

    fn on_image(&mut self, env: &mut Env<'_>, changes: &Changes) -> GroupOutput {
        let mut output = GroupOutput::none();
        self.doors.on_image(&mut self.groups, env, changes);
        on_topics_deleted(&self.offsets, &mut output, changes);
        output
    }

    fn next_deadline(&self) -> Option<Mono> {
        let groups = self.groups.next_deadline();
        groups.into_iter().chain(self.cleanup_at).chain(self.doors.next_deadline()).min()
    }

    fn on_timeout(&mut self, env: &mut Env<'_>) -> GroupOutput {
        let mut output = GroupOutput::none();
        let Now { mono: now, .. } = env.now;
        self.doors.on_timeout(&mut self.groups, env, &mut output);
        for _ in 0..GROUPS_PER_TIMEOUT {
            let Some(id) = self.groups.take_due(now) else { break };
            let id: Arc<str> = id;
            match self.groups.get(&id) {
                Some(Group::Consumer(_)) => {
                    self.doors.on_group_timeout(&mut self.groups, env, &mut output, &id);
                }
                _ => classic::on_timeout(&mut self.groups, env, &mut output, &id),
            }
        }
        if self.cleanup_at.is_some_and(|at| at <= now) {
            self.cleanup_at = Some(next_cleanup(env));
            clean_up(&self.groups, &self.offsets, env, &mut output);
        }
        output
    }

    fn on_refused(
        &mut self,
        env: &mut Env<'_>,
        refused: Refused<Self::Record>,
    ) -> Option<GroupOutput> {
        let mut output = GroupOutput::none();
        let mut records = refused.writes.iter().flat_map(|write| &write.records);
        self.doors.refused(&mut self.groups, env, records.clone());
        if records.any(|record| matches!(record, GroupRecord::ConsumerGroupMetadata(_, None))) {
            // A consumer group may have made place for a classic one already.
            return None;
        }
        let records = refused.writes.iter().flat_map(|write| &write.records);
        classic::refused(&mut self.groups, env, &mut output, refused.code, records);
        Some(output)
    }
}
