//! The same requests, good and bad, to our broker and to Apache's at the same time: answers are the same.
//!
//! The transcripts of `tests/wire` hold what was asked once; here are the edges of each value. What may differ from
//! run to run is left out: ids, addresses, paths. What differs for a reason is in [`REVIEWED`].

use std::fmt::{Debug, Write as _};
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, FetchRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest, MetadataRequest,
    OffsetForLeaderEpochRequest, ProduceRequest,
};
use kafka_protocol::protocol::Request;
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{
    FETCH_VERSION, PRODUCE_VERSION, create_topic, fetch_request, new_topic, produce,
    produce_request, text, topic_name,
};
use uuid::Uuid;

use super::apache::Apache;

/// When the records are from.
const TIMESTAMP: i64 = 1_700_000_000_000;
/// What takes longer than this is no answer.
const SILENCE: Duration = Duration::from_secs(5);

/// What differs and may: how its title begins, and why.
const REVIEWED: &[(&str, &str)] = &[
    ("CreatePartitions 20000", "Kafka calls it an unknown error; CreateTopics' answer is kinder"),
    ("IncrementalAlterConfigs 4 log.cleaner.threads=0", "Kafka divides by it; we have no cleaner"),
    ("OffsetForLeaderEpoch -2147483648", "no epoch is below -1: we answer as for one unknown"),
    ("Produce null", "Kafka never answers"),
    ("Produce codec 7", "Kafka calls it an unknown error; ours is the protocol's for codecs"),
    ("Fetch bytes -1 100", "Kafka calls it an unknown error; we take a limit below 0 for 0"),
    ("Fetch bytes 100 -1", "as above"),
];

/// One of the brokers.
struct Side {
    node: Node,
    connection: Connection,
    topic: Uuid,
}

impl Side {
    fn new(node: Node) -> Self {
        let mut connection = node.connect();
        let topic = create_topic(&mut connection, "differs", 2, &[]);
        for step in 0..3 {
            let batch = RecordBatch::new(TIMESTAMP + step).record(Some(b"k"), Some(b"v"));
            let batch = batch.record(None, None).sealed();
            assert_eq!(produce(&mut connection, "differs", 0, batch).error_code, 0);
        }
        Self { node, connection, topic }
    }

    /// An answer, without what is this broker's alone; or that the connection was closed, or nothing came.
    fn ask<R: Request<Response: Debug>>(
        &mut self,
        version: i16,
        request: &R,
        hide: impl Fn(&mut R::Response),
    ) -> String {
        self.connection.send(version, request);
        self.connection.stream.set_read_timeout(Some(SILENCE)).unwrap();
        let none = match self.connection.stream.peek(&mut [0]) {
            Ok(1) => {
                let mut answer = self.connection.receive_answer::<R>(version);
                hide(&mut answer);
                return format!("{answer:#?}").replace(&self.topic.to_string(), "TOPIC");
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => "silence",
            _ => "closed",
        };
        self.connection = self.node.connect();
        none.to_owned()
    }
}

/// Both brokers, and what they disagreed about.
struct Pair {
    ours: Side,
    apache: Side,
    asked: usize,
    differences: Vec<(String, String)>,
}

impl Pair {
    fn start() -> Self {
        let apache = Side::new(Node::start_broker(Apache::of("4.3.1").broker()));
        let ours = Side::new(Node::start());
        Self { ours, apache, asked: 0, differences: Vec::new() }
    }

    /// Asks both; `make` is told the id of the topic that both have.
    fn ask<R: Request<Response: Debug>>(
        &mut self,
        title: &str,
        version: i16,
        make: impl Fn(Uuid) -> R,
    ) {
        self.ask_hiding(title, version, make, |_| ());
    }

    /// As [`Self::ask`]; `hide` changes what it wants to be left out.
    fn ask_hiding<R: Request<Response: Debug>>(
        &mut self,
        title: &str,
        version: i16,
        make: impl Fn(Uuid) -> R,
        hide: impl Fn(&mut R::Response),
    ) {
        let ours = self.ours.ask(version, &make(self.ours.topic), &hide);
        let apache = self.apache.ask(version, &make(self.apache.topic), &hide);
        self.asked += 1;
        if ours != apache {
            let mut text = format!("# {title}\n");
            let lines = ours.lines().zip(apache.lines()).filter(|(ours, apache)| ours != apache);
            for (ours, apache) in lines.take(6) {
                writeln!(text, "ours  {}\nKafka {}", ours.trim(), apache.trim()).unwrap();
            }
            self.differences.push((title.to_owned(), text));
        }
    }

