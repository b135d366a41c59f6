//! OffsetFetch (9), versions 1–10: up to where groups have read.
//!
//! KIP-88 (2: all topics of a group, errors of the group), KIP-219 (4), KIP-320 (5: leader epochs), KIP-482 (6:
//! flexible), KIP-447 (7: only what no transaction is about to change), KIP-709 (8: several groups), KIP-848 (9: members
//! of the new protocol, 10: topics by their ids).
//!
//! Deviations from Apache Kafka: all topics of a group come in the order of their names, where Kafka has none.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::groups::offsets::{FetchReply, FetchRequest};
use crate::kernel::groups::requests::{GroupReply, GroupRequest};
use crate::kernel::metadata::image::Image;
use crate::shell::drivers::coordinators::Called;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;
use crate::wire::messages::offset_fetch;

const FIRST_WITH_GROUP_ERROR: i16 = 2;
const FIRST_WITH_GROUPS: i16 = 8;
const INVALID_OFFSET: i64 = -1;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match read(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let require_stable = request.require_stable;
    let mut groups = Vec::with_capacity(request.groups.len().max(1));
    let mut are_settled = true;
    let access = Access::of(ctx, &call);
    for group in groups_of(call.version, request) {
        let allowed = access.group(Operation::DESCRIBE, &group.group_id);
        let (asked, group) = Asked::of(&ctx.image.load(), call.version, &access, group);
        let request = GroupRequest::OffsetFetch(Box::new(FetchRequest { group, require_stable }));
        let called = match allowed {
            Ok(()) => ctx.groups.call_for(&asked.group_id, call.now, request),
            Err(code) => Called::Now(Err(code)),
        };
        are_settled &= matches!(called, Called::Now(_));
        groups.push((asked, called));
    }
    if are_settled {
        let told = groups.into_iter().filter_map(|(asked, called)| match called {
            Called::Now(told) => Some((asked, told)),
            Called::Later(_) => None,
        });
        return give(ctx, &call, told);
    }
    let ctx = Arc::clone(ctx);
    Answer::Later(Box::pin(async move {
        let mut told = Vec::with_capacity(groups.len());
        for (asked, called) in groups {
            told.push((asked, called.told().await));
        }
        give(&ctx, &call, told.into_iter())
    }))
}

fn read(call: &Call, body: Bytes) -> Result<OffsetFetchRequest, Answer> {
    if call.version < offset_fetch::FIRST_WITH_TOPIC_ID {
        return decode(call, body);
    }
    offset_fetch::decode(body).map_err(|error| refuse(call.peer, &error))
}

/// The groups of a request; before version 8 there is one.
fn groups_of(version: i16, request: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version >= FIRST_WITH_GROUPS {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topic = |topic: OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name)
                .with_partition_indexes(topic.partition_indexes)
        };
        topics.into_iter().map(topic).collect()
    });
    vec![OffsetFetchRequestGroup::default().with_group_id(request.group_id).with_topics(topics)]
}

/// What the answer for one group needs beside the coordinator's reply.
struct Asked {
    group_id: GroupId,
    /// Nothing in particular is asked for: all that there is.
    is_all: bool,
    /// What is asked for, where the answer has no other place for an error.
    topics: Vec<OffsetFetchRequestTopics>,
    /// Topics whose ids nobody knows, and those that the sender may not describe.
    refused: Vec<OffsetFetchResponseTopics>,
    access: Access,
}

impl Asked {
    /// And what goes to the coordinator.
    fn of(
        image: &Image,
        version: i16,
        access: &Access,
        mut group: OffsetFetchRequestGroup,
    ) -> (Self, OffsetFetchRequestGroup) {
        let mut refused = Vec::new();
        let by_id = version >= offset_fetch::FIRST_WITH_TOPIC_ID;
        let keeps = version < FIRST_WITH_GROUP_ERROR;
        let topics = group.topics.as_ref().filter(|_| keeps).cloned().unwrap_or_default();
        if let Some(topics) = group.topics.as_mut().filter(|_| by_id) {
            topics.retain_mut(|asked| {
                let Some(topic) = image.topics.of_id(TopicId(asked.topic_id)) else {
                    refused.push(failed(asked, ErrorCode::UnknownTopicId));
                    return false;
                };
                asked.name = TopicName(StrBytes::from_string(topic.name.as_str().to_owned()));
                true
            });
        }
        if let Some(topics) = group.topics.as_mut().filter(|_| !access.is_open()) {
            topics.retain(|asked| {
                let is_allowed = access.topic(Operation::DESCRIBE, &asked.name);
                if !is_allowed {
                    refused.push(failed(asked, ErrorCode::TopicAuthorizationFailed));
                }
                is_allowed
            });
        }
        let (group_id, is_all) = (group.group_id.clone(), group.topics.is_none());
        let access = access.clone();
        (Self { group_id, is_all, topics, refused, access }, group)
    }

