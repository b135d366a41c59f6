//! The node: its shards and logs, its metadata, and what waits until it is committed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::markers::Job;
use super::requests::Then;
use super::{Event, World};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::internal_topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};
use crate::kernel::coordinator::partition_of;
use crate::kernel::groups::requests::GroupReply;
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::log::config::LogConfig;
use crate::kernel::machine::{CallId, Machine as _, ShardId};
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::{TRANSACTION_VERSION, TransactionReply, TransactionShard, WriteMarkers};
use crate::sim::chance::Chance;
use crate::sim::checkers;
use crate::sim::log::{Identity, PartitionLog};
use crate::sim::planted::Planted;
use crate::sim::shard::{After, Base, Shard};
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, FIRST_OF_CLIENTS, NAMES, OFFSETS, Place, TRANSACTIONS};
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now};

/// A tombstone stays so long once it was compacted (`delete.retention.ms`).
const TOMBSTONES_STAY_MS: i64 = 15_000;

/// See the module.
pub struct Node {
    /// The logs.
    pub logs: BTreeMap<Place, PartitionLog>,
    /// The shards of groups.
    pub groups: BTreeMap<i32, Shard<GroupShard>>,
    /// The shards of transactions.
    pub transactions: BTreeMap<i32, Shard<TransactionShard>>,
    /// The newest metadata.
    pub image: Image,
    /// The configuration.
    pub config: Arc<BrokerConfig>,
    /// It is there.
    pub is_up: bool,
    /// A shard of groups did something since the checkers last looked.
    pub groups_touched: bool,
    /// Topics that were made, those that are gone included.
    pub topics_made: u32,
    pub(super) calls: BTreeMap<CallId, Then>,
    pub(super) next_call: u64,
    pub(super) waits: Vec<Wait>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) next_job: u64,
    pub(super) next_producer_id: i64,
    /// Of internal topics, and of others.
    log_configs: [Arc<LogConfig>; 2],
    order: Rc<Cell<u64>>,
}

/// Something that waits until a log is committed.
#[derive(Debug)]
pub struct Wait {
    pub(super) place: Place,
    pub(super) end: Offset,
    pub(super) epoch: LeaderEpoch,
    pub(super) until_ms: u64,
    pub(super) what: Waiting,
}

/// What waits.
#[derive(Debug)]
pub enum Waiting {
    /// A reply of a group's shard.
    Group(CallId, GroupReply),
    /// A reply of a transaction's shard.
    Transaction(CallId, TransactionReply),
    /// Effects of a transaction's shard.
    Effects(ShardId, Vec<WriteMarkers>),
    /// A marker that was appended: of which job, and which of its partitions.
    Marker(u64, usize),
    /// A client's batch: whose, and which request.
    Produced(usize, u64),
}

impl Node {
    /// A node with empty logs.
    pub fn new(chance: &mut Chance, config: Arc<BrokerConfig>, now: Now) -> Result<Self, String> {
        let mut image = Image::empty();
        let version = *chance.pick(&[2, 2, 2, 2, 1, 0]).unwrap_or(&2);
        Arc::make_mut(&mut image.features).insert(TRANSACTION_VERSION.to_owned(), version);
        let segment_bytes = *chance.pick(&[1 << 20, 4_000]).unwrap_or(&4_000);
        let log_config = LogConfig { segment_bytes, ..LogConfig::default() };
        let internal = LogConfig {
            compact: true,
            delete: false,
            min_cleanable_dirty_ratio: 0.0,
            delete_retention_ms: TOMBSTONES_STAY_MS,
            ..log_config
        };
        let mut node = Self {
            logs: BTreeMap::new(),
            groups: BTreeMap::new(),
            transactions: BTreeMap::new(),
            image,
            config,
            is_up: true,
            groups_touched: false,
            topics_made: 0,
            calls: BTreeMap::new(),
            next_call: 0,
            waits: Vec::new(),
            jobs: BTreeMap::new(),
            next_job: 0,
            next_producer_id: 1_000,
            log_configs: [Arc::new(internal), Arc::new(log_config)],
            order: Rc::default(),
        };
        for (topic, partitions) in [(OFFSETS, 2), (TRANSACTIONS, 1), (2, 2), (3, 1)] {
            node.create(topic, partitions, now)?;
        }
        Ok(node)
    }

    /// A topic comes, or gets more partitions.
    pub fn create(&mut self, topic: usize, partitions: i32, now: Now) -> Result<Changes, String> {
        let there = self.image.topics.named(NAMES[topic]).map(|it| it.id);
        let id = there.unwrap_or_else(|| {
            self.topics_made += 1;
            topics::topic_id(topic, self.topics_made)
        });
        let [internal, others] = &self.log_configs;
        let log_config = if topic < FIRST_OF_CLIENTS { internal } else { others };
        for at in topics::partitions(&self.image, topic)..partitions {
            let index = PartitionId(at);
            let identity = Identity { topic: Arc::from(NAMES[topic]), topic_id: id, index };
            let log = PartitionLog::create(
                identity,
                Arc::clone(log_config),
                Rc::clone(&self.order),
                now,
            )?;
            self.logs.insert((topic, at), log);
        }
        let mut changes = Changes::default();
        topics::put(&mut self.image, topic, id, partitions, &mut changes);
        Ok(changes)
    }

