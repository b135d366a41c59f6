//! The resources that have configuration, and what the handlers see of the cluster.

use kafka_protocol::protocol::StrBytes;

use crate::api::access::Access;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::{BrokerLayers, Texts};
use crate::kernel::metadata::image::Image;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicName;

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

    /// Whether configurations of this kind may be described or altered: those of brokers, and of what belongs to no
    /// topic or group, are the cluster's.
    pub fn allowed_to(
        self,
        access: &Access,
        operation: Operation,
        name: &str,
    ) -> Result<(), ErrorCode> {
        match self {
            Self::Topic if access.topic(operation, name) => Ok(()),
            Self::Topic => Err(ErrorCode::TopicAuthorizationFailed),
            Self::Group => access.group(operation, name),
            Self::Broker | Self::BrokerLogger | Self::ClientMetrics => access.cluster(operation),
        }
    }
}

/// What the handlers of this folder see of the cluster's metadata.
pub trait Cluster {
    /// What is set for a resource; none if nothing is.
    fn overrides(&self, kind: ResourceType, name: &str) -> Option<&Texts>;
    /// The names of the resources of a kind for which something is set.
    fn configured(&self, kind: ResourceType) -> impl Iterator<Item = &str>;
    /// Whether there is a topic of this name.
    fn has_topic(&self, name: &str) -> bool;
    /// The names of all topics.
    fn topics(&self) -> impl Iterator<Item = &str>;
    /// The ids of all brokers that take part.
    fn brokers(&self) -> impl Iterator<Item = i32>;
}

impl Cluster for Image {
    fn overrides(&self, kind: ResourceType, name: &str) -> Option<&Texts> {
        self.overrides(kind as i8, name)
    }

    fn configured(&self, kind: ResourceType) -> impl Iterator<Item = &str> {
        let of_kind = self.configs.keys().filter(move |resource| resource.kind == kind as i8);
        of_kind.map(|resource| resource.name.as_str())
    }

    fn has_topic(&self, name: &str) -> bool {
        self.topics.named(name).is_some()
    }

    fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.by_name.keys().map(TopicName::as_str)
    }

    fn brokers(&self) -> impl Iterator<Item = i32> {
        self.live_brokers().map(|broker| broker.id.0)
    }
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

#[cfg(test)]
pub mod tests {
    //! A cluster for the tests of this folder.

    use std::collections::BTreeMap;

    use super::*;
    use crate::kernel::metadata::delta::Delta;
    use crate::wire::records::{ConfigRecord, RegisterBrokerRecord, TopicRecord};

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

        fn configured(&self, kind: ResourceType) -> impl Iterator<Item = &str> {
            let of_kind = self.set.keys().filter(move |(number, _)| *number == kind as i8);
            of_kind.map(|(_, name)| name.as_str())
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

    #[test]
    fn of_an_image_brokers_take_part_which_are_not_fenced() {
        let mut delta = Delta::new(&Image::empty());
        let broker =
            |broker_id, fenced| RegisterBrokerRecord { broker_id, fenced, ..Default::default() };
        let config = |resource_type, name: &str| ConfigRecord {
            resource_type,
            resource_name: "a".to_owned(),
            name: name.to_owned(),
            value: Some("v".to_owned()),
        };
        let topic = TopicRecord { name: "a".to_owned(), ..Default::default() };
        for record in [
            broker(1, false).into(),
            broker(2, true).into(),
            topic.into(),
            config(2, "cleanup.policy").into(),
            config(32, "share.isolation.level").into(),
        ] {
            delta.replay(&record).unwrap();
        }
        let cluster = delta.image();
        assert_eq!(cluster.brokers().collect::<Vec<_>>(), [1]);
        assert_eq!(cluster.topics().collect::<Vec<_>>(), ["a"]);
        assert!(cluster.has_topic("a") && !cluster.has_topic("b"));
        let set = |kind, name| overrides(cluster, kind, name).keys().cloned().collect::<Vec<_>>();
        assert_eq!(set(ResourceType::Topic, "a"), ["cleanup.policy"]);
        assert_eq!(set(ResourceType::Group, "a"), ["share.isolation.level"]);
        assert!(set(ResourceType::Broker, "a").is_empty());
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
