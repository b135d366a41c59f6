//! The steps that are measured, and what each may cost.

use std::hint::black_box;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, fetch_request, produce_request};
use kafka_protocol::protocol::{Encodable, StrBytes};
use ottla::internals::types::error_code::ErrorCode;
use ottla::internals::types::ids::{PartitionId, TopicId};
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::Timestamp;
use ottla::internals::wire::batch::{Batch, TimestampType};
use ottla::internals::wire::batch_builder::BatchBuilder;
use ottla::internals::wire::batch_check::{BatchRules, TargetCompression, check_produced};
use ottla::internals::wire::compression::Codec;
use ottla::internals::wire::fetch_reply::{self, FetchPartitionReply, FetchReply, FetchTopicReply};
use ottla::internals::wire::fetch_request::FetchRequest;
use ottla::internals::wire::produce::{
    ProducePartitionReply, ProduceReply, ProduceRequest, ProduceTopicReply, encode_produce_reply,
};
use ottla::internals::wire::reply::{Chunk, FileRange, RangeSource};

/// One step and its bound.
pub struct Row {
    /// What it is.
    pub name: &'static str,
    /// How many allocations it may cost.
    pub bound: u64,
    /// The step.
    pub step: Box<dyn Fn()>,
}

/// A row of that name and bound.
pub fn row(name: &'static str, bound: u64, step: impl Fn() + 'static) -> Row {
    Row { name, bound, step: Box::new(step) }
}

/// Every row.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(produce());
    rows.extend(check());
    rows.extend(fetch());
    rows.extend(crate::log::rows());
    rows.extend(crate::sessions::rows());
    rows.extend(crate::coordinators::rows());
    rows
}

const NOW: Timestamp = Timestamp(1_800_000_000_000);

const RULES: BatchRules<'static> = BatchRules {
    topic: "orders",
    partition: PartitionId(0),
    api_version: 12,
    max_message_bytes: 1_048_588,
    timestamp_type: TimestampType::CreateTime,
    timestamp_before_max_ms: i64::MAX,
    timestamp_after_max_ms: 3_600_000,
    now: NOW,
    compacted: false,
    validate_compressed: false,
    compression: TargetCompression::Producer,
};

fn batch(records: usize, record_bytes: usize, codec: Codec) -> Batch {
    let value: Vec<u8> = (0..record_bytes).map(|at| (at * 31 % 97) as u8).collect();
    let mut builder = BatchBuilder::new(Offset(0));
    for _ in 0..records {
        builder.push(NOW, Some(b"key"), Some(&value), &[]);
    }
    builder.build_compressed(codec).unwrap_or_else(|error| panic!("{error}"))
}

/// As a connection hands it over: a slice of a buffer that others share.
fn shared(bytes: &[u8]) -> Bytes {
    let mut buffer = BytesMut::from(bytes);
    buffer.split().freeze()
}

fn encoded(message: &impl Encodable, version: i16) -> Bytes {
    let mut buffer = BytesMut::new();
    message.encode(&mut buffer, version).unwrap_or_else(|error| panic!("{error}"));
    shared(&buffer)
}

fn produce_request(partitions: i32, records: &Bytes, version: i16) -> Bytes {
    let partition = |index| {
        produce_request::PartitionProduceData::default()
            .with_index(index)
            .with_records(Some(records.clone()))
    };
    let topic = produce_request::TopicProduceData::default()
        .with_partition_data((0..partitions).map(partition).collect());
    let topic = if version < 13 {
        topic.with_name(StrBytes::from_static_str("orders").into())
    } else {
        topic
    };
    encoded(&messages::ProduceRequest::default().with_topic_data(vec![topic]), version)
}

