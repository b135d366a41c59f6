//! Broker keys of the coordinators: committed offsets, transactions, producer ids, share state.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::Valid;

definitions! {
    BROKER_COORDINATORS:

    "add.partitions.to.txn.retry.backoff.max.ms" Int "100", Valid::AtLeast(0.0), High ReadOnly,
        "The longest time the broker keeps retrying, on its own side, to add a partition to a transaction.";
    "add.partitions.to.txn.retry.backoff.ms" Int "20", Valid::AtLeast(1.0), High ReadOnly,
        "The pause between the broker's own retries of adding a partition to a transaction.";
    "offset.metadata.max.bytes" Int "4096", Valid::Any, High ReadOnly,
        "The largest metadata text stored with a committed offset.";
    "offsets.commit.timeout.ms" Int "5000", Valid::AtLeast(1.0), High ReadOnly,
        "How long an offset commit waits for its replicas.";
    "offsets.load.buffer.size" Int "5242880", Valid::AtLeast(1.0), High ReadOnly,
        "The size of each read while offsets are loaded.";
    "offsets.retention.check.interval.ms" Long "600000", Valid::AtLeast(1.0), High ReadOnly,
        "The time between scans for expired offsets.";
    "offsets.retention.minutes" Int "10080", Valid::AtLeast(1.0), High ReadOnly,
        "How long committed offsets are kept after a group became empty.";
    "offsets.topic.compression.codec" Int "0", Valid::Any, High ReadOnly,
        "The codec of the offsets topic: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "offsets.topic.num.partitions" Int "50", Valid::AtLeast(1.0), High ReadOnly,
        "The number of partitions of the offsets topic; not to be changed later.";
    "offsets.topic.replication.factor" Short "3", Valid::AtLeast(1.0), High ReadOnly,
        "The replication factor of the offsets topic.";
    "offsets.topic.segment.bytes" Int "104857600", Valid::AtLeast(1.0), High ReadOnly,
        "The segment size of the offsets topic.";
    "producer.id.expiration.check.interval.ms" Int "600000", Valid::AtLeast(1.0), Low ReadOnly internal,
        "The time between scans for expired producer ids.";
    "producer.id.expiration.ms" Int "86400000", Valid::AtLeast(1.0), Low ClusterWide,
        "How long a partition remembers a producer id after its last write.";
    "share.coordinator.append.linger.ms" Int "-1", Valid::AtLeast(-1.0), Medium ReadOnly,
        "How long the share coordinator collects records before it writes them; -1 adapts to the load.";
    "share.coordinator.cached.buffer.max.bytes" Int "1048588", Valid::AtLeast(524_288.0), Medium ClusterWide,
        "The largest buffer the share coordinator keeps for writing.";
    "share.coordinator.cold.partition.snapshot.interval.ms" Int "300000", Valid::AtLeast(1.0), Low ReadOnly internal,
        "The time between snapshots of share partitions that are not in use.";
    "share.coordinator.load.buffer.size" Int "5242880", Valid::AtLeast(1.0), High ReadOnly,
        "The size of each read while share state is loaded.";
    "share.coordinator.snapshot.update.records.per.snapshot" Int "500", Valid::Between(0.0, 500.0), Medium ReadOnly,
        "The number of updates written between two snapshots of a share partition.";
    "share.coordinator.state.topic.compression.codec" Int "0", Valid::Any, High ReadOnly,
        "The codec of the share state topic: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "share.coordinator.state.topic.min.isr" Short "2", Valid::AtLeast(1.0), High ReadOnly,
        "The min.insync.replicas of the share state topic.";
    "share.coordinator.state.topic.num.partitions" Int "50", Valid::AtLeast(1.0), High ReadOnly,
        "The number of partitions of the share state topic; not to be changed later.";
    "share.coordinator.state.topic.prune.interval.ms" Int "300000", Valid::AtLeast(1.0), Low ReadOnly internal,
        "The time between removals of share state that is no longer needed.";
    "share.coordinator.state.topic.replication.factor" Short "3", Valid::AtLeast(1.0), High ReadOnly,
        "The replication factor of the share state topic.";
    "share.coordinator.state.topic.segment.bytes" Int "104857600", Valid::AtLeast(1.0), High ReadOnly,
        "The segment size of the share state topic.";
    "share.coordinator.threads" Int "1", Valid::AtLeast(1.0), Medium ReadOnly,
        "The number of threads of the share coordinator.";
    "share.coordinator.write.timeout.ms" Int "5000", Valid::AtLeast(1.0), High ReadOnly,
        "How long a write of share state waits for its replicas.";
    "share.fetch.purgatory.purge.interval.requests" Int "1000", Valid::Any, Medium ReadOnly,
        "How many completed share fetches may collect before they are purged.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms" Int "10000", Valid::AtLeast(1.0), Low ReadOnly,
        "The time between scans for transactions that timed out.";
    "transaction.max.timeout.ms" Int "900000", Valid::AtLeast(1.0), High ReadOnly,
        "The longest transaction timeout that a producer may ask for.";
    "transaction.partition.verification.enable" Boolean "true", Valid::Any, Low ClusterWide,
        "Whether a write checks that its partition was added to the transaction.";
    "transaction.remove.expired.transaction.cleanup.interval.ms" Int "3600000", Valid::AtLeast(1.0), Low ReadOnly,
        "The time between scans for expired transactional ids.";
    "transaction.state.log.load.buffer.size" Int "5242880", Valid::AtLeast(1.0), High ReadOnly,
        "The size of each read while transactions are loaded.";
    "transaction.state.log.min.isr" Int "2", Valid::AtLeast(1.0), High ReadOnly,
        "The min.insync.replicas of the transaction topic.";
    "transaction.state.log.num.partitions" Int "50", Valid::AtLeast(1.0), High ReadOnly,
        "The number of partitions of the transaction topic; not to be changed later.";
    "transaction.state.log.replication.factor" Short "3", Valid::AtLeast(1.0), High ReadOnly,
        "The replication factor of the transaction topic.";
    "transaction.state.log.segment.bytes" Int "104857600", Valid::AtLeast(1.0), High ReadOnly,
        "The segment size of the transaction topic.";
    "transaction.two.phase.commit.enable" Boolean "false", Valid::Any, Low ReadOnly,
        "Whether producers may take part in an external two-phase commit (KIP-939).";
    "transactional.id.expiration.ms" Int "604800000", Valid::AtLeast(1.0), High ReadOnly,
        "How long an idle transactional id is remembered.";
}
