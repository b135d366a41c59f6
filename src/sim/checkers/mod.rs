//! What must hold, one promise to a file; each looks at the world from outside, with a simple model of its own.
//!
//! - [`transaction_states`]: states change along legal edges, epochs never fall, no producer id is handed out twice;
//! - [`markers`]: a marker is written if its decision is in the log, and says the same everywhere;
//! - [`open_transactions`]: one open transaction for each producer, nothing after its marker, the last stable offset;
//! - [`identities`]: what producers are told to be;
//! - [`offsets`]: what is committed is what is fetched, transactions included, and never goes back, but by a weakness of
//!   Kafka's ([`stale_positions`]);
//! - [`commits`]: only members of the present generation or epoch commit;
//! - [`generations`], [`owners`], [`assignments`]: generations rise, partitions and names have one owner;
//! - [`deletions`], [`descriptions`]: what was deleted is gone, and what is told of groups and transactions is so;
//! - [`replayed`]: a shard is what its log says, however that was compacted;
//! - [`high_watermark`]: what was told is not lost;
//! - [`settled`], [`visible`]: in the end nothing hangs, and readers see whole transactions or nothing of them.

mod assignments;
mod commits;
mod deletions;
pub mod descriptions;
mod generations;
mod high_watermark;
mod identities;
mod markers;
mod offsets;
mod open_transactions;
mod owners;
mod replayed;
mod settled;
mod stale_positions;
#[cfg(test)]
mod tests;
mod transaction_states;
mod visible;

use std::collections::BTreeMap;

use self::assignments::Assignments;
use self::commits::MayCommit;
use self::deletions::Deletions;
use self::descriptions::{ExpectedGroup, ExpectedTransactions, LoggedGroups};
use self::generations::Generations;
use self::high_watermark::HighWatermarks;
use self::identities::Identities;
use self::offsets::{CommittedOffsets, ExpectedOffsets};
use self::open_transactions::OpenTransactions;
use self::stale_positions::StalePositions;
use self::transaction_states::TransactionStates;
use super::asks::Ask;
use super::chance::Chance;
use super::clients::Clients;
use super::log::{Happened, PartitionLog};
use super::sometimes::{Counters, Sometimes};
use super::topics::{OFFSETS, Place, TRANSACTIONS};
use super::world::Node;
use crate::kernel::groups::classic::ClassicGroup;
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::groups::shard::GroupShard;
use crate::kernel::log::producers::EndTransactionMarker;
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::TransactionReply;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;
use crate::wire::batch::Batch;
use crate::wire::coordinator_records::groups::GroupRecord;
use crate::wire::record_iter::iterate;

/// The records of a batch take no more.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

/// What the reply to a call is held against.
#[derive(Debug)]
pub enum Expected {
    /// Anything.
    Anything,
    /// Whether the commit may be accepted.
    Commit(MayCommit),
    /// What is committed.
    Offsets(ExpectedOffsets),
    /// Whose assignment it is, of which group and generation.
    Assignment(assignments::Whose),
    /// What is to be gone.
    Deletion(deletions::Asked),
    /// What was assigned in a group, and in which generation.
    Described(String, i32),
    /// What is to be told of a consumer group.
    DescribedConsumer(ExpectedGroup),
}

/// All that look on. See the module.
pub struct Checks {
    found: Option<String>,
    states: TransactionStates,
    open: BTreeMap<Place, OpenTransactions>,
    offsets: BTreeMap<i32, CommittedOffsets>,
    stale: StalePositions,
    logged: BTreeMap<i32, LoggedGroups>,
    deletions: Deletions,
    /// What is being decided deletes something.
    deletes: bool,
    identities: Identities,
    assignments: Assignments,
    generations: Generations,
    high_watermarks: HighWatermarks,
    groups_changed: bool,
    /// Up to where the log of transactions is committed.
    decided: Offset,
}

impl Checks {
    /// Before anything has happened.
    pub fn new() -> Self {
        Self {
            found: None,
            states: TransactionStates::default(),
            open: BTreeMap::new(),
            offsets: BTreeMap::new(),
            stale: StalePositions::default(),
            logged: BTreeMap::new(),
            deletions: Deletions::default(),
            deletes: false,
            identities: Identities::default(),
            assignments: Assignments::default(),
            generations: Generations::default(),
            high_watermarks: HighWatermarks::default(),
            groups_changed: false,
            decided: Offset::ZERO,
        }
    }

    fn report(&mut self, result: Result<(), String>) {
        if let Err(violation) = result {
            self.found.get_or_insert(violation);
        }
    }

    /// The log of transactions is committed up to there.
    pub const fn note_decided(&mut self, up_to: Offset) {
        self.decided = up_to;
    }

