//! Members of classic groups: they join, are given partitions, read from where the group is, commit, and go:
//! with a word, without one, or only to come back. Who leads gives each partition to anyone.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use protocol_tests::fields::{Reader, Writer};
use protocol_tests::history::{Action, Isolation, Outcome};
use protocol_tests::random::Random;
use protocol_tests::requests::{text, topic_name};

use super::link::{Link, error};
use super::sight::read;
use super::{FIRST_STEADY_GROUP, GROUPS, PARTITIONS, TOPIC, World};

const JOIN_GROUP: i16 = 11;
const SYNC_GROUP: i16 = 14;
const OFFSET_COMMIT: i16 = 8;
const FIND_COORDINATOR: i16 = 10;

const ILLEGAL_GENERATION: i16 = 22;
const REBALANCE_IN_PROGRESS: i16 = 27;

const PROTOCOL_TYPE: &str = "consumer";
const PROTOCOL: &str = "any";
/// A member who goes without a word is missed soon. Kills put that off, and on a slow machine one who works may be
/// missed as well: it joins again.
const SESSION_TIMEOUT_MS: i32 = 500;
const REBALANCE_TIMEOUT_MS: i32 = 1500;
const BYTES_MAX: u64 = 32 << 10;

/// What a group is called.
pub fn group_id(group: u32) -> String {
    format!("group-{group}")
}

/// A group's id in a request.
pub fn group_name(group_id: &str) -> GroupId {
    GroupId(text(group_id))
}

/// Whether the node has groups.
pub fn can_run(world: &World) -> bool {
    [JOIN_GROUP, SYNC_GROUP, OFFSET_COMMIT, FIND_COORDINATOR].into_iter().all(|key| world.has(key))
}

/// Who a member is in its group.
pub struct Membership {
    group: u32,
    group_id: String,
    session_timeout_ms: i32,
    pub member_id: StrBytes,
    pub generation: i32,
    /// Whether it has been given its partitions.
    pub is_in: bool,
    pub positions: Vec<(u32, i64)>,
}

/// Why a member has to join again.
pub struct Out;

/// A member of one of the groups, as long as the load lasts.
pub fn run(mut link: Link<'_>, number: u32) {
    if !can_run(link.world) {
        return link.wait();
    }
    let group = number % GROUPS;
    let group_id = group_id(group);
    link.find_coordinator(0, &group_id);
    let mut member = Membership::new(group, group_id, SESSION_TIMEOUT_MS);
    while !link.world.is_over() {
        if member.join(&mut link).is_ok() {
            while !link.world.is_over() && member.work(&mut link).is_ok() {}
        }
        member.positions.clear();
    }
    member.leave(&mut link);
}

impl Membership {
    /// One who is to join.
    pub fn new(group: u32, group_id: String, session_timeout_ms: i32) -> Self {
        Self {
            group,
            group_id,
            session_timeout_ms,
            member_id: StrBytes::default(),
            generation: -1,
            is_in: false,
            positions: Vec::new(),
        }
    }

    /// An error that the group has an answer to.
    fn check(&mut self, link: &mut Link<'_>, code: i16) -> Result<(), Out> {
        match code {
            error::NONE => return Ok(()),
            error::UNKNOWN_MEMBER_ID => self.member_id = StrBytes::default(),
            code if error::is_coordinator_away(code) => {
                link.world.pause();
                let group_id = self.group_id.clone();
                link.find_coordinator(0, &group_id);
            }
            // A generation that is over, a rebalance, or an id that is to be used.
            ILLEGAL_GENERATION | REBALANCE_IN_PROGRESS | error::MEMBER_ID_REQUIRED => {}
            code => panic!("{}: error {code}", self.group_id),
        }
        Err(Out)
    }

