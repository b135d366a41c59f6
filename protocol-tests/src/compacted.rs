//! A compacted topic at work: records that bury each other, tombstones, transactions; and what is left of them.
//!
//! Each round has a time of its own, further from the last than `segment.ms`, and so a segment. Nothing is compacted
//! before it is asked for: then both brokers do it in one go, and leave the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    EndTxnRequest, FindCoordinatorRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest,
    ProducerId,
};
use uuid::Uuid;

use crate::connection::Connection;
use crate::fields::Reader;
use crate::node::Node;
use crate::record_batch::RecordBatch;
use crate::requests::{
    FETCH_VERSION, ask_until, create_topic, ends_of, fetch_request, now_ms, produce,
    produce_request, text,
};

/// A node on which compaction does not wait long.
pub const NODE_KEYS: [(&str, &str); 3] = [
    ("log.cleaner.backoff.ms", "50"),
    ("offsets.topic.num.partitions", "1"),
    ("transaction.state.log.num.partitions", "1"),
];
/// The topic.
pub const TOPIC: &str = "accounts";
const KEYS: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "1000"),
    // Nothing is that dirty.
    ("min.cleanable.dirty.ratio", "1.0"),
    ("retention.ms", "-1"),
];
/// Markers carry the broker's time: they may not begin a segment because it is later than that of the records.
const AHEAD_MS: i64 = 60_000;
const ROUND_MS: i64 = 10_000;
const LIMIT: Duration = Duration::from_mins(1);
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;
const READ_COMMITTED: i8 = 1;
const RESOURCE_TOPIC: i8 = 2;
const KEY_TRANSACTION: i8 = 1;

/// A key, and a value that may be none.
type Pair<'a> = (&'a str, Option<&'a str>);

/// A topic, and what was written to it.
#[derive(Debug)]
pub struct Compacted {
    /// Its id.
    pub id: Uuid,
    /// What a reader of everything has in the end.
    pub table: BTreeMap<String, String>,
    /// The time of its first record, more or less.
    first_ms: i64,
    round: i64,
    /// Where the segment that is written begins.
    active: i64,
    producers: u32,
}

