//! What goes wrong, and when: crashes, lost leadership, replicas that lag, disks that fail, topics that go, clocks that
//! jump. All of it is drawn when the world begins.

use std::sync::Arc;

use super::{DISTURBED_MS, Event, World};
use crate::kernel::log::append::Origin;
use crate::kernel::machine::Machine as _;
use crate::kernel::txns::TransactionShard;
use crate::kernel::txns::state::TransactionState;
use crate::kernel::txns::transaction::Transaction;
use crate::sim::checkers;
use crate::sim::log::Fault as LogFault;
use crate::sim::planted::Planted;
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, FIRST_OF_CLIENTS, FLEETING, NAMES, OFFSETS, Place, TRANSACTIONS};
use crate::types::epoch::ProducerEpoch;
use crate::types::offset::Offset;
use crate::wire::batch_builder::BatchBuilder;

/// The most partitions of a topic of clients.
const PARTITIONS_MAX: i32 = 4;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The node dies, and starts again after so long.
    Crash(u64),
    /// A partition has no leader for so long, or one that does not know that it is none.
    Failover(Place, u64),
    /// Replicas of a partition lag for so long.
    Lag(Place, u64),
    /// The next append to an internal topic fails.
    Append(Place, LogFault),
    /// A topic is deleted.
    Delete,
    /// It is made anew.
    Create,
    /// A topic gets one more partition.
    Grow,
    /// The wall clock is put forward, or back.
    Skew(i64),
}

impl World {
    /// Draws what will go wrong.
    pub(super) fn plan_faults(&mut self) {
        let count = self.chance.below(9);
        for _ in 0..count {
            let at_ms = self.chance.below(DISTURBED_MS - 5_000);
            let fault = self.draw_fault();
            self.clock.at(at_ms, Event::Fault(fault));
            if let Fault::Lag(place, for_ms) = fault
                && self.chance.one_in(2)
            {
                let then_ms = at_ms + self.chance.below(for_ms.max(1));
                self.clock.at(then_ms, Event::Fault(Fault::Failover(place, 400)));
            }
        }
    }

    /// Draws when the logs of coordinators are compacted; some are once all is well again.
    pub(super) fn plan_compactions(&mut self) {
        for _ in 0..self.chance.below(6) {
            let at_ms = self.chance.between(5_000, DISTURBED_MS + 20_000);
            let offsets = (OFFSETS, self.chance.below(2) as i32);
            let place = if self.chance.one_in(3) { (TRANSACTIONS, 0) } else { offsets };
            self.clock.at(at_ms, Event::Compact(place));
        }
    }

    /// What later records have made superfluous goes, unless the node is down.
    pub(super) fn compact(&mut self, place: Place) -> Result<(), String> {
        let now = self.clock.now();
        let log = self.node.logs.get_mut(&place).filter(|log| log.leads && self.node.is_up);
        let Some(log) = log else { return Ok(()) };
        if log.compact(now)? {
            self.counters.hit(Sometimes::Compacted);
            self.note(|| format!("{}-{} is compacted", NAMES[place.0], place.1));
        }
        Ok(())
    }

    fn draw_fault(&mut self) -> Fault {
        let place = if self.chance.one_in(3) {
            (FIRST_OF_CLIENTS, self.chance.below(2) as i32)
        } else if self.chance.one_in(2) {
            (TRANSACTIONS, 0)
        } else {
            (OFFSETS, self.chance.below(2) as i32)
        };
        let for_ms = self.chance.between(50, 8_000);
        match self.chance.below(14) {
            0..=1 => Fault::Crash(self.chance.between(10, 6_000)),
            2..=4 => Fault::Failover(place, for_ms),
            5..=7 => Fault::Lag(place, for_ms),
            8..=9 => {
                let faults = [LogFault::Refused, LogFault::Unwritten, LogFault::Written];
                let fault = self.chance.pick(&faults).copied().unwrap_or(LogFault::Refused);
                let place = if place.0 == FIRST_OF_CLIENTS { (TRANSACTIONS, 0) } else { place };
                Fault::Append(place, fault)
            }
            10 => Fault::Delete,
            11 => Fault::Grow,
            12 => Fault::Skew(self.chance.between(0, 40_000) as i64 - 20_000),
            _ => Fault::Crash(self.chance.between(10, 500)),
        }
    }

