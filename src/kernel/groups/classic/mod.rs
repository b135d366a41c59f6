//! Classic groups: members join, one of them is the leader and assigns, all fetch what they were assigned (KIP-62,
//! KIP-345, KIP-394, KIP-429, KIP-814).
//!
//! A round goes so. Something changes, and the group *prepares*: members are to join again, and their JoinGroups wait
//! for each other. When all are there, or the longest rebalance timeout is over, a generation begins; the JoinGroups are
//! answered, and the group is *completing*: SyncGroups wait for the leader's. What the leader assigned is written down,
//! and then the group is *stable*. A group without members is *empty*.
//!
//! In the log is what was last written: the members with what they were assigned, or that there are none. All else is
//! soft state: a round that is under way, what waits and what is timed. It is ahead of the log for as long as a round
//! takes, and lost with the shard: members then go on in the generation that is in the log, or join again.
//!
//! - A group has a leader as long as it has members, and the leader is a member.
//! - A generation is never used twice; from the newest one (2³¹ − 1) it goes on at 1.
//! - All members of a group that is completing or stable have a protocol in common, the chosen one.
//! - A call that waits is replied to in the end, whatever becomes of its member: Kafka forgets the JoinGroup of a client
//!   that sends another; here it is told to join again (27).
//! - A group prepares no longer than its longest rebalance timeout, after which who has not joined is out.

mod describe;
mod group;
mod heartbeat;
mod join;
mod leave;
mod member;
pub mod offsets;
mod rebalance;
mod record;
mod static_member;
mod step;
mod subscription;
mod sync;
mod timers;
mod upgrade;

pub use self::group::ClassicGroup;
#[cfg(any(test, feature = "sim"))]
pub use self::group::State;
pub use self::heartbeat::heartbeat;
pub use self::join::{is_java_address, java_address, join};
pub use self::leave::leave;
#[cfg(test)]
pub use self::rebalance::FIRST_WAIT_MS;
pub use self::record::{refused, replay, tombstone};
pub use self::step::{join_error, sync_error};
pub use self::sync::sync;
pub use self::timers::{on_loaded, on_timeout};
pub use self::upgrade::{rebalance, refuse_all};

/// The kind of protocol that consumers have.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// What ListGroups calls this kind of group.
pub const GROUP_TYPE: &str = "classic";
