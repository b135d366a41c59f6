//! Incremental fetch sessions (KIP-227): what a client asked for before, so that it need not say it again.
//!
//! A client that sends a full request is given a session with the partitions it asked for. From then on it sends what
//! it wants changed and is answered only for partitions with news. Each request carries the epoch after the last one;
//! a client that is refused (70, 71, 106) starts again with a full request, so a session may be dropped at any time.
//!
//! The session of a request which is under way is lent out whole ([`Begun::Incremental`]) and returned with the answer
//! ([`FetchSessions::give_back`]): what holds all sessions is busy for moments only, and nothing is copied. A second
//! request for the session meanwhile finds the wrong epoch; no client sends one. What is evicted or closed while it is
//! lent out is not taken back.
//!
//! Who may be evicted, and by whom, is Kafka's rule. The slots are searched for it only when all are taken.
//! Deviation: Kafka's sessions hold as many partitions as clients name; here there is a bound
//! ([`SESSION_PARTITIONS_MAX`]) beyond which a client is served without a session.

mod partitions;

pub use self::partitions::{Place, SessionPartitions, TopicKey, TopicRef};

use std::time::Duration;

use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;
use crate::types::seeded_map::SeededMap;
use crate::types::time::Mono;
use crate::wire::fetch_reply::FetchPartitionReply;
use crate::wire::fetch_request::FetchRequest;

/// How many partitions all sessions of a node may hold, some 150 bytes each.
pub const SESSION_PARTITIONS_MAX: usize = 1_000_000;

/// A session that was not used for so long gives way to any other; a younger one is spared (Kafka's
/// `MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
pub const EVICTION_AGE: Duration = Duration::from_mins(2);

/// "No session", on the wire.
pub const NO_SESSION: i32 = 0;

const EPOCH_OF_FULL_REQUEST: i32 = 0;
const FINAL_EPOCH: i32 = -1;
const FIRST_WITH_TOPIC_ID: i16 = 13;

/// A thousand of two thousand million numbers are taken: the first one drawn is free.
const DRAWS_MAX: usize = 64;

/// What a request turned out to be.
#[derive(Debug)]
pub enum Begun {
    /// It is answered with this error, no session and no partitions.
    Refused(ErrorCode),
    /// It is served from what it names, and forgotten.
    Sessionless,
    /// It is served from what it names, and then [`FetchSessions::start`] remembers that.
    Full,
    /// It is served from this session, which has taken up what the request changes.
    Incremental(Box<Session>),
}

/// All sessions of a node.
#[derive(Debug)]
pub struct FetchSessions {
    slots: SeededMap<i32, Slot>,
    slots_max: usize,
    partitions: usize,
    evictions: u64,
}

/// What is known of a session wherever it is.
#[derive(Debug)]
struct Slot {
    privileged: bool,
    created: Mono,
    last_used: Mono,
    /// What was counted for it, when it was last used.
    partitions: usize,
    /// None while it is lent out.
    session: Option<Box<Session>>,
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    id: i32,
    /// What the next request has to carry.
    epoch: i32,
    uses_topic_ids: bool,
    partitions: SessionPartitions,
}

impl Session {
    /// Its number.
    pub const fn id(&self) -> i32 {
        self.id
    }

    /// What it holds.
    pub const fn partitions(&self) -> &SessionPartitions {
        &self.partitions
    }

    /// Whether the client has to be told: news are records, another high watermark, another log start, a better
    /// replica, an error, a diverging epoch. (The last stable offset moves only with the high watermark.) A partition
    /// with records goes to the end, so that all have their turn.
    pub fn is_news(&mut self, place: Place, answer: &FetchPartitionReply) -> bool {
        let Some(partition) = self.partitions.at_mut(place) else { return true };
        let has_records = answer.records_bytes() > 0;
        let is_news = has_records
            || partition.high_watermark != answer.high_watermark
            || partition.log_start_offset != answer.log_start_offset
            || answer.preferred_read_replica != NodeId::NONE
            || answer.error != ErrorCode::None
            || answer.diverging_epoch.is_some();
        partition.high_watermark = answer.high_watermark;
        if answer.error != ErrorCode::None {
            // Once the error is gone the client is told.
            partition.high_watermark = crate::types::offset::Offset::UNKNOWN;
        }
        partition.log_start_offset = answer.log_start_offset;
        if has_records {
            self.partitions.move_to_end(place);
        }
        is_news
    }
}

impl FetchSessions {
    /// None yet; at most `slots_max` (`max.incremental.fetch.session.cache.slots`).
    pub fn new(slots_max: usize) -> Self {
        Self { slots: SeededMap::default(), slots_max, partitions: 0, evictions: 0 }
    }

    /// How many there are.
    #[cfg(any(test, feature = "internals"))]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[cfg(any(test, feature = "internals"))]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many partitions they hold.
    #[cfg(any(test, feature = "internals"))]
    pub const fn partitions(&self) -> usize {
        self.partitions
    }

