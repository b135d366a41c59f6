//! Random histories: whatever members do and whatever is lost, each partition has one owner, epochs rise, the state is
//! that of the log, also of the compacted log, and in the end all is assigned.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::{AT_ONCE, Beat, assignment, create, group, show, topic_id, world};
use crate::kernel::groups::consumer::member::LEAVING_STATIC_EPOCH;
use crate::kernel::groups::world::World;
use crate::types::ids::{PartitionId, TopicId};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const TOPICS: [&[&str]; 3] = [&["t"], &["u"], &["t", "u"]];

/// A client: what it believes.
#[derive(Clone, Default)]
struct Client {
    epoch: i32,
    is_member: bool,
    topics: &'static [&'static str],
    /// An answer was lost: it says everything in its next heartbeat, as Kafka's clients do.
    says_all: bool,
    owned: BTreeMap<TopicId, Vec<i32>>,
}

impl Client {
    fn owned_text(&self) -> String {
        let topics = self.owned.iter().map(|(topic, partitions)| {
            let list: Vec<String> = partitions.iter().map(i32::to_string).collect();
            format!("{}:{}", topic.0.as_u128() as u8 as char, list.join("."))
        });
        topics.collect::<Vec<_>>().join(" ")
    }
}

struct History {
    world: World,
    clients: [Client; 4],
    epoch: i32,
    partitions: usize,
}

impl History {
    fn act(&mut self, action: u8, who: usize, what: u8) {
        let name = NAMES[who];
        match action {
            0..=1 => self.join(who, usize::from(what) % TOPICS.len()),
            2..=6 => self.beat(who, what.is_multiple_of(4)),
            7 => {
                Beat::quiet(name, -1).ask(&mut self.world);
                self.clients[who] = Client::default();
            }
            8 => self.world.pass_ms(u64::from(what) * 100),
            9 => {
                self.partitions = (self.partitions + 1).min(6);
                create(&mut self.world, "t", self.partitions);
            }
            10 => self.world.restart(),
            _ => {
                let topics = TOPICS[usize::from(what) % TOPICS.len()];
                self.clients[who].topics = topics;
                let epoch = self.clients[who].epoch;
                let owned = self.clients[who].owned_text();
                let beat = Beat { topics: Some(topics), ..Beat::owning(name, epoch, &owned) };
                self.tell(who, &beat, false);
            }
        }
        self.check();
    }

    fn join(&mut self, who: usize, topics: usize) {
        // A client that joins has given everything up.
        self.clients[who].owned.clear();
        self.clients[who].topics = TOPICS[topics];
        let beat = Beat::join(NAMES[who], TOPICS[topics]);
        self.tell(who, &beat, false);
    }

    fn beat(&mut self, who: usize, is_lost: bool) {
        if !self.clients[who].is_member {
            return;
        }
        let client = &self.clients[who];
        let (epoch, owned, topics) = (client.epoch, client.owned_text(), client.topics);
        let mut beat = Beat::owning(NAMES[who], epoch, &owned);
        if client.says_all {
            beat = Beat { topics: Some(topics), timeout_ms: Some(60_000), ..beat };
        }
        self.tell(who, &beat, is_lost);
    }

    /// The client learns the answer, unless it is lost.
    fn tell(&mut self, who: usize, beat: &Beat<'_>, is_lost: bool) {
        let answer = beat.ask(&mut self.world);
        let client = &mut self.clients[who];
        if answer.error_code != 0 {
            *client = Client::default();
        } else if is_lost {
            client.says_all = true;
        } else {
            client.says_all = false;
            client.epoch = answer.member_epoch;
            client.is_member = true;
            if let Some(given) = &answer.assignment {
                client.owned = assignment(&show(given));
            }
        }
    }

    fn check(&mut self) {
        let Some(group) = group(&self.world.shard) else { return };
        assert!(group.epoch() >= self.epoch, "the group's epoch falls");
        assert!(group.assignment_epoch() <= group.epoch());
        self.epoch = group.epoch();
        let mut owners: BTreeMap<(TopicId, PartitionId), &str> = BTreeMap::new();
        for member in group.members().values() {
            let all = member.assigned.iter().chain(&member.pending_revocation);
            for (topic, partitions) in all {
                for partition in partitions.keys() {
                    let before = owners.insert((*topic, *partition), &member.id);
                    assert_eq!(before, None, "two owners of {partition}");
                    assert!(group.is_owned(*topic, *partition));
                }
            }
            assert!(member.epoch <= group.epoch() && member.epoch >= LEAVING_STATIC_EPOCH);
        }
        self.check_clients();
    }

