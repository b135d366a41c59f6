//! A member of a classic group.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::protocol::StrBytes;

use crate::kernel::groups::requests::owned;
use crate::kernel::machine::CallId;
use crate::types::time::Mono;

/// A member. What calls and times it has is soft state.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id, which the coordinator gave it.
    pub id: StrBytes,
    /// Its own name, if it is a static member (KIP-345).
    pub instance_id: Option<StrBytes>,
    /// What its client calls itself.
    pub client_id: StrBytes,
    /// The client's address, as Java writes it.
    pub client_host: StrBytes,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// What it can agree to, the most wanted first, and what it says of itself for each.
    pub protocols: Protocols,
    /// What the leader gave it.
    pub assignment: Bytes,
    /// Its JoinGroup, which waits for the others.
    pub awaiting_join: Option<CallId>,
    /// Its SyncGroup, which waits for the leader.
    pub awaiting_sync: Option<CallId>,
    /// It has not yet been told that it is a member, so it cannot be expected to show signs of life; but it goes if it
    /// waits too long, for its client may have gone.
    pub is_new: bool,
    /// The group's generation has begun and it has not asked for its assignment.
    pub is_sync_pending: bool,
    /// When its session ends, if it is watched.
    pub session_end: Option<Mono>,
}

/// Protocols by name, in the order in which a member wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocols(Vec<(StrBytes, Bytes)>);

impl Protocols {
    /// Copies what a request has.
    pub fn of(protocols: &[JoinGroupRequestProtocol]) -> Self {
        let copy = |it: &JoinGroupRequestProtocol| (owned(&it.name), copied(&it.metadata));
        Self(protocols.iter().map(copy).collect())
    }

    /// One protocol.
    pub fn one(name: StrBytes, metadata: Bytes) -> Self {
        Self(vec![(name, metadata)])
    }

    /// Whether a request has just the same, in the same order.
    pub fn are(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.0.len() == protocols.len()
            && self
                .0
                .iter()
                .zip(protocols)
                .all(|((name, metadata), other)| *name == other.name && *metadata == other.metadata)
    }

    /// The names, in order, each as often as it is there.
    pub fn names(&self) -> impl Iterator<Item = &StrBytes> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The names, each once.
    pub fn distinct_names(&self) -> Vec<&StrBytes> {
        let mut names: Vec<_> = self.names().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What is said for a protocol.
    pub fn metadata(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(it, _)| it.as_str() == name).map(|(_, metadata)| metadata)
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(name, metadata)| PROTOCOL_BYTES + name.len() + metadata.len()).sum()
    }
}

/// What a member takes beside its texts: itself, its places in the group's maps, what the allocator adds.
const MEMBER_BYTES: usize = 512;
/// The same for a protocol.
const PROTOCOL_BYTES: usize = 112;

impl Member {
    /// Whether it has a name of its own, so that it can go away and come back within its session.
    pub const fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// Whether it need not show signs of life now: it waits for us.
    pub const fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// What it says of itself for a protocol; nothing if it does not know it.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.metadata(protocol).cloned().unwrap_or_default()
    }

    /// How long its session lasts.
    pub fn session_timeout(&self) -> Duration {
        duration(self.session_timeout_ms)
    }

    /// How many bytes it takes, roughly.
    pub fn bytes(&self) -> usize {
        let texts = 2 * self.id.len() + self.client_id.len() + self.client_host.len();
        let instance_id = self.instance_id.as_ref().map_or(0, |it| 2 * it.len());
        MEMBER_BYTES + texts + instance_id + self.protocols.bytes() + self.assignment.len()
    }
}

/// A copy that pins no frame.
pub fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// A time on the wire; what is negative has passed already.
pub fn duration(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&'static str]) -> Vec<JoinGroupRequestProtocol> {
        let protocol = |name: &&'static str| {
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str(name))
                .with_metadata(Bytes::from_static(name.as_bytes()))
        };
        names.iter().map(protocol).collect()
    }

    #[test]
    fn protocols_are_the_same_in_the_same_order_only() {
        let protocols = Protocols::of(&named(&["range", "sticky"]));
        assert!(protocols.are(&named(&["range", "sticky"])));
        assert!(!protocols.are(&named(&["sticky", "range"])));
        assert!(!protocols.are(&named(&["range"])));
        let mut other = named(&["range", "sticky"]);
        other[1].metadata = Bytes::from_static(b"changed");
        assert!(!protocols.are(&other));
    }

    #[test]
    fn a_name_that_is_there_twice_counts_once() {
        let protocols = Protocols::of(&named(&["b", "a", "b"]));
        let names: Vec<&str> =
            protocols.distinct_names().iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(protocols.metadata("b"), Some(&Bytes::from_static(b"b")));
        assert_eq!(protocols.metadata("c"), None);
    }
}
