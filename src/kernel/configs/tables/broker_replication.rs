//! Broker keys of replication, leader balance and tiered storage.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::Valid;

definitions! {
    BROKER_REPLICATION:

    "auto.leader.rebalance.enable" Boolean "true", Valid::Any, High ReadOnly,
        "Whether leadership is moved back to the preferred replicas in the background.";
    "follower.fetch.last.tiered.offset.enable" Boolean "false", Valid::Any, Medium ClusterWide,
        "Whether a new follower starts from the last offset in tiered storage.";
    "leader.imbalance.check.interval.seconds" Long "300", Valid::AtLeast(1.0), High ReadOnly,
        "The time between checks whether leaders should move back to preferred replicas.";
    "num.replica.alter.log.dirs.threads" Int null, Valid::Any, High ReadOnly,
        "The number of threads that move replicas between directories.";
    "num.replica.fetchers" Int "1", Valid::AtLeast(1.0), High ClusterWide,
        "The number of fetcher threads per source broker.";
    "remote.fetch.max.wait.ms" Int "500", Valid::AtLeast(1.0), Medium ClusterWide,
        "How long a fetch from tiered storage waits for data.";
    "remote.list.offsets.request.timeout.ms" Long "30000", Valid::AtLeast(1.0), Medium ClusterWide,
        "How long ListOffsets waits for tiered storage.";
    "remote.log.index.file.cache.total.size.bytes" Long "1073741824", Valid::AtLeast(1.0), Low ClusterWide,
        "The disk space for cached indexes of tiered segments.";
    "remote.log.index.file.cache.ttl.ms" Long "900000", Valid::AtLeast(-1.0), Low ReadOnly internal,
        "How long an unused cached index of a tiered segment is kept.";
    "remote.log.manager.copier.thread.pool.size" Int "10", Valid::AtLeast(1.0), Medium ClusterWide,
        "The number of threads that copy segments to tiered storage.";
    "remote.log.manager.copy.max.bytes.per.second" Long "9223372036854775807", Valid::AtLeast(1.0), Medium ClusterWide,
        "The most bytes per second copied to tiered storage.";
    "remote.log.manager.copy.quota.window.num" Int "11", Valid::AtLeast(1.0), Medium ReadOnly,
        "The number of samples kept to compute the copy quota of tiered storage.";
    "remote.log.manager.copy.quota.window.size.seconds" Int "1", Valid::AtLeast(1.0), Medium ReadOnly,
        "The length of each sample of the copy quota of tiered storage.";
    "remote.log.manager.expiration.thread.pool.size" Int "10", Valid::AtLeast(1.0), Medium ClusterWide,
        "The number of threads that delete expired tiered segments.";
    "remote.log.manager.fetch.max.bytes.per.second" Long "9223372036854775807", Valid::AtLeast(1.0), Medium ClusterWide,
        "The most bytes per second fetched from tiered storage.";
    "remote.log.manager.fetch.quota.window.num" Int "11", Valid::AtLeast(1.0), Medium ReadOnly,
        "The number of samples kept to compute the fetch quota of tiered storage.";
    "remote.log.manager.fetch.quota.window.size.seconds" Int "1", Valid::AtLeast(1.0), Medium ReadOnly,
        "The length of each sample of the fetch quota of tiered storage.";
    "remote.log.manager.follower.thread.pool.size" Int "2", Valid::AtLeast(1.0), Medium ClusterWide,
        "The number of threads for tiered work on followers.";
    "remote.log.manager.task.interval.ms" Long "30000", Valid::AtLeast(1.0), Low ReadOnly,
        "The time between runs of the tiered storage tasks.";
    "remote.log.manager.task.retry.backoff.max.ms" Long "30000", Valid::AtLeast(1.0), Low ReadOnly internal,
        "The longest pause before a failed tiered storage task is tried again.";
    "remote.log.manager.task.retry.backoff.ms" Long "500", Valid::AtLeast(1.0), Low ReadOnly internal,
        "The first pause before a failed tiered storage task is tried again.";
    "remote.log.manager.task.retry.jitter" Double "0.2", Valid::Between(0.0, 0.5), Low ReadOnly internal,
        "The random share of the pause before a failed tiered storage task is tried again.";
    "remote.log.manager.thread.pool.size" Int "2", Valid::AtLeast(1.0), Medium ReadOnly,
        "The number of threads of the tiered storage manager.";
    "remote.log.metadata.custom.metadata.max.bytes" Int "128", Valid::AtLeast(0.0), Low ReadOnly,
        "The largest custom metadata a storage plugin may attach to a segment.";
    "remote.log.metadata.manager.class.name" Str "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", Valid::NonEmptyString, Medium ReadOnly,
        "The class that stores the metadata of tiered segments.";
    "remote.log.metadata.manager.class.path" Str null, Valid::Any, Medium ReadOnly,
        "Where the class of remote.log.metadata.manager.class.name is found.";
    "remote.log.metadata.manager.impl.prefix" Str "rlmm.config.", Valid::NonEmptyString, Medium ReadOnly,
        "The prefix of the properties given to the tiered metadata manager.";
    "remote.log.metadata.manager.listener.name" Str null, Valid::NonEmptyString, Medium ReadOnly,
        "The listener that the tiered metadata manager connects to.";
    "remote.log.reader.max.pending.tasks" Int "100", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most reads of tiered storage that may wait.";
    "remote.log.reader.threads" Int "10", Valid::AtLeast(1.0), Medium ClusterWide,
        "The number of threads that read tiered storage.";
    "remote.log.storage.manager.class.name" Str null, Valid::NonEmptyString, Medium ReadOnly,
        "The class that stores tiered segments.";
    "remote.log.storage.manager.class.path" Str null, Valid::Any, Medium ReadOnly,
        "Where the class of remote.log.storage.manager.class.name is found.";
    "remote.log.storage.manager.impl.prefix" Str "rsm.config.", Valid::NonEmptyString, Medium ReadOnly,
        "The prefix of the properties given to the tiered storage manager.";
    "remote.log.storage.system.enable" Boolean "false", Valid::Any, Medium ReadOnly,
        "Whether tiered storage is on.";
    "replica.fetch.backoff.ms" Int "1000", Valid::AtLeast(0.0), Medium ReadOnly,
        "How long a follower waits after a failed fetch.";
    "replica.fetch.max.bytes" Int "1048576", Valid::AtLeast(0.0), Medium ReadOnly,
        "The bytes asked for per partition in a follower's fetch; the first batch is returned whole.";
    "replica.fetch.min.bytes" Int "1", Valid::Any, High ReadOnly,
        "The least bytes a follower's fetch waits for.";
    "replica.fetch.response.max.bytes" Int "10485760", Valid::AtLeast(0.0), Medium ReadOnly,
        "The bytes asked for in one fetch of a follower.";
    "replica.fetch.wait.max.ms" Int "500", Valid::Any, High ReadOnly,
        "The longest a follower's fetch waits; below replica.lag.time.max.ms.";
    "replica.high.watermark.checkpoint.interval.ms" Long "5000", Valid::Any, High ReadOnly,
        "The time between writes of the high watermark checkpoint.";
    "replica.lag.time.max.ms" Long "30000", Valid::Any, High ReadOnly,
        "A follower that has not caught up for this long leaves the in-sync replicas.";
    "replica.selector.class" Str null, Valid::Any, Medium ReadOnly,
        "The class that chooses the replica a consumer reads from.";
    "replica.socket.receive.buffer.bytes" Int "65536", Valid::Any, High ReadOnly,
        "The receive buffer of connections that fetch from leaders.";
    "replica.socket.timeout.ms" Int "30000", Valid::Any, High ReadOnly,
        "The socket timeout of connections that fetch from leaders; at least replica.fetch.wait.max.ms.";
    "replication.quota.window.num" Int "11", Valid::AtLeast(1.0), Low ReadOnly,
        "The number of samples kept to compute replication quotas.";
    "replication.quota.window.size.seconds" Int "1", Valid::AtLeast(1.0), Low ReadOnly,
        "The length of each sample of replication quotas.";
}
