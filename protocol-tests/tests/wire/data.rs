//! Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords, InitProducerId.

use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, ProducerId, TransactionalId,
};
use protocol_tests::fields::Writer;
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{produce, text, topic_name};
use uuid::Uuid;

use super::script::Script;

/// When the records are from: so old that it is no time of today.
const TIMESTAMP: i64 = 1_700_000_000_000;

fn batch(values: usize) -> Bytes {
    let batch = RecordBatch::new(TIMESTAMP);
    let batch = (0..values).fold(batch, |batch, _| batch.record(Some(b"k"), Some(b"value")));
    batch.sealed().into()
}

#[test]
fn produce_frames() {
    let mut script = Script::begin("produce");
    let id = script.topic("wire", 2, &[]);
    for version in 3..=13 {
        let mut ask = |name: &str, id: Uuid, index, records: Bytes| {
            let data = PartitionProduceData::default();
            let data = vec![data.with_index(index).with_records(Some(records))];
            let topic = TopicProduceData::default().with_partition_data(data);
            let topic = if version < 13 {
                topic.with_name(topic_name(name))
            } else {
                topic.with_topic_id(id)
            };
            let request = ProduceRequest::default()
                .with_acks(-1)
                .with_timeout_ms(30_000)
                .with_topic_data(vec![topic]);
            script.ask(version, &request);
        };
        ask("wire", id, 0, batch(2));
        ask("wire", id, 9, batch(1));
        ask("unknown", Uuid::from_u128(5), 0, batch(1));
        let mut corrupt = batch(1).to_vec();
        corrupt[40] ^= 1;
        ask("wire", id, 0, corrupt.into());
        let mut control = RecordBatch::new(TIMESTAMP).record(None, Some(b"v"));
        control.attributes = 0x20;
        ask("wire", id, 0, control.sealed().into());
        script.ask(version, &ProduceRequest::default().with_acks(-1).with_timeout_ms(1000));
    }
    script.end();
}

#[test]
fn fetch_frames() {
    let mut script = Script::begin("fetch");
    let id = script.topic("wire", 2, &[]);
    for _ in 0..3 {
        assert_eq!(produce(&mut script.connection, "wire", 0, batch(2)).error_code, 0);
    }
    for version in 4..=18 {
        let mut ask = |name: &str, id: Uuid, partitions: &[(i32, i64)]| {
            let partition = |&(index, offset): &(i32, i64)| {
                FetchPartition::default()
                    .with_partition(index)
                    .with_current_leader_epoch(-1)
                    .with_fetch_offset(offset)
                    .with_last_fetched_epoch(-1)
                    .with_log_start_offset(-1)
                    .with_partition_max_bytes(1 << 20)
            };
            let topic =
                FetchTopic::default().with_partitions(partitions.iter().map(partition).collect());
            let topic = if version < 13 {
                topic.with_topic(topic_name(name))
            } else {
                topic.with_topic_id(id)
            };
            let request = FetchRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_max_bytes(1 << 20)
                .with_isolation_level(i8::from(partitions.len() == 2))
                .with_session_epoch(-1)
                .with_topics(vec![topic]);
            script.ask(version, &request);
        };
        ask("wire", id, &[(0, 0)]);
        ask("wire", id, &[(0, 3), (1, 0)]);
        ask("wire", id, &[(0, 99)]);
        ask("wire", id, &[(7, 0)]);
        ask("unknown", Uuid::from_u128(5), &[(0, 0)]);
    }
    script.end();
}