    fn end(self) {
        let is_reviewed = |title: &str| REVIEWED.iter().any(|(begin, _)| title.starts_with(begin));
        let new = self.differences.iter().filter(|(title, _)| !is_reviewed(title));
        let new: String = new.map(|(_, text)| text.as_str()).collect();
        assert!(new.is_empty(), "of {} requests\n{new}", self.asked);
        for (begin, _) in REVIEWED {
            let differs = self.differences.iter().any(|(title, _)| title.starts_with(begin));
            assert!(differs, "{begin} does not differ any more: take it off the list");
        }
    }
}

#[test]
fn edges_are_where_apache_has_them() {
    let mut pair = Pair::start();
    names_and_counts(&mut pair);
    topic_configs(&mut pair);
    broker_configs(&mut pair);
    offsets(&mut pair);
    epochs(&mut pair);
    produce_edges(&mut pair);
    fetch_edges(&mut pair);
    deletions(&mut pair);
    assert!(pair.asked > 200, "{}", pair.asked);
    pair.end();
}

/// Asks whether a topic could be made.
fn create(pair: &mut Pair, title: &str, version: i16, topic: &CreatableTopic) {
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic.clone()])
        .with_timeout_ms(30_000)
        .with_validate_only(true);
    pair.ask_hiding(
        title,
        version,
        |_| request.clone(),
        |answer| {
            for topic in &mut answer.topics {
                topic.topic_id = Uuid::nil();
                // Keys that Kafka does not have, and one that it sets with eligible.leader.replicas.version.
                topic.configs.iter_mut().for_each(|configs| {
                    configs.retain(|it| {
                        !it.name.starts_with("ottla.") && &*it.name != "min.insync.replicas"
                    });
                });
            }
        },
    );
}

fn names_and_counts(pair: &mut Pair) {
    let (longest, too_long) = ("n".repeat(249), "n".repeat(250));
    for name in ["", ".", "..", "a/b", "ä", "a b", "__x", "a\u{0}", &longest, &too_long] {
        create(pair, &format!("CreateTopics {name:?}"), 7, &new_topic(name, 1, &[]));
        let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        pair.ask_hiding(
            &format!("Metadata {name:?}"),
            11,
            |_| request.clone(),
            |answer| {
                answer.cluster_id = None;
                answer.brokers.iter_mut().for_each(|broker| broker.port = 0);
            },
        );
    }
    for (count, factor) in [(-1, 1), (-2, 1), (0, 1), (1, 0), (1, -2), (1, 2), (10_001, 1)] {
        let topic = new_topic("counts", count, &[]).with_replication_factor(factor);
        create(pair, &format!("CreateTopics {count} x {factor}"), 6, &topic);
    }
    let assignments: [&[(i32, &[i32])]; 7] = [
        &[(0, &[1])],
        &[(1, &[1])],
        &[(0, &[])],
        &[(0, &[9])],
        &[(0, &[1, 1])],
        &[(0, &[1]), (0, &[1])],
        &[(0, &[1]), (2, &[1])],
    ];
    for assignment in assignments {
        for (count, factor) in [(-1, -1), (1, -1), (-1, 1)] {
            let assigned = |(index, brokers): &(i32, &[i32])| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(*index)
                    .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
            };
            let topic = new_topic("assigned", count, &[])
                .with_replication_factor(factor)
                .with_assignments(assignment.iter().map(assigned).collect());
            create(pair, &format!("CreateTopics {assignment:?} {count} {factor}"), 5, &topic);
        }
    }
    for count in [i32::MIN, -1, 0, 1, 2, 3, 20_000] {
        pair.ask(&format!("CreatePartitions {count}"), 3, |_| {
            let topic = CreatePartitionsTopic::default().with_name(topic_name("differs"));
            let topics = vec![topic.with_count(count).with_assignments(None)];
            let request = CreatePartitionsRequest::default().with_topics(topics);
            request.with_timeout_ms(30_000).with_validate_only(true)
        });
    }
}

/// Every value at the edge of what its key allows, as an alteration that is only checked.
fn configs(pair: &mut Pair, kind: i8, name: &str, keys: &[&str], values: &[&str]) {
    for key in keys {
        for value in values {
            pair.ask(&format!("IncrementalAlterConfigs {kind} {key}={value}"), 1, |_| {
                let config =
                    AlterableConfig::default().with_name(text(*key)).with_value(Some(text(*value)));
                let resource = AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(text(name))
                    .with_configs(vec![config]);
                IncrementalAlterConfigsRequest::default()
                    .with_resources(vec![resource])
                    .with_validate_only(true)
            });
        }
    }
}

