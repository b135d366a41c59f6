//! What a log holds of transactions: a producer has one open at most, nothing of an epoch comes after the marker that ended
//! it, and the last stable offset is where the oldest open one begins, and not above the high watermark.

use std::collections::BTreeMap;

use crate::kernel::log::producers::ProducerEntry;
use crate::sim::log::PartitionLog;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::sim::topics::{NAMES, Place};
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::wire::batch::Batch;

/// See the module.
#[derive(Debug, Default)]
pub struct OpenTransactions {
    /// By producer: its epoch, and where it began.
    open: BTreeMap<i64, (i16, Offset)>,
    /// Where each that has ended began, and where its marker is.
    ended: Vec<(Offset, Offset)>,
    /// The epoch of each producer's last marker.
    marked: BTreeMap<i64, i16>,
}

impl OpenTransactions {
    /// Takes a batch of the log.
    pub fn take(&mut self, batch: &Batch) -> Result<(), String> {
        let header = &batch.header;
        let (id, epoch) = (header.producer_id.0, header.producer_epoch.0);
        if header.is_control() {
            if let Some((_, first)) = self.open.remove(&id) {
                self.ended.push((first, header.base_offset));
            }
            let marked = self.marked.entry(id).or_insert(epoch);
            *marked = epoch.max(*marked);
            return Ok(());
        }
        if !header.is_transactional() {
            return Ok(());
        }
        if self.marked.get(&id).is_some_and(|marked| epoch < *marked) {
            return Err(format!("{id} writes in epoch {epoch}, whose transaction has ended"));
        }
        match self.open.get(&id) {
            Some((open, _)) if *open != epoch => {
                Err(format!("{id} writes in epoch {epoch} while {open} is open"))
            }
            Some(_) => Ok(()),
            None => {
                self.open.insert(id, (epoch, header.base_offset));
                Ok(())
            }
        }
    }

    /// Holds what is described of a log's producers against it: who has a transaction open, in which epoch, and since where.
    pub fn check_described(
        &self,
        described: &[(ProducerId, &ProducerEntry)],
        counters: &mut Counters,
    ) -> Result<(), String> {
        let open = described.iter().filter_map(|(id, entry)| {
            Some((id.0, (entry.epoch.0, entry.transaction_first_offset?)))
        });
        let open: BTreeMap<i64, (i16, Offset)> = open.collect();
        if !open.is_empty() {
            counters.hit(Sometimes::OpenProducerDescribed);
        }
        if open == self.open {
            return Ok(());
        }
        Err(format!("open transactions are described as {open:?}, not {:?}", self.open))
    }

    /// Holds the log against it.
    pub fn check(&self, (topic, at): Place, log: &PartitionLog) -> Result<(), String> {
        let high_watermark = log.high_watermark;
        let open = self.open.values().map(|(_, first)| *first);
        // In the order of their markers.
        let ended = self.ended.iter().rev().take_while(|(_, marker)| *marker >= high_watermark);
        let first = open.chain(ended.map(|(first, _)| *first)).min();
        let expected = first.unwrap_or(high_watermark).min(high_watermark);
        let found = log.last_stable_offset();
        if found == expected {
            return Ok(());
        }
        let name = NAMES[topic];
        Err(format!("the last stable offset of {name}-{at} is {found:?}, not {expected:?}"))
    }
}
