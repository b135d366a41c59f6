//! Broker keys of the groups: classic, consumer, share and streams.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    BROKER_GROUPS:

    "group.consumer.assignment.interval.ms" Int "1000", Valid::AtLeast(0.0), Medium ClusterWide,
        "The least time between two assignments of one consumer group.";
    "group.consumer.assignors" List "uniform,range", Valid::Distinct(EmptyList::NotEmpty), Medium ReadOnly,
        "The server-side assignors of consumer groups; the first is the default.";
    "group.consumer.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The heartbeat interval given to members of a consumer group.";
    "group.consumer.max.assignment.interval.ms" Int "15000", Valid::AtLeast(0.0), Medium ReadOnly,
        "The largest assignment interval that a consumer group may be configured with.";
    "group.consumer.max.heartbeat.interval.ms" Int "15000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The largest heartbeat interval that a consumer group may be configured with.";
    "group.consumer.max.session.timeout.ms" Int "60000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The largest session timeout that a consumer group may be configured with.";
    "group.consumer.max.size" Int "2147483647", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most members of one consumer group.";
    "group.consumer.migration.policy" Str "bidirectional", Valid::OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), Medium ReadOnly,
        "Which conversions between classic and consumer groups are allowed while they are in use.";
    "group.consumer.min.assignment.interval.ms" Int "0", Valid::AtLeast(0.0), Medium ReadOnly,
        "The smallest assignment interval that a consumer group may be configured with.";
    "group.consumer.min.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The smallest heartbeat interval that a consumer group may be configured with.";
    "group.consumer.min.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The smallest session timeout that a consumer group may be configured with.";
    "group.consumer.regex.refresh.interval.ms" Int "600000", Valid::AtLeast(10_000.0), Medium ReadOnly internal,
        "The time after which the topics matching a subscribed expression are looked up again.";
    "group.consumer.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium ReadOnly,
        "How long a member of a consumer group may be silent before it is removed.";
    "group.coordinator.append.linger.ms" Int "-1", Valid::AtLeast(-1.0), Medium ReadOnly,
        "How long the group coordinator collects records before it writes them; -1 adapts to the load.";
    "group.coordinator.background.threads" Int "2", Valid::AtLeast(1.0), High ReadOnly,
        "The number of threads for background work of the group coordinator.";
    "group.coordinator.cached.buffer.max.bytes" Int "1048588", Valid::AtLeast(524_288.0), Medium ClusterWide,
        "The largest buffer the group coordinator keeps for writing.";
    "group.coordinator.rebalance.protocols" List "classic,consumer,streams", Valid::ListOf(&["consumer", "classic", "share", "streams"], EmptyList::NotEmpty), Medium ReadOnly,
        "The group protocols that are served.";
    "group.coordinator.threads" Int "4", Valid::AtLeast(1.0), High ReadOnly,
        "How many partitions of coordinators are loaded at once, as far as there are processors.";
    "group.initial.rebalance.delay.ms" Int "3000", Valid::Any, Medium ReadOnly,
        "How long an empty classic group waits for more members before its first rebalance; 0 is 10 ms.";
    "group.max.session.timeout.ms" Int "1800000", Valid::Any, Medium ReadOnly,
        "The largest session timeout that a member of a classic group may ask for.";
    "group.max.size" Int "2147483647", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most members of one classic group.";
    "group.min.session.timeout.ms" Int "6000", Valid::Any, Medium ReadOnly,
        "The smallest session timeout that a member of a classic group may ask for.";
    "group.share.assignment.interval.ms" Int "1000", Valid::AtLeast(0.0), Medium ClusterWide,
        "The least time between two assignments of one share group.";
    "group.share.assignors" List "simple", Valid::Distinct(EmptyList::NotEmpty), Medium ReadOnly,
        "The server-side assignors of share groups.";
    "group.share.delivery.count.limit" Int "5", Valid::Between(2.0, 10.0), Medium ReadOnly,
        "How often a record is delivered to a share group before it is given up.";
    "group.share.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The heartbeat interval given to members of a share group.";
    "group.share.initialize.retry.interval.ms" Int "30000", Valid::AtLeast(1.0), Low ReadOnly internal,
        "The pause before the state of a share group's partitions is initialised again.";
    "group.share.max.assignment.interval.ms" Int "15000", Valid::AtLeast(0.0), Medium ReadOnly,
        "The largest assignment interval that a share group may be configured with.";
    "group.share.max.delivery.count.limit" Int "10", Valid::Between(5.0, 25.0), Medium ReadOnly,
        "The largest delivery count limit that a share group may be configured with.";
    "group.share.max.heartbeat.interval.ms" Int "15000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The largest heartbeat interval that a share group may be configured with.";
    "group.share.max.partition.max.record.locks" Int "4000", Valid::Between(2000.0, 10_000.0), Medium ReadOnly,
        "The largest number of record locks per partition that a share group may be configured with.";
    "group.share.max.record.lock.duration.ms" Int "60000", Valid::Between(30_000.0, 3_600_000.0), Medium ReadOnly,
        "The longest record lock that a share group may be configured with.";
    "group.share.max.session.timeout.ms" Int "60000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The largest session timeout that a share group may be configured with.";
    "group.share.max.share.sessions" Int "2000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most share sessions of one broker.";
    "group.share.max.size" Int "200", Valid::Between(1.0, 1000.0), Medium ReadOnly,
        "The most members of one share group.";
    "group.share.min.assignment.interval.ms" Int "0", Valid::AtLeast(0.0), Medium ReadOnly,
        "The smallest assignment interval that a share group may be configured with.";
    "group.share.min.delivery.count.limit" Int "2", Valid::Between(2.0, 5.0), Medium ReadOnly,
        "The smallest delivery count limit that a share group may be configured with.";
    "group.share.min.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The smallest heartbeat interval that a share group may be configured with.";
    "group.share.min.partition.max.record.locks" Int "100", Valid::Between(100.0, 2000.0), Medium ReadOnly,
        "The smallest number of record locks per partition that a share group may be configured with.";
    "group.share.min.record.lock.duration.ms" Int "15000", Valid::Between(1000.0, 30_000.0), Medium ReadOnly,
        "The shortest record lock that a share group may be configured with.";
    "group.share.min.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The smallest session timeout that a share group may be configured with.";
    "group.share.partition.max.record.locks" Int "2000", Valid::Between(100.0, 10_000.0), Medium ReadOnly,
        "The most records of one partition that a share group may hold locked.";
    "group.share.persister.class.name" Str "org.apache.kafka.server.share.persister.DefaultStatePersister", Valid::Any, Medium ReadOnly internal,
        "The class that stores the state of share groups.";
    "group.share.record.lock.duration.ms" Int "30000", Valid::Between(1000.0, 3_600_000.0), Medium ReadOnly,
        "How long a record stays locked by the member of a share group that got it.";
    "group.share.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium ReadOnly,
        "How long a member of a share group may be silent before it is removed.";
    "group.streams.assignment.interval.ms" Int "1000", Valid::AtLeast(0.0), Medium ClusterWide,
        "The least time between two assignments of one streams group.";
    "group.streams.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The heartbeat interval given to members of a streams group.";
    "group.streams.initial.rebalance.delay.ms" Int "3000", Valid::AtLeast(0.0), Medium ReadOnly,
        "How long a new streams group waits for more members before its first assignment.";
    "group.streams.max.assignment.interval.ms" Int "15000", Valid::AtLeast(0.0), Medium ReadOnly,
        "The largest assignment interval that a streams group may be configured with.";
    "group.streams.max.heartbeat.interval.ms" Int "15000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The largest heartbeat interval that a streams group may be configured with.";
    "group.streams.max.session.timeout.ms" Int "60000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The largest session timeout that a streams group may be configured with.";
    "group.streams.max.size" Int "2147483647", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most members of one streams group.";
    "group.streams.max.standby.replicas" Int "2", Valid::AtLeast(0.0), Medium ReadOnly,
        "The most standby replicas that a streams group may be configured with.";
    "group.streams.min.assignment.interval.ms" Int "0", Valid::AtLeast(0.0), Medium ReadOnly,
        "The smallest assignment interval that a streams group may be configured with.";
    "group.streams.min.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The smallest heartbeat interval that a streams group may be configured with.";
    "group.streams.min.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The smallest session timeout that a streams group may be configured with.";
    "group.streams.num.standby.replicas" Int "0", Valid::AtLeast(0.0), Medium ReadOnly,
        "The number of standby replicas of each task of a streams group.";
    "group.streams.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium ReadOnly,
        "How long a member of a streams group may be silent before it is removed.";
}