    /// A topic goes.
    pub fn delete(&mut self, topic: usize) -> Changes {
        let mut changes = Changes::default();
        topics::remove(&mut self.image, topic, &mut changes);
        self.logs.retain(|(of, _), _| *of != topic);
        changes
    }

    /// The level of the feature.
    pub fn transaction_version(&self) -> i16 {
        self.image.features.get(TRANSACTION_VERSION).copied().unwrap_or(0)
    }

    /// Where a group is.
    pub fn group_partition(&self, group: &str) -> i32 {
        partition_of(group, topics::partitions(&self.image, OFFSETS)).0
    }

    /// Where a transactional id is.
    pub fn transaction_partition(&self, id: &str) -> i32 {
        partition_of(id, topics::partitions(&self.image, TRANSACTIONS)).0
    }

    /// A producer id that nobody has.
    pub const fn fresh_producer_id(&mut self, is_new: bool) -> ProducerId {
        self.next_producer_id += is_new as i64;
        ProducerId(self.next_producer_id)
    }

    /// When something is due at a shard.
    pub fn next_deadline(&self, with_transactions: bool) -> Option<Mono> {
        let groups = self.groups.values().filter_map(Shard::deadline);
        let transactions = self.transactions.values().filter(|_| with_transactions);
        groups.chain(transactions.filter_map(Shard::deadline)).min()
    }

    /// The next call.
    pub(super) fn call_id(&mut self, then: Then) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.calls.insert(call, then);
        call
    }
}

