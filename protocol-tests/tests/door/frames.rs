//! Rows 1 to 11, 20 to 24: sizes, silence, other protocols, keys and versions, headers, readers that do not read.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};
use protocol_tests::connection::{Connection, Outcome, frame_of, header_of};
use protocol_tests::fields::{Reader, Writer};
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;
use protocol_tests::requests::{FETCH_VERSION, batch_of, create_topic, fetch_request, produce};

use super::{
    api_versions, assert_closed, assert_frame_closed, assert_growth_below, assert_served, error,
    raw,
};

/// 1
#[test]
fn a_negative_size_closes() {
    let node = Node::shared();
    for size in [-1, -2, i32::MIN] {
        assert_closed(&node, &size.to_be_bytes());
    }
}

/// 2
#[test]
fn a_size_of_zero_closes() {
    assert_closed(&Node::shared(), &[0; 4]);
}

/// 3
#[test]
fn a_size_above_the_largest_closes_before_anything_is_allocated() {
    let node = Node::start();
    assert_growth_below(&node, 8, || {
        for size in [i32::MAX, 104_857_601] {
            assert_closed(&node, &size.to_be_bytes());
        }
    });
}

/// 3
#[test]
fn the_largest_size_is_configured() {
    let node = Node::start_with(&[("socket.request.max.bytes", "1000")]);
    assert_closed(&node, &1001_i32.to_be_bytes());
    let mut connection = node.connect();
    let body = Writer::default().raw(&[0; 970]).0;
    let frame = header_of(18, 0, 1, false).raw(&body).0;
    assert!(frame.len() <= 1000 && frame.len() > 990);
    connection.send_frame(&frame);
    assert!(matches!(connection.receive(), Outcome::Answer(_)));
}

/// 4
#[test]
fn announced_bytes_that_do_not_come_take_no_memory() {
    // Apache allocates what is announced, and its heap is full.
    if is_foreign() {
        return;
    }
    let node = Node::start();
    assert_growth_below(&node, 24, || {
        let mut silent: Vec<_> = (0..200).map(|_| node.connect()).collect();
        for connection in &mut silent {
            connection.send_raw(&104_857_600_i32.to_be_bytes());
            connection.send_raw(&[0, 3, 0, 1]);
        }
        assert_served(&node);
    });
}

/// 4
#[test]
fn an_idle_connection_is_closed_in_time() {
    let node = Node::start_with(&[("connections.max.idle.ms", "500")]);
    let mut connection = node.connect();
    connection.send_raw(&[0, 0, 0, 50, 0]);
    assert_eq!(connection.receive(), Outcome::Closed);
    assert_served(&node);
}

/// 6
#[test]
fn other_protocols_are_closed() {
    let node = Node::shared();
    let client_hello = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03abcdefghijklmnop";
    let others: [&[u8]; 5] = [
        client_hello,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /topics HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
    ];
    for bytes in others {
        assert_closed(&node, bytes);
    }
}

/// 8
#[test]
fn an_api_that_does_not_exist_closes() {
    let node = Node::shared();
    for key in [-1, -32768, 4, 5, 6, 7, 95, 999, 32767] {
        assert_frame_closed(&node, &header_of(key, 0, 1, false).0);
        assert_frame_closed(&node, &header_of(key, 0, 1, true).0);
    }
}

/// 9
#[test]
fn a_version_that_does_not_exist_closes() {
    let node = Node::shared();
    for (key, version) in [(3, -1), (3, 14), (3, 32767), (0, 14), (0, 2), (1, 3), (1, 19), (19, 1)]
    {
        assert_frame_closed(&node, &header_of(key, version, 1, version > 8).raw(&[0; 64]).0);
    }
}

/// 9
#[test]
fn api_versions_of_any_version_is_answered() {
    let node = Node::shared();
    for version in [5, 6, 1000, 32767, -1] {
        let mut connection = node.connect();
        let outcome = connection.ask_body(18, version, true, b"\x02a\x02b\0");
        let Outcome::Answer(frame) = outcome else { panic!("version {version} is closed") };
        let reader = &mut Reader(&frame);
        assert_eq!((reader.i32().unwrap(), reader.i16().unwrap()), (1, error::UNSUPPORTED_VERSION));
        // The table with our range of ApiVersions alone (KIP-511), in the body of version 0.
        let range = Writer::default().i32(1).i16(18).i16(0).i16(4).0;
        assert_eq!(reader.0, range);
        // The connection goes on.
        assert_eq!(connection.ask(0, &ApiVersionsRequest::default()).error_code, 0);
    }
}

/// 10
#[test]
fn a_frame_that_ends_early_closes() {
    let node = Node::shared();
    let whole = frame_of(12, 1, &MetadataRequest::default());
    for length in 1..whole.len() {
        assert_frame_closed(&node, &whole[..length]);
    }
}

/// 11: no client id is a client id; one longer than the frame is none.
#[test]
fn client_ids_are_null_or_whole() {
    let node = Node::shared();
    let with = |length: i16, bytes: &[u8]| {
        Writer::default().i16(18).i16(0).i32(7).i16(length).raw(bytes).0
    };
    let mut connection = node.connect();
    for frame in [with(-1, b""), with(0, b""), with(3, b"abc"), with(32767, &vec![b'a'; 32767])] {
        connection.send_frame(&frame);
        assert!(matches!(connection.receive(), Outcome::Answer(_)), "{:02x?}", &frame[..12]);
    }
    for frame in [with(1, b""), with(32767, b"abc")] {
        assert_frame_closed(&node, &frame);
    }
}