    /// Nobody works on what another one works on, as far as they can know that they are still members.
    fn check_clients(&self) {
        let group = group(&self.world.shard).unwrap();
        let mut worked_on = BTreeSet::new();
        for (client, name) in self.clients.iter().zip(NAMES) {
            let alive = group.member(name).is_some_and(|member| {
                client.is_member
                    && (client.epoch == member.epoch || client.epoch == member.previous_epoch)
            });
            for (topic, partitions) in client.owned.iter().filter(|_| alive) {
                for partition in partitions {
                    assert!(worked_on.insert((*topic, *partition)), "two work on {partition}");
                }
            }
        }
    }

    /// All clients send heartbeats until nothing changes. Members whose clients have given up are thrown out meanwhile.
    fn settle(&mut self) {
        for _ in 0..12 {
            for who in 0..NAMES.len() {
                self.beat(who, false);
                self.check();
            }
            self.world.pass_ms(10_000);
        }
        let Some(group) = group(&self.world.shard) else { return };
        if group.members().is_empty() {
            return;
        }
        assert_eq!(group.state().name(), "Stable");
        for (name, count) in [("t", self.partitions), ("u", 3)] {
            let owned =
                (0..count).filter(|at| group.is_owned(topic_id(name), PartitionId(*at as i32)));
            let expected = if group.is_subscribed_to(name) { count } else { 0 };
            assert_eq!(owned.count(), expected, "partitions of {name} with an owner");
        }
    }
}

/// The log with only the last record of each key, in what was before `end`.
fn compacted(log: &[(Bytes, Option<Bytes>)], end: usize) -> Vec<(Bytes, Option<Bytes>)> {
    let mut last: BTreeMap<&Bytes, usize> = BTreeMap::new();
    for (at, (key, _)) in log.iter().enumerate().take(end) {
        last.insert(key, at);
    }
    let kept = log.iter().enumerate().filter(|(at, (key, _))| *at >= end || last[key] == *at);
    kept.map(|(_, record)| record.clone()).collect()
}

fn history(actions: &[(u8, u8, u8)]) -> History {
    let mut history = History {
        world: world(&[("t", 2), ("u", 3)], &[AT_ONCE]),
        clients: Default::default(),
        epoch: 0,
        partitions: 2,
    };
    for &(action, who, what) in actions {
        history.act(action, usize::from(who), what);
    }
    history
}

fn any_actions() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    prop::collection::vec((0..12u8, 0..4u8, any::<u8>()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_partition_has_one_owner_and_all_are_assigned_in_the_end(actions in any_actions()) {
        history(&actions).settle();
    }

    #[test]
    fn a_group_is_what_its_log_says_however_it_was_compacted(actions in any_actions(), cut in 0..100usize) {
        let mut history = history(&actions);
        let whole = history.world.loaded(history.world.log.len());
        prop_assert_eq!(group(&whole), group(&history.world.shard));
        let end = history.world.log.len() * cut / 100;
        history.world.log = compacted(&history.world.log, end);
        let after = history.world.loaded(history.world.log.len());
        let (after, before) = (group(&after), group(&history.world.shard));
        // Tombstones are all that is left of a group that is gone, and make none.
        prop_assert_eq!(after, before);
    }
}

#[test]
fn every_prefix_of_a_log_is_a_state_that_was() {
    let actions: Vec<(u8, u8, u8)> =
        (0..200u32).map(|n| ((n * 7 % 12) as u8, (n * 5 % 4) as u8, (n * 37) as u8)).collect();
    let mut history = history(&[]);
    let mut states = BTreeMap::new();
    for &(action, who, what) in &actions {
        history.act(action, usize::from(who), what);
        states.insert(history.world.log.len(), group(&history.world.shard).cloned());
    }
    assert!(states.len() > 60, "enough was written");
    for (records, state) in states {
        assert_eq!(group(&history.world.loaded(records)).cloned(), state);
    }
}
