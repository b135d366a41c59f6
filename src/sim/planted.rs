//! Rules of the world that a test breaks on purpose, to see that a checker sees it.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Markers say the opposite of what was decided.
    MarkersSayTheOpposite,
    /// Markers are written before the decision is committed.
    MarkersComeEarly,
    /// A failover cuts off what was committed.
    CutsWhatWasCommitted,
    /// A load forgets a batch.
    LoadForgets,
    /// A commit is taken as one of the present generation, whatever it says.
    CommitsOfAnyGeneration,
    /// The same producer id is handed out again.
    SameProducerId,
    /// Nobody looks at the timers of transactions.
    NoTimers,
    /// A fetch is answered with what was never committed.
    WrongOffsets,
    /// A member is told what another was assigned.
    SameAssignment,
}
