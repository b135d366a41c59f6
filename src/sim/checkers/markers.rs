//! A marker is written if, and only if, its decision is in the log of transactions; all partitions are told the same.

use super::transaction_states::TransactionStates;
use crate::kernel::log::producers::EndTransactionMarker;
use crate::sim::topics::{NAMES, Place};
use crate::types::offset::Offset;
use crate::wire::batch::Batch;

/// The states that are decisions, by their numbers.
const PREPARE_COMMIT: i8 = 2;
const PREPARE_ABORT: i8 = 3;

/// A marker has come to be in a log.
pub fn check(
    states: &TransactionStates,
    decided_up_to: Offset,
    place: Place,
    batch: &Batch,
    marker: &EndTransactionMarker,
) -> Result<(), String> {
    let header = &batch.header;
    let (id, epoch) = (header.producer_id.0, header.producer_epoch.0);
    let at = format!("a marker of {id} in {}-{}", NAMES[place.0], place.1);
    let Some(known) = states.of_producer(id) else {
        return Err(format!("{at} of whom nothing is known"));
    };
    let decided = if marker.abort { PREPARE_ABORT } else { PREPARE_COMMIT };
    if known.state != decided {
        return Err(format!("{at}, abort: {}, in state {}", marker.abort, known.state));
    }
    if known.offset >= decided_up_to {
        return Err(format!("{at} before its decision is committed"));
    }
    if known.epoch != epoch {
        return Err(format!("{at} has epoch {epoch}, and the decision {}", known.epoch));
    }
    if !known.partitions.contains(&(NAMES[place.0].to_owned(), place.1)) {
        return Err(format!("{at}, which does not take part"));
    }
    Ok(())
}