fn produce() -> Vec<Row> {
    let records = batch(1, 100, Codec::None).bytes;
    let parse = |partitions, version| {
        let body = produce_request(partitions, &records, version);
        move || {
            black_box(ProduceRequest::parse(version, body.clone()).is_ok());
        }
    };
    let reply = |partitions: i32| {
        let partition = |index| {
            let error = ErrorCode::None;
            let failed = ProducePartitionReply::failed(PartitionId(index), error);
            ProducePartitionReply { base_offset: Offset(7), ..failed }
        };
        let topic = ProduceTopicReply {
            name: StrBytes::from_static_str("orders"),
            id: TopicId::METADATA,
            partitions: (0..partitions).map(partition).collect(),
        };
        let topics = [topic].into_iter().collect();
        ProduceReply { topics, ..ProduceReply::default() }
    };
    let answer = |partitions| {
        let reply = reply(partitions);
        move || {
            black_box(encode_produce_reply(12, 7, &reply));
        }
    };
    vec![
        row("produce: parse v7, 1 partition", 0, parse(1, 7)),
        row("produce: parse v12, 1 partition", 0, parse(1, 12)),
        row("produce: parse v13, 1 partition", 0, parse(1, 13)),
        row("produce: parse v12, 100 partitions", 1, parse(100, 12)),
        row("produce: answer v12, 1 partition", 2, answer(1)),
        row("produce: answer v12, 100 partitions", 2, answer(100)),
    ]
}

fn check() -> Vec<Row> {
    let check = |records, record_bytes, codec, rules: BatchRules<'static>| {
        let bytes = shared(&batch(records, record_bytes, codec).bytes);
        move || {
            black_box(check_produced(&bytes, &rules).is_ok());
        }
    };
    let open = BatchRules { validate_compressed: true, ..RULES };
    vec![
        row("batch check: 1 record of 100 B", 0, check(1, 100, Codec::None, RULES)),
        row("batch check: 9,000 records of 100 B", 0, check(9_000, 100, Codec::None, RULES)),
        row("batch check: 1,000 records of 1 KB", 0, check(1_000, 1_000, Codec::None, RULES)),
        row("batch check: 10,000 records in lz4, closed", 0, check(10_000, 100, Codec::Lz4, RULES)),
        row(
            "batch check: 10,000 records in zstd, closed",
            0,
            check(10_000, 100, Codec::Zstd, RULES),
        ),
        // One buffer to read through, and the codec's own; zstd's are out of sight, in C.
        row(
            "batch check: 10,000 records in gzip, opened",
            3,
            check(10_000, 100, Codec::Gzip, open),
        ),
        row("batch check: 10,000 records in lz4, opened", 4, check(10_000, 100, Codec::Lz4, open)),
        row(
            "batch check: 10,000 records in zstd, opened",
            1,
            check(10_000, 100, Codec::Zstd, open),
        ),
    ]
}

/// A segment that nobody reads here.
struct Segment;

impl RangeSource for Segment {
    fn read_exact_at(&self, _into: &mut [u8], _position: u64) -> io::Result<()> {
        Ok(())
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn fetch_reply_of(partitions: i32) -> FetchReply {
    let partition = |index| {
        let range = FileRange { source: Arc::new(Segment), position: 0, length_bytes: 1 << 20 };
        let records = [Chunk::File(range)].into_iter().collect();
        let failed = FetchPartitionReply::failed(PartitionId(index), ErrorCode::None);
        FetchPartitionReply { records, aborted: None, ..failed }
    };
    let topic = FetchTopicReply {
        name: StrBytes::default(),
        id: TopicId::METADATA,
        partitions: (0..partitions).map(partition).collect(),
    };
    FetchReply { topics: [topic].into_iter().collect(), ..FetchReply::default() }
}

fn fetch() -> Vec<Row> {
    let parse = |partitions| {
        let partition = |index| fetch_request::FetchPartition::default().with_partition(index);
        let topic = fetch_request::FetchTopic::default()
            .with_partitions((0..partitions).map(partition).collect());
        let body = encoded(&messages::FetchRequest::default().with_topics(vec![topic]), 18);
        move || {
            black_box(FetchRequest::parse(18, body.clone()).is_ok());
        }
    };
    let answer = |partitions| {
        let reply = fetch_reply_of(partitions);
        move || {
            black_box(fetch_reply::encode(18, 7, &reply));
        }
    };
    let empty = FetchReply::default();
    vec![
        row("fetch: parse v18, 1 partition", 0, parse(1)),
        row("fetch: parse v18, 100 partitions", 1, parse(100)),
        row("fetch: answer v18, nothing new in the session", 2, move || {
            black_box(fetch_reply::encode(18, 7, &empty));
        }),
        row("fetch: answer v18, 1 partition", 3, answer(1)),
        row("fetch: answer v18, 100 partitions", 4, answer(100)),
    ]
}
