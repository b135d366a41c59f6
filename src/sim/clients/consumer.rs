//! A member of the consumer protocol (KIP-848): it says what it has, and is told what it may have.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId,
    TopicName as WireTopicName,
};

use super::Desk;
use super::member::{Heard, REBALANCE_TIMEOUT_MS, Reading, names};
use crate::kernel::groups::requests::{ConsumerGroupHeartbeat, GroupReply, owned};
use crate::kernel::metadata::image::Image;
use crate::sim::asks::{Answer, Ask};
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, NAMES, Place};
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;

/// See the module.
#[derive(Debug)]
pub struct Consumer {
    id: String,
    instance: Option<String>,
    /// It subscribes by an expression.
    regex: bool,
    assignor: Option<&'static str>,
    epoch: i32,
    /// It has told what it has.
    has_told: bool,
    /// An answer was lost: it says everything in its next heartbeat.
    says_all: bool,
}

impl Consumer {
    /// One that has not joined.
    pub const fn new(
        id: String,
        instance: Option<String>,
        regex: bool,
        assignor: Option<&'static str>,
    ) -> Self {
        Self { id, instance, regex, assignor, epoch: 0, has_told: false, says_all: false }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its epoch; 0 before it has joined.
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether it is a member that has nothing to say.
    pub const fn is_stable(&self) -> bool {
        self.epoch > 0 && self.has_told
    }

    /// Whether it has something to say at once.
    pub const fn has_news(&self) -> bool {
        !self.has_told
    }

    /// How it stands.
    pub fn show(&self) -> String {
        format!("consumer {} at {}, told {}", self.id, self.epoch, self.has_told)
    }

    /// No answer came.
    pub const fn on_silence(&mut self) {
        self.says_all = true;
    }

    /// What it asks next.
    pub fn next(&self, group: &str, subscribed: &[usize], reading: &Reading, image: &Image) -> Ask {
        let joins = self.epoch == 0;
        let says_all = joins || self.says_all;
        let mut request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(owned(group)))
            .with_member_id(owned(&self.id))
            .with_member_epoch(self.epoch)
            .with_instance_id(self.instance.as_deref().map(owned))
            .with_rebalance_timeout_ms(if says_all { REBALANCE_TIMEOUT_MS } else { -1 });
        if says_all {
            request.server_assignor = self.assignor.map(owned);
            if self.regex {
                request.subscribed_topic_names = Some(Vec::new());
                request.subscribed_topic_regex = Some(owned("[a-b]"));
            } else {
                let names = names(subscribed).into_iter().map(|it| WireTopicName(owned(&it)));
                request.subscribed_topic_names = Some(names.collect());
            }
        }
        if joins {
            request.topic_partitions = Some(Vec::new());
        } else if says_all || !self.has_told {
            let mut has: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
            for (topic, at) in reading.places() {
                if let Some(topic) = image.topics.named(NAMES[topic]) {
                    has.entry(topic.id).or_default().push(at);
                }
            }
            let topic = |(id, partitions): (TopicId, Vec<i32>)| {
                TopicPartitions::default().with_topic_id(id.0).with_partitions(partitions)
            };
            request.topic_partitions = Some(has.into_iter().map(topic).collect());
        }
        beat(request)
    }

    /// It leaves, a static member for a while.
    pub fn leave(&self, group: &str) -> Ask {
        let epoch = if self.instance.is_some() { -2 } else { -1 };
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(owned(group)))
            .with_member_id(owned(&self.id))
            .with_member_epoch(epoch)
            .with_instance_id(self.instance.as_deref().map(owned))
            .with_rebalance_timeout_ms(-1);
        beat(request)
    }

    /// It is answered.
    pub fn on_answer(
        &mut self,
        desk: &mut Desk<'_>,
        answer: Answer,
        reading: &mut Reading,
    ) -> Heard {
        match answer.code() {
            ErrorCode::None => {}
            ErrorCode::FencedInstanceId => return Heard::Fenced,
            // The last: the group has become a classic one meanwhile. Java's client gives up then, and is started again.
            ErrorCode::FencedMemberEpoch
            | ErrorCode::UnknownMemberId
            | ErrorCode::GroupIdNotFound => {
                desk.counters.hit(Sometimes::ConsumerFenced);
                self.epoch = 0;
                self.has_told = false;
                return Heard::Lost;
            }
            // It learns of its epoch with the next heartbeat.
            ErrorCode::StaleMemberEpoch => return Heard::Well,
            // Its name is taken. Whoever runs it may wait for the other to be gone.
            ErrorCode::UnreleasedInstanceId if desk.is_healed || desk.chance.one_in(2) => {
                return Heard::Fenced;
            }
            _ => {
                desk.wake_at_ms = Some(desk.now_ms + 1_000);
                self.says_all = true;
                return Heard::Well;
            }
        }
        if let Answer::Group(GroupReply::ConsumerGroupHeartbeat(response)) = answer {
            self.beaten(desk, &response, reading);
        }
        Heard::Well
    }

    fn beaten(
        &mut self,
        desk: &mut Desk<'_>,
        response: &ConsumerGroupHeartbeatResponse,
        reading: &mut Reading,
    ) {
        self.says_all = false;
        self.has_told = true;
        self.epoch = response.member_epoch;
        let Some(assignment) = &response.assignment else { return };
        let given = assignment.topic_partitions.iter().filter_map(|it| {
            let topic = desk.image.topics.of_id(TopicId(it.topic_id))?;
            let topic = topics::place_of(topic.name.as_str())?;
            Some(it.partitions.iter().map(move |at| (topic, *at)))
        });
        let given: Vec<Place> = given.flatten().collect();
        let has: Vec<Place> = reading.places().collect();
        let is_same = has.len() == given.len() && has.iter().all(|it| given.contains(it));
        reading.assign(&given);
        if is_same {
            desk.counters.hit(Sometimes::ConsumerStable);
        } else {
            self.has_told = false;
        }
    }
}

fn beat(request: ConsumerGroupHeartbeatRequest) -> Ask {
    Ask::Beat(Box::new(ConsumerGroupHeartbeat {
        request,
        client_id: owned("client"),
        client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }))
}
