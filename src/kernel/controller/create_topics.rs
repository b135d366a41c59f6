//! CreateTopics: names, counts, assignments and configuration are checked, replicas placed, records made.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use uuid::Uuid;

use super::configs;
use super::placement::{Random, place};
use super::requests::text;
use super::topic_names::{check_topic_name, has_collision_chars, unify_collision_chars};
use super::view::View;
use super::{Decided, RECORDS_MAX, Refusal, Reply, too_large};
use crate::kernel::configs::definition::{Definition, TOPIC};
use crate::kernel::configs::layers::{BrokerLayers, Source, Texts};
use crate::kernel::configs::topic::synonyms;
use crate::kernel::configs::value::java_trim;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, TopicName, uuid_from_random};
use crate::wire::records::{MetadataRecord, PartitionRecord, TopicRecord};

/// One request creates no more partitions, as in Kafka.
const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;
/// So many draws for the id of a topic, before chance is taken to be broken.
const TOPIC_ID_DRAWS_MAX: usize = 64;

/// Decides on the request.
pub fn create_topics(
    view: &View<'_>,
    request: &CreateTopicsRequest,
    random: Random<'_>,
) -> Result<Decided, Refusal> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &request.topics {
        *counts.entry(&topic.name).or_default() += 1;
    }
    let is_once = |name: &str| counts.get(name) == Some(&1);
    let is_allowed =
        |topic: &&CreatableTopic| is_once(&topic.name) && &**topic.name != TopicName::METADATA;
    let allowed: Vec<&CreatableTopic> = request.topics.iter().filter(is_allowed).collect();
    check_partition_count(view, &allowed)?;
    let existing = colliding(view, &allowed);
    let mut records = Vec::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in allowed {
        let new = check_name(view, &existing, &topic.name)
            .and_then(|()| create_topic(view, topic, &mut records, random));
        if records.len() > RECORDS_MAX {
            return Err(too_large());
        }
        results.push(new.unwrap_or_else(|refusal| refused(topic, refusal)));
    }
    let twice: BTreeSet<&str> =
        counts.iter().filter(|(_, count)| **count > 1).map(|(name, _)| *name).collect();
    let mut answered = BTreeSet::new();
    for topic in &request.topics {
        let name: &str = &topic.name;
        let message = if twice.contains(name) && answered.insert(name) {
            "Duplicate topic name.".to_owned()
        } else if is_once(name) && name == TopicName::METADATA {
            format!("Creation of internal topic {name} is prohibited.")
        } else {
            continue;
        };
        results.push(refused(topic, Refusal::new(ErrorCode::InvalidRequest, message)));
    }
    if request.validate_only {
        records.clear();
    }
    let reply = Reply::CreateTopics(CreateTopicsResponse::default().with_topics(results));
    Ok(Decided { records, reply })
}

/// All entries count, also those that will be refused.
fn check_partition_count(view: &View<'_>, topics: &[&CreatableTopic]) -> Result<(), Refusal> {
    let count = |topic: &&CreatableTopic| match topic.num_partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len() as i64,
        -1 => i64::from(view.config.num_partitions),
        count => i64::from(count.max(0)),
    };
    if topics.iter().map(count).sum::<i64>() > PARTITIONS_PER_REQUEST_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
}

fn refused(topic: &CreatableTopic, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(refusal.code.code())
        .with_error_message(refusal.message.map(text))
}

/// Existing topics by their unified names, where a new name could collide.
fn colliding<'a>(view: &View<'a>, topics: &[&CreatableTopic]) -> BTreeMap<String, &'a str> {
    if !topics.iter().any(|topic| has_collision_chars(&topic.name)) {
        return BTreeMap::new();
    }
    let names = view.image.topics.by_name.keys().map(TopicName::as_str);
    let able = names.filter(|name| has_collision_chars(name));
    able.map(|name| (unify_collision_chars(name), name)).collect()
}

