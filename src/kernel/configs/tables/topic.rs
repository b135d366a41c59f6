//! Keys of topics.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    TOPIC:

    "cleanup.policy" List "delete", Valid::ListOf(&["compact", "delete"], EmptyList::Empty), Medium PerTopic,
        "What happens to old segments: delete, compact, or both.";
    "compression.gzip.level" Int "-1", Valid::GzipLevel, Medium PerTopic,
        "The level used where compression.type is gzip.";
    "compression.lz4.level" Int "9", Valid::Between(1.0, 17.0), Medium PerTopic,
        "The level used where compression.type is lz4.";
    "compression.type" Str "producer", Valid::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Medium PerTopic,
        "How batches are stored: a codec, uncompressed, or producer to keep what the producer chose.";
    "compression.zstd.level" Int "3", Valid::Between(-131_072.0, 22.0), Medium PerTopic,
        "The level used where compression.type is zstd.";
    "delete.retention.ms" Long "86400000", Valid::AtLeast(0.0), Medium PerTopic,
        "How long tombstones stay after compaction, so that a reader from the start sees them.";
    "file.delete.delay.ms" Long "60000", Valid::AtLeast(0.0), Medium PerTopic,
        "How long the file of a deleted segment stays on disk.";
    "flush.messages" Long "9223372036854775807", Valid::AtLeast(1.0), Medium PerTopic,
        "The number of records after which the log is flushed to disk; 1 flushes every batch.";
    "flush.ms" Long "9223372036854775807", Valid::AtLeast(0.0), Medium PerTopic,
        "The longest time a record stays unflushed.";
    "follower.replication.throttled.replicas" List "", Valid::ThrottledReplicas, Medium PerTopic,
        "The replicas whose fetching is throttled, as partition:broker separated by commas; * means all.";
    "index.interval.bytes" Int "4096", Valid::AtLeast(0.0), Medium PerTopic,
        "The bytes between two entries of the offset index.";
    "internal.segment.bytes" Int null, Valid::Any, Medium PerTopic internal,
        "The segment size, below the limits of segment.bytes.";
    "leader.replication.throttled.replicas" List "", Valid::ThrottledReplicas, Medium PerTopic,
        "The replicas whose sending is throttled, as partition:broker separated by commas; * means all.";
    "local.retention.bytes" Long "-2", Valid::AtLeast(-2.0), Medium PerTopic,
        "The size kept on local disks where tiered storage is on; -2 means that of retention.bytes.";
    "local.retention.ms" Long "-2", Valid::AtLeast(-2.0), Medium PerTopic,
        "How long segments are kept on local disks where tiered storage is on; -2 means as retention.ms says.";
    "max.compaction.lag.ms" Long "9223372036854775807", Valid::AtLeast(1.0), Medium PerTopic,
        "The longest time a record may stay uncompacted.";
    "max.message.bytes" Int "1048588", Valid::AtLeast(0.0), Medium PerTopic,
        "The largest batch that is accepted, after compression.";
    "message.timestamp.after.max.ms" Long "3600000", Valid::AtLeast(0.0), Medium PerTopic,
        "How far a record's timestamp may lie in the future of the broker's clock.";
    "message.timestamp.before.max.ms" Long "9223372036854775807", Valid::AtLeast(0.0), Medium PerTopic,
        "How far a record's timestamp may lie in the past of the broker's clock.";
    "message.timestamp.type" Str "CreateTime", Valid::OneOf(&["CreateTime", "LogAppendTime"]), Medium PerTopic,
        "Whether records carry the producer's time (CreateTime) or that of the append (LogAppendTime).";
    "min.cleanable.dirty.ratio" Double "0.5", Valid::Between(0.0, 1.0), Medium PerTopic,
        "The share of the log that must be dirty before it is compacted.";
    "min.compaction.lag.ms" Long "0", Valid::AtLeast(0.0), Medium PerTopic,
        "The shortest time a record stays uncompacted.";
    "min.insync.replicas" Int "1", Valid::AtLeast(1.0), Medium PerTopic,
        "The least number of in-sync replicas with which acks=all is accepted.";
    "ottla.validate.compressed" Boolean "false", Valid::Any, Medium PerTopic,
        "Whether compressed batches are opened and walked like uncompressed ones; Ottla's own key.";
    "preallocate" Boolean "false", Valid::Any, Medium PerTopic,
        "Whether the file of a new segment is allocated in full.";
    "remote.log.copy.disable" Boolean "false", Valid::Any, Medium PerTopic,
        "Whether tiered data becomes read-only: nothing more is copied.";
    "remote.log.delete.on.disable" Boolean "false", Valid::Any, Medium PerTopic,
        "Whether tiered data is deleted when tiered storage is switched off for the topic.";
    "remote.storage.enable" Boolean "false", Valid::Any, Medium PerTopic,
        "Whether tiered storage is on for the topic.";
    "retention.bytes" Long "-1", Valid::Any, Medium PerTopic,
        "The size above which the oldest segments of a partition are deleted; -1 means no limit.";
    "retention.ms" Long "604800000", Valid::AtLeast(-1.0), Medium PerTopic,
        "How long segments are kept; -1 means for ever.";
    "segment.bytes" Int "1073741824", Valid::AtLeast(1_048_576.0), Medium PerTopic,
        "The largest size of a segment.";
    "segment.index.bytes" Int "10485760", Valid::AtLeast(4.0), Medium PerTopic,
        "The largest size of the offset index.";
    "segment.jitter.ms" Long "0", Valid::AtLeast(0.0), Medium PerTopic,
        "The most that is taken off segment.ms at random.";
    "segment.ms" Long "604800000", Valid::AtLeast(1.0), Medium PerTopic,
        "The age at which a new segment is started.";
    "unclean.leader.election.enable" Boolean "false", Valid::Any, Medium PerTopic,
        "Whether a replica that is not in sync may become leader, which can lose records.";
}
