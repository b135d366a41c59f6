//! Transactions as compaction passes them: whose records are dropped, and when a marker has nothing left to mark.
//!
//! A marker stays until a whole cleaning has met no batch of its transaction: an aborted one whose marker went
//! first would be committed for whoever reads on, and a committed one would never end.

use std::collections::VecDeque;

use super::super::producers::EndTransactionMarker;
use super::super::transaction_index::AbortedTransaction;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::seeded_map::SeededMap;
use crate::wire::batch::BatchHeader;

/// What a marker means for a cleaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Batches of its transaction are there: it stays.
    Needed,
    /// As before, and this transaction stays in the index of the aborted ones.
    Aborts(AbortedTransaction),
    /// There is nothing that it marks.
    Empty,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Transactions {
    /// Aborted ones that the cleaning has not come to, by their first offset.
    ahead: VecDeque<AbortedTransaction>,
    /// Aborted ones that it is in, and whether it has met a batch of theirs.
    aborted: SeededMap<ProducerId, (AbortedTransaction, bool)>,
    /// Producers of committed ones whose batches it has met.
    committed: SeededMap<ProducerId, ()>,
}

impl Transactions {
    /// Before the first batch; `aborted` are all that have a record in what is cleaned.
    pub fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable_by_key(|aborted| (aborted.first_offset, aborted.last_offset));
        Self { ahead: aborted.into(), ..Self::default() }
    }

    /// Takes a batch of records. True if its transaction was aborted.
    pub fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.come_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some((aborted, is_met)) = self.aborted.get_mut(&header.producer_id)
            // One whose marker lies behind has ended, whatever became of the marker.
            && aborted.last_offset > header.base_offset
        {
            *is_met = true;
            return true;
        }
        self.committed.insert(header.producer_id, ());
        false
    }

    /// Takes a control batch. One without a record was cleaned before.
    pub fn on_control(
        &mut self,
        header: &BatchHeader,
        marker: Option<&EndTransactionMarker>,
    ) -> Marked {
        self.come_to(header.last_offset());
        let Some(marker) = marker else {
            return if header.record_count == 0 { Marked::Empty } else { Marked::Needed };
        };
        if marker.abort {
            match self.aborted.remove(&header.producer_id) {
                Some((aborted, true)) => Marked::Aborts(aborted),
                _ => Marked::Empty,
            }
        } else if self.committed.remove(&header.producer_id).is_some() {
            Marked::Needed
        } else {
            Marked::Empty
        }
    }

    fn come_to(&mut self, offset: Offset) {
        while let Some(aborted) = self.ahead.pop_front_if(|next| next.first_offset <= offset) {
            match self.aborted.get(&aborted.producer_id) {
                Some((open, _)) if open.last_offset >= aborted.first_offset => {}
                _ => drop(self.aborted.insert(aborted.producer_id, (aborted, false))),
            }
        }
    }
}