#[test]
fn list_offsets() {
    let mut script = Script::begin("list-offsets");
    script.topic("wire", 2, &[]);
    for step in 0..3 {
        let batch = RecordBatch::new(TIMESTAMP + step).record(None, Some(b"v")).sealed();
        assert_eq!(produce(&mut script.connection, "wire", 0, batch).error_code, 0);
    }
    let request = |name: &str, times: &[(i32, i64)]| {
        let partition = |&(index, timestamp): &(i32, i64)| {
            ListOffsetsPartition::default()
                .with_partition_index(index)
                .with_current_leader_epoch(-1)
                .with_timestamp(timestamp)
        };
        let partitions = times.iter().map(partition).collect();
        let topic = ListOffsetsTopic::default().with_name(topic_name(name));
        let topics = vec![topic.with_partitions(partitions)];
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
        request.with_topics(topics)
    };
    for version in 1..=10 {
        for timestamp in
            [-1, -2, -3, -4, -5, -6, TIMESTAMP - 1, TIMESTAMP + 1, TIMESTAMP + 9, i64::MAX]
        {
            script.ask(version, &request("wire", &[(0, timestamp)]));
        }
        script.ask(version, &request("wire", &[(0, -2), (1, -1), (9, -1)]));
        script.ask(version, &request("unknown", &[(0, -1)]));
    }
    // Version 11 has the fields of version 10 (KIP-1023).
    for timestamp in [-1, -5, -6, TIMESTAMP] {
        let partition = |writer: Writer, (): &()| writer.i32(0).i32(-1).i64(timestamp).tags();
        let topic =
            |writer: Writer, name: &&[u8]| writer.compact(name).array(&[()], partition).tags();
        let body = Writer::default().i32(-1).i8(0).array(&[b"wire".as_slice()], topic);
        script.ask_bytes(2, 11, true, &body.i32(30_000).tags().0, |_| ());
    }
    script.end();
}

#[test]
fn offset_for_leader_epoch() {
    let mut script = Script::begin("offset-for-leader-epoch");
    script.topic("wire", 1, &[]);
    assert_eq!(produce(&mut script.connection, "wire", 0, batch(3)).error_code, 0);
    for version in 2..=4 {
        for (name, index, current, epoch) in [
            ("wire", 0, -1, 0),
            ("wire", 0, 0, 0),
            ("wire", 0, 5, 0),
            ("wire", 0, -1, 7),
            ("wire", 0, -1, -1),
            ("wire", 3, -1, 0),
            ("unknown", 0, -1, 0),
        ] {
            let partition = OffsetForLeaderPartition::default()
                .with_partition(index)
                .with_current_leader_epoch(current)
                .with_leader_epoch(epoch);
            let topic = OffsetForLeaderTopic::default().with_topic(topic_name(name));
            let request = OffsetForLeaderEpochRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(vec![topic.with_partitions(vec![partition])]);
            script.ask(version, &request);
        }
    }
    script.end();
}

#[test]
fn delete_records() {
    let mut script = Script::begin("delete-records");
    script.topic("wire", 1, &[]);
    script.topic("compacted", 1, &[("cleanup.policy", "compact")]);
    for _ in 0..3 {
        assert_eq!(produce(&mut script.connection, "wire", 0, batch(4)).error_code, 0);
    }
    for version in 0..=2 {
        let first = 2 * i64::from(version);
        for (name, index, offset) in [
            ("wire", 0, first + 1),
            ("wire", 0, first),
            ("wire", 0, 100),
            ("wire", 0, -5),
            ("wire", 4, 1),
            ("unknown", 0, 1),
            ("compacted", 0, 0),
        ] {
            let partition = DeleteRecordsPartition::default();
            let partition = partition.with_partition_index(index).with_offset(offset);
            let topic = DeleteRecordsTopic::default().with_name(topic_name(name));
            let request = DeleteRecordsRequest::default()
                .with_timeout_ms(30_000)
                .with_topics(vec![topic.with_partitions(vec![partition])]);
            script.ask(version, &request);
        }
    }
    // To the high watermark.
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(-1);
    let topic = DeleteRecordsTopic::default().with_name(topic_name("wire"));
    let topics = vec![topic.with_partitions(vec![partition])];
    script.ask(2, &DeleteRecordsRequest::default().with_timeout_ms(30_000).with_topics(topics));
    script.end();
}

#[test]
fn init_producer_id() {
    let mut script = Script::begin("init-producer-id");
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = |connection: &mut protocol_tests::connection::Connection| {
        protocol_tests::requests::ask_until(connection, 4, &request, |it| it.error_code != 14)
    };
    answer(&mut script.node.connect());
    for version in 0..=5 {
        script.ask_hiding(version, &request, |answer| answer.producer_id = ProducerId(0));
    }
    // Not a transactional id, and not one either.
    for version in 0..=5 {
        let request = request.clone().with_transactional_id(Some(TransactionalId(text(""))));
        script.ask_hiding(version, &request, |answer| answer.producer_id = ProducerId(0));
    }
    script.end();
}
