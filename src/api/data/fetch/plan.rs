//! Which partitions a request reads, in which order, and one read of one of them.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Terms;
use super::session::Source;
use crate::api::access::Access;
use crate::api::context::Ctx;
use crate::api::data::replicas::{Missing, partition};
use crate::kernel::replica::fetch_session::{Place, SessionPartitions, TopicKey, TopicRef};
use crate::shell::drivers::partitions::{Isolation, Partition, ReadAnswer, ReadSpec, Waiter};
use crate::types::acls::Operation;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::wire::fetch_reply::FetchPartitionReply;
use crate::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::wire::reply::Chunk;

/// The partitions of a request: those that are unknown come last, as Kafka answers them.
pub struct Plan {
    /// In the order of the answer.
    pub items: SmallVec<[Item; 1]>,
}

/// One partition of a request.
pub struct Item {
    /// Its topic.
    pub topic: TopicKey,
    /// What the client asks of it.
    pub asked: FetchPartition,
    /// Where it stands in the session, if there is one.
    pub place: Option<Place>,
    /// The partition, if it is here.
    pub partition: Result<Arc<Partition>, Missing>,
}

impl Plan {
    /// Finds the partitions of the session, or those of the request where there is none. A partition that a request
    /// names twice is read once, as it was named last.
    pub fn new(ctx: &Ctx, source: &Source, request: &FetchRequest, access: &Access) -> Self {
        let mut items = SmallVec::new();
        let mut readable = Readable::new(ctx, request, access);
        let mut named = |topic: TopicKey, asked: &FetchPartition, place: Option<Place>| {
            let partition = match readable.check(&topic) {
                Ok(()) => partition(ctx, topic.as_ref(), asked.index),
                Err(denied) => Err(denied),
            };
            Item { topic, asked: *asked, place, partition }
        };
        if let Some(session) = source.session() {
            let partitions = session.partitions();
            items.reserve(partitions.len());
            let all = partitions.iter();
            items.extend(all.map(|(at, it)| named(it.topic.clone(), &it.asked, Some(at))));
        } else if let Some((topic, asked)) = only(request) {
            items.push(named(key(topic), asked, None));
        } else {
            let mut partitions = SessionPartitions::default();
            partitions.want(&request.topics);
            items.reserve(partitions.len());
            let all = partitions.iter();
            items.extend(all.map(|(_, it)| named(it.topic.clone(), &it.asked, None)));
        }
        if !items.is_sorted_by_key(Item::is_unknown) {
            items.sort_by_key(Item::is_unknown);
        }
        Self { items }
    }
}

/// Which topics the sender of a request may read. Partitions of one topic come one after the other: it is asked about
/// once.
struct Readable<'a> {
    ctx: &'a Ctx,
    access: &'a Access,
    is_replica: bool,
    last: Option<(TopicKey, Result<(), Missing>)>,
}

impl<'a> Readable<'a> {
    fn new(ctx: &'a Ctx, request: &FetchRequest, access: &'a Access) -> Self {
        Self { ctx, access, is_replica: request.replica_id.0 >= 0, last: None }
    }

    fn check(&mut self, topic: &TopicKey) -> Result<(), Missing> {
        if self.access.is_open() {
            return Ok(());
        }
        if let Some((last, is_readable)) = &self.last
            && last == topic
        {
            return *is_readable;
        }
        let is_readable = if self.may_read(topic.as_ref()) {
            Ok(())
        } else {
            Err(Missing::Unknown(ErrorCode::TopicAuthorizationFailed))
        };
        self.last = Some((topic.clone(), is_readable));
        is_readable
    }

    /// A replica needs no permission for a topic, but one for what brokers do. Of a topic whose id nobody knows there is
    /// nothing to deny.
    fn may_read(&self, topic: TopicRef<'_>) -> bool {
        let access = self.access;
        match topic {
            _ if self.is_replica => access.cluster(Operation::CLUSTER_ACTION).is_ok(),
            TopicRef::Name(name) => access.topic(Operation::READ, name),
            TopicRef::Id(id) => {
                let image = self.ctx.image.load();
                let topic = image.topics.of_id(id);
                topic.is_none_or(|it| access.topic(Operation::READ, it.name.as_str()))
            }
        }
    }
}

