//! The topics of a request about offsets, sorted out: those that exist go to the group's coordinator, the others are
//! refused here. The answer has both, in Kafka's order.

use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::api::access::Access;
use crate::kernel::groups::offsets::{CommitPartition, CommitTopic};
use crate::kernel::metadata::image::{Image, TopicImage};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId};
use crate::types::seeded_map::SeededMap;

/// A topic of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Its name as the request has it; empty where the request names topics by their ids.
    pub name: StrBytes,
    /// Its id where the request names topics by their ids.
    pub id: Uuid,
    /// Index and code of each partition.
    pub partitions: Vec<(i32, i16)>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct SortedOut {
    /// What the sender may do.
    access: Access,
    /// Refuses all of it.
    all: Option<ErrorCode>,
    refused: Vec<Answered>,
    /// Where in `refused` a topic is.
    places: SeededMap<(StrBytes, Uuid), usize>,
    accepted: Vec<Answered>,
}

/// How a request names its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// By their names.
    Name,
    /// By their ids (KIP-516).
    Id,
}

impl SortedOut {
    /// For a sender who may do this; an error refuses all topics with it.
    pub fn of(access: Access, allowed: Result<(), ErrorCode>) -> Self {
        Self { access, all: allowed.err(), ..Self::default() }
    }

    /// Takes a topic of the request. What exists of it comes back.
    pub fn take<P>(
        &mut self,
        image: &Image,
        named_by: NamedBy,
        (name, id): (StrBytes, Uuid),
        partitions: Vec<P>,
        index: impl Fn(&P) -> i32,
    ) -> Option<(Arc<TopicImage>, Vec<P>)> {
        let topic = match named_by {
            NamedBy::Name => image.topics.named(&name),
            NamedBy::Id => image.topics.of_id(TopicId(id)),
        };
        let may_read = |name: &str| {
            let is_allowed = self.access.topic(Operation::READ, name);
            is_allowed.then_some(()).ok_or(ErrorCode::TopicAuthorizationFailed)
        };
        // Who may not read a topic is not told whether there is one of the name.
        let topic = match (self.all, named_by, topic) {
            (Some(code), _, _) => Err(code),
            (None, NamedBy::Id, None) => Err(ErrorCode::UnknownTopicId),
            (None, NamedBy::Id, Some(topic)) => may_read(topic.name.as_str()).map(|()| topic),
            (None, NamedBy::Name, topic) => {
                may_read(&name).and_then(|()| topic.ok_or(ErrorCode::UnknownTopicOrPartition))
            }
        };
        let topic = match topic {
            Ok(topic) => topic,
            Err(code) => {
                let all = partitions.iter().map(|partition| (index(partition), code.code()));
                self.refuse(name, id, all);
                return None;
            }
        };
        let is_there =
            |partition: &P| topic.partitions.contains_key(&PartitionId(index(partition)));
        let (there, missing): (Vec<_>, Vec<_>) = if partitions.iter().all(is_there) {
            (partitions, Vec::new())
        } else {
            partitions.into_iter().partition(is_there)
        };
        if !missing.is_empty() {
            let code = ErrorCode::UnknownTopicOrPartition;
            let missing = missing.iter().map(|partition| (index(partition), code.code()));
            self.refuse(name.clone(), id, missing);
        }
        if there.is_empty() {
            return None;
        }
        let partitions =
            there.iter().map(|partition| (index(partition), ErrorCode::None.code())).collect();
        self.accepted.push(Answered { name, id, partitions });
        Some((Arc::clone(topic), there))
    }

    /// Takes the topics of a commit. What exists of them comes back, for the coordinator.
    pub fn take_commits(
        &mut self,
        image: &Image,
        named_by: NamedBy,
        topics: impl ExactSizeIterator<Item = ((StrBytes, Uuid), Vec<CommitPartition>)>,
    ) -> Vec<CommitTopic> {
        let mut there = Vec::with_capacity(topics.len());
        for (named, partitions) in topics {
            let index = |partition: &CommitPartition| partition.index.0;
            let topic = self.take(image, named_by, named, partitions, index);
            there.extend(topic.map(|(topic, partitions)| CommitTopic {
                name: topic.name.clone(),
                id: topic.id,
                partitions,
            }));
        }
        there
    }

    /// The answer where the coordinator refuses all that went to it, or, counted over its topics, some.
    pub fn answer(
        mut self,
        reply: Result<&[usize], ErrorCode>,
        refused: ErrorCode,
    ) -> Vec<Answered> {
        let mut codes =
            self.accepted.iter_mut().flat_map(|topic| &mut topic.partitions).map(|(_, code)| code);
        match reply {
            Err(error) => codes.for_each(|code| *code = error.code()),
            Ok(positions) => {
                let mut next = 0;
                for &position in positions {
                    if let Some(code) = codes.nth(position - next) {
                        *code = refused.code();
                    }
                    next = position + 1;
                }
            }
        }
        let accepted = std::mem::take(&mut self.accepted);
        self.merge(accepted)
    }

    /// The answer with these topics for those that went to the coordinator: what was refused here comes first, and takes
    /// in what the coordinator says of the same topic.
    pub fn merge(mut self, answered: Vec<Answered>) -> Vec<Answered> {
        if self.refused.is_empty() {
            return answered;
        }
        for topic in answered {
            self.refuse(topic.name, topic.id, topic.partitions.into_iter());
        }
        self.refused
    }

    fn refuse(&mut self, name: StrBytes, id: Uuid, partitions: impl Iterator<Item = (i32, i16)>) {
        let next = self.refused.len();
        let place = *self.places.entry((name.clone(), id)).or_insert(next);
        if place == next {
            self.refused.push(Answered { name, id, partitions: Vec::new() });
        }
        if let Some(topic) = self.refused.get_mut(place) {
            topic.partitions.extend(partitions);
        }
    }
}
