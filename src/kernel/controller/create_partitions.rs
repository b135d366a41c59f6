//! CreatePartitions: a topic gets more partitions, on the brokers that the request names or where there is room.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::create_topics::{check_any_active, check_assignment, none_active};
use super::placement::{Random, place};
use super::requests::text;
use super::view::View;
use super::{Decided, RECORDS_MAX, Refusal, Reply, too_large};
use crate::kernel::metadata::image::TopicImage;
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;
use crate::wire::records::MetadataRecord;

/// Decides on the request.
pub fn create_partitions(
    view: &View<'_>,
    request: &CreatePartitionsRequest,
    random: Random<'_>,
) -> Result<Decided, Refusal> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &request.topics {
        *counts.entry(&topic.name).or_default() += 1;
    }
    let mut answered = BTreeSet::new();
    let mut records = Vec::new();
    let mut results = Vec::new();
    for topic in &request.topics {
        let name: &str = &topic.name;
        if !answered.insert(name) {
            continue;
        }
        let done = if counts.get(name) == Some(&1) {
            let room = RECORDS_MAX - records.len();
            extend(view, topic, room, &mut records, random)?
        } else {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        };
        results.push(result(topic, done));
    }
    if request.validate_only {
        records.clear();
    }
    let reply = CreatePartitionsResponse::default().with_results(results);
    Ok(Decided { records, reply: Reply::CreatePartitions(reply) })
}

fn result(topic: &CreatePartitionsTopic, done: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
    match done {
        Ok(()) => result,
        Err(refusal) => result
            .with_error_code(refusal.code.code())
            .with_error_message(refusal.message.map(text)),
    }
}

/// Appends the records of one topic's new partitions. The outer error refuses the whole request.
fn extend(
    view: &View<'_>,
    asked: &CreatePartitionsTopic,
    room: usize,
    records: &mut Vec<MetadataRecord>,
    random: Random<'_>,
) -> Result<Result<(), Refusal>, Refusal> {
    let topic = match check_count(view, asked) {
        Ok(topic) => topic,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let from = topic.partitions.len() as i32;
    let additional = (asked.count - from) as usize;
    // Kafka finds out when its list of records is full; nothing is placed before we know.
    if additional > room {
        return Err(too_large());
    }
    let new = replicas(view, asked, topic, additional, random).and_then(|replicas| {
        let partition = |(index, replicas): (usize, &Vec<NodeId>)| {
            let id = from + index as i32;
            view.new_partition(topic.id.0, id, replicas).ok_or_else(|| none_active(replicas))
        };
        replicas.iter().enumerate().map(partition).collect::<Result<Vec<_>, _>>()
    });
    Ok(new.map(|new| records.extend(new.into_iter().map(MetadataRecord::from))))
}

/// The topic, if it would have more partitions than now.
fn check_count<'a>(
    view: &View<'a>,
    asked: &CreatePartitionsTopic,
) -> Result<&'a TopicImage, Refusal> {
    let name: &str = &asked.name;
    let unknown = Refusal { code: ErrorCode::UnknownTopicOrPartition, message: None };
    let topic = view.image.topics.named(name).ok_or(unknown)?;
    let (have, count) = (topic.partitions.len(), asked.count);
    let refuse = |message| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    if i64::from(count) == have as i64 {
        return refuse(format!("Topic already has {have} partition(s)."));
    }
    if i64::from(count) < have as i64 {
        return refuse(format!(
            "The topic {name} currently has {have} partition(s); {count} would not be an increase."
        ));
    }
    Ok(topic)
}

/// The brokers of each new partition.
fn replicas(
    view: &View<'_>,
    asked: &CreatePartitionsTopic,
    topic: &TopicImage,
    additional: usize,
    random: Random<'_>,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let factor = topic.partitions.values().next().map_or(0, |partition| partition.replicas.len());
    let Some(assignments) = &asked.assignments else {
        let factor = i16::try_from(factor).unwrap_or(i16::MAX);
        return place(view, additional, factor, random)
            .map_err(|why| Refusal::new(ErrorCode::InvalidReplicationFactor, why));
    };
    if assignments.len() != additional {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicaAssignment,
            format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            ),
        ));
    }
    let mut replicas = Vec::with_capacity(additional);
    for (index, assignment) in assignments.iter().enumerate() {
        let brokers: Vec<NodeId> = assignment.broker_ids.iter().map(|id| NodeId(id.0)).collect();
        check_assignment(view, &brokers, Some(factor))?;
        check_any_active(view, &brokers, (topic.partitions.len() + index) as i32)?;
        replicas.push(brokers);
    }
    Ok(replicas)
}
