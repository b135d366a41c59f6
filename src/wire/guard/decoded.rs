//! What the crate makes of a request: for tests and fuzzers, which need every API in one place.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages;
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::wire::messages::crate_version;

/// Decodes a request that [`super::check`] let pass, and encodes it again if asked to. None if the crate
/// refuses it or does not know the API; what it did not read stays in `body`.
pub fn decode(api_key: i16, version: i16, body: &mut Bytes, again: bool) -> Option<Bytes> {
    macro_rules! requests {
        ($($key:literal => $request:ident,)*) => {
            match api_key {
                $( $key => one::<messages::$request>(
                    crate_version(api_key, version), body, again,
                ), )*
                _ => None,
            }
        };
    }
    requests! {
        2 => ListOffsetsRequest, 3 => MetadataRequest, 8 => OffsetCommitRequest,
        9 => OffsetFetchRequest, 10 => FindCoordinatorRequest, 11 => JoinGroupRequest,
        12 => HeartbeatRequest, 13 => LeaveGroupRequest, 14 => SyncGroupRequest,
        15 => DescribeGroupsRequest, 16 => ListGroupsRequest, 17 => SaslHandshakeRequest,
        18 => ApiVersionsRequest, 19 => CreateTopicsRequest, 20 => DeleteTopicsRequest,
        21 => DeleteRecordsRequest, 22 => InitProducerIdRequest,
        23 => OffsetForLeaderEpochRequest, 24 => AddPartitionsToTxnRequest,
        25 => AddOffsetsToTxnRequest, 26 => EndTxnRequest, 27 => WriteTxnMarkersRequest,
        28 => TxnOffsetCommitRequest, 29 => DescribeAclsRequest, 30 => CreateAclsRequest,
        31 => DeleteAclsRequest, 32 => DescribeConfigsRequest, 33 => AlterConfigsRequest,
        34 => AlterReplicaLogDirsRequest, 35 => DescribeLogDirsRequest,
        36 => SaslAuthenticateRequest, 37 => CreatePartitionsRequest,
        38 => CreateDelegationTokenRequest, 39 => RenewDelegationTokenRequest,
        40 => ExpireDelegationTokenRequest, 41 => DescribeDelegationTokenRequest,
        42 => DeleteGroupsRequest, 43 => ElectLeadersRequest,
        44 => IncrementalAlterConfigsRequest, 45 => AlterPartitionReassignmentsRequest,
        46 => ListPartitionReassignmentsRequest, 47 => OffsetDeleteRequest,
        48 => DescribeClientQuotasRequest, 49 => AlterClientQuotasRequest,
        50 => DescribeUserScramCredentialsRequest, 51 => AlterUserScramCredentialsRequest,
        52 => VoteRequest, 53 => BeginQuorumEpochRequest, 54 => EndQuorumEpochRequest,
        55 => DescribeQuorumRequest, 56 => AlterPartitionRequest, 57 => UpdateFeaturesRequest,
        58 => EnvelopeRequest, 59 => FetchSnapshotRequest, 60 => DescribeClusterRequest,
        61 => DescribeProducersRequest, 62 => BrokerRegistrationRequest,
        63 => BrokerHeartbeatRequest, 64 => UnregisterBrokerRequest,
        65 => DescribeTransactionsRequest, 66 => ListTransactionsRequest,
        67 => AllocateProducerIdsRequest, 68 => ConsumerGroupHeartbeatRequest,
        69 => ConsumerGroupDescribeRequest, 70 => ControllerRegistrationRequest,
        71 => GetTelemetrySubscriptionsRequest, 72 => PushTelemetryRequest,
        73 => AssignReplicasToDirsRequest, 74 => ListConfigResourcesRequest,
        75 => DescribeTopicPartitionsRequest, 76 => ShareGroupHeartbeatRequest,
        77 => ShareGroupDescribeRequest, 78 => ShareFetchRequest,
        79 => ShareAcknowledgeRequest, 80 => AddRaftVoterRequest, 81 => RemoveRaftVoterRequest,
        82 => UpdateRaftVoterRequest, 83 => InitializeShareGroupStateRequest,
        84 => ReadShareGroupStateRequest, 85 => WriteShareGroupStateRequest,
        86 => DeleteShareGroupStateRequest, 87 => ReadShareGroupStateSummaryRequest,
        90 => DescribeShareGroupOffsetsRequest, 91 => AlterShareGroupOffsetsRequest,
        92 => DeleteShareGroupOffsetsRequest,
    }
}

fn one<T: Decodable + Encodable>(version: i16, body: &mut Bytes, again: bool) -> Option<Bytes> {
    let request = T::decode(body, version).ok()?;
    let mut bytes = BytesMut::new();
    if again {
        request.encode(&mut bytes, version).ok()?;
    }
    Some(bytes.freeze())
}
