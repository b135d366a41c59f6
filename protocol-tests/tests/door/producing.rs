//! Rows 35 to 41, 45, 46, 48, 49 and 51: what is produced and may not be.

use kafka_protocol::messages::ProduceRequest;
use protocol_tests::connection::{Connection, Outcome, frame_of};
use protocol_tests::fields::Writer;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;
use protocol_tests::record_batch::{RecordBatch, crc_of, seal};
use protocol_tests::requests::{
    PRODUCE_VERSION, all_batches, batch_of, create_topic, fetch, now_ms, produce, produce_request,
};

use super::{assert_growth_below, assert_served, error};

/// Zstandard, in the attributes of a batch.
const ZSTD: i16 = 4;

/// The error for `request`'s only partition.
fn error_of(connection: &mut Connection, request: &ProduceRequest) -> i16 {
    let answer = connection.ask(PRODUCE_VERSION, request);
    let partition = &answer.responses[0].partition_responses[0];
    if partition.error_code != 0 {
        assert_eq!(partition.base_offset, -1, "{partition:?}");
    }
    partition.error_code
}

/// Each of `batches` is refused with its error, and nothing is appended; then a good one is taken.
fn assert_refused(node: &Node, topic: &str, batches: &[(&str, Vec<u8>, i16)]) {
    let mut connection = node.connect();
    let id = create_topic(&mut connection, topic, 1, &[]);
    for (what, batch, expected) in batches {
        let request = produce_request(topic, 0, Some(batch.clone().into()));
        assert_eq!(error_of(&mut connection, &request), *expected, "{what}");
        assert_eq!(fetch(&mut connection, id, 0, 0).high_watermark, 0, "{what}");
    }
    let good = batch_of(&[b"good"]).sealed();
    assert_eq!(produce(&mut connection, topic, 0, good).base_offset, 0);
}

fn with(change: impl FnOnce(&mut RecordBatch)) -> Vec<u8> {
    let mut batch = batch_of(&[b"one", b"two"]);
    change(&mut batch);
    batch.sealed()
}

/// 35
#[test]
fn acks_are_all_one_or_none() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "acks", 1, &[]);
    for acks in [2, -2, i16::MAX] {
        let batch = batch_of(&[b"v"]).sealed().into();
        let request = produce_request("acks", 0, Some(batch)).with_acks(acks);
        assert_eq!(error_of(&mut connection, &request), error::INVALID_REQUIRED_ACKS, "{acks}");
    }
    assert_served(&node);
}

/// 36: who waits for no answer is told by the end of the connection.
#[test]
fn an_error_with_acks_0_closes() {
    let node = Node::shared();
    let mut connection = node.connect();
    let batch = batch_of(&[b"v"]).sealed().into();
    let request = produce_request("does-not-exist", 0, Some(batch)).with_acks(0);
    connection.send(PRODUCE_VERSION, &request);
    assert_eq!(connection.receive(), Outcome::Closed);
    assert_served(&node);
}

/// And a good one is not answered: the next answer is that to the next request.
#[test]
fn acks_0_has_no_answer() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = create_topic(&mut connection, "acks-0", 1, &[]);
    let batch = batch_of(&[b"v"]).sealed().into();
    connection.send(PRODUCE_VERSION, &produce_request("acks-0", 0, Some(batch)).with_acks(0));
    assert_eq!(all_batches(&mut connection, id, 0).len(), 1);
}

/// 37
#[test]
fn a_partition_gets_one_batch_of_format_2() {
    let node = Node::shared();
    let two = batch_of(&[b"v"]).sealed().repeat(2);
    let magic = |magic| with(|batch| batch.magic = magic);
    assert_refused(
        &node,
        "one-batch",
        &[
            ("no batch", Vec::new(), error::INVALID_RECORD),
            ("two batches", two, error::INVALID_RECORD),
            ("magic 0", magic(0), error::INVALID_RECORD),
            ("magic 1", magic(1), error::INVALID_RECORD),
            ("magic 3", magic(3), error::CORRUPT_MESSAGE),
        ],
    );
}

/// 37: Apache never answers.
#[test]
fn null_records_are_refused() {
    if is_foreign() {
        return;
    }
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "null-records", 1, &[]);
    let request = produce_request("null-records", 0, None);
    assert_eq!(error_of(&mut connection, &request), error::INVALID_RECORD);
    assert_served(&node);
}

