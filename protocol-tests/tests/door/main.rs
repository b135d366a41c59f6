//! Bad input over a real socket: the answer or the end of the connection is what Apache Kafka 4.3.1 does, or
//! stricter where that is said; memory stays bounded, and the next client is served.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod consumers;
mod control;
mod controllers;
mod coordinators;
mod fetching;
mod frames;
mod groups;
mod limits;
mod offsets;
mod producing;
mod regressions;
mod sequences;
mod shapes;
mod transactions;

use std::net::TcpStream;

use kafka_protocol::messages::ApiVersionsRequest;
use protocol_tests::connection::{Connection, Outcome};
use protocol_tests::node::Node;

/// The errors of the protocol that the tests expect.
mod error {
    pub const UNKNOWN_SERVER_ERROR: i16 = -1;
    pub const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub const CORRUPT_MESSAGE: i16 = 2;
    pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub const MESSAGE_TOO_LARGE: i16 = 10;
    pub const OFFSET_METADATA_TOO_LARGE: i16 = 12;
    pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub const NOT_COORDINATOR: i16 = 16;
    pub const INVALID_TOPIC: i16 = 17;
    pub const RECORD_LIST_TOO_LARGE: i16 = 18;
    pub const NOT_ENOUGH_REPLICAS: i16 = 19;
    pub const INVALID_REQUIRED_ACKS: i16 = 21;
    pub const ILLEGAL_GENERATION: i16 = 22;
    pub const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
    pub const INVALID_GROUP_ID: i16 = 24;
    pub const UNKNOWN_MEMBER_ID: i16 = 25;
    pub const INVALID_SESSION_TIMEOUT: i16 = 26;
    pub const REBALANCE_IN_PROGRESS: i16 = 27;
    pub const INVALID_TIMESTAMP: i16 = 32;
    pub const UNSUPPORTED_VERSION: i16 = 35;
    pub const INVALID_PARTITIONS: i16 = 37;
    pub const INVALID_REPLICATION_FACTOR: i16 = 38;
    pub const INVALID_CONFIG: i16 = 40;
    pub const INVALID_REQUEST: i16 = 42;
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
    pub const INVALID_PRODUCER_EPOCH: i16 = 47;
    pub const INVALID_TXN_STATE: i16 = 48;
    pub const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
    pub const INVALID_TRANSACTION_TIMEOUT: i16 = 50;
    pub const CONCURRENT_TRANSACTIONS: i16 = 51;
    pub const TRANSACTION_COORDINATOR_FENCED: i16 = 52;
    pub const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
    pub const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
    pub const INVALID_FETCH_SESSION_EPOCH: i16 = 71;
    pub const FENCED_LEADER_EPOCH: i16 = 74;
    pub const UNKNOWN_LEADER_EPOCH: i16 = 75;
    pub const MEMBER_ID_REQUIRED: i16 = 79;
    pub const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
    pub const FENCED_INSTANCE_ID: i16 = 82;
    pub const INVALID_RECORD: i16 = 87;
    pub const PRODUCER_FENCED: i16 = 90;
    pub const UNKNOWN_TOPIC_ID: i16 = 100;
    pub const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;
    pub const FENCED_MEMBER_EPOCH: i16 = 110;
    pub const STALE_MEMBER_EPOCH: i16 = 113;
    pub const MISMATCHED_ENDPOINT_TYPE: i16 = 114;
    pub const UNSUPPORTED_ENDPOINT_TYPE: i16 = 115;
    pub const TRANSACTION_ABORTABLE: i16 = 120;
    pub const INVALID_REGULAR_EXPRESSION: i16 = 128;
}

/// The next client gets its answer.
fn assert_served(node: &Node) {
    let answer = node.connect().ask(3, &api_versions());
    assert_eq!(answer.error_code, 0);
}

fn api_versions() -> ApiVersionsRequest {
    use protocol_tests::requests::text;
    ApiVersionsRequest::default()
        .with_client_software_name(text("door"))
        .with_client_software_version(text("1"))
}

/// These bytes, sent by a new client that then waits, end its connection and nothing else.
fn assert_closed(node: &Node, bytes: &[u8]) {
    let shown = &bytes[..bytes.len().min(40)];
    let mut connection = node.connect();
    connection.send_raw(bytes);
    assert_eq!(connection.receive(), Outcome::Closed, "{shown:02x?}");
    assert_served(node);
}

/// A frame of these bytes ends the connection.
fn assert_frame_closed(node: &Node, frame: &[u8]) {
    let length = (frame.len() as i32).to_be_bytes();
    assert_closed(node, &[&length, frame].concat());
}

/// A connection that another program made, such as one without TCP_NODELAY.
fn raw(node: &Node) -> Connection {
    Connection::new(TcpStream::connect(node.address()).unwrap())
}

/// How far the memory of a broker of ours grows while `work` is done, at its peak, in MiB.
fn growth_mib(node: &Node, work: impl FnOnce()) -> u64 {
    let program = node.program();
    // Forgets the peak so far (proc(5), clear_refs).
    std::fs::write(format!("/proc/{}/clear_refs", program.id()), "5").unwrap();
    let before = program.status_kib("VmRSS");
    work();
    program.status_kib("VmHWM").saturating_sub(before) / 1024
}

/// Memory is bounded; Apache's is the JVM's affair.
fn assert_growth_below(node: &Node, mib: u64, work: impl FnOnce()) {
    let growth = growth_mib(node, work);
    if !protocol_tests::program::is_foreign() {
        assert!(growth < mib, "{growth} MiB more");
    }
    assert_served(node);
}
