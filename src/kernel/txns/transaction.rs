//! What the log knows of one transactional id, and what each move makes of it.
//!
//! A move gives a new value and changes nothing: it becomes a record, and the record becomes the state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::TransactionState;
use super::{EPOCH_BUMPS, is_exhausted};
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::time::{Now, Timestamp};
use crate::wire::coordinator_records::transactions::{PartitionsSchema, TransactionLogValue};

/// Partitions by topic, in order. Topics are the coordinator's own copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionSet(BTreeMap<Arc<str>, BTreeSet<i32>>);

impl PartitionSet {
    /// Adds a partition.
    pub fn insert(&mut self, topic: &str, partition: i32) {
        match self.0.get_mut(topic) {
            Some(partitions) => {
                partitions.insert(partition);
            }
            None => {
                self.0.insert(Arc::from(topic), BTreeSet::from([partition]));
            }
        }
    }

    /// Takes a partition out.
    pub fn remove(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    /// Whether it has this partition.
    pub fn contains(&self, topic: &str, partition: i32) -> bool {
        self.0.get(topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// Whether it has all that `other` has.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|(topic, partition)| self.contains(topic, partition))
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each partition, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i32)> {
        self.0.iter().flat_map(|(topic, partitions)| partitions.iter().map(move |it| (topic, *it)))
    }

    /// Each topic with its partitions, in order.
    pub fn topics(&self) -> impl Iterator<Item = (&Arc<str>, &BTreeSet<i32>)> {
        self.0.iter()
    }

    /// About how much memory it takes.
    pub fn size_bytes(&self) -> usize {
        let topic = |(name, partitions): (&Arc<str>, &BTreeSet<i32>)| {
            name.len()
                + size_of::<(Arc<str>, BTreeSet<i32>)>()
                + 2 * partitions.len() * size_of::<i32>()
        };
        self.0.iter().map(topic).sum()
    }
}

impl<'a> FromIterator<(&'a str, i32)> for PartitionSet {
    fn from_iter<I: IntoIterator<Item = (&'a str, i32)>>(partitions: I) -> Self {
        let mut set = Self::default();
        for (topic, partition) in partitions {
            set.insert(topic, partition);
        }
        set
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its state.
    pub state: TransactionState,
    /// The producer.
    pub producer_id: ProducerId,
    /// The producer id before the last move; a client that did not hear of a new one still has it.
    pub previous_producer_id: ProducerId,
    /// The producer id that the client was told to go on with, while markers are written under the old one.
    pub next_producer_id: ProducerId,
    /// The epoch; −1 before the first answer to a client.
    pub producer_epoch: ProducerEpoch,
    /// How long a transaction may take.
    pub timeout_ms: i32,
    /// What takes part.
    pub partitions: Arc<PartitionSet>,
    /// When it began; −1 if there is none.
    pub started: Timestamp,
    /// When the last move was.
    pub updated: Timestamp,
    /// The `transaction.version` that the client works by.
    pub client_version: i16,
}

impl Transaction {
    /// An id that nobody has asked about before.
    pub fn new(producer_id: ProducerId, timeout_ms: i32, now: Timestamp) -> Self {
        Self {
            state: TransactionState::Empty,
            producer_id,
            previous_producer_id: ProducerId::NONE,
            next_producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            timeout_ms,
            partitions: Arc::default(),
            started: Timestamp::NONE,
            updated: now,
            client_version: 0,
        }
    }

    /// What a record says; none if its state is none that Kafka logs.
    pub fn of_value(value: &TransactionLogValue) -> Option<Self> {
        let state = TransactionState::of_number(value.transaction_status)?;
        if matches!(state, TransactionState::Dead | TransactionState::PrepareEpochFence) {
            return None;
        }
        let mut partitions = PartitionSet::default();
        // Kafka, too, does not look at the partitions of an empty one.
        if state != TransactionState::Empty {
            for topic in value.transaction_partitions.iter().flatten() {
                for partition in &topic.partition_ids {
                    partitions.insert(&topic.topic, *partition);
                }
            }
        }
        Some(Self {
            state,
            producer_id: ProducerId(value.producer_id),
            previous_producer_id: ProducerId(value.previous_producer_id),
            next_producer_id: ProducerId(value.next_producer_id),
            producer_epoch: ProducerEpoch(value.producer_epoch),
            timeout_ms: value.transaction_timeout_ms,
            partitions: Arc::new(partitions),
            started: Timestamp(value.transaction_start_timestamp_ms),
            updated: Timestamp(value.transaction_last_update_timestamp_ms),
            client_version: value.client_transaction_version,
        })
    }

