//! What a log knows of the producers that write to it: sequences (KIP-98) and transactions.
//!
//! For each producer id: its epoch, its last five batches, and where its transaction began. A batch is first
//! checked, then appended to the log, then applied; replicas, and a log that is loaded, only apply. Checks are
//! those of Kafka's `ProducerAppendInfo`:
//!
//! - a batch with the very sequence range of one of the last five is a duplicate: its first offset is answered again;
//! - any other must follow the last sequence, which wraps from 2³¹ − 1 to 0;
//! - an older epoch is refused; a newer one begins with sequence 0;
//! - a producer that is not known (retention took its records, or it has expired) may begin with any sequence.
//!
//! A transaction is open from its first batch to its marker, and unstable until the high watermark has passed the
//! marker.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use self::verification::{Questions, Verification, VerificationGuard};
use super::transaction_index::AbortedTransaction;
use crate::types::epoch::ProducerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;
use crate::types::time::Timestamp;
use crate::wire::batch::{Batch, BatchHeader};
use crate::wire::batch_builder::ControlType;
use crate::wire::record_iter;

pub mod snapshot;
pub mod verification;

/// So many batches of a producer are remembered: a client has at most five requests in flight.
pub const BATCHES_KEPT: usize = 5;
/// So many producers are remembered for a partition. When there are more, those that were silent longest are
/// forgotten, as if they had expired.
pub const PRODUCERS_MAX: usize = 100_000;
/// How many are forgotten at once then, so that the search for them is not made for each new producer.
const PRODUCERS_FORGOTTEN: usize = PRODUCERS_MAX / 16;
/// The record of a marker is never larger.
const MARKER_BYTES_MAX: usize = 4 * 1024;

/// Who asks for an append, and so what is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A client's Produce: everything is checked.
    Client,
    /// The coordinator of a group or a transaction: it has no sequences.
    Coordinator,
}

/// One of the last batches of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMetadata {
    /// The sequence of its last record.
    pub last_sequence: i32,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Its last offset less its first.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp: Timestamp,
}

impl BatchMetadata {
    /// The sequence of its first record.
    pub const fn first_sequence(&self) -> i32 {
        // Below zero, the sequence had wrapped.
        let first = self.last_sequence as i64 - self.offset_delta as i64;
        if first < 0 && self.last_sequence >= 0 { (first + (1 << 31)) as i32 } else { first as i32 }
    }

    /// The offset of its first record.
    pub const fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - self.offset_delta as i64)
    }
}

/// What is known of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The epoch of the coordinator that ended its last transaction; −1 before.
    pub coordinator_epoch: i32,
    /// The time of its last batch or marker.
    pub last_timestamp: Timestamp,
    /// Where its open transaction began.
    pub transaction_first_offset: Option<Offset>,
    /// Its last batches in this epoch, oldest first; none after a marker.
    pub batches: SmallVec<[BatchMetadata; BATCHES_KEPT]>,
}

impl ProducerEntry {
    /// The last sequence; −1 if there is none in this epoch.
    pub fn last_sequence(&self) -> i32 {
        self.batches.last().map_or(-1, |batch| batch.last_sequence)
    }

    fn push(&mut self, batch: BatchMetadata) {
        if self.batches.len() == BATCHES_KEPT {
            self.batches.remove(0);
        }
        self.batches.push(batch);
    }

    fn move_to_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        self.transaction_first_offset.is_none()
            && now.0.saturating_sub(self.last_timestamp.0) >= expiration_ms
    }
}

/// What a batch is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequenced {
    /// To be appended.
    New,
    /// It is in the log already: this batch.
    Duplicate(BatchMetadata),
}

/// Why a batch is not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// A gap before it, or a new epoch that does not begin with 0.
    #[error("out of order sequence number: {incoming} (incoming), {last} (current end sequence)")]
    OutOfOrderSequence {
        /// Its first sequence.
        incoming: i32,
        /// The last sequence of the producer; −1 if there is none in its epoch.
        last: i32,
    },
    /// An older epoch.
    #[error("epoch {incoming} is older than the last seen epoch {current}")]
    InvalidProducerEpoch {
        /// The epoch of the batch or the marker.
        incoming: i16,
        /// The producer's.
        current: i16,
    },
    /// Not part of a transaction, while the producer has one open.
    #[error("expected a transactional write")]
    InvalidTxnState,
    /// The first write of a transaction that its coordinator has not vouched for, or that has ended meanwhile.
    #[error("the record is not part of an ongoing transaction")]
    NotVerified,
    /// The marker of a coordinator that was replaced.
    #[error("coordinator epoch {incoming} is older than {current}")]
    TransactionCoordinatorFenced {
        /// The marker's.
        incoming: i32,
        /// The one that is known.
        current: i32,
    },
}

