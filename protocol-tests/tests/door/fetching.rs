//! Rows 52 to 57: offsets, limits, sessions, epochs and ids that do not fit.

use kafka_protocol::messages::{FetchRequest, FetchResponse};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{
    FETCH_VERSION, batch_of, create_topic, fetch, fetch_request, produce,
};
use uuid::Uuid;

use super::{assert_served, error};

/// A topic with `batches` batches of one record.
fn topic(connection: &mut Connection, name: &str, batches: usize) -> Uuid {
    let id = create_topic(connection, name, 1, &[]);
    for _ in 0..batches {
        let batch = batch_of(&[b"a value of some length"]).sealed();
        assert_eq!(produce(connection, name, 0, batch).error_code, 0);
    }
    id
}

fn records(answer: &FetchResponse) -> usize {
    let records = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes = records.filter_map(|partition| partition.records.as_ref());
    bytes.map(|bytes| RecordBatch::all(bytes).unwrap().len()).sum()
}

/// 52
#[test]
fn offsets_outside_the_log_are_out_of_range() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "offsets", 3);
    for offset in [-1, -2, -5, 4, 1000, i64::MAX, i64::MIN] {
        let data = fetch(&mut connection, id, 0, offset);
        assert_eq!(data.error_code, error::OFFSET_OUT_OF_RANGE, "{offset}");
        assert!(data.records.unwrap_or_default().is_empty());
    }
    // The end of the log is in range, and empty without being null.
    let data = fetch(&mut connection, id, 0, 3);
    assert_eq!((data.error_code, data.high_watermark), (0, 3));
    assert_eq!(data.records.map(|records| records.len()), Some(0));
}

/// 53: the first batch comes whole, however little is asked for.
#[test]
fn limits_of_bytes_leave_the_first_batch() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "limits", 5);
    for (max_bytes, partition_max_bytes, expected) in [
        (0, 0, 0..=1),
        (1, 1, 1..=1),
        (-1, -1, 0..=1),
        (i32::MIN, i32::MIN, 0..=1),
        (i32::MAX, 1, 1..=1),
        (1, i32::MAX, 1..=1),
        (i32::MAX, i32::MAX, 5..=5),
    ] {
        let mut request = fetch_request(id, 0, 0).with_max_bytes(max_bytes);
        request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes;
        let answer = connection.ask(FETCH_VERSION, &request);
        let count = records(&answer);
        eprintln!("{max_bytes} {partition_max_bytes}: {count}");
        assert!(expected.contains(&count), "{max_bytes} {partition_max_bytes}: {count}");
    }
}

/// 53: waits that make no sense are no waits, and a minimum that cannot be reached does not hold back data for
/// ever.
#[test]
fn waits_are_bounded() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "waits", 1);
    for (max_wait_ms, min_bytes) in [(-1, 1), (i32::MIN, 100), (0, i32::MAX), (50, i32::MAX)] {
        let request =
            fetch_request(id, 0, 1).with_max_wait_ms(max_wait_ms).with_min_bytes(min_bytes);
        assert_eq!(connection.ask(FETCH_VERSION, &request).error_code, 0);
    }
    let request = fetch_request(id, 0, 0).with_max_wait_ms(50).with_min_bytes(i32::MAX);
    assert_eq!(records(&connection.ask(FETCH_VERSION, &request.with_max_bytes(10))), 1);
}

/// 53: one that waits for long is answered when there is something; a client that goes leaves nothing behind.
#[test]
fn a_long_wait_ends_with_the_data() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "long-wait", 0);
    let wait = fetch_request(id, 0, 0).with_max_wait_ms(i32::MAX).with_min_bytes(1);
    let mut gone = node.connect();
    gone.send(FETCH_VERSION, &wait);
    drop(gone);
    connection.send(FETCH_VERSION, &wait);
    let batch = batch_of(&[b"v"]).sealed();
    assert_eq!(produce(&mut node.connect(), "long-wait", 0, batch).error_code, 0);
    assert_eq!(records(&connection.receive_answer::<FetchRequest>(FETCH_VERSION)), 1);
}

/// 53: an isolation level that does not exist.
#[test]
fn an_unknown_isolation_is_not_served() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "isolation", 1);
    let request = fetch_request(id, 0, 0).with_isolation_level(7);
    let answer = connection.try_ask(FETCH_VERSION, &request);
    eprintln!("{answer:?}");
    assert!(answer.is_none_or(|answer| records(&answer) == 0));
    assert_served(&node);
}

