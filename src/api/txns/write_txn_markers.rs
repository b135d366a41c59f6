//! WriteTxnMarkers (27), versions 1–2: the ends of transactions, for the partitions of this node.
//!
//! KIP-98, KIP-482 (1: flexible), KIP-1228 (2: the version of transactions under which a marker is checked). Asked by the
//! coordinators of other nodes, and by administrators who abort a hanging transaction (KIP-664).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{TopicName, WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use kafka_protocol::protocol::StrBytes;

use super::asking::gather;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::reply;
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::coordinator::EndOfTransaction;
use crate::shell::drivers::coordinators::Called;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::wire::messages::write_txn_markers::{WritableTxnMarker, decode};

/// One partition of one marker.
type Place = (ProducerId, StrBytes, PartitionId);

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let markers = match decode(call.version, body) {
        Ok(markers) => markers,
        Err(error) => return refuse(call.peer, &error),
    };
    let (mut places, mut calls) = (Vec::new(), Vec::new());
    let access = Access::of(ctx, &call);
    let allowed = if access.may_on_cluster(Operation::ALTER) {
        Ok(())
    } else {
        access.cluster(Operation::CLUSTER_ACTION)
    };
    for marker in &markers {
        if let Err(code) = allowed {
            refuse_all(marker, code, &mut places, &mut calls);
            continue;
        }
        write(ctx, &call, marker, &mut places, &mut calls);
    }
    gather(calls, move |told| answer(&call, places, told))
}

fn write(
    ctx: &Ctx,
    call: &Call,
    marker: &WritableTxnMarker,
    places: &mut Vec<Place>,
    calls: &mut Vec<Called<()>>,
) {
    let end = EndOfTransaction {
        producer_id: marker.producer_id,
        producer_epoch: marker.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        commit: marker.committed,
        transaction_version: marker.transaction_version,
    };
    for (topic, partitions) in &marker.topics {
        for partition in partitions {
            places.push((marker.producer_id, topic.clone(), *partition));
            calls.push(ctx.markers.write(end, topic, *partition, call.now));
        }
    }
}

fn refuse_all(
    marker: &WritableTxnMarker,
    code: ErrorCode,
    places: &mut Vec<Place>,
    calls: &mut Vec<Called<()>>,
) {
    for (topic, partitions) in &marker.topics {
        for partition in partitions {
            places.push((marker.producer_id, topic.clone(), *partition));
            calls.push(Called::Now(Err(code)));
        }
    }
}

fn answer(call: &Call, places: Vec<Place>, told: Vec<Result<(), ErrorCode>>) -> Answer {
    let mut by_producer: BTreeMap<i64, BTreeMap<StrBytes, BTreeMap<i32, ErrorCode>>> =
        BTreeMap::new();
    for ((producer, topic, partition), told) in places.into_iter().zip(told) {
        let topics = by_producer.entry(producer.0).or_default();
        topics.entry(topic).or_default().insert(partition.0, as_leader(told));
    }
    let partition = |(index, code): (i32, ErrorCode)| {
        WritableTxnMarkerPartitionResult::default()
            .with_partition_index(index)
            .with_error_code(code.code())
    };
    let topic = |(name, partitions): (StrBytes, BTreeMap<i32, ErrorCode>)| {
        WritableTxnMarkerTopicResult::default()
            .with_name(TopicName(name))
            .with_partitions(partitions.into_iter().map(partition).collect())
    };
    let markers = by_producer.into_iter().map(|(id, topics)| {
        WritableTxnMarkerResult::default()
            .with_producer_id(id.into())
            .with_topics(topics.into_iter().map(topic).collect())
    });
    let response = WriteTxnMarkersResponse::default().with_markers(markers.collect());
    reply::<WriteTxnMarkersRequest>(call, &response)
}

/// A coordinator of transactions does not expect the errors of one of groups: they are those of a partition whose leader
/// is not ready.
const fn as_leader(told: Result<(), ErrorCode>) -> ErrorCode {
    match told {
        Ok(()) => ErrorCode::None,
        Err(
            ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator,
        ) => ErrorCode::NotLeaderOrFollower,
        Err(code) => code,
    }
}