/// Of several mistakes the last one is told, as in Kafka.
fn check_name(
    view: &View<'_>,
    existing: &BTreeMap<String, &str>,
    name: &str,
) -> Result<(), Refusal> {
    if view.image.topics.named(name).is_some() {
        let message = format!("Topic '{name}' already exists.");
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
    }
    let invalid = |message| Refusal::new(ErrorCode::InvalidTopicException, message);
    let other = existing.get(&unify_collision_chars(name));
    if let Some(other) = other.filter(|_| has_collision_chars(name)) {
        return Err(invalid(format!("Topic '{name}' collides with existing topic: {other}")));
    }
    check_topic_name(name).map_err(invalid)
}

/// Appends the records of one topic, if it can be created.
fn create_topic(
    view: &View<'_>,
    topic: &CreatableTopic,
    records: &mut Vec<MetadataRecord>,
    random: Random<'_>,
) -> Result<CreatableTopicResult, Refusal> {
    let configs = creation_configs(topic)?;
    let config_records = configs::of_new_topic(view, &topic.name, &configs)?;
    let replicas = replicas(view, topic, random)?;
    let topic_id = topic_id(random)?;
    let partitions = partitions(view, topic, topic_id, &replicas)?;
    let result = CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic_id)
        .with_error_message(None)
        .with_num_partitions(partitions.len() as i32)
        .with_replication_factor(replicas.first().map_or(0, Vec::len) as i16)
        .with_configs(Some(effective_configs(&view.layers(), &configs)));
    records.push(TopicRecord { name: topic.name.to_string(), topic_id }.into());
    records.extend(config_records);
    records.extend(partitions.into_iter().map(MetadataRecord::from));
    Ok(result)
}

/// The configuration as the request has it. Of a key that is there twice the last value counts.
fn creation_configs(topic: &CreatableTopic) -> Result<Texts, Refusal> {
    let mut configs = Texts::new();
    let mut nulls: Vec<&str> = Vec::new();
    for config in &topic.configs {
        match &config.value {
            Some(value) => _ = configs.insert(config.name.to_string(), value.to_string()),
            None => nulls.push(&config.name),
        }
    }
    if nulls.is_empty() {
        return Ok(configs);
    }
    let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
    Err(Refusal::new(ErrorCode::InvalidConfig, message))
}

/// The brokers of each partition, in the order of the partitions.
fn replicas(
    view: &View<'_>,
    topic: &CreatableTopic,
    random: Random<'_>,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    if !topic.assignments.is_empty() {
        return assigned(view, topic);
    }
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    }
    let count = match topic.num_partitions {
        -1 => view.config.num_partitions,
        count => count,
    };
    let factor = match topic.replication_factor {
        -1 => view.config.default_replication_factor as i16,
        factor => factor,
    };
    place(view, count.max(0) as usize, factor, random).map_err(|why| {
        let message = format!("Unable to replicate the partition {factor} time(s): {why}");
        Refusal::new(ErrorCode::InvalidReplicationFactor, message)
    })
}

fn assigned(view: &View<'_>, topic: &CreatableTopic) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let instead = if topic.replication_factor != -1 {
        "replication factor"
    } else if topic.num_partitions != -1 {
        "numPartitions"
    } else {
        ""
    };
    if !instead.is_empty() {
        let message = format!(
            "A manual partition assignment was specified, but {instead} was not set to -1."
        );
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    let invalid = |message| Refusal::new(ErrorCode::InvalidReplicaAssignment, message);
    let mut by_partition: BTreeMap<i32, Vec<NodeId>> = BTreeMap::new();
    let mut factor = None;
    for CreatableReplicaAssignment { partition_index: index, broker_ids, .. } in &topic.assignments
    {
        if by_partition.contains_key(index) {
            return Err(invalid(format!(
                "Found multiple manual partition assignments for partition {index}"
            )));
        }
        let replicas: Vec<NodeId> = broker_ids.iter().map(|id| NodeId(id.0)).collect();
        check_assignment(view, &replicas, factor)?;
        factor = Some(replicas.len());
        check_any_active(view, &replicas, *index)?;
        by_partition.insert(*index, replicas);
    }
    if !by_partition.keys().copied().eq(0..by_partition.len() as i32) {
        let message = "partitions should be a consecutive 0-based integer sequence";
        return Err(invalid(message.to_owned()));
    }
    Ok(by_partition.into_values().collect())
}

