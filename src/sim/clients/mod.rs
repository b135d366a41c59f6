//! Clients: what they know, what they ask, and what they make of the answers. They follow Kafka's, are slow, die without a
//! word, and come back.
//!
//! - [`member`]: members of groups, [`classic`] ones and those of the [`consumer`] protocol, who read and commit;
//! - [`committer`]: commits without membership, and looks at what others have committed;
//! - [`producer`]: a transactional producer, by either version of transactions;
//! - [`administrator`]: looks at all that, and deletes.

mod administrator;
mod classic;
mod committer;
mod consumer;
mod member;
mod producer;

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{GroupId, TopicName as WireTopicName};

pub use self::administrator::Administrator;
pub use self::committer::Committer;
pub use self::member::Member;
pub use self::producer::{Fate, Producer};

use super::asks::{Answer, Ask};
use super::chance::Chance;
use super::sometimes::Counters;
use super::topics::NAMES;
use super::world::Node;
use crate::kernel::groups::offsets::{CommitPartition, CommitTopic, FetchRequest};
use crate::kernel::groups::requests::owned;
use crate::kernel::metadata::image::Image;
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::{PartitionId, TopicId, TopicName};
use crate::types::offset::Offset;

/// What a client may look at and do while it acts.
pub struct Desk<'a> {
    /// Which client it is.
    pub index: usize,
    /// The present.
    pub now_ms: u64,
    /// Nothing goes wrong any more: it does what it has begun, and begins nothing that ends otherwise.
    pub is_healed: bool,
    /// What metadata it would be told.
    pub image: &'a Image,
    /// Chance.
    pub chance: &'a mut Chance,
    /// Rare branches.
    pub counters: &'a mut Counters,
    /// What it sends.
    pub sent: Vec<(u64, Ask)>,
    /// When it acts next, unless something comes before.
    pub wake_at_ms: Option<u64>,
}

impl Desk<'_> {
    /// It acts again in a while.
    pub fn wake_in(&mut self, delay_ms: u64) {
        let at = self.now_ms + delay_ms;
        self.wake_at_ms = Some(self.wake_at_ms.map_or(at, |before| before.min(at)));
    }
}

/// The one request that a client waits for.
#[derive(Debug, Default)]
pub struct Line {
    number: u64,
    waits_until_ms: Option<u64>,
}

impl Line {
    /// Sends a request, and waits for its answer so long.
    pub fn ask(&mut self, desk: &mut Desk<'_>, ask: Ask, timeout_ms: u64) {
        self.number += 1;
        self.waits_until_ms = Some(desk.now_ms + timeout_ms);
        desk.sent.push((self.number, ask));
        desk.wake_in(timeout_ms);
    }

    /// Whether it waits for an answer. One that has not come in time will not be waited for any longer.
    pub fn is_waiting(&mut self, desk: &mut Desk<'_>) -> bool {
        match self.waits_until_ms {
            Some(until) if until > desk.now_ms => {
                desk.wake_in(until - desk.now_ms);
                true
            }
            _ => false,
        }
    }

    /// Whether an answer was not there in time; asked once.
    pub const fn has_timed_out(&mut self) -> bool {
        self.waits_until_ms.take().is_some()
    }

    /// Whether this is the answer that it waits for.
    pub fn takes(&mut self, number: u64) -> bool {
        let is_it = number == self.number && self.waits_until_ms.is_some();
        if is_it {
            self.waits_until_ms = None;
        }
        is_it
    }

    /// It waits for nothing any more.
    pub const fn hang_up(&mut self) {
        self.waits_until_ms = None;
    }
}

/// A client.
pub enum Client {
    /// A member of a group.
    Member(Box<Member>),
    /// It commits for itself.
    Committer(Box<Committer>),
    /// It writes in transactions.
    Producer(Box<Producer>),
    /// It looks on, and deletes.
    Administrator(Administrator),
}

impl Client {
    /// It has something to do.
    pub fn on_wake(&mut self, desk: &mut Desk<'_>) {
        match self {
            Self::Member(it) => it.on_wake(desk),
            Self::Committer(it) => it.on_wake(desk),
            Self::Producer(it) => it.on_wake(desk),
            Self::Administrator(it) => it.on_wake(desk),
        }
    }

    /// It is answered.
    pub fn on_answer(&mut self, desk: &mut Desk<'_>, number: u64, answer: Answer) {
        match self {
            Self::Member(it) => it.on_answer(desk, number, answer),
            Self::Committer(it) => it.on_answer(number, answer),
            Self::Producer(it) => it.on_answer(desk, number, answer),
            Self::Administrator(it) => it.on_answer(number, answer),
        }
    }
}

/// All of them.
pub struct Clients {
    all: Vec<Client>,
    /// The last request of each that has come to the node.
    newest: BTreeMap<usize, u64>,
    /// How often each was told when it acts next.
    wakes: Vec<u64>,
}

