//! Topics that come to be because a client asked for their metadata (`auto.create.topics.enable`).
//!
//! The client is told at once that there is no such topic, and asks again; meanwhile the controller makes it. What
//! becomes of that nobody waits for: where it fails, clients go on being told that there is no such topic.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use tokio::task::JoinSet;

use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::controller::Request;

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

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(task);
    }
}

/// Asks the controller for these topics, of valid names, in the background. Partitions and replicas are as the
/// broker's configuration has them.
pub fn create(ctx: &Arc<Ctx>, names: Vec<String>) {
    let names = ctx.auto_creation.begin(names);
    if names.is_empty() {
        return;
    }
    let config = ctx.config.load();
    let topic = |name: &String| {
        CreatableTopic::default()
            .with_name(text(name.as_str()).into())
            .with_num_partitions(config.num_partitions)
            .with_replication_factor(config.default_replication_factor as i16)
    };
    let request = CreateTopicsRequest::default()
        .with_topics(names.iter().map(topic).collect())
        .with_timeout_ms(config.request_timeout_ms);
    let asked = Arc::clone(ctx);
    ctx.auto_creation.spawn(async move {
        let reply = asked.controller.call(Request::CreateTopics(request)).await;
        asked.auto_creation.end(&names);
        tracing::debug!(?names, ?reply, "topics created because their metadata was asked for");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

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
