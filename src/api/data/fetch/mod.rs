//! Fetch (1), versions 4–18: batches, as ranges of segment files that nobody has looked at.
//!
//! KIP-74 (limits, and the first batch comes whole all the same), KIP-98 (4: aborted transactions), KIP-107 (5: log
//! start), KIP-227 (7: sessions), KIP-320 (9: leader epochs), KIP-110 (10: zstd, which Kafka 4 gives to older
//! versions too), KIP-392 (11: racks), KIP-482 (12: flexible), KIP-595 (12: diverging epochs), KIP-516 (13: topic
//! ids), KIP-903 (15), KIP-951 (16: who leads now), KIP-853 (17), KIP-1166 (18).
//!
//! Deviations from Apache Kafka: limits below zero are taken for zero, and the first batch comes all the same; a topic
//! that was deleted is unknown by its id at once, even to a session that knew its name; there are no followers yet, so a
//! fetch from one is answered as one from a node that is not among the replicas; nothing selects a closer replica.

mod plan;
mod reply;
mod session;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use self::plan::{Item, Plan};
use self::session::Source;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::kernel::replica::fetch_session::Begun;
use crate::shell::drivers::partitions::{Isolation, Waiter};
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;
use crate::wire::fetch_reply::{FetchPartitionReply, FetchReply, encode};
use crate::wire::fetch_request::FetchRequest;

/// What a request asks for apart from partitions.
#[derive(Clone, Copy, Debug)]
struct Terms {
    max_wait: Duration,
    min_bytes: u64,
    max_bytes: u32,
    isolation: Isolation,
    replica_id: NodeId,
}

/// A request under way.
struct Fetch {
    ctx: Arc<Ctx>,
    call: Call,
    terms: Terms,
    source: Source,
    plan: Plan,
}

/// What one pass over the partitions gave, in the order of the plan.
struct Pass {
    replies: SmallVec<[FetchPartitionReply; 1]>,
    bytes: u64,
    /// There is something that the client should hear of at once.
    is_urgent: bool,
}

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request = match FetchRequest::parse(call.version, body) {
        Ok(request) => request,
        Err(error) => return refuse(call.peer, &error),
    };
    let begun = session::lock(ctx).begin(call.now.mono, call.version, &request);
    if let Begun::Refused(error) = begun {
        let reply = FetchReply { error, ..FetchReply::default() };
        return Answer::Now(encode(call.version, call.correlation_id, &reply));
    }
    let Some(terms) = Terms::of(ctx, &request) else {
        return unknown_isolation(&call, &request);
    };
    let source = Source::new(ctx, begun);
    let plan = Plan::new(ctx, &source, &request, &Access::of(ctx, &call));
    let fetch = Fetch { ctx: Arc::clone(ctx), call, terms, source, plan };
    let pass = fetch.pass();
    if fetch.is_enough(&pass) {
        return fetch.finish(pass);
    }
    Answer::Later(Box::pin(fetch.wait()))
}

/// Kafka fails the request as a whole; before version 13 that is said for each partition.
fn unknown_isolation(call: &Call, request: &FetchRequest) -> Answer {
    let error = ErrorCode::UnknownServerError;
    let mut reply = FetchReply { error, session_id: request.session_id, ..FetchReply::default() };
    if call.version < 13 {
        reply::fail_all(&mut reply, request, error);
    }
    Answer::Now(encode(call.version, call.correlation_id, &reply))
}

impl Terms {
    /// None if the isolation level is none that there is.
    fn of(ctx: &Ctx, request: &FetchRequest) -> Option<Self> {
        let isolation = match request.isolation_level {
            _ if request.replica_id != NodeId::NONE => Isolation::LogEnd,
            0 => Isolation::HighWatermark,
            1 => Isolation::LastStable,
            _ => return None,
        };
        let max_bytes = request.max_bytes.min(ctx.config.load().fetch_max_bytes).max(0);
        Some(Self {
            max_wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
            min_bytes: u64::try_from(request.min_bytes.min(max_bytes)).unwrap_or(0),
            max_bytes: max_bytes.cast_unsigned(),
            isolation,
            replica_id: request.replica_id,
        })
    }
}

impl Fetch {
    /// Asks every partition once. The first that has records gives a whole batch, whatever the limits; then limits hold.
    fn pass(&self) -> Pass {
        let mut pass = Pass {
            replies: SmallVec::with_capacity(self.plan.items.len()),
            bytes: 0,
            is_urgent: false,
        };
        for item in &self.plan.items {
            let left_bytes = u64::from(self.terms.max_bytes).saturating_sub(pass.bytes);
            let (reply, is_urgent) = item.read(&self.terms, left_bytes as u32, pass.bytes == 0);
            pass.bytes += reply.records_bytes() as u64;
            pass.is_urgent |= is_urgent;
            pass.replies.push(reply);
        }
        pass
    }

    /// Whether there is nothing to wait for. An unknown topic beside others is no reason to hurry, as Kafka has it: its
    /// client would ask again and again without a pause.
    fn is_enough(&self, pass: &Pass) -> bool {
        self.terms.max_wait.is_zero()
            || pass.bytes >= self.terms.min_bytes
            || pass.is_urgent
            || self.plan.items.iter().all(Item::is_unknown)
    }

    /// Waits until there is enough, or for as long as the client wants to.
    async fn wait(self) -> Answer {
        let there = tokio::time::timeout(self.terms.max_wait, self.enough()).await;
        let pass = there.unwrap_or_else(|_| self.pass());
        self.finish(pass)
    }

    async fn enough(&self) -> Pass {
        loop {
            let Terms { isolation, min_bytes, .. } = self.terms;
            let waiter = Arc::new(Waiter::of(isolation, min_bytes));
            for item in &self.plan.items {
                item.watch(&waiter);
            }
            // What came before the waiter was known has woken nobody.
            let pass = self.pass();
            if self.is_enough(&pass) {
                return pass;
            }
            waiter.found(pass.bytes);
            waiter.woken().await;
        }
    }
}

#[cfg(test)]
mod tests;
