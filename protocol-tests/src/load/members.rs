//! Members of groups, each alone in its own: how they come, and what they say while they stay.

use std::time::{Duration, Instant};

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Topic, error};
use crate::connection::Connection;
use crate::fields::{Reader, Writer};
use crate::requests::{ask_until, text, topic_name};

pub(super) const JOIN_GROUP_VERSION: i16 = 9;
pub(super) const SYNC_GROUP_VERSION: i16 = 5;
pub(super) const HEARTBEAT_VERSION: i16 = 4;
pub(super) const CONSUMER_HEARTBEAT_VERSION: i16 = 1;
pub(super) const OFFSET_COMMIT_VERSION: i16 = 9;
pub(super) const OFFSET_FETCH_VERSION: i16 = 9;

pub(super) const PROTOCOL_TYPE: &str = "consumer";
pub(super) const PROTOCOL: &str = "range";
const SESSION_TIMEOUT_MS: i32 = 45_000;
const REBALANCE_TIMEOUT_MS: i32 = 60_000;
/// The epoch of one who comes.
const JOINS: i32 = 0;
/// Within which a member alone in its group has all partitions, however many heartbeats that takes: Apache's
/// coordinator learns of a new topic, and computes an assignment, beside the requests.
const ASSIGNED_LIMIT: Duration = Duration::from_secs(30);
/// Who asks more often would be what the broker is busy with.
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// Who divides the partitions: a member, or the broker (KIP-848).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Classic,
    Consumer,
}

impl std::str::FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "classic" => Ok(Self::Classic),
            "consumer" => Ok(Self::Consumer),
            _ => Err("neither classic nor consumer".to_owned()),
        }
    }
}

pub(super) fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Waits until the coordinator of a group (0) or of a transactional id (1) is there.
pub(super) fn await_coordinator(connection: &mut Connection, key_type: i8, key: &str) {
    let request = FindCoordinatorRequest::default()
        .with_key_type(key_type)
        .with_coordinator_keys(vec![text(key)]);
    ask_until(connection, 4, &request, |answer| {
        let code = answer.coordinators[0].error_code;
        assert!(code == error::NONE || error::is_coordinator_away(code), "FindCoordinator: {code}");
        code == error::NONE
    });
}

/// A classic member's wish to come, or to come again.
pub(super) fn join_request(group: &str, topic: &Topic, member_id: &StrBytes) -> JoinGroupRequest {
    let subscription = Writer::default().i16(0).i32(1).string(&topic.name).i32(-1).0;
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text(PROTOCOL))
        .with_metadata(subscription.into());
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(SESSION_TIMEOUT_MS)
        .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
        .with_member_id(member_id.clone())
        .with_protocol_type(text(PROTOCOL_TYPE))
        .with_protocols(vec![protocol])
}

/// What a classic member is given by the one who leads.
pub(super) fn assignment(
    topic: &Topic,
    member_id: &StrBytes,
    partitions: &[i32],
) -> SyncGroupRequestAssignment {
    let writer = Writer::default().i16(0).i32(1).string(&topic.name).i32(partitions.len() as i32);
    let writer = partitions.iter().fold(writer, |writer, it| writer.i32(*it)).i32(-1);
    SyncGroupRequestAssignment::default()
        .with_member_id(member_id.clone())
        .with_assignment(writer.0.into())
}

/// The partitions of an assignment, as [`assignment`] wrote it.
pub(super) fn assigned(topic: &Topic, assignment: &[u8]) -> Vec<i32> {
    let mut reader = Reader(assignment);
    assert_eq!((reader.i16().unwrap(), reader.i32().unwrap()), (0, 1), "version, topics");
    let length = reader.i16().unwrap() as usize;
    assert_eq!(reader.raw(length).unwrap(), topic.name.as_bytes());
    let count = reader.i32().unwrap();
    let partitions = (0..count).map(|_| reader.i32().unwrap()).collect();
    assert_eq!((reader.i32().unwrap(), reader.0), (-1, &[][..]), "user data");
    partitions
}