/// 38
#[test]
fn a_batch_with_a_wrong_length_or_checksum_is_corrupt() {
    let node = Node::shared();
    let good = batch_of(&[b"one", b"two"]).sealed();
    let length = |length: i32| {
        let mut bytes = good.clone();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut crc = good.clone();
    crc[17] ^= 0x80;
    assert_refused(
        &node,
        "corrupt",
        &[
            ("crc", crc, error::CORRUPT_MESSAGE),
            ("a bit", flipped, error::CORRUPT_MESSAGE),
            ("length -1", length(-1), error::CORRUPT_MESSAGE),
            ("length 0", length(0), error::CORRUPT_MESSAGE),
            ("length 48", length(48), error::CORRUPT_MESSAGE),
            ("length too long", length(good.len() as i32), error::INVALID_RECORD),
            ("cut", good[..good.len() - 1].to_vec(), error::INVALID_RECORD),
            ("16 bytes", good[..16].to_vec(), error::INVALID_RECORD),
        ],
    );
}

/// 39
#[test]
fn a_batch_says_how_many_records_it_has() {
    let node = Node::start();
    let count = |count| with(|batch| batch.count = count);
    assert_growth_below(&node, 8, || {
        assert_refused(
            &node,
            "counts",
            &[
                ("0", count(0), error::INVALID_RECORD),
                ("-1", count(-1), error::INVALID_RECORD),
                ("2 GiB", count(i32::MAX), error::INVALID_RECORD),
                ("one less", count(1), error::INVALID_RECORD),
                ("one more", count(3), error::INVALID_RECORD),
                (
                    "both one more",
                    with(|batch| (batch.count, batch.last_offset_delta) = (3, 2)),
                    error::INVALID_RECORD,
                ),
                (
                    "all of 2 GiB",
                    with(|batch| (batch.count, batch.last_offset_delta) = (i32::MAX, i32::MAX - 1)),
                    error::INVALID_RECORD,
                ),
            ],
        );
    });
}

/// A batch of one record, whose bytes after the length are these.
fn record(body: &[u8]) -> RecordBatch {
    let mut batch = batch_of(&[b"v"]);
    batch.records = Writer::default().varint(body.len() as i64).raw(body).0;
    batch
}

/// The records of row 40. Attributes, timestamp delta, offset delta; key; value; headers.
fn bad_records() -> Vec<(&'static str, RecordBatch)> {
    let start = || Writer::default().i8(0).varint(0).varint(0);
    let whole = || start().varint(-1).varint(1).raw(b"v");
    let length = |length| {
        let mut batch = batch_of(&[b"v"]);
        let body = whole().varint(0).0;
        batch.records = Writer::default().varint(length).raw(&body).0;
        batch
    };
    let header = |writer: Writer| record(&whole().varint(1).raw(&writer.0).0);
    vec![
        ("length -1", length(-1)),
        ("length past the end", length(100)),
        ("length of 2 GiB", length(i64::from(i32::MAX))),
        ("length too short", length(3)),
        ("key past the end", record(&start().varint(100).raw(b"k").0)),
        ("key length -2", record(&start().varint(-2).varint(1).raw(b"v").varint(0).0)),
        ("value past the end", record(&start().varint(-1).varint(100).raw(b"v").0)),
        ("value length -2", record(&start().varint(-1).varint(-2).varint(0).0)),
        ("2 GiB of headers", record(&whole().varint(i64::from(i32::MAX)).0)),
        ("header count -1", record(&whole().varint(-1).0)),
        ("header without key", header(Writer::default().varint(-1).varint(-1))),
        ("header past the end", header(Writer::default().varint(9).raw(b"h"))),
        ("bytes after the headers", record(&whole().varint(0).raw(b"more").0)),
    ]
}

/// 40: Apache answers INVALID_RECORD or CORRUPT_MESSAGE or worse, as its parser happens to fail; ours always the first.
#[test]
fn records_that_do_not_parse_are_refused() {
    let node = Node::start();
    assert_growth_below(&node, 8, || {
        let mut connection = node.connect();
        let id = create_topic(&mut connection, "records", 1, &[]);
        for (what, batch) in bad_records() {
            let request = produce_request("records", 0, Some(batch.sealed().into()));
            let error = error_of(&mut connection, &request);
            eprintln!("{what}: {error}");
            if is_foreign() {
                continue;
            }
            assert_eq!(error, error::INVALID_RECORD, "{what}");
            assert_eq!(fetch(&mut connection, id, 0, 0).high_watermark, 0, "{what}");
        }
    });
}

/// 41
#[test]
fn control_batches_are_the_brokers() {
    let node = Node::shared();
    let attributes = |attributes| with(|batch| batch.attributes = attributes);
    let batches = [("control", attributes(0x20), error::INVALID_RECORD)];
    assert_refused(&node, "control", &batches);
}

/// 45: codecs that are none, that come too early, and bodies that are not what they say: nonsense, a frame of LZ4 that ends
/// in its middle, and blocks of Snappy that are said to be of a negative and of a huge size (CVE-2023-34455).
#[test]
fn a_batch_is_of_its_codec() {
    const SNAPPY_STREAM: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
    let node = Node::start_with(&[("ottla.validate.compressed", "true")]);
    let mut connection = node.connect();
    let id = create_topic(&mut connection, "codecs", 1, &[]);
    let mut told = |version: i16, codec: i16, body: &[u8]| {
        let mut batch = batch_of(&[b"v"]);
        (batch.attributes, batch.records) = (codec, body.to_vec());
        let request = produce_request("codecs", 0, Some(batch.sealed().into()));
        let answer = connection.ask(version, &request);
        answer.responses[0].partition_responses[0].error_code
    };
    let body = zstd_stored(&batch_of(&[b"v"]).records);
    for codec in [5, 6, 7] {
        let code = told(12, codec, &body);
        let expected = if is_foreign() {
            error::UNKNOWN_SERVER_ERROR
        } else {
            error::UNSUPPORTED_COMPRESSION_TYPE
        };
        assert_eq!(code, expected, "{codec}");
    }
    assert_eq!(told(6, ZSTD, &body), error::UNSUPPORTED_COMPRESSION_TYPE);
    let of = |size: &[u8]| [SNAPPY_STREAM, size, b"rest"].concat();
    for (codec, body) in [
        (1, b"nothing of the kind".to_vec()),
        (2, b"nothing of the kind".to_vec()),
        (2, of(&[0xff; 4])),
        (2, of(&[0x7f, 0xff, 0xff, 0xff])),
        (3, b"nothing of the kind".to_vec()),
        (3, b"\x04\x22\x4d\x18\x60\x40\x82\x07\0\0".to_vec()),
        (4, b"nothing of the kind".to_vec()),
        (4, body[..body.len() - 2].to_vec()),
    ] {
        let code = told(12, codec, &body);
        // Apache says that it does not know, or something else for each library.
        let is_right = if is_foreign() { code != 0 } else { code == error::INVALID_RECORD };
        assert!(is_right, "{codec}: {code} for {body:?}");
    }
    assert_eq!(fetch(&mut node.connect(), id, 0, 0).high_watermark, 0);
    assert_eq!(told(7, ZSTD, &body), 0);
    assert_served(&node);
}

/// A partition that a request names twice: Kafka keeps the last batch, without a word about the first, for which its client
/// reads the same answer. Here both are kept.
#[test]
fn of_a_partition_that_is_named_twice_nothing_is_lost() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = create_topic(&mut connection, "named-twice", 1, &[]);
    let batch = |value: &[u8]| Some(batch_of(&[value]).sealed().into());
    let mut request = produce_request("named-twice", 0, batch(b"one"));
    let other = produce_request("named-twice", 0, batch(b"other")).topic_data.remove(0);
    for same_topic in [true, false] {
        let mut request = request.clone();
        if same_topic {
            request.topic_data[0].partition_data.extend(other.partition_data.clone());
        } else {
            request.topic_data.push(other.clone());
        }
        let answer = connection.ask(PRODUCE_VERSION, &request);
        assert_eq!(answer.responses.len(), 1);
        assert_eq!(answer.responses[0].partition_responses.len(), 1);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    let kept = all_batches(&mut connection, id, 0);
    assert_eq!(kept.len(), if is_foreign() { 2 } else { 4 });
    // One that may not be appended: the answer is its error, so that the client sends both again.
    let mut bad = batch_of(&[b"bad"]).sealed();
    bad[30] ^= 1;
    request.topic_data[0].partition_data.insert(0, other.partition_data[0].clone());
    request.topic_data[0].partition_data[0].records = Some(bad.into());
    let code =
        connection.ask(PRODUCE_VERSION, &request).responses[0].partition_responses[0].error_code;
    assert_eq!(code, if is_foreign() { 0 } else { error::CORRUPT_MESSAGE });
}

/// 46: 32 KB that would be 1 GiB. Unless compressed batches are opened, it stays closed and is served as it is.
#[test]
fn a_bomb_does_not_go_off() {
    let node = Node::start_with(&[("ottla.validate.compressed", "true")]);
    let mut batch = batch_of(&[b"v"]);
    batch.attributes = ZSTD;
    batch.records = zstd_of_zeros(8192);
    assert_growth_below(&node, 64, || {
        if is_foreign() {
            return;
        }
        let batches = [("a bomb", batch.sealed(), error::INVALID_RECORD)];
        assert_refused(&node, "bomb", &batches);
    });
}

/// 39, 40: in compressed batches, where they are opened.
#[test]
fn compressed_records_that_do_not_parse_are_refused() {
    // Apache has no such key: it always opens them, and takes some of these.
    if is_foreign() {
        return;
    }
    let node = Node::start_with(&[("ottla.validate.compressed", "true")]);
    let mut connection = node.connect();
    create_topic(&mut connection, "compressed", 1, &[]);
    for (what, mut batch) in bad_records() {
        batch.attributes = ZSTD;
        batch.records = zstd_stored(&batch.records);
        let request = produce_request("compressed", 0, Some(batch.sealed().into()));
        let error = error_of(&mut connection, &request);
        assert_eq!(error, error::INVALID_RECORD, "{what}");
    }
    let mut batch = batch_of(&[b"one", b"two"]);
    (batch.attributes, batch.records) = (ZSTD, zstd_stored(&batch.records));
    assert_eq!(produce(&mut connection, "compressed", 0, batch.sealed()).error_code, 0);
}

/// A Zstandard frame of so many blocks of 128 KiB of one byte, 4 bytes each (RFC 8878).
fn zstd_of_zeros(blocks: usize) -> Vec<u8> {
    const RUN: u32 = 1;
    let mut frame = ZSTD_FRAME.to_vec();
    for left in (0..blocks).rev() {
        let header = u32::from(left == 0) | RUN << 1 | (128 << 10) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// A Zstandard frame with the bytes as they are.
fn zstd_stored(bytes: &[u8]) -> Vec<u8> {
    let header = 1 | (bytes.len() as u32) << 3;
    [&ZSTD_FRAME, &header.to_le_bytes()[..3], bytes].concat()
}

/// The magic number, no options, and a window of 128 KiB.
const ZSTD_FRAME: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];

/// 48
#[test]
fn a_batch_larger_than_allowed_is_too_large() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "small", 1, &[("max.message.bytes", "1000")]);
    let batch = |bytes: usize| {
        let mut batch = batch_of(&[&vec![b'v'; bytes]]).sealed();
        seal(&mut batch);
        batch
    };
    let exact = 1000 - batch(900).len() + 900;
    assert_eq!(batch(exact).len(), 1000);
    for (bytes, expected) in
        [(exact + 1, error::MESSAGE_TOO_LARGE), (100_000, error::MESSAGE_TOO_LARGE), (exact, 0)]
    {
        assert_eq!(
            produce(&mut connection, "small", 0, batch(bytes)).error_code,
            expected,
            "{bytes}"
        );
    }
    // The default of Kafka is 1 MiB and 12 bytes.
    create_topic(&mut connection, "default", 1, &[]);
    assert_eq!(produce(&mut connection, "default", 0, batch(1_048_588)).error_code, 10);
    assert_eq!(produce(&mut connection, "default", 0, batch(1_048_400)).error_code, 0);
}

