//! A member of the classic protocol: JoinGroup, SyncGroup, Heartbeat; the leader assigns.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::Desk;
use super::member::{Heard, REBALANCE_TIMEOUT_MS, Reading, SESSION_TIMEOUT_MS, all_places, names};
use crate::kernel::groups::requests::{GroupReply, JoinGroup, owned};
use crate::kernel::metadata::image::Image;
use crate::sim::asks::{Answer, Ask};
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, NAMES, Place};
use crate::types::error_code::ErrorCode;
use crate::wire::coordinator_records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};

/// The version of what members tell each other.
const CONSUMER_PROTOCOL_VERSION: i16 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Join,
    Sync,
    Stable,
}

/// See the module.
#[derive(Debug)]
pub struct Classic {
    is_eager: bool,
    instance: Option<String>,
    version: i16,
    id: String,
    generation: i32,
    phase: Phase,
    /// The members, if it is the leader.
    members: Vec<JoinGroupResponseMember>,
    protocol: Option<StrBytes>,
}

impl Classic {
    /// One that has not joined.
    pub const fn new(is_eager: bool, instance: Option<String>, version: i16) -> Self {
        Self {
            is_eager,
            instance,
            version,
            id: String::new(),
            generation: -1,
            phase: Phase::Join,
            members: Vec::new(),
            protocol: None,
        }
    }

    /// Whether it has its assignment.
    pub fn is_stable(&self) -> bool {
        self.phase == Phase::Stable
    }

    /// Its id; empty before it has one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its generation.
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// How it stands.
    pub fn show(&self) -> String {
        format!("classic {} {:?} at {}", self.id, self.phase, self.generation)
    }

    /// What it asks next.
    pub fn next(
        &mut self,
        group: &str,
        client: &str,
        subscribed: &[usize],
        reading: &Reading,
        image: &Image,
    ) -> Ask {
        match self.phase {
            Phase::Join => self.join(group, client, subscribed, reading),
            Phase::Sync => self.sync(group, image),
            Phase::Stable => Ask::Heartbeat(
                HeartbeatRequest::default()
                    .with_group_id(group_id(group))
                    .with_generation_id(self.generation)
                    .with_member_id(owned(&self.id))
                    .with_group_instance_id(self.instance.as_deref().map(owned)),
            ),
        }
    }

