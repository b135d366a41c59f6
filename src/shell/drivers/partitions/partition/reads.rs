//! Reads of consumers.

use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::super::{Isolation, ReadAnswer, ReadSpec};
use super::{Partition, ends};
use crate::kernel::log::Log;
use crate::kernel::log::read::{ReadError, ReadLimits, ReadPlan};
use crate::kernel::replica::waiters::Ends;
use crate::shell::disk::files::Files;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::wire::fetch_reply::{AbortedTransaction, EpochEndOffset};

impl Partition {
    /// Finds what `spec` asks for.
    pub fn read(&self, spec: &ReadSpec) -> Result<ReadAnswer, ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        state.leadership.check_leader(spec.current_leader_epoch)?;
        let leadership = state.leadership;
        let log = state.log()?;
        let ends = ends(log, &leadership);
        let mut answer = ReadAnswer {
            high_watermark: ends.high_watermark,
            last_stable_offset: ends.last_stable,
            log_start_offset: log.log_start_offset(),
            records: SmallVec::new(),
            in_older_segment: false,
            aborted: (spec.isolation == Isolation::LastStable).then(Vec::new),
            diverging_epoch: None,
        };
        if spec.last_fetched_epoch != LeaderEpoch::UNKNOWN {
            answer.diverging_epoch = diverging(log, spec)?;
            if answer.diverging_epoch.is_some() {
                return Ok(answer);
            }
        }
        self.used.store(true, Ordering::Relaxed);
        let plan = plan(log, spec, ends).map_err(|error| self.on_read_error(&error))?;
        if let Some(aborted) = answer.aborted.as_mut().filter(|_| plan.size_bytes > 0) {
            let found = log.aborted_transactions(spec.offset, plan.upper_bound);
            let found = found.map_err(|error| self.on_log_error("read", &error))?;
            aborted.extend(found.iter().map(|aborted| AbortedTransaction {
                producer_id: aborted.producer_id,
                first_offset: aborted.first_offset,
            }));
        }
        let end = ends.of(spec.isolation);
        answer.in_older_segment = spec.offset < end && log.is_in_older_segment(spec.offset, end);
        answer.records = plan.ranges;
        Ok(answer)
    }

    fn on_read_error(&self, error: &ReadError) -> ErrorCode {
        match error {
            ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Log(error) => self.on_log_error("read", error),
        }
    }
}

fn plan(log: &mut Log<Files>, spec: &ReadSpec, ends: Ends) -> Result<ReadPlan, ReadError> {
    let limits = ReadLimits {
        max_bytes: spec.max_bytes,
        at_least_one_batch: spec.at_least_one_batch,
        up_to: ends.of(spec.isolation),
    };
    log.read(spec.offset, limits)
}

/// Where the reader's log parts from this one, if it does: the last epoch that it knows ended here before the
/// offset that it asks for, or was another one. What retention has taken is out of range, whatever the epochs say.
fn diverging(log: &Log<Files>, spec: &ReadSpec) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if spec.offset < log.log_start_offset() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let found = log.end_offset_for_epoch(spec.last_fetched_epoch);
    let (epoch, end_offset) = found.ok_or(ErrorCode::OffsetOutOfRange)?;
    let parts = epoch < spec.last_fetched_epoch || end_offset < spec.offset;
    Ok(parts.then_some(EpochEndOffset { epoch, end_offset }))
}
