//! Members of a classic group: they join, the one who leads divides, heartbeats tell when it is to be done again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::{Group, assert_each_once};
use crate::connection::decode;
use crate::load::lanes::Lanes;
use crate::load::members::{
    HEARTBEAT_VERSION, JOIN_GROUP_VERSION, SYNC_GROUP_VERSION, assigned, assignment, group_id,
    heartbeat_request, join_request, sync_request,
};
use crate::load::{Topic, error};

const LEAVE_GROUP_VERSION: i16 = 5;
/// As often as Java's clients.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Join,
    Sync,
    Heartbeat,
    /// The time of its next heartbeat.
    Beat(Instant),
}

#[derive(Debug)]
struct Member {
    id: StrBytes,
    generation: i32,
    /// What it has, once it knows.
    partitions: Option<Vec<i32>>,
    waiting: Waiting,
}

/// The group.
pub(super) struct Classic {
    name: String,
    topic: Topic,
    heartbeat: Duration,
    members: BTreeMap<usize, Member>,
    /// The size of the newest generation, as its leader was told.
    newest: (i32, usize),
    leaving: Option<usize>,
    changed: Instant,
}

impl Classic {
    pub fn new(name: String, topic: Topic, heartbeat: Duration) -> Self {
        let heartbeat = if heartbeat.is_zero() { HEARTBEAT } else { heartbeat };
        let members = BTreeMap::new();
        let changed = Instant::now();
        Self { name, topic, heartbeat, members, newest: (0, 0), leaving: None, changed }
    }

    fn join(&mut self, lanes: &mut Lanes, lane: usize) {
        let member = self.members.get_mut(&lane).unwrap();
        member.waiting = Waiting::Join;
        member.partitions = None;
        let request = join_request(&self.name, &self.topic, &member.id);
        lanes.ask(lane, JOIN_GROUP_VERSION, &request);
    }

    /// The one who leads gives each member one partition after the other.
    fn divide(&self, joined: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let (count, all) = (joined.members.len(), 0..self.topic.partitions);
        let given = |(index, id)| {
            let of: Vec<i32> = all.clone().skip(index).step_by(count).collect();
            assignment(&self.topic, id, &of)
        };
        joined.members.iter().map(|member| &member.member_id).enumerate().map(given).collect()
    }

    fn joined(&mut self, lanes: &mut Lanes, lane: usize, answer: &JoinGroupResponse) {
        self.members.get_mut(&lane).unwrap().id = answer.member_id.clone();
        if answer.error_code == error::MEMBER_ID_REQUIRED {
            return self.join(lanes, lane);
        }
        assert_eq!(answer.error_code, error::NONE, "{answer:?}");
        let leads = answer.leader == answer.member_id;
        let assignments = if leads { self.divide(answer) } else { vec![] };
        if leads {
            self.newest = (answer.generation_id, answer.members.len());
        }
        let member = self.members.get_mut(&lane).unwrap();
        member.generation = answer.generation_id;
        member.waiting = Waiting::Sync;
        let request = sync_request(&self.name, &member.id, member.generation, assignments);
        lanes.ask(lane, SYNC_GROUP_VERSION, &request);
    }
}

impl Group for Classic {
    fn come(&mut self, lanes: &mut Lanes, lane: usize) {
        let member = Member {
            id: StrBytes::default(),
            generation: -1,
            partitions: None,
            waiting: Waiting::Join,
        };
        self.members.insert(lane, member);
        self.join(lanes, lane);
    }

    fn go(&mut self, lanes: &mut Lanes, lane: usize) {
        let member = self.members.remove(&lane).unwrap();
        assert!(matches!(member.waiting, Waiting::Beat(_)), "{member:?} cannot go now");
        let identity = MemberIdentity::default().with_member_id(member.id);
        let request = LeaveGroupRequest::default()
            .with_group_id(group_id(&self.name))
            .with_members(vec![identity]);
        lanes.ask(lane, LEAVE_GROUP_VERSION, &request);
        self.leaving = Some(lane);
    }

    fn hear(&mut self, lanes: &mut Lanes, lane: usize, answer: Bytes) {
        if self.leaving == Some(lane) {
            self.leaving = None;
            let answer = decode::<LeaveGroupRequest>(LEAVE_GROUP_VERSION, answer).1;
            let code = answer.members[0].error_code;
            assert_eq!((answer.error_code, code), (error::NONE, error::NONE), "{answer:?}");
            return;
        }
        let rested = Waiting::Beat(Instant::now() + self.heartbeat);
        let code = match self.members[&lane].waiting {
            Waiting::Join => {
                let answer = decode::<JoinGroupRequest>(JOIN_GROUP_VERSION, answer).1;
                return self.joined(lanes, lane, &answer);
            }
            Waiting::Sync => {
                let answer = decode::<SyncGroupRequest>(SYNC_GROUP_VERSION, answer).1;
                if answer.error_code == error::NONE {
                    let partitions = assigned(&self.topic, &answer.assignment);
                    self.changed = Instant::now();
                    self.members.get_mut(&lane).unwrap().partitions = Some(partitions);
                }
                answer.error_code
            }
            Waiting::Heartbeat => {
                decode::<HeartbeatRequest>(HEARTBEAT_VERSION, answer).1.error_code
            }
            Waiting::Beat(_) => panic!("an answer that nobody waits for"),
        };
        match code {
            error::NONE => self.members.get_mut(&lane).unwrap().waiting = rested,
            error::REBALANCE_IN_PROGRESS | error::ILLEGAL_GENERATION => self.join(lanes, lane),
            code => panic!("a member has error {code}"),
        }
    }

    fn beat(&mut self, lanes: &mut Lanes) -> Option<Instant> {
        let now = Instant::now();
        let mut next = None;
        for (lane, member) in &mut self.members {
            let Waiting::Beat(at) = member.waiting else { continue };
            if at <= now {
                member.waiting = Waiting::Heartbeat;
                let request = heartbeat_request(&self.name, &member.id, member.generation);
                lanes.ask(*lane, HEARTBEAT_VERSION, &request);
            } else {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
        }
        next
    }

    fn rests(&self) -> bool {
        self.leaving.is_none()
            && self.members.values().all(|it| matches!(it.waiting, Waiting::Beat(_)))
    }

    fn settled(&self, members: usize) -> Option<Instant> {
        let (newest, size) = self.newest;
        let knows = |it: &Member| it.generation == newest && it.partitions.is_some();
        if size != members || self.members.len() != members || !self.members.values().all(knows) {
            return None;
        }
        let owned = self.members.values().filter_map(|it| it.partitions.as_ref()).flatten();
        assert_each_once(self.topic.partitions, owned.copied().collect());
        Some(self.changed)
    }
}