/// 54
#[test]
fn sessions_have_an_id_and_an_epoch() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "sessions", 1);
    let session = |id_and_epoch: (i32, i32), request: FetchRequest| {
        request.with_session_id(id_and_epoch.0).with_session_epoch(id_and_epoch.1)
    };
    let full = fetch_request(id, 0, 0);
    let more = full.clone().with_topics(Vec::new());
    let opened = connection.ask(FETCH_VERSION, &session((0, 0), full));
    assert_eq!((opened.error_code, records(&opened)), (0, 1));
    assert_ne!(opened.session_id, 0);
    let ours = opened.session_id;
    let mut ask = |session_id, epoch| {
        let answer = connection.ask(FETCH_VERSION, &session((session_id, epoch), more.clone()));
        answer.error_code
    };
    assert_eq!(ask(ours.wrapping_add(1), 1), error::FETCH_SESSION_ID_NOT_FOUND);
    for epoch in [2, 5, i32::MAX] {
        assert_eq!(ask(ours, epoch), error::INVALID_FETCH_SESSION_EPOCH, "{epoch}");
    }
    assert_eq!(ask(ours, 1), 0);
    assert_eq!(ask(ours, 1), error::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(ask(ours, 2), 0);
    // The end of the session.
    assert_eq!(ask(ours, -1), 0);
    assert_eq!(ask(ours, 3), error::FETCH_SESSION_ID_NOT_FOUND);
}

/// 54: Kafka keeps a thousand sessions; who comes later does without, and is served.
#[test]
fn sessions_are_bounded() {
    let node = Node::start();
    let mut connection = node.connect();
    let id = topic(&mut connection, "many", 1);
    super::assert_growth_below(&node, 8, || {
        let mut sessions = 0;
        for _ in 0..3000 {
            let request = fetch_request(id, 0, 0).with_session_epoch(0);
            let answer = connection.ask(FETCH_VERSION, &request);
            assert_eq!((answer.error_code, records(&answer)), (0, 1));
            sessions += i32::from(answer.session_id != 0);
        }
        assert!((1..=1000).contains(&sessions), "{sessions}");
    });
}

/// 56
#[test]
fn leader_epochs_are_fenced() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "epochs-of-leaders", 2);
    for (epoch, expected) in
        [(0, 0), (-1, 0), (5, error::UNKNOWN_LEADER_EPOCH), (i32::MAX, error::UNKNOWN_LEADER_EPOCH)]
    {
        let mut request = fetch_request(id, 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer = connection.ask(FETCH_VERSION, &request);
        assert_eq!(answer.responses[0].partitions[0].error_code, expected, "{epoch}");
    }
}

/// 56: after a restart there is a new epoch, and the old one is over.
#[test]
fn an_older_leader_epoch_is_fenced() {
    let mut node = Node::start();
    let id = topic(&mut node.connect(), "restarted", 1);
    node.stop();
    node.restart();
    let mut connection = node.connect();
    let mut request = fetch_request(id, 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    let answer = connection.ask(FETCH_VERSION, &request);
    assert_eq!(answer.responses[0].partitions[0].error_code, error::FENCED_LEADER_EPOCH);
}

/// 56: who read an epoch further than it went is told where it ended, and gets no data.
#[test]
fn a_diverging_epoch_is_told() {
    let mut node = Node::start();
    let id = topic(&mut node.connect(), "diverging", 2);
    node.stop();
    node.restart();
    let mut connection = node.connect();
    assert_eq!(produce(&mut connection, "diverging", 0, batch_of(&[b"v"]).sealed()).error_code, 0);
    let mut request = fetch_request(id, 0, 3);
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let answer = connection.ask(FETCH_VERSION, &request);
    let partition = &answer.responses[0].partitions[0];
    let diverging = &partition.diverging_epoch;
    assert_eq!((partition.error_code, diverging.epoch, diverging.end_offset), (0, 0, 2));
    assert!(partition.records.as_ref().is_none_or(bytes::Bytes::is_empty));
}

/// 57
#[test]
fn ids_of_no_topic_are_unknown() {
    let node = Node::shared();
    let mut connection = node.connect();
    for id in [Uuid::from_u128(0x1234), Uuid::nil(), Uuid::max()] {
        let data = fetch(&mut connection, id, 0, 0);
        assert_eq!(data.error_code, error::UNKNOWN_TOPIC_ID, "{id}");
    }
}

/// 57: a topic that was deleted and made again has another id; the old one serves nothing.
#[test]
fn the_id_of_a_deleted_topic_is_unknown() {
    use kafka_protocol::messages::DeleteTopicsRequest;
    let node = Node::shared();
    let mut connection = node.connect();
    let old = topic(&mut connection, "again", 1);
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![protocol_tests::requests::topic_name("again")])
        .with_timeout_ms(30_000);
    assert_eq!(connection.ask(5, &request).responses[0].error_code, 0);
    let new = topic(&mut connection, "again", 0);
    assert_ne!(old, new);
    assert_eq!(fetch(&mut connection, old, 0, 0).error_code, error::UNKNOWN_TOPIC_ID);
    let data = fetch(&mut connection, new, 0, 0);
    assert_eq!((data.error_code, data.high_watermark), (0, 0));
}

/// A partition that the topic does not have.
#[test]
fn a_partition_outside_the_topic_is_unknown() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = topic(&mut connection, "outside", 0);
    for partition in [1, -1, i32::MAX, i32::MIN] {
        let data = fetch(&mut connection, id, partition, 0);
        let expected = (partition, error::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!((data.partition_index, data.error_code), expected);
    }
}
