//! What a log is told about how to keep its records: the part of a topic's configuration that concerns files.

/// See the module. Shared by the partitions of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u32,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most so much is taken off `segment.ms`, by chance, for each segment.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`
    pub index_interval_bytes: u32,
    /// `retention.ms`; none if negative.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; none if negative.
    pub retention_bytes: Option<u64>,
    /// Whether `cleanup.policy` has delete: the two limits above hold.
    pub delete: bool,
    /// Whether `cleanup.policy` has compact: the next four hold.
    pub compact: bool,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
    /// `file.delete.delay.ms`
    pub file_delete_delay_ms: u64,
    /// `flush.messages`
    pub flush_messages: i64,
    /// `producer.id.expiration.ms`
    pub producer_id_expiration_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1024 * 1024 * 1024,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 * 1024 * 1024,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * 24 * 3_600_000),
            retention_bytes: None,
            delete: true,
            compact: false,
            delete_retention_ms: 24 * 3_600_000,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            file_delete_delay_ms: 60_000,
            flush_messages: i64::MAX,
            producer_id_expiration_ms: 24 * 3_600_000,
        }
    }
}