    /// Joins, and learns what is its own and where the group is there.
    pub fn join(&mut self, link: &mut Link<'_>) -> Result<(), Out> {
        let subscription = Writer::default().i16(0).i32(1).string(TOPIC).i32(-1).0;
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text(PROTOCOL))
            .with_metadata(Bytes::from(subscription));
        let request = JoinGroupRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_session_timeout_ms(self.session_timeout_ms)
            .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
            .with_member_id(self.member_id.clone())
            .with_protocol_type(text(PROTOCOL_TYPE))
            .with_protocols(vec![protocol]);
        let answer = link.try_ask(7, &request).ok_or(Out)?;
        if answer.error_code == error::MEMBER_ID_REQUIRED || answer.error_code == error::NONE {
            self.member_id = answer.member_id.clone();
        }
        self.check(link, answer.error_code)?;
        self.generation = answer.generation_id;
        let partitions = self.sync(link, &answer)?;
        let offsets = committed(link, self.group, &self.group_id, &partitions).ok_or(Out)?;
        self.positions = partitions.iter().map(|it| (*it, offsets[it].unwrap_or(0))).collect();
        Ok(())
    }

    fn sync(&self, link: &mut Link<'_>, joined: &JoinGroupResponse) -> Result<Vec<u32>, Out> {
        let is_leader = joined.leader == joined.member_id;
        // Where all stay each has as much.
        let random = (self.group < FIRST_STEADY_GROUP).then_some(&mut link.random);
        let assignments = if is_leader { assign(random, &joined.members) } else { vec![] };
        let request = SyncGroupRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_generation_id(self.generation)
            .with_member_id(self.member_id.clone())
            .with_protocol_type(Some(text(PROTOCOL_TYPE)))
            .with_protocol_name(Some(text(PROTOCOL)))
            .with_assignments(assignments);
        let begun = link.begin();
        let answer = link.try_ask(5, &request).ok_or(Out)?;
        if answer.error_code != error::NONE {
            // Whatever it is, who joins again learns it.
            link.world.pause();
            return Err(Out);
        }
        let partitions = partitions(&answer.assignment);
        let action = Action::Assigned {
            group: self.group,
            generation: self.generation,
            partitions: partitions.clone(),
        };
        link.end(begun, Outcome::Ok, action);
        Ok(partitions)
    }

    /// One thing that a member does.
    fn work(&mut self, link: &mut Link<'_>) -> Result<(), Out> {
        match link.random.below(600) {
            0 => {
                self.leave(link);
                self.member_id = StrBytes::default();
                return Err(Out);
            }
            // Gone without a word: its session will end. Another takes its place.
            1 => {
                link.hang_up();
                self.member_id = StrBytes::default();
                return Err(Out);
            }
            2 => return Err(Out),
            3..=150 => self.commit(link)?,
            _ => {}
        }
        consume(link, self.group, &mut self.positions);
        self.heartbeat(link)
    }

    /// Stays in its group, or learns why not.
    pub fn heartbeat(&mut self, link: &mut Link<'_>) -> Result<(), Out> {
        let request = HeartbeatRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_generation_id(self.generation)
            .with_member_id(self.member_id.clone());
        let answer = link.try_ask(4, &request);
        // Without an answer the next heartbeat tells whether it still is a member.
        answer.map_or(Ok(()), |answer| self.check(link, answer.error_code))
    }

    fn commit(&mut self, link: &mut Link<'_>) -> Result<(), Out> {
        let request = OffsetCommitRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(self.member_id.clone());
        let refused = commit(link, self.group, request, 8, &self.positions);
        self.check(link, refused.unwrap_or(error::NONE))
    }

    fn leave(&self, link: &mut Link<'_>) {
        let identity = MemberIdentity::default().with_member_id(self.member_id.clone());
        let request = LeaveGroupRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_members(vec![identity]);
        // Who has no answer is missed at the end of its session.
        let _: Option<_> = link.try_ask(4, &request);
    }
}

/// Reads on, where there is anything to read.
pub fn consume(link: &mut Link<'_>, group: u32, positions: &mut [(u32, i64)]) {
    if positions.is_empty() {
        return link.world.pause();
    }
    let is_even = group.is_multiple_of(2);
    let isolation = if is_even { Isolation::Committed } else { Isolation::Uncommitted };
    let bytes_max = link.random.below(BYTES_MAX) as i32;
    read(link, isolation, bytes_max, positions);
}

