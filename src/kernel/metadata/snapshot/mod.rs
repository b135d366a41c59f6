//! The records that say an image, in the order in which Kafka writes them: features, `metadata.version` before all,
//! since it says how the others are to be written; brokers, controllers; each topic and its partitions; configuration;
//! quotas; producer ids; ACLs, credentials and tokens.

use bytes::Bytes;

use super::image::{Image, TopicImage};
use super::{brokers, carried, topics};
use crate::types::ids::ProducerId;
use crate::wire::records::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, ProducerIdsRecord, TopicRecord,
};

/// The name of the feature which says how records are written.
pub const METADATA_VERSION: &str = "metadata.version";

/// Records which, replayed into an empty image, give this one.
pub fn snapshot_records(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    let brokers = image.brokers.values().map(|broker| brokers::to_record(broker).into());
    let controllers =
        image.controllers.values().map(|node| brokers::controller_to_record(node).into());
    let (quotas, others): (Vec<_>, Vec<_>) =
        image.carried.iter().partition(|(key, _)| carried::is_quota(key));
    features(image)
        .chain(brokers)
        .chain(controllers)
        .chain(image.topics.by_name.values().flat_map(|topic| topic_records(topic)))
        .chain(configs(image))
        .chain(read(quotas))
        .chain(producer_ids(image))
        .chain(image.acls.iter().map(|rule| rule.to_record().into()))
        .chain(read(others))
}

fn features(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    let record = |(name, &feature_level): (&String, &i16)| {
        FeatureLevelRecord { name: name.clone(), feature_level }.into()
    };
    let first = image.features.get_key_value(METADATA_VERSION).map(record);
    let others = image.features.iter().filter(|(name, _)| *name != METADATA_VERSION);
    first.into_iter().chain(others.map(record))
}

fn topic_records(topic: &TopicImage) -> impl Iterator<Item = MetadataRecord> {
    let record = TopicRecord { name: topic.name.as_str().to_owned(), topic_id: topic.id.0 };
    let partitions = topic.partitions.iter();
    let partitions =
        partitions.map(|(&id, partition)| topics::to_record(topic.id, id, partition).into());
    std::iter::once(record.into()).chain(partitions)
}

fn configs(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    image.configs.iter().flat_map(|(resource, texts)| {
        texts.iter().map(|(name, value)| {
            MetadataRecord::Config(ConfigRecord {
                resource_type: resource.kind,
                resource_name: resource.name.clone(),
                name: name.clone(),
                value: Some(value.clone()),
            })
        })
    })
}

/// Of a snapshot, a block belongs to nobody.
fn producer_ids(image: &Image) -> Option<MetadataRecord> {
    let next = image.next_producer_id;
    let record = ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id: next.0 };
    (next > ProducerId(0)).then(|| record.into())
}

/// They were written by [`carried`], so they read.
fn read<'a>(
    values: Vec<(&'a Vec<u8>, &'a Bytes)>,
) -> impl Iterator<Item = MetadataRecord> + use<'a> {
    values.into_iter().filter_map(|(_, value)| MetadataRecord::decode(value).ok())
}

#[cfg(test)]
mod tests;
