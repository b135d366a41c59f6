//! From what was read to the answer: what a session leaves out, topics, leaders, and what old versions cannot be told.

use smallvec::{SmallVec, smallvec};

use super::plan::Item;
use super::session::{Source, lock};
use super::{Fetch, Pass};
use crate::api::answer::Answer;
use crate::api::data::replicas::{add_endpoint, leader};
use crate::kernel::replica::fetch_session::{NO_SESSION, Session, SessionPartitions, TopicKey};
use crate::shell::random::random_bytes;
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;
use crate::wire::fetch_reply::{FetchPartitionReply, FetchReply, FetchTopicReply, encode};
use crate::wire::fetch_request::FetchRequest;

const FIRST_WITH_STORAGE_ERROR: i16 = 6;
const FIRST_WITH_TOPIC_ID: i16 = 13;
const FIRST_WITH_LEADER: i16 = 16;

impl Fetch {
    /// The answer. In a session it names only partitions with news.
    pub fn finish(mut self, pass: Pass) -> Answer {
        let version = self.call.version;
        let mut reply = FetchReply { session_id: self.session_id(&pass), ..FetchReply::default() };
        for (item, mut partition) in self.plan.items.iter().zip(pass.replies) {
            if let (Some(session), Some(place)) = (self.source.session_mut(), item.place)
                && !session.is_news(place, &partition)
            {
                continue;
            }
            if version >= FIRST_WITH_LEADER {
                name_leader(&self.ctx, &self.call.listener, item, &mut partition, &mut reply);
            }
            for_version(version, &mut partition);
            add(&mut reply, &item.topic, partition);
        }
        Answer::Now(encode(version, self.call.correlation_id, &reply))
    }

    /// The session of the answer, which starts here if the request wants one.
    fn session_id(&self, pass: &Pass) -> i32 {
        match &self.source {
            Source::Sessionless => NO_SESSION,
            Source::Session(_) => self.source.session().map_or(NO_SESSION, Session::id),
            Source::Full => self.start_session(pass),
        }
    }

    fn start_session(&self, pass: &Pass) -> i32 {
        let mut partitions = SessionPartitions::with_capacity(self.plan.items.len());
        for (item, reply) in self.plan.items.iter().zip(&pass.replies) {
            let topic = item.topic.as_ref().to_key();
            let place = partitions.push(topic, item.asked);
            if let Some(partition) = partitions.at_mut(place) {
                partition.high_watermark = reply.high_watermark;
                partition.log_start_offset = reply.log_start_offset;
            }
        }
        let uses_topic_ids = self.call.version >= FIRST_WITH_TOPIC_ID;
        let is_follower = self.terms.replica_id.0 >= 0;
        let now = self.call.now.mono;
        lock(&self.ctx).start(now, is_follower, uses_topic_ids, partitions, random_number)
    }
}

fn random_number() -> u32 {
    let bytes = random_bytes();
    bytes.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// Adds a partition to the last topic, or to a new one: partitions keep their order, so a topic may come twice.
fn add(reply: &mut FetchReply, topic: &TopicKey, partition: FetchPartitionReply) {
    let (id, name) = match topic {
        TopicKey::Id(id) => (*id, kafka_protocol::protocol::StrBytes::default()),
        TopicKey::Name(name) => (TopicId::ZERO, name.clone()),
    };
    match reply.topics.last_mut() {
        Some(last) if last.id == id && last.name == name => last.partitions.push(partition),
        _ => {
            let partitions = smallvec![partition];
            reply.topics.push(FetchTopicReply { name, id, partitions });
        }
    }
}

/// Tells a client that came to the wrong node, or with an old epoch, who leads now (KIP-951).
fn name_leader(
    ctx: &crate::api::context::Ctx,
    listener: &str,
    item: &Item,
    partition: &mut FetchPartitionReply,
    reply: &mut FetchReply,
) {
    if !matches!(partition.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
        return;
    }
    let image = ctx.image.load();
    let (current, endpoint) = leader(&image, item.topic.as_ref(), item.asked.index, listener);
    partition.current_leader = Some(current);
    add_endpoint(&mut reply.node_endpoints, endpoint);
}

/// What a client of this version can be told of a partition.
fn for_version(version: i16, partition: &mut FetchPartitionReply) {
    if version < FIRST_WITH_STORAGE_ERROR && partition.error == ErrorCode::KafkaStorageError {
        // A code from after the client's time would not be retried; this one is.
        partition.error = ErrorCode::NotLeaderOrFollower;
    }
}

/// Answers every partition of a request with one error.
pub fn fail_all(reply: &mut FetchReply, request: &FetchRequest, error: ErrorCode) {
    for topic in &request.topics {
        let failed = |asked: &crate::wire::fetch_request::FetchPartition| {
            FetchPartitionReply::failed(asked.index, error)
        };
        let partitions: SmallVec<[FetchPartitionReply; 1]> =
            topic.partitions.iter().map(failed).collect();
        reply.topics.push(FetchTopicReply { name: topic.name.clone(), id: topic.id, partitions });
    }
}
