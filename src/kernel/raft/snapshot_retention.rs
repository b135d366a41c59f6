//! When a snapshot is due, and which old ones may go (KIP-630).
//!
//! The latest snapshot always stays, and the log from the oldest kept one on: a node that joins can be served.

use std::collections::BTreeMap;
use std::time::Duration;

use super::snapshot_id::SnapshotId;
use crate::types::time::{Mono, Timestamp};

/// What is known of a snapshot that lies in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The size of its file.
    pub size_bytes: u64,
    /// The time of the last record in it.
    pub last_contained_log_timestamp: Timestamp,
}

/// The configured limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotLimits {
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub record_bytes_between_max: u64,
    /// `metadata.log.max.snapshot.interval.ms`; none for 0, which switches it off.
    pub interval_max: Option<Duration>,
    /// `metadata.max.retention.bytes`; none if negative.
    pub retention_bytes: Option<u64>,
    /// `metadata.max.retention.ms`; none if negative.
    pub retention_ms: Option<i64>,
}

impl SnapshotLimits {
    /// Whether a new snapshot is due: enough new records, or enough time since the last one.
    pub fn is_due(&self, bytes_since: u64, last: Mono, now: Mono) -> bool {
        bytes_since >= self.record_bytes_between_max
            || (bytes_since > 0 && self.interval_max.is_some_and(|max| now.since(last) >= max))
    }

    /// The snapshot that the log may start after, if the oldest one is to go; ask again once it has gone.
    pub fn new_start(
        &self,
        snapshots: &BTreeMap<SnapshotId, SnapshotInfo>,
        log_bytes: u64,
        now: Timestamp,
    ) -> Option<SnapshotId> {
        let mut in_order = snapshots.iter();
        let (_, oldest) = in_order.next()?;
        let (next, _) = in_order.next()?;
        let snapshot_bytes: u64 = snapshots.values().map(|info| info.size_bytes).sum();
        let too_large = self.retention_bytes.is_some_and(|max| log_bytes + snapshot_bytes > max);
        let age_ms = now.0.saturating_sub(oldest.last_contained_log_timestamp.0);
        let too_old = self.retention_ms.is_some_and(|max| age_ms > max);
        (too_large || too_old).then_some(*next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::epoch::LeaderEpoch;
    use crate::types::offset::Offset;

    const LIMITS: SnapshotLimits = SnapshotLimits {
        record_bytes_between_max: 1000,
        interval_max: Some(Duration::from_mins(1)),
        retention_bytes: Some(500),
        retention_ms: Some(10_000),
    };

    fn snapshots(of: &[(i64, u64, i64)]) -> BTreeMap<SnapshotId, SnapshotInfo> {
        let info = |(end, size_bytes, at): &(i64, u64, i64)| {
            let id = SnapshotId { end_offset: Offset(*end), epoch: LeaderEpoch(1) };
            let last_contained_log_timestamp = Timestamp(*at);
            (id, SnapshotInfo { size_bytes: *size_bytes, last_contained_log_timestamp })
        };
        of.iter().map(info).collect()
    }

    #[test]
    fn a_snapshot_is_due_by_bytes_or_by_time_but_never_for_nothing() {
        let at = |seconds| Mono(Duration::from_secs(seconds));
        assert!(LIMITS.is_due(1000, at(0), at(1)));
        assert!(!LIMITS.is_due(999, at(0), at(59)));
        assert!(LIMITS.is_due(1, at(0), at(60)));
        assert!(!LIMITS.is_due(0, at(0), at(600)));
        let timeless = SnapshotLimits { interval_max: None, ..LIMITS };
        assert!(!timeless.is_due(999, at(0), at(6000)));
    }

    #[test]
    fn the_oldest_goes_while_there_is_too_much_or_it_is_too_old() {
        let now = Timestamp(20_000);
        let start = |limits: SnapshotLimits, of: &[(i64, u64, i64)], log| {
            limits.new_start(&snapshots(of), log, now).map(|id| id.end_offset.0)
        };
        let fresh = [(10, 100, 19_000), (20, 100, 19_500)];
        assert_eq!(start(LIMITS, &fresh, 300), None);
        assert_eq!(start(LIMITS, &fresh, 301), Some(20));
        let old = [(10, 100, 9_999), (20, 100, 19_500), (30, 100, 19_600)];
        assert_eq!(start(LIMITS, &old, 0), Some(20));
        let keep = SnapshotLimits { retention_bytes: None, retention_ms: None, ..LIMITS };
        assert_eq!(start(keep, &old, 1 << 40), None);
        // The last one stays, whatever its size and age.
        assert_eq!(start(LIMITS, &[(10, 1 << 40, 0)], 1 << 40), None);
        assert_eq!(start(LIMITS, &[], 1 << 40), None);
    }
}
