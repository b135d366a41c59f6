//! What the tests of groups and transactions need first: a coordinator that is there, and members and producers.

use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, InitProducerIdRequest, InitProducerIdResponse,
    OffsetFetchRequest, ProducerId, TransactionalId,
};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::requests::{ask_until, text};

pub fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

pub fn transactional_id(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

/// A connection to a node that coordinates this group by now.
pub fn of_group(node: &Node, group: &str) -> Connection {
    let mut connection = node.connect();
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
    ask_until(&mut connection, 4, &find, |it| it.coordinators[0].error_code == 0);
    let fetch = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(None);
    ask_until(&mut connection, 7, &fetch, |it| it.error_code == 0);
    connection
}

pub fn init(id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional_id(id)))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

/// A producer with a transactional id: what it was told.
pub fn producer(connection: &mut Connection, id: &str) -> InitProducerIdResponse {
    let find = FindCoordinatorRequest::default().with_key_type(1);
    let find = find.with_coordinator_keys(vec![text(id)]);
    ask_until(connection, 4, &find, |it| it.coordinators[0].error_code == 0);
    // Loading, or, in Apache, without a block of producer ids yet.
    ask_until(connection, 4, &init(id), |it| ![14, 15, 16].contains(&it.error_code))
}
