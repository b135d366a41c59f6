//! Epochs: counters that fence what is older.

/// The raft epoch of the metadata log, or the leader epoch of a partition (KIP-101); −1 where none is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaderEpoch(pub i32);

impl LeaderEpoch {
    /// "Not known", as the wire says it.
    pub const UNKNOWN: Self = Self(-1);

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Counts the changes of a partition's registration (KIP-497); every change record adds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PartitionEpoch(pub i32);

/// The metadata offset at which a broker registered (KIP-631); it rises with each incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerEpoch(pub i64);

impl BrokerEpoch {
    /// "Not registered".
    pub const UNKNOWN: Self = Self(-1);
}

/// The epoch of a producer id (KIP-98); −1 for a producer without idempotence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerEpoch(pub i16);

impl ProducerEpoch {
    /// "No producer".
    pub const NONE: Self = Self(-1);
}
