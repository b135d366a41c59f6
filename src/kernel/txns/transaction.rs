//! What the log knows of one transactional id, and what each move makes of it.
//!
//! A move gives a new value and changes nothing: it becomes a record, and the record becomes the state.

use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use super::state::TransactionState;
use super::{EPOCH_BUMPS, FLEXIBLE_VALUES, is_exhausted};
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::time::{Now, Timestamp};
use crate::wire::coordinator_records::transactions::TransactionLogValue;

/// The indexes of a topic's partitions, in order.
type Indexes = SmallVec<[i32; 4]>;

/// Partitions by topic, in order. Topics are the coordinator's own copies. Most transactions have a partition or two, for
/// which nothing is allocated here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionSet(SmallVec<[(Arc<str>, Indexes); 1]>);

/// The set of a transaction that has none, of which there is one.
static NO_PARTITIONS: LazyLock<Arc<PartitionSet>> = LazyLock::new(Arc::default);

impl PartitionSet {
    /// An empty set that many share.
    pub fn none() -> Arc<Self> {
        Arc::clone(&NO_PARTITIONS)
    }

    /// The set of one partition.
    pub fn of_one(topic: impl AsRef<str> + Into<Arc<str>>, partition: i32) -> Self {
        let mut set = Self::default();
        set.add(topic, [partition]);
        set
    }

    /// Adds partitions of a topic, in any order.
    pub fn add(
        &mut self,
        topic: impl AsRef<str> + Into<Arc<str>>,
        partitions: impl IntoIterator<Item = i32>,
    ) {
        let mut partitions = partitions.into_iter().peekable();
        if partitions.peek().is_none() {
            return;
        }
        let at = self.place(topic.as_ref()).unwrap_or_else(|at| {
            self.0.insert(at, (topic.into(), Indexes::new()));
            at
        });
        let Some((_, indexes)) = self.0.get_mut(at) else { return };
        let mut is_sorted = true;
        for partition in partitions {
            is_sorted &= indexes.last().is_none_or(|last| *last < partition);
            indexes.push(partition);
        }
        if !is_sorted {
            indexes.sort_unstable();
            indexes.dedup();
        }
    }

    /// Adds all that `other` has.
    pub fn add_all(&mut self, other: &Self) {
        for (topic, partitions) in other.topics() {
            self.add(Arc::clone(topic), partitions.iter().copied());
        }
    }

    /// Takes out all that `other` has.
    pub fn remove_all(&mut self, other: &Self) {
        self.0.retain(|(topic, indexes)| {
            indexes.retain(|index| !other.contains(topic, *index));
            !indexes.is_empty()
        });
    }

    /// Whether it has this partition.
    pub fn contains(&self, topic: &str, partition: i32) -> bool {
        let found = self.place(topic).ok().and_then(|at| self.0.get(at));
        found.is_some_and(|(_, indexes)| indexes.binary_search(&partition).is_ok())
    }

    /// Whether it has all that `other` has.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|(topic, partition)| self.contains(topic, partition))
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, indexes)| indexes.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each partition, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i32)> {
        self.0.iter().flat_map(|(topic, indexes)| indexes.iter().map(move |it| (topic, *it)))
    }

    /// Each topic with its partitions, in order.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &[i32])> {
        self.0.iter().map(|(topic, indexes)| (topic, indexes.as_slice()))
    }

    /// About how much memory it takes.
    pub fn size_bytes(&self) -> usize {
        let topic = |(name, indexes): (&Arc<str>, &[i32])| {
            name.len() + size_of::<(Arc<str>, Indexes)>() + size_of_val(indexes)
        };
        self.topics().map(topic).sum()
    }

    /// Where a topic is, or would have to be.
    fn place(&self, topic: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_ref().cmp(topic))
    }
}

impl<T: AsRef<str> + Into<Arc<str>> + Ord> FromIterator<(T, i32)> for PartitionSet {
    fn from_iter<I: IntoIterator<Item = (T, i32)>>(partitions: I) -> Self {
        let mut all: SmallVec<[(T, i32); 1]> = partitions.into_iter().collect();
        all.sort_unstable();
        let mut set = Self::default();
        for (topic, partition) in all {
            match set.0.last_mut().filter(|(last, _)| last.as_ref() == topic.as_ref()) {
                Some((_, indexes)) if indexes.last() == Some(&partition) => {}
                Some((_, indexes)) => indexes.push(partition),
                None => set.0.push((topic.into(), Indexes::from_slice(&[partition]))),
            }
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
            partitions: PartitionSet::none(),
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
                partitions.add(topic.topic.as_str(), topic.partition_ids.iter().copied());
            }
        }
        let partitions =
            if partitions.is_empty() { PartitionSet::none() } else { Arc::new(partitions) };
        Some(Self {
            state,
            producer_id: ProducerId(value.producer_id),
            previous_producer_id: ProducerId(value.previous_producer_id),
            next_producer_id: ProducerId(value.next_producer_id),
            producer_epoch: ProducerEpoch(value.producer_epoch),
            timeout_ms: value.transaction_timeout_ms,
            partitions,
            started: Timestamp(value.transaction_start_timestamp_ms),
            updated: Timestamp(value.transaction_last_update_timestamp_ms),
            client_version: value.client_transaction_version,
        })
    }

    /// As a record has it: what version 0 of it has no room for is left out, so that what is replayed now is what is
    /// replayed after a load.
    #[must_use]
    pub fn as_logged(&self, transaction_version: i16) -> Self {
        let logged = self.clone();
        if transaction_version >= FLEXIBLE_VALUES {
            return logged;
        }
        let (previous_producer_id, next_producer_id) = (ProducerId::NONE, ProducerId::NONE);
        Self { previous_producer_id, next_producer_id, client_version: 0, ..logged }
    }

    /// The record's value, but for the partitions.
    pub fn value(&self) -> TransactionLogValue {
        TransactionLogValue {
            producer_id: self.producer_id.0,
            producer_epoch: self.producer_epoch.0,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state.number(),
            transaction_partitions: None,
            transaction_last_update_timestamp_ms: self.updated.0,
            transaction_start_timestamp_ms: self.started.0,
            previous_producer_id: self.previous_producer_id.0,
            next_producer_id: self.next_producer_id.0,
            client_transaction_version: self.client_version,
            ..TransactionLogValue::default()
        }
    }

    /// The partitions of the record; none where it says null.
    pub fn logged_partitions(&self) -> Option<&PartitionSet> {
        (self.state != TransactionState::Empty).then_some(&*self.partitions)
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
            partitions: PartitionSet::none(),
            started: Timestamp::NONE,
            updated: now,
            ..self.moved(TransactionState::Empty)
        }
    }

    /// Partitions take part from now on.
    #[must_use]
    pub fn joined(&self, added: &Arc<PartitionSet>, client_version: i16, now: Timestamp) -> Self {
        let mut partitions = Arc::clone(added);
        if !self.partitions.is_empty() {
            let mut all = PartitionSet::clone(&self.partitions);
            all.add_all(added);
            partitions = Arc::new(all);
        }
        Self {
            partitions,
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
            partitions: PartitionSet::none(),
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
