//! What clients did to a node and what became of it: the history that `check` judges.
//!
//! An operation is recorded once, when its client knows the outcome or gives up to learn it, with the time at
//! which it began and that at which it ended. Ends never decrease along a history. Values are numbers that no two
//! records share; those of one batch follow each other. Partitions, groups, clients and transactions are
//! numbered from 0, so that what is known of each is kept in plain arrays.

mod lines;
mod recorder;

pub use lines::{parse, write};
pub use recorder::{Begun, Recorder};

/// Nanoseconds since the history began.
pub type Time = u64;
/// The number that a record carries.
pub type Value = u32;

/// What one client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who. A client does one thing after another, but for writes that are on their way together.
    pub client: u32,
    /// When it began.
    pub invoked: Time,
    /// When its outcome was known, or given up.
    pub completed: Time,
    /// What became of it.
    pub outcome: Outcome,
    /// What it was.
    pub action: Action,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It did not happen and will not.
    Fail,
    /// It may have happened or may still happen: the answer never came.
    Unknown,
}

/// Who answers for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Nobody: a repetition may be there twice.
    Plain,
    /// A producer with an id and sequence numbers.
    Idempotent,
    /// A transaction, by its number.
    Transaction(u32),
}

/// What a reader wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All that is in the log.
    Uncommitted,
    /// Nothing of transactions that are open or aborted.
    Committed,
}

/// Values that follow each other at offsets that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where the first one is.
    pub offset: i64,
    /// The first one.
    pub value: Value,
    /// How many there are.
    pub count: u32,
}

/// What a client may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// One batch is sent, as often as its writer has to.
    Write {
        /// Where to.
        partition: u32,
        /// The value of the first record.
        first: Value,
        /// How many records.
        count: u32,
        /// Who answers for it.
        writer: Writer,
        /// The offset of the first record, where the node has told it.
        offset: Option<i64>,
    },
    /// A partition is read: all that the reader may see from `from` to below `next`.
    Read {
        /// Which partition.
        partition: u32,
        /// What the reader wants to see.
        isolation: Isolation,
        /// The offset that it asked for.
        from: i64,
        /// Where it goes on.
        next: i64,
        /// The high watermark of the answer.
        high_watermark: i64,
        /// The last stable offset of the answer.
        last_stable_offset: i64,
        /// What it saw.
        runs: Vec<Run>,
    },
    /// A transaction is asked to end.
    End {
        /// Which.
        transaction: u32,
        /// Whether with a commit; otherwise it is aborted.
        commit: bool,
    },
    /// A group's offset is committed. Groups of a history only go forward.
    Commit {
        /// Which group.
        group: u32,
        /// Which partition.
        partition: u32,
        /// What would be read next.
        offset: i64,
        /// The transaction that it is part of.
        transaction: Option<u32>,
    },
    /// A group's committed offset is asked for, and told once no transaction holds it open.
    Committed {
        /// Which group.
        group: u32,
        /// Which partition.
        partition: u32,
        /// What was told.
        offset: Option<i64>,
    },
    /// A member is told its partitions.
    Assigned {
        /// Which group.
        group: u32,
        /// The generation, or the member epoch.
        generation: i32,
        /// The partitions.
        partitions: Vec<u32>,
    },
    /// All members of a group are there, and will stay.
    Settled {
        /// Which group.
        group: u32,
    },
    /// A group is described: what all its members own at one instant.
    Owned {
        /// Which group.
        group: u32,
        /// The epoch of the group.
        generation: i32,
        /// What one of them owns, then what the next one does.
        partitions: Vec<u32>,
    },
    /// A transaction is based on all that is in a partition between two offsets, and commits the second one. It
    /// writes something.
    Copied {
        /// The group whose offsets these are.
        group: u32,
        /// Which partition.
        partition: u32,
        /// The first offset.
        from: i64,
        /// What would be read next.
        next: i64,
        /// Which transaction.
        transaction: u32,
    },
    /// The end of a partition is asked for, as readers of a kind see it.
    Latest {
        /// Which partition.
        partition: u32,
        /// The kind of readers.
        isolation: Isolation,
        /// The high watermark, or the last stable offset.
        offset: i64,
    },
    /// The node was killed and is there again. It tells who reads the history what went on.
    Kill,
}
