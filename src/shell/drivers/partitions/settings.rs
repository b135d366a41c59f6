//! The configuration of topics, shared by their partitions: most topics set nothing, and share one.

use std::sync::Arc;

use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::{BrokerLayers, Texts};
use crate::kernel::configs::topic::TopicConfig;
use crate::kernel::log::config::LogConfig;
use crate::kernel::metadata::image::{ConfigResource, Image};
use crate::types::ids::NodeId;

/// `ConfigResource.kind` of a topic.
pub const TOPIC: i8 = 2;
/// `ConfigResource.kind` of a broker.
pub const BROKER: i8 = 4;
/// The name under which all brokers are configured.
const ALL_BROKERS: &str = "";

/// A topic's configuration, for the partition and for its log.
#[derive(Clone, Debug)]
pub struct Settings {
    /// All of it.
    pub topic: Arc<TopicConfig>,
    /// What the log needs.
    pub log: Arc<LogConfig>,
}

/// What topics inherit from.
#[derive(Debug)]
pub struct Inherited {
    fixed: BrokerConfig,
    dynamic_default: Texts,
    dynamic_broker: Texts,
    broker: BrokerConfig,
    /// Of topics that set nothing.
    plain: Settings,
}

impl Inherited {
    /// Before anything was set at run time.
    pub fn new(fixed: BrokerConfig) -> Self {
        let (dynamic_default, dynamic_broker) = (Texts::new(), Texts::new());
        let plain = resolve(&fixed, &dynamic_default, &dynamic_broker, &fixed, &Texts::new());
        Self { broker: fixed.clone(), fixed, dynamic_default, dynamic_broker, plain }
    }

    /// Takes what is set at run time now. A configuration that contradicts itself is passed over, as it never was
    /// accepted here.
    pub fn change(&mut self, node: NodeId, image: &Image) {
        let set = |name: &str| image.overrides(BROKER, name).cloned().unwrap_or_default();
        self.dynamic_default = set(ALL_BROKERS);
        self.dynamic_broker = set(&node.to_string());
        match self.fixed.with_dynamic(&self.dynamic_default, &self.dynamic_broker) {
            Ok(broker) => self.broker = broker,
            Err(errors) => {
                tracing::warn!(?errors, "what is set for the broker at run time is passed over");
            }
        }
        self.plain = self.resolve(&Texts::new());
    }

    /// The configuration of the broker, with what is set at run time.
    pub const fn broker(&self) -> &BrokerConfig {
        &self.broker
    }

    /// How many threads open the logs of a directory at start, and close them at stop.
    pub fn recovery_threads(&self) -> usize {
        usize::try_from(self.broker.num_recovery_threads_per_data_dir).unwrap_or(1)
    }

    /// The configuration of topics that set nothing.
    pub fn broker_topic(&self) -> &TopicConfig {
        &self.plain.topic
    }

    /// The configuration of a topic.
    pub fn of_topic(&self, image: &Image, name: &str) -> Settings {
        match image.overrides(TOPIC, name) {
            Some(overrides) if !overrides.is_empty() => self.resolve(overrides),
            _ => self.plain.clone(),
        }
    }

    fn resolve(&self, overrides: &Texts) -> Settings {
        let (default, broker) = (&self.dynamic_default, &self.dynamic_broker);
        resolve(&self.fixed, default, broker, &self.broker, overrides)
    }
}

/// Whether a resource is what all topics of this broker inherit from.
pub fn is_inherited(node: NodeId, resource: &ConfigResource) -> bool {
    resource.kind == BROKER && (resource.name == ALL_BROKERS || resource.name == node.to_string())
}

fn resolve(
    fixed: &BrokerConfig,
    dynamic_default: &Texts,
    dynamic_broker: &Texts,
    broker: &BrokerConfig,
    overrides: &Texts,
) -> Settings {
    let layers = BrokerLayers { dynamic_broker, dynamic_default, fixed: &fixed.explicit };
    let topic = TopicConfig::resolve(&layers, overrides);
    let log = log_config(&topic, broker);
    Settings { topic: Arc::new(topic), log: Arc::new(log) }
}

/// What of a topic's configuration concerns files.
fn log_config(topic: &TopicConfig, broker: &BrokerConfig) -> LogConfig {
    // A record that has to be compacted in time has to be in a closed segment by then (KIP-354).
    let segment_ms = if topic.compact && topic.max_compaction_lag_ms > 0 {
        topic.segment_ms.min(topic.max_compaction_lag_ms)
    } else {
        topic.segment_ms
    };
    LogConfig {
        segment_bytes: topic.effective_segment_bytes().max(0).cast_unsigned(),
        segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: topic.segment_index_bytes.max(0).cast_unsigned(),
        index_interval_bytes: topic.index_interval_bytes.max(0).cast_unsigned(),
        retention_ms: Some(topic.retention_ms).filter(|ms| *ms >= 0),
        retention_bytes: u64::try_from(topic.retention_bytes).ok(),
        delete: topic.delete,
        compact: topic.compact,
        delete_retention_ms: topic.delete_retention_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        file_delete_delay_ms: u64::try_from(topic.file_delete_delay_ms).unwrap_or_default(),
        flush_messages: topic.flush_messages,
        producer_id_expiration_ms: i64::from(broker.producer_id_expiration_ms),
    }
}
