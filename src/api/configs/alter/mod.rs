//! What both APIs that change configuration share: the checks of the broker that gets the request.
//!
//! A resource is answered here (refused, or nothing to do), or goes to the controller; [`Checked`] keeps
//! the order of the request over both.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;

use super::resources::{Cluster, ResourceType, layers};
use crate::api::access::Access;
use crate::kernel::configs::alter::{
    AlterRefusal, Change, Resource, check_broker, check_broker_changes, check_shape,
};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// A resource and what the request does to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    /// The number of the resource's kind.
    pub kind: i8,
    /// The resource's name.
    pub name: String,
    /// The changes; those of the older API are all Set.
    pub changes: Vec<Change>,
}

/// Which API asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// IncrementalAlterConfigs: each change says what it does.
    Incremental,
    /// AlterConfigs: what is not named goes away.
    Legacy,
}

/// What became of each alteration, in the order of the request.
#[derive(Debug)]
pub struct Checked {
    /// None if the controller decides.
    answers: Vec<Option<Result<(), AlterRefusal>>>,
}

impl Checked {
    /// The items of `resources`, which are in the order of the request, that go to the controller.
    pub fn forwarded<'a, T>(&self, resources: &'a [T]) -> impl Iterator<Item = &'a T> {
        let is_open = |(_, answer): &(&T, &Option<_>)| answer.is_none();
        resources.iter().zip(&self.answers).filter(is_open).map(|(resource, _)| resource)
    }

    /// Refuses what would go to the controller and may not be altered by who asks.
    pub fn allowed_to(mut self, access: &Access, alterations: &[Alteration]) -> Self {
        let open = self.answers.iter_mut().zip(alterations);
        for (answer, alteration) in open.filter(|(answer, _)| answer.is_none()) {
            let allowed = match ResourceType::from_wire(alteration.kind) {
                Some(kind) => kind.allowed_to(access, Operation::ALTER_CONFIGS, &alteration.name),
                None => Ok(()),
            };
            *answer = allowed.err().map(|code| Err(AlterRefusal::new(code, code.message())));
        }
        self
    }

    /// Every alteration's answer: our own, or the controller's next one. A controller that answers
    /// too little leaves unknown errors.
    pub fn complete(
        self,
        controller: impl IntoIterator<Item = Result<(), AlterRefusal>>,
    ) -> Vec<Result<(), AlterRefusal>> {
        let mut controller = controller.into_iter();
        let unknown = || Err(AlterRefusal { code: ErrorCode::UnknownServerError, message: None });
        let mut next = || controller.next().unwrap_or_else(unknown);
        self.answers.into_iter().map(|answer| answer.unwrap_or_else(&mut next)).collect()
    }
}

/// What the controller said of a resource.
pub fn refusal(code: i16, message: Option<StrBytes>) -> Result<(), AlterRefusal> {
    if code == ErrorCode::None.code() {
        return Ok(());
    }
    let code = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
    Err(AlterRefusal { code, message: message.map(|message| message.to_string()) })
}

/// Checks each alteration.
pub fn check(
    config: &BrokerConfig,
    cluster: &impl Cluster,
    api: Api,
    alterations: &[Alteration],
) -> Checked {
    let mut seen: BTreeMap<(i8, &str), u32> = BTreeMap::new();
    for alteration in alterations {
        *seen.entry((alteration.kind, alteration.name.as_str())).or_default() += 1;
    }
    let answer = |alteration: &Alteration| {
        if seen.get(&(alteration.kind, alteration.name.as_str())).is_some_and(|count| *count > 1) {
            return Some(refuse("Each resource must appear at most once."));
        }
        if let Err(refusal) = check_shape(&alteration.changes) {
            return Some(Err(refusal));
        }
        match (ResourceType::from_wire(alteration.kind), api) {
            (Some(ResourceType::Topic | ResourceType::Group), _) => None,
            (Some(ResourceType::Broker), _) => {
                check_broker_resource(config, cluster, api, alteration).err().map(Err)
            }
            (Some(ResourceType::BrokerLogger), Api::Incremental) => {
                Some(check_logger(config, alteration))
            }
            _ => Some(refuse(format!("Unknown resource type {}", alteration.kind))),
        }
    };
    Checked { answers: alterations.iter().map(answer).collect() }
}

fn refuse(message: impl Into<String>) -> Result<(), AlterRefusal> {
    Err(AlterRefusal::new(ErrorCode::InvalidRequest, message))
}

fn check_broker_resource(
    config: &BrokerConfig,
    cluster: &impl Cluster,
    api: Api,
    alteration: &Alteration,
) -> Result<(), AlterRefusal> {
    let id = config.node_id.0;
    let resource = match alteration.name.as_str() {
        "" => Resource::ClusterDefault,
        name => match name.parse::<i32>() {
            Ok(asked) if asked == id => Resource::Broker,
            Ok(_) => {
                let message = format!("Unexpected broker id, expected {id}, but received {name}");
                return refuse(message);
            }
            Err(_) => return refuse(format!("Node id must be an integer, but it is: {name}")),
        },
    };
    let layers = layers(config, cluster);
    match api {
        Api::Incremental => check_broker_changes(resource, config, &layers, &alteration.changes),
        Api::Legacy => check_broker(resource, config, &layers, &texts(&alteration.changes)),
    }
}