impl ProducerError {
    /// What the client is told.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTxnState | Self::NotVerified => ErrorCode::InvalidTxnState,
            Self::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        }
    }
}

/// A control record that ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Its records count for nothing.
    pub abort: bool,
    /// The epoch of the coordinator that wrote it.
    pub coordinator_epoch: i32,
    /// When it was written.
    pub timestamp: Timestamp,
}

impl EndTransactionMarker {
    /// The marker in a control batch; none if the batch is empty (compaction took it) or is another kind of control.
    pub fn of_batch(batch: &Batch) -> Option<Self> {
        if !batch.header.is_control() {
            return None;
        }
        let record = record_iter::iterate(batch, MARKER_BYTES_MAX).ok()?.next()?.ok()?;
        let abort = match ControlType::of_key(&record.key?)? {
            ControlType::Abort => true,
            ControlType::Commit => false,
            _ => return None,
        };
        // Version, then the coordinator's epoch.
        let epoch = *record.value?.get(2..)?.first_chunk()?;
        let coordinator_epoch = i32::from_be_bytes(epoch);
        Some(Self { abort, coordinator_epoch, timestamp: record.timestamp })
    }
}

/// An open transaction, or one whose marker is not below the high watermark yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transaction {
    producer_id: ProducerId,
    /// Its marker, once there is one.
    last_offset: Option<Offset>,
}

/// The producers of one log. Empty, it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    by_id: SeededMap<ProducerId, ProducerEntry>,
    /// Open transactions by their first offset.
    ongoing: BTreeMap<Offset, Transaction>,
    /// Ended transactions whose marker is not below the high watermark, by their first offset.
    unreplicated: BTreeMap<Offset, Transaction>,
    /// First writes of transactions that wait for the word of the coordinator.
    questions: Questions,
    /// The offset after the last batch that was applied.
    end_offset: Offset,
}

impl Producers {
    /// Those of a log without any, which begins at `start`.
    pub fn new(start: Offset) -> Self {
        Self { end_offset: start, ..Self::default() }
    }

    /// Whether a batch may be appended, and whether it is there already. A batch without a producer id always may.
    pub fn check(
        &self,
        header: &BatchHeader,
        origin: AppendOrigin,
        verification: Verification,
    ) -> Result<Sequenced, ProducerError> {
        if !header.has_producer_id() {
            return Ok(Sequenced::New);
        }
        let entry = self.by_id.get(&header.producer_id);
        let is_client = origin == AppendOrigin::Client;
        if is_client
            && let Some(entry) = entry
            && entry.epoch == header.producer_epoch
            && let Some(batch) = duplicate_in(entry, header)
        {
            return Ok(Sequenced::Duplicate(batch));
        }
        self.check_epoch(header.producer_id, header.producer_epoch)?;
        if header.is_transactional()
            && !self.has_ongoing(header.producer_id, header.producer_epoch)
            && !self.questions.allow(header.producer_id, verification)
        {
            return Err(ProducerError::NotVerified);
        }
        if is_client {
            self.check_sequence(entry, header)?;
        }
        if entry.is_some_and(|it| it.transaction_first_offset.is_some())
            && !header.is_transactional()
        {
            return Err(ProducerError::InvalidTxnState);
        }
        Ok(Sequenced::New)
    }

    /// The coordinator of a transaction has vouched for the write of another coordinator, which shows no guard. False if
    /// the transaction has ended meanwhile.
    pub fn answer_verification(&mut self, id: ProducerId, guard: VerificationGuard) -> bool {
        self.questions.answer(id, guard)
    }

    fn check_epoch(&self, id: ProducerId, epoch: ProducerEpoch) -> Result<(), ProducerError> {
        match self.by_id.get(&id) {
            Some(entry) if epoch < entry.epoch => {
                let (incoming, current) = (epoch.0, entry.epoch.0);
                Err(ProducerError::InvalidProducerEpoch { incoming, current })
            }
            _ => Ok(()),
        }
    }

