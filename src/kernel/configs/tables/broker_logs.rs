//! Broker keys of logs and of what new topics are like.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    BROKER_LOGS:

    "alter.config.policy.class.name" Class null, Valid::Any, Low ReadOnly,
        "The Java class which decides whether a change of configuration is allowed.";
    "alter.log.dirs.replication.quota.window.num" Int "11", Valid::AtLeast(1.0), Low ReadOnly,
        "The number of samples kept to compute the quota of moves between log directories.";
    "alter.log.dirs.replication.quota.window.size.seconds" Int "1", Valid::AtLeast(1.0), Low ReadOnly,
        "The length of each sample of the quota of moves between log directories.";
    "auto.create.topics.enable" Boolean "true", Valid::Any, High ReadOnly,
        "Whether a topic is created when a client asks for the metadata of one that does not exist.";
    "compression.gzip.level" Int "-1", Valid::GzipLevel, Medium ClusterWide,
        "The level used where compression.type is gzip.";
    "compression.lz4.level" Int "9", Valid::Between(1.0, 17.0), Medium ClusterWide,
        "The level used where compression.type is lz4.";
    "compression.type" Str "producer", Valid::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), High ClusterWide,
        "How batches are stored: a codec, uncompressed, or producer to keep what the producer chose.";
    "compression.zstd.level" Int "3", Valid::Between(-131_072.0, 22.0), Medium ClusterWide,
        "The level used where compression.type is zstd.";
    "cordoned.log.dirs" List "", Valid::Distinct(EmptyList::Empty), Medium PerBroker,
        "Log directories in which no new partition is placed (KIP-1066); * stands for all.";
    "create.topic.policy.class.name" Class null, Valid::Any, Low ReadOnly,
        "The Java class which decides whether a topic may be created.";
    "default.replication.factor" Int "1", Valid::Any, Medium ReadOnly,
        "The replication factor of topics that are created automatically or with factor -1.";
    "delete.topic.enable" Boolean "true", Valid::Any, High ReadOnly,
        "Whether topics can be deleted.";
    "log.cleaner.backoff.ms" Long "15000", Valid::AtLeast(0.0), Medium ClusterWide,
        "How long the cleaner sleeps when there is nothing to clean.";
    "log.cleaner.dedupe.buffer.size" Long "134217728", Valid::Any, Medium ClusterWide,
        "The memory for the deduplication maps of all cleaner threads.";
    "log.cleaner.delete.retention.ms" Long "86400000", Valid::AtLeast(0.0), Medium ClusterWide,
        "How long tombstones and transaction markers stay in compacted topics.";
    "log.cleaner.enable" Boolean "true", Valid::Any, Medium ReadOnly,
        "Whether compaction runs.";
    "log.cleaner.io.buffer.load.factor" Double "0.9", Valid::Any, Medium ClusterWide,
        "How full the cleaner's deduplication map may become.";
    "log.cleaner.io.buffer.size" Int "524288", Valid::AtLeast(0.0), Medium ClusterWide,
        "The memory for I/O of all cleaner threads.";
    "log.cleaner.io.max.bytes.per.second" Double "1.7976931348623157E308", Valid::Any, Medium ClusterWide,
        "The cleaner reads and writes no more than this per second on average.";
    "log.cleaner.max.compaction.lag.ms" Long "9223372036854775807", Valid::AtLeast(1.0), Medium ClusterWide,
        "The longest time a record may stay uncompacted.";
    "log.cleaner.min.cleanable.ratio" Double "0.5", Valid::Between(0.0, 1.0), Medium ClusterWide,
        "The share of a log that must be dirty before it is compacted.";
    "log.cleaner.min.compaction.lag.ms" Long "0", Valid::AtLeast(0.0), Medium ClusterWide,
        "The shortest time a record stays uncompacted.";
    "log.cleaner.threads" Int "1", Valid::AtLeast(0.0), Medium ClusterWide,
        "The number of cleaner threads.";
    "log.cleanup.policy" List "delete", Valid::ListOf(&["compact", "delete"], EmptyList::Empty), Medium ClusterWide,
        "What happens to old segments: delete, compact, or both.";
    "log.dir" List "/tmp/kafka-logs", Valid::Distinct(EmptyList::NotEmpty), High ReadOnly,
        "The data directory where log.dirs is not set.";
    "log.dir.failure.timeout.ms" Long "30000", Valid::AtLeast(1.0), Low ReadOnly,
        "How long a broker with a failed directory tries to tell the controller before it stops.";
    "log.dirs" List null, Valid::Distinct(EmptyList::NotEmpty), High ReadOnly,
        "The data directories, separated by commas; log.dir is used where this is not set.";
    "log.flush.interval.messages" Long "9223372036854775807", Valid::AtLeast(1.0), High ClusterWide,
        "The number of records after which a log is flushed to disk.";
    "log.flush.interval.ms" Long null, Valid::Any, High ClusterWide,
        "The longest time a record stays unflushed; log.flush.scheduler.interval.ms is used where this is not set.";
    "log.flush.offset.checkpoint.interval.ms" Int "60000", Valid::AtLeast(0.0), High ReadOnly,
        "The time between writes of the recovery point checkpoint.";
    "log.flush.scheduler.interval.ms" Long "9223372036854775807", Valid::Any, High ReadOnly,
        "The time between checks whether a log has to be flushed.";
    "log.flush.start.offset.checkpoint.interval.ms" Int "60000", Valid::AtLeast(0.0), High ReadOnly,
        "The time between writes of the log start offset checkpoint.";
    "log.index.interval.bytes" Int "4096", Valid::AtLeast(0.0), Medium ClusterWide,
        "The bytes between two entries of the offset index.";
    "log.index.size.max.bytes" Int "10485760", Valid::AtLeast(4.0), Medium ClusterWide,
        "The largest size of an offset index.";
    "log.initial.task.delay.ms" Long "30000", Valid::AtLeast(0.0), Low ReadOnly internal,
        "How long background tasks on logs wait after the start.";
    "log.local.retention.bytes" Long "-2", Valid::AtLeast(-2.0), Medium ClusterWide,
        "The size kept on local disks where tiered storage is on; -2 means that of log.retention.bytes.";
    "log.local.retention.ms" Long "-2", Valid::AtLeast(-2.0), Medium ClusterWide,
        "How long segments are kept on local disks where tiered storage is on; -2 means as log.retention.ms says.";
    "log.message.timestamp.after.max.ms" Long "3600000", Valid::AtLeast(0.0), Medium ClusterWide,
        "How far a record's timestamp may lie in the future of the broker's clock.";
    "log.message.timestamp.before.max.ms" Long "9223372036854775807", Valid::AtLeast(0.0), Medium ClusterWide,
        "How far a record's timestamp may lie in the past of the broker's clock.";
    "log.message.timestamp.type" Str "CreateTime", Valid::OneOf(&["CreateTime", "LogAppendTime"]), Medium ClusterWide,
        "Whether records carry the producer's time (CreateTime) or that of the append (LogAppendTime).";
    "log.preallocate" Boolean "false", Valid::Any, Medium ClusterWide,
        "Whether the file of a new segment is allocated in full.";
    "log.retention.bytes" Long "-1", Valid::Any, High ClusterWide,
        "The size above which the oldest segments of a partition are deleted; -1 means no limit.";
    "log.retention.check.interval.ms" Long "300000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The time between checks for segments to delete.";
    "log.retention.hours" Int "168", Valid::Any, High ReadOnly,
        "How long segments are kept, in hours; after log.retention.ms and log.retention.minutes.";
    "log.retention.minutes" Int null, Valid::Any, High ReadOnly,
        "How long segments are kept, in minutes; after log.retention.ms.";
    "log.retention.ms" Long null, Valid::Any, High ClusterWide,
        "How long segments are kept, in milliseconds; -1 means for ever.";
    "log.roll.hours" Int "168", Valid::AtLeast(1.0), High ReadOnly,
        "The age at which a new segment is started, in hours; after log.roll.ms.";
    "log.roll.jitter.hours" Int "0", Valid::AtLeast(0.0), High ReadOnly,
        "The most that is taken off log.roll.hours at random; after log.roll.jitter.ms.";
    "log.roll.jitter.ms" Long null, Valid::Any, High ClusterWide,
        "The most that is taken off log.roll.ms at random.";
    "log.roll.ms" Long null, Valid::Any, High ClusterWide,
        "The age at which a new segment is started, in milliseconds.";
    "log.segment.bytes" Int "1073741824", Valid::AtLeast(1_048_576.0), High ClusterWide,
        "The largest size of a segment.";
    "log.segment.delete.delay.ms" Long "60000", Valid::AtLeast(0.0), High ClusterWide,
        "How long the file of a deleted segment stays on disk.";
    "message.max.bytes" Int "1048588", Valid::AtLeast(0.0), High ClusterWide,
        "The largest batch that is accepted, after compression.";
    "min.insync.replicas" Int "1", Valid::AtLeast(1.0), High ClusterWide,
        "The least number of in-sync replicas with which acks=all is accepted.";
    "num.partitions" Int "1", Valid::AtLeast(1.0), Medium ReadOnly,
        "The number of partitions of topics created without a number.";
    "num.recovery.threads.per.data.dir" Int "2", Valid::AtLeast(1.0), High ClusterWide,
        "The number of threads per data directory that recover logs at start and flush them at stop.";
    "ottla.validate.compressed" Boolean "false", Valid::Any, Medium ClusterWide,
        "Whether compressed batches are opened and walked like uncompressed ones; Ottla's own key.";
    "unclean.leader.election.enable" Boolean "false", Valid::Any, High ClusterWide,
        "Whether a replica that is not in sync may become leader, which can lose records.";
    "unclean.leader.election.interval.ms" Long "300000", Valid::AtLeast(1.0), Medium ReadOnly internal,
        "The time between checks for partitions that need an unclean election.";
}