/// Gives each partition to anyone, or to one after the other.
fn assign(
    mut random: Option<&mut Random>,
    members: &[JoinGroupResponseMember],
) -> Vec<SyncGroupRequestAssignment> {
    let mut given: Vec<Vec<i32>> = members.iter().map(|_| Vec::new()).collect();
    for partition in 0..PARTITIONS as i32 {
        let next = partition as usize % members.len();
        let member = random.as_mut().map_or(next, |random| random.index(members.len()));
        given[member].push(partition);
    }
    let assignment = |(member, partitions): (&JoinGroupResponseMember, &Vec<i32>)| {
        let writer = Writer::default().i16(0).i32(1).string(TOPIC).i32(partitions.len() as i32);
        let writer = partitions.iter().fold(writer, |writer, it| writer.i32(*it)).i32(-1);
        SyncGroupRequestAssignment::default()
            .with_member_id(member.member_id.clone())
            .with_assignment(Bytes::from(writer.0))
    };
    members.iter().zip(&given).map(assignment).collect()
}

/// The partitions of an assignment as `assign` makes it.
fn partitions(assignment: &[u8]) -> Vec<u32> {
    let mut reader = Reader(assignment);
    assert_eq!((reader.i16().unwrap(), reader.i32().unwrap()), (0, 1));
    let length = reader.i16().unwrap();
    reader.raw(length as usize).unwrap();
    let count = reader.i32().unwrap();
    (0..count).map(|_| reader.i32().unwrap() as u32).collect()
}

/// Commits offsets and records what became of each; the error of one that was refused.
pub fn commit(
    link: &mut Link<'_>,
    group: u32,
    request: OffsetCommitRequest,
    version: i16,
    positions: &[(u32, i64)],
) -> Option<i16> {
    let partition = |(partition, offset): &(u32, i64)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*partition as i32)
            .with_committed_offset(*offset)
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partitions(positions.iter().map(partition).collect());
    let request = request.with_topics(vec![topic]);
    let begun = link.begin();
    let answer = link.try_ask(version, &request);
    let mut codes = BTreeMap::new();
    for it in answer.iter().flat_map(|it| &it.topics).flat_map(|it| &it.partitions) {
        codes.insert(it.partition_index as u32, it.error_code);
    }
    for (partition, offset) in positions {
        let code = codes.get(partition).copied().unwrap_or(error::UNKNOWN_SERVER_ERROR);
        let (partition, offset) = (*partition, *offset);
        let action = Action::Commit { group, partition, offset, transaction: None };
        link.end(begun, error::outcome(code), action);
    }
    codes.into_values().find(|code| *code != error::NONE)
}

/// Asks for a group's offsets until no transaction holds one open, and records what was told. Nothing when the
/// connection ends before.
pub fn committed(
    link: &mut Link<'_>,
    group: u32,
    group_id: &str,
    partitions: &[u32],
) -> Option<BTreeMap<u32, Option<i64>>> {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(topic_name(TOPIC))
        .with_partition_indexes(partitions.iter().map(|it| *it as i32).collect());
    let of = OffsetFetchRequestGroup::default()
        .with_group_id(group_name(group_id))
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![of]).with_require_stable(true);
    loop {
        let begun = link.begin();
        let answer = link.try_ask(8, &request)?;
        let of = &answer.groups[0];
        let told: Vec<_> = of.topics.iter().flat_map(|topic| &topic.partitions).collect();
        let mut codes = told.iter().map(|it| it.error_code).chain([of.error_code]);
        if let Some(code) = codes.find(|code| *code != error::NONE) {
            let is_away = error::is_coordinator_away(code);
            assert!(is_away || code == error::UNSTABLE_OFFSET_COMMIT, "{group_id}: error {code}");
            link.world.pause();
            continue;
        }
        let offset = |offset: i64| (offset >= 0).then_some(offset);
        let all = told.iter().map(|it| (it.partition_index as u32, offset(it.committed_offset)));
        let all: BTreeMap<u32, Option<i64>> = all.collect();
        for (partition, offset) in &all {
            let (partition, offset) = (*partition, *offset);
            link.end(begun, Outcome::Ok, Action::Committed { group, partition, offset });
        }
        return Some(all);
    }
}