    fn check_sequence(
        &self,
        entry: Option<&ProducerEntry>,
        header: &BatchHeader,
    ) -> Result<(), ProducerError> {
        let incoming = header.base_sequence;
        if let Some(question) = self.questions.get(header.producer_id) {
            let is_empty = entry.is_none_or(|entry| entry.batches.is_empty());
            if question.bumps_epoch && incoming != 0 && is_empty {
                return Err(ProducerError::OutOfOrderSequence { incoming, last: -1 });
            }
            let lowest = question.lowest_sequence;
            if incoming > lowest {
                return Err(ProducerError::OutOfOrderSequence { incoming, last: lowest });
            }
        }
        let Some(entry) = entry else { return Ok(()) };
        let same_epoch = header.producer_epoch == entry.epoch;
        let last = if same_epoch { entry.last_sequence() } else { -1 };
        if follows(last, incoming) {
            return Ok(());
        }
        Err(ProducerError::OutOfOrderSequence { incoming, last })
    }

    /// Whether a producer has a transaction open here.
    pub fn has_ongoing(&self, id: ProducerId, epoch: ProducerEpoch) -> bool {
        self.by_id
            .get(&id)
            .is_some_and(|it| it.epoch == epoch && it.transaction_first_offset.is_some())
    }

    /// A client is about to write to a transaction. If this is the first write here, the coordinator has to be asked,
    /// and the append has to show what this gives.
    pub fn start_verification(
        &mut self,
        (id, epoch): (ProducerId, ProducerEpoch),
        sequence: i32,
        bumps_epoch: bool,
        now: Timestamp,
    ) -> Result<Option<VerificationGuard>, ProducerError> {
        self.check_epoch(id, epoch)?;
        if self.has_ongoing(id, epoch) {
            return Ok(None);
        }
        Ok(Some(self.questions.ask((id, epoch), sequence, bumps_epoch, now)))
    }

    /// Whether the marker of a transaction may be appended. Under version 2 of transactions (KIP-890) its epoch is
    /// above the producer's; the same marker again, once the transaction has ended, does no harm.
    pub fn check_marker(
        &self,
        header: &BatchHeader,
        marker: &EndTransactionMarker,
        transaction_version: i16,
    ) -> Result<(), ProducerError> {
        let Some(entry) = self.by_id.get(&header.producer_id) else {
            return Ok(());
        };
        let (incoming, current) = (header.producer_epoch, entry.epoch);
        // At the last epoch there is no other to end it with.
        let again = incoming == current
            && (entry.transaction_first_offset.is_none() || incoming.0 == i16::MAX);
        let is_valid = if transaction_version >= 2 {
            incoming > current || again
        } else {
            incoming >= current
        };
        if !is_valid {
            let (incoming, current) = (incoming.0, current.0);
            return Err(ProducerError::InvalidProducerEpoch { incoming, current });
        }
        if entry.coordinator_epoch > marker.coordinator_epoch {
            let (incoming, current) = (marker.coordinator_epoch, entry.coordinator_epoch);
            return Err(ProducerError::TransactionCoordinatorFenced { incoming, current });
        }
        Ok(())
    }