    /// Something goes wrong now.
    pub(super) fn fail(&mut self, fault: Fault) -> Result<(), String> {
        if self.is_healed {
            return Ok(());
        }
        self.note(|| format!("{fault:?}"));
        match fault {
            Fault::Crash(for_ms) => self.crash(for_ms),
            Fault::Failover(place, for_ms) => self.fail_over(place, for_ms),
            Fault::Lag(place, for_ms) => {
                if let Some(log) = self.node.logs.get_mut(&place) {
                    log.lags = true;
                    self.clock.after(for_ms, Event::Replicate(place));
                }
                Ok(())
            }
            Fault::Append(place, fault) => {
                if let Some(log) = self.node.logs.get_mut(&place) {
                    log.fault = Some(fault);
                    self.counters.hit(match fault {
                        LogFault::Refused => Sometimes::AppendRefused,
                        LogFault::Unwritten | LogFault::Written => Sometimes::AppendLost,
                    });
                }
                Ok(())
            }
            Fault::Delete => {
                self.counters.hit(Sometimes::TopicDeleted);
                let changes = self.node.delete(FLEETING);
                self.checks.on_topic_deleted(FLEETING);
                self.publish(&changes);
                let for_ms = self.chance.between(10, 5_000);
                self.clock.after(for_ms, Event::Fault(Fault::Create));
                Ok(())
            }
            Fault::Create => self.create(FLEETING, 1),
            Fault::Grow => {
                let topic = FIRST_OF_CLIENTS;
                let partitions = topics::partitions(&self.node.image, topic) + 1;
                self.counters.hit(Sometimes::PartitionsAdded);
                self.create(topic, partitions.min(PARTITIONS_MAX))
            }
            Fault::Skew(by_ms) => {
                if by_ms < 0 {
                    self.counters.hit(Sometimes::WallClockBack);
                }
                self.clock.skew(by_ms);
                Ok(())
            }
        }
    }

    fn create(&mut self, topic: usize, partitions: i32) -> Result<(), String> {
        if !self.node.is_up && topics::partitions(&self.node.image, topic) >= partitions {
            return Ok(());
        }
        let now = self.clock.now();
        let changes = self.node.create(topic, partitions, now)?;
        self.publish(&changes);
        Ok(())
    }

    /// Replicas have all of it.
    pub(super) fn catch_up(&mut self, place: Place) {
        if let Some(log) = self.node.logs.get_mut(&place) {
            log.lags = false;
            log.replicate(log.end());
        }
    }

    /// The process dies. What is under way is gone; what was written is there.
    fn crash(&mut self, for_ms: u64) -> Result<(), String> {
        if !self.node.is_up {
            return Ok(());
        }
        self.counters.hit(Sometimes::Crash);
        checkers::compare_all(&self.node, &mut self.chance)?;
        self.node.is_up = false;
        self.node.groups.clear();
        self.node.transactions.clear();
        self.node.calls.clear();
        self.node.waits.clear();
        self.node.jobs.clear();
        self.checks.on_terms_ended();
        self.clock.forget(|event| {
            matches!(
                event,
                Event::Load(_) | Event::AskAgain(_) | Event::Arrives { .. } | Event::Elect(_)
            )
        });
        self.clock.after(for_ms, Event::Start);
        Ok(())
    }

    /// It starts again.
    pub(super) fn start_again(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let tears = self.chance.one_in(2);
        let mut is_torn = false;
        for log in self.node.logs.values_mut() {
            is_torn |= log.crash(tears, now)?;
            log.elect()?;
        }
        if is_torn {
            self.counters.hit(Sometimes::TornWrite);
        }
        for place in self.node.logs.keys().copied().collect::<Vec<_>>() {
            // The only replica: what is there is committed.
            if self.node.logs.get(&place).is_some_and(|log| !log.lags) {
                self.catch_up(place);
            }
        }
        self.node.is_up = true;
        self.note_loads();
        self.open_all();
        Ok(())
    }

