//! What the controller is asked and what it answers: the messages of the protocol crate, without their versions.

use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Altered;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementallyAltered;
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterConfigsRequest,
    AlterConfigsResponse, CreateAclsRequest, CreateAclsResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteAclsRequest,
    DeleteAclsResponse, DeleteTopicsRequest, DeleteTopicsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, UpdateFeaturesRequest, UpdateFeaturesResponse,
    alter_configs_request, create_partitions_request, incremental_alter_configs_request,
};
use kafka_protocol::protocol::StrBytes;

use super::Refusal;

/// What the controller is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// CreateTopics.
    CreateTopics(CreateTopicsRequest),
    /// DeleteTopics.
    DeleteTopics(DeleteTopicsRequest),
    /// CreatePartitions.
    CreatePartitions(CreatePartitionsRequest),
    /// IncrementalAlterConfigs, as far as the broker has left it to the controller.
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    /// AlterConfigs, as far as the broker has left it to the controller.
    AlterConfigs(AlterConfigsRequest),
    /// UpdateFeatures.
    UpdateFeatures(UpdateFeaturesRequest),
    /// CreateAcls.
    CreateAcls(CreateAclsRequest),
    /// DeleteAcls.
    DeleteAcls(DeleteAclsRequest),
    /// AllocateProducerIds: the next block.
    AllocateProducerIds(AllocateProducerIdsRequest),
}

/// What the controller answers: the variant of the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// CreateTopics.
    CreateTopics(CreateTopicsResponse),
    /// DeleteTopics.
    DeleteTopics(DeleteTopicsResponse),
    /// CreatePartitions.
    CreatePartitions(CreatePartitionsResponse),
    /// IncrementalAlterConfigs.
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    /// AlterConfigs.
    AlterConfigs(AlterConfigsResponse),
    /// UpdateFeatures.
    UpdateFeatures(UpdateFeaturesResponse),
    /// CreateAcls.
    CreateAcls(CreateAclsResponse),
    /// DeleteAcls.
    DeleteAcls(DeleteAclsResponse),
    /// AllocateProducerIds.
    AllocateProducerIds(AllocateProducerIdsResponse),
}

/// A text of our own for an answer.
pub fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

impl Request {
    /// The answer where nothing of the request is done: each of its entries is refused.
    pub fn refused(&self, refusal: &Refusal) -> Reply {
        let code = refusal.code.code();
        let message = refusal.message.clone().map(text);
        match self {
            Self::CreateTopics(request) => Reply::CreateTopics(create_topics(request, refusal)),
            Self::DeleteTopics(request) => Reply::DeleteTopics(delete_topics(request, code)),
            Self::CreatePartitions(request) => {
                let result = |topic: &create_partitions_request::CreatePartitionsTopic| {
                    CreatePartitionsTopicResult::default()
                        .with_name(topic.name.clone())
                        .with_error_code(code)
                        .with_error_message(message.clone())
                };
                let results = request.topics.iter().map(result).collect();
                Reply::CreatePartitions(CreatePartitionsResponse::default().with_results(results))
            }
            Self::IncrementalAlterConfigs(request) => {
                let response =
                    |resource: &incremental_alter_configs_request::AlterConfigsResource| {
                        IncrementallyAltered::default()
                            .with_resource_type(resource.resource_type)
                            .with_resource_name(resource.resource_name.clone())
                            .with_error_code(code)
                            .with_error_message(message.clone())
                    };
                let responses = request.resources.iter().map(response).collect();
                Reply::IncrementalAlterConfigs(
                    IncrementalAlterConfigsResponse::default().with_responses(responses),
                )
            }
            Self::AlterConfigs(request) => {
                let response = |resource: &alter_configs_request::AlterConfigsResource| {
                    Altered::default()
                        .with_resource_type(resource.resource_type)
                        .with_resource_name(resource.resource_name.clone())
                        .with_error_code(code)
                        .with_error_message(message.clone())
                };
                let responses = request.resources.iter().map(response).collect();
                Reply::AlterConfigs(AlterConfigsResponse::default().with_responses(responses))
            }
            Self::UpdateFeatures(_) => Reply::UpdateFeatures(
                UpdateFeaturesResponse::default().with_error_code(code).with_error_message(message),
            ),
            Self::CreateAcls(request) => {
                let result =
                    AclCreationResult::default().with_error_code(code).with_error_message(message);
                let results = vec![result; request.creations.len()];
                Reply::CreateAcls(CreateAclsResponse::default().with_results(results))
            }
            Self::DeleteAcls(request) => {
                let result = DeleteAclsFilterResult::default()
                    .with_error_code(code)
                    .with_error_message(message);
                let results = vec![result; request.filters.len()];
                Reply::DeleteAcls(DeleteAclsResponse::default().with_filter_results(results))
            }
            Self::AllocateProducerIds(_) => Reply::AllocateProducerIds(
                AllocateProducerIdsResponse::default().with_error_code(code),
            ),
        }
    }
}

fn create_topics(request: &CreateTopicsRequest, refusal: &Refusal) -> CreateTopicsResponse {
    let result = |topic: &kafka_protocol::messages::create_topics_request::CreatableTopic| {
        CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(refusal.code.code())
            .with_error_message(refusal.message.clone().map(text))
    };
    CreateTopicsResponse::default().with_topics(request.topics.iter().map(result).collect())
}

/// Kafka sends no words in this case.
fn delete_topics(request: &DeleteTopicsRequest, code: i16) -> DeleteTopicsResponse {
    let result = || DeletableTopicResult::default().with_error_code(code);
    let named = request.topic_names.iter().map(|name| result().with_name(Some(name.clone())));
    let states = request
        .topics
        .iter()
        .map(|topic| result().with_name(topic.name.clone()).with_topic_id(topic.topic_id));
    DeleteTopicsResponse::default().with_responses(named.chain(states).collect())
}
