//! DeleteTopics: names and ids are resolved, and each topic goes with its partitions and configuration.

use std::collections::BTreeMap;

use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use uuid::Uuid;

use super::requests::text;
use super::view::View;
use super::{Decided, RECORDS_MAX, Refusal, Reply, too_large};
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicId;
use crate::wire::records::RemoveTopicRecord;

/// Decides on the request.
pub fn delete_topics(view: &View<'_>, request: &DeleteTopicsRequest) -> Result<Decided, Refusal> {
    if !view.config.delete_topic_enable {
        return Err(Refusal { code: ErrorCode::TopicDeletionDisabled, message: None });
    }
    let mut responses = Vec::new();
    let (mut names, mut ids) = (Asked::nothing(), Asked::nothing());
    for name in &request.topic_names {
        names.add(name);
    }
    for topic in &request.topics {
        match &topic.name {
            None if topic.topic_id.is_nil() => {
                let why = "Neither topic name nor id were specified.";
                responses.push(refused(None, Uuid::nil(), invalid(why)));
            }
            None => ids.add(topic.topic_id),
            Some(name) if topic.topic_id.is_nil() => names.add(name),
            Some(name) => {
                let why = "You may not specify both topic name and topic id.";
                responses.push(refused(Some(name), topic.topic_id, invalid(why)));
            }
        }
    }
    for name in names.twice() {
        responses.push(refused(Some(name), Uuid::nil(), invalid("Duplicate topic name.")));
    }
    for id in ids.twice() {
        responses.push(refused(None, *id, invalid("Duplicate topic id.")));
    }
    let doomed = resolve(view, &names, &ids, &mut responses);
    if doomed.len() > RECORDS_MAX {
        return Err(too_large());
    }
    let mut records = Vec::with_capacity(doomed.len());
    for (topic_id, name) in doomed {
        records.push(RemoveTopicRecord { topic_id }.into());
        responses
            .push(DeletableTopicResult::default().with_name(Some(name)).with_topic_id(topic_id));
    }
    let reply = Reply::DeleteTopics(DeleteTopicsResponse::default().with_responses(responses));
    Ok(Decided { records, reply })
}

/// What is asked for, and how often.
struct Asked<T>(BTreeMap<T, usize>);

impl<T: Ord> Asked<T> {
    fn nothing() -> Self {
        Self(BTreeMap::new())
    }

    fn add(&mut self, item: T) {
        *self.0.entry(item).or_default() += 1;
    }

    fn once(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter(|(_, count)| **count == 1).map(|(item, _)| item)
    }

    fn twice(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter(|(_, count)| **count > 1).map(|(item, _)| item)
    }
}

/// The topics to delete, by id, each with its name. What does not exist, or is asked for by name and by id, is answered.
fn resolve(
    view: &View<'_>,
    names: &Asked<&TopicName>,
    ids: &Asked<Uuid>,
    responses: &mut Vec<DeletableTopicResult>,
) -> BTreeMap<Uuid, TopicName> {
    let unknown = |code: ErrorCode| Refusal::new(code, code.message());
    let mut doomed = BTreeMap::new();
    for id in ids.once() {
        match view.image.topics.of_id(TopicId(*id)) {
            Some(topic) => _ = doomed.insert(*id, TopicName(text(topic.name.as_str()))),
            None => responses.push(refused(None, *id, unknown(ErrorCode::UnknownTopicId))),
        }
    }
    for name in names.once() {
        let Some(topic) = view.image.topics.named(name) else {
            let refusal = unknown(ErrorCode::UnknownTopicOrPartition);
            responses.push(refused(Some(name), Uuid::nil(), refusal));
            continue;
        };
        let id = topic.id.0;
        let is_asked_twice = ids.0.get(&id).is_some_and(|count| *count > 1);
        if is_asked_twice || doomed.contains_key(&id) {
            doomed.remove(&id);
            let why = "The provided topic name maps to an ID that was already supplied.";
            responses.push(refused(Some(name), id, invalid(why)));
        } else {
            doomed.insert(id, (*name).clone());
        }
    }
    doomed
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn refused(name: Option<&TopicName>, id: Uuid, refusal: Refusal) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(name.cloned())
        .with_topic_id(id)
        .with_error_code(refusal.code.code())
        .with_error_message(refusal.message.map(text))
}