    /// Something happened to a log.
    pub fn on_log(
        &mut self,
        place: Place,
        log: &PartitionLog,
        happened: Happened,
        counters: &mut Counters,
    ) -> Result<(), String> {
        self.groups_changed |= place.0 == OFFSETS;
        match happened {
            Happened::Cut(kept) => self.on_cut(place, log, kept),
            Happened::Appended(at) => {
                let Some(batch) = log.truth.get(at) else { return Ok(()) };
                if place.0 == TRANSACTIONS {
                    return self.states.take(batch, counters);
                }
                if let Some(marker) = EndTransactionMarker::of_batch(batch) {
                    markers::check(&self.states, self.decided, place, batch, &marker)?;
                }
                self.open.entry(place).or_default().take(batch)?;
                if place.0 == OFFSETS {
                    self.on_offsets(place.1, batch, counters)?;
                }
                Ok(())
            }
        }
    }

    fn on_offsets(
        &mut self,
        partition: i32,
        batch: &Batch,
        counters: &mut Counters,
    ) -> Result<(), String> {
        let records = group_records(batch)?;
        let gone = |(_, record): &(Offset, GroupRecord)| {
            matches!(record, GroupRecord::OffsetCommit(_, None))
        };
        if records.iter().any(gone) {
            let deleted = Sometimes::OffsetsDeleted;
            counters.hit(if self.deletes { deleted } else { Sometimes::OffsetsExpired });
        }
        let logged = self.logged.entry(partition).or_default();
        for (_, record) in &records {
            logged.take(record);
        }
        let may_go_back = &mut |key: &_| self.stale.may_go_back(key);
        let offsets = self.offsets.entry(partition).or_default();
        offsets.take(batch, &records, may_go_back, counters)
    }

    /// What was cut off did not happen.
    fn on_cut(&mut self, place: Place, log: &PartitionLog, kept: usize) -> Result<(), String> {
        let kept = &log.truth[..kept.min(log.truth.len())];
        let mut uncounted = Counters::default();
        match place.0 {
            TRANSACTIONS => {
                self.states = TransactionStates::default();
                for batch in kept {
                    self.states.take(batch, &mut uncounted)?;
                }
                return Ok(());
            }
            OFFSETS => {
                let offsets = self.offsets.entry(place.1).or_default();
                let logged = self.logged.entry(place.1).or_default();
                *offsets = CommittedOffsets::default();
                *logged = LoggedGroups::default();
                for batch in kept {
                    let records = group_records(batch)?;
                    for (_, record) in &records {
                        logged.take(record);
                    }
                    // It was looked at before.
                    offsets.take(batch, &records, &mut |_| true, &mut uncounted)?;
                }
            }
            _ => {}
        }
        let open = self.open.entry(place).or_default();
        *open = OpenTransactions::default();
        kept.iter().try_for_each(|batch| open.take(batch))
    }

    /// What must hold at any time.
    pub fn at_any_time(
        &mut self,
        node: &mut Node,
        clients: &Clients,
        counters: &mut Counters,
    ) -> Result<(), String> {
        if let Some(found) = self.found.take() {
            return Err(found);
        }
        // What nothing has happened to is as it was.
        for (place, log) in &mut node.logs {
            if !std::mem::take(&mut log.is_touched) {
                continue;
            }
            self.high_watermarks.check(*place, log)?;
            if let Some(open) = self.open.get(place) {
                open.check(*place, log)?;
            }
        }
        self.stale.note_commit(None);
        self.stale.keep(|id, place| clients.members().any(|member| member.reads(id, place)));
        self.deletes = false;
        self.deletions.keep_promises(|partition| self.offsets.get(&partition))?;
        if !std::mem::take(&mut node.groups_touched) {
            return Ok(());
        }
        for (partition, shard) in &node.groups {
            let Some(machine) = shard.machine() else { continue };
            self.generations.check(*partition, machine, counters)?;
            if self.groups_changed {
                owners::check(machine)?;
            }
        }
        if self.groups_changed {
            let machines = node.groups.values().filter_map(|shard| shard.machine());
            self.assignments.keep(|group| {
                machines.clone().any(|machine| machine.groups().classic(group).is_some())
            });
        }
        self.groups_changed = false;
        Ok(())
    }

    /// A request is about to be decided.
    pub fn expect(
        &mut self,
        partition: i32,
        machine: Option<&GroupShard>,
        image: &Image,
        request: &GroupRequest,
        counters: &mut Counters,
    ) -> Expected {
        let Some(machine) = machine else { return Expected::Anything };
        match request {
            GroupRequest::JoinGroup(it) => {
                if self.stale.on_join(machine, it) {
                    counters.hit(Sometimes::ExpelledTakenBack);
                }
                Expected::Anything
            }
            GroupRequest::OffsetCommit(it) => {
                self.stale.note_commit(Some(&it.member_id));
                Expected::Commit(commits::may_commit(machine, it))
            }
            GroupRequest::OffsetFetch(it) => {
                let offsets = self.offsets.get(&partition);
                Expected::Offsets(offsets::expected(offsets, it))
            }
            GroupRequest::SyncGroup(it) => {
                assignments::whose(machine, it).map_or(Expected::Anything, Expected::Assignment)
            }
            GroupRequest::OffsetDelete(it) => {
                self.expect_deletion(partition, machine, &it.group_id)
            }
            GroupRequest::DeleteGroups(ids) => {
                let id = ids.first().map_or("", |id| id.as_str());
                self.expect_deletion(partition, machine, id)
            }
            GroupRequest::DescribeGroups(it) => {
                let id = it.groups.first().map_or("", |id| id.as_str());
                let generation = machine.groups().classic(id).map_or(-1, ClassicGroup::generation);
                Expected::Described(id.to_owned(), generation)
            }
            GroupRequest::ConsumerGroupDescribe(ids) => {
                let id = ids.first().map_or("", |id| id.as_str());
                let logged = self.logged.get(&partition).and_then(|logged| logged.of(id));
                Expected::DescribedConsumer(ExpectedGroup::new(logged, image))
            }
            _ => Expected::Anything,
        }
    }

