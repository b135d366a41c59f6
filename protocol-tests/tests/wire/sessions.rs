//! Fetch sessions (KIP-227), step by step; and what a log says of itself after records were deleted.

use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, FetchResponse,
};
use protocol_tests::record_batch::RecordBatch;
use protocol_tests::requests::{create_topic, fetch_request, produce, topic_name};
use uuid::Uuid;

use super::script::Script;

const TIMESTAMP: i64 = 1_700_000_000_000;

/// A conversation in one session. What a step wants: topics with partitions and offsets, topics to forget.
struct Session {
    script: Script,
    version: i16,
    id: i32,
    epoch: i32,
}

type Wanted<'a> = (&'a str, Uuid, &'a [(i32, i64)]);

impl Session {
    fn step(&mut self, wanted: &[Wanted<'_>], forgotten: &[Wanted<'_>]) -> FetchResponse {
        let by_name = self.version < 13;
        let topics = wanted.iter().map(|(name, id, partitions)| {
            let partition = |&(index, offset): &(i32, i64)| {
                FetchPartition::default()
                    .with_partition(index)
                    .with_current_leader_epoch(-1)
                    .with_fetch_offset(offset)
                    .with_last_fetched_epoch(-1)
                    .with_log_start_offset(-1)
                    .with_partition_max_bytes(1 << 20)
            };
            let partitions = partitions.iter().map(partition).collect();
            let topic = FetchTopic::default().with_partitions(partitions);
            if by_name { topic.with_topic(topic_name(name)) } else { topic.with_topic_id(*id) }
        });
        let forgotten = forgotten.iter().map(|(name, id, partitions)| {
            let indexes = partitions.iter().map(|(index, _)| *index).collect();
            let topic = ForgottenTopic::default().with_partitions(indexes);
            if by_name { topic.with_topic(topic_name(name)) } else { topic.with_topic_id(*id) }
        });
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(1 << 20)
            .with_session_id(self.id)
            .with_session_epoch(self.epoch)
            .with_topics(topics.collect())
            .with_forgotten_topics_data(forgotten.collect());
        // Kafka's request has the session's number as well.
        if self.id != 0 {
            self.script.hide(&self.id.to_be_bytes());
        }
        let answer = self.script.ask_hiding(self.version, &request, |answer| {
            answer.session_id = i32::from(answer.session_id != 0);
        });
        (self.id, self.epoch) = (answer.session_id, self.epoch + 1);
        answer
    }

    fn produce(&self, topic: &str, partition: i32) {
        let batch = RecordBatch::new(TIMESTAMP).record(None, Some(b"value")).sealed();
        let answer = produce(&mut self.script.node.connect(), topic, partition, batch);
        assert_eq!(answer.error_code, 0);
    }
}

#[test]
fn fetch_sessions() {
    for (name, version) in [("fetch-sessions-by-name", 12), ("fetch-sessions-by-id", 17)] {
        let mut script = Script::begin(name);
        let (a, b) = (script.topic("wire-a", 2, &[]), script.topic("wire-b", 1, &[]));
        let mut session = Session { script, version, id: 0, epoch: 0 };
        session.produce("wire-a", 0);
        // All, then what is new: nothing, one partition, nothing again from the same offset but for its record.
        session.step(&[("wire-a", a, &[(0, 0), (1, 0)]), ("wire-b", b, &[(0, 0)])], &[]);
        session.step(&[], &[]);
        session.step(&[("wire-a", a, &[(0, 1)])], &[]);
        session.step(&[], &[]);
        session.produce("wire-b", 0);
        session.step(&[], &[]);
        session.step(&[], &[]);
        session.step(&[("wire-b", b, &[(0, 1)])], &[]);
        // One is forgotten, and what comes to it is not told.
        session.step(&[], &[("wire-a", a, &[(1, 0)])]);
        session.produce("wire-a", 1);
        session.step(&[], &[]);
        session.step(&[("wire-a", a, &[(1, 0)])], &[]);
        session.step(&[("wire-a", a, &[(1, 1)])], &[]);
        // Faults of a partition are told each time; unknown ones, too.
        session.step(&[("wire-a", a, &[(0, 99)])], &[]);
        session.step(&[], &[]);
        session.step(&[("wire-a", a, &[(7, 0)])], &[]);
        session.step(&[], &[("wire-a", a, &[(0, 0), (7, 0)])]);
        session.step(&[("unknown", Uuid::from_u128(5), &[(0, 0)])], &[]);
        session.step(&[], &[("unknown", Uuid::from_u128(5), &[(0, 0)])]);
        session.step(&[], &[]);
        // The end, and what is after it.
        let last = session.epoch;
        session.epoch = -1;
        session.step(&[("wire-b", b, &[(0, 0)])], &[]);
        session.script.end();
        assert!(last > 10);
    }
}

/// A topic that a session knows is deleted, and made again with the same name. (By id we differ: see README.)
#[test]
fn fetch_session_of_a_deleted_topic() {
    let mut script = Script::begin("fetch-session-deleted-by-name");
    let a = script.topic("wire-a", 1, &[]);
    let keep = script.topic("wire-b", 1, &[]);
    let mut session = Session { script, version: 12, id: 0, epoch: 0 };
    session.produce("wire-a", 0);
    session.step(&[("wire-a", a, &[(0, 1)]), ("wire-b", keep, &[(0, 0)])], &[]);
    session.step(&[], &[]);
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![topic_name("wire-a")])
        .with_timeout_ms(30_000);
    let mut connection = session.script.node.connect();
    assert_eq!(connection.ask(5, &request).responses[0].error_code, 0);
    // Until it has gone for every broker.
    protocol_tests::requests::ask_until(&mut connection, 17, &fetch_request(a, 0, 0), |it| {
        it.responses[0].partitions[0].error_code == 100
    });
    session.step(&[], &[]);
    session.step(&[], &[]);
    let again = create_topic(&mut session.script.node.connect(), "wire-a", 1, &[]);
    session.script.hide(again.as_bytes());
    session.step(&[], &[]);
    session.step(&[("wire-a", again, &[(0, 0)])], &[]);
    session.step(&[], &[]);
    session.script.end();
}

#[test]
fn after_records_were_deleted() {
    let mut script = Script::begin("after-records-were-deleted");
    let id = script.topic("wire", 1, &[]);
    for step in 0..4 {
        let batch = RecordBatch::new(TIMESTAMP + step);
        let batch = batch.record(None, Some(b"one")).record(None, Some(b"two")).sealed();
        assert_eq!(produce(&mut script.connection, "wire", 0, batch).error_code, 0);
    }
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(3);
    let topic = DeleteRecordsTopic::default().with_name(topic_name("wire"));
    let request = DeleteRecordsRequest::default()
        .with_timeout_ms(30_000)
        .with_topics(vec![topic.with_partitions(vec![partition])]);
    script.ask(2, &request);
    // Below the start; the start itself, which is inside a batch; the end.
    for offset in [0, 2, 3, 4, 8, 9] {
        script.ask(17, &fetch_request(id, 0, offset));
    }
    script.end();
}
