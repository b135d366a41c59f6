//! Appends of clients and coordinators.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use super::super::{Appended, Origin};
use super::{Partition, State, lock};
use crate::kernel::log::append::AppendError;
use crate::kernel::log::producers::ProducerError;
use crate::kernel::log::producers::verification::VerificationGuard;
use crate::kernel::replica::waiters::Ends;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Now;
use crate::wire::batch::Batch;

/// `acks=all`.
const ACKS_ALL: i16 = -1;

impl Partition {
    /// Appends a client's batch.
    #[cfg(test)]
    pub fn append(&self, batch: &Batch, acks: i16, now: Now) -> Result<Appended, ErrorCode> {
        self.append_from(batch, Origin::CLIENT, acks, now)
    }

    /// Appends a batch of anyone's; a client's was checked before. Where `flush.messages` asks for it, it is durable
    /// when this returns, which then takes as long as the disk does.
    pub fn append_from(
        &self,
        batch: &Batch,
        origin: Origin,
        acks: i16,
        now: Now,
    ) -> Result<Appended, ErrorCode> {
        self.append_in_epoch(batch, origin, acks, LeaderEpoch::UNKNOWN, now)
    }

    /// Appends a batch of someone who leads under `epoch`, and under no other.
    pub fn append_in_epoch(
        &self,
        batch: &Batch,
        origin: Origin,
        acks: i16,
        epoch: LeaderEpoch,
        now: Now,
    ) -> Result<Appended, ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        state.leadership.check_leader(epoch)?;
        let config = self.config.load();
        if acks == ACKS_ALL {
            state.leadership.check_in_sync(config.min_insync_replicas)?;
        }
        let epoch = state.leadership.leader_epoch();
        let log = state.log()?;
        self.used.store(true, Ordering::Relaxed);
        let appended = log
            .append_from(batch, epoch, origin, now)
            .map_err(|error| self.on_append_error(&error))?;
        let unflushed = log.log_end_offset() - log.recovery_point();
        // What is there already may not be durable yet: its first sender is still waiting for that.
        let must_flush = unflushed >= config.flush_messages;
        drop(config);
        if must_flush {
            drop(state);
            self.flush_past(appended.last_offset, now)?;
            state = self.lock();
        }
        let new_bytes = if appended.duplicate { 0 } else { batch.bytes.len() as u64 };
        self.show_appended(state, new_bytes);
        Ok(appended)
    }

    /// A client is about to write to a transaction. Gives what its append has to show once the coordinator has vouched
    /// for it; nothing if the transaction is open here already.
    pub fn start_verification(
        &self,
        producer: (ProducerId, ProducerEpoch),
        sequence: i32,
        bumps_epoch: bool,
        now: Now,
    ) -> Result<Option<VerificationGuard>, ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        state.leadership.check_leader(LeaderEpoch::UNKNOWN)?;
        let log = state.log()?;
        log.start_verification(producer, sequence, bumps_epoch, now.wall)
            .map_err(ProducerError::code)
    }

    /// The coordinator of a transaction has vouched for the write of another coordinator. False if the transaction has
    /// ended meanwhile.
    pub fn answer_verification(
        &self,
        producer_id: ProducerId,
        guard: VerificationGuard,
    ) -> Result<bool, ErrorCode> {
        Ok(self.lock().log()?.answer_verification(producer_id, guard))
    }

    fn show_appended(&self, mut state: MutexGuard<'_, State>, bytes: u64) {
        let before = self.shown();
        self.move_high_watermark(&mut state);
        let after = self.publish(&mut state);
        drop(state);
        self.wake(before, after, bytes);
    }

    /// The ends that were published last. The mutex is held.
    pub(super) fn shown(&self) -> Ends {
        let offsets = self.offsets();
        Ends {
            log_end: offsets.log_end,
            high_watermark: offsets.high_watermark,
            last_stable: offsets.last_stable,
        }
    }

    /// Returns once `offset` is durable. Of those who wait at once, one syncs for all that came before it began;
    /// the mutex is not held meanwhile, so that others can append.
    fn flush_past(&self, offset: Offset, now: Now) -> Result<(), ErrorCode> {
        let turn = lock(&self.flushing);
        self.check_online()?;
        if self.lock().log()?.recovery_point() <= offset {
            self.flush_in_turn(now)?;
        }
        drop(turn);
        Ok(())
    }

    fn on_append_error(&self, error: &AppendError) -> ErrorCode {
        match error {
            AppendError::Producer(error) => {
                tracing::debug!(partition = ?self, %error, "a batch was refused");
                error.code()
            }
            AppendError::TooLarge { .. } => ErrorCode::RecordListTooLarge,
            AppendError::Offsets { .. } | AppendError::Marker => ErrorCode::InvalidRecord,
            AppendError::Log(error) => self.on_log_error("append to", error),
        }
    }
}
