//! The requests that most tests make: a topic, a batch, what a partition has.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, FetchRequest, ListOffsetsRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};
use uuid::Uuid;

use crate::connection::Connection;
use crate::record_batch::RecordBatch;

/// Produce by name.
pub const PRODUCE_VERSION: i16 = 12;
/// Fetch by id.
pub const FETCH_VERSION: i16 = 17;

/// A string of the protocol crate.
pub fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// A topic's name in a request.
pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// The time in milliseconds, as a producer stamps its records.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A batch of values, stamped now.
pub fn batch_of(values: &[&[u8]]) -> RecordBatch {
    values.iter().fold(RecordBatch::new(now_ms()), |batch, value| batch.record(None, Some(value)))
}

/// A topic to create.
pub fn new_topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreatableTopic {
    let config = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(*name)).with_value(Some(text(*value)))
    };
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.iter().map(config).collect())
}

/// Asks again until `ready`: Apache's brokers hear of a change a moment after it is answered.
pub fn ask_until<R: Request>(
    connection: &mut Connection,
    version: i16,
    request: &R,
    ready: impl Fn(&R::Response) -> bool,
) -> R::Response {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = connection.ask(version, request);
        if ready(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "API {} is not ready", R::KEY);
    }
}

/// Where the logs of a topic end, as a ListOffsets request.
pub fn ends_of(name: &str, partitions: i32) -> ListOffsetsRequest {
    let partition = |index| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(-1)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(name))
        .with_partitions((0..partitions).map(partition).collect());
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

/// Creates a topic of one replica, whose partitions are led then, and returns its id.
pub fn create_topic(
    connection: &mut Connection,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Uuid {
    let request = CreateTopicsRequest::default()
        .with_topics(vec![new_topic(name, partitions, configs)])
        .with_timeout_ms(30_000);
    let answer = connection.ask(7, &request);
    assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
    ask_until(connection, 7, &ends_of(name, partitions), |answer| {
        answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0)
    });
    answer.topics[0].topic_id
}

/// A Produce request with one batch, or what stands in its place.
pub fn produce_request(topic: &str, partition: i32, records: Option<Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic =
        TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

/// Produces one batch with acks -1.
pub fn produce(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    records: impl Into<Bytes>,
) -> PartitionProduceResponse {
    let request = produce_request(topic, partition, Some(records.into()));
    let mut answer = connection.ask(PRODUCE_VERSION, &request);
    assert_eq!(answer.responses.len(), 1, "{answer:?}");
    answer.responses.remove(0).partition_responses.remove(0)
}

/// A Fetch request for one partition, without a session and without a wait.
pub fn fetch_request(topic: Uuid, partition: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default().with_topic_id(topic).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(i32::MAX)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// What a partition has from an offset on.
pub fn fetch(
    connection: &mut Connection,
    topic: Uuid,
    partition: i32,
    offset: i64,
) -> PartitionData {
    let request = fetch_request(topic, partition, offset);
    let mut answer = connection.ask(FETCH_VERSION, &request);
    assert_eq!((answer.error_code, answer.responses.len()), (0, 1), "{answer:?}");
    answer.responses.remove(0).partitions.remove(0)
}

/// The batches of a partition from its offset 0 on, in one answer.
pub fn all_batches(connection: &mut Connection, topic: Uuid, partition: i32) -> Vec<RecordBatch> {
    let data = fetch(connection, topic, partition, 0);
    assert_eq!(data.error_code, 0);
    RecordBatch::all(&data.records.unwrap_or_default()).unwrap()
}