/// How a classic member learns what it is given.
pub(super) fn sync_request(
    group: &str,
    member_id: &StrBytes,
    generation: i32,
    assignments: Vec<SyncGroupRequestAssignment>,
) -> SyncGroupRequest {
    SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(member_id.clone())
        .with_protocol_type(Some(text(PROTOCOL_TYPE)))
        .with_protocol_name(Some(text(PROTOCOL)))
        .with_assignments(assignments)
}

pub(super) fn heartbeat_request(
    group: &str,
    member_id: &StrBytes,
    generation: i32,
) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(member_id.clone())
}

/// A heartbeat that says nothing but that the member is there.
pub(super) fn consumer_heartbeat_request(
    group: &str,
    member_id: &StrBytes,
    epoch: i32,
) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(member_id.clone())
        .with_member_epoch(epoch)
}

/// A heartbeat of one who comes.
pub(super) fn consumer_join_request(
    group: &str,
    topic: &Topic,
    member_id: &StrBytes,
) -> ConsumerGroupHeartbeatRequest {
    consumer_heartbeat_request(group, member_id, JOINS)
        .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
        .with_subscribed_topic_names(Some(vec![topic_name(&topic.name)]))
        .with_topic_partitions(Some(vec![]))
}

/// What a member says that it owns.
pub(super) fn owned(topic: &Topic, partitions: Vec<i32>) -> Vec<TopicPartitions> {
    if partitions.is_empty() {
        return vec![];
    }
    vec![TopicPartitions::default().with_topic_id(topic.id).with_partitions(partitions)]
}

/// A member id of a client's choice.
pub(super) fn new_member_id() -> StrBytes {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    text(Uuid::from_u128(number << 64 | u128::from(std::process::id())).to_string())
}

/// A member that is alone in its group and has all partitions.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub group: String,
    pub id: StrBytes,
    /// The generation of a classic group, the member's epoch in another.
    pub epoch: i32,
    pub protocol: Protocol,
}

impl Member {
    pub fn join(
        connection: &mut Connection,
        protocol: Protocol,
        group: String,
        topic: &Topic,
    ) -> Self {
        await_coordinator(connection, 0, &group);
        match protocol {
            Protocol::Classic => Self::join_classic(connection, group, topic),
            Protocol::Consumer => Self::join_consumer(connection, group, topic),
        }
    }

    fn join_classic(connection: &mut Connection, group: String, topic: &Topic) -> Self {
        let mut id = StrBytes::default();
        let joined = loop {
            let request = join_request(&group, topic, &id);
            let answer = ask_until(connection, JOIN_GROUP_VERSION, &request, |answer| {
                !error::is_coordinator_away(answer.error_code)
            });
            id = answer.member_id.clone();
            if answer.error_code != error::MEMBER_ID_REQUIRED {
                break answer;
            }
        };
        assert_eq!(joined.error_code, error::NONE, "{joined:?}");
        assert_eq!((&joined.leader, joined.members.len()), (&id, 1), "{joined:?}");
        let partitions: Vec<i32> = (0..topic.partitions).collect();
        let assignments = vec![assignment(topic, &id, &partitions)];
        let request = sync_request(&group, &id, joined.generation_id, assignments);
        let synced = connection.ask(SYNC_GROUP_VERSION, &request);
        assert_eq!(synced.error_code, error::NONE, "{synced:?}");
        assert_eq!(assigned(topic, &synced.assignment), partitions);
        Self { group, id, epoch: joined.generation_id, protocol: Protocol::Classic }
    }

