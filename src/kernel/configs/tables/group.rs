//! Keys of groups.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1. The defaults are the
//! broker's, where it has a key for them.

use super::definitions;
use crate::kernel::configs::definition::Valid;

definitions! {
    GROUP:

    "consumer.assignment.interval.ms" Int "1000", Valid::AtLeast(0.0), Medium PerGroup,
        "The least time between two assignments of the consumer group.";
    "consumer.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium PerGroup,
        "The heartbeat interval given to members of the consumer group.";
    "consumer.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium PerGroup,
        "How long a member of the consumer group may be silent before it is removed.";
    "share.assignment.interval.ms" Int "1000", Valid::AtLeast(0.0), Medium PerGroup,
        "The least time between two assignments of the share group.";
    "share.auto.offset.reset" Str "latest", Valid::NonEmptyString, Medium PerGroup,
        "Where a share group begins: earliest, latest, or by_duration: with a duration in ISO 8601.";
    "share.delivery.count.limit" Int "5", Valid::AtLeast(2.0), Medium PerGroup,
        "How often a record is delivered to the share group before it is given up.";
    "share.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium PerGroup,
        "The heartbeat interval given to members of the share group.";
    "share.isolation.level" Str "read_uncommitted", Valid::OneOf(&["read_committed", "read_uncommitted"]), Medium PerGroup,
        "Whether the share group gets records of transactions only once these are committed.";
    "share.partition.max.record.locks" Int "2000", Valid::AtLeast(100.0), Medium PerGroup,
        "The most records of one partition that the share group may hold locked.";
    "share.record.lock.duration.ms" Int "30000", Valid::AtLeast(1000.0), Medium PerGroup,
        "How long a record stays locked by the member of the share group that got it.";
    "share.renew.acknowledge.enable" Boolean "true", Valid::Any, Medium PerGroup,
        "Whether members of the share group may ask for more time with a record.";
    "share.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium PerGroup,
        "How long a member of the share group may be silent before it is removed.";
    "streams.assignment.interval.ms" Int "1000", Valid::AtLeast(0.0), Medium PerGroup,
        "The least time between two assignments of the streams group.";
    "streams.heartbeat.interval.ms" Int "5000", Valid::AtLeast(1.0), Medium PerGroup,
        "The heartbeat interval given to members of the streams group.";
    "streams.initial.rebalance.delay.ms" Int "3000", Valid::AtLeast(0.0), Medium PerGroup,
        "How long a new streams group waits for more members before its first assignment.";
    "streams.num.standby.replicas" Int "0", Valid::AtLeast(0.0), Medium PerGroup,
        "The number of standby replicas of each task of the streams group.";
    "streams.session.timeout.ms" Int "45000", Valid::AtLeast(1.0), Medium PerGroup,
        "How long a member of the streams group may be silent before it is removed.";
}
