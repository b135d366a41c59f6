//! The resources that have configuration, and what the handlers see of the cluster.

use kafka_protocol::protocol::StrBytes;

use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::{BrokerLayers, Texts};

/// A kind of resource, as DescribeConfigs numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id; no name means all brokers.
    Broker = 4,
    /// The loggers of a broker, by its id (KIP-412).
    BrokerLogger = 8,
    /// A subscription to client metrics (KIP-714).
    ClientMetrics = 16,
    /// A group (KIP-848).
    Group = 32,
}

impl ResourceType {
    /// The kind of that number.
    pub fn from_wire(number: i8) -> Option<Self> {
        let all = [Self::Topic, Self::Broker, Self::BrokerLogger, Self::ClientMetrics, Self::Group];
        all.into_iter().find(|kind| *kind as i8 == number)
    }
}

/// What the handlers of this folder see of the cluster's metadata.
pub trait Cluster {
    /// What is set for a resource; none if nothing is.
    fn overrides(&self, kind: ResourceType, name: &str) -> Option<&Texts>;
    /// Whether there is a topic of this name.
    fn has_topic(&self, name: &str) -> bool;
    /// The names of all topics.
    fn topics(&self) -> impl Iterator<Item = &str>;
    /// The ids of all brokers that take part.
    fn brokers(&self) -> impl Iterator<Item = i32>;
}

/// Nothing is set.
static NONE: Texts = Texts::new();

/// The layers of this broker's values.
pub fn layers<'a>(config: &'a BrokerConfig, cluster: &'a impl Cluster) -> BrokerLayers<'a> {
    let of = |name: &str| cluster.overrides(ResourceType::Broker, name).unwrap_or(&NONE);
    BrokerLayers {
        dynamic_broker: of(&config.node_id.to_string()),
        dynamic_default: of(""),
        fixed: &config.explicit,
    }
}

/// What is set for a resource.
pub fn overrides<'a>(cluster: &'a impl Cluster, kind: ResourceType, name: &str) -> &'a Texts {
    cluster.overrides(kind, name).unwrap_or(&NONE)
}

/// A text of our own for an answer.
pub fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// The longest name of a topic.
const TOPIC_NAME_MAX_LENGTH: usize = 249;

/// Why a name cannot be that of a topic, in Kafka's words.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.chars().count() > TOPIC_NAME_MAX_LENGTH {
        format!(
            "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_MAX_LENGTH}"
        )
    } else if !name.chars().all(is_legal) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        )
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {why}"))
}

#[cfg(test)]
pub mod tests {
    //! A cluster for the tests of this folder.

    use std::collections::BTreeMap;

    use super::*;

    /// Topics and overrides.
    #[derive(Default)]
    pub struct FakeCluster {
        pub topics: Vec<String>,
        pub set: BTreeMap<(i8, String), Texts>,
    }

    impl FakeCluster {
        pub fn with_topic(name: &str, overrides: &[(&str, &str)]) -> Self {
            let mut cluster = Self { topics: vec![name.to_owned()], ..Self::default() };
            cluster.set.insert((2, name.to_owned()), texts(overrides));
            cluster
        }
    }

    impl Cluster for FakeCluster {
        fn overrides(&self, kind: ResourceType, name: &str) -> Option<&Texts> {
            self.set.get(&(kind as i8, name.to_owned()))
        }

        fn has_topic(&self, name: &str) -> bool {
            self.topics.iter().any(|topic| topic == name)
        }

        fn topics(&self) -> impl Iterator<Item = &str> {
            self.topics.iter().map(String::as_str)
        }

        fn brokers(&self) -> impl Iterator<Item = i32> {
            [1].into_iter()
        }
    }

    pub fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Node 1, broker and controller.
    pub fn node() -> BrokerConfig {
        BrokerConfig::new(&texts(&[
            ("node.id", "1"),
            ("process.roles", "broker,controller"),
            ("controller.listener.names", "CONTROLLER"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("controller.quorum.voters", "1@localhost:9093"),
        ]))
        .unwrap()
    }
}
