//! Classic groups.

use bytes::Bytes;

use crate::wire::records::notation::structure;

structure! {
    /// Which group it is.
    GroupMetadataKey {
        /// The group's id.
        0+ group: String;
    }
}

structure! {
    /// A classic group: its generation and its members. Version 4 is flexible (KIP-915).
    GroupMetadataValue {
        /// The kind of protocol: `consumer` for consumers, empty for groups that only commit offsets.
        0+ protocol_type: String;
        /// The generation.
        0+ generation: i32;
        /// The protocol that was chosen; null if the group is empty.
        0+ protocol: Option<String>;
        /// The leader's member id; null if the group is empty.
        0+ leader: Option<String>;
        /// When the state last changed, in milliseconds since 1970; −1 if unknown (KIP-211).
        2+ current_state_timestamp: i64 = -1;
        /// The members.
        0+ members: Vec<MemberMetadata>;
    }
}

structure! {
    /// A member of a classic group.
    MemberMetadata {
        /// Its id.
        0+ member_id: String;
        /// Its own name, if it is a static member (KIP-345).
        3+ group_instance_id: Option<String>;
        /// The client's id.
        0+ client_id: String;
        /// The client's address.
        0+ client_host: String;
        /// How long it may take to join again, in milliseconds; −1 if the session's time counts (KIP-62).
        1+ rebalance_timeout: i32 = -1;
        /// How long it may be silent, in milliseconds.
        0+ session_timeout: i32;
        /// What it said of itself for the chosen protocol.
        0+ subscription: Bytes;
        /// What the leader gave it.
        0+ assignment: Bytes;
    }
}