/// The keys and values of the older API.
pub fn texts(changes: &[Change]) -> Texts {
    let value = |change: &Change| Some((change.key.clone(), change.value.clone()?));
    changes.iter().filter_map(value).collect()
}

/// A broker has no loggers here, so none can be changed.
fn check_logger(config: &BrokerConfig, alteration: &Alteration) -> Result<(), AlterRefusal> {
    let (id, name) = (config.node_id.0, alteration.name.as_str());
    match name.parse::<i32>() {
        Ok(asked) if asked == id => match alteration.changes.first() {
            None => Ok(()),
            Some(change) => {
                let message = format!("Logger {} does not exist!", change.key);
                Err(AlterRefusal::new(ErrorCode::InvalidConfig, message))
            }
        },
        Ok(_) => refuse(format!("Unexpected node id. Expected {id}, but received {name}")),
        Err(_) => refuse(format!("Node id must be an integer, but it is: {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::configs::resources::tests::{FakeCluster, node};

    fn alteration(kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> Alteration {
        let change = |&(key, operation, value): &(&str, i8, Option<&str>)| Change {
            key: key.to_owned(),
            operation,
            value: value.map(str::to_owned),
        };
        let changes = changes.iter().map(change).collect();
        Alteration { kind, name: name.to_owned(), changes }
    }

    fn ask(api: Api, alterations: &[Alteration]) -> Vec<Option<(i16, String)>> {
        let cluster = FakeCluster::with_topic("t1", &[]);
        let answers = check(&node(), &cluster, api, alterations).answers;
        let summary = |answer: Option<Result<(), AlterRefusal>>| {
            answer.map(|answer| match answer {
                Ok(()) => (0, String::new()),
                Err(refusal) => (refusal.code.code(), refusal.message.unwrap_or_default()),
            })
        };
        answers.into_iter().map(summary).collect()
    }

    #[test]
    fn mistakes_are_answered_in_kafkas_words() {
        let one: &[(&str, i8, Option<&str>)] = &[("a", 0, Some("1"))];
        for (kind, name, code, words) in [
            (3, "x", 42, "Unknown resource type 3"),
            (0, "x", 42, "Unknown resource type 0"),
            (4, "99", 42, "Unexpected broker id, expected 1, but received 99"),
            (4, "x", 42, "Node id must be an integer, but it is: x"),
            (8, "1", 40, "Logger a does not exist!"),
            (8, "99", 42, "Unexpected node id. Expected 1, but received 99"),
        ] {
            let answer = ask(Api::Incremental, &[alteration(kind, name, one)]);
            assert_eq!(answer, [Some((code, words.to_owned()))], "{kind} {name}");
        }
        let logger = ask(Api::Legacy, &[alteration(8, "1", one)]);
        assert_eq!(logger, [Some((42, "Unknown resource type 8".to_owned()))]);
    }

    #[test]
    fn a_resource_is_changed_once_or_not_at_all() {
        let topic = alteration(2, "t1", &[("retention.ms", 0, Some("1"))]);
        let other = alteration(2, "t2", &[("retention.ms", 0, Some("1"))]);
        let twice = Some((42, "Each resource must appear at most once.".to_owned()));
        let answers = ask(Api::Incremental, &[topic.clone(), other.clone(), topic]);
        assert_eq!(answers, [twice.clone(), None, twice]);
        let shape = alteration(2, "t1", &[("a", 0, None)]);
        let words = "Null value not supported for : a".to_owned();
        assert_eq!(ask(Api::Legacy, &[shape, other]), [Some((42, words)), None]);
    }

    #[test]
    fn what_is_right_goes_to_the_controller() {
        let alterations = [
            alteration(2, "t1", &[("foo", 0, Some("1"))]),
            alteration(4, "1", &[("log.retention.ms", 0, Some("90000"))]),
            alteration(4, "", &[("log.retention.ms", 0, Some("90000"))]),
            alteration(4, "1", &[]),
        ];
        assert_eq!(ask(Api::Incremental, &alterations[..3]), [None, None, None]);
        assert_eq!(ask(Api::Legacy, &alterations[1..3]), [None, None]);
        assert_eq!(ask(Api::Legacy, &alterations[3..]), [None]);
        let fixed = alteration(4, "1", &[("num.partitions", 0, Some("2"))]);
        let words = "Cannot update these configs dynamically: [num.partitions]".to_owned();
        for api in [Api::Incremental, Api::Legacy] {
            assert_eq!(ask(api, std::slice::from_ref(&fixed)), [Some((42, words.clone()))]);
        }
    }

    #[test]
    fn answers_keep_the_order_of_the_request() {
        let answers = vec![None, Some(refuse("a")), None, None];
        let checked = Checked { answers };
        assert_eq!(checked.forwarded(&[0, 1, 2, 3]).copied().collect::<Vec<_>>(), [0, 2, 3]);
        let unknown = AlterRefusal { code: ErrorCode::UnknownServerError, message: None };
        let complete = checked.complete([Ok(()), refuse("b")]);
        assert_eq!(complete, [Ok(()), refuse("a"), refuse("b"), Err(unknown)]);
    }
}