/// 48
#[test]
fn a_batch_larger_than_a_segment_is_a_list_too_large() {
    let node = Node::shared();
    let mut connection = node.connect();
    let configs = [("segment.bytes", "1048576"), ("max.message.bytes", "4000000")];
    create_topic(&mut connection, "segments", 1, &configs);
    let batch = batch_of(&[&vec![b'v'; 1_048_576]]).sealed();
    let answer = produce(&mut connection, "segments", 0, batch);
    assert_eq!(answer.error_code, error::RECORD_LIST_TOO_LARGE);
    let batch = batch_of(&[&vec![b'v'; 1_000_000]]).sealed();
    assert_eq!(produce(&mut connection, "segments", 0, batch).error_code, 0);
}

/// 49
#[test]
fn times_are_checked_where_the_topic_asks_for_it() {
    const HOUR_MS: i64 = 3_600_000;
    let node = Node::shared();
    let mut connection = node.connect();
    let configs = [
        ("message.timestamp.before.max.ms", "3600000"),
        ("message.timestamp.after.max.ms", "3600000"),
    ];
    create_topic(&mut connection, "times", 1, &configs);
    create_topic(&mut connection, "any-time", 1, &[]);
    let now = now_ms();
    let at = |time| RecordBatch::new(time).record(None, Some(b"v")).sealed();
    for (topic, time, expected) in [
        ("times", now - 2 * HOUR_MS, error::INVALID_TIMESTAMP),
        ("times", now + 2 * HOUR_MS, error::INVALID_TIMESTAMP),
        ("times", now, 0),
        // Kafka's default is an hour ahead at most, and no limit to the past.
        ("any-time", now + 2 * HOUR_MS, error::INVALID_TIMESTAMP),
        ("any-time", 253_370_764_800_000, error::INVALID_TIMESTAMP),
        ("any-time", now - 10_000 * HOUR_MS, 0),
    ] {
        assert_eq!(produce(&mut connection, topic, 0, at(time)).error_code, expected, "{time}");
    }
}

