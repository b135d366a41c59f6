//! THE list of shapes: one row per API, in the notation of `shape.rs`.
//!
//! As in Kafka 4.3's message schemas, as far as the protocol crate reads the versions; Produce and Fetch
//! have codecs of their own, which trust nothing. A version that another code reads says so in its row's
//! comment.

use super::shape::{Field, Kind, NEVER, Shape, fields, first, kind, nullable, shape, tag, version};

/// Every shape, in the order of the keys.
pub const SHAPES: &[Shape] = &[
    shape!(2 ListOffsets 1-11 flexible 6: i32, i8@2, [{text, [{i32, i32@4, i64}]}], i32@10),
    shape!(3 Metadata 0-13 flexible 9: [{uuid@10, text?10}]?1, i8@4, i8@8-10, i8@8),
    // Version 10 of the next two names topics by their id, and is read by `wire::messages`.
    shape!(8 OffsetCommit 2-9 flexible 8:
        text, i32, text, text?@7, i64@2-4, [{text@2-9, [{i32, i64, i32@6, text?}]}]),
    shape!(9 OffsetFetch 1-9 flexible 6:
        text@1-7, [{text, [i32]}]?2@1-7, [{text, text?@9, i32@9, [{text@8-9, [i32]}]?}]@8, i8@7),
    shape!(10 FindCoordinator 0-6 flexible 3: text@0-3, i8@1, [text]@4),
    shape!(11 JoinGroup 0-9 flexible 6:
        text, i32, i32@1, text, text?@5, text, [{text, bytes}], text?@8),
    shape!(12 Heartbeat 0-4 flexible 4: text, i32, text, text?@3),
    shape!(13 LeaveGroup 0-5 flexible 4: text, text@0-2, [{text, text?, text?@5}]@3),
    shape!(14 SyncGroup 0-5 flexible 4:
        text, i32, text, text?@3, text?@5, text?@5, [{text, bytes}]),
    shape!(15 DescribeGroups 0-6 flexible 5: [text], i8@3),
    shape!(16 ListGroups 0-5 flexible 3: [text]@4, [text]@5),
    shape!(17 SaslHandshake 0-1 flexible never: text),
    shape!(18 ApiVersions 0-4 flexible 3: text@3, text@3),
    shape!(19 CreateTopics 2-7 flexible 5:
        [{text, i32, i16, [{i32, [i32]}], [{text, text?}]}], i32, i8),
    shape!(20 DeleteTopics 1-6 flexible 4: [{text?, uuid}]@6, [text]@1-5, i32),
    shape!(21 DeleteRecords 0-2 flexible 2: [{text, [{i32, i64}]}], i32),
    shape!(22 InitProducerId 0-5 flexible 2: text?, i32, i64@3, i16@3),
    shape!(23 OffsetForLeaderEpoch 2-4 flexible 4: i32@3, [{text, [{i32, i32, i32}]}]),
    shape!(24 AddPartitionsToTxn 0-5 flexible 3:
        [{text, i64, i16, i8, [{text, [i32]}]}]@4, text@0-3, i64@0-3, i16@0-3, [{text, [i32]}]@0-3),
    shape!(25 AddOffsetsToTxn 0-4 flexible 3: text, i64, i16, text),
    shape!(26 EndTxn 0-5 flexible 3: text, i64, i16, i8),
    shape!(27 WriteTxnMarkers 1-1 flexible 1: [{i64, i16, i8, [{text, [i32]}], i32}]),
    shape!(28 TxnOffsetCommit 0-5 flexible 3:
        text, text, i64, i16, i32@3, text@3, text?@3, [{text, [{i32, i64, i32@2, text?}]}]),
    shape!(29 DescribeAcls 1-3 flexible 2: i8, text?, i8, text?, text?, i8, i8),
    shape!(30 CreateAcls 1-3 flexible 2: [{i8, text, i8, text, text, i8, i8}]),
    shape!(31 DeleteAcls 1-3 flexible 2: [{i8, text?, i8, text?, text?, i8, i8}]),
    shape!(32 DescribeConfigs 1-4 flexible 4: [{i8, text, [text]?}], i8, i8@3),
    shape!(33 AlterConfigs 0-2 flexible 2: [{i8, text, [{text, text?}]}], i8),
    shape!(34 AlterReplicaLogDirs 1-2 flexible 2: [{text, [{text, [i32]}]}]),
    shape!(35 DescribeLogDirs 1-5 flexible 2: [{text, [i32]}]?),
    shape!(36 SaslAuthenticate 0-2 flexible 2: bytes),
    shape!(37 CreatePartitions 0-3 flexible 2: [{text, i32, [{[i32]}]?}], i32, i8),
    shape!(38 CreateDelegationToken 1-3 flexible 2: text?@3, text?@3, [{text, text}], i64),
    shape!(39 RenewDelegationToken 1-2 flexible 2: bytes, i64),
    shape!(40 ExpireDelegationToken 1-2 flexible 2: bytes, i64),
    shape!(41 DescribeDelegationToken 1-3 flexible 2: [{text, text}]?),
    shape!(42 DeleteGroups 0-2 flexible 2: [text]),
    shape!(43 ElectLeaders 0-2 flexible 2: i8@1, [{text, [i32]}]?, i32),
    shape!(44 IncrementalAlterConfigs 0-1 flexible 1: [{i8, text, [{text, i8, text?}]}], i8),
    shape!(45 AlterPartitionReassignments 0-1 flexible 0: i32, i8@1, [{text, [{i32, [i32]?}]}]),
    shape!(46 ListPartitionReassignments 0-0 flexible 0: i32, [{text, [i32]}]?),
    shape!(47 OffsetDelete 0-0 flexible never: text, [{text, [{i32}]}]),
    shape!(48 DescribeClientQuotas 0-1 flexible 1: [{text, i8, text?}], i8),
    shape!(49 AlterClientQuotas 0-1 flexible 1: [{[{text, text?}], [{text, i64, i8}]}], i8),
    shape!(50 DescribeUserScramCredentials 0-0 flexible 0: [{text}]?),
    shape!(51 AlterUserScramCredentials 0-0 flexible 0:
        [{text, i8}], [{text, i8, i32, bytes, bytes}]),
    shape!(52 Vote 0-2 flexible 0:
        text?, i32@1, [{text, [{i32, i32, i32, uuid@1, uuid@1, i32, i64, i8@2}]}]),
    shape!(53 BeginQuorumEpoch 0-1 flexible 1:
        text?, i32@1, [{text, [{i32, uuid@1, i32, i32}]}], [{text, text, i16}]@1),
    shape!(54 EndQuorumEpoch 0-1 flexible 1:
        text?, [{text, [{i32, i32, i32, [i32]@0-0, [{i32, uuid}]@1}]}], [{text, text, i16}]@1),
    shape!(55 DescribeQuorum 0-2 flexible 0: [{text, [{i32}]}]),
    shape!(56 AlterPartition 2-3 flexible 0:
        i32, i64, [{uuid, [{i32, i32, [i32]@2-2, [{i32, i64}]@3, i8, i32}]}]),
    shape!(57 UpdateFeatures 0-2 flexible 0: i32, [{text, i16, i8@0-0, i8@1}], i8@1),
    shape!(58 Envelope 0-0 flexible 0: bytes, bytes?, bytes),
    shape!(59 FetchSnapshot 0-1 flexible 0:
        text? tag 0, i32, i32, [{text, [{i32, i32, {i64, i32}, i64, uuid@1 tag 0}]}]),
    shape!(60 DescribeCluster 0-2 flexible 0: i8, i8@1, i8@2),
    shape!(61 DescribeProducers 0-0 flexible 0: [{text, [i32]}]),
    shape!(62 BrokerRegistration 0-4 flexible 0:
        i32, text, uuid, [{text, text, i16, i16}], [{text, i16, i16}], text?, i8@1, [uuid]@2,
        i64@3),
    shape!(63 BrokerHeartbeat 0-1 flexible 0: i32, i64, i64, i8, i8, [uuid]@1 tag 0),
    shape!(64 UnregisterBroker 0-0 flexible 0: i32),
    shape!(65 DescribeTransactions 0-0 flexible 0: [text]),
    shape!(66 ListTransactions 0-2 flexible 0: [text], [i64], i64@1, text?@2),
    shape!(67 AllocateProducerIds 0-0 flexible 0: i32, i64),
    shape!(68 ConsumerGroupHeartbeat 0-1 flexible 0:
        text, text, i32, text?, text?, i32, [text]?, text?@1, text?, [{uuid, [i32]}]?),
    shape!(69 ConsumerGroupDescribe 0-1 flexible 0: [text], i8),
    shape!(70 ControllerRegistration 0-0 flexible 0:
        i32, uuid, i8, [{text, text, i16, i16}], [{text, i16, i16}]),
    shape!(71 GetTelemetrySubscriptions 0-0 flexible 0: uuid),
    shape!(72 PushTelemetry 0-0 flexible 0: uuid, i32, i8, i8, bytes),
    shape!(73 AssignReplicasToDirs 0-0 flexible 0: i32, i64, [{uuid, [{uuid, [{i32}]}]}]),
    shape!(74 ListConfigResources 0-1 flexible 0: [i8]@1),
    shape!(75 DescribeTopicPartitions 0-0 flexible 0: [{text}], i32, {text, i32}?),
    shape!(76 ShareGroupHeartbeat 1-1 flexible 0: text, text, i32, text?, [text]?),
    shape!(77 ShareGroupDescribe 1-1 flexible 0: [text], i8),
    shape!(78 ShareFetch 1-1 flexible 0:
        text?, text?, i32, i32, i32, i32, i32, i32, [{uuid, [{i32, [{i64, i64, [i8]}]}]}], [{uuid,
        [i32]}]),
    shape!(79 ShareAcknowledge 1-1 flexible 0:
        text?, text?, i32, [{uuid, [{i32, [{i64, i64, [i8]}]}]}]),
    shape!(80 AddRaftVoter 0-0 flexible 0: text?, i32, i32, uuid, [{text, text, i16}]),
    shape!(81 RemoveRaftVoter 0-0 flexible 0: text?, i32, uuid),
    shape!(82 UpdateRaftVoter 0-0 flexible 0:
        text?, i32, i32, uuid, [{text, text, i16}], {i16, i16}),
    shape!(83 InitializeShareGroupState 0-0 flexible 0: text, [{uuid, [{i32, i32, i64}]}]),
    shape!(84 ReadShareGroupState 0-0 flexible 0: text, [{uuid, [{i32, i32}]}]),
    shape!(85 WriteShareGroupState 0-0 flexible 0:
        text, [{uuid, [{i32, i32, i32, i64, [{i64, i64, i8, i16}]}]}]),
    shape!(86 DeleteShareGroupState 0-0 flexible 0: text, [{uuid, [{i32}]}]),
    shape!(87 ReadShareGroupStateSummary 0-0 flexible 0: text, [{uuid, [{i32, i32}]}]),
    shape!(90 DescribeShareGroupOffsets 0-0 flexible 0: [{text, [{text, [i32]}]?}]),
    shape!(91 AlterShareGroupOffsets 0-0 flexible 0: text, [{text, [{i32, i64}]}]),
    shape!(92 DeleteShareGroupOffsets 0-0 flexible 0: text, [{text}]),
];
