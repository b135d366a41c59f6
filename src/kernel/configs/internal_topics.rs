//! The topics in which coordinators keep their state: how Kafka makes them and writes to them.

use super::broker::BrokerConfig;
use crate::wire::compression::Codec;

/// A topic of a coordinator. What depends on the configuration is asked of it.
#[derive(Debug)]
pub struct InternalTopic {
    /// Its name.
    pub name: &'static str,
    /// How many partitions it is made with.
    pub num_partitions: fn(&BrokerConfig) -> i32,
    /// How many replicas it is made with. Where there are not so many brokers it is not made, as in Kafka.
    pub replication_factor: fn(&BrokerConfig) -> i16,
    /// What is set for it when it is made, in Kafka's order.
    pub configs: fn(&BrokerConfig) -> Vec<(&'static str, String)>,
    /// Which replicas a write asks for: 1 the leader alone (it is answered at the high watermark all the same), −1
    /// enough of those in sync, before it is written.
    pub acks: i16,
    /// The codec of what is written.
    pub codec: fn(&BrokerConfig) -> Codec,
    /// The base sequence in the header of what is written, where no producer is named either.
    pub base_sequence: i32,
    /// How long a write waits for its replicas.
    pub commit_timeout_ms: fn(&BrokerConfig) -> i32,
    /// How much is read at once when it is loaded.
    pub load_buffer_bytes: fn(&BrokerConfig) -> i32,
}

/// `__consumer_offsets`: groups and their committed offsets.
pub static CONSUMER_OFFSETS: InternalTopic = InternalTopic {
    name: "__consumer_offsets",
    num_partitions: |config| config.offsets_topic_num_partitions,
    replication_factor: |config| config.offsets_topic_replication_factor as i16,
    configs: |config| {
        vec![
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
        ]
    },
    acks: 1,
    codec: |config| {
        let id = u8::try_from(config.offsets_topic_compression_codec).ok();
        id.and_then(Codec::of_id).unwrap_or_default()
    },
    base_sequence: 0,
    commit_timeout_ms: |config| config.offsets_commit_timeout_ms,
    load_buffer_bytes: |config| config.offsets_load_buffer_size,
};

/// `__transaction_state`: transactional ids and their transactions.
pub static TRANSACTION_STATE: InternalTopic = InternalTopic {
    name: "__transaction_state",
    num_partitions: |config| config.transaction_state_log_num_partitions,
    replication_factor: |config| config.transaction_state_log_replication_factor as i16,
    configs: |config| {
        vec![
            ("unclean.leader.election.enable", "false".to_owned()),
            ("compression.type", "uncompressed".to_owned()),
            ("cleanup.policy", "compact".to_owned()),
            ("min.insync.replicas", config.transaction_state_log_min_isr.to_string()),
            ("segment.bytes", config.transaction_state_log_segment_bytes.to_string()),
        ]
    },
    acks: -1,
    codec: |_| Codec::None,
    base_sequence: -1,
    commit_timeout_ms: |config| config.request_timeout_ms,
    load_buffer_bytes: |config| config.transaction_state_log_load_buffer_size,
};

impl InternalTopic {
    /// The topic of this name, if it is one that a coordinator of this broker writes to.
    pub fn named(name: &str) -> Option<&'static Self> {
        [&CONSUMER_OFFSETS, &TRANSACTION_STATE].into_iter().find(|topic| topic.name == name)
    }
}
