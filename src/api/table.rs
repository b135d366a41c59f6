//! THE list of APIs: key, name, versions, listeners, handler. What is not here is neither answered nor listed.
//!
//! A row's versions are those which Apache Kafka 4.3 lists, and each of them works: a version or an
//! API that does not work yet has no row. Its listeners are those which Kafka's message definitions name: what the
//! controller's listener answers goes the same way as what a broker's does.

use std::sync::Arc;

use bytes::Bytes;

use super::acls::{create_acls, delete_acls, describe_acls};
use super::answer::{Answer, Call, ListenerType};
use super::api_versions;
use super::cluster::{
    describe_cluster, describe_quorum, describe_topic_partitions, metadata, update_features,
};
use super::configs::{
    alter_configs, describe_configs, incremental_alter_configs, list_config_resources,
};
use super::context::Ctx;
use super::data::{
    delete_records, describe_log_dirs, fetch, init_producer_id, list_offsets,
    offset_for_leader_epoch, produce,
};
use super::groups::{
    consumer_group_describe, consumer_group_heartbeat, delete_groups, describe_groups,
    find_coordinator, heartbeat, join_group, leave_group, list_groups, offset_commit,
    offset_delete, offset_fetch, sync_group, txn_offset_commit,
};
use super::topics::{create_partitions, create_topics, delete_topics};
use super::txns::{
    add_offsets_to_txn, add_partitions_to_txn, describe_producers, describe_transactions, end_txn,
    list_transactions, write_txn_markers,
};

/// How a request is handled: decode, act, encode.
pub type Handler = fn(&Arc<Ctx>, Call, Bytes) -> Answer;

/// One API.
pub struct Row {
    /// Its number.
    pub key: i16,
    /// Its name.
    pub name: &'static str,
    /// The oldest version that is answered.
    pub min_version: i16,
    /// The newest version that is answered.
    pub max_version: i16,
    /// The oldest version that ApiVersions lists: older than `min_version` only for Produce, because
    /// librdkafka switches compression off when it does not find Produce 0 (KAFKA-18659).
    pub listed_min_version: i16,
    /// The doors that it is behind.
    pub listeners: &'static [ListenerType],
    /// Who answers.
    pub handler: Handler,
}

/// For clients.
const BROKER: &[ListenerType] = &[ListenerType::Broker];
/// For clients, and for tools that speak with the controller directly (KIP-919).
const BOTH: &[ListenerType] = &[ListenerType::Broker, ListenerType::Controller];

macro_rules! rows {
    ($( $key:literal $name:ident $min:literal..=$max:literal $listeners:ident $handler:expr; )*) => {
        &[ $( Row {
            key: $key,
            name: stringify!($name),
            min_version: $min,
            max_version: $max,
            listed_min_version: if $key == PRODUCE { 0 } else { $min },
            listeners: $listeners,
            handler: $handler,
        }, )* ]
    };
}

/// The key of Produce.
pub const PRODUCE: i16 = 0;
/// The key of ApiVersions, whose answers have rules of their own (KIP-511).
pub const API_VERSIONS: i16 = 18;

