//! From a log to a machine: everything from its start to its end is replayed, in large reads.
//!
//! The end is the log's, not the high watermark: a new leader's log becomes committed as it is.

use std::sync::Arc;

use bytes::BytesMut;

use crate::kernel::coordinator::{Replay, ReplayError, Running};
use crate::kernel::machine::{Machine, ShardId};
use crate::shell::drivers::partitions::{Isolation, Partition, ReadSpec};
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::wire::reply::FileRange;

/// Why a log could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The partition gave no records.
    #[error("the log cannot be read: {0}")]
    Read(ErrorCode),
    /// The file gave no bytes.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What it gave cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The node stops, or does not lead the partition any more.
    #[error("it is not wanted any more")]
    Stopped,
}

/// A load under way.
pub(super) struct Load<'a, M> {
    partition: &'a Arc<Partition>,
    replay: Replay<M>,
    /// What was read last; all reads are made into the same memory.
    buffer: BytesMut,
}

/// Reads a whole log. Whether it `is_wanted` is asked between reads; whether the node `is_stopping` before each batch,
/// because a read may have very many. Gives the machine, up to the end of what it has seen.
pub(super) fn load<M: Machine>(
    id: ShardId,
    partition: &Arc<Partition>,
    buffer_bytes: u32,
    is_wanted: &dyn Fn() -> bool,
    is_stopping: &dyn Fn() -> bool,
) -> Result<Running<M>, LoadError> {
    let replay = Replay::new(id, partition.offsets().log_start);
    let mut load = Load { partition, replay, buffer: BytesMut::new() };
    while load.replay.next() < partition.offsets().log_end {
        if !is_wanted() {
            return Err(LoadError::Stopped);
        }
        let is_more = load.read(id.leader_epoch, buffer_bytes, is_stopping)?;
        if is_stopping() {
            return Err(LoadError::Stopped);
        }
        if !is_more {
            break;
        }
    }
    let count = load.replay.passed_over();
    if count > 0 {
        tracing::warn!(?partition, count, "passed over records of types that are not known");
    }
    Ok(load.replay.finish())
}

impl<M: Machine> Load<'_, M> {
    /// Reads some, and replays it. False if there was nothing.
    fn read(
        &mut self,
        epoch: LeaderEpoch,
        max_bytes: u32,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<bool, LoadError> {
        let spec = ReadSpec {
            offset: self.replay.next(),
            max_bytes,
            at_least_one_batch: true,
            isolation: Isolation::LogEnd,
            current_leader_epoch: epoch,
            last_fetched_epoch: LeaderEpoch::UNKNOWN,
        };
        let answer = self.partition.read(&spec).map_err(LoadError::Read)?;
        let before = self.replay.next();
        for range in &answer.records {
            self.take(range, is_stopping)?;
        }
        Ok(self.replay.next() > before)
    }

    fn take(&mut self, range: &FileRange, is_stopping: &dyn Fn() -> bool) -> Result<(), LoadError> {
        let length_bytes = range.length_bytes as usize;
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.len() < length_bytes {
            buffer.resize(length_bytes, 0);
        }
        range.source.read_exact_at(&mut buffer[..length_bytes], range.position)?;
        let bytes = buffer.freeze();
        self.replay.take_read(bytes.slice(..length_bytes), is_stopping)?;
        // Nobody else has it any more: what is kept of a record is copied.
        self.buffer = bytes.try_into_mut().unwrap_or_default();
        Ok(())
    }
}