    /// The record's value. What version 0 of it has no room for is left out, so that what is replayed now is what is
    /// replayed after a load.
    pub fn value(&self, transaction_version: i16) -> TransactionLogValue {
        let schema = |(topic, partitions): (&Arc<str>, &BTreeSet<i32>)| PartitionsSchema {
            topic: topic.as_ref().to_owned(),
            partition_ids: partitions.iter().copied().collect(),
        };
        let is_empty = self.state == TransactionState::Empty;
        let value = TransactionLogValue {
            producer_id: self.producer_id.0,
            producer_epoch: self.producer_epoch.0,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state.number(),
            transaction_partitions: (!is_empty)
                .then(|| self.partitions.topics().map(schema).collect()),
            transaction_last_update_timestamp_ms: self.updated.0,
            transaction_start_timestamp_ms: self.started.0,
            ..TransactionLogValue::default()
        };
        if transaction_version < 1 {
            return value;
        }
        TransactionLogValue {
            previous_producer_id: self.previous_producer_id.0,
            next_producer_id: self.next_producer_id.0,
            client_transaction_version: self.client_version,
            ..value
        }
    }

    /// The producer begins, or goes on, with this identity.
    #[must_use]
    pub fn initialized(
        &self,
        (producer_id, producer_epoch): (ProducerId, ProducerEpoch),
        timeout_ms: i32,
        now: Timestamp,
    ) -> Self {
        Self {
            producer_id,
            producer_epoch,
            timeout_ms,
            partitions: Arc::default(),
            started: Timestamp::NONE,
            updated: now,
            ..self.moved(TransactionState::Empty)
        }
    }

    /// Partitions take part from now on.
    #[must_use]
    pub fn joined(&self, added: &PartitionSet, client_version: i16, now: Timestamp) -> Self {
        let mut partitions = PartitionSet::clone(&self.partitions);
        for (topic, partition) in added.iter() {
            partitions.insert(topic, partition);
        }
        Self {
            partitions: Arc::new(partitions),
            started: if self.state.is_idle() { now } else { self.started },
            updated: now,
            client_version,
            ..self.moved(TransactionState::Ongoing)
        }
    }

    /// It is decided. From version 2 on the markers carry the next epoch, so that no record of this transaction can
    /// come after them; when that is the last epoch, the producer goes on with `next_producer_id` (KIP-890).
    #[must_use]
    pub fn decided(
        &self,
        commit: bool,
        client_version: i16,
        next_producer_id: ProducerId,
        now: Timestamp,
    ) -> Self {
        let state =
            if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let producer_epoch =
            if client_version >= EPOCH_BUMPS { self.next_epoch() } else { self.producer_epoch };
        Self {
            producer_epoch,
            next_producer_id,
            started: if self.state.is_idle() { now } else { self.started },
            updated: now,
            client_version,
            ..self.moved(state)
        }
    }

    /// All markers are written.
    #[must_use]
    pub fn completed(&self, now: Timestamp) -> Self {
        let state = if self.state == TransactionState::PrepareCommit {
            TransactionState::CompleteCommit
        } else {
            TransactionState::CompleteAbort
        };
        let (producer_id, producer_epoch) = self.next_identity();
        Self {
            producer_id,
            producer_epoch,
            next_producer_id: ProducerId::NONE,
            partitions: Arc::default(),
            updated: now,
            ..self.moved(state)
        }
    }

    /// What the client of a decided transaction goes on with.
    pub fn next_identity(&self) -> (ProducerId, ProducerEpoch) {
        if self.client_version >= EPOCH_BUMPS && self.next_producer_id != ProducerId::NONE {
            (self.next_producer_id, ProducerEpoch(0))
        } else {
            (self.producer_id, self.producer_epoch)
        }
    }

    /// The epoch above this one; it stays at the last.
    pub const fn next_epoch(&self) -> ProducerEpoch {
        ProducerEpoch(self.producer_epoch.0.saturating_add(1))
    }

    /// Whether the epoch is the last that a client may have.
    pub const fn is_exhausted(&self) -> bool {
        is_exhausted(self.producer_epoch)
    }

    /// Whether it has taken too long. A two-phase commit (KIP-939) may take for ever.
    pub const fn is_too_old(&self, now: Timestamp) -> bool {
        self.timeout_ms != i32::MAX && self.started.0.saturating_add(self.timeout_ms as i64) < now.0
    }

    /// For how long it may go on.
    pub fn left_ms(&self, now: Now) -> Option<u64> {
        if self.timeout_ms == i32::MAX {
            return None;
        }
        let end = self.started.0.saturating_add(i64::from(self.timeout_ms)).saturating_add(1);
        Some(u64::try_from(end.saturating_sub(now.wall.0)).unwrap_or(0))
    }

    fn moved(&self, state: TransactionState) -> Self {
        debug_assert!(state.may_follow(self.state), "from {} to {state}", self.state);
        Self { state, previous_producer_id: self.producer_id, ..self.clone() }
    }
}
