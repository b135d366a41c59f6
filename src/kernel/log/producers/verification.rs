//! Writes that wait for the word of a transaction's coordinator (KIP-890, KAFKA-14402).
//!
//! The first write of a transaction to a partition is made only after the coordinator has said that the partition takes
//! part. While it is asked, the transaction may end, and its marker may be here before the answer: a record appended
//! then would have no marker after it, and the last stable offset would never pass it. So each question has a guard of
//! its own, which the marker takes away, and the append is made only if its guard is still there.
//!
//! A client of version 2 of transactions has a new epoch for each transaction, so a marker with the very epoch that is
//! being asked about is that of the transaction before, and leaves the guard.

use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::seeded_map::SeededMap;
use crate::types::time::Timestamp;

/// So many questions may be open for a partition. When there are more, the oldest are forgotten, and their writes refused.
pub const VERIFICATIONS_MAX: usize = 10_000;
/// How many are forgotten at once then.
const VERIFICATIONS_FORGOTTEN: usize = VERIFICATIONS_MAX / 16;

/// What an append shows to say that its question was answered. No two questions of a partition have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationGuard(u64);

/// Whether a transactional write has to show that its coordinator knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It does not (`transaction.partition.verification.enable=false`; replicas; coordinators).
    Off,
    /// It does, if it is the first of its transaction here; this is what it has to show.
    Required(Option<VerificationGuard>),
    /// It does, but its question must have been answered: so for a coordinator's write, which shows nothing.
    Answered,
}

/// A question that is open.
#[derive(Clone, Debug)]
pub(super) struct Question {
    guard: VerificationGuard,
    since: Timestamp,
    epoch: ProducerEpoch,
    /// The lowest sequence that was asked for in this epoch: nothing above it is written before it, or a batch that has
    /// to be sent again would find its place taken.
    pub lowest_sequence: i32,
    /// Whether its client has an epoch for each transaction.
    pub bumps_epoch: bool,
    /// The coordinator has vouched for the write of a coordinator.
    is_answered: bool,
}

/// The questions of one log. Empty, it allocates nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions {
    by_id: SeededMap<ProducerId, Question>,
    asked: u64,
}

impl Questions {
    /// A producer's question, which may be open already: the same guard is given then.
    pub fn ask(
        &mut self,
        (producer_id, epoch): (ProducerId, ProducerEpoch),
        sequence: i32,
        bumps_epoch: bool,
        now: Timestamp,
    ) -> VerificationGuard {
        if self.by_id.len() >= VERIFICATIONS_MAX && !self.by_id.contains_key(&producer_id) {
            self.forget_the_oldest();
        }
        self.asked += 1;
        let new = Question {
            guard: VerificationGuard(self.asked),
            since: now,
            epoch,
            lowest_sequence: sequence,
            bumps_epoch,
            is_answered: false,
        };
        let question = self.by_id.entry(producer_id).or_insert(new);
        if epoch > question.epoch {
            question.epoch = epoch;
            question.lowest_sequence = sequence;
        } else if epoch == question.epoch {
            question.lowest_sequence = question.lowest_sequence.min(sequence);
        }
        question.guard
    }

    /// A producer's open question.
    pub fn get(&self, producer_id: ProducerId) -> Option<&Question> {
        self.by_id.get(&producer_id)
    }

    /// Whether a write that shows this may be made.
    pub fn allow(&self, producer_id: ProducerId, shown: Verification) -> bool {
        let question = self.get(producer_id);
        match shown {
            Verification::Off => true,
            Verification::Required(guard) => {
                guard.is_some() && question.map(|question| question.guard) == guard
            }
            Verification::Answered => question.is_some_and(|question| question.is_answered),
        }
    }

    /// The coordinator has vouched for the write of a coordinator. False if the guard is gone.
    pub fn answer(&mut self, producer_id: ProducerId, guard: VerificationGuard) -> bool {
        match self.by_id.get_mut(&producer_id) {
            Some(question) if question.guard == guard => {
                question.is_answered = true;
                true
            }
            _ => false,
        }
    }

    /// A record of the transaction is in the log: from now on that says enough.
    pub fn on_record(&mut self, producer_id: ProducerId) {
        if !self.by_id.is_empty() {
            self.by_id.remove(&producer_id);
        }
    }

    /// A transaction has ended.
    pub fn on_marker(&mut self, producer_id: ProducerId, epoch: ProducerEpoch) {
        let is_next = |question: &Question| question.bumps_epoch && question.epoch == epoch;
        if self.by_id.get(&producer_id).is_some_and(|question| !is_next(question)) {
            self.by_id.remove(&producer_id);
        }
    }

    /// Forgets questions that nobody has answered for so long.
    pub fn expire(&mut self, now: Timestamp, expiration_ms: i64) {
        if !self.by_id.is_empty() {
            self.by_id.retain(|_, it| now.0.saturating_sub(it.since.0) < expiration_ms);
        }
    }

    fn forget_the_oldest(&mut self) {
        let mut all: Vec<_> = self.by_id.iter().map(|(id, it)| (it.guard.0, *id)).collect();
        all.sort_unstable();
        for (_, id) in all.into_iter().take(VERIFICATIONS_FORGOTTEN) {
            self.by_id.remove(&id);
        }
    }
}
