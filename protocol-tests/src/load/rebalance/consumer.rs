//! Members of a group whose broker divides (KIP-848): each hears with its heartbeats what it shall have, gives up at
//! once what it shall not have any more, and says at once what it has then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::ConsumerGroupHeartbeatRequest;
use kafka_protocol::protocol::StrBytes;

use super::{Group, assert_each_once};
use crate::connection::decode;
use crate::load::lanes::Lanes;
use crate::load::members::{
    CONSUMER_HEARTBEAT_VERSION, consumer_heartbeat_request, consumer_join_request, new_member_id,
    owned,
};
use crate::load::{Topic, error};

/// The epoch of one who goes.
const LEAVES: i32 = -1;

#[derive(Debug)]
struct Member {
    id: StrBytes,
    epoch: i32,
    owned: BTreeSet<i32>,
    /// The time of its next heartbeat; none while it waits for an answer.
    next: Option<Instant>,
}

/// The group.
pub(super) struct Consumer {
    name: String,
    topic: Topic,
    members: BTreeMap<usize, Member>,
    owners: BTreeMap<i32, usize>,
    /// The epoch in which the phase before ended.
    before: i32,
    leaving: Option<usize>,
    changed: Instant,
}

impl Consumer {
    pub fn new(name: String, topic: Topic) -> Self {
        let (members, owners) = (BTreeMap::new(), BTreeMap::new());
        let changed = Instant::now();
        Self { name, topic, members, owners, before: 0, leaving: None, changed }
    }

    fn ask(&mut self, lanes: &mut Lanes, lane: usize, request: &ConsumerGroupHeartbeatRequest) {
        self.members.get_mut(&lane).unwrap().next = None;
        lanes.ask(lane, CONSUMER_HEARTBEAT_VERSION, request);
    }

    /// The phase before has ended, if it has: the epoch that all know is old now.
    fn begin(&mut self) {
        let epochs = self.members.values().map(|member| member.epoch);
        self.before = epochs.max().unwrap_or(0);
    }

    /// Becomes what it shall be, and says so.
    fn become_owner(&mut self, lanes: &mut Lanes, lane: usize, target: BTreeSet<i32>) {
        let member = self.members.get_mut(&lane).unwrap();
        for partition in member.owned.difference(&target) {
            self.owners.remove(partition);
        }
        for partition in target.difference(&member.owned) {
            let other = self.owners.insert(*partition, lane);
            assert_eq!(other, None, "partition {partition} has two owners");
        }
        if member.owned != target {
            self.changed = Instant::now();
        }
        member.owned = target;
        let partitions = owned(&self.topic, member.owned.iter().copied().collect());
        let request = consumer_heartbeat_request(&self.name, &member.id, member.epoch)
            .with_topic_partitions(Some(partitions));
        self.ask(lanes, lane, &request);
    }
}

impl Group for Consumer {
    fn come(&mut self, lanes: &mut Lanes, lane: usize) {
        self.begin();
        let id = new_member_id();
        let request = consumer_join_request(&self.name, &self.topic, &id);
        let member = Member { id, epoch: 0, owned: BTreeSet::new(), next: None };
        self.members.insert(lane, member);
        self.ask(lanes, lane, &request);
    }

    fn go(&mut self, lanes: &mut Lanes, lane: usize) {
        self.begin();
        let member = self.members.remove(&lane).unwrap();
        assert!(member.next.is_some(), "{member:?} cannot go now");
        self.owners.retain(|_, owner| *owner != lane);
        let request = consumer_heartbeat_request(&self.name, &member.id, LEAVES);
        lanes.ask(lane, CONSUMER_HEARTBEAT_VERSION, &request);
        self.leaving = Some(lane);
    }

    fn hear(&mut self, lanes: &mut Lanes, lane: usize, answer: Bytes) {
        let answer = decode::<ConsumerGroupHeartbeatRequest>(CONSUMER_HEARTBEAT_VERSION, answer).1;
        assert_eq!(answer.error_code, error::NONE, "{answer:?}");
        if self.leaving == Some(lane) {
            self.leaving = None;
            assert_eq!(answer.member_epoch, LEAVES, "{answer:?}");
            return;
        }
        let interval = Duration::from_millis(answer.heartbeat_interval_ms as u64);
        let member = self.members.get_mut(&lane).unwrap();
        assert!(answer.member_epoch >= member.epoch, "an epoch goes back: {answer:?}");
        member.epoch = answer.member_epoch;
        member.next = Some(Instant::now() + interval);
        if let Some(assignment) = answer.assignment {
            let of_topics = assignment.topic_partitions.into_iter().flat_map(|it| it.partitions);
            self.become_owner(lanes, lane, of_topics.collect());
        }
    }

    fn beat(&mut self, lanes: &mut Lanes) -> Option<Instant> {
        let now = Instant::now();
        let mut next = None;
        for (lane, member) in &mut self.members {
            let Some(at) = member.next else { continue };
            if at <= now {
                member.next = None;
                let request = consumer_heartbeat_request(&self.name, &member.id, member.epoch);
                lanes.ask(*lane, CONSUMER_HEARTBEAT_VERSION, &request);
            } else {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
        }
        next
    }

    fn rests(&self) -> bool {
        self.leaving.is_none() && self.members.values().all(|it| it.next.is_some())
    }

    fn settled(&self, members: usize) -> Option<Instant> {
        let epoch = self.members.values().next().map_or(0, |member| member.epoch);
        let is_new = epoch > self.before && self.leaving.is_none();
        // A broker that divides a while after a member has come leaves all at an epoch which they know until then.
        let share = self.topic.partitions as usize / members;
        let is_fair = |it: &Member| (share..=share + 1).contains(&it.owned.len());
        let knows = |it: &Member| it.epoch == epoch && it.next.is_some() && is_fair(it);
        let is_whole = self.owners.len() == self.topic.partitions as usize;
        let is_full = self.members.len() == members;
        if !is_new || !is_whole || !is_full || !self.members.values().all(knows) {
            return None;
        }
        let owned = self.members.values().flat_map(|it| it.owned.iter().copied());
        assert_each_once(self.topic.partitions, owned.collect());
        Some(self.changed)
    }
}
