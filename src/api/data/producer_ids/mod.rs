//! Producer ids for this node to give out, from blocks that the controller hands over (KIP-730).
//!
//! A block is fetched when nine tenths of the last one are given out, by the request which finds that so, and one at a
//! time. Requests wait for a block only when there is no id left at all.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use kafka_protocol::messages::{AllocateProducerIdsRequest, BrokerId};

use crate::api::context::Ctx;
use crate::kernel::controller::{Reply, Request};
use crate::types::epoch::BrokerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

/// The ids that are left.
#[derive(Debug, Default)]
pub struct ProducerIds {
    blocks: Mutex<Blocks>,
    /// Held by the one who fetches a block.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Blocks {
    current: Range<i64>,
    next: Range<i64>,
    /// When so many ids are left, it is time for another block.
    low: i64,
}

impl Blocks {
    /// An id, if one is left.
    fn take(&mut self) -> Option<ProducerId> {
        if self.current.is_empty() {
            self.current = std::mem::take(&mut self.next);
        }
        self.current.next().map(ProducerId)
    }

    fn add(&mut self, block: Range<i64>) {
        self.low = (block.end - block.start) / 10;
        if self.current.is_empty() { self.current = block } else { self.next = block }
    }

    fn is_low(&self) -> bool {
        self.next.is_empty() && self.current.end - self.current.start <= self.low
    }
}

impl ProducerIds {
    /// An id that is there, and whether it is time for another block.
    pub fn take(&self) -> (Option<ProducerId>, bool) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let id = blocks.take();
        (id, blocks.is_low())
    }

    /// An id; a block is fetched if it is time for one.
    pub async fn next(&self, ctx: &Ctx) -> Result<ProducerId, ErrorCode> {
        match self.take() {
            (Some(id), is_low) => {
                if is_low {
                    self.fetch_ahead(ctx).await;
                }
                Ok(id)
            }
            (None, _) => self.wait(ctx).await,
        }
    }

    /// Fetches a block, unless somebody does so already: there are ids left meanwhile.
    pub async fn fetch_ahead(&self, ctx: &Ctx) {
        let Ok(_one) = self.fetching.try_lock() else { return };
        if let Err(error) = self.fetch(ctx).await {
            tracing::warn!(%error, "the controller gives no producer ids");
        }
    }

    /// An id, from a block that is fetched for it if need be.
    pub async fn wait(&self, ctx: &Ctx) -> Result<ProducerId, ErrorCode> {
        let _one = self.fetching.lock().await;
        if let (Some(id), _) = self.take() {
            return Ok(id);
        }
        self.fetch(ctx).await?;
        self.take().0.ok_or(ErrorCode::CoordinatorLoadInProgress)
    }

    /// A block, as if the controller had given it.
    #[cfg(test)]
    pub fn fill(&self, block: Range<i64>) {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).add(block);
    }

    async fn fetch(&self, ctx: &Ctx) -> Result<(), ErrorCode> {
        let node_id = ctx.node.node_id;
        let epoch = ctx.image.load().brokers.get(&node_id).map(|broker| broker.epoch);
        let request = AllocateProducerIdsRequest::default()
            .with_broker_id(BrokerId(node_id.0))
            .with_broker_epoch(epoch.unwrap_or(BrokerEpoch::UNKNOWN).0);
        let Reply::AllocateProducerIds(reply) =
            ctx.controller.call(Request::AllocateProducerIds(request)).await?
        else {
            return Err(ErrorCode::UnknownServerError);
        };
        if reply.error_code != 0 || reply.producer_id_len <= 0 {
            // As Kafka: the client tries again, and so do we.
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let start = reply.producer_id_start.0;
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.add(start..start.saturating_add(i64::from(reply.producer_id_len)));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