/// 49: Kafka takes such a batch, and writes into it what the topic has.
#[test]
fn a_client_does_not_decide_about_log_append_time() {
    let node = Node::shared();
    let mut connection = node.connect();
    let id = create_topic(&mut connection, "append-time", 1, &[]);
    let mut batch = batch_of(&[b"v"]);
    batch.attributes = 8;
    let answer = produce(&mut connection, "append-time", 0, batch.sealed());
    assert_eq!((answer.error_code, answer.log_append_time_ms), (0, -1));
    assert_eq!(all_batches(&mut connection, id, 0)[0].attributes, 0);
}

/// And where the topic has it, the broker writes it into the batch, which is sound after that (KIP-32).
#[test]
fn the_broker_writes_its_time_where_the_topic_has_it() {
    let node = Node::shared();
    let mut connection = node.connect();
    let configs = [("message.timestamp.type", "LogAppendTime")];
    let id = create_topic(&mut connection, "its-time", 1, &configs);
    let batch = RecordBatch::new(1_000_000).record(None, Some(b"v")).sealed();
    let sent_at = now_ms();
    let answer = produce(&mut connection, "its-time", 0, batch.clone());
    assert_eq!(answer.error_code, 0);
    assert!((sent_at - 1000..=now_ms() + 1000).contains(&answer.log_append_time_ms));
    let stored = &all_batches(&mut connection, id, 0)[0];
    assert_eq!((stored.max_timestamp, stored.attributes), (answer.log_append_time_ms, 8));
    assert_ne!(crc_of(&stored.sealed()), crc_of(&batch));
}

