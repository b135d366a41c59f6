//! Metadata (3), versions 0–13: the brokers, and the topics with their leaders.
//!
//! 1: null means all topics, an empty list none; controller, racks. 4: KIP-361, no creation unless allowed. 5: KIP-112,
//! offline replicas. 6: a leader without the listener is error 72, not 5. 7: KIP-320, leader epochs. 8–10: KIP-430,
//! permitted operations (of the cluster up to 10 only: KIP-700). 10, 12: KIP-516, topic ids, in requests too. 13:
//! KIP-1102, an error of its own. Deviations from Apache Kafka: topics are answered in the order in which they were
//! asked for, and all topics by name, where Kafka has no order; no more than [`TOPICS_IN_FLIGHT_MAX`] topics are in the
//! making at once; the topic of share groups is not made, since there are none; clients are never told to bootstrap anew
//! (error 129).
//!
//! [`TOPICS_IN_FLIGHT_MAX`]: super::auto_creation::TOPICS_IN_FLIGHT_MAX

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use uuid::Uuid;

use super::auto_creation;
use super::view::{OPERATIONS_NOT_ASKED, View, ids, is_internal};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::{Ctx, NodeInfo};
use crate::kernel::configs::internal_topics::InternalTopic;
use crate::kernel::controller::topic_names::check_topic_name;
use crate::kernel::metadata::image::{PartitionRegistration, TopicImage};
use crate::types::acls::{Operation, ResourceType};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId, TopicId};

/// Answers, and has the controller make what is missing and may be made.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request = match decode::<MetadataRequest>(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (image, config) = (ctx.image.load(), ctx.config.load());
    let view = View { image: &image, listener: &call.listener };
    let access = Access::of(ctx, call);
    let may_create = config.auto_create_topics_enable && request.allow_auto_topic_creation;
    let asked =
        Asked { view, version: call.version, request: &request, access: &access, may_create };
    let (response, to_create) = asked.answer(&ctx.node);
    auto_creation::create(ctx, to_create);
    reply::<MetadataRequest>(call, &response)
}

/// A request and what it is answered from.
struct Asked<'a> {
    view: View<'a>,
    version: i16,
    request: &'a MetadataRequest,
    access: &'a Access,
    /// Whether topics that there are not come to be.
    may_create: bool,
}