    /// How many had to make room for others.
    #[cfg(any(test, feature = "internals"))]
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Looks at the head of a request, and takes what it changes into its session.
    pub fn begin(&mut self, now: Mono, version: i16, request: &FetchRequest) -> Begun {
        if matches!(request.session_epoch, EPOCH_OF_FULL_REQUEST | FINAL_EPOCH) {
            // A session that a full request names ends.
            if request.session_id != NO_SESSION {
                self.close(request.session_id);
            }
            return match request.session_epoch {
                FINAL_EPOCH => Begun::Sessionless,
                _ => Begun::Full,
            };
        }
        let Some(slot) = self.slots.get_mut(&request.session_id) else {
            return Begun::Refused(ErrorCode::FetchSessionIdNotFound);
        };
        let expected = |session: &&mut Box<Session>| session.epoch == request.session_epoch;
        let Some(session) = slot.session.as_mut().filter(expected) else {
            return Begun::Refused(ErrorCode::InvalidFetchSessionEpoch);
        };
        if session.uses_topic_ids != (version >= FIRST_WITH_TOPIC_ID) {
            return Begun::Refused(ErrorCode::FetchSessionTopicIdError);
        }
        session.partitions.update(request);
        if session.partitions.is_empty() {
            self.close(request.session_id);
            return Begun::Sessionless;
        }
        session.epoch = next_epoch(session.epoch);
        let partitions = session.partitions.len();
        self.partitions = self.partitions - slot.partitions + partitions;
        slot.partitions = partitions;
        slot.last_used = now;
        if self.partitions > SESSION_PARTITIONS_MAX {
            self.close(request.session_id);
            return Begun::Refused(ErrorCode::FetchSessionIdNotFound);
        }
        slot.session.take().map_or(Begun::Sessionless, Begun::Incremental)
    }

    /// Takes back what [`FetchSessions::begin`] lent out, with the answer or without one.
    pub fn give_back(&mut self, session: Box<Session>) {
        if let Some(slot) = self.slots.get_mut(&session.id) {
            slot.session = Some(session);
        }
    }

    /// Remembers what a full request asked for and was answered, and gives back the number for the answer: 0 if there
    /// is no room. `privileged` are followers. `random` draws numbers until one is free.
    pub fn start(
        &mut self,
        now: Mono,
        privileged: bool,
        uses_topic_ids: bool,
        partitions: SessionPartitions,
        random: impl FnMut() -> u32,
    ) -> i32 {
        let count = partitions.len();
        let has_slot = self.slots.len() < self.slots_max || self.evict(now, privileged, count);
        if !has_slot || self.partitions + count > SESSION_PARTITIONS_MAX {
            return NO_SESSION;
        }
        let drawn = std::iter::repeat_with(random).take(DRAWS_MAX);
        let numbers = drawn.map(|number| (number >> 1) as i32);
        let mut free = numbers.filter(|id| *id != NO_SESSION && !self.slots.contains_key(id));
        let Some(id) = free.next() else { return NO_SESSION };
        let epoch = next_epoch(EPOCH_OF_FULL_REQUEST);
        let session = Some(Box::new(Session { id, epoch, uses_topic_ids, partitions }));
        let slot = Slot { privileged, created: now, last_used: now, partitions: count, session };
        self.slots.insert(id, slot);
        self.partitions += count;
        id
    }

    fn close(&mut self, id: i32) -> bool {
        let Some(slot) = self.slots.remove(&id) else { return false };
        self.partitions -= slot.partitions;
        true
    }

    /// Makes room for a session of so many partitions. The one that is unused for longest goes if it is stale;
    /// otherwise the smallest of those that have lived for a while, if it is smaller than the new one. Followers
    /// come before consumers, and a follower may take a young consumer's place.
    fn evict(&mut self, now: Mono, privileged: bool, partitions: usize) -> bool {
        let oldest = self.slots.iter().min_by_key(|(id, slot)| (slot.last_used, **id));
        let stale = oldest.filter(|(_, slot)| now.since(slot.last_used) > EVICTION_AGE);
        let victim = if let Some((id, _)) = stale {
            Some(*id)
        } else {
            let least = self.least_worth(privileged);
            least.filter(|worth| *worth < (privileged, partitions, 0)).map(|worth| worth.2)
        };
        let Some(victim) = victim else { return false };
        self.evictions += 1;
        self.close(victim)
    }

    /// The session that is worth least: a consumer's before a follower's, a small one before a large one.
    fn least_worth(&self, to_privileged: bool) -> Option<(bool, usize, i32)> {
        let has_lived = |slot: &Slot| slot.last_used.since(slot.created) > EVICTION_AGE;
        let may_go = |slot: &Slot| has_lived(slot) || (to_privileged && !slot.privileged);
        let candidates = self.slots.iter().filter(|(_, slot)| may_go(slot));
        candidates.map(|(id, slot)| (slot.privileged, slot.partitions, *id)).min()
    }
}

/// The epoch after `epoch`: 0 stands for a full request and is left out.
const fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        i32::MAX => 1,
        epoch => epoch + 1,
    }
}

#[cfg(test)]
mod tests;