    fn join_consumer(connection: &mut Connection, group: String, topic: &Topic) -> Self {
        let id = new_member_id();
        let mut request = consumer_join_request(&group, topic, &id);
        let mut has_all = false;
        let deadline = Instant::now() + ASSIGNED_LIMIT;
        loop {
            assert!(Instant::now() < deadline, "{group}: not all within {ASSIGNED_LIMIT:?}");
            let answer = ask_until(connection, CONSUMER_HEARTBEAT_VERSION, &request, |answer| {
                !error::is_coordinator_away(answer.error_code)
            });
            assert_eq!(answer.error_code, error::NONE, "{answer:?}");
            let epoch = answer.member_epoch;
            let Some(assignment) = answer.assignment else {
                if has_all {
                    return Self { group, id, epoch, protocol: Protocol::Consumer };
                }
                std::thread::sleep(ASK_AGAIN);
                continue;
            };
            let mut partitions: Vec<i32> =
                assignment.topic_partitions.iter().flat_map(|it| it.partitions.clone()).collect();
            partitions.sort_unstable();
            has_all = partitions == (0..topic.partitions).collect::<Vec<_>>();
            request = consumer_heartbeat_request(&group, &id, epoch)
                .with_topic_partitions(Some(owned(topic, partitions)));
        }
    }

    /// The offset of the first so many partitions.
    pub fn commit_request(
        &self,
        topic: &Topic,
        partitions: i32,
        offset: i64,
    ) -> OffsetCommitRequest {
        commit_request(&self.group, topic, partitions, offset)
            .with_generation_id_or_member_epoch(self.epoch)
            .with_member_id(self.id.clone())
    }
}

/// A commit of nobody who is a member.
pub(super) fn commit_request(
    group: &str,
    topic: &Topic,
    partitions: i32,
    offset: i64,
) -> OffsetCommitRequest {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(StrBytes::default()))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(&topic.name))
        .with_partitions((0..partitions).map(partition).collect());
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

/// Commits, on a connection that waits for it.
pub(super) fn commit(connection: &mut Connection, request: &OffsetCommitRequest) {
    let answer = connection.ask(OFFSET_COMMIT_VERSION, request);
    let count = |topics: &mut dyn Iterator<Item = usize>| topics.sum::<usize>();
    let asked = count(&mut request.topics.iter().map(|it| it.partitions.len()));
    let told = count(&mut answer.topics.iter().map(|it| it.partitions.len()));
    assert_eq!(told, asked, "partitions of an OffsetCommit");
    let mut all = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let wrong = all.find(|partition| partition.error_code != error::NONE);
    assert!(wrong.is_none(), "OffsetCommit: {wrong:?}");
}

/// What a group has committed for these partitions; nothing while its coordinator is away.
pub(super) fn try_committed(
    connection: &mut Connection,
    group: &str,
    topic: &Topic,
    partitions: i32,
) -> Option<Vec<i64>> {
    let topics = OffsetFetchRequestTopics::default()
        .with_name(topic_name(&topic.name))
        .with_partition_indexes((0..partitions).collect());
    let of = OffsetFetchRequestGroup::default()
        .with_group_id(group_id(group))
        .with_member_epoch(-1)
        .with_topics(Some(vec![topics]));
    let request = OffsetFetchRequest::default().with_groups(vec![of]).with_require_stable(true);
    let answer = connection.ask(OFFSET_FETCH_VERSION, &request);
    let of = &answer.groups[0];
    if error::is_coordinator_away(of.error_code) {
        return None;
    }
    let mut told: Vec<_> = of.topics.iter().flat_map(|topic| &topic.partitions).collect();
    told.sort_unstable_by_key(|it| it.partition_index);
    let are_right = told.iter().map(|it| it.partition_index).eq(0..partitions);
    let codes = told.iter().map(|it| it.error_code);
    let is_good = codes.chain([of.error_code]).all(|code| code == error::NONE);
    assert!(are_right && is_good, "OffsetFetch of {group}: {answer:?}");
    Some(told.iter().map(|it| it.committed_offset).collect())
}

/// Whether that is what was committed last.
pub(super) fn assert_committed(
    connection: &mut Connection,
    group: &str,
    topic: &Topic,
    partitions: i32,
    offset: i64,
) {
    let committed = try_committed(connection, group, topic, partitions).unwrap();
    assert!(committed.iter().all(|it| *it == offset), "{group}: {committed:?}, not {offset}");
}
