//! Names of snapshots (KIP-630): the offset after the last record they contain, and that record's epoch.

use crate::types::epoch::LeaderEpoch;
use crate::types::offset::Offset;

const SUFFIX: &str = ".checkpoint";
const OFFSET_DIGITS: usize = 20;
const EPOCH_DIGITS: usize = 10;

/// A point in the log which a snapshot replaces all before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The offset after the last record in it.
    pub end_offset: Offset,
    /// The epoch of the last record in it.
    pub epoch: LeaderEpoch,
}

/// What a file that is named like a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFile {
    /// A finished snapshot.
    Whole(SnapshotId),
    /// Left over from a writer which did not finish.
    Partial,
    /// About to be deleted.
    Deleted,
}

impl SnapshotId {
    /// What `format` leaves: in a dynamic quorum kraft.version and the first voters, and from Kafka 4.4 on what a new
    /// cluster begins with.
    pub const BOOTSTRAP: Self = Self { end_offset: Offset::ZERO, epoch: LeaderEpoch(0) };

    /// `00000000000000000017-0000000002.checkpoint`.
    pub fn file_name(self) -> String {
        format!("{:0OFFSET_DIGITS$}-{:0EPOCH_DIGITS$}{SUFFIX}", self.end_offset.0, self.epoch.0)
    }

    /// The name while it is written; a start removes what carries it.
    pub fn partial_file_name(self) -> String {
        format!("{}.part", self.file_name())
    }

    /// The name while it waits for its deletion; a start removes what carries it.
    pub fn deleted_file_name(self) -> String {
        format!("{}.deleted", self.file_name())
    }
}

impl SnapshotFile {
    /// Reads a file's name; none if it is not a snapshot's.
    pub fn parse(name: &str) -> Option<Self> {
        let (offset, rest) = name.split_at_checked(OFFSET_DIGITS)?;
        let (epoch, rest) = rest.strip_prefix('-')?.split_at_checked(EPOCH_DIGITS)?;
        if [offset, epoch].iter().any(|digits| !digits.bytes().all(|b| b.is_ascii_digit())) {
            return None;
        }
        if rest.ends_with(".checkpoint.part") {
            // Kafka puts a random number between the epoch and the suffix.
            return Some(Self::Partial);
        }
        let id = SnapshotId {
            end_offset: Offset(offset.parse().ok()?),
            epoch: LeaderEpoch(epoch.parse().ok()?),
        };
        match rest {
            SUFFIX => Some(Self::Whole(id)),
            ".checkpoint.deleted" => Some(Self::Deleted),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        let id = SnapshotId { end_offset: Offset(17), epoch: LeaderEpoch(2) };
        assert_eq!(id.file_name(), "00000000000000000017-0000000002.checkpoint");
        assert_eq!(SnapshotFile::parse(&id.file_name()), Some(SnapshotFile::Whole(id)));
        assert_eq!(SnapshotFile::parse(&id.partial_file_name()), Some(SnapshotFile::Partial));
        assert_eq!(SnapshotFile::parse(&id.deleted_file_name()), Some(SnapshotFile::Deleted));
        let temporary = "00000000000000000017-0000000002-8731112.checkpoint.part";
        assert_eq!(SnapshotFile::parse(temporary), Some(SnapshotFile::Partial));
        for other in [
            "00000000000000000000.log",
            "quorum-state",
            "0-0.checkpoint",
            "0000000000000000001x-0000000002.checkpoint",
            "00000000000000000017-0000000002.checkpoint.old",
            "99999999999999999999-0000000002.checkpoint",
        ] {
            assert_eq!(SnapshotFile::parse(other), None, "{other}");
        }
    }
}
