//! Decides changes of the metadata: (image, request, now) to records and a reply.
//!
//! Requests and replies are the messages of the protocol crate; handlers deal with versions and with the wire.

use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterConfigsRequest,
    AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, UpdateFeaturesRequest,
    UpdateFeaturesResponse,
};

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
    /// AllocateProducerIds.
    AllocateProducerIds(AllocateProducerIdsResponse),
}