/// 20
#[test]
fn pipelined_requests_are_answered_in_order_and_take_no_memory() {
    const REQUESTS: i32 = 10_000;
    let node = Node::start();
    assert_growth_below(&node, 48, || {
        let mut connection = node.connect();
        let mut writer = Connection::new(connection.stream.try_clone().unwrap());
        let sender = std::thread::spawn(move || {
            for number in 0..REQUESTS {
                writer.send_frame(&frame_of(4, number, &api_versions()));
            }
        });
        for number in 0..REQUESTS {
            let Outcome::Answer(frame) = connection.receive() else { panic!("{number}: closed") };
            assert_eq!(Reader(&frame).i32().unwrap(), number);
        }
        sender.join().unwrap();
    });
}

/// 20 and 21: the broker stops reading from who does not read, and keeps little of what it owes him.
#[test]
fn a_client_that_never_reads_is_not_read_either() {
    let node = Node::start();
    let topic = create_topic(&mut node.connect(), "large", 1, &[]);
    let value = vec![b'v'; 900_000];
    for _ in 0..20 {
        let batch = batch_of(&[&value]).sealed();
        assert_eq!(produce(&mut node.connect(), "large", 0, batch).error_code, 0);
    }
    assert_growth_below(&node, 96, || {
        let mut silent: Vec<_> = (0..10).map(|_| node.connect()).collect();
        for connection in &mut silent {
            connection.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let frame = frame_of(FETCH_VERSION, 1, &fetch_request(topic, 0, 0));
            let frame = Writer::default().i32(frame.len() as i32).raw(&frame).0;
            let pipelined = frame.repeat(200);
            // Until the broker reads no more, or has taken all.
            let _ = connection.stream.write_all(&pipelined);
        }
        let began = Instant::now();
        assert_served(&node);
        assert!(began.elapsed() < Duration::from_secs(5));
    });
}

/// 22
#[test]
fn connections_that_end_anywhere_leave_nothing_behind() {
    let mut node = Node::start();
    create_topic(&mut node.connect(), "t", 1, &[]);
    let descriptors = |node: &Node| {
        std::fs::read_dir(format!("/proc/{}/fd", node.program().id())).unwrap().count()
    };
    assert_served(&node);
    let before = descriptors(&node);
    let frame = frame_of(4, 1, &api_versions());
    let whole = Writer::default().i32(frame.len() as i32).raw(&frame).0;
    for round in 0..100 {
        // A reset in the middle of a frame: data that was never read makes the close one.
        let mut connection = raw(&node);
        connection.send_raw(&whole);
        connection.send_raw(&whole[..whole.len() - 1 - round % 20]);
        let mut byte = [0];
        connection.stream.read_exact(&mut byte).unwrap();
        drop(connection);
        // Half closed after a whole request: the answer still comes.
        let mut connection = raw(&node);
        connection.send_raw(&whole);
        connection.stream.shutdown(Shutdown::Write).unwrap();
        assert!(matches!(connection.receive(), Outcome::Answer(_)));
        assert_eq!(connection.receive(), Outcome::Closed);
    }
    assert_served(&node);
    let deadline = Instant::now() + Duration::from_secs(5);
    while descriptors(&node) > before + 2 {
        assert!(Instant::now() < deadline, "{} descriptors, {before} before", descriptors(&node));
    }
    node.stop();
}

/// 23
#[test]
fn correlation_ids_come_back_as_they_are() {
    let node = Node::shared();
    let mut connection = node.connect();
    for correlation_id in [0, 5, 5, -1, i32::MIN, i32::MAX] {
        connection.send_frame(&frame_of(4, correlation_id, &api_versions()));
        let Outcome::Answer(frame) = connection.receive() else { panic!("closed") };
        assert_eq!(Reader(&frame).i32().unwrap(), correlation_id);
    }
}

/// 24: one answer is bounded whatever is asked for.
#[test]
fn an_answer_to_a_fetch_without_limits_is_bounded() {
    const FETCH_MAX_BYTES: usize = 55 << 20;
    let node = Node::start();
    let topic = create_topic(&mut node.connect(), "large", 1, &[]);
    let value = vec![b'v'; 1_000_000];
    let mut connection = node.connect();
    for _ in 0..70 {
        let batch = batch_of(&[&value]).sealed();
        assert_eq!(produce(&mut connection, "large", 0, batch).error_code, 0);
    }
    let answer = connection.ask(FETCH_VERSION, &fetch_request(topic, 0, 0));
    let records = answer.responses[0].partitions[0].records.as_ref().unwrap();
    assert!(records.len() > 50 << 20 && records.len() <= FETCH_MAX_BYTES + value.len());
}

/// 5: only ours: Apache counts the time since the last byte.
#[test]
fn one_byte_now_and_then_does_not_keep_a_frame_open() {
    if is_foreign() {
        return;
    }
    let node = Node::start_with(&[("connections.max.idle.ms", "1000")]);
    let mut connection = raw(&node);
    connection.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let began = Instant::now();
    let mut byte = [0];
    connection.send_raw(&1000_i32.to_be_bytes());
    loop {
        connection.send_raw(&[0]);
        match connection.stream.read(&mut byte) {
            Ok(0) => break,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            _ => assert!(began.elapsed() < Duration::from_secs(10), "still open"),
        }
    }
    assert_served(&node);
}
