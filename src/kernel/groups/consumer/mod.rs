//! Consumer groups of the new protocol (KIP-848): members say what they want in heartbeats, the coordinator says who has
//! what.
//!
//! - [`state`]: what the log says of a group; [`member`]: of a member; [`records`]: how both are written;
//! - [`heartbeat`], [`membership`], [`subscription`], [`target`], [`reconcile`]: what a heartbeat does, step by step;
//! - [`departure`]: members that leave or are thrown out;
//! - [`classic_members`], [`migration`]: members that speak the classic protocol, and groups that change theirs;
//! - [`offsets`]: who may commit and fetch offsets;
//! - [`topic_regex`], [`metadata_hash`], [`settings`]: what they lean on;
//! - [`live`], [`door`]: a group with its timers in a shard, and how requests reach it.
//!
//! Everything here decides and nothing changes: a function reads the group and says in a [`Step`] what is to be written.
//!
//! Invariants: a partition is had by one member at a time, whatever is lost or repeated; the epochs of a group and of a
//! member never fall (a member that leaves apart); a group is what the replay of its records makes of it.

pub mod classic_members;
pub mod departure;
pub mod describe;
pub mod door;
pub mod heartbeat;
pub mod live;
pub mod member;
mod membership;
mod metadata_hash;
pub mod migration;
pub mod offsets;
pub mod reconcile;
mod records;
pub mod settings;
pub mod state;
mod subscription;
mod target;
#[cfg(test)]
mod tests;
pub mod topic_regex;

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

pub use self::door::Doors;
pub use self::live::LiveGroup;
pub use self::settings::GroupSettings;
pub use self::state::ConsumerGroup;

use crate::kernel::groups::classic;
use crate::kernel::metadata::image::Image;
use crate::types::error_code::ErrorCode;
use crate::types::time::Timestamp;
use crate::wire::coordinator_records::groups::GroupRecord;

/// What a decision depends on beside the group.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The group's id.
    pub group_id: &'a str,
    /// The topics.
    pub image: &'a Image,
    /// What is configured for the group.
    pub settings: &'a GroupSettings,
    /// The time by the wall clock.
    pub now: Timestamp,
    /// The metadata offset at which a topic was last created, as far as is known.
    pub last_new_topics: i64,
}

/// What ListGroups calls this kind of group.
pub const GROUP_TYPE: &str = "consumer";

/// A client, as far as a group remembers it.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its address.
    pub address: IpAddr,
}

impl Client<'_> {
    /// Its address, as Kafka prints it.
    fn host(self) -> String {
        classic::java_address(self.address).to_string()
    }

    /// Whether that is `host`.
    fn is_at(self, host: &str) -> bool {
        classic::is_java_address(host, self.address)
    }
}

/// What is to happen.
#[derive(Debug)]
pub struct Step<T> {
    /// What is written, at once or not at all.
    pub records: Vec<GroupRecord>,
    /// What is answered once it is.
    pub reply: T,
    /// What happens to soft state.
    pub soft: SoftChanges,
    /// What is left is a classic group; it rebalances at once, if so.
    pub becomes_classic: Option<Rebalances>,
}

/// Whether a classic group that a consumer group has become rebalances at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebalances(pub bool);

/// What happens to a group's soft state.
#[derive(Debug, Default)]
pub struct SoftChanges {
    /// Timers that start or stop.
    pub timers: TimerChanges,
    /// Whether the group's expressions are to be held against the topics, next.
    pub resolve_regexes: bool,
    /// Whether the group's epoch now stands for the topics as they are.
    pub topics_checked: bool,
}

impl<T> Step<T> {
    /// Nothing but a reply.
    fn reply(reply: T) -> Self {
        Self { records: Vec::new(), reply, soft: SoftChanges::default(), becomes_classic: None }
    }

    /// The same with another reply.
    fn with_reply<U>(self, reply: U) -> Step<U> {
        Step {
            records: self.records,
            reply,
            soft: self.soft,
            becomes_classic: self.becomes_classic,
        }
    }
}

/// Changes of timers: of one, most often.
pub type TimerChanges = SmallVec<[TimerChange; 1]>;

/// A change of a member's timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerChange {
    /// The member.
    pub member_id: Arc<str>,
    /// Which timer.
    pub timer: Timer,
    /// How.
    pub to: TimerTo,
}

/// A timer of a member; each ends with the member thrown out of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// It has to send heartbeats.
    Session,
    /// It has to give partitions back.
    Rebalance,
    /// It has to join again, as it speaks the classic protocol.
    Join,
    /// It has to ask for its assignment, as it speaks the classic protocol.
    Sync,
}

/// What a timer is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerTo {
    /// It ends so many milliseconds from now.
    Start(i32),
    /// The same, if it does not run already.
    StartIfAbsent(i32),
    /// It ends so many milliseconds from now, and counts only while the member is at this epoch.
    StartAtEpoch(i32, i32),
    /// It does not run.
    Stop,
}

impl TimerChange {
    fn new(member_id: &Arc<str>, timer: Timer, to: TimerTo) -> Self {
        Self { member_id: Arc::clone(member_id), timer, to }
    }
}

/// An error that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub code: ErrorCode,
    /// Kafka's words for it.
    pub message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
