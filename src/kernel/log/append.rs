//! Appends: offsets are given, a prefix is put before the batch's own bytes, and both are written in one go.
//!
//! The order of things is Kafka's: what may refuse the batch is asked first, then the segment rolls, then the bytes are
//! written, and only then does the log remember anything of them.

use std::io::IoSlice;
use std::sync::Arc;

use super::disk::Disk;
use super::producers::verification::{Verification, VerificationGuard};
use super::producers::{AppendOrigin, EndTransactionMarker, ProducerError, Sequenced};
use super::segment::{NewBatch, RELATIVE_OFFSET_MAX};
use super::{Log, LogError};
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::{Now, Timestamp};
use crate::wire::batch::{BATCH_PREFIX_BYTES, Batch, BatchHeader, TimestampType};

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The time it was given, under log append time; −1 otherwise.
    pub log_append_time: Timestamp,
    /// The first offset of the log.
    pub log_start_offset: Offset,
    /// It was there already: nothing was written.
    pub duplicate: bool,
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The sequences or the epoch of its producer.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// It does not fit into a segment.
    #[error("a batch of {size_bytes} bytes exceeds the segment size of {segment_bytes}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
        /// `segment.bytes`
        segment_bytes: u32,
    },
    /// Its offsets are not those that follow, or there are no more.
    #[error("offsets {base_offset} to {last_offset} do not follow {log_end_offset}")]
    Offsets {
        /// The first.
        base_offset: Offset,
        /// The last.
        last_offset: Offset,
        /// What was expected.
        log_end_offset: Offset,
    },
    /// A control batch that is no marker.
    #[error("a control batch without an end transaction marker")]
    Marker,
    /// The disk.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A client, or a coordinator of this node.
    pub producer: AppendOrigin,
    /// The `transaction.version` under which a marker is written.
    pub transaction_version: i16,
    /// What a transactional write has to show.
    pub verification: Verification,
}

impl Origin {
    /// Any producer.
    pub const CLIENT: Self = Self {
        producer: AppendOrigin::Client,
        transaction_version: 0,
        verification: Verification::Off,
    };
    /// A coordinator of this node.
    pub const COORDINATOR: Self = Self { producer: AppendOrigin::Coordinator, ..Self::CLIENT };

    /// A coordinator of this node, in a transaction that its coordinator has vouched for.
    pub const VERIFIED: Self = Self { verification: Verification::Answered, ..Self::COORDINATOR };

    /// A coordinator of transactions, at this `transaction.version`.
    pub const fn marker(transaction_version: i16) -> Self {
        Self { transaction_version, ..Self::COORDINATOR }
    }
}

impl<D: Disk> Log<D> {
    /// Appends a client's batch, which was checked before, at the end of the log.
    #[cfg(any(test, feature = "internals"))]
    pub fn append_as_leader(
        &mut self,
        batch: &Batch,
        epoch: LeaderEpoch,
        now: Now,
    ) -> Result<Appended, AppendError> {
        self.append_from(batch, epoch, Origin::CLIENT, now)
    }