    fn expect_deletion(&mut self, partition: i32, machine: &GroupShard, id: &str) -> Expected {
        self.deletes = true;
        let end = self.offsets.get(&partition).map_or(Offset::ZERO, CommittedOffsets::end);
        Expected::Deletion(deletions::asked(partition, machine, id, end))
    }

    /// It was, and the reply leaves.
    pub fn hold_against(
        &mut self,
        expected: &Expected,
        result: &Result<GroupReply, ErrorCode>,
        counters: &mut Counters,
    ) {
        let checked = match (expected, result) {
            (Expected::Commit(may), Ok(GroupReply::OffsetCommit(reply))) => {
                if !may.may && reply.is_err() {
                    counters.hit(Sometimes::StaleCommitRefused);
                }
                commits::check(may, reply)
            }
            (Expected::Offsets(expected), Ok(GroupReply::OffsetFetch(Ok(topics)))) => {
                offsets::check(expected, topics, counters)
            }
            (Expected::Assignment(whose), Ok(GroupReply::SyncGroup(response))) => {
                self.assignments.check(whose, response, counters)
            }
            (Expected::Deletion(asked), Ok(reply)) => self.deletions.check(asked, reply, counters),
            (Expected::Described(id, generation), Ok(GroupReply::DescribeGroups(described))) => {
                self.assignments.check_described((id, *generation), described, counters)
            }
            (
                Expected::DescribedConsumer(expected),
                Ok(GroupReply::ConsumerGroupDescribe(described)),
            ) => expected.check(described, counters),
            _ => Ok(()),
        };
        self.report(checked);
    }

    /// A producer is about to be told who it is.
    pub fn on_transaction_reply(
        &mut self,
        ask: &Ask,
        reply: &TransactionReply,
        counters: &mut Counters,
    ) {
        let checked = self.identities.check(ask, reply, counters);
        self.report(checked);
    }

    /// What is to be told of transactions.
    pub fn expect_transactions(&self, ask: &Ask) -> ExpectedTransactions {
        ExpectedTransactions::of(&self.states, ask)
    }

    /// It is told.
    pub fn on_transactions_described(
        &mut self,
        expected: &ExpectedTransactions,
        reply: &TransactionReply,
        counters: &mut Counters,
    ) {
        let checked = expected.check(reply, counters);
        self.report(checked);
    }

    /// The producers of a partition are described.
    pub fn on_producers_described(
        &mut self,
        place: Place,
        log: &PartitionLog,
        counters: &mut Counters,
    ) {
        let none = OpenTransactions::default();
        let open = self.open.get(&place).unwrap_or(&none);
        let checked = open.check_described(&log.producers(), counters);
        self.report(checked);
    }

    /// A topic has gone, with its logs.
    pub fn on_topic_deleted(&mut self, topic: usize) {
        self.open.retain(|(of, _), _| *of != topic);
        self.high_watermarks.forget(topic);
    }

    /// Shards are gone, and soft state with them.
    pub fn on_terms_ended(&mut self) {
        self.assignments = Assignments::default();
        self.generations.forget();
    }

    /// Shards are about to be loaded.
    pub fn note_what_is_loaded(&self, counters: &mut Counters) {
        self.states.note_what_is_loaded(counters);
    }
}

/// The records of a batch of `__consumer_offsets` that are known, and where they are.
fn group_records(batch: &Batch) -> Result<Vec<(Offset, GroupRecord)>, String> {
    if batch.header.is_control() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for record in iterate(batch, UNPACKED_BYTES_MAX).map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        let Some(key) = &record.key else { continue };
        if let Ok(Some(read)) = GroupRecord::decode(key, record.value.as_ref()) {
            records.push((record.offset, read));
        }
    }
    Ok(records)
}

/// A shard is what its log says, and what the compacted log says.
pub fn compare(node: &Node, place: Place, chance: &mut Chance) -> Result<(), String> {
    replayed::check_one(node, place, chance)
}

/// Every shard is.
pub fn compare_all(node: &Node, chance: &mut Chance) -> Result<(), String> {
    replayed::check_all(node, chance)
}

/// Whether all has come to rest.
pub fn is_settled(node: &Node, clients: &Clients) -> bool {
    settled::check(node, clients).is_ok()
}

/// All was left alone for long enough.
pub fn at_the_end(node: &mut Node, clients: &Clients) -> Result<(), String> {
    let mut chance = Chance::of_seed(0);
    replayed::check_all(node, &mut chance)?;
    settled::check(node, clients)?;
    visible::check(node, clients)
}