/// Refuses an assignment of which no broker could lead.
pub fn check_any_active(
    view: &View<'_>,
    replicas: &[NodeId],
    partition: i32,
) -> Result<(), Refusal> {
    if replicas.iter().any(|id| view.is_active(*id)) {
        return Ok(());
    }
    let message = format!(
        "All brokers specified in the manual partition assignment for partition {partition} are fenced or in \
         controlled shutdown."
    );
    Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message))
}

/// Whether a partition can be assigned to these brokers; `factor` is how many it must have.
pub fn check_assignment(
    view: &View<'_>,
    replicas: &[NodeId],
    factor: Option<usize>,
) -> Result<(), Refusal> {
    let refuse = |why: String| {
        let message = format!("The manual partition assignment includes {why}");
        Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message))
    };
    if replicas.is_empty() {
        return refuse("an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for id in &sorted {
        if view.broker(*id).is_none() {
            return refuse(format!("broker {id}, but no such broker is registered."));
        }
        if previous == Some(id) {
            return refuse(format!("the broker {id} more than once."));
        }
        previous = Some(id);
    }
    match factor {
        Some(factor) if factor != replicas.len() => refuse(format!(
            "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
             {factor} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

fn topic_id(random: Random<'_>) -> Result<Uuid, Refusal> {
    let mut draws = (0..TOPIC_ID_DRAWS_MAX).filter_map(|_| uuid_from_random(random()));
    draws.next().ok_or(Refusal { code: ErrorCode::UnknownServerError, message: None })
}

fn partitions(
    view: &View<'_>,
    topic: &CreatableTopic,
    topic_id: Uuid,
    replicas: &[Vec<NodeId>],
) -> Result<Vec<PartitionRecord>, Refusal> {
    let partition = |(index, replicas): (usize, &Vec<NodeId>)| {
        view.new_partition(topic_id, index as i32, replicas).ok_or_else(|| none_active(replicas))
    };
    debug_assert!(topic.assignments.is_empty() || topic.assignments.len() == replicas.len());
    replicas.iter().enumerate().map(partition).collect()
}

/// No broker that a partition was placed on is active.
pub fn none_active(replicas: &[NodeId]) -> Refusal {
    let message = format!(
        "Unable to replicate the partition {} time(s): All brokers are currently fenced or in controlled shutdown.",
        replicas.len()
    );
    Refusal::new(ErrorCode::InvalidReplicationFactor, message)
}

/// What the new topic's configuration will be, key by key: as Kafka's controller tells it, which is simpler than the
/// rows of DescribeConfigs.
fn effective_configs(layers: &BrokerLayers<'_>, own: &Texts) -> Vec<CreatableTopicConfigs> {
    let is_shown =
        |definition: &&&Definition| !definition.internal || own.contains_key(definition.name);
    let row = |definition: &&Definition| {
        let (value, source) = effective(layers, own, definition);
        CreatableTopicConfigs::default()
            .with_name(text(definition.name))
            .with_value(value.filter(|_| !definition.is_sensitive()).map(text))
            .with_read_only(false)
            .with_config_source(source as i8)
            .with_is_sensitive(definition.is_sensitive())
    };
    TOPIC.values().filter(is_shown).map(row).collect()
}

fn effective(
    layers: &BrokerLayers<'_>,
    own: &Texts,
    definition: &Definition,
) -> (Option<String>, Source) {
    if let Some(value) = own.get(definition.name) {
        return (Some(value.clone()), Source::Topic);
    }
    for (source, texts) in layers.layers() {
        for (key, factor) in synonyms(definition.name) {
            if let Some(value) = texts.get(*key) {
                return (Some(converted(value, *factor)), source);
            }
        }
    }
    (definition.default_text().map(str::to_owned), Source::Default)
}

/// A value in the topic key's unit.
fn converted(value: &str, factor: i64) -> String {
    match java_trim(value).parse::<i64>() {
        Ok(number) if factor != 1 => number.saturating_mul(factor).to_string(),
        _ => value.to_owned(),
    }
}