/// The partition of a request that names only one: the common case, for which nothing is allocated.
fn only(request: &FetchRequest) -> Option<(&FetchTopic, &FetchPartition)> {
    match request.topics.as_slice() {
        [topic] if topic.partitions.len() == 1 => Some((topic, topic.partitions.first()?)),
        _ => None,
    }
}

/// The topic as the request names it: the name stays a slice of the frame, which lives as long as the request does.
fn key(topic: &FetchTopic) -> TopicKey {
    match TopicRef::of(topic.id, &topic.name) {
        TopicRef::Id(id) => TopicKey::Id(id),
        TopicRef::Name(_) => TopicKey::Name(topic.name.clone()),
    }
}

impl Item {
    /// Whether there is no such topic or partition at all.
    pub const fn is_unknown(&self) -> bool {
        matches!(self.partition, Err(Missing::Unknown(_)))
    }

    /// Wakes `waiter` when there is something behind the offset that the client asks for.
    pub fn watch(&self, waiter: &Arc<Waiter>) {
        if let Ok(partition) = &self.partition {
            partition.watch(waiter, self.asked.fetch_offset);
        }
    }

    /// Reads once, at most `left_bytes` and what the client wants of this partition. The second value says whether the
    /// client should hear of it at once: an error, a diverging epoch, or an end of a segment, behind which there is
    /// more for the next request.
    pub fn read(
        &self,
        terms: &Terms,
        left_bytes: u32,
        at_least_one_batch: bool,
    ) -> (FetchPartitionReply, bool) {
        let index = self.asked.index;
        let partition = match &self.partition {
            Ok(partition) => partition,
            Err(missing @ Missing::Unknown(_)) => {
                return (FetchPartitionReply::failed(index, missing.code()), false);
            }
            Err(missing) => return (self.unread(missing.code()), true),
        };
        let is_follower = terms.replica_id.0 >= 0;
        let wanted_bytes = u32::try_from(self.asked.max_bytes).unwrap_or(0);
        let spec = ReadSpec {
            offset: self.asked.fetch_offset,
            max_bytes: wanted_bytes.min(left_bytes),
            at_least_one_batch,
            isolation: terms.isolation,
            current_leader_epoch: self.asked.current_leader_epoch,
            last_fetched_epoch: self.asked.last_fetched_epoch,
        };
        match partition.read(&spec) {
            Ok(_) if is_follower => (self.unread(self.no_replica()), true),
            Ok(answer) => {
                let is_urgent = answer.in_older_segment || answer.diverging_epoch.is_some();
                (self.read_reply(terms, answer), is_urgent)
            }
            Err(error) => (self.unread(error), true),
        }
    }

    /// What a broker hears that is not among the replicas. One that knows the epoch may come from a change which this
    /// node has not seen yet, and asks again.
    fn no_replica(&self) -> ErrorCode {
        match self.asked.current_leader_epoch {
            LeaderEpoch::UNKNOWN => ErrorCode::NotLeaderOrFollower,
            _ => ErrorCode::UnknownLeaderEpoch,
        }
    }

    fn read_reply(&self, terms: &Terms, answer: ReadAnswer) -> FetchPartitionReply {
        let aborted = match terms.isolation {
            Isolation::LastStable => Some(answer.aborted.unwrap_or_default()),
            _ => None,
        };
        FetchPartitionReply {
            high_watermark: answer.high_watermark,
            last_stable_offset: answer.last_stable_offset,
            log_start_offset: answer.log_start_offset,
            aborted,
            diverging_epoch: answer.diverging_epoch,
            records: answer.records.into_iter().map(Chunk::File).collect(),
            ..FetchPartitionReply::failed(self.asked.index, ErrorCode::None)
        }
    }

    /// The answer for a partition which is known, but could not be read.
    fn unread(&self, error: ErrorCode) -> FetchPartitionReply {
        FetchPartitionReply {
            aborted: None,
            ..FetchPartitionReply::failed(self.asked.index, error)
        }
    }
}
