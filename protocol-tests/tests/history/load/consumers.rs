//! Members of groups whose node decides who reads what (KIP-848): they are told with their heartbeats, give up what
//! they shall not have any more after they have committed it, and own what they have said that they own.

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, OffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;
use protocol_tests::history::{Action, Outcome};
use protocol_tests::requests::{text, topic_name};
use uuid::Uuid;

use super::link::{Link, error};
use super::members::{can_run, commit, committed, consume, group_name};
use super::{CONSUMER_GROUPS, FIRST_CONSUMER_GROUP, TOPIC};

pub const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
const FENCED_MEMBER_EPOCH: i16 = 110;
const STALE_MEMBER_EPOCH: i16 = 113;

/// The epochs of one who comes, and of one who goes.
const JOINS: i32 = 0;
const LEAVES: i32 = -1;
const REBALANCE_TIMEOUT_MS: i32 = 1500;

/// What a group is called.
pub fn group_id(group: u32) -> String {
    format!("consumers-{group}")
}

/// A member.
pub struct Consumer {
    group: u32,
    group_id: String,
    pub member_id: StrBytes,
    pub epoch: i32,
    /// What it owns, and where it is there.
    pub positions: Vec<(u32, i64)>,
    /// What it shall own.
    assigned: Option<Vec<u32>>,
}

/// A member of one of the groups, as long as the load lasts.
pub fn run(mut link: Link<'_>, number: u32) {
    if !link.world.has(CONSUMER_GROUP_HEARTBEAT) || !can_run(link.world) {
        return link.wait();
    }
    let group_id = group_id(number % CONSUMER_GROUPS);
    link.find_coordinator(0, &group_id);
    let mut consumer = Consumer::new(FIRST_CONSUMER_GROUP + number % CONSUMER_GROUPS, group_id);
    consumer.begin_life(&mut link);
    while !link.world.is_over() {
        consumer.work(&mut link);
    }
    consumer.leave(&mut link);
}

impl Consumer {
    /// One who is to join.
    pub fn new(group: u32, group_id: String) -> Self {
        Self {
            group,
            group_id,
            member_id: StrBytes::default(),
            epoch: JOINS,
            positions: Vec::new(),
            assigned: None,
        }
    }

    /// Nobody of this name was there before.
    pub fn begin_life(&mut self, link: &mut Link<'_>) {
        let id =
            u128::from(link.random.below(u64::MAX)) << 64 | u128::from(link.random.below(u64::MAX));
        self.member_id = text(Uuid::from_u128(id).to_string());
        self.rejoin();
    }

    fn rejoin(&mut self) {
        self.epoch = JOINS;
        self.positions.clear();
        self.assigned = None;
    }

    fn work(&mut self, link: &mut Link<'_>) {
        match link.random.below(600) {
            0 => {
                self.leave(link);
                return self.begin_life(link);
            }
            // Gone without a word: its session will end.
            1 => {
                link.hang_up();
                return self.begin_life(link);
            }
            2..=150 if !self.positions.is_empty() => self.commit(link),
            _ => consume(link, self.group, &mut self.positions),
        }
        // With each change at once, and now and then to stay.
        if self.epoch == JOINS || self.assigned.is_some() || link.random.once_in(4) {
            self.heartbeat(link);
        }
    }

    fn request(&self) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_member_id(self.member_id.clone())
            .with_member_epoch(self.epoch)
    }

    /// Tells what it owns, and learns what it shall own.
    pub fn heartbeat(&mut self, link: &mut Link<'_>) {
        if let Some(assigned) = &self.assigned {
            // What is given up is committed as far as it was read, if that still is allowed.
            let is_kept = |(partition, _): &(u32, i64)| assigned.contains(partition);
            if !self.positions.iter().all(is_kept) {
                self.commit(link);
            }
        }
        if let Some(assigned) = self.assigned.take() {
            self.positions.retain(|(partition, _)| assigned.contains(partition));
            let has = |partition: &u32| self.positions.iter().any(|(it, _)| it == partition);
            let new: Vec<u32> = assigned.into_iter().filter(|it| !has(it)).collect();
            if !new.is_empty() {
                let Some(offsets) = committed(link, self.group, &self.group_id, &new) else {
                    return self.rejoin();
                };
                let at = new.iter().map(|partition| (*partition, offsets[partition].unwrap_or(0)));
                self.positions.extend(at);
            }
        }
        let owned = TopicPartitions::default()
            .with_topic_id(link.world.topic_id)
            .with_partitions(self.positions.iter().map(|(it, _)| *it as i32).collect());
        let owned = if self.positions.is_empty() { vec![] } else { vec![owned] };
        let request = self
            .request()
            .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
            .with_subscribed_topic_names(Some(vec![topic_name(TOPIC)]))
            .with_topic_partitions(Some(owned));
        let begun = link.begin();
        // Without an answer the next one tells what there is to know: it says all that this one said.
        let Some(answer) = link.try_ask(1, &request) else { return };
        match answer.error_code {
            error::NONE => {}
            error::UNKNOWN_MEMBER_ID | FENCED_MEMBER_EPOCH => return self.rejoin(),
            code if error::is_coordinator_away(code) => return link.world.pause(),
            code => panic!("{}: error {code}, {:?}", self.group_id, answer.error_message),
        }
        let was_told = self.epoch == answer.member_epoch;
        self.epoch = answer.member_epoch;
        let Some(assignment) = answer.assignment else { return };
        let all = assignment.topic_partitions.iter().flat_map(|topic| &topic.partitions);
        let partitions: Vec<u32> = all.map(|partition| *partition as u32).collect();
        let owns = |partition: &u32| self.positions.iter().any(|(it, _)| it == partition);
        let is_whole = partitions.len() == self.positions.len() && partitions.iter().all(owns);
        if is_whole && was_told {
            return;
        }
        let (group, generation) = (self.group, self.epoch);
        let action = Action::Assigned { group, generation, partitions: partitions.clone() };
        link.end(begun, Outcome::Ok, action);
        self.assigned = (!is_whole).then_some(partitions);
    }

    fn commit(&mut self, link: &mut Link<'_>) {
        let request = OffsetCommitRequest::default()
            .with_group_id(group_name(&self.group_id))
            .with_generation_id_or_member_epoch(self.epoch)
            .with_member_id(self.member_id.clone());
        match commit(link, self.group, request, 9, &self.positions) {
            None | Some(STALE_MEMBER_EPOCH) => {}
            Some(error::UNKNOWN_MEMBER_ID | FENCED_MEMBER_EPOCH) => self.rejoin(),
            Some(code) if error::is_coordinator_away(code) => link.world.pause(),
            Some(code) => panic!("{}: error {code}", self.group_id),
        }
    }

    fn leave(&self, link: &mut Link<'_>) {
        // Who has no answer is missed at the end of its session.
        let _: Option<_> = link.try_ask(1, &self.request().with_member_epoch(LEAVES));
    }
}
