//! DescribeTransactions (65), version 0: what the coordinator knows of transactional ids.
//!
//! KIP-664.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionalId,
};

use super::asking::{flat, gather};
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::configs::resources::text;
use crate::api::context::Ctx;
use crate::kernel::txns::{Answered, TransactionReply, TransactionRequest};
use crate::shell::drivers::coordinators::Called;
use crate::types::acls::Operation;
use crate::types::error_code::ErrorCode;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: DescribeTransactionsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let ids = request.transactional_ids;
    let access = Access::of(ctx, &call);
    let ask = |id: &TransactionalId| {
        if let Err(code) = access.transactional_id(Operation::DESCRIBE, id) {
            return Called::Now(Ok(Err(code)));
        }
        let asked = TransactionRequest::Describe(Arc::from(id.as_str()));
        ctx.transactions.call_for(id, call.now, asked)
    };
    let calls = ids.iter().map(ask).collect();
    gather(calls, move |told| {
        let states = ids.into_iter().zip(told).map(|(id, told)| state(&access, id, flat(told)));
        let response =
            DescribeTransactionsResponse::default().with_transaction_states(states.collect());
        reply::<DescribeTransactionsRequest>(&call, &response)
    })
}

fn state(access: &Access, id: TransactionalId, told: TransactionReply) -> TransactionState {
    let state = TransactionState::default().with_transactional_id(id);
    let described = match told {
        Ok(Answered::Description(described)) => described,
        Ok(_) => return state.with_error_code(ErrorCode::UnknownServerError.code()),
        Err(code) => return state.with_error_code(code.code()),
    };
    let topic = |(name, partitions): (&Arc<str>, &[i32])| {
        TopicData::default()
            .with_topic(text(name.as_ref()).into())
            .with_partitions(partitions.to_vec())
    };
    let topics = described.partitions.topics();
    let topics = topics.filter(|(name, _)| access.topic(Operation::DESCRIBE, name));
    state
        .with_transaction_state(text(described.state.name()))
        .with_transaction_timeout_ms(described.timeout_ms)
        .with_transaction_start_time_ms(described.started.0)
        .with_producer_id(described.producer_id.0.into())
        .with_producer_epoch(described.producer_epoch.0)
        .with_topics(topics.map(topic).collect())
}
