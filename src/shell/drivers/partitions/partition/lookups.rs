//! Offsets by time and by epoch, and the deletion of records: ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use super::super::requests::{
    DELETE_TO_HIGH_WATERMARK, EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP,
    EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, MAX_TIMESTAMP,
};
use super::super::{ListSpec, Listed};
use super::{Partition, ends};
use crate::kernel::log::producers::ProducerEntry;
use crate::kernel::log::{Log, LogError};
use crate::shell::disk::files::Files;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

impl Partition {
    /// The offset that `spec` asks for; [`Listed::NONE`] if there is no such record.
    pub fn list_offset(&self, spec: &ListSpec) -> Result<Listed, ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        state.leadership.check_leader(spec.current_leader_epoch)?;
        let leadership = state.leadership;
        let log = state.log()?;
        let last_fetchable = ends(log, &leadership).of(spec.isolation);
        let found = match spec.timestamp {
            LATEST_TIMESTAMP => {
                return Ok(Listed::at(last_fetchable, leadership.leader_epoch()));
            }
            EARLIEST_TIMESTAMP | EARLIEST_LOCAL_TIMESTAMP => return Ok(earliest(log)),
            LATEST_TIERED_TIMESTAMP | EARLIEST_PENDING_UPLOAD_TIMESTAMP => return Ok(Listed::NONE),
            MAX_TIMESTAMP => log.max_timestamp(),
            time => log.offset_for_timestamp(Timestamp(time), last_fetchable),
        };
        let found = found.map_err(|error: LogError| self.on_log_error("search", &error))?;
        // What the reader may not read yet is not there for it.
        let found = found.filter(|(_, offset, _)| *offset < last_fetchable);
        Ok(found.map_or(Listed::NONE, |(timestamp, offset, leader_epoch)| Listed {
            timestamp,
            offset,
            leader_epoch,
        }))
    }

    /// The largest epoch up to `epoch`, and the offset after its last record; −1 for both if that is not known.
    pub fn epoch_end_offset(
        &self,
        current_leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<(LeaderEpoch, Offset), ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        state.leadership.check_leader(current_leader_epoch)?;
        let found = state.log()?.end_offset_for_epoch(epoch);
        Ok(found.unwrap_or((LeaderEpoch::UNKNOWN, Offset::UNKNOWN)))
    }

    /// Everything that is known of the producers that write here, in the order of their ids.
    pub fn producers(&self) -> Result<Vec<(ProducerId, ProducerEntry)>, ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        let producers = state.log()?.producers().sorted();
        Ok(producers.into_iter().map(|(id, entry)| (id, entry.clone())).collect())
    }

    /// Deletes the records before `offset`; [`DELETE_TO_HIGH_WATERMARK`] is all that consumers may read. Gives the
    /// low watermark: the first offset that there is then.
    pub fn delete_records(&self, offset: Offset) -> Result<Offset, ErrorCode> {
        self.check_online()?;
        let mut state = self.lock();
        state.leadership.check_leader(LeaderEpoch::UNKNOWN)?;
        if !self.config.load().delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let high_watermark = state.leadership.high_watermark();
        let offset = if offset == DELETE_TO_HIGH_WATERMARK { high_watermark } else { offset };
        if offset.0 < 0 || offset > high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let log = state.log()?;
        log.delete_records_before(offset)
            .map_err(|error| self.on_log_error("delete records of", &error))?;
        let low_watermark = log.log_start_offset();
        self.publish(&mut state);
        Ok(low_watermark)
    }
}

fn earliest(log: &Log<Files>) -> Listed {
    let start = log.log_start_offset();
    let first = log.leader_epochs().earliest().filter(|first| first.start_offset <= start);
    Listed::at(start, first.map_or(LeaderEpoch::UNKNOWN, |first| first.epoch))
}
