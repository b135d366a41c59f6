//! The configuration of a topic: its overrides over the broker's layers.
//!
//! A topic key has synonyms among the broker's keys, under older names and in other units; the first
//! synonym with a value counts (`ServerTopicConfigSynonyms`).

use super::definition::{BROKER, Definition, TOPIC};
use super::layers::{BrokerLayers, Texts};
use super::value::{ConfigError, Value, parse};

/// A broker key that stands in for a topic key, and the factor to the topic key's unit.
pub type Synonym = (&'static str, i64);

const HOURS: i64 = 3_600_000;
const MINUTES: i64 = 60_000;

/// The broker keys that stand in for the topic key, in the order in which they are asked.
pub fn synonyms(key: &str) -> &'static [Synonym] {
    match key {
        "cleanup.policy" => &[("log.cleanup.policy", 1)],
        "compression.gzip.level" => &[("compression.gzip.level", 1)],
        "compression.lz4.level" => &[("compression.lz4.level", 1)],
        "compression.type" => &[("compression.type", 1)],
        "compression.zstd.level" => &[("compression.zstd.level", 1)],
        "delete.retention.ms" => &[("log.cleaner.delete.retention.ms", 1)],
        "file.delete.delay.ms" => &[("log.segment.delete.delay.ms", 1)],
        "flush.messages" => &[("log.flush.interval.messages", 1)],
        "flush.ms" => &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
        "index.interval.bytes" => &[("log.index.interval.bytes", 1)],
        "local.retention.bytes" => &[("log.local.retention.bytes", 1)],
        "local.retention.ms" => &[("log.local.retention.ms", 1)],
        "max.compaction.lag.ms" => &[("log.cleaner.max.compaction.lag.ms", 1)],
        "max.message.bytes" => &[("message.max.bytes", 1)],
        "message.timestamp.after.max.ms" => &[("log.message.timestamp.after.max.ms", 1)],
        "message.timestamp.before.max.ms" => &[("log.message.timestamp.before.max.ms", 1)],
        "message.timestamp.type" => &[("log.message.timestamp.type", 1)],
        "min.cleanable.dirty.ratio" => &[("log.cleaner.min.cleanable.ratio", 1)],
        "min.compaction.lag.ms" => &[("log.cleaner.min.compaction.lag.ms", 1)],
        "min.insync.replicas" => &[("min.insync.replicas", 1)],
        "ottla.validate.compressed" => &[("ottla.validate.compressed", 1)],
        "preallocate" => &[("log.preallocate", 1)],
        "retention.bytes" => &[("log.retention.bytes", 1)],
        "retention.ms" => &[
            ("log.retention.ms", 1),
            ("log.retention.minutes", MINUTES),
            ("log.retention.hours", HOURS),
        ],
        "segment.bytes" => &[("log.segment.bytes", 1)],
        "segment.index.bytes" => &[("log.index.size.max.bytes", 1)],
        "segment.jitter.ms" => &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOURS)],
        "segment.ms" => &[("log.roll.ms", 1), ("log.roll.hours", HOURS)],
        "unclean.leader.election.enable" => &[("unclean.leader.election.enable", 1)],
        _ => &[],
    }
}

/// The value of a topic key for a topic without overrides.
pub fn inherited(layers: &BrokerLayers<'_>, definition: &Definition) -> Value {
    let of = |&(key, factor): &Synonym| {
        let text = layers.value(key)?;
        let value = parse(BROKER.get(key)?, Some(text)).ok()?;
        Some(match value {
            // Kafka takes any negative retention of the broker for "no limit".
            Value::Integer(number) if definition.name == "retention.ms" && number < 0 => {
                Value::Integer(-1)
            }
            Value::Integer(number) => Value::Integer(number.saturating_mul(factor)),
            other => other,
        })
    };
    let found = synonyms(definition.name).iter().find_map(of);
    found.or_else(|| parse(definition, None).ok()).unwrap_or(Value::Null)
}

/// The value of a topic key: the topic's own, or the inherited one. A stored override that does not
/// parse (another version wrote it) is passed over.
pub fn effective(layers: &BrokerLayers<'_>, overrides: &Texts, definition: &Definition) -> Value {
    let own = overrides.get(definition.name).and_then(|text| parse(definition, Some(text)).ok());
    own.unwrap_or_else(|| inherited(layers, definition))
}

/// How a topic's batches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd.
    Zstd,
}

/// Whose time records carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageTimestampType {
    /// The producer's.
    CreateTime,
    /// That of the append.
    LogAppendTime,
}

