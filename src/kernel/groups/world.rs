//! A shard without a driver, for tests: it is asked, its records go to a log in memory, time passes when it is told.
//!
//! Member ids end in a number instead of a UUID: `a#1` is the first id that was given out, to a client `a`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::classic::{ClassicGroup, FIRST_WAIT_MS};
use super::requests::{GroupOutput, GroupReply, GroupRequest, JoinGroup, owned};
use super::shard::GroupShard;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::kernel::machine::{CallId, Env, Machine, Marker, Refused, Replayed, ShardId};
use crate::kernel::metadata::image::Image;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};

/// Where the wall clock begins.
pub const START_MS: i64 = 1_764_000_000_000;
/// How the ids that are given out begin; the number of the draw follows.
const UUID_START: &str = "-00000000-0000-4000-8000-";

/// See the module.
pub struct World {
    /// The shard.
    pub shard: GroupShard,
    /// The present.
    pub now: Now,
    /// What the node is configured with.
    pub config: BrokerConfig,
    /// The metadata.
    pub image: Image,
    /// All that was written: keys and values.
    pub log: Vec<(Bytes, Option<Bytes>)>,
    /// Which records are part of a transaction, by their offsets.
    transactions: BTreeMap<usize, (ProducerId, ProducerEpoch)>,
    /// The ends of transactions, and how many records there were before them.
    markers: Vec<(usize, Marker)>,
    /// What was replied and not looked at.
    pub replies: BTreeMap<CallId, GroupReply>,
    /// The next write is refused so.
    pub refusal: Option<ErrorCode>,
    calls: u64,
    draws: u64,
}

fn broker_config(set: &[(&str, &str)]) -> BrokerConfig {
    let texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let texts = texts.iter().chain(set);
    let texts: Texts = texts.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    BrokerConfig::new(&texts).unwrap()
}

impl World {
    /// An empty shard, with this configuration beside the defaults.
    pub fn new(set: &[(&str, &str)]) -> Self {
        let mut world = Self {
            shard: GroupShard::new(shard_id()),
            now: Now { mono: Mono(Duration::from_hours(1)), wall: Timestamp(START_MS) },
            config: broker_config(set),
            image: Image::empty(),
            log: Vec::new(),
            transactions: BTreeMap::new(),
            markers: Vec::new(),
            replies: BTreeMap::new(),
            refusal: None,
            calls: 0,
            draws: 0,
        };
        world.step(Machine::on_loaded);
        world
    }

    /// Lets the shard do something, and does what it says.
    pub fn step(&mut self, act: impl FnOnce(&mut GroupShard, &mut Env<'_>) -> GroupOutput) {
        let draws = &mut self.draws;
        let mut random = || {
            *draws += 1;
            u128::from(*draws).to_be_bytes()
        };
        let mut env =
            Env { now: self.now, image: &self.image, config: &self.config, random: &mut random };
        let output = act(&mut self.shard, &mut env);
        self.carry_out(output);
    }

    fn carry_out(&mut self, mut output: GroupOutput) {
        if !output.writes.is_empty()
            && let Some(code) = self.refusal.take()
        {
            for (call, _) in &output.replies {
                self.calls_refused(*call, code);
            }
            let refused = Refused { code, writes: output.writes };
            let mut next = None;
            self.step(|shard, env| {
                next = shard.on_refused(env, refused);
                GroupOutput::none()
            });
            output = next.unwrap();
        }
        for write in output.writes {
            assert!(!write.records.is_empty());
            for record in write.records {
                let (key, value) = GroupShard::encode(&record);
                let read = GroupShard::decode(Some(&key), value.as_ref()).unwrap().unwrap();
                assert_eq!(read, record, "what is written is read");
                if let Some(transaction) = write.transaction {
                    self.transactions.insert(self.log.len(), transaction);
                }
                self.log.push((key, value));
                self.shard.replay(record, self.place());
            }
        }
        for (call, reply) in output.replies {
            let before = self.replies.insert(call, reply);
            assert_eq!(before, None, "one reply to each call");
        }
    }

    /// A call that was told of a refused write: the driver's answer, shown as a heartbeat's.
    fn calls_refused(&mut self, call: CallId, code: ErrorCode) {
        let response =
            kafka_protocol::messages::HeartbeatResponse::default().with_error_code(code.code());
        self.replies.insert(call, GroupReply::Heartbeat(response));
    }

    fn place(&self) -> Replayed {
        let index = self.log.len() - 1;
        let transaction = self.transactions.get(&index).copied();
        Replayed { offset: Offset(index as i64), transaction, timestamp: self.now.wall }
    }

    /// A transaction ends.
    pub fn end_transaction(&mut self, producer_id: ProducerId, committed: bool) {
        let offset = Offset(self.log.len() as i64);
        let marker = Marker { offset, producer_id, producer_epoch: ProducerEpoch(0), committed };
        self.markers.push((self.log.len(), marker));
        self.shard.replay_marker(marker);
    }

    /// Asks.
    pub fn call(&mut self, request: GroupRequest) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        self.step(|shard, env| shard.on_request(env, call, request));
        call
    }

