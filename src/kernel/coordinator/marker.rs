//! A marker that is to be written: the end of a transaction.

use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Now;
use crate::wire::batch::Batch;
use crate::wire::batch_builder::{BatchBuilder, ControlType};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndOfTransaction {
    /// Whose transaction it was.
    pub producer_id: ProducerId,
    /// The epoch for the marker.
    pub producer_epoch: ProducerEpoch,
    /// The epoch of the transaction's coordinator.
    pub coordinator_epoch: i32,
    /// Whether its records count.
    pub commit: bool,
    /// `transaction.version` under which it ends: from 2 on the epoch must be above the producer's.
    pub transaction_version: i16,
}

impl EndOfTransaction {
    /// The marker, as Kafka writes it: version 0, and the coordinator's epoch.
    pub fn batch(self, now: Now) -> Batch {
        let kind = if self.commit { ControlType::Commit } else { ControlType::Abort };
        let mut value = [0; 6];
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        BatchBuilder::new(Offset::ZERO)
            .producer(self.producer_id, self.producer_epoch, -1)
            .transactional()
            .control_record(kind, now.wall, &value)
            .build_batch()
    }
}
