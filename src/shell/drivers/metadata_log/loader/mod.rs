//! Replays the metadata log, front to back, into whatever keeps the image.
//!
//! Records between BeginTransaction and EndTransaction count together or not at all (KIP-868): those of a transaction
//! that was aborted, or that the log ends in, leave no trace.

use bytes::Bytes;

use crate::kernel::raft::batches::{self, BatchReadError};
use crate::kernel::raft::checkpoint::Checkpoint;
use crate::kernel::raft::control::{ControlRecord, ControlRecordError};
use crate::kernel::raft::snapshot_id::SnapshotId;
use crate::kernel::raft::voters::VoterSet;
use crate::types::epoch::LeaderEpoch;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;
use crate::wire::batch::BatchHeader;
use crate::wire::record_iter::Record;
use crate::wire::varint;

/// The only framing of metadata records there is.
const FRAME_VERSION: u32 = 1;
const BEGIN_TRANSACTION: u32 = 23;
const END_TRANSACTION: u32 = 24;
const ABORT_TRANSACTION: u32 = 25;

/// Keeps the image that the records make.
pub trait Replay {
    /// Applies the record in this frame; the text says why it cannot be.
    fn replay(&mut self, value: &Bytes) -> Result<(), String>;

    /// Everything applied so far is to be kept.
    fn keep(&mut self);

    /// Everything since the last [`Self::keep`] is to be forgotten.
    fn forget(&mut self);
}

/// Why the log cannot be used. Guessing would be worse than not starting: what follows builds upon it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A batch does not read.
    #[error(transparent)]
    Batch(#[from] BatchReadError),
    /// A control record does not read.
    #[error("the record at offset {offset}: {source}")]
    Control {
        /// Where it lies.
        offset: Offset,
        /// What is wrong.
        source: ControlRecordError,
    },
    /// A metadata record does not read, or contradicts those before it.
    #[error("the metadata record at offset {offset}: {why}")]
    Record {
        /// Where it lies.
        offset: Offset,
        /// What is wrong.
        why: String,
    },
    /// A transaction begins within one, or ends without one.
    #[error("the metadata record at offset {0} begins or ends a transaction out of turn")]
    Transaction(Offset),
}

/// What was found beside the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The offset after the last record.
    pub next: Offset,
    /// The epoch of the last record.
    pub last_epoch: LeaderEpoch,
    /// The append time of the last batch.
    pub last_timestamp: Timestamp,
    /// Where a transaction begins that the log ends in: it must be aborted.
    pub open_transaction: Option<Offset>,
    /// 1 where the voters are in the log.
    pub kraft_version: i16,
    /// The latest voters, and whether only the snapshot 0-0 names them.
    pub voters: Option<(VoterSet, bool)>,
}

/// Reads a snapshot, then the log.
pub struct Loader<'a, R> {
    image: &'a mut R,
    /// Records before this one are in the snapshot already.
    from: Offset,
    loaded: Loaded,
}

impl<'a, R: Replay> Loader<'a, R> {
    /// Starts with nothing.
    pub fn new(image: &'a mut R) -> Self {
        let loaded = Loaded {
            next: Offset::ZERO,
            last_epoch: LeaderEpoch(0),
            last_timestamp: Timestamp(0),
            open_transaction: None,
            kraft_version: 0,
            voters: None,
        };
        Self { image, from: Offset::ZERO, loaded }
    }

    /// Takes the newest snapshot. That of 0-0 says who votes first; the features that Kafka 4.4 puts there count, too.
    pub fn snapshot(&mut self, id: SnapshotId, checkpoint: &Checkpoint) -> Result<(), LoadError> {
        for value in &checkpoint.values {
            let wrong = |why| LoadError::Record { offset: id.end_offset, why };
            self.image.replay(value).map_err(wrong)?;
        }
        self.image.keep();
        self.from = id.end_offset;
        self.loaded.next = id.end_offset;
        self.loaded.last_epoch = id.epoch;
        self.loaded.last_timestamp = checkpoint.last_contained_log_timestamp;
        self.loaded.kraft_version = checkpoint.kraft_version;
        let is_bootstrap = id == SnapshotId::BOOTSTRAP;
        self.loaded.voters = checkpoint.voters.clone().map(|voters| (voters, is_bootstrap));
        Ok(())
    }

    /// Where the log is to be read from.
    pub const fn from(&self) -> Offset {
        self.from
    }

    /// Takes whole batches of the log, in their order.
    pub fn batches(&mut self, bytes: &Bytes) -> Result<(), LoadError> {
        batches::read(bytes, |batch, record| self.record(batch, record))
    }

    fn record(&mut self, batch: &BatchHeader, record: Record) -> Result<(), LoadError> {
        let offset = record.offset;
        if offset < self.from {
            return Ok(());
        }
        self.loaded.next = batch.last_offset().next();
        self.loaded.last_epoch = batch.partition_leader_epoch;
        self.loaded.last_timestamp = batch.max_timestamp;
        let null = || LoadError::Record { offset, why: "it is null".to_owned() };
        let value = record.value.ok_or_else(null)?;
        if batch.is_control() {
            self.control(offset, &record.key.unwrap_or_default(), &value)
        } else {
            self.metadata(offset, &value)
        }
    }

    fn control(&mut self, offset: Offset, key: &[u8], value: &[u8]) -> Result<(), LoadError> {
        let wrong = |source| LoadError::Control { offset, source };
        match ControlRecord::decode(key, value).map_err(wrong)? {
            Some(ControlRecord::KRaftVersion(level)) => self.loaded.kraft_version = level,
            Some(ControlRecord::Voters(voters)) => self.loaded.voters = Some((voters, false)),
            _ => {}
        }
        Ok(())
    }

    fn metadata(&mut self, offset: Offset, value: &Bytes) -> Result<(), LoadError> {
        let open = &mut self.loaded.open_transaction;
        match (record_type(value), open.is_some()) {
            (Some(BEGIN_TRANSACTION), false) => {
                self.image.keep();
                *open = Some(offset);
            }
            (Some(END_TRANSACTION), true) => {
                self.image.keep();
                *open = None;
            }
            (Some(ABORT_TRANSACTION), true) => {
                self.image.forget();
                *open = None;
            }
            (Some(BEGIN_TRANSACTION | END_TRANSACTION | ABORT_TRANSACTION), _) => {
                return Err(LoadError::Transaction(offset));
            }
            _ => {
                let wrong = |why| LoadError::Record { offset, why };
                self.image.replay(value).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// Ends: what belongs to a transaction that did not end is forgotten.
    pub fn finish(self) -> Loaded {
        if self.loaded.open_transaction.is_some() {
            self.image.forget();
        }
        self.image.keep();
        self.loaded
    }
}

/// The type that a record's frame names; none where there is no such frame, which the image will complain about.
fn record_type(value: &[u8]) -> Option<u32> {
    let mut rest = value;
    let frame = varint::take_unsigned(&mut rest)?;
    (frame == FRAME_VERSION).then(|| varint::take_unsigned(&mut rest)).flatten()
}

#[cfg(test)]
mod tests;