    /// Notes a batch of records that is in the log, with the offsets that it has there. Nothing is checked.
    pub fn apply(&mut self, header: &BatchHeader) {
        self.end_offset = self.end_offset.max(header.last_offset().next());
        if !header.has_producer_id() || header.is_control() {
            return;
        }
        let entry = self.entry(header.producer_id, header.producer_epoch);
        entry.move_to_epoch(header.producer_epoch);
        entry.push(BatchMetadata {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        entry.last_timestamp = header.max_timestamp;
        if !header.is_transactional() {
            return;
        }
        if entry.transaction_first_offset.is_none() {
            entry.transaction_first_offset = Some(header.base_offset);
            let transaction = Transaction { producer_id: header.producer_id, last_offset: None };
            self.ongoing.insert(header.base_offset, transaction);
        }
        self.questions.on_record(header.producer_id);
    }

    /// Notes a marker that is in the log. Gives the transaction that it aborted, for the index; none where it
    /// committed, or had nothing to end.
    pub fn apply_marker(
        &mut self,
        header: &BatchHeader,
        marker: &EndTransactionMarker,
    ) -> Option<AbortedTransaction> {
        self.end_offset = self.end_offset.max(header.last_offset().next());
        if !header.has_producer_id() {
            return None;
        }
        let producer_id = header.producer_id;
        self.questions.on_marker(producer_id, header.producer_epoch);
        let entry = self.entry(producer_id, header.producer_epoch);
        let first_offset = entry.transaction_first_offset.take();
        entry.move_to_epoch(header.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = marker.timestamp;
        let first_offset = first_offset?;
        // The marker is the only record of its batch.
        let last_offset = header.base_offset;
        self.ongoing.remove(&first_offset);
        let transaction = Transaction { producer_id, last_offset: Some(last_offset) };
        self.unreplicated.insert(first_offset, transaction);
        let next = self.ongoing.iter().find(|(_, open)| open.producer_id != producer_id);
        let last_stable_offset = next.map_or_else(|| last_offset.next(), |(first, _)| *first);
        marker.abort.then_some(AbortedTransaction {
            producer_id,
            first_offset,
            last_offset,
            last_stable_offset,
        })
    }

    /// The first offset of the oldest transaction that is open, or whose marker is not below the high watermark: no
    /// consumer under `read_committed` reads it.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let oldest = |of: &BTreeMap<Offset, Transaction>| of.keys().next().copied();
        match (oldest(&self.ongoing), oldest(&self.unreplicated)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The first offset of the oldest open transaction: compaction goes no further.
    #[cfg(any(test, feature = "internals"))]
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.ongoing.keys().next().copied()
    }

    /// Transactions that ended below the high watermark, or below the start of the log, are stable.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated
                .retain(|_, ended| ended.last_offset.is_none_or(|last| last >= high_watermark));
        }
    }

    /// The log begins at `log_start_offset` now.
    pub fn on_log_start(&mut self, log_start_offset: Offset) {
        self.on_high_watermark(log_start_offset);
        self.end_offset = self.end_offset.max(log_start_offset);
    }

    /// Forgets producers that wrote nothing for so long (`producer.id.expiration.ms`) and have no open transaction.
    /// Gives how many there were.
    pub fn expire(&mut self, now: Timestamp, expiration_ms: i64) -> usize {
        self.questions.expire(now, expiration_ms);
        let before = self.by_id.len();
        if before > 0 {
            self.by_id.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        }
        before - self.by_id.len()
    }

    /// Forgets everything; the log begins anew at `start`.
    pub fn reset(&mut self, start: Offset) {
        *self = Self::new(start);
    }

    /// The offset after the last batch that was applied: the name of a snapshot taken now.
    pub const fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// The offset up to which batches were walked, also those without a producer.
    pub fn advance_to(&mut self, end_offset: Offset) {
        self.end_offset = self.end_offset.max(end_offset);
    }

    /// What is known of a producer.
    #[cfg(any(test, feature = "internals"))]
    pub fn get(&self, producer_id: ProducerId) -> Option<&ProducerEntry> {
        self.by_id.get(&producer_id)
    }

    /// All of them, in the order of their ids.
    pub fn sorted(&self) -> Vec<(ProducerId, &ProducerEntry)> {
        let mut all: Vec<_> = self.by_id.iter().map(|(id, entry)| (*id, entry)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entry(&mut self, producer_id: ProducerId, epoch: ProducerEpoch) -> &mut ProducerEntry {
        if self.by_id.len() >= PRODUCERS_MAX && !self.by_id.contains_key(&producer_id) {
            self.forget_the_silent();
        }
        self.by_id.entry(producer_id).or_insert_with(|| ProducerEntry {
            epoch,
            coordinator_epoch: -1,
            last_timestamp: Timestamp::NONE,
            transaction_first_offset: None,
            batches: SmallVec::new(),
        })
    }

    /// Makes room. Open transactions are kept, whatever their number: the coordinator bounds it by its timeouts.
    fn forget_the_silent(&mut self) {
        let mut idle: Vec<_> = self
            .by_id
            .iter()
            .filter(|(_, entry)| entry.transaction_first_offset.is_none())
            .map(|(id, entry)| (entry.last_timestamp, *id))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(PRODUCERS_FORGOTTEN) {
            self.by_id.remove(&id);
        }
    }
}

fn duplicate_in(entry: &ProducerEntry, header: &BatchHeader) -> Option<BatchMetadata> {
    let range = (header.base_sequence, header.last_sequence());
    let of = |batch: &&BatchMetadata| (batch.first_sequence(), batch.last_sequence) == range;
    entry.batches.iter().find(of).copied()
}

const fn follows(last: i32, next: i32) -> bool {
    next as i64 == last as i64 + 1 || (next == 0 && last == i32::MAX)
}

#[cfg(test)]
mod tests;