fn batch(timestamp: i64, pairs: &[Pair<'_>]) -> RecordBatch {
    let empty = RecordBatch::new(timestamp);
    pairs.iter().fold(empty, |batch, (key, value)| {
        batch.record(Some(key.as_bytes()), value.map(str::as_bytes))
    })
}

fn send(connection: &mut Connection, batch: &RecordBatch) -> i64 {
    let answer = produce(connection, TOPIC, 0, batch.sealed());
    assert_eq!(answer.error_code, 0, "{answer:?}");
    answer.base_offset
}

impl Compacted {
    /// Creates it.
    pub fn create(node: &Node) -> Self {
        let id = create_topic(&mut node.connect(), TOPIC, 1, &KEYS);
        let first_ms = now_ms() + AHEAD_MS;
        Self { id, table: BTreeMap::new(), first_ms, round: 0, active: 0, producers: 0 }
    }

    const fn time(&self) -> i64 {
        self.first_ms + self.round * ROUND_MS
    }

    fn note(&mut self, pairs: &[Pair<'_>]) {
        for (key, value) in pairs {
            match value {
                Some(value) => self.table.insert((*key).to_owned(), (*value).to_owned()),
                None => self.table.remove(*key),
            };
        }
    }

    /// Writes a round: plain records, and transactions of which every other one is aborted. The rounds before are in
    /// closed segments then.
    pub fn write_round(&mut self, node: &Node) {
        let connection = &mut node.connect();
        self.round += 1;
        let number = self.round.to_string();
        let own = format!("only {number}");
        let number = number.as_str();
        let buried = if self.round % 2 == 0 { None } else { Some(number) };
        let pairs = [("a", Some(number)), (&own, Some("here")), ("a", Some(number)), ("b", buried)];
        self.active = send(connection, &batch(self.time(), &pairs));
        self.note(&pairs);
        let pairs = [("c", Some(number))];
        send(connection, &batch(self.time(), &pairs));
        self.note(&pairs);
        for commit in [true, false] {
            let pairs = [("d", Some(number)), ("a", Some("never")), ("e", None)];
            let pairs = if commit { &pairs[..1] } else { &pairs[..] };
            self.transaction(connection, pairs, commit);
        }
    }

    /// A transaction of a producer that nobody hears of again.
    fn transaction(&mut self, connection: &mut Connection, pairs: &[Pair<'_>], commit: bool) {
        self.producers += 1;
        let name = format!("producer-{}", self.producers);
        let find = FindCoordinatorRequest::default()
            .with_key_type(KEY_TRANSACTION)
            .with_coordinator_keys(vec![text(name.as_str())]);
        ask_until(connection, 4, &find, |it| it.coordinators[0].error_code == 0);
        let begin = InitProducerIdRequest::default()
            .with_transactional_id(Some(text(name.as_str()).into()))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let begun = ask_until(connection, 4, &begin, |it| it.error_code == 0);
        let (id, epoch) = (begun.producer_id.0, begun.producer_epoch);
        let mut batch = batch(self.time(), pairs).from_producer(id, epoch, 0);
        batch.attributes |= TRANSACTIONAL;
        let write = produce_request(TOPIC, 0, Some(batch.sealed().into()))
            .with_transactional_id(Some(text(name.as_str()).into()));
        ask_until(connection, 12, &write, |it| {
            it.responses[0].partition_responses[0].error_code == 0
        });
        let end = EndTxnRequest::default()
            .with_transactional_id(text(name.as_str()).into())
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch)
            .with_committed(commit);
        ask_until(connection, 5, &end, |it| it.error_code == 0);
        wait_until_it_is_over(connection);
        if commit {
            self.note(pairs);
        }
    }

    /// Has everything compacted that is in closed segments, and waits until that is written down.
    pub fn compact(&self, node: &Node) {
        set_topic_key(node, TOPIC, "min.cleanable.dirty.ratio", "0.0001");
        wait_until_clean(node, TOPIC, self.active);
        set_topic_key(node, TOPIC, "min.cleanable.dirty.ratio", "1.0");
    }

    /// What a reader from `offset` on under `read_committed` gets: batches, and records with their offsets.
    pub fn read_from(&self, node: &Node, offset: i64) -> (Vec<RecordBatch>, Vec<Record>) {
        let connection = &mut node.connect();
        let (mut batches, mut records, mut next) = (Vec::new(), Vec::new(), offset);
        loop {
            let request = fetch_request(self.id, 0, next).with_isolation_level(READ_COMMITTED);
            let ready = |answer: &kafka_protocol::messages::FetchResponse| {
                answer.responses[0].partitions[0].error_code == 0
            };
            let answer = ask_until(connection, FETCH_VERSION, &request, ready);
            let data = answer.responses.into_iter().next().unwrap().partitions.remove(0);
            let found = RecordBatch::all(&data.records.unwrap_or_default()).unwrap();
            let aborted: Vec<_> = data.aborted_transactions.unwrap_or_default();
            let aborted = aborted.iter().map(|it| (it.producer_id.0, it.first_offset)).collect();
            let Some(last) = found.last() else {
                assert_eq!(next, data.high_watermark);
                return (batches, records);
            };
            next = last.base_offset + i64::from(last.last_offset_delta) + 1;
            records.extend(committed(&found, aborted));
            batches.extend(found);
        }
    }

    /// What two brokers have to leave alike: everything but ids, and what stems from their clocks.
    pub fn comparable(&self, batches: &[RecordBatch]) -> Vec<RecordBatch> {
        let masked = |batch: &RecordBatch| {
            let mut batch = batch.clone();
            batch.producer_id = batch.producer_id.min(0);
            batch.max_timestamp -= self.first_ms;
            if batch.base_timestamp != -1 {
                batch.base_timestamp -= self.first_ms;
            }
            let is_control = batch.attributes & CONTROL != 0;
            if is_control {
                // Its record, and the time of that, are the coordinator's.
                batch.max_timestamp = 0;
            }
            if is_control || batch.attributes & DELETE_HORIZON != 0 {
                batch.base_timestamp = 0;
                batch.records.clear();
            }
            batch
        };
        batches.iter().map(masked).collect()
    }

    /// What a reader of everything has in the end, and that it is what was written.
    pub fn assert_is_whole(&self, node: &Node) {
        let mut table = BTreeMap::new();
        for (_, key, value) in self.read_from(node, 0).1 {
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
        }
        assert_eq!(table, self.table);
    }
}

/// Changes a key of a topic.
pub fn set_topic_key(node: &Node, topic: &str, key: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(RESOURCE_TOPIC)
        .with_resource_name(text(topic))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = node.connect().ask(1, &request);
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
}

/// Waits until the checkpoint says that partition 0 of a topic is compacted up to `offset`, or further.
pub fn wait_until_clean(node: &Node, topic: &str, offset: i64) {
    let deadline = Instant::now() + LIMIT;
    let start = format!("{topic} 0 ");
    loop {
        let path = node.data().join("cleaner-offset-checkpoint");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(&start)?.parse::<i64>().ok());
        if found.is_some_and(|found| found >= offset) {
            return;
        }
        assert!(Instant::now() < deadline, "{topic} is not compacted up to {offset}: {text}");
        // As long as a request takes.
        node.connect().ask(0, &kafka_protocol::messages::ApiVersionsRequest::default());
    }
}

/// Apache answers before it has written the marker.
fn wait_until_it_is_over(connection: &mut Connection) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let stable = ends_of(TOPIC, 1).with_isolation_level(READ_COMMITTED);
        let [stable, end] = [stable, ends_of(TOPIC, 1)]
            .map(|request| connection.ask(7, &request).topics[0].partitions[0].offset);
        if stable == end {
            return;
        }
        assert!(Instant::now() < deadline, "a transaction is open at {stable}");
    }
}

/// An offset, a key, a value.
pub type Record = (i64, String, Option<String>);

fn committed(batches: &[RecordBatch], mut aborted: Vec<(i64, i64)>) -> Vec<Record> {
    aborted.sort_by_key(|(_, first)| *first);
    let (mut open, mut records) = (Vec::new(), Vec::new());
    for batch in batches {
        let last = batch.base_offset + i64::from(batch.last_offset_delta);
        while aborted.first().is_some_and(|(_, first)| *first <= last) {
            open.push(aborted.remove(0).0);
        }
        if batch.attributes & CONTROL != 0 {
            open.retain(|id| *id != batch.producer_id);
        } else if batch.attributes & TRANSACTIONAL == 0 || !open.contains(&batch.producer_id) {
            records.extend(records_of(batch));
        }
    }
    records
}

fn records_of(batch: &RecordBatch) -> Vec<Record> {
    let mut reader = Reader(&batch.records);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let record = |_| {
        let length = reader.varint().unwrap();
        let mut record = Reader(reader.raw(length as usize).unwrap());
        record.i8().unwrap();
        record.varint().unwrap();
        let offset = batch.base_offset + record.varint().unwrap();
        let mut field = || {
            let length = record.varint().unwrap();
            usize::try_from(length).ok().map(|length| text(record.raw(length).unwrap()))
        };
        (offset, field().unwrap(), field())
    };
    (0..batch.count).map(record).collect()
}
