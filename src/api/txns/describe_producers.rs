//! DescribeProducers (61), version 0: who writes to a partition, and whose transaction is open there.
//!
//! KIP-664. Answered by any broker that has the partition; the tools that look for hanging transactions begin here.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::api::data::replicas;
use crate::kernel::controller::topic_names::check_topic_name;
use crate::kernel::log::producers::ProducerEntry;
use crate::kernel::replica::fetch_session::TopicRef;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};

const NO_OFFSET: i64 = -1;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: DescribeProducersRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let access = Access::of(ctx, call);
    let topics = request.topics.iter().map(|topic| describe(ctx, &access, topic)).collect();
    let response = DescribeProducersResponse::default().with_topics(topics);
    reply::<DescribeProducersRequest>(call, &response)
}

fn describe(ctx: &Ctx, access: &Access, topic: &TopicRequest) -> TopicResponse {
    let refused = refusal(ctx, access, &topic.name);
    let partition = |index: &i32| match &refused {
        Some((code, why)) => failed(*index, *code).with_error_message(Some(text(why.as_str()))),
        None => of_partition(ctx, &topic.name, *index),
    };
    TopicResponse::default()
        .with_name(topic.name.clone())
        .with_partitions(topic.partition_indexes.iter().map(partition).collect())
}

/// What is said of each partition of a topic that does not exist, or cannot; of a partition alone there are no words.
fn refusal(ctx: &Ctx, access: &Access, name: &str) -> Option<(ErrorCode, String)> {
    if let Err(why) = check_topic_name(name) {
        return Some((ErrorCode::InvalidTopicException, why));
    }
    if !access.topic(Operation::READ, name) {
        let denied = ErrorCode::TopicAuthorizationFailed;
        return Some((denied, denied.message().to_owned()));
    }
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let is_there = ctx.image.load().topics.named(name).is_some();
    (!is_there).then(|| (unknown, unknown.message().to_owned()))
}

fn of_partition(ctx: &Ctx, name: &str, index: i32) -> PartitionResponse {
    let found = replicas::partition(ctx, TopicRef::Name(name), PartitionId(index));
    let producers = found.map_err(replicas::Missing::code).and_then(|it| it.producers());
    match producers {
        Ok(producers) => {
            let states = producers.iter().map(|(id, entry)| state(*id, entry)).collect();
            PartitionResponse::default().with_partition_index(index).with_active_producers(states)
        }
        Err(code) => failed(index, code),
    }
}

fn failed(index: i32, code: ErrorCode) -> PartitionResponse {
    PartitionResponse::default().with_partition_index(index).with_error_code(code.code())
}

fn state(id: ProducerId, entry: &ProducerEntry) -> ProducerState {
    let start = entry.transaction_first_offset.map_or(NO_OFFSET, |offset| offset.0);
    ProducerState::default()
        .with_producer_id(id.0.into())
        .with_producer_epoch(i32::from(entry.epoch.0))
        .with_last_sequence(entry.last_sequence())
        .with_last_timestamp(entry.last_timestamp.0)
        .with_coordinator_epoch(entry.coordinator_epoch)
        .with_current_txn_start_offset(start)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};

    use super::*;
    use crate::api::harness::{NOW_MS, Node, bytes_of, now};
    use crate::types::epoch::ProducerEpoch;
    use crate::types::offset::Offset;
    use crate::types::time::Timestamp;
    use crate::wire::batch::Batch;
    use crate::wire::batch_builder::BatchBuilder;

    fn batch(id: i64, epoch: i16, transactional: bool) -> Batch {
        let builder =
            BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(epoch), 0);
        let builder = if transactional { builder.transactional() } else { builder };
        builder.record(Timestamp(NOW_MS), None, Some(b"v")).build_batch()
    }

    fn ask(node: &Node, name: &'static str, indexes: Vec<i32>) -> TopicResponse {
        let topic = TopicRequest::default()
            .with_name(TopicName(StrBytes::from_static_str(name)))
            .with_partition_indexes(indexes);
        let mut body = bytes::BytesMut::new();
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        request.encode(&mut body, 0).unwrap();
        let mut answer = Bytes::from(bytes_of(node.ask(61, 0, body.freeze()))).split_off(1);
        let response = DescribeProducersResponse::decode(&mut answer, 0).unwrap();
        response.topics.into_iter().next().unwrap()
    }

    #[test]
    fn describe_producers_tells_of_open_transactions() {
        let node = Node::with(&[("a", 1, &[])]);
        let found = replicas::partition(&node.ctx, TopicRef::Name("a"), PartitionId(0));
        let partition = found.ok().unwrap();
        for batch in [batch(7, 1, true), batch(3, 0, false)] {
            partition.append(&batch, -1, now()).unwrap();
        }
        let topic = ask(&node, "a", vec![0, 5]);
        let producers = &topic.partitions[0].active_producers;
        let told = |it: &ProducerState| {
            (it.producer_id.0, it.producer_epoch, it.last_sequence, it.current_txn_start_offset)
        };
        assert_eq!(producers.iter().map(told).collect::<Vec<_>>(), [(3, 0, 0, -1), (7, 1, 0, 0)]);
        let times = |it: &ProducerState| (it.last_timestamp, it.coordinator_epoch);
        assert_eq!(producers.iter().map(times).collect::<Vec<_>>(), [(NOW_MS, -1); 2]);
        assert_eq!(topic.partitions[1].error_code, ErrorCode::UnknownTopicOrPartition.code());
    }

    #[test]
    fn what_is_no_topic_has_no_producers() {
        let node = Node::with(&[("a", 1, &[])]);
        let error = |name, index| {
            let partition = ask(&node, name, vec![index]).partitions.into_iter().next().unwrap();
            (partition.error_code, partition.error_message.map(|it| it.to_string()))
        };
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        let message = "This server does not host this topic-partition.".to_owned();
        assert_eq!(error("b", 0), (unknown, Some(message)));
        assert_eq!(error("a", 1), (unknown, None));
        let invalid = "Topic name is invalid: '..' is not allowed".to_owned();
        assert_eq!(error("..", 0), (ErrorCode::InvalidTopicException.code(), Some(invalid)));
    }
}
