//! Readers of committed records see whole transactions or nothing of them: what a producer was told to be committed all of
//! it, what it never asked to be committed nothing. The list of aborted transactions says the same as the markers.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::log::producers::EndTransactionMarker;
use crate::sim::clients::{Clients, Fate};
use crate::sim::log::PartitionLog;
use crate::sim::topics::{FIRST_OF_CLIENTS, FLEETING, Place};
use crate::sim::world::Node;
use crate::types::offset::Offset;
use crate::wire::record_iter::iterate;

/// The records of a batch take no more.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

/// Where each transaction is seen, by what its records say.
pub type Seen = BTreeMap<String, BTreeSet<Place>>;

/// All of it.
pub fn check(node: &mut Node, clients: &Clients) -> Result<(), String> {
    let mut seen = Seen::new();
    for (place, log) in &mut node.logs {
        // What was in a topic that has gone is gone.
        if place.0 >= FIRST_OF_CLIENTS && place.0 != FLEETING {
            read_committed(*place, log, &mut seen)?;
        }
    }
    for producer in clients.producers() {
        for attempt in producer.attempts() {
            let written = attempt.written.iter().filter(|(topic, _)| *topic != FLEETING);
            check_attempt(&attempt.label, &written.copied().collect(), attempt.fate, &seen)?;
        }
    }
    Ok(())
}

/// One transaction, of which these partitions were acknowledged.
pub fn check_attempt(
    label: &str,
    written: &BTreeSet<Place>,
    fate: Fate,
    seen: &Seen,
) -> Result<(), String> {
    let none = BTreeSet::new();
    let found = seen.get(label).unwrap_or(&none);
    let is_whole = written.is_subset(found);
    let is_right = match fate {
        Fate::MustShow => is_whole,
        Fate::MustNotShow => found.is_empty(),
        Fate::Unknown => is_whole || found.is_empty(),
    };
    if is_right {
        return Ok(());
    }
    Err(format!("transaction {label} was written to {written:?}, is {fate:?}, seen in {found:?}"))
}

fn read_committed(place: Place, log: &mut PartitionLog, seen: &mut Seen) -> Result<(), String> {
    let mut open: BTreeMap<i64, (Offset, Vec<String>)> = BTreeMap::new();
    let mut aborted = Vec::new();
    for batch in &log.truth {
        let header = &batch.header;
        let id = header.producer_id.0;
        if let Some(marker) = EndTransactionMarker::of_batch(batch) {
            let Some((first, labels)) = open.remove(&id) else { continue };
            if marker.abort {
                aborted.push((id, first, header.base_offset));
                continue;
            }
            for label in labels {
                seen.entry(label).or_default().insert(place);
            }
            continue;
        }
        let (_, labels) = open.entry(id).or_insert_with(|| (header.base_offset, Vec::new()));
        for record in iterate(batch, UNPACKED_BYTES_MAX).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let value = record.value.unwrap_or_default();
            labels.push(String::from_utf8_lossy(&value).into_owned());
        }
    }
    let listed = log.aborted()?;
    if listed == aborted {
        return Ok(());
    }
    Err(format!("aborted in {place:?}: {listed:?} are listed, {aborted:?} are marked"))
}
