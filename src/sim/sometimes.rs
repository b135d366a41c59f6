//! Rare branches that a run must have come through: where one was never taken, the run was too easy.

macro_rules! sometimes {
    ($( $name:ident: $text:literal, )*) => {
        /// A rare branch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sometimes {
            $( #[doc = $text] $name, )*
        }

        /// All of them, with what they say.
        pub const ALL: &[(Sometimes, &str)] = &[ $( (Sometimes::$name, $text), )* ];
    };
}

sometimes! {
    Crash: "the node died and came back",
    TornWrite: "a crash tore the last write of a log",
    Failover: "a coordinator lost its partition and got it back",
    Truncated: "what was not committed was cut off at a failover",
    ReloadInMarkers: "a shard was loaded while markers were missing",
    ReloadOpen: "a shard was loaded while a transaction was open",
    AppendRefused: "a write was refused, and nothing of it written",
    AppendLost: "a write failed, and nobody knew what was written",
    WaitedForReplicas: "a reply waited for the high watermark",
    CommitTimedOut: "a reply waited for the high watermark in vain",
    WallClockBack: "the wall clock was put back",
    RequestLost: "a request was lost",
    ReplyLost: "a reply was lost",
    RequestTwice: "a request came twice",
    TopicDeleted: "a topic was deleted and made anew",
    PartitionsAdded: "a topic got more partitions",
    ClassicStable: "a classic group became stable",
    CooperativeSecondRound: "a cooperative member gave partitions back and joined again",
    StaticReplaced: "a static member came back under another id",
    StaticFenced: "a static member was fenced by its successor",
    ConsumerStable: "a member of a consumer group had all that it was to have",
    ConsumerFenced: "a member of a consumer group was fenced",
    RegexMember: "a member subscribed by an expression",
    Upgraded: "a classic group became a consumer group",
    Downgraded: "a consumer group became a classic group",
    ExpelledTakenBack: "a classic member that had lost what it had, and had not heard of it, was taken back with it",
    StaleCommitRefused: "a commit of an old generation or epoch was refused",
    PendingOffsets: "an offset was asked for while a transaction held it",
    OffsetsCommittedInTransaction: "offsets of a transaction became visible",
    OffsetsAborted: "offsets of a transaction were thrown away",
    OffsetsExpired: "offsets expired",
    OffsetsDeleted: "offsets were deleted by an administrator, or with their group",
    GroupDeleted: "a group was deleted",
    DeletionRefused: "a group, or an offset, was not deleted because it was in use",
    ConsumerGroupDescribed: "a consumer group with members was described",
    ClassicGroupDescribed: "a stable classic group was described",
    TransactionDescribed: "an open transaction was described",
    OpenProducerDescribed: "a producer was described whose transaction was open",
    Compacted: "the log of a coordinator was compacted",
    CompactedBatches: "a shard was loaded from a log of which compaction had taken batches",
    Committed: "a transaction was committed",
    Aborted: "a transaction was aborted by its producer",
    TimedOut: "a transaction was aborted because it took too long",
    FencedByNewInstance: "a producer was fenced by another instance",
    Concurrent: "a producer was told that its last transaction is still ending",
    EpochExhausted: "a producer went on under a new id because its epochs were used up",
    Recovered: "a producer recovered by what it had (KIP-360)",
    LateEndRefused: "an EndTxn that came late was refused",
    EndRepeated: "an EndTxn was repeated and answered the same",
    MarkerFailed: "a marker could not be written and was tried again",
    MarkerOfDeletedTopic: "a marker was for a topic that had gone",
    NotVerified: "a write was refused because its transaction had ended",
    DuplicateBatch: "a batch came twice and was written once",
    TransactionalIdExpired: "a transactional id expired",
    FirstVersion: "a seed ran under transaction.version 1 or below",
}

/// How often each was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters([u64; ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; ALL.len()])
    }
}

impl Counters {
    /// One was taken.
    pub const fn hit(&mut self, which: Sometimes) {
        self.0[which as usize] += 1;
    }

    /// How often one was taken.
    pub const fn count(&self, which: Sometimes) -> u64 {
        self.0[which as usize]
    }

    /// Those of another run.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }

    /// What was never taken.
    pub fn missing(&self) -> Vec<&'static str> {
        let never = ALL.iter().filter(|(which, _)| self.count(*which) == 0);
        never.map(|(_, text)| *text).collect()
    }
}
