//! librdkafka: what most languages' clients are made of.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use protocol_tests::node::Node;
use protocol_tests::requests::{all_batches, create_topic};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

/// Where a batch's attributes say its codec.
const CODEC: i16 = 7;
/// How long a client may take for one thing.
const LIMIT: Duration = Duration::from_mins(1);

/// A record, as it was sent or as it came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Sent {
    /// With a value alone.
    pub fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

/// A client's configuration. Acknowledgements of all replicas are librdkafka's default.
pub fn config(node: &Node, keys: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", node.address().to_string());
    config.set("broker.address.family", "v4").set("message.timeout.ms", "60000");
    for (key, value) in keys {
        config.set(*key, *value);
    }
    config
}

/// Gives records to a producer; the rest happens in its background.
pub fn enqueue(producer: &BaseProducer, topic: &str, partition: i32, sent: &Sent) {
    let headers = sent.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: value.as_ref() })
    });
    let mut record = BaseRecord::to(topic).partition(partition);
    if !sent.headers.is_empty() {
        record = record.headers(headers);
    }
    record.key = sent.key.as_deref();
    record.payload = sent.value.as_deref();
    // A full queue empties while it is polled.
    let deadline = Instant::now() + LIMIT;
    loop {
        let Err((error, again)) = producer.send::<[u8], [u8]>(record) else { return };
        let full = Some(RDKafkaErrorCode::QueueFull);
        assert!(error.rdkafka_error_code() == full && Instant::now() < deadline, "{error}");
        record = again;
        producer.poll(Duration::from_millis(10));
    }
}

/// Produces to one partition and waits until all is acknowledged.
fn produce(node: &Node, keys: &[(&str, &str)], topic: &str, records: &[Sent]) {
    let producer: BaseProducer = config(node, keys).create().unwrap();
    for sent in records {
        enqueue(&producer, topic, 0, sent);
    }
    producer.flush(LIMIT).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

/// A consumer by assignment, from the beginning.
pub fn consumer(node: &Node, keys: &[(&str, &str)], topic: &str, partitions: i32) -> BaseConsumer {
    let mut config = config(node, keys);
    config.set("group.id", "unused").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    consumer
}

/// The next `count` records: partition, offset, record.
pub fn take(consumer: &BaseConsumer, count: usize) -> Vec<(i32, i64, Sent)> {
    let deadline = Instant::now() + LIMIT;
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records", taken.len());
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let headers = message.headers().map_or(Vec::new(), |headers| {
            let own = |it: Header<'_, &[u8]>| (it.key.to_owned(), it.value.map(<[u8]>::to_vec));
            headers.iter().map(own).collect()
        });
        let (key, value) = (message.key().map(Vec::from), message.payload().map(Vec::from));
        taken.push((message.partition(), message.offset(), Sent { key, value, headers }));
    }
    taken
}

/// Nothing more comes.
pub fn assert_no_more(consumer: &BaseConsumer) {
    let more = consumer.poll(Duration::from_millis(500));
    assert!(more.is_none(), "{more:?}");
}

fn admin(node: &Node) -> AdminClient<DefaultClientContext> {
    config(node, &[]).create().unwrap()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Creates a topic of one replica.
pub fn create(node: &Node, topic: &str, partitions: i32, keys: &[(&str, &str)]) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let new = keys.iter().fold(new, |new, (key, value)| new.set(key, value));
    let results = wait(admin(node).create_topics([&new], &AdminOptions::new())).unwrap();
    assert_eq!(results, [Ok(topic.to_owned())]);
}

/// Every kind of record that a record can be.
fn kinds() -> Vec<Sent> {
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    let mut kinds = vec![
        Sent::default(),
        Sent::value("value"),
        Sent::value(""),
        Sent { key: Some(b"key".to_vec()), ..Sent::default() },
        Sent { key: Some(Vec::new()), ..Sent::value("empty key") },
        Sent { key: Some(vec![0, 0xff, 0x80]), ..Sent::value(vec![0; 100]) },
        Sent {
            headers: vec![
                header("twice", Some(b"one")),
                header("twice", Some(b"two")),
                header("null", None),
                header("empty", Some(b"")),
                header("", Some(b"no name")),
            ],
            ..Sent::value("headers")
        },
    ];
    let many = |number: u32| Sent::value(format!("value {number} ").repeat(number as usize % 50));
    kinds.extend((0..500).map(many));
    kinds
}