impl World {
    /// A step of a group's shard.
    pub(super) fn at_group(
        &mut self,
        partition: i32,
        act: impl FnOnce(&mut Shard<GroupShard>, &mut Base<'_>) -> After<GroupShard>,
    ) -> bool {
        let Self { node, chance, clock, .. } = self;
        let place = (OFFSETS, partition);
        node.groups_touched = true;
        let (Some(shard), Some(log)) = (node.groups.get_mut(&partition), node.logs.get_mut(&place))
        else {
            return false;
        };
        let mut random = || chance.bytes();
        let mut base = Base {
            topic: &CONSUMER_OFFSETS,
            log,
            now: clock.now(),
            image: &node.image,
            config: &node.config,
            random: &mut random,
        };
        let after = act(shard, &mut base);
        let epoch = shard.id.leader_epoch;
        self.after_group(place, epoch, after);
        true
    }

    /// A step of a transaction's shard.
    pub(super) fn at_transaction(
        &mut self,
        partition: i32,
        act: impl FnOnce(&mut Shard<TransactionShard>, &mut Base<'_>) -> After<TransactionShard>,
    ) -> bool {
        let Self { node, chance, clock, .. } = self;
        let place = (TRANSACTIONS, partition);
        let (Some(shard), Some(log)) =
            (node.transactions.get_mut(&partition), node.logs.get_mut(&place))
        else {
            return false;
        };
        let mut random = || chance.bytes();
        let mut base = Base {
            topic: &TRANSACTION_STATE,
            log,
            now: clock.now(),
            image: &node.image,
            config: &node.config,
            random: &mut random,
        };
        let after = act(shard, &mut base);
        let id = shard.id;
        self.after_transaction(place, id, after);
        true
    }

    fn after_group(&mut self, place: Place, epoch: LeaderEpoch, after: After<GroupShard>) {
        if after.must_load {
            self.load_later(place);
        }
        for told in after.told {
            match told.result {
                Ok(reply) => {
                    let what = Waiting::Group(told.call, reply);
                    self.wait_for(place, after.end, epoch, what);
                }
                Err(code) => self.tell_group(told.call, Err(code)),
            }
        }
    }

    fn after_transaction(&mut self, place: Place, id: ShardId, after: After<TransactionShard>) {
        if after.must_load {
            self.load_later(place);
        }
        for told in after.told {
            match told.result {
                Ok(reply) => {
                    let what = Waiting::Transaction(told.call, reply);
                    self.wait_for(place, after.end, id.leader_epoch, what);
                }
                Err(code) => self.tell_transaction(told.call, Err(code)),
            }
        }
        if !after.effects.is_empty() && self.setup.planted == Some(Planted::MarkersComeEarly) {
            self.perform(id, after.effects);
        } else if !after.effects.is_empty() {
            let what = Waiting::Effects(id, after.effects);
            self.wait_for(place, after.end, id.leader_epoch, what);
        }
    }

    /// Something is to happen once a log is committed up to there. What need not wait is looked at next.
    pub(super) fn wait_for(
        &mut self,
        place: Place,
        end: Offset,
        epoch: LeaderEpoch,
        what: Waiting,
    ) {
        let until_ms = self.clock.now_ms() + 5_000;
        if self.node.logs.get(&place).is_some_and(|log| log.high_watermark < end) {
            self.counters.hit(Sometimes::WaitedForReplicas);
        }
        self.node.waits.push(Wait { place, end, epoch, until_ms, what });
    }

    /// Whatever has waited long enough goes on, in the order in which it came.
    pub(super) fn settle(&mut self) {
        let now_ms = self.clock.now_ms();
        while let Some((at, result)) = self.next_settled(now_ms) {
            let wait = self.node.waits.remove(at);
            match wait.what {
                Waiting::Group(call, reply) => self.tell_group(call, result.map(|()| reply)),
                Waiting::Transaction(call, reply) => {
                    self.tell_transaction(call, result.map(|()| reply));
                }
                // Lost with the term of office otherwise: whoever leads then asks for them anew.
                Waiting::Effects(id, effects) if result.is_ok() => self.perform(id, effects),
                Waiting::Effects(..) => {}
                Waiting::Marker(job, at) => self.marker_told(job, at, result),
                Waiting::Produced(client, number) => self.produced(client, number, result),
            }
        }
    }

    fn next_settled(&mut self, now_ms: u64) -> Option<(usize, Result<(), ErrorCode>)> {
        let logs = &self.node.logs;
        let mut found = None;
        for (at, wait) in self.node.waits.iter().enumerate() {
            let log = logs.get(&wait.place).filter(|log| log.leads && log.epoch == wait.epoch);
            let result = match log {
                None => Err(ErrorCode::NotCoordinator),
                Some(log) if log.high_watermark >= wait.end => Ok(()),
                // Effects have nobody who would ask again: they wait for as long as the term lasts.
                Some(_) if matches!(wait.what, Waiting::Effects(..)) => continue,
                Some(_) if wait.until_ms <= now_ms => Err(ErrorCode::CoordinatorNotAvailable),
                Some(_) => continue,
            };
            found = Some((at, result));
            break;
        }
        if found.is_some_and(|(_, it)| it == Err(ErrorCode::CoordinatorNotAvailable)) {
            self.counters.hit(Sometimes::CommitTimedOut);
        }
        found
    }

    /// Timers that are due.
    pub(super) fn on_time(&mut self) {
        let now = self.clock.now().mono;
        let is_due = |deadline: Option<Mono>| deadline.is_some_and(|at| at <= now);
        let groups: Vec<i32> = (self.node.groups.iter())
            .filter(|(_, shard)| is_due(shard.deadline()))
            .map(|(at, _)| *at)
            .collect();
        for at in groups {
            self.at_group(at, Shard::on_time);
        }
        if self.setup.planted == Some(Planted::NoTimers) {
            return;
        }
        let transactions: Vec<i32> = (self.node.transactions.iter())
            .filter(|(_, shard)| is_due(shard.deadline()))
            .map(|(at, _)| *at)
            .collect();
        for at in transactions {
            self.at_transaction(at, Shard::on_time);
        }
    }

    /// The metadata changed: shards that are concerned hear of it.
    pub(super) fn publish(&mut self, changes: &Changes) {
        if GroupShard::is_concerned_by(changes) {
            for at in self.node.groups.keys().copied().collect::<Vec<_>>() {
                self.at_group(at, |shard, base| shard.on_image(base, changes));
            }
        }
        if TransactionShard::is_concerned_by(changes) {
            for at in self.node.transactions.keys().copied().collect::<Vec<_>>() {
                self.at_transaction(at, |shard, base| shard.on_image(base, changes));
            }
        }
    }

    /// The node leads an internal partition from now on: its shard is to be loaded.
    pub(super) fn open_shard(&mut self, place: Place) {
        let Some(log) = self.node.logs.get(&place) else { return };
        let id = ShardId { partition: PartitionId(place.1), leader_epoch: log.epoch };
        match place.0 {
            OFFSETS => {
                self.node.groups.insert(place.1, Shard::new(id));
            }
            TRANSACTIONS => {
                self.node.transactions.insert(place.1, Shard::new(id));
            }
            _ => return,
        }
        self.load_later(place);
    }

    fn load_later(&mut self, place: Place) {
        let delay = self.chance.between(0, 300);
        self.clock.after(delay, Event::Load(place));
    }

    /// Reads a log into a shard.
    pub(super) fn load(&mut self, place: Place) -> Result<(), String> {
        let max_bytes = self.chance.between(100, 4_000) as u32;
        let Some(log) = self.node.logs.get_mut(&place) else { return Ok(()) };
        if !log.leads {
            return Ok(());
        }
        if log.compacted > 0 {
            self.counters.hit(Sometimes::CompactedBatches);
        }
        let mut batches = log.read(max_bytes)?;
        if self.setup.planted == Some(Planted::LoadForgets) {
            batches.pop();
        }
        // A shard that was dropped forgets what was never written.
        self.checks.on_terms_ended();
        let mut failed = None;
        if place.0 == OFFSETS {
            self.at_group(place.1, |shard, base| {
                shard.load(base, &batches).unwrap_or_else(|error| {
                    failed = Some(error);
                    After::nothing()
                })
            });
        } else {
            self.at_transaction(place.1, |shard, base| {
                shard.load(base, &batches).unwrap_or_else(|error| {
                    failed = Some(error);
                    After::nothing()
                })
            });
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        checkers::compare(&self.node, place, &mut self.chance)
    }
}
