//! The states of a transaction and the moves between them.

use std::fmt;

/// How far the transaction of a transactional id has come. The numbers are those of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum TransactionState {
    /// The producer has its id, and has written nothing yet.
    Empty = 0,
    /// Partitions take part.
    Ongoing = 1,
    /// It is decided that the records count; markers are being written.
    PrepareCommit = 2,
    /// It is decided that the records do not count; markers are being written.
    PrepareAbort = 3,
    /// All markers of a commit are written.
    CompleteCommit = 4,
    /// All markers of an abort are written.
    CompleteAbort = 5,
    /// The id has expired; never in a log of Kafka's.
    Dead = 6,
    /// The producer is being fenced; never in a log of Kafka's.
    PrepareEpochFence = 7,
}

impl TransactionState {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// The state of this number.
    pub fn of_number(number: i8) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// Its number.
    pub const fn number(self) -> i8 {
        self as i8
    }

    /// Kafka's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a transaction may come to this state from `before`. An abort may follow where nothing was written: the
    /// client of version 2 does not know whether its first write arrived (KIP-890).
    pub const fn may_follow(self, before: Self) -> bool {
        match self {
            Self::Empty | Self::Dead => before.is_idle(),
            Self::Ongoing => before.is_idle() || matches!(before, Self::Ongoing),
            Self::PrepareCommit | Self::PrepareEpochFence => matches!(before, Self::Ongoing),
            Self::PrepareAbort => {
                before.is_idle() || matches!(before, Self::Ongoing | Self::PrepareEpochFence)
            }
            Self::CompleteCommit => matches!(before, Self::PrepareCommit),
            Self::CompleteAbort => matches!(before, Self::PrepareAbort),
        }
    }

    /// Whether there is no transaction: only then may an id expire.
    pub const fn is_idle(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }

    /// Whether it is decided, and markers are still to be written.
    pub const fn is_prepared(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }
}

impl fmt::Display for TransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::TransactionState::*;
    use super::*;

    #[test]
    fn numbers_and_names_are_kafkas() {
        for (number, state) in TransactionState::ALL.into_iter().enumerate() {
            assert_eq!(state.number() as usize, number);
            assert_eq!(TransactionState::of_number(number as i8), Some(state));
            assert_eq!(TransactionState::named(state.name()), Some(state));
            assert_eq!(state.to_string(), format!("{state:?}"));
        }
        assert_eq!(TransactionState::of_number(8), None);
        assert_eq!(TransactionState::of_number(-1), None);
        assert_eq!(TransactionState::named("empty"), None);
    }

    /// `TransactionState.VALID_PREVIOUS_STATES` of Kafka 4.3.
    #[test]
    fn moves_are_kafkas() {
        let check = |state: TransactionState, before: &[TransactionState]| {
            let may = TransactionState::ALL.into_iter().filter(|it| state.may_follow(*it));
            assert_eq!(may.collect::<Vec<_>>(), before, "{state}");
        };
        check(Empty, &[Empty, CompleteCommit, CompleteAbort]);
        check(Ongoing, &[Empty, Ongoing, CompleteCommit, CompleteAbort]);
        check(PrepareCommit, &[Ongoing]);
        check(PrepareAbort, &[Empty, Ongoing, CompleteCommit, CompleteAbort, PrepareEpochFence]);
        check(CompleteCommit, &[PrepareCommit]);
        check(CompleteAbort, &[PrepareAbort]);
        check(Dead, &[Empty, CompleteCommit, CompleteAbort]);
        check(PrepareEpochFence, &[Ongoing]);
    }
}
