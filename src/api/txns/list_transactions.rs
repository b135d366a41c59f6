//! ListTransactions (66), versions 0–2: the transactional ids that this node coordinates.
//!
//! KIP-664, KIP-994 (1: those that run for longer than a time), KIP-1152 (2: those whose id matches a pattern).
//!
//! Deviations from Apache Kafka: a pattern has a limit of length, as the regular expressions of groups have.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use super::asking::{flat, gather};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::groups::consumer::topic_regex::TopicRegex;
use crate::kernel::txns::{
    Answered, Listing, TransactionReply, TransactionRequest, TransactionState,
};
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;
use crate::types::ids::ProducerId;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: ListTransactionsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let pattern = match pattern(&request) {
        Ok(pattern) => pattern,
        Err(code) => return refused(&call, code),
    };
    let named = request.state_filters.iter().map(|name| (name, TransactionState::named(name)));
    let (mut states, mut unknown) = (Vec::new(), Vec::new());
    for (name, state) in named {
        match state {
            Some(state) => states.push(state),
            None => unknown.push(name.clone()),
        }
    }
    // Of states that nobody knows there are none.
    let nothing = states.is_empty() && !unknown.is_empty();
    let listing = Listing {
        states,
        producer_ids: request.producer_id_filters.iter().map(|id| ProducerId(id.0)).collect(),
        duration_ms: request.duration_filter,
    };
    let ask = |partition| {
        let asked = TransactionRequest::List(listing.clone());
        ctx.transactions.call(partition, call.now, asked)
    };
    let calls = ctx.transactions.partitions().into_iter().map(ask).collect();
    let access = Access::of(ctx, &call);
    gather(calls, move |told| {
        let mut listed = Vec::new();
        for reply in told.into_iter().map(flat) {
            // Kafka answers nothing while anything loads.
            if reply == Err(ErrorCode::CoordinatorLoadInProgress) {
                return refused(&call, ErrorCode::CoordinatorLoadInProgress);
            }
            take(reply, pattern.as_ref(), &mut listed);
        }
        if nothing {
            listed.clear();
        }
        listed.retain(|it: &Listed| {
            access.transactional_id(Operation::DESCRIBE, &it.transactional_id).is_ok()
        });
        let response = ListTransactionsResponse::default()
            .with_unknown_state_filters(unknown)
            .with_transaction_states(listed);
        reply::<ListTransactionsRequest>(&call, &response)
    })
}

fn refused(call: &Call, code: ErrorCode) -> Answer {
    let response = ListTransactionsResponse::default().with_error_code(code.code());
    reply::<ListTransactionsRequest>(call, &response)
}

/// The pattern, which an id has to match as a whole; none for all ids.
fn pattern(request: &ListTransactionsRequest) -> Result<Option<TopicRegex>, ErrorCode> {
    let pattern = request.transactional_id_pattern.as_ref().filter(|pattern| !pattern.is_empty());
    let compiled = pattern.map(|pattern| TopicRegex::of_ids(pattern)).transpose();
    compiled.map_err(|_| ErrorCode::InvalidRegularExpression)
}

fn take(reply: TransactionReply, pattern: Option<&TopicRegex>, into: &mut Vec<Listed>) {
    let Ok(Answered::Listed(listed)) = reply else { return };
    for found in listed {
        if pattern.is_none_or(|pattern| pattern.matches(&found.transactional_id)) {
            into.push(
                Listed::default()
                    .with_transactional_id(text(found.transactional_id.as_ref()).into())
                    .with_producer_id(found.producer_id.0.into())
                    .with_transaction_state(text(found.state.name())),
            );
        }
    }
}
