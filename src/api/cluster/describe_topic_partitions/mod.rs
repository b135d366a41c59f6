//! DescribeTopicPartitions (75), version 0: topics and their partitions, page by page.
//!
//! KIP-966. Topics are answered by name; an empty list asks for all. Deviations from Apache Kafka: none.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};

use super::view::{OPERATIONS_NOT_ASKED, View, ids, is_internal};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::controller::topic_names::check_topic_name;
use crate::kernel::metadata::image::{PartitionRegistration, TopicImage};
use crate::types::acls::{Operation, ResourceType as AclResource};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId};

/// Decodes and answers.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<DescribeTopicPartitionsRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (image, config) = (ctx.image.load(), ctx.config.load());
    let view = View { image: &image, listener: &call.listener };
    let access = Access::of(ctx, call);
    let response = answer(view, &access, config.max_request_partition_size_limit, &request);
    reply::<DescribeTopicPartitionsRequest>(call, &response)
}

fn answer(
    view: View<'_>,
    access: &Access,
    partitions_max: i32,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let from = request.cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
    let all = request.topics.is_empty();
    let mut asked: BTreeSet<&str> = if all {
        view.image.topics.by_name.keys().map(crate::types::ids::TopicName::as_str).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).collect()
    };
    if let Some(error) = fault(request, &asked) {
        return refusal(request, error);
    }
    let mut denied = Vec::new();
    asked.retain(|name| {
        let is_allowed = *name < from || access.topic(Operation::DESCRIBE, name);
        if !is_allowed && !all {
            denied.push(unauthorized(name));
        }
        is_allowed
    });
    let mut page = Page {
        view,
        access,
        cursor: request.cursor.as_ref().map(|cursor| (from, cursor.partition_index)),
        room: request.response_partition_limit.min(partitions_max).max(1) as usize,
        response: DescribeTopicPartitionsResponse::default(),
    };
    for name in asked.range(from..) {
        if !page.take(name, all) {
            break;
        }
    }
    page.response.topics.extend(denied);
    page.response
}

/// What makes the whole request wrong.
fn fault(request: &DescribeTopicPartitionsRequest, asked: &BTreeSet<&str>) -> Option<ErrorCode> {
    if let Some(cursor) = &request.cursor {
        let is_asked = request.topics.is_empty() || asked.contains(cursor.topic_name.as_str());
        if !is_asked || cursor.partition_index < 0 {
            return Some(ErrorCode::InvalidRequest);
        }
    }
    // Kafka stumbles over a resource without a name.
    asked.contains("").then_some(ErrorCode::UnknownServerError)
}

/// Each topic with the same error, and nothing else.
fn refusal(
    request: &DescribeTopicPartitionsRequest,
    error: ErrorCode,
) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(topic.name.clone()))
            .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
}

/// Not even whether the topic exists is told.
fn unauthorized(name: &str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
        .with_name(Some(TopicName(text(name))))
        .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
}

/// An answer in the making.
struct Page<'a> {
    view: View<'a>,
    access: &'a Access,
    /// Where the page begins: a topic and an index.
    cursor: Option<(&'a str, i32)>,
    /// How many partitions it can still take.
    room: usize,
    response: DescribeTopicPartitionsResponse,
}

impl Page<'_> {
    /// Adds a topic; false where the page ends.
    fn take(&mut self, name: &str, all: bool) -> bool {
        if self.room == 0 {
            self.end_at(name, 0);
            return false;
        }
        if let Some(topic) = self.view.image.topics.named(name) {
            return self.take_partitions(topic);
        }
        if !all {
            let error = match check_topic_name(name) {
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err(_) => ErrorCode::InvalidTopicException,
            };
            let topic = self.named_topic(name).with_error_code(error.code());
            self.response.topics.push(topic);
        }
        true
    }

    fn take_partitions(&mut self, topic: &TopicImage) -> bool {
        let name = topic.name.as_str();
        let start = self.cursor.filter(|&(from, _)| from == name).map_or(0, |(_, index)| index);
        let count = topic.partitions.len() as i32;
        let end = count.min(start.saturating_add(self.room as i32));
        let view = self.view;
        let partitions: Vec<_> = if start < end {
            let range = topic.partitions.range(PartitionId(start)..PartitionId(end));
            range.map(|(&id, it)| partition(view, id, it)).collect()
        } else {
            Vec::new()
        };
        self.room = self.room.saturating_sub(partitions.len());
        let answered = self.named_topic(name).with_topic_id(topic.id.0);
        self.response.topics.push(answered.with_partitions(partitions));
        if end < count {
            self.end_at(name, end);
        }
        end >= count
    }

    fn named_topic(&self, name: &str) -> DescribeTopicPartitionsResponseTopic {
        let operations = self.access.operations(AclResource::TOPIC, name);
        DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(TopicName(text(name))))
            .with_is_internal(is_internal(name))
            .with_topic_authorized_operations(operations)
    }

    fn end_at(&mut self, name: &str, index: i32) {
        let cursor =
            Cursor::default().with_topic_name(TopicName(text(name))).with_partition_index(index);
        self.response.next_cursor = Some(cursor);
    }
}

fn partition(
    view: View<'_>,
    id: PartitionId,
    partition: &PartitionRegistration,
) -> DescribeTopicPartitionsResponsePartition {
    let has_leader = view.has_listener(partition.leader);
    let leader = if has_leader { partition.leader } else { NodeId::NONE };
    DescribeTopicPartitionsResponsePartition::default()
        .with_partition_index(id.0)
        .with_leader_id(BrokerId(leader.0))
        .with_leader_epoch(partition.leader_epoch.0)
        .with_replica_nodes(ids(&partition.replicas))
        .with_isr_nodes(ids(&partition.isr))
        .with_eligible_leader_replicas(Some(ids(&partition.eligible_leader_replicas)))
        .with_last_known_elr(Some(ids(&partition.last_known_elr)))
        .with_offline_replicas(view.offline_replicas(partition))
}

#[cfg(test)]
mod tests;