impl Asked<'_> {
    /// The answer, and the topics that are to be made.
    fn answer(&self, node: &NodeInfo) -> (MetadataResponse, Vec<String>) {
        if let Some(error) = self.fault() {
            return (self.refusal(error), Vec::new());
        }
        let (topics, missing) = self.topics();
        let to_create = if self.may_create { missing } else { Vec::new() };
        let cluster_operations = match self.version {
            8..=10 if self.request.include_cluster_authorized_operations => {
                self.access.cluster_operations()
            }
            _ => OPERATIONS_NOT_ASKED,
        };
        let response = MetadataResponse::default()
            .with_brokers(self.brokers())
            .with_cluster_id(Some(text(&*node.cluster_id)))
            .with_controller_id(BrokerId(self.view.controller(node.node_id).0))
            .with_topics(topics)
            .with_cluster_authorized_operations(cluster_operations);
        (response, to_create)
    }

    /// What makes the whole request wrong. Where ids are given, names count for nothing.
    fn fault(&self) -> Option<ErrorCode> {
        let topics = self.request.topics.as_deref()?;
        let has_null = topics.iter().any(|topic| topic.name.is_none());
        let has_id = topics.iter().any(|topic| !topic.topic_id.is_nil());
        match self.version {
            ..=11 => (has_null || has_id).then_some(ErrorCode::InvalidRequest),
            // Kafka stumbles over the null.
            _ => (has_null && !has_id).then_some(ErrorCode::UnknownServerError),
        }
    }

    /// Each topic with the same error, and nothing else.
    fn refusal(&self, error: ErrorCode) -> MetadataResponse {
        let refused = |topic: &MetadataRequestTopic| {
            let name = topic.name.clone().unwrap_or_default();
            MetadataResponseTopic::default()
                .with_error_code(error.code())
                .with_name(Some(name))
                .with_topic_id(topic.topic_id)
        };
        let topics = self.request.topics.iter().flatten().map(refused).collect();
        MetadataResponse::default().with_topics(topics)
    }

    fn brokers(&self) -> Vec<MetadataResponseBroker> {
        let live = self.view.nodes().filter(|(broker, _)| !broker.fenced);
        let broker = live.map(|(broker, endpoint)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(broker.id.0))
                .with_host(text(endpoint.host.as_str()))
                .with_port(i32::from(endpoint.port))
                .with_rack(broker.rack.as_deref().map(text))
        });
        broker.collect()
    }

    /// The topics that were asked for, and the names of those that are missing and could be made.
    fn topics(&self) -> (Vec<MetadataResponseTopic>, Vec<String>) {
        let topics = &self.view.image.topics;
        let asked = match self.request.topics.as_deref() {
            Some([]) if self.version == 0 => None,
            asked => asked,
        };
        let Some(asked) = asked else {
            let all = topics.by_name.values().filter(|topic| {
                let name = topic.name.as_str();
                let kind = ResourceType::TOPIC;
                !topic.partitions.is_empty() && self.access.may_see(Operation::DESCRIBE, kind, name)
            });
            return (all.map(|topic| self.topic(topic)).collect(), Vec::new());
        };
        if asked.iter().any(|topic| !topic.topic_id.is_nil()) {
            return (self.topics_of_ids(asked), Vec::new());
        }
        let (mut found, mut missing, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let may_create_any = self.access.may_on_cluster(Operation::CREATE);
        for name in asked.iter().flat_map(|topic| &topic.name) {
            if !seen.insert(name.as_str()) {
                continue;
            }
            if !self.access.topic(Operation::DESCRIBE, name) {
                found.push(denied(Some(name.clone()), false));
                continue;
            }
            match topics.named(name).filter(|topic| !topic.partitions.is_empty()) {
                Some(topic) => found.push(self.topic(topic)),
                None if self.may_create
                    && !may_create_any
                    && !self.access.topic(Operation::CREATE, name) =>
                {
                    found.push(denied(Some(name.clone()), is_internal(name)));
                }
                None => found.push(self.unknown(name, &mut missing)),
            }
        }
        (found, missing)
    }

    fn topics_of_ids(&self, asked: &[MetadataRequestTopic]) -> Vec<MetadataResponseTopic> {
        let mut seen = BTreeSet::new();
        let ids = asked.iter().map(|topic| topic.topic_id);
        let ids = ids.filter(|id| !id.is_nil() && seen.insert(*id));
        ids.map(|id| match self.view.image.topics.of_id(TopicId(id)) {
            Some(topic) if !self.access.topic(Operation::DESCRIBE, topic.name.as_str()) => {
                denied(None, false).with_topic_id(id)
            }
            Some(topic) => self.topic(topic),
            None => MetadataResponseTopic::default()
                .with_error_code(ErrorCode::UnknownTopicId.code())
                .with_name(None)
                .with_topic_id(id),
        })
        .collect()
    }

    fn topic(&self, topic: &TopicImage) -> MetadataResponseTopic {
        let partitions = topic.partitions.iter().map(|(&id, it)| self.partition(id, it)).collect();
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(text(topic.name.as_str()))))
            .with_topic_id(topic.id.0)
            .with_is_internal(is_internal(topic.name.as_str()))
            .with_partitions(partitions)
            .with_topic_authorized_operations(self.operations(topic.name.as_str()))
    }

    fn unknown(&self, name: &TopicName, missing: &mut Vec<String>) -> MetadataResponseTopic {
        let error = if check_topic_name(name).is_err() {
            ErrorCode::InvalidTopicException
        } else {
            if !is_internal(name) || InternalTopic::named(name).is_some() {
                missing.push(name.as_str().to_owned());
            }
            ErrorCode::UnknownTopicOrPartition
        };
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(name.clone()))
            .with_topic_id(Uuid::nil())
            .with_is_internal(is_internal(name))
            .with_topic_authorized_operations(self.operations(name))
    }

    fn operations(&self, name: &str) -> i32 {
        let is_asked = self.version >= 8 && self.request.include_topic_authorized_operations;
        if is_asked {
            self.access.operations(ResourceType::TOPIC, name)
        } else {
            OPERATIONS_NOT_ASKED
        }
    }

    fn partition(
        &self,
        id: PartitionId,
        partition: &PartitionRegistration,
    ) -> MetadataResponsePartition {
        let replicas = self.named(&partition.replicas);
        let isr = self.named(&partition.isr);
        let is_known = self.view.image.brokers.contains_key(&partition.leader);
        let has_leader = self.view.has_listener(partition.leader);
        let some_unnamed =
            replicas.len() < partition.replicas.len() || isr.len() < partition.isr.len();
        let error = match (has_leader, is_known) {
            (true, _) if some_unnamed => ErrorCode::ReplicaNotAvailable,
            (true, _) => ErrorCode::None,
            (false, true) if self.version >= 6 => ErrorCode::ListenerNotFound,
            (false, _) => ErrorCode::LeaderNotAvailable,
        };
        let leader = if has_leader { partition.leader } else { NodeId::NONE };
        MetadataResponsePartition::default()
            .with_error_code(error.code())
            .with_partition_index(id.0)
            .with_leader_id(BrokerId(leader.0))
            .with_leader_epoch(partition.leader_epoch.0)
            .with_replica_nodes(replicas)
            .with_isr_nodes(isr)
            .with_offline_replicas(self.view.offline_replicas(partition))
    }

    /// Version 0 names only brokers that can be reached, and says so with an error.
    fn named(&self, nodes: &[NodeId]) -> Vec<BrokerId> {
        if self.version > 0 {
            return ids(nodes);
        }
        let reachable = nodes.iter().filter(|&&id| self.view.is_reachable(id));
        reachable.map(|id| BrokerId(id.0)).collect()
    }
}

/// What is told of a topic to who may not know of it, or may not make it. By its id it has no name (KIP-516).
fn denied(name: Option<TopicName>, is_internal: bool) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
        .with_name(name)
        .with_is_internal(is_internal)
        .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
}

#[cfg(test)]
mod tests;