fn topic_configs(pair: &mut Pair) {
    let numbers =
        ["", "-2", "-1", "0", "1", "13", "2147483648", "9223372036854775808", " 7 ", "1.5"];
    let keys = [
        "retention.ms",
        "retention.bytes",
        "segment.bytes",
        "segment.ms",
        "segment.jitter.ms",
        "segment.index.bytes",
        "index.interval.bytes",
        "max.message.bytes",
        "flush.messages",
        "flush.ms",
        "file.delete.delay.ms",
        "min.insync.replicas",
        "message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms",
        "min.cleanable.dirty.ratio",
        "delete.retention.ms",
        "local.retention.ms",
        "compression.gzip.level",
        "compression.zstd.level",
    ];
    configs(pair, 2, "differs", &keys, &numbers);
    let words = ["", "true", "TRUE", "yes", "delete", "compact", "compact,delete", "zstd", "none"];
    let keys = [
        "cleanup.policy",
        "compression.type",
        "message.timestamp.type",
        "preallocate",
        "unclean.leader.election.enable",
        "remote.storage.enable",
        "follower.replication.throttled.replicas",
        "message.format.version",
    ];
    configs(pair, 2, "differs", &keys, &words);
}

fn broker_configs(pair: &mut Pair) {
    let numbers = ["", "-1", "0", "1", "1000000", "x"];
    let keys = [
        "log.retention.ms",
        "log.segment.bytes",
        "message.max.bytes",
        "num.io.threads",
        "num.network.threads",
        "max.connections",
        "max.connection.creation.rate",
        "log.cleaner.threads",
        "node.id",
        "log.dirs",
    ];
    configs(pair, 4, "1", &keys, &numbers);
    configs(pair, 4, "", &keys, &numbers);
}

fn offsets(pair: &mut Pair) {
    let times = [-1, -2, -3, -4, -5, -6, -7, i64::MIN, 0, TIMESTAMP + 1, TIMESTAMP + 9, i64::MAX];
    for (timestamp, isolation) in times.into_iter().flat_map(|time| [(time, 0), (time, 1)]) {
        for (partition, epoch) in [(0, -1), (0, 0), (0, 7), (1, -1), (5, -1)] {
            for version in [1, 4, 10] {
                let title = format!("ListOffsets {version} {timestamp} {partition} {epoch}");
                pair.ask(&title, version, |_| {
                    let epoch = if version < 4 { -1 } else { epoch };
                    let partition = ListOffsetsPartition::default()
                        .with_partition_index(partition)
                        .with_current_leader_epoch(epoch)
                        .with_timestamp(timestamp);
                    let topic = ListOffsetsTopic::default()
                        .with_name(topic_name("differs"))
                        .with_partitions(vec![partition]);
                    ListOffsetsRequest::default()
                        .with_replica_id(BrokerId(-1))
                        .with_isolation_level(if version < 2 { 0 } else { isolation })
                        .with_topics(vec![topic])
                });
            }
        }
    }
}

fn epochs(pair: &mut Pair) {
    for epoch in [i32::MIN, -1, 0, 1, i32::MAX] {
        for current in [-1, 0, 1] {
            pair.ask(&format!("OffsetForLeaderEpoch {epoch} {current}"), 4, |_| {
                let partition = OffsetForLeaderPartition::default()
                    .with_partition(0)
                    .with_current_leader_epoch(current)
                    .with_leader_epoch(epoch);
                let topic = OffsetForLeaderTopic::default()
                    .with_topic(topic_name("differs"))
                    .with_partitions(vec![partition]);
                OffsetForLeaderEpochRequest::default()
                    .with_replica_id(BrokerId(-1))
                    .with_topics(vec![topic])
            });
        }
    }
}

/// A batch with something wrong, or nothing.
fn batch(change: impl FnOnce(&mut RecordBatch)) -> Bytes {
    let mut batch = RecordBatch::new(TIMESTAMP).record(Some(b"k"), Some(b"v"));
    change(&mut batch);
    batch.sealed().into()
}

