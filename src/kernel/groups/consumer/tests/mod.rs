//! Consumer groups in a shard: what members are told, what is written, and what stays true whatever happens.

mod heartbeats;
mod histories;
mod members_of_both;
mod reconciling;
mod regexes;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::consumer_group_heartbeat_response::Assignment;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId,
    TopicName as WireTopicName,
};
use uuid::Uuid;

use super::{ConsumerGroup, metadata_hash};
use crate::kernel::groups::requests::{ConsumerGroupHeartbeat, GroupReply, GroupRequest, owned};
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::groups::table::Group;
use crate::kernel::groups::world::World;
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::{
    BrokerRegistration, Image, LeaderRecoveryState, PartitionRegistration, TopicImage,
};
use crate::types::epoch::{BrokerEpoch, LeaderEpoch, PartitionEpoch};
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicId, TopicName};

/// No time between two assignments.
pub(super) const AT_ONCE: (&str, &str) = ("group.consumer.assignment.interval.ms", "0");

/// The id of the topic of that name in tests: its first letter.
pub(super) fn topic_id(name: &str) -> TopicId {
    TopicId(Uuid::from_u128(u128::from(name.as_bytes()[0])))
}

fn partition(replicas: &[i32]) -> PartitionRegistration {
    PartitionRegistration {
        replicas: replicas.iter().copied().map(NodeId).collect(),
        directories: vec![DirectoryId::MIGRATING; replicas.len()],
        isr: replicas.iter().copied().map(NodeId).collect(),
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        eligible_leader_replicas: Vec::new(),
        last_known_elr: Vec::new(),
        leader: NodeId(1),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    }
}

/// Puts a topic into an image, with the replicas of each partition.
pub(super) fn put_topic(image: &mut Image, name: &str, id: TopicId, replicas: &[&[i32]]) {
    let partitions = replicas.iter().enumerate();
    let partitions = partitions.map(|(at, replicas)| (PartitionId(at as i32), partition(replicas)));
    let name = TopicName::new(name);
    let topic = TopicImage { name: name.clone(), id, partitions: partitions.collect() };
    let topic = Arc::new(topic);
    Arc::make_mut(&mut image.topics.by_name).insert(name, Arc::clone(&topic));
    Arc::make_mut(&mut image.topics.by_id).insert(id, topic);
}

pub(super) fn put_broker(image: &mut Image, id: i32, rack: Option<&str>) {
    let broker = BrokerRegistration {
        id: NodeId(id),
        epoch: BrokerEpoch(0),
        incarnation_id: Uuid::nil(),
        listeners: Vec::new(),
        features: BTreeMap::new(),
        rack: rack.map(str::to_owned),
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
        cordoned_log_dirs: None,
    };
    Arc::make_mut(&mut image.brokers).insert(NodeId(id), Arc::new(broker));
}

/// A world with topics, each with so many partitions.
pub(super) fn world(topics: &[(&str, usize)], set: &[(&str, &str)]) -> World {
    let mut world = World::new(set);
    for (name, count) in topics {
        create(&mut world, name, *count);
    }
    world
}

/// A topic comes, or gets more partitions.
pub(super) fn create(world: &mut World, name: &str, count: usize) {
    let is_new = world.image.topics.named(name).is_none();
    put_topic(&mut world.image, name, topic_id(name), &vec![[1].as_slice(); count]);
    world.image.at.offset.0 += 1;
    let mut changes = Changes::default();
    if is_new {
        changes.topics_created.push(topic_id(name));
    }
    let partitions = (0..count).map(|at| (topic_id(name), PartitionId(at as i32)));
    changes.partitions_changed = partitions.collect();
    world.step(|shard, env| {
        use crate::kernel::machine::Machine as _;
        assert!(GroupShard::is_concerned_by(&changes));
        shard.on_image(env, &changes)
    });
}

/// A heartbeat of a member of group `g`.
#[derive(Clone, Default)]
pub(super) struct Beat<'a> {
    pub(super) member: &'a str,
    pub(super) epoch: i32,
    pub(super) instance: Option<&'a str>,
    pub(super) topics: Option<&'a [&'a str]>,
    pub(super) regex: Option<&'a str>,
    pub(super) owned: Option<&'a str>,
    pub(super) timeout_ms: Option<i32>,
    pub(super) assignor: Option<&'a str>,
}