/// librdkafka leaves a batch as it is when its codec would not make it smaller. A few small records may be such a
/// one, and how many are in a batch is a matter of time.
const INCOMPRESSIBLE_BYTES: usize = 300;

/// Codecs, with and without idempotence; each is in the log as it was asked for. librdkafka sends records as they are
/// when it misses an API that it wants for a codec.
#[test]
fn what_goes_in_comes_out_with_every_codec() {
    let node = Node::start();
    let mut connection = node.connect();
    for (number, codec) in (0..).zip(["none", "gzip", "snappy", "lz4", "zstd"]) {
        for idempotence in ["false", "true"] {
            let topic = format!("{codec}-{idempotence}");
            let id = create_topic(&mut connection, &topic, 1, &[]);
            let keys = [
                ("compression.codec", codec),
                ("enable.idempotence", idempotence),
                ("batch.num.messages", "40"),
                ("linger.ms", "5"),
            ];
            let records = kinds();
            produce(&node, &keys, &topic, &records);
            let consumer = consumer(&node, &[], &topic, 1);
            let taken = take(&consumer, records.len());
            for (number, (sent, (_, offset, got))) in records.iter().zip(&taken).enumerate() {
                assert_eq!((number as i64, sent), (*offset, got), "{topic}");
            }
            assert_no_more(&consumer);
            let batches = all_batches(&mut connection, id, 0);
            let of: Vec<_> =
                batches.iter().map(|it| (it.attributes & CODEC, it.records.len())).collect();
            let is_asked = |(codec, bytes): &(i16, usize)| {
                *codec == number || (*codec == 0 && *bytes < INCOMPRESSIBLE_BYTES)
            };
            let codecs: BTreeSet<_> = of.iter().map(|(codec, _)| codec).collect();
            let is_used = codecs.contains(&number);
            assert!(of.len() > 1 && is_used && of.iter().all(is_asked), "{topic}: {of:?}");
        }
    }
}

/// Without acknowledgements, and with that of the leader alone.
#[test]
fn every_way_of_acknowledgement_is_served() {
    let node = Node::start();
    for acks in ["0", "1", "-1"] {
        let topic = format!("acks{acks}");
        create(&node, &topic, 1, &[]);
        let records = kinds();
        produce(&node, &[("acks", acks)], &topic, &records);
        let consumer = consumer(&node, &[], &topic, 1);
        let taken: Vec<_> =
            take(&consumer, records.len()).into_iter().map(|(_, _, got)| got).collect();
        assert_eq!(taken, records);
    }
}

#[test]
fn records_of_1_byte_to_10_mib_come_back() {
    const LARGEST: usize = 10 << 20;
    let node = Node::start_with(&[("message.max.bytes", "20000000")]);
    create(&node, "sizes", 1, &[]);
    let sizes = [1, 2, 127, 128, 1023, 16 << 10, 100_000, 1 << 20, (1 << 20) + 1, 4 << 20, LARGEST];
    let byte = |at: usize| (at % 251) as u8;
    let records: Vec<_> =
        sizes.iter().map(|size| Sent::value((0..*size).map(byte).collect::<Vec<_>>())).collect();
    produce(&node, &[("message.max.bytes", "20000000")], "sizes", &records);
    let consumer = consumer(&node, &[("fetch.message.max.bytes", "1000")], "sizes", 1);
    let taken = take(&consumer, sizes.len());
    for (sent, (_, offset, got)) in records.iter().zip(&taken) {
        assert!(sent == got, "{offset}");
    }
}

#[test]
fn a_hundred_partitions_are_read_at_once() {
    const PARTITIONS: i32 = 100;
    const EACH: usize = 20;
    let node = Node::start();
    create(&node, "hundred", PARTITIONS, &[]);
    let producer: BaseProducer = config(&node, &[("enable.idempotence", "true")]).create().unwrap();
    for number in 0..EACH {
        for partition in 0..PARTITIONS {
            let sent = Sent::value(format!("{partition} {number}"));
            enqueue(&producer, "hundred", partition, &sent);
        }
    }
    producer.flush(LIMIT).unwrap();
    let consumer = consumer(&node, &[], "hundred", PARTITIONS);
    let mut taken = take(&consumer, EACH * PARTITIONS as usize);
    taken.sort_by_key(|(partition, offset, _)| (*partition, *offset));
    for (at, (partition, offset, got)) in taken.iter().enumerate() {
        let expected = ((at / EACH) as i32, (at % EACH) as i64);
        assert_eq!((*partition, *offset), expected);
        assert_eq!(got, &Sent::value(format!("{partition} {offset}")));
    }
    assert_no_more(&consumer);
}

