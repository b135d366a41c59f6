//! Topics that come to be because a client asked for their metadata (`auto.create.topics.enable`), or for a coordinator
//! that keeps its state in them.
//!
//! The client is told at once that there is no such topic, and asks again; meanwhile the controller makes it. What
//! becomes of that nobody waits for: where it fails, clients go on being told that there is no such topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use tokio::task::JoinSet;

use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::internal_topics::InternalTopic;
use crate::kernel::controller::{Reply, Request};
use crate::types::error_code::ErrorCode;

/// So many topics may be in the making at once; for more, clients have to ask again.
pub const TOPICS_IN_FLIGHT_MAX: usize = 1000;

/// What is in the making.
#[derive(Debug, Default)]
pub struct AutoCreation(Mutex<InFlight>);

#[derive(Debug, Default)]
struct InFlight {
    topics: BTreeSet<String>,
    /// One for each request that the controller has not answered; each has a topic at least.
    tasks: JoinSet<()>,
    /// Why an internal topic was not made when that was last tried, as far as it was not.
    failures: BTreeMap<&'static str, String>,
}

impl AutoCreation {
    /// Those of `names` which are not in the making already, as many as there is room for; they are from now on.
    fn begin(&self, names: Vec<String>) -> Vec<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for name in names {
            if state.topics.len() < TOPICS_IN_FLIGHT_MAX && state.topics.insert(name.clone()) {
                new.push(name);
            }
        }
        new
    }

    fn end(&self, names: &[String]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            state.topics.remove(name);
        }
    }

    /// Notes what became of an internal topic; true if it is news that it was not made.
    fn note(&self, topic: &'static str, failure: Option<String>) -> bool {
        let failures = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).failures;
        match failure {
            Some(failure) if failures.get(topic) == Some(&failure) => false,
            Some(failure) => {
                failures.insert(topic, failure);
                true
            }
            None => {
                failures.remove(topic);
                false
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(task);
    }
}

/// Asks the controller for these topics, of valid names, in the background. Partitions and replicas are as the
/// broker's configuration has them; internal topics are made as their coordinators need them.
pub fn create(ctx: &Arc<Ctx>, names: Vec<String>) {
    let names = ctx.auto_creation.begin(names);
    if names.is_empty() {
        return;
    }
    let config = ctx.config.load();
    let request = CreateTopicsRequest::default()
        .with_topics(names.iter().map(|name| topic(name, &config)).collect())
        .with_timeout_ms(config.request_timeout_ms);
    let asked = Arc::clone(ctx);
    ctx.auto_creation.spawn(async move {
        let reply = asked.controller.call(Request::CreateTopics(request)).await;
        asked.auto_creation.end(&names);
        if let Ok(Reply::CreateTopics(response)) = &reply {
            warn_of_internal(&asked.auto_creation, response);
        }
        tracing::debug!(?names, ?reply, "topics created because they were asked for");
    });
}

fn topic(name: &str, config: &BrokerConfig) -> CreatableTopic {
    let topic = CreatableTopic::default().with_name(text(name).into());
    let Some(internal) = InternalTopic::named(name) else {
        return topic
            .with_num_partitions(config.num_partitions)
            .with_replication_factor(config.default_replication_factor as i16);
    };
    let set = |(key, value): (&'static str, String)| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    topic
        .with_num_partitions((internal.num_partitions)(config))
        .with_replication_factor((internal.replication_factor)(config))
        .with_configs((internal.configs)(config).into_iter().map(set).collect())
}

/// Clients learn no more than that there is no coordinator, and ask again for ever: the operator has to be told why, once
/// for each reason.
fn warn_of_internal(creation: &AutoCreation, response: &CreateTopicsResponse) {
    let exists = ErrorCode::TopicAlreadyExists.code();
    for topic in &response.topics {
        let Some(internal) = InternalTopic::named(&topic.name) else { continue };
        let error = ErrorCode::from_code(topic.error_code);
        let message = topic.error_message.as_deref().unwrap_or_default();
        let failed = ![0, exists].contains(&topic.error_code);
        if creation.note(internal.name, failed.then(|| format!("{error:?} {message}"))) {
            let topic = internal.name;
            tracing::warn!(topic, ?error, message, "an internal topic cannot be made");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_until_it_is_another() {
        let creation = AutoCreation::default();
        let fails = |topic, failure: Option<&str>| creation.note(topic, failure.map(str::to_owned));
        assert!(fails("a", Some("no brokers")) && !fails("a", Some("no brokers")));
        assert!(fails("b", Some("no brokers")) && fails("a", Some("no disk")));
        assert!(!fails("a", None) && fails("a", Some("no disk")));
    }

    #[test]
    fn a_topic_is_asked_for_once_at_a_time_and_there_is_a_bound() {
        let creation = AutoCreation::default();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(creation.begin(names(&["a", "b", "a"])), ["a", "b"]);
        assert_eq!(creation.begin(names(&["b", "c"])), ["c"]);
        creation.end(&names(&["b"]));
        assert_eq!(creation.begin(names(&["a", "b", "c"])), ["b"]);

        let many = (0..TOPICS_IN_FLIGHT_MAX + 5).map(|index| index.to_string());
        assert_eq!(creation.begin(many.collect()).len(), TOPICS_IN_FLIGHT_MAX - 3);
        assert!(creation.begin(names(&["d"])).is_empty());
        creation.end(&names(&["a"]));
        assert_eq!(creation.begin(names(&["d", "e"])), ["d"]);
    }
}