    /// Appends a batch at the end of the log.
    pub fn append_from(
        &mut self,
        batch: &Batch,
        epoch: LeaderEpoch,
        origin: Origin,
        now: Now,
    ) -> Result<Appended, AppendError> {
        self.check_online()?;
        let header = BatchHeader {
            base_offset: self.log_end_offset,
            partition_leader_epoch: epoch,
            ..batch.header
        };
        let marker = self.check(batch, &header)?;
        match &marker {
            Some(marker) => {
                self.producers.check_marker(&header, marker, origin.transaction_version)?;
            }
            None => {
                if let Sequenced::Duplicate(first) =
                    self.producers.check(&header, origin.producer, origin.verification)?
                {
                    return Ok(Appended {
                        base_offset: first.first_offset(),
                        last_offset: first.last_offset,
                        log_append_time: first.timestamp,
                        log_start_offset: self.log_start_offset,
                        duplicate: true,
                    });
                }
            }
        }
        self.write(batch, &header, marker.as_ref(), now)?;
        let log_append_time = match header.timestamp_type() {
            TimestampType::LogAppendTime => header.max_timestamp,
            TimestampType::CreateTime => Timestamp::NONE,
        };
        Ok(Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time,
            log_start_offset: self.log_start_offset,
            duplicate: false,
        })
    }

    /// A client is about to write to a transaction; see [`Producers::start_verification`].
    ///
    /// [`Producers::start_verification`]: super::producers::Producers::start_verification
    pub fn start_verification(
        &mut self,
        producer: (ProducerId, ProducerEpoch),
        sequence: i32,
        bumps_epoch: bool,
        now: Timestamp,
    ) -> Result<Option<VerificationGuard>, ProducerError> {
        self.producers.start_verification(producer, sequence, bumps_epoch, now)
    }

    /// The coordinator of a transaction has vouched for the write of another; see
    /// [`Producers::answer_verification`].
    ///
    /// [`Producers::answer_verification`]: super::producers::Producers::answer_verification
    pub fn answer_verification(&mut self, id: ProducerId, guard: VerificationGuard) -> bool {
        self.producers.answer_verification(id, guard)
    }

    /// Appends a batch of the leader's as it is, its offsets and its epoch included. A gap before it is what compaction
    /// left.
    pub fn append_as_follower(&mut self, batch: &Batch, now: Now) -> Result<(), AppendError> {
        self.check_online()?;
        if batch.header.base_offset < self.log_end_offset {
            return Err(self.wrong_offsets(&batch.header));
        }
        let marker = self.check(batch, &batch.header)?;
        self.write(batch, &batch.header, marker.as_ref(), now)
    }

    /// What holds for every batch; and the marker in it, if it is one.
    fn check(
        &self,
        batch: &Batch,
        header: &BatchHeader,
    ) -> Result<Option<EndTransactionMarker>, AppendError> {
        let (size_bytes, segment_bytes) = (batch.bytes.len(), self.config.segment_bytes);
        if size_bytes > segment_bytes as usize {
            return Err(AppendError::TooLarge { size_bytes, segment_bytes });
        }
        let delta = i64::from(header.last_offset_delta);
        if delta < 0 || header.base_offset.0.checked_add(delta + 1).is_none() {
            return Err(self.wrong_offsets(header));
        }
        if header.is_control() && header.has_producer_id() {
            return EndTransactionMarker::of_batch(batch).ok_or(AppendError::Marker).map(Some);
        }
        Ok(None)
    }

    const fn wrong_offsets(&self, header: &BatchHeader) -> AppendError {
        AppendError::Offsets {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_end_offset: self.log_end_offset,
        }
    }

    fn write(
        &mut self,
        batch: &Batch,
        header: &BatchHeader,
        marker: Option<&EndTransactionMarker>,
        now: Now,
    ) -> Result<(), AppendError> {
        self.assign_epoch(header.partition_leader_epoch, header.base_offset)?;
        if self.must_roll(header, batch.bytes.len() as u32, now)? {
            self.roll(header.base_offset, now)?;
        }
        let new = NewBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
        };
        let prefix =
            Batch::prefix(header.base_offset, header.batch_length, header.partition_leader_epoch);
        let rest = batch.bytes.get(BATCH_PREFIX_BYTES..).unwrap_or_default();
        let parts = [IoSlice::new(&prefix), IoSlice::new(rest)];
        let interval = self.config.index_interval_bytes;
        let directory = Arc::clone(&self.directory);
        let Some(segment) = self.segments.last_mut() else {
            return Err(LogError::Offline.into());
        };
        // That no more files can be opened is no failed write: there may be room later.
        segment.file(&self.disk, &directory).map_err(LogError::Io)?;
        segment.modified = now.wall;
        let written = segment.append(&self.disk, &directory, new, &parts, interval);
        self.failing(written)?;
        self.log_end_offset = header.last_offset().next();
        match marker {
            Some(marker) => {
                if let Some(aborted) = self.producers.apply_marker(header, marker) {
                    let Some(segment) = self.segments.last_mut() else {
                        return Err(LogError::Offline.into());
                    };
                    let noted = segment.append_aborted(&self.disk, &directory, aborted);
                    self.failing(noted)?;
                }
            }
            None => self.producers.apply(header),
        }
        Ok(())
    }
}

/// Whether a segment that begins at `base` can hold `offset`.
pub(super) const fn is_within(base: Offset, offset: Offset) -> bool {
    let relative = offset.0.wrapping_sub(base.0);
    relative >= 0 && relative <= RELATIVE_OFFSET_MAX
}
