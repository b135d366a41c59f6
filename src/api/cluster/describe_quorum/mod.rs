//! DescribeQuorum (55), versions 0–2: who leads the metadata log, and how far the others are.
//!
//! 0: KIP-595. 1: KIP-836, when replicas last fetched and were last caught up. 2: KIP-853, directories and endpoints.
//! The one partition that can be asked for is that of the metadata log. Deviation from Apache Kafka: who does not lead
//! says so and does not pass the question on, since it leads or there is no other.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_quorum_request::TopicData as AskedTopic;
use kafka_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use kafka_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::raft::view::{QuorumView, ReplicaView};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, TopicName};
use crate::types::time::Timestamp;

/// Decodes and answers.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<DescribeQuorumRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if let Err(code) = Access::of(ctx, call).cluster(Operation::DESCRIBE) {
        let refused =
            ok().with_error_code(code.code()).with_error_message(Some(text(code.message())));
        return reply::<DescribeQuorumRequest>(call, &for_version(call.version, refused));
    }
    let quorum = ctx.quorum.load();
    let response = answer(&quorum, ctx.node.node_id, call.now.wall, &request);
    reply::<DescribeQuorumRequest>(call, &for_version(call.version, response))
}

fn answer(
    quorum: &QuorumView,
    this: NodeId,
    now: Timestamp,
    request: &DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !is_metadata_log(&request.topics) {
        let error = ErrorCode::UnknownTopicOrPartition;
        let topics = request.topics.iter().map(|topic| refused(topic, error)).collect();
        return ok().with_topics(topics);
    }
    if quorum.leader_id != this {
        let error = ErrorCode::NotLeaderOrFollower;
        return ok().with_error_code(error.code()).with_error_message(Some(text(error.message())));
    }
    let states = |replicas: &[ReplicaView]| {
        replicas.iter().map(|replica| state(replica, this, now)).collect::<Vec<_>>()
    };
    let partition = PartitionData::default()
        .with_error_message(Some(text("")))
        .with_leader_id(BrokerId(quorum.leader_id.0))
        .with_leader_epoch(quorum.leader_epoch.0)
        .with_high_watermark(quorum.high_watermark.0)
        .with_current_voters(states(&quorum.voters))
        .with_observers(states(&quorum.observers));
    let topic = TopicData::default()
        .with_topic_name(text(TopicName::METADATA).into())
        .with_partitions(vec![partition]);
    ok().with_topics(vec![topic]).with_nodes(quorum.voters.iter().map(node).collect())
}

fn ok() -> DescribeQuorumResponse {
    DescribeQuorumResponse::default().with_error_message(Some(text("")))
}

fn is_metadata_log(topics: &[AskedTopic]) -> bool {
    let [topic] = topics else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name.as_str() == TopicName::METADATA && partition.partition_index == 0
}

fn refused(topic: &AskedTopic, error: ErrorCode) -> TopicData {
    let partitions = topic.partitions.iter().map(|partition| {
        PartitionData::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(error.code())
            .with_error_message(Some(text(error.message())))
    });
    TopicData::default()
        .with_topic_name(topic.topic_name.clone())
        .with_partitions(partitions.collect())
}

/// The leader has always just fetched from itself.
fn state(replica: &ReplicaView, this: NodeId, now: Timestamp) -> ReplicaState {
    let own = |told: Timestamp| if replica.key.id == this { now.0 } else { told.0 };
    ReplicaState::default()
        .with_replica_id(BrokerId(replica.key.id.0))
        .with_replica_directory_id(replica.key.directory_id.unwrap_or_default().0)
        .with_log_end_offset(replica.log_end_offset.0)
        .with_last_fetch_timestamp(own(replica.last_fetch))
        .with_last_caught_up_timestamp(own(replica.last_caught_up))
}

fn node(replica: &ReplicaView) -> Node {
    let listeners = replica.endpoints.iter().map(|(name, endpoint)| {
        Listener::default()
            .with_name(text(name.as_str()))
            .with_host(text(endpoint.host.as_str()))
            .with_port(endpoint.port)
    });
    Node::default().with_node_id(BrokerId(replica.key.id.0)).with_listeners(listeners.collect())
}

/// Older versions have no fields for some of it, which the protocol crate does not write in silence.
fn for_version(version: i16, mut response: DescribeQuorumResponse) -> DescribeQuorumResponse {
    if version >= 2 {
        return response;
    }
    response.error_message = None;
    response.nodes.clear();
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.error_message = None;
        for replica in partition.current_voters.iter_mut().chain(&mut partition.observers) {
            replica.replica_directory_id = uuid::Uuid::nil();
            if version == 0 {
                (replica.last_fetch_timestamp, replica.last_caught_up_timestamp) = (-1, -1);
            }
        }
    }
    response
}

#[cfg(test)]
mod tests;