macro_rules! topic_config {
    ($( $(#[$doc:meta])* $field:ident: $type:ty = $read:ident($key:literal), )*) => {
        /// The configuration of a topic.
        #[derive(Clone, Debug, PartialEq)]
        pub struct TopicConfig {
            /// Whether `cleanup.policy` has compact.
            pub compact: bool,
            /// Whether `cleanup.policy` has delete.
            pub delete: bool,
            /// `compression.type`
            pub compression_type: CompressionType,
            /// `message.timestamp.type`
            pub message_timestamp_type: MessageTimestampType,
            $( #[doc = concat!("`", $key, "`")] $(#[$doc])* pub $field: $type, )*
        }

        /// The keys that a topic's configuration is made of.
        #[cfg(any(test, feature = "internals"))]
        pub const READ_KEYS: &[&str] = &[
            "cleanup.policy", "compression.type", "message.timestamp.type", $( $key, )*
        ];

        impl TopicConfig {
            /// What holds for a topic with these overrides, over the layers of this broker.
            pub fn resolve(layers: &BrokerLayers<'_>, overrides: &Texts) -> Self {
                let values = Values { layers, overrides };
                let policies = values.list("cleanup.policy");
                let has = |policy: &str| policies.iter().any(|have| have == policy);
                Self {
                    compact: has("compact"),
                    delete: has("delete"),
                    compression_type: values.compression_type(),
                    message_timestamp_type: values.message_timestamp_type(),
                    $( $field: values.$read($key), )*
                }
            }
        }
    };
}

topic_config! {
    segment_bytes: i32 = int("segment.bytes"),
    /// Below the limits of `segment.bytes`; for tests.
    internal_segment_bytes: Option<i32> = optional_int("internal.segment.bytes"),
    segment_ms: i64 = long("segment.ms"),
    segment_jitter_ms: i64 = long("segment.jitter.ms"),
    segment_index_bytes: i32 = int("segment.index.bytes"),
    index_interval_bytes: i32 = int("index.interval.bytes"),
    flush_messages: i64 = long("flush.messages"),
    flush_ms: i64 = long("flush.ms"),
    retention_bytes: i64 = long("retention.bytes"),
    retention_ms: i64 = long("retention.ms"),
    max_message_bytes: i32 = int("max.message.bytes"),
    message_timestamp_before_max_ms: i64 = long("message.timestamp.before.max.ms"),
    message_timestamp_after_max_ms: i64 = long("message.timestamp.after.max.ms"),
    compression_gzip_level: i32 = int("compression.gzip.level"),
    compression_lz4_level: i32 = int("compression.lz4.level"),
    compression_zstd_level: i32 = int("compression.zstd.level"),
    file_delete_delay_ms: i64 = long("file.delete.delay.ms"),
    delete_retention_ms: i64 = long("delete.retention.ms"),
    min_compaction_lag_ms: i64 = long("min.compaction.lag.ms"),
    max_compaction_lag_ms: i64 = long("max.compaction.lag.ms"),
    min_cleanable_dirty_ratio: f64 = double("min.cleanable.dirty.ratio"),
    min_insync_replicas: i32 = int("min.insync.replicas"),
    unclean_leader_election_enable: bool = boolean("unclean.leader.election.enable"),
    preallocate: bool = boolean("preallocate"),
    ottla_validate_compressed: bool = boolean("ottla.validate.compressed"),
}

impl TopicConfig {
    /// The segment size that counts.
    pub fn effective_segment_bytes(&self) -> i32 {
        self.internal_segment_bytes.unwrap_or(self.segment_bytes)
    }
}

struct Values<'a> {
    layers: &'a BrokerLayers<'a>,
    overrides: &'a Texts,
}

impl Values<'_> {
    fn value(&self, key: &str) -> Value {
        let of = |definition| effective(self.layers, self.overrides, definition);
        TOPIC.get(key).copied().map_or(Value::Null, of)
    }

    fn long(&self, key: &str) -> i64 {
        match self.value(key) {
            Value::Integer(number) => number,
            _ => 0,
        }
    }

    fn int(&self, key: &str) -> i32 {
        i32::try_from(self.long(key)).unwrap_or_default()
    }

    fn optional_int(&self, key: &str) -> Option<i32> {
        match self.value(key) {
            Value::Integer(number) => i32::try_from(number).ok(),
            _ => None,
        }
    }

    fn double(&self, key: &str) -> f64 {
        match self.value(key) {
            Value::Double(number) => number,
            _ => 0.0,
        }
    }

    fn boolean(&self, key: &str) -> bool {
        matches!(self.value(key), Value::Boolean(true))
    }

    fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Value::List(items) => items,
            _ => Vec::new(),
        }
    }

    fn compression_type(&self) -> CompressionType {
        match self.value("compression.type").to_text().as_deref() {
            Some("uncompressed") => CompressionType::Uncompressed,
            Some("gzip") => CompressionType::Gzip,
            Some("snappy") => CompressionType::Snappy,
            Some("lz4") => CompressionType::Lz4,
            Some("zstd") => CompressionType::Zstd,
            _ => CompressionType::Producer,
        }
    }

    fn message_timestamp_type(&self) -> MessageTimestampType {
        match self.value("message.timestamp.type").to_text().as_deref() {
            Some("LogAppendTime") => MessageTimestampType::LogAppendTime,
            _ => MessageTimestampType::CreateTime,
        }
    }
}

/// Whether a topic may have these overrides: every name known, every value right, and right together.
///
/// The values of a topic's other keys come from the broker, whose own values may be what conflicts.
pub fn validate(layers: &BrokerLayers<'_>, overrides: &Texts) -> Result<(), TopicRefusal> {
    if let Some(name) = overrides.keys().find(|name| !TOPIC.contains_key(name.as_str())) {
        let message = format!("Unknown topic config name: {name}");
        return Err(TopicRefusal(ConfigError::of(name, message)));
    }
    for (name, text) in overrides {
        if let Some(definition) = TOPIC.get(name.as_str()) {
            parse(definition, Some(text)).map_err(TopicRefusal)?;
        }
    }
    let config = TopicConfig::resolve(layers, overrides);
    let (low, high) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    if low > high {
        let message = format!(
            "conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms \
             ({high})"
        );
        return Err(TopicRefusal(ConfigError::of("min.compaction.lag.ms", message)));
    }
    let is_remote = overrides.get("remote.storage.enable");
    if is_remote.is_some_and(|text| super::value::java_trim(text).eq_ignore_ascii_case("true")) {
        // There is no tiered storage here; Kafka says the same where it is switched off.
        let message = "Tiered Storage functionality is disabled in the broker. Topic cannot be \
                       configured with remote log storage.";
        return Err(TopicRefusal(ConfigError::of("remote.storage.enable", message)));
    }
    Ok(())
}

/// Why a topic may not have a configuration: `INVALID_CONFIG` on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct TopicRefusal(pub ConfigError);

#[cfg(test)]
mod tests;
