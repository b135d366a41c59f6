//! Broker keys of the node's identity, the metadata quorum and the metadata log.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    BROKER_QUORUM:

    "broker.heartbeat.interval.ms" Int "2000", Valid::Any, Medium ReadOnly,
        "The time between a broker's heartbeats to the controller.";
    "broker.id" Int "-1", Valid::Any, High ReadOnly,
        "The older name of node.id.";
    "broker.rack" Str null, Valid::Any, Medium ReadOnly,
        "The rack of this broker, used to spread replicas and to let consumers fetch from a near replica.";
    "broker.session.timeout.ms" Int "9000", Valid::Any, Medium ReadOnly,
        "How long a broker may miss its heartbeats before the controller fences it.";
    "controller.listener.names" List required, Valid::Distinct(EmptyList::NotEmpty), High ReadOnly,
        "The names of the listeners that controllers use, separated by commas; required in KRaft, and never advertised to clients.";
    "controller.performance.always.log.threshold.ms" Long "2000", Valid::AtLeast(0.0), Medium ReadOnly internal,
        "A controller event that takes longer than this is always logged.";
    "controller.performance.sample.period.ms" Long "60000", Valid::AtLeast(100.0), Medium ReadOnly internal,
        "The time between the controller's reports on its own performance.";
    "controller.quorum.append.linger.ms" Int "25", Valid::AtLeast(0.0), Medium ReadOnly,
        "How long the leader of the quorum collects records before it writes them.";
    "controller.quorum.auto.join.enable" Boolean "false", Valid::Any, Low ReadOnly,
        "Whether a controller joins the voters by itself (KIP-853).";
    "controller.quorum.bootstrap.servers" List "", Valid::BootstrapServers, High ReadOnly,
        "Addresses, host:port, at which the quorum can be found (KIP-853).";
    "controller.quorum.election.backoff.max.ms" Int "1000", Valid::AtLeast(0.0), High ReadOnly,
        "The longest random pause before a candidate tries again after a split vote.";
    "controller.quorum.election.timeout.ms" Int "1000", Valid::AtLeast(0.0), High ReadOnly,
        "How long to wait without a leader before starting an election.";
    "controller.quorum.fetch.max.bytes" Int "1048576", Valid::AtLeast(1.0), Low ReadOnly,
        "The most bytes of records asked for in one fetch of the metadata log.";
    "controller.quorum.fetch.snapshot.max.bytes" Int "1048576", Valid::AtLeast(1.0), Low ReadOnly,
        "The most bytes asked for in one fetch of a metadata snapshot.";
    "controller.quorum.fetch.timeout.ms" Int "2000", Valid::AtLeast(0.0), High ReadOnly,
        "How long a voter goes without a successful fetch from the leader before it becomes a candidate, or a leader without fetches of a majority before it resigns.";
    "controller.quorum.request.timeout.ms" Int "2000", Valid::AtLeast(0.0), Medium ReadOnly,
        "How long a request within the quorum waits for its answer.";
    "controller.quorum.retry.backoff.ms" Int "20", Valid::AtLeast(0.0), Low ReadOnly,
        "The pause before a failed request within the quorum is sent again.";
    "controller.quorum.voters" List "", Valid::QuorumVoters, High ReadOnly,
        "The static voters as id@host:port, separated by commas.";
    "controller.quota.window.num" Int "11", Valid::AtLeast(1.0), Low ReadOnly,
        "The number of samples kept to compute the quota of controller mutations.";
    "controller.quota.window.size.seconds" Int "1", Valid::AtLeast(1.0), Low ReadOnly,
        "The length of each sample of the quota of controller mutations.";
    "controller.socket.timeout.ms" Int "30000", Valid::Any, Medium ReadOnly,
        "The socket timeout of connections to the controller.";
    "initial.broker.registration.timeout.ms" Int "60000", Valid::Any, Medium ReadOnly,
        "How long a starting broker tries to register before it gives up.";
    "internal.metadata.delete.delay.millis" Long "60000", Valid::Any, Low ReadOnly internal,
        "How long a deleted file of the metadata log stays on disk.";
    "internal.metadata.log.segment.bytes" Int null, Valid::Any, Low ReadOnly internal,
        "The segment size of the metadata log, below the limits of metadata.log.segment.bytes.";
    "internal.metadata.max.batch.size.in.bytes" Int "8388608", Valid::Any, Low ReadOnly internal,
        "The largest batch of the metadata log.";
    "metadata.log.dir" Str null, Valid::Any, High ReadOnly,
        "The directory of the metadata log; the first of log.dirs where this is not set.";
    "metadata.log.max.record.bytes.between.snapshots" Long "20971520", Valid::AtLeast(1.0), High ReadOnly,
        "How many bytes of metadata records are written before a new snapshot.";
    "metadata.log.max.snapshot.interval.ms" Long "3600000", Valid::AtLeast(0.0), High ReadOnly,
        "The longest time between two snapshots while records are written; 0 means no limit.";
    "metadata.log.segment.bytes" Int "1073741824", Valid::AtLeast(8_388_608.0), High ReadOnly,
        "The largest size of a segment of the metadata log.";
    "metadata.log.segment.ms" Long "604800000", Valid::Any, High ReadOnly,
        "The age at which a new segment of the metadata log is started.";
    "metadata.max.idle.interval.ms" Int "500", Valid::AtLeast(0.0), Low ReadOnly,
        "How often the active controller writes a NoOp record; 0 means never.";
    "metadata.max.retention.bytes" Long "104857600", Valid::Any, High ReadOnly,
        "The size of metadata log and snapshots above which old ones are deleted.";
    "metadata.max.retention.ms" Long "604800000", Valid::Any, High ReadOnly,
        "How long old segments and snapshots of the metadata log are kept.";
    "node.id" Int required, Valid::AtLeast(0.0), High ReadOnly,
        "The id of this node; unique in the cluster, and 0 or more in KRaft.";
    "process.roles" List required, Valid::ListOf(&["broker", "controller"], EmptyList::NotEmpty), High ReadOnly,
        "The roles of this node: broker, controller, or both.";
    "server.max.startup.time.ms" Long "9223372036854775807", Valid::AtLeast(0.0), Medium ReadOnly internal,
        "How long the start may take before it is given up.";
    "unstable.api.versions.enable" Boolean "false", Valid::Any, High ReadOnly internal,
        "Whether unfinished versions of APIs are offered.";
    "unstable.feature.versions.enable" Boolean "false", Valid::Any, High ReadOnly internal,
        "Whether unfinished versions of features can be used.";
}