impl Clients {
    /// Those of a seed.
    pub fn new(chance: &mut Chance, node: &Node) -> Self {
        let mut all = Vec::new();
        let groups = if chance.one_in(4) { 0 } else { chance.between(1, 2) };
        for group in 0..groups {
            let kind = member::Kinds::draw(chance);
            for at in 0..chance.between(2, 4) {
                let member = Member::new(chance, group, at, kind);
                all.push(Client::Member(Box::new(member)));
            }
        }
        let producers = if groups == 0 { chance.between(2, 4) } else { chance.below(3) };
        for at in 0..producers {
            let version = node.transaction_version();
            all.push(Client::Producer(Box::new(Producer::new(chance, at, version))));
        }
        for _ in 0..chance.between(1, 2) {
            all.push(Client::Committer(Box::new(Committer::new())));
        }
        if chance.one_in(2) {
            all.push(Client::Administrator(Administrator::default()));
        }
        let wakes = vec![0; all.len()];
        Self { all, newest: BTreeMap::new(), wakes }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// One will act at another time than it was told before.
    pub fn next_wake(&mut self, index: usize) -> u64 {
        let Some(stamp) = self.wakes.get_mut(index) else { return 0 };
        *stamp += 1;
        *stamp
    }

    /// Whether this is the time that it was told last.
    pub fn is_woken(&self, index: usize, stamp: u64) -> bool {
        self.wakes.get(index) == Some(&stamp)
    }

    /// Lets one act.
    pub fn with(
        &mut self,
        index: usize,
        desk: &mut Desk<'_>,
        act: impl FnOnce(&mut Client, &mut Desk<'_>),
    ) {
        if let Some(client) = self.all.get_mut(index) {
            act(client, desk);
        }
    }

    /// All producers.
    pub fn producers(&self) -> impl Iterator<Item = &Producer> {
        self.all.iter().filter_map(|client| match client {
            Client::Producer(it) => Some(&**it),
            _ => None,
        })
    }

    /// All members of groups.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.all.iter().filter_map(|client| match client {
            Client::Member(it) => Some(&**it),
            _ => None,
        })
    }

    /// Transactional ids that have a past of many transactions, and the epoch that they have come to.
    pub fn exhausted_producers(&self) -> Vec<(String, i16)> {
        let past = |it: &Producer| it.past_epoch().map(|epoch| (it.id().to_owned(), epoch));
        self.producers().filter_map(past).collect()
    }

    /// Whether a request is lost on its way because it comes after one that was sent later. The protocol has nothing
    /// that tells a commit that comes late from a new one, nor, before version 2 of transactions, one transaction of
    /// a producer from the next (KAFKA-17754): such requests may be repeated here, but not come out of order.
    pub fn drops(&mut self, client: usize, number: u64, ask: &Ask) -> bool {
        let is_ordered = match self.all.get(client) {
            Some(Client::Producer(it)) => !it.bumps_epochs(),
            _ => matches!(ask, Ask::Commit(_)),
        };
        let newest = self.newest.entry(client).or_default();
        if is_ordered && number < *newest {
            return true;
        }
        *newest = number.max(*newest);
        false
    }
}

/// What is fetched of a group: these partitions.
fn fetch(
    group: &str,
    partitions: &[(usize, i32)],
    member: Option<(&str, i32)>,
    require_stable: bool,
) -> Ask {
    let mut topics: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    for (topic, at) in partitions {
        topics.entry(*topic).or_default().push(*at);
    }
    let topics = topics.into_iter().map(|(topic, indexes)| {
        OffsetFetchRequestTopics::default()
            .with_name(WireTopicName(owned(NAMES[topic])))
            .with_partition_indexes(indexes)
    });
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(owned(group)))
        .with_member_id(member.map(|(id, _)| owned(id)))
        .with_member_epoch(member.map_or(-1, |(_, epoch)| epoch))
        .with_topics(Some(topics.collect()));
    Ask::Fetch(Box::new(FetchRequest { group: asked, require_stable }))
}

/// What is committed: these offsets.
fn commit_topics(offsets: &[((usize, i32), i64)]) -> Vec<CommitTopic> {
    let mut topics: BTreeMap<usize, Vec<CommitPartition>> = BTreeMap::new();
    for ((topic, at), offset) in offsets {
        topics.entry(*topic).or_default().push(CommitPartition {
            index: PartitionId(*at),
            offset: Offset(*offset),
            leader_epoch: LeaderEpoch::UNKNOWN,
            metadata: owned(""),
        });
    }
    let topic = |(topic, partitions): (usize, Vec<CommitPartition>)| CommitTopic {
        name: TopicName::new(NAMES[topic]),
        // The handler knows it.
        id: TopicId::ZERO,
        partitions,
    };
    topics.into_iter().map(topic).collect()
}