    /// Asks, and what was replied at once.
    pub fn ask(&mut self, request: GroupRequest) -> GroupReply {
        let call = self.call(request);
        self.replies.remove(&call).expect("a reply at once")
    }

    /// What was replied to a call, if anything.
    pub fn told(&mut self, call: CallId) -> String {
        self.replies.remove(&call).map_or_else(|| "waits".to_owned(), |reply| text(&reply))
    }

    /// Lets time pass; what comes due happens when it does.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono.after(Duration::from_millis(ms));
        let mut steps = 0;
        while let Some(at) = self.shard.next_deadline().filter(|at| *at <= end) {
            self.go_to(at.max(self.now.mono));
            self.step(Machine::on_timeout);
            steps += 1;
            assert!(steps < 100_000, "something is due for ever");
        }
        self.go_to(end);
    }

    fn go_to(&mut self, at: Mono) {
        let passed = at.since(self.now.mono);
        self.now.mono = at;
        self.now.wall.0 += passed.as_millis() as i64;
    }

    /// What a shard would be that has read the log up to here.
    pub fn loaded(&self, records: usize) -> GroupShard {
        let mut shard = GroupShard::new(shard_id());
        for (index, (key, value)) in self.log.iter().take(records).enumerate() {
            self.replay_markers(&mut shard, index);
            let record = GroupShard::decode(Some(key), value.as_ref()).unwrap().unwrap();
            let transaction = self.transactions.get(&index).copied();
            let (offset, timestamp) = (Offset(index as i64), Timestamp(START_MS));
            shard.replay(record, Replayed { offset, transaction, timestamp });
        }
        self.replay_markers(&mut shard, records);
        shard
    }

    fn replay_markers(&self, shard: &mut GroupShard, before: usize) {
        let here = self.markers.iter().filter(|(records, _)| *records == before);
        here.for_each(|(_, marker)| shard.replay_marker(*marker));
    }

    /// The node starts again: what was not written is gone, and so is who waited.
    pub fn restart(&mut self) {
        self.shard = self.loaded(self.log.len());
        self.step(Machine::on_loaded);
    }

    /// A member joins group `g`.
    pub fn join(&mut self, joiner: &Joiner<'_>) -> CallId {
        let call = self.join_alone(joiner);
        let is_first = self.shard.groups().classic("g").is_some_and(ClassicGroup::is_gathering);
        if is_first && self.config.group_initial_rebalance_delay_ms == 0 {
            self.pass_ms(FIRST_WAIT_MS as u64);
        }
        call
    }

    /// The same, and who comes first is waited with.
    pub fn join_alone(&mut self, joiner: &Joiner<'_>) -> CallId {
        self.call(GroupRequest::JoinGroup(Box::new(joiner.request())))
    }

    /// A client joins group `g` with the id that it is given, as those of version 4 and later do.
    pub fn join_new(&mut self, joiner: &Joiner<'_>) -> (CallId, String) {
        let call = self.join(joiner);
        let GroupReply::JoinGroup(response) = self.replies.remove(&call).unwrap() else { panic!() };
        assert_eq!(response.error_code, ErrorCode::MemberIdRequired.code());
        let id = short(&response.member_id);
        (self.join(&Joiner { member_id: &id, ..joiner.clone() }), id)
    }

    /// A member asks for its assignment; a leader says whose are which.
    pub fn sync(&mut self, member_id: &str, generation: i32, parts: &[(&str, &str)]) -> CallId {
        let part = |(id, part): &(&str, &str)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(long(id))
                .with_assignment(Bytes::copy_from_slice(part.as_bytes()))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id("g"))
            .with_generation_id(generation)
            .with_member_id(long(member_id))
            .with_assignments(parts.iter().map(part).collect());
        self.call(GroupRequest::SyncGroup(Box::new(request)))
    }

    /// A member's heartbeat: the error.
    pub fn heartbeat(&mut self, member_id: &str, generation: i32) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id("g"))
            .with_generation_id(generation)
            .with_member_id(long(member_id));
        match self.ask(GroupRequest::Heartbeat(request)) {
            GroupReply::Heartbeat(response) => response.error_code,
            other => panic!("{other:?}"),
        }
    }

    /// Members leave, each by its id or its own name: what it is told.
    pub fn leave(&mut self, members: &[(&str, Option<&str>)]) -> String {
        let member = |(id, instance_id): &(&str, Option<&str>)| {
            MemberIdentity::default()
                .with_member_id(long(id))
                .with_group_instance_id(instance_id.map(owned))
        };
        let request = LeaveGroupRequest::default()
            .with_group_id(group_id("g"))
            .with_members(members.iter().map(member).collect());
        text(&self.ask(GroupRequest::LeaveGroup(Box::new(request))))
    }

    /// Group `g` in a few words: state, generation, members with their assignments.
    pub fn group(&self) -> String {
        show(&self.shard)
    }
}

