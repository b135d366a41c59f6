//! The layers a broker's values come from, first match wins: its own dynamic values, the cluster's
//! dynamic defaults, what was set before the start, the defaults.

use std::collections::BTreeMap;

use super::definition::{BROKER, Definition};

/// Keys and values as text.
pub type Texts = BTreeMap<String, String>;

/// Where a value came from; the number is that of DescribeConfigs (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set at run time for one broker.
    DynamicBroker = 2,
    /// Set at run time for all brokers.
    DynamicDefaultBroker = 3,
    /// Set before the start: file, argument or environment.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// Set on the group.
    Group = 8,
}

/// What is set for a broker, by layer. Empty maps where nothing is.
#[derive(Clone, Copy, Debug)]
pub struct BrokerLayers<'a> {
    /// Dynamic, of this broker.
    pub dynamic_broker: &'a Texts,
    /// Dynamic, of all brokers.
    pub dynamic_default: &'a Texts,
    /// Set before the start.
    pub fixed: &'a Texts,
}

impl<'a> BrokerLayers<'a> {
    /// The first layer that sets `key`, defaults aside.
    pub fn set(&self, key: &str) -> Option<(Source, &'a str)> {
        self.layers()
            .into_iter()
            .find_map(|(source, texts)| Some((source, texts.get(key)?.as_str())))
    }

    /// The value of `key`: from the first layer that sets it, or its default.
    pub fn value(&self, key: &str) -> Option<&'a str> {
        let default = || BROKER.get(key).copied().and_then(Definition::default_text);
        self.set(key).map(|(_, text)| text).or_else(default)
    }

    /// The layers, in the order in which they are asked.
    pub fn layers(&self) -> [(Source, &'a Texts); 3] {
        [
            (Source::DynamicBroker, self.dynamic_broker),
            (Source::DynamicDefaultBroker, self.dynamic_default),
            (Source::StaticBroker, self.fixed),
        ]
    }
}