impl<'a> Beat<'a> {
    /// A member that joins for these topics.
    pub(super) const fn join(member: &'a str, topics: &'a [&'a str]) -> Self {
        Self {
            member,
            epoch: 0,
            instance: None,
            topics: Some(topics),
            regex: None,
            owned: Some(""),
            timeout_ms: Some(60_000),
            assignor: None,
        }
    }

    /// A member that says what it has.
    pub(super) fn owning(member: &'a str, epoch: i32, owned: &'a str) -> Self {
        Self { member, epoch, owned: Some(owned), ..Self::default() }
    }

    /// A member that says nothing.
    pub(super) fn quiet(member: &'a str, epoch: i32) -> Self {
        Self { member, epoch, ..Self::default() }
    }

    pub(super) fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let owned_partitions = self.owned.map(|owned| {
            let topics = assignment(owned);
            let topics = topics.into_iter().map(|(topic, partitions)| {
                TopicPartitions::default().with_topic_id(topic.0).with_partitions(partitions)
            });
            topics.collect()
        });
        let names = |names: &[&str]| names.iter().map(|it| WireTopicName(owned(it))).collect();
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(owned("g")))
            .with_member_id(owned(self.member))
            .with_member_epoch(self.epoch)
            .with_instance_id(self.instance.map(owned))
            .with_rebalance_timeout_ms(self.timeout_ms.unwrap_or(-1))
            .with_subscribed_topic_names(self.topics.map(names))
            .with_subscribed_topic_regex(self.regex.map(owned))
            .with_server_assignor(self.assignor.map(owned))
            .with_topic_partitions(owned_partitions)
    }

    pub(super) fn ask(&self, world: &mut World) -> ConsumerGroupHeartbeatResponse {
        let request = ConsumerGroupHeartbeat {
            request: self.request(),
            client_id: owned("client"),
            client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        match world.ask(GroupRequest::ConsumerGroupHeartbeat(Box::new(request))) {
            GroupReply::ConsumerGroupHeartbeat(response) => *response,
            other => panic!("{other:?}"),
        }
    }

    /// The answer in a few words: `2 t:0.1`, `2` where it says nothing of partitions, or `error 25`.
    pub(super) fn told(&self, world: &mut World) -> String {
        let answer = self.ask(world);
        if answer.error_code != 0 {
            return format!("error {}", answer.error_code);
        }
        let assignment =
            answer.assignment.map_or_else(String::new, |it| format!(" [{}]", show(&it)));
        format!("{}{assignment}", answer.member_epoch)
    }
}

/// `t:0.1 u:2`
pub(super) fn assignment(text: &str) -> BTreeMap<TopicId, Vec<i32>> {
    let topics = text.split_whitespace().map(|part| {
        let (name, partitions) = part.split_once(':').unwrap();
        let partitions = partitions.split('.').map(|it| it.parse().unwrap()).collect();
        (topic_id(name), partitions)
    });
    topics.collect()
}

pub(super) fn show(assignment: &Assignment) -> String {
    let topics = assignment.topic_partitions.iter().map(|topic| {
        let partitions: Vec<String> = topic.partitions.iter().map(i32::to_string).collect();
        format!("{}:{}", topic.topic_id.as_u128() as u8 as char, partitions.join("."))
    });
    topics.collect::<Vec<_>>().join(" ")
}

/// Group `g`, if it is a consumer group.
pub(super) fn group(shard: &GroupShard) -> Option<&ConsumerGroup> {
    match shard.groups().get("g")? {
        Group::Consumer(group) => Some(group.hard()),
        Group::Classic(_) => None,
    }
}

/// Kafka's hashes of topics, the replicas being on brokers that are one to a rack.
#[test]
fn metadata_hashes_are_kafkas() {
    let lines = include_str!("../testdata/metadata_hashes.txt").lines();
    let mut count = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (topics, hash) = line.rsplit_once("= ").unwrap();
        let mut image = Image::empty();
        for id in 0..3 {
            put_broker(&mut image, id, Some(&format!("rack{id}")));
        }
        put_broker(&mut image, 9, None);
        let mut names = Vec::new();
        for topic in topics.split(" | ").filter(|topic| !topic.is_empty()) {
            let mut parts = topic.split(' ');
            let name = parts.next().unwrap();
            let id = crate::types::ids::uuid_from_text(parts.next().unwrap()).unwrap();
            let racks = parts.next().unwrap();
            let brokers = |racks: &str| {
                let racks = racks.split(',').filter(|rack| !rack.is_empty());
                let brokers = racks.map(|rack| rack.strip_prefix("rack").unwrap().parse().unwrap());
                brokers.chain([9]).collect::<Vec<i32>>()
            };
            let replicas: Vec<Vec<i32>> =
                if racks == "-" { Vec::new() } else { racks.split('/').map(brokers).collect() };
            let replicas: Vec<&[i32]> = replicas.iter().map(Vec::as_slice).collect();
            put_topic(&mut image, name, TopicId(id), &replicas);
            names.push(TopicName::new(name));
        }
        names.push(TopicName::new("not-there"));
        assert_eq!(metadata_hash::of_topics(names.iter(), &image).to_string(), hash, "{line}");
        count += 1;
    }
    assert_eq!(count, 40);
}