/// 51
#[test]
fn a_partition_that_is_not_there_is_unknown() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "one-partition", 1, &[]);
    for (topic, partition) in
        [("one-partition", 1), ("one-partition", -1), ("one-partition", i32::MAX), ("not-there", 0)]
    {
        let batch = batch_of(&[b"v"]).sealed();
        let answer = produce(&mut connection, topic, partition, batch);
        let expected = (partition, error::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!((answer.index, answer.error_code), expected, "{topic}");
    }
}

/// 51: a partition is not asked for more replicas than it has (KIP-966).
#[test]
fn min_insync_replicas_is_at_most_the_replication_factor() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "two-isr", 1, &[("min.insync.replicas", "2")]);
    let request = produce_request("two-isr", 0, Some(batch_of(&[b"v"]).sealed().into()));
    assert_eq!(error_of(&mut connection, &request), 0);
    assert_eq!(error_of(&mut connection, &request.with_acks(1)), 0);
}

/// One bad partition does not spoil the others of a request.
#[test]
fn faults_stay_with_their_partition() {
    let node = Node::shared();
    let mut connection = node.connect();
    create_topic(&mut connection, "mixed", 3, &[]);
    let mut request = produce_request("mixed", 0, Some(batch_of(&[b"v"]).sealed().into()));
    let partitions = &mut request.topic_data[0].partition_data;
    let good = partitions[0].clone();
    let mut bad = batch_of(&[b"v"]).sealed();
    bad[30] ^= 1;
    partitions.push(good.clone().with_index(1).with_records(Some(bad.into())));
    partitions.push(good.with_index(2));
    let answer = connection.ask(PRODUCE_VERSION, &request);
    let mut errors: Vec<_> = answer.responses[0]
        .partition_responses
        .iter()
        .map(|partition| (partition.index, partition.error_code))
        .collect();
    errors.sort_unstable();
    assert_eq!(errors, [(0, 0), (1, error::CORRUPT_MESSAGE), (2, 0)]);
    let frame = frame_of(PRODUCE_VERSION, 1, &request);
    assert!(!frame.is_empty());
}