    fn join(&self, group: &str, client: &str, subscribed: &[usize], reading: &Reading) -> Ask {
        let has: Vec<Place> = if self.is_eager { Vec::new() } else { reading.places().collect() };
        let subscription = ConsumerProtocolSubscription {
            topics: names(subscribed),
            user_data: None,
            owned_partitions: by_topic(&has),
            generation_id: self.generation,
            rack_id: None,
        };
        let name = if self.is_eager { "range" } else { "cooperative-sticky" };
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(owned(name))
            .with_metadata(subscription.encode(CONSUMER_PROTOCOL_VERSION));
        let request = JoinGroupRequest::default()
            .with_group_id(group_id(group))
            .with_session_timeout_ms(SESSION_TIMEOUT_MS)
            .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
            .with_member_id(owned(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(owned))
            .with_protocol_type(owned("consumer"))
            .with_protocols(vec![protocol]);
        Ask::Join(Box::new(JoinGroup {
            request,
            version: self.version,
            client_id: owned(client),
            client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }))
    }

    fn sync(&self, group: &str, image: &Image) -> Ask {
        let assignments = assign(&self.members, self.is_eager, image);
        let part = |(id, places): (String, Vec<Place>)| {
            let assignment = ConsumerProtocolAssignment {
                assigned_partitions: by_topic(&places),
                user_data: None,
            };
            SyncGroupRequestAssignment::default()
                .with_member_id(owned(&id))
                .with_assignment(assignment.encode(CONSUMER_PROTOCOL_VERSION))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(group))
            .with_generation_id(self.generation)
            .with_member_id(owned(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(owned))
            .with_protocol_type(Some(owned("consumer")))
            .with_protocol_name(self.protocol.clone())
            .with_assignments(assignments.into_iter().map(part).collect());
        Ask::Sync(Box::new(request))
    }

    /// It leaves; a static member would rather not, but an administrator makes it.
    pub fn leave(&self, group: &str) -> Ask {
        let member = MemberIdentity::default()
            .with_member_id(owned(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(owned));
        let request =
            LeaveGroupRequest::default().with_group_id(group_id(group)).with_members(vec![member]);
        Ask::Leave(Box::new(request))
    }

    /// It is answered.
    pub fn on_answer(
        &mut self,
        desk: &mut Desk<'_>,
        answer: Answer,
        reading: &mut Reading,
    ) -> Heard {
        let code = answer.code();
        match code {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                if let Answer::Group(GroupReply::JoinGroup(response)) = &answer {
                    self.id = response.member_id.to_string();
                }
                return Heard::Well;
            }
            ErrorCode::RebalanceInProgress => {
                self.rejoin(reading);
                return Heard::Well;
            }
            ErrorCode::FencedInstanceId => return Heard::Fenced,
            ErrorCode::UnknownMemberId => {
                self.id = String::new();
                return self.lose();
            }
            ErrorCode::IllegalGeneration => return self.lose(),
            _ => {
                desk.wake_at_ms = Some(desk.now_ms + 1_000);
                return self.lose();
            }
        }
        match answer {
            Answer::Group(GroupReply::JoinGroup(response)) => self.joined(*response),
            Answer::Group(GroupReply::SyncGroup(response)) => {
                self.synced(desk, &response.assignment, reading);
            }
            _ => {}
        }
        Heard::Well
    }

    fn lose(&mut self) -> Heard {
        self.generation = -1;
        self.phase = Phase::Join;
        Heard::Lost
    }

    fn rejoin(&mut self, reading: &mut Reading) {
        self.phase = Phase::Join;
        if self.is_eager {
            reading.lose_all();
        }
    }

    fn joined(&mut self, response: JoinGroupResponse) {
        self.id = response.member_id.to_string();
        self.generation = response.generation_id;
        self.protocol = response.protocol_name;
        self.members =
            if response.leader == response.member_id { response.members } else { Vec::new() };
        self.phase = Phase::Sync;
    }

    fn synced(&mut self, desk: &mut Desk<'_>, assignment: &Bytes, reading: &mut Reading) {
        let read = ConsumerProtocolAssignment::decode(assignment);
        let given: Vec<Place> = match read {
            Ok((_, assignment)) => places_of(&assignment.assigned_partitions),
            // Whoever is not assigned anything gets no bytes.
            Err(_) => Vec::new(),
        };
        let had: BTreeSet<Place> = reading.places().collect();
        let gives_back = had.iter().any(|place| !given.contains(place));
        if self.is_eager {
            reading.lose_all();
        }
        reading.assign(&given);
        self.phase = Phase::Stable;
        desk.counters.hit(Sometimes::ClassicStable);
        if gives_back && !self.is_eager {
            desk.counters.hit(Sometimes::CooperativeSecondRound);
            self.phase = Phase::Join;
        }
    }
}

fn group_id(group: &str) -> GroupId {
    GroupId(owned(group))
}

fn by_topic(places: &[Place]) -> Vec<TopicPartition> {
    let mut topics: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    for (topic, at) in places {
        topics.entry(*topic).or_default().push(*at);
    }
    let topic = |(topic, partitions): (usize, Vec<i32>)| TopicPartition {
        topic: NAMES[topic].to_owned(),
        partitions,
    };
    topics.into_iter().map(topic).collect()
}

fn places_of(partitions: &[TopicPartition]) -> Vec<Place> {
    let places = partitions.iter().filter_map(|it| {
        let topic = topics::place_of(&it.topic)?;
        Some(it.partitions.iter().map(move |at| (topic, *at)))
    });
    places.flatten().collect()
}

/// What the leader gives to whom. Cooperative members get nothing that another still has: that one gives it back first.
fn assign(
    members: &[JoinGroupResponseMember],
    is_eager: bool,
    image: &Image,
) -> BTreeMap<String, Vec<Place>> {
    let mut given: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    let mut wants: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut has: BTreeMap<Place, (i32, String)> = BTreeMap::new();
    for member in members {
        let id = member.member_id.to_string();
        given.insert(id.clone(), Vec::new());
        let Ok((_, read)) = ConsumerProtocolSubscription::decode(&member.metadata) else {
            continue;
        };
        for topic in read.topics.iter().filter_map(|name| topics::place_of(name)) {
            wants.entry(topic).or_default().push(id.clone());
        }
        for place in places_of(&read.owned_partitions) {
            // Of two that claim it, the later generation has it (KIP-792).
            let before = has.get(&place).map_or(i32::MIN, |(generation, _)| *generation);
            if read.generation_id > before {
                has.insert(place, (read.generation_id, id.clone()));
            }
        }
    }
    let mut next = 0;
    for (topic, wanting) in wants {
        for place in all_places(image, &[topic]) {
            let keeps = has.get(&place).filter(|(_, id)| wanting.contains(id) && next % 3 != 0);
            let to = match keeps {
                Some((_, id)) => id.clone(),
                None => wanting.get(next % wanting.len()).cloned().unwrap_or_default(),
            };
            next += 1;
            let is_free = has.get(&place).is_none_or(|(_, id)| *id == to);
            if is_eager || is_free {
                given.entry(to).or_default().push(place);
            }
        }
    }
    given
}