    /// The node begins for the first time, on logs that may have a past.
    pub(super) fn start_up(&mut self) -> Result<(), String> {
        for (id, epoch) in self.clients.exhausted_producers() {
            let partition = self.node.transaction_partition(&id);
            let producer_id = self.node.fresh_producer_id(true);
            let now = self.clock.now();
            let past = Transaction {
                state: TransactionState::CompleteCommit,
                producer_epoch: ProducerEpoch(epoch),
                client_version: self.node.transaction_version(),
                ..Transaction::new(producer_id, 10_000, now.wall)
            };
            let record = crate::kernel::txns::log_record(
                &Arc::from(id.as_str()),
                &past,
                self.node.transaction_version(),
            );
            let (key, value) = TransactionShard::encode(&record);
            let mut batch = BatchBuilder::new(Offset::ZERO);
            batch.push(now.wall, Some(&key), value.as_deref(), &[]);
            if let Some(log) = self.node.logs.get_mut(&(TRANSACTIONS, partition)) {
                let appended = log.append(&batch.build_batch(), Origin::COORDINATOR, None, now);
                appended.map_err(|code| format!("{code:?}"))?;
            }
        }
        self.open_all();
        Ok(())
    }

    fn open_all(&mut self) {
        for place in self.node.logs.keys().copied().collect::<Vec<_>>() {
            self.open_shard(place);
        }
    }

    /// A partition loses its leader. Clients may reach the shard for a while, which does not know it yet.
    fn fail_over(&mut self, place: Place, for_ms: u64) -> Result<(), String> {
        if !self.node.is_up || !self.node.logs.get(&place).is_some_and(|log| log.leads) {
            return Ok(());
        }
        self.counters.hit(Sometimes::Failover);
        let knows = self.chance.one_in(2);
        if knows {
            self.close_shard(place)?;
        }
        if let Some(log) = self.node.logs.get_mut(&place) {
            log.leads = false;
        }
        self.clock.after(for_ms, Event::Elect(place));
        Ok(())
    }

    fn close_shard(&mut self, place: Place) -> Result<(), String> {
        checkers::compare(&self.node, place, &mut self.chance)?;
        match place.0 {
            OFFSETS => {
                if let Some(shard) = self.node.groups.remove(&place.1) {
                    for told in shard.close() {
                        self.tell_group(told.call, told.result);
                    }
                }
            }
            TRANSACTIONS => {
                if let Some(shard) = self.node.transactions.remove(&place.1) {
                    for told in shard.close() {
                        self.tell_transaction(told.call, told.result);
                    }
                }
            }
            _ => {}
        }
        self.checks.on_terms_ended();
        Ok(())
    }

    /// It has a leader again: us, after others who may lack what was not committed.
    pub(super) fn elect(&mut self, place: Place) -> Result<(), String> {
        if !self.node.is_up || self.node.logs.get(&place).is_none_or(|log| log.leads) {
            return Ok(());
        }
        self.close_shard(place)?;
        let now = self.clock.now();
        let cuts = self.chance.one_in(2);
        if let Some(log) = self.node.logs.get_mut(&place) {
            if cuts && log.end() > log.high_watermark {
                let above = (log.end() - log.high_watermark).cast_unsigned();
                let mut at = log.high_watermark + self.chance.below(above) as i64;
                if self.setup.planted == Some(Planted::CutsWhatWasCommitted) {
                    log.high_watermark = Offset((log.high_watermark.0 - 2).max(0));
                    at = log.high_watermark;
                }
                log.cut(at, now)?;
                self.counters.hit(Sometimes::Truncated);
            }
            log.elect()?;
            if !log.lags {
                log.replicate(log.end());
            }
        }
        self.note_loads();
        self.open_shard(place);
        Ok(())
    }

    /// What a load will find.
    fn note_loads(&mut self) {
        self.checks.note_what_is_loaded(&mut self.counters);
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.is_healed = true;
        self.note(|| "nothing goes wrong any more".to_owned());
        if topics::partitions(&self.node.image, FLEETING) == 0 {
            self.create(FLEETING, 1)?;
        }
        for place in self.node.logs.keys().copied().collect::<Vec<_>>() {
            if let Some(log) = self.node.logs.get_mut(&place) {
                log.fault = None;
            }
            self.catch_up(place);
        }
        Ok(())
    }
}
