//! The log of transactions: each id changes its state along legal edges, its epoch never falls or wraps, and a producer id
//! belongs to one transactional id for ever.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::txns::state::TransactionState;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::types::offset::Offset;
use crate::wire::batch::Batch;
use crate::wire::coordinator_records::transactions::{TransactionLogRecord, TransactionLogValue};
use crate::wire::record_iter::iterate;

/// The records of a batch take no more.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

/// The last record of an id.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its state.
    pub state: i8,
    /// The producer.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// What takes part.
    pub partitions: BTreeSet<(String, i32)>,
    /// Where the record is.
    pub offset: Offset,
}

/// See the module.
#[derive(Debug, Default)]
pub struct TransactionStates {
    by_id: BTreeMap<String, Known>,
    /// Whose each producer id is.
    owners: BTreeMap<i64, String>,
}

/// Whether a state may follow another; none before the first record of an id.
const fn may_follow(before: Option<i8>, after: i8) -> bool {
    matches!(
        (before, after),
        (None | Some(0 | 4 | 5), 0)
            | (Some(0 | 1 | 4 | 5), 1 | 3)
            | (Some(1), 2)
            | (Some(2), 4)
            | (Some(3), 5)
    )
}

impl TransactionStates {
    /// Takes a batch of the log.
    pub fn take(&mut self, batch: &Batch, counters: &mut Counters) -> Result<(), String> {
        let records = iterate(batch, UNPACKED_BYTES_MAX).map_err(|error| error.to_string())?;
        for record in records {
            let record = record.map_err(|error| error.to_string())?;
            let key = record.key.unwrap_or_default();
            let read = TransactionLogRecord::decode(&key, record.value.as_ref());
            let Ok(Some(TransactionLogRecord(key, value))) = read else {
                return Err("a record that cannot be read".to_owned());
            };
            match value {
                Some(value) => {
                    self.move_to(key.transactional_id, &value, record.offset, counters)?;
                }
                None => self.expire(&key.transactional_id, counters)?,
            }
        }
        Ok(())
    }

    fn expire(&mut self, id: &str, counters: &mut Counters) -> Result<(), String> {
        counters.hit(Sometimes::TransactionalIdExpired);
        match self.by_id.remove(id) {
            Some(known) if !matches!(known.state, 0 | 4 | 5) => {
                Err(format!("{id} is forgotten in state {}", known.state))
            }
            _ => Ok(()),
        }
    }

    fn move_to(
        &mut self,
        id: String,
        value: &TransactionLogValue,
        offset: Offset,
        counters: &mut Counters,
    ) -> Result<(), String> {
        let before = self.by_id.get(&id);
        let (state, epoch) = (value.transaction_status, value.producer_epoch);
        let was = before.map(|it| it.state);
        // What the world began with.
        let is_past = offset.0 < 8 && was.is_none() && state == 4;
        if !may_follow(was, state) && !is_past {
            return Err(format!("{id} goes from state {was:?} to {state}"));
        }
        if epoch < 0 {
            return Err(format!("{id} has epoch {epoch} in the log"));
        }
        if let Some(before) = before {
            if before.producer_id == value.producer_id && epoch < before.epoch {
                return Err(format!("the epoch of {id} falls from {} to {epoch}", before.epoch));
            }
            if before.producer_id != value.producer_id {
                counters.hit(Sometimes::EpochExhausted);
                if before.epoch < i16::MAX - 1 {
                    return Err(format!("{id} has another producer id after {}", before.epoch));
                }
            }
            let is_timeout = was == Some(1) && state == 3 && value.next_producer_id < 0;
            let took_ms =
                value.transaction_last_update_timestamp_ms - value.transaction_start_timestamp_ms;
            if is_timeout && took_ms > i64::from(value.transaction_timeout_ms) {
                counters.hit(Sometimes::TimedOut);
            }
        }
        let owner = self.owners.entry(value.producer_id).or_insert_with(|| id.clone());
        if *owner != id {
            return Err(format!("{id} and {owner} have one producer id: {}", value.producer_id));
        }
        let topics = value.transaction_partitions.iter().flatten();
        let partitions = topics
            .flat_map(|topic| topic.partition_ids.iter().map(|at| (topic.topic.clone(), *at)));
        let (producer_id, partitions) = (value.producer_id, partitions.collect());
        self.by_id.insert(id, Known { state, producer_id, epoch, partitions, offset });
        Ok(())
    }

    /// The last record of whoever has a producer id.
    pub fn of_producer(&self, producer_id: i64) -> Option<&Known> {
        let known = self.by_id.get(self.owners.get(&producer_id)?)?;
        (known.producer_id == producer_id).then_some(known)
    }

    /// The last record of an id.
    pub fn of_id(&self, id: &str) -> Option<&Known> {
        self.by_id.get(id)
    }

    /// All ids in their order, each with its producer and its state.
    pub fn all(&self) -> impl Iterator<Item = (String, i64, i8)> {
        self.by_id.iter().map(|(id, known)| (id.clone(), known.producer_id, known.state))
    }

    /// Rare branches of a load.
    pub fn note_what_is_loaded(&self, counters: &mut Counters) {
        for known in self.by_id.values() {
            match TransactionState::of_number(known.state) {
                Some(TransactionState::Ongoing) => counters.hit(Sometimes::ReloadOpen),
                Some(state) if state.is_prepared() => counters.hit(Sometimes::ReloadInMarkers),
                _ => {}
            }
        }
    }
}
