//! `leader-epoch-checkpoint`: with which offset the epoch of each leader began (KIP-101).
//!
//! A replica finds with it where its log and the leader's part; a consumer, whether what it read was lost. Epochs
//! rise, and so do their first offsets. The text is that of the [checkpoints](super::offset_checkpoint), with lines
//! `epoch startOffset`; it is small, so it is written anew at each change.

use std::fmt::Write as _;

use super::offset_checkpoint::{CheckpointError, parse_lines};
use crate::types::epoch::LeaderEpoch;
use crate::types::offset::Offset;

/// The name of the file in a partition's directory.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// No honest file is longer; a longer one is not read.
pub const LEADER_EPOCH_CHECKPOINT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An epoch that records were appended in, or that a leader began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Its first offset.
    pub start_offset: Offset,
}

/// The epochs of one log, from its start. What retention passed is dropped, which bounds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    /// Rising in both fields.
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// Reads the text of the file. Entries that contradict later ones are dropped, as Kafka's cache does while it
    /// loads.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let entries = parse_lines(text, |line| {
            let mut fields = line.split_ascii_whitespace();
            let epoch = fields.next()?.parse().ok().filter(|epoch| *epoch >= 0)?;
            let start = fields.next()?.parse().ok().filter(|start| *start >= 0)?;
            fields.next().is_none().then_some((LeaderEpoch(epoch), Offset(start)))
        })?;
        let mut epochs = Self::default();
        for (epoch, start_offset) in entries {
            epochs.assign(epoch, start_offset);
        }
        Ok(epochs)
    }

    /// The text that Kafka writes.
    pub fn to_text(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for entry in &self.entries {
            let _ = writeln!(text, "{} {}", entry.epoch.0, entry.start_offset);
        }
        text
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest entry.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// The oldest entry.
    pub fn earliest(&self) -> Option<EpochEntry> {
        self.entries.first().copied()
    }

    /// Notes that `epoch` begins at `start_offset`; true if the file must be written anew. Does nothing where the
    /// epoch is the newest already and did not begin later; entries which the new one contradicts are dropped.
    /// Negative numbers are no epochs and no offsets.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let known = self
            .latest()
            .is_some_and(|latest| latest.epoch == epoch && latest.start_offset <= start_offset);
        if known || epoch.0 < 0 || start_offset.0 < 0 {
            return false;
        }
        while self
            .latest()
            .is_some_and(|latest| latest.epoch >= epoch || latest.start_offset >= start_offset)
        {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// Drops the epochs that begin at or above `end_offset`, where the log now ends. True if there were any.
    pub fn truncate_from_end(&mut self, end_offset: Offset) -> bool {
        let keep = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }

    /// Drops the epochs that end at or below `start_offset`, where the log now begins; the one that goes on there
    /// begins there now. True if anything changed.
    pub fn truncate_from_start(&mut self, start_offset: Offset) -> bool {
        let passed = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(first) = passed.checked_sub(1) else {
            return false;
        };
        self.entries.drain(..first);
        match self.entries.first_mut() {
            Some(entry) if first > 0 || entry.start_offset != start_offset => {
                entry.start_offset = start_offset;
                true
            }
            _ => false,
        }
    }

    /// The largest epoch up to `requested`, and the offset after its last record: the first of the next epoch, or
    /// `log_end_offset`. None if that is not known (`UNDEFINED_EPOCH_OFFSET` on the wire). An epoch below all that
    /// are known ends where the first known one begins.
    pub fn end_offset_for(
        &self,
        requested: LeaderEpoch,
        log_end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if requested.0 < 0 {
            return None;
        }
        if self.latest()?.epoch == requested {
            return Some((requested, log_end_offset));
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= requested);
        let end_offset = self.entries.get(above)?.start_offset;
        let floor = above.checked_sub(1).and_then(|index| self.entries.get(index));
        Some((floor.map_or(requested, |entry| entry.epoch), end_offset))
    }

    /// The epoch of the record at `offset`.
    #[cfg(any(test, feature = "internals"))]
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let above = self.entries.partition_point(|entry| entry.start_offset <= offset);
        above.checked_sub(1).and_then(|index| self.entries.get(index)).map(|entry| entry.epoch)
    }

    /// Forgets everything: the log begins anew.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs_of(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in entries {
            epochs.assign(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    fn check(epochs: &LeaderEpochs, expected: &[(i32, i64)]) {
        let found: Vec<_> =
            epochs.entries().iter().map(|entry| (entry.epoch.0, entry.start_offset.0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_apache_writes_is_read_and_written_alike() {
        for text in ["0\n1\n0 0\n", "0\n3\n0 0\n2 17\n5 40\n", "0\n0\n"] {
            assert_eq!(LeaderEpochs::parse(text).unwrap().to_text(), text);
        }
        assert_eq!(LeaderEpochs::parse(""), Ok(LeaderEpochs::default()));
        for bad in ["0\n1\n", "0\n1\n1\n", "0\n1\n-1 0\n", "0\n1\n1 -1\n", "0\n1\n1 2 3\n"] {
            assert!(LeaderEpochs::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_assigned_epoch_drops_what_it_contradicts() {
        let mut epochs = epochs_of(&[(1, 0), (2, 10), (4, 20)]);
        assert!(!epochs.assign(LeaderEpoch(4), Offset(20)));
        assert!(!epochs.assign(LeaderEpoch(4), Offset(25)));
        assert!(!epochs.assign(LeaderEpoch(-1), Offset(30)));
        assert!(!epochs.assign(LeaderEpoch(5), Offset(-1)));
        check(&epochs, &[(1, 0), (2, 10), (4, 20)]);
        assert!(epochs.assign(LeaderEpoch(5), Offset(20)));
        check(&epochs, &[(1, 0), (2, 10), (5, 20)]);
        assert!(epochs.assign(LeaderEpoch(5), Offset(15)));
        check(&epochs, &[(1, 0), (2, 10), (5, 15)]);
        assert!(epochs.assign(LeaderEpoch(2), Offset(30)));
        check(&epochs, &[(1, 0), (2, 30)]);
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs_of(&[(2, 10), (4, 20), (7, 30)]);
        let check = |requested: i32, expected: Option<(i32, i64)>| {
            let found = epochs.end_offset_for(LeaderEpoch(requested), Offset(99));
            assert_eq!(found.map(|(epoch, end)| (epoch.0, end.0)), expected, "{requested}");
        };
        check(-1, None);
        check(1, Some((1, 10)));
        check(2, Some((2, 20)));
        check(3, Some((2, 20)));
        check(6, Some((4, 30)));
        check(7, Some((7, 99)));
        check(8, None);
        assert_eq!(LeaderEpochs::default().end_offset_for(LeaderEpoch(0), Offset(0)), None);
    }

    #[test]
    fn the_epoch_of_an_offset() {
        let epochs = epochs_of(&[(2, 10), (4, 20)]);
        let of = |offset: i64| epochs.epoch_of(Offset(offset)).map(|epoch| epoch.0);
        assert_eq!(
            [of(9), of(10), of(19), of(20), of(99)],
            [None, Some(2), Some(2), Some(4), Some(4)]
        );
    }

    #[test]
    fn truncation_at_the_end() {
        let truncated = |to: i64, expected: &[(i32, i64)], changed: bool| {
            let mut epochs = epochs_of(&[(2, 10), (4, 20)]);
            assert_eq!(epochs.truncate_from_end(Offset(to)), changed, "{to}");
            check(&epochs, expected);
        };
        truncated(21, &[(2, 10), (4, 20)], false);
        truncated(20, &[(2, 10)], true);
        truncated(11, &[(2, 10)], true);
        truncated(10, &[], true);
        truncated(0, &[], true);
    }

    #[test]
    fn truncation_at_the_start() {
        let truncated = |to: i64, expected: &[(i32, i64)], changed: bool| {
            let mut epochs = epochs_of(&[(2, 10), (4, 20), (5, 30)]);
            assert_eq!(epochs.truncate_from_start(Offset(to)), changed, "{to}");
            check(&epochs, expected);
        };
        truncated(9, &[(2, 10), (4, 20), (5, 30)], false);
        truncated(10, &[(2, 10), (4, 20), (5, 30)], false);
        truncated(15, &[(2, 15), (4, 20), (5, 30)], true);
        truncated(20, &[(4, 20), (5, 30)], true);
        truncated(25, &[(4, 25), (5, 30)], true);
        truncated(99, &[(5, 99)], true);
    }
}
