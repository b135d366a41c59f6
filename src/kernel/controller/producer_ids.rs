//! AllocateProducerIds: each block of producer ids is given out once (KIP-730).

use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerId,
};

use super::view::View;
use super::{Decided, Refusal, Reply};
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;
use crate::wire::records::ProducerIdsRecord;

/// How many ids a block has.
const BLOCK_SIZE: i32 = 1000;

/// Decides on the request.
pub fn allocate(view: &View<'_>, request: &AllocateProducerIdsRequest) -> Result<Decided, Refusal> {
    let refuse = |code| Err(Refusal { code, message: None });
    let broker_id = request.broker_id.0;
    let registered = view.broker(NodeId(broker_id)).map(|broker| broker.epoch.0);
    if registered != Some(request.broker_epoch) {
        return refuse(ErrorCode::StaleBrokerEpoch);
    }
    let first = view.image.next_producer_id.0;
    let Some(next_producer_id) = first.checked_add(BLOCK_SIZE.into()) else {
        return refuse(ErrorCode::UnknownServerError);
    };
    let broker_epoch = request.broker_epoch;
    let record = ProducerIdsRecord { broker_id, broker_epoch, next_producer_id };
    let reply = AllocateProducerIdsResponse::default()
        .with_producer_id_start(ProducerId(first))
        .with_producer_id_len(BLOCK_SIZE);
    Ok(Decided { records: vec![record.into()], reply: Reply::AllocateProducerIds(reply) })
}