/// One that nobody created, as kcat does it.
#[test]
fn a_topic_is_made_by_the_first_record() {
    let node = Node::start();
    produce(&node, &[], "first", &[Sent::value("one")]);
    let consumer = consumer(&node, &[], "first", 1);
    assert_eq!(take(&consumer, 1), [(0, 0, Sent::value("one"))]);
}

#[test]
fn offsets_are_found_by_time_and_at_both_ends() {
    let node = Node::start();
    create(&node, "times", 1, &[]);
    let producer: BaseProducer = config(&node, &[]).create().unwrap();
    let base = 1_700_000_000_000;
    for step in 0..10_i64 {
        let record = BaseRecord::to("times").key("k").payload("v").timestamp(base + 1000 * step);
        producer.send::<str, str>(record.partition(0)).unwrap();
    }
    producer.flush(LIMIT).unwrap();
    let consumer = consumer(&node, &[], "times", 1);
    assert_eq!(consumer.fetch_watermarks("times", 0, LIMIT).unwrap(), (0, 10));
    let at = |time: i64| {
        let mut times = TopicPartitionList::new();
        times.add_partition_offset("times", 0, Offset::Offset(time)).unwrap();
        consumer.offsets_for_times(times, LIMIT).unwrap().elements()[0].offset()
    };
    assert_eq!(at(base), Offset::Offset(0));
    assert_eq!(at(base + 3500), Offset::Offset(4));
    assert_eq!(at(base + 9001), Offset::End);
}

#[test]
fn the_admin_client_does_its_work() {
    let node = Node::start();
    let admin = admin(&node);
    let options = AdminOptions::new();
    create(&node, "admin", 2, &[("retention.ms", "1234567")]);

    let new = NewTopic::new("admin", 2, TopicReplication::Fixed(1));
    let results = wait(admin.create_topics([&new], &options)).unwrap();
    assert_eq!(results, [Err(("admin".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);

    let more = NewPartitions::new("admin", 5);
    assert!(wait(admin.create_partitions([&more], &options)).unwrap()[0].is_ok());
    let metadata = admin.inner().fetch_metadata(Some("admin"), LIMIT).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 5);

    let topic = ResourceSpecifier::Topic("admin");
    let retention = || {
        let described = wait(admin.describe_configs([&topic], &options)).unwrap();
        let described = described.into_iter().next().unwrap().unwrap();
        described.get("retention.ms").and_then(|entry| entry.value.clone())
    };
    assert_eq!(retention().as_deref(), Some("1234567"));
    let change = AlterConfig::new(topic).set("retention.ms", "7654321");
    assert!(wait(admin.alter_configs([&change], &options)).unwrap()[0].is_ok());
    assert_eq!(retention().as_deref(), Some("7654321"));

    let broker = ResourceSpecifier::Broker(1);
    let described = wait(admin.describe_configs([&broker], &options)).unwrap();
    let described = described[0].as_ref().unwrap();
    let largest = described.get("message.max.bytes").and_then(|entry| entry.value.clone());
    assert_eq!(largest.as_deref(), Some("1048588"));

    produce(&node, &[], "admin", &[Sent::value("a"), Sent::value("b"), Sent::value("c")]);
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("admin", 0, Offset::Offset(2)).unwrap();
    wait(admin.delete_records(&before, &options)).unwrap();
    let consumer = consumer(&node, &[], "admin", 1);
    assert_eq!(consumer.fetch_watermarks("admin", 0, LIMIT).unwrap(), (2, 3));
    assert_eq!(take(&consumer, 1), [(0, 2, Sent::value("c"))]);

    let results = wait(admin.delete_topics(&["admin", "unknown"], &options)).unwrap();
    let unknown = RDKafkaErrorCode::from(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_eq!(results, [Ok("admin".to_owned()), Err(("unknown".to_owned(), unknown))]);
}
