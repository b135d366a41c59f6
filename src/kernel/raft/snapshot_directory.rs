//! Which of the files in the metadata directory are snapshots to keep, and which a start removes.

use std::collections::BTreeSet;

use super::snapshot_id::{SnapshotFile, SnapshotId};
use crate::types::offset::Offset;

/// The files of a directory, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedOut {
    /// To be kept, oldest first.
    pub snapshots: BTreeSet<SnapshotId>,
    /// Names of unfinished and deleted snapshots, and of those before the start of the log.
    pub remove: Vec<String>,
}

/// The log starts after records that no snapshot contains: the image cannot be made. Nothing is removed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "inconsistent snapshot state: there must be a snapshot at an offset not less than the current log start offset {log_start}"
)]
pub struct MissingSnapshot {
    /// Where the log starts.
    pub log_start: Offset,
}

/// Sorts the names of the files; names of other files are passed over.
pub fn sort_out<'a>(
    names: impl IntoIterator<Item = &'a str>,
    log_start: Offset,
) -> Result<SortedOut, MissingSnapshot> {
    let mut sorted = SortedOut::default();
    for name in names {
        match SnapshotFile::parse(name) {
            Some(SnapshotFile::Whole(id)) if id.end_offset >= log_start => {
                sorted.snapshots.insert(id);
            }
            Some(_) => sorted.remove.push(name.to_owned()),
            None => {}
        }
    }
    if log_start > Offset::ZERO && sorted.snapshots.is_empty() {
        return Err(MissingSnapshot { log_start });
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::epoch::LeaderEpoch;

    const NAMES: [&str; 8] = [
        "00000000000000000000.log",
        "00000000000000000000-0000000000.checkpoint",
        "00000000000000000040-0000000002.checkpoint",
        "00000000000000000090-0000000003.checkpoint",
        "00000000000000000095-0000000003-77.checkpoint.part",
        "00000000000000000020-0000000001.checkpoint.deleted",
        "quorum-state",
        "partition.metadata",
    ];

    fn ends(sorted: &SortedOut) -> Vec<i64> {
        sorted.snapshots.iter().map(|id| id.end_offset.0).collect()
    }

    #[test]
    fn whole_snapshots_from_the_start_of_the_log_on_are_kept() {
        let sorted = sort_out(NAMES, Offset(0)).unwrap();
        assert_eq!(ends(&sorted), [0, 40, 90]);
        assert_eq!(sorted.remove, [NAMES[4], NAMES[5]]);
        assert_eq!(sorted.snapshots.last().unwrap().epoch, LeaderEpoch(3));
        let sorted = sort_out(NAMES, Offset(40)).unwrap();
        assert_eq!(ends(&sorted), [40, 90]);
        assert_eq!(sorted.remove, [NAMES[1], NAMES[4], NAMES[5]]);
    }

    #[test]
    fn a_log_without_its_beginning_needs_a_snapshot() {
        let log_start = Offset(91);
        assert_eq!(sort_out(NAMES, log_start), Err(MissingSnapshot { log_start }));
        assert_eq!(sort_out([], Offset(0)), Ok(SortedOut::default()));
    }
}