/// Every API that works, in the order of the keys.
pub const ROWS: &[Row] = rows! {
    0 Produce 3..=13 BROKER |ctx, call, body| produce::handle(ctx, &call, body);
    1 Fetch 4..=18 BROKER fetch::handle;
    2 ListOffsets 1..=11 BROKER |ctx, call, body| list_offsets::handle(ctx, &call, body);
    3 Metadata 0..=13 BROKER |ctx, call, body| metadata::handle(ctx, &call, body);
    8 OffsetCommit 2..=10 BROKER offset_commit::handle;
    9 OffsetFetch 1..=10 BROKER offset_fetch::handle;
    10 FindCoordinator 0..=6 BROKER |ctx, call, body| find_coordinator::handle(ctx, &call, body);
    11 JoinGroup 0..=9 BROKER join_group::handle;
    12 Heartbeat 0..=4 BROKER heartbeat::handle;
    13 LeaveGroup 0..=5 BROKER leave_group::handle;
    14 SyncGroup 0..=5 BROKER sync_group::handle;
    15 DescribeGroups 0..=6 BROKER describe_groups::handle;
    16 ListGroups 0..=5 BROKER list_groups::handle;
    18 ApiVersions 0..=4 BOTH |ctx, call, body| api_versions::answer(ctx, &call, body);
    19 CreateTopics 2..=7 BOTH create_topics::handle;
    20 DeleteTopics 1..=6 BOTH delete_topics::handle;
    21 DeleteRecords 0..=2 BROKER |ctx, call, body| delete_records::handle(ctx, &call, body);
    22 InitProducerId 0..=5 BROKER init_producer_id::handle;
    23 OffsetForLeaderEpoch 2..=4 BROKER |ctx, call, body| {
        offset_for_leader_epoch::handle(ctx, &call, body)
    };
    24 AddPartitionsToTxn 0..=5 BROKER add_partitions_to_txn::handle;
    25 AddOffsetsToTxn 0..=4 BROKER add_offsets_to_txn::handle;
    26 EndTxn 0..=5 BROKER end_txn::handle;
    27 WriteTxnMarkers 1..=2 BROKER write_txn_markers::handle;
    28 TxnOffsetCommit 0..=5 BROKER txn_offset_commit::handle;
    29 DescribeAcls 1..=3 BOTH |ctx, call, body| describe_acls::handle(ctx, &call, body);
    30 CreateAcls 1..=3 BOTH create_acls::handle;
    31 DeleteAcls 1..=3 BOTH delete_acls::handle;
    32 DescribeConfigs 1..=4 BOTH |ctx, call, body| describe_configs::handle(ctx, &call, body);
    33 AlterConfigs 0..=2 BOTH alter_configs::handle;
    35 DescribeLogDirs 1..=5 BROKER |ctx, call, body| describe_log_dirs::handle(ctx, &call, body);
    37 CreatePartitions 0..=3 BOTH create_partitions::handle;
    42 DeleteGroups 0..=2 BROKER delete_groups::handle;
    44 IncrementalAlterConfigs 0..=1 BOTH incremental_alter_configs::handle;
    47 OffsetDelete 0..=0 BROKER offset_delete::handle;
    55 DescribeQuorum 0..=2 BOTH |ctx, call, body| describe_quorum::handle(ctx, &call, body);
    57 UpdateFeatures 0..=2 BOTH update_features::handle;
    60 DescribeCluster 0..=2 BOTH |ctx, call, body| describe_cluster::handle(ctx, &call, body);
    61 DescribeProducers 0..=0 BROKER |ctx, call, body| {
        describe_producers::handle(ctx, &call, body)
    };
    65 DescribeTransactions 0..=0 BROKER describe_transactions::handle;
    66 ListTransactions 0..=2 BROKER list_transactions::handle;
    68 ConsumerGroupHeartbeat 0..=1 BROKER consumer_group_heartbeat::handle;
    69 ConsumerGroupDescribe 0..=1 BROKER consumer_group_describe::handle;
    74 ListConfigResources 0..=1 BROKER |ctx, call, body| {
        list_config_resources::handle(ctx, &call, body)
    };
    75 DescribeTopicPartitions 0..=0 BROKER |ctx, call, body| {
        describe_topic_partitions::handle(ctx, &call, body)
    };
};

/// The row of `key`.
pub fn row(key: i16) -> Option<&'static Row> {
    ROWS.binary_search_by_key(&key, |row| row.key).ok().and_then(|index| ROWS.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::guard;

    #[test]
    fn rows_are_in_the_order_of_their_keys() {
        assert!(ROWS.is_sorted_by(|a, b| a.key < b.key));
        assert!(ROWS.iter().all(|row| row.min_version <= row.max_version));
    }

    #[test]
    fn every_version_of_every_row_is_guarded_or_has_a_codec_of_its_own() {
        for row in ROWS {
            let versions = row.min_version..=row.max_version;
            for version in versions.filter(|version| !guard::has_own_codec(row.key, *version)) {
                let shape = guard::shape(row.key, version).map(|shape| shape.name);
                assert_eq!(shape, Some(row.name), "{version}");
            }
        }
    }
}
