//! Committed offsets.

use uuid::Uuid;

use crate::wire::records::notation::structure;

structure! {
    /// Whose offset it is.
    OffsetCommitKey {
        /// The group.
        0+ group: String;
        /// The topic.
        0+ topic: String;
        /// The partition's index.
        0+ partition: i32;
    }
}

structure! {
    /// A committed offset. Version 1 can expire at a time of its own, version 3 brings the leader epoch (KIP-320),
    /// version 4 is flexible (KIP-915) and brings the topic's id (KIP-848).
    OffsetCommitValue {
        /// The next offset to read.
        0+ offset: i64;
        /// The leader epoch of the record before; −1 if unknown.
        3+ leader_epoch: i32 = -1;
        /// What the client wants to keep with it.
        0+ metadata: String;
        /// When it was committed, in milliseconds since 1970.
        0+ commit_timestamp: i64;
        /// When it expires; −1 if the group decides.
        1-1 expire_timestamp: i64 = -1;
    }
    tagged {
        /// The topic's id; zero if unknown.
        4+ tag 0 topic_id: Uuid;
    }
}