fn produce_edges(pair: &mut Pair) {
    let both = [batch(|_| ()), batch(|_| ())].concat();
    let records: [(&str, Bytes); 14] = [
        ("good", batch(|_| ())),
        ("empty", Bytes::new()),
        ("two batches", both.into()),
        ("short", batch(|_| ()).slice(..30)),
        ("length 13", Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13])),
        ("magic 1", batch(|batch| batch.magic = 1)),
        ("magic 3", batch(|batch| batch.magic = 3)),
        ("codec 7", batch(|batch| batch.attributes = 7)),
        ("transactional", batch(|batch| batch.attributes = 0x10)),
        ("log append time", batch(|batch| batch.attributes = 8)),
        ("offset 5", batch(|batch| batch.base_offset = 5)),
        ("count 2", batch(|batch| batch.count = 2)),
        ("a sequence too high", batch(|batch| *batch = batch.clone().from_producer(900, 0, 5))),
        (
            "in the future",
            batch(|batch| {
                (batch.base_timestamp, batch.max_timestamp) = (TIMESTAMP * 2, TIMESTAMP * 2);
            }),
        ),
    ];
    for (title, records) in records {
        let make = |_| produce_request("differs", 1, Some(records.clone()));
        pair.ask_hiding(&format!("Produce {title}"), PRODUCE_VERSION, make, |answer| {
            let topics = answer.responses.iter_mut();
            for partition in topics.flat_map(|topic| &mut topic.partition_responses) {
                // The bounds are of the moment.
                let records = partition.record_errors.iter_mut();
                let of_records = records.map(|record| &mut record.batch_index_error_message);
                let messages = of_records.chain([&mut partition.error_message]);
                for message in messages.flatten() {
                    if let Some((before, _)) = message.split_once("should be within [") {
                        *message = text(before);
                    }
                }
            }
        });
    }
    for acks in [-2, 2, 1] {
        pair.ask(&format!("Produce acks {acks}"), PRODUCE_VERSION, |_| {
            produce_request("differs", 1, Some(batch(|_| ()))).with_acks(acks)
        });
    }
    pair.ask("Produce null", PRODUCE_VERSION, |_| produce_request("differs", 1, None));
    pair.ask("Produce nothing", PRODUCE_VERSION, |_| ProduceRequest::default().with_acks(1));
    let twice = |_| {
        let mut request = produce_request("differs", 1, Some(batch(|_| ())));
        let again = request.topic_data[0].clone();
        let partition = again.partition_data[0].clone();
        request.topic_data[0].partition_data.push(partition);
        request.topic_data.push(again);
        request
    };
    pair.ask_hiding("Produce one partition three times", PRODUCE_VERSION, twice, |answer| {
        // We append all three, Kafka the last of them alone.
        answer.responses[0].partition_responses[0].base_offset = 0;
    });
}

fn fetch_edges(pair: &mut Pair) {
    for offset in [-1, 0, 3, 6, 7, i64::MAX] {
        for (current, last) in [(-1, -1), (0, -1), (1, -1), (0, 0), (0, 5)] {
            pair.ask(&format!("Fetch {offset} {current} {last}"), FETCH_VERSION, |topic| {
                let mut request = fetch_request(topic, 0, offset);
                let partition = &mut request.topics[0].partitions[0];
                partition.current_leader_epoch = current;
                partition.last_fetched_epoch = last;
                request
            });
        }
    }
    for (max_bytes, of_partition) in [(0, 1), (1, 0), (1, 1), (100, 100), (-1, 100), (100, -1)] {
        pair.ask(&format!("Fetch bytes {max_bytes} {of_partition}"), FETCH_VERSION, |topic| {
            let mut request = fetch_request(topic, 0, 0).with_max_bytes(max_bytes);
            request.topics[0].partitions[0].partition_max_bytes = of_partition;
            request
        });
    }
    for (id, epoch) in [(7, 1), (7, 0), (7, -1), (0, 1), (0, -1)] {
        let session = |request: FetchRequest| request.with_session_id(id).with_session_epoch(epoch);
        let make = |topic| session(fetch_request(topic, 0, 0));
        pair.ask_hiding(&format!("Fetch session {id} {epoch}"), FETCH_VERSION, make, |answer| {
            answer.session_id = answer.session_id.min(1);
        });
    }
}

fn deletions(pair: &mut Pair) {
    for (partition, offset) in [(0, 99), (0, -2), (0, 0), (0, 2), (0, 1), (9, 0), (0, -1)] {
        pair.ask(&format!("DeleteRecords {partition} {offset}"), 2, |_| {
            let partition = DeleteRecordsPartition::default()
                .with_partition_index(partition)
                .with_offset(offset);
            let topic = DeleteRecordsTopic::default()
                .with_name(topic_name("differs"))
                .with_partitions(vec![partition]);
            DeleteRecordsRequest::default().with_timeout_ms(30_000).with_topics(vec![topic])
        });
    }
    pair.ask("DeleteRecords one partition four times", 2, |_| {
        let partition = |offset: i64| {
            DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset)
        };
        let topic = |offsets: [i64; 2]| {
            DeleteRecordsTopic::default()
                .with_name(topic_name("differs"))
                .with_partitions(offsets.map(partition).to_vec())
        };
        DeleteRecordsRequest::default()
            .with_timeout_ms(30_000)
            .with_topics(vec![topic([99, 2]), topic([99, 3])])
    });
}