/// Group `g` of a shard in a few words.
pub fn show(shard: &GroupShard) -> String {
    let Some(group) = shard.groups().classic("g") else { return "none".to_owned() };
    let described = group.describe();
    let members = described.members.iter().map(|member| {
        let assignment = String::from_utf8_lossy(&member.member_assignment);
        format!(" {}={assignment}", short(&member.member_id))
    });
    let members: String = members.collect();
    format!("{} {}{members}", group.state().name(), group.generation())
}

fn shard_id() -> ShardId {
    ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) }
}

fn group_id(id: &str) -> GroupId {
    GroupId(owned(id))
}

/// `a#1` for `a-00000000-0000-4000-8000-000000000001`.
pub fn short(id: &str) -> String {
    match id.split_once(UUID_START) {
        Some((prefix, draw)) => {
            format!("{prefix}#{}", u64::from_str_radix(draw, 16).unwrap())
        }
        None => id.to_owned(),
    }
}

/// The other way round.
pub fn long(id: &str) -> StrBytes {
    StrBytes::from_string(match id.split_once('#') {
        Some((prefix, draw)) => {
            format!("{prefix}{UUID_START}{:012x}", draw.parse::<u64>().unwrap())
        }
        None => id.to_owned(),
    })
}

/// Who joins, and how.
#[derive(Clone)]
pub struct Joiner<'a> {
    /// The client.
    pub client_id: &'a str,
    /// Its id, if it has one.
    pub member_id: &'a str,
    /// Its own name, if it has one.
    pub instance_id: Option<&'a str>,
    /// What it can agree to, and what it says for each.
    pub protocols: &'a [(&'a str, &'a str)],
    /// The kind of protocol.
    pub protocol_type: &'a str,
    /// The version of the request.
    pub version: i16,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
}

impl<'a> Joiner<'a> {
    /// A consumer of that name.
    pub const fn of(client_id: &'a str) -> Self {
        Self {
            client_id,
            member_id: "",
            instance_id: None,
            protocols: &[("range", "")],
            protocol_type: "consumer",
            version: 9,
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
        }
    }

    /// The same with an id.
    #[must_use]
    pub fn with_id(&self, member_id: &'a str) -> Self {
        Self { member_id, ..self.clone() }
    }

    /// The request.
    pub fn request(&self) -> JoinGroup {
        let protocol = |(name, metadata): &(&str, &str)| {
            JoinGroupRequestProtocol::default()
                .with_name(owned(name))
                .with_metadata(Bytes::copy_from_slice(metadata.as_bytes()))
        };
        let request = JoinGroupRequest::default()
            .with_group_id(group_id("g"))
            .with_session_timeout_ms(self.session_timeout_ms)
            .with_rebalance_timeout_ms(self.rebalance_timeout_ms)
            .with_member_id(long(self.member_id))
            .with_group_instance_id(self.instance_id.map(owned))
            .with_protocol_type(owned(self.protocol_type))
            .with_protocols(self.protocols.iter().map(protocol).collect());
        JoinGroup {
            request,
            version: self.version,
            client_id: owned(self.client_id),
            client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

/// A reply in a few words.
pub fn text(reply: &GroupReply) -> String {
    match reply {
        GroupReply::JoinGroup(it) if it.error_code != 0 => {
            format!("error {} id={}", it.error_code, short(&it.member_id))
        }
        GroupReply::JoinGroup(it) => {
            let members = it.members.iter().map(|member| {
                let metadata = String::from_utf8_lossy(&member.metadata);
                format!(" {}={metadata}", short(&member.member_id))
            });
            let members: String = members.collect();
            let skip = if it.skip_assignment { " skip" } else { "" };
            format!(
                "joined {} {} id={} leader={}{skip}{members}",
                it.generation_id,
                it.protocol_name.as_deref().unwrap_or("null"),
                short(&it.member_id),
                short(&it.leader),
            )
        }
        GroupReply::SyncGroup(it) if it.error_code != 0 => format!("error {}", it.error_code),
        GroupReply::SyncGroup(it) => {
            let (kind, name) = (it.protocol_type.as_deref(), it.protocol_name.as_deref());
            let (kind, name) = (kind.unwrap_or("null"), name.unwrap_or("null"));
            format!("synced {kind} {name} {}", String::from_utf8_lossy(&it.assignment))
        }
        GroupReply::Heartbeat(it) => format!("error {}", it.error_code),
        GroupReply::LeaveGroup(it) => {
            let members = it.members.iter().map(|member| {
                let instance_id = member.group_instance_id.as_deref().unwrap_or("");
                format!(" {}/{instance_id}={}", short(&member.member_id), member.error_code)
            });
            format!("left {}{}", it.error_code, members.collect::<String>())
        }
        other => format!("{other:?}"),
    }
}