    /// The answer for this group.
    fn answer(self, image: &Image, version: i16, told: FetchReply) -> OffsetFetchResponseGroup {
        let answer = OffsetFetchResponseGroup::default().with_group_id(self.group_id);
        match told {
            Ok(mut topics) => {
                topics.extend(self.refused);
                if self.is_all && !self.access.is_open() {
                    topics.retain(|topic| self.access.topic(Operation::DESCRIBE, &topic.name));
                }
                if self.is_all && version >= offset_fetch::FIRST_WITH_TOPIC_ID {
                    topics.retain_mut(|topic| identify(image, topic));
                }
                answer.with_topics(topics)
            }
            Err(code) if version >= FIRST_WITH_GROUP_ERROR => answer.with_error_code(code.code()),
            Err(code) => {
                answer.with_topics(self.topics.iter().map(|asked| failed(asked, code)).collect())
            }
        }
    }
}

/// Gives a topic its id; false if there is no such topic any more, which can then not be named.
fn identify(image: &Image, answered: &mut OffsetFetchResponseTopics) -> bool {
    let topic = image.topics.named(&answered.name);
    topic.map(|topic| answered.topic_id = topic.id.0).is_some()
}

fn failed(asked: &OffsetFetchRequestTopics, code: ErrorCode) -> OffsetFetchResponseTopics {
    let partition = |&index: &i32| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(INVALID_OFFSET)
            .with_metadata(Some(StrBytes::default()))
            .with_error_code(code.code())
    };
    OffsetFetchResponseTopics::default()
        .with_name(asked.name.clone())
        .with_topic_id(asked.topic_id)
        .with_partitions(asked.partition_indexes.iter().map(partition).collect())
}

fn give(
    ctx: &Ctx,
    call: &Call,
    told: impl Iterator<Item = (Asked, Result<GroupReply, ErrorCode>)>,
) -> Answer {
    let image = ctx.image.load();
    let group = |(asked, told): (Asked, _)| match told {
        Ok(GroupReply::OffsetFetch(reply)) => Some(asked.answer(&image, call.version, reply)),
        Err(code) => Some(asked.answer(&image, call.version, Err(for_consumers(code)))),
        Ok(_) => None,
    };
    let Some(groups) = told.map(group).collect() else {
        return refuse(call.peer, &"the coordinator answered something else");
    };
    let response = response(call.version, groups);
    if call.version < offset_fetch::FIRST_WITH_TOPIC_ID {
        return reply::<OffsetFetchRequest>(call, &response);
    }
    Answer::Now(offset_fetch::encode(call.correlation_id, &response))
}

/// Consumers before Kafka 3.9 do not expect COORDINATOR_NOT_AVAILABLE here, but look for the coordinator again when they
/// are told that it is elsewhere.
const fn for_consumers(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
        code => code,
    }
}

fn response(version: i16, groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if version >= FIRST_WITH_GROUPS {
        return response.with_groups(groups);
    }
    let Some(group) = groups.into_iter().next() else { return response };
    let partition = |it: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(it.partition_index)
            .with_committed_offset(it.committed_offset)
            .with_committed_leader_epoch(it.committed_leader_epoch)
            .with_metadata(it.metadata)
            .with_error_code(it.error_code)
    };
    let topic = |topic: OffsetFetchResponseTopics| {
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    };
    response
        .with_error_code(group.error_code)
        .with_topics(group.topics.into_iter().map(topic).collect())
}
