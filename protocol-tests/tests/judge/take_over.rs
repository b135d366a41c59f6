//! A node is killed while groups and transactions live, and another broker goes on with its directory: offsets are
//! what they were, members are known, and transactions end as their producers or time will have it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest,
    GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, ProducerId, SyncGroupRequest, TxnOffsetCommitRequest,
};
use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::program::{broker, is_foreign_broker};
use protocol_tests::requests::{
    FETCH_VERSION, ask_until, batch_of, create_topic, ends_of, fetch_request, produce_request,
    text, topic_name,
};
use uuid::Uuid;

use super::apache::Apache;

const TOPIC: &str = "t";
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const UNSTABLE_OFFSET_COMMIT: i16 = 88;
const MEMBER_ID_REQUIRED: i16 = 79;
const READ_COMMITTED: i8 = 1;
/// Longer than a start takes.
const LONG_MS: i32 = 60_000;
const LIMIT: Duration = Duration::from_mins(1);

/// Whether an answer is not one yet.
fn is_not_yet(code: i16) -> bool {
    let away = [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR];
    // A leader that cannot ask the coordinator yet says that it has too few replicas.
    away.contains(&code) || [CONCURRENT_TRANSACTIONS, 3, 6, 19].contains(&code)
}

fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Waits until the coordinators of a group (0) or of transactional ids (1) are there.
fn find(connection: &mut Connection, key_type: i8, keys: &[&str]) {
    let request = FindCoordinatorRequest::default()
        .with_key_type(key_type)
        .with_coordinator_keys(keys.iter().map(|key| text(*key)).collect());
    ask_until(connection, 4, &request, |it| it.coordinators.iter().all(|it| it.error_code == 0));
}

/// The one member of a group.
struct Member {
    group: &'static str,
    id: String,
    generation: i32,
}

impl Member {
    fn join(connection: &mut Connection, group: &'static str) -> Self {
        find(connection, 0, &[group]);
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"));
        let request = JoinGroupRequest::default()
            .with_group_id(group_id(group))
            .with_session_timeout_ms(60_000)
            .with_rebalance_timeout_ms(60_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let first = ask_until(connection, 9, &request, |it| !is_not_yet(it.error_code));
        assert_eq!(first.error_code, MEMBER_ID_REQUIRED);
        let joined = connection.ask(9, &request.with_member_id(first.member_id));
        assert_eq!(joined.error_code, 0, "{joined:?}");
        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(joined.member_id.clone())
            .with_assignment(Bytes::from_static(
                b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\0",
            ));
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(group))
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(vec![assignment]);
        assert_eq!(connection.ask(5, &request).error_code, 0);
        Self { group, id: joined.member_id.to_string(), generation: joined.generation_id }
    }

    fn commit(&self, connection: &mut Connection, offset: i64) {
        commit(connection, self.group, &self.id, self.generation, offset);
    }

    /// It is known, with its generation, and what it was given.
    fn goes_on(&self, connection: &mut Connection) {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(self.id.as_str()));
        let answer = ask_until(connection, 4, &request, |it| !is_not_yet(it.error_code));
        assert_eq!(answer.error_code, 0, "{} is not known", self.id);
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(self.id.as_str()))
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")));
        let answer = connection.ask(5, &request);
        assert_eq!((answer.error_code, answer.assignment.len()), (0, 21), "{answer:?}");
    }

    fn leave(&self, connection: &mut Connection) {
        let member = MemberIdentity::default().with_member_id(text(self.id.as_str()));
        let request = LeaveGroupRequest::default()
            .with_group_id(group_id(self.group))
            .with_members(vec![member]);
        let answer = connection.ask(4, &request);
        assert_eq!((answer.error_code, answer.members[0].error_code), (0, 0));
    }
}

/// Commits an offset of partition 0, with something beside it.
fn commit(connection: &mut Connection, group: &str, member: &str, generation: i32, offset: i64) {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_leader_epoch(0)
        .with_committed_metadata(Some(text(format!("up to {offset}"))));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic]);
    let code = |answer: &kafka_protocol::messages::OffsetCommitResponse| {
        answer.topics[0].partitions[0].error_code
    };
    let answer = ask_until(connection, 8, &request, |answer| !is_not_yet(code(answer)));
    assert_eq!(code(&answer), 0, "{answer:?}");
}

/// What a group has committed: offset, leader epoch, what is beside it, and the error of the partition.
fn committed(connection: &mut Connection, group: &str) -> (i64, i32, String, i16) {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(topic_name(TOPIC))
        .with_partition_indexes(vec![0]);
    let of = OffsetFetchRequestGroup::default()
        .with_group_id(group_id(group))
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![of]).with_require_stable(true);
    let answer = ask_until(connection, 8, &request, |it| !is_not_yet(it.groups[0].error_code));
    let group = &answer.groups[0];
    assert_eq!((group.error_code, group.topics.len()), (0, 1), "{answer:?}");
    let it = &group.topics[0].partitions[0];
    let metadata = it.metadata.as_ref().map_or(String::new(), ToString::to_string);
    (it.committed_offset, it.committed_leader_epoch, metadata, it.error_code)
}

/// A transactional producer, as clients were before KIP-890 or as they are since.
#[derive(Clone)]
struct Producer {
    name: &'static str,
    is_new: bool,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Producer {
    fn begin(
        connection: &mut Connection,
        name: &'static str,
        is_new: bool,
        timeout_ms: i32,
    ) -> Self {
        find(connection, 1, &[name]);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(text(name).into()))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = ask_until(connection, 4, &request, |it| !is_not_yet(it.error_code));
        assert_eq!(answer.error_code, 0, "{name}: {answer:?}");
        Self { name, is_new, id: answer.producer_id.0, epoch: answer.producer_epoch, sequence: 0 }
    }

    fn write(&mut self, connection: &mut Connection, value: &str) {
        if !self.is_new {
            let topic = AddPartitionsToTxnTopic::default()
                .with_name(topic_name(TOPIC))
                .with_partitions(vec![0]);
            let request = AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(text(self.name).into())
                .with_v3_and_below_producer_id(ProducerId(self.id))
                .with_v3_and_below_producer_epoch(self.epoch)
                .with_v3_and_below_topics(vec![topic]);
            ask_until(connection, 3, &request, |answer| {
                let topic = &answer.results_by_topic_v3_and_below[0];
                topic.results_by_partition[0].partition_error_code == 0
            });
        }
        let mut batch = batch_of(&[value.as_bytes()]);
        batch.attributes |= 0x10;
        let batch = batch.from_producer(self.id, self.epoch, self.sequence);
        self.sequence += 1;
        let request = produce_request(TOPIC, 0, Some(batch.sealed().into()))
            .with_transactional_id(Some(text(self.name).into()));
        let version = if self.is_new { 12 } else { 11 };
        let code = |answer: &kafka_protocol::messages::ProduceResponse| {
            answer.responses[0].partition_responses[0].error_code
        };
        let answer = ask_until(connection, version, &request, |it| !is_not_yet(code(it)));
        assert_eq!(code(&answer), 0, "{} {value}: {answer:?}", self.name);
    }

    /// Commits an offset of a group within the transaction.
    fn commit_offset(&self, connection: &mut Connection, group: &str, offset: i64) {
        find(connection, 0, &[group]);
        if !self.is_new {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(text(self.name).into())
                .with_producer_id(ProducerId(self.id))
                .with_producer_epoch(self.epoch)
                .with_group_id(group_id(group));
            ask_until(connection, 3, &request, |it| it.error_code == 0);
        }
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(text(self.name).into())
            .with_group_id(group_id(group))
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let version = if self.is_new { 5 } else { 3 };
        ask_until(connection, version, &request, |it| it.topics[0].partitions[0].error_code == 0);
    }

    fn end(&mut self, connection: &mut Connection, is_committed: bool) {
        let request = EndTxnRequest::default()
            .with_transactional_id(text(self.name).into())
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_committed(is_committed);
        let version = if self.is_new { 5 } else { 3 };
        let answer = ask_until(connection, version, &request, |it| !is_not_yet(it.error_code));
        assert_eq!(answer.error_code, 0, "{}: {answer:?}", self.name);
        if self.is_new {
            (self.id, self.epoch) = (answer.producer_id.0, answer.producer_epoch);
            self.sequence = 0;
        }
    }
}

/// What lives when a node is killed.
struct Alive {
    member: Member,
    producers: [Producer; 3],
}

/// Groups and transactions, as they are before a kill. The third transaction has so long to live.
fn live(connection: &mut Connection, round: i64, timeout_ms: i32) -> Alive {
    let member = Member::join(connection, "members");
    member.commit(connection, 10 + round);
    find(connection, 0, &["simple"]);
    commit(connection, "simple", "", -1, 20 + round);
    let begin = |connection: &mut Connection, name, is_new, timeout_ms| {
        let mut producer = Producer::begin(connection, name, is_new, timeout_ms);
        producer.write(connection, &format!("{name} {round}"));
        producer
    };
    let old = begin(connection, "old", false, LONG_MS);
    let new = begin(connection, "new", true, LONG_MS);
    old.commit_offset(connection, "of old", 30 + round);
    new.commit_offset(connection, "of new", 40 + round);
    let left = begin(connection, "left", round % 2 == 0, timeout_ms);
    Alive { member, producers: [old, new, left] }
}

/// The values of committed records, as a client sees them.
fn read_committed(connection: &mut Connection, id: Uuid) -> Vec<String> {
    let request = fetch_request(id, 0, 0).with_isolation_level(READ_COMMITTED);
    let answer = connection.ask(FETCH_VERSION, &request);
    let data = &answer.responses[0].partitions[0];
    let batches = protocol_tests::record_batch::RecordBatch::all(data.records.as_ref().unwrap());
    let mut aborted = data.aborted_transactions.clone().unwrap_or_default();
    aborted.sort_by_key(|it| it.first_offset);
    let (mut open, mut values) = (Vec::new(), Vec::new());
    for batch in batches.unwrap() {
        let (last, producer) =
            (batch.base_offset + i64::from(batch.last_offset_delta), batch.producer_id);
        while aborted.first().is_some_and(|it| it.first_offset <= last) {
            open.push(aborted.remove(0).producer_id.0);
        }
        if batch.attributes & 0x20 != 0 {
            open.retain(|it| *it != producer);
        } else if !open.contains(&producer) {
            values.extend(batch.values().into_iter().map(|it| String::from_utf8(it).unwrap()));
        }
    }
    values
}

/// Waits until no transaction is open.
fn wait_until_all_is_stable(connection: &mut Connection) {
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

/// What lived lives on, and all transactions end.
fn go_on(connection: &mut Connection, mut alive: Alive, round: i64, timeout_ms: i32) {
    for (group, offset) in [("members", 10 + round), ("simple", 20 + round)] {
        let expected = (offset, 0, format!("up to {offset}"), 0);
        assert_eq!(committed(connection, group), expected, "{group}");
    }
    // A transaction may still give it another.
    assert_eq!(committed(connection, "of old").3, UNSTABLE_OFFSET_COMMIT);
    alive.member.goes_on(connection);
    alive.member.commit(connection, 15 + round);
    assert_eq!(committed(connection, "members").0, 15 + round);
    alive.member.leave(connection);

    let [old, new, left] = &mut alive.producers;
    for producer in [old, new] {
        producer.write(connection, &format!("{} {round} later", producer.name));
        producer.end(connection, true);
    }
    let is_over = |connection: &mut Connection, group: &str, offset: i64| {
        while committed(connection, group).3 == UNSTABLE_OFFSET_COMMIT {}
        assert_eq!(committed(connection, group).0, offset, "{group}");
    };
    is_over(connection, "of old", 30 + round);
    is_over(connection, "of new", 40 + round);
    // Nobody ends the third one but time, if it has little, or the next of its name.
    if timeout_ms < LONG_MS {
        wait_until_all_is_stable(connection);
    }
    let mut next = Producer::begin(connection, left.name, true, LONG_MS);
    wait_until_all_is_stable(connection);
    assert_eq!(next.id, left.id);
    next.write(connection, &format!("next {round}"));
    next.end(connection, true);
    // An end is answered when it is decided: the markers may come after it, and the records are read with them.
    wait_until_all_is_stable(connection);
}

fn expected(rounds: i64) -> Vec<String> {
    let of = |round: i64| {
        let names = ["old", "new", "old # later", "new # later", "next"];
        names.map(|name| match name.split_once(" #") {
            Some((name, later)) => format!("{name} {round}{later}"),
            None => format!("{name} {round}"),
        })
    };
    (0..rounds).flat_map(of).collect()
}

/// One broker, the other, and the first again.
fn relay(first: PathBuf, second: PathBuf) {
    let keys = [
        ("offsets.topic.num.partitions", "3"),
        ("transaction.state.log.num.partitions", "3"),
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "100"),
    ];
    let mut node = Node::start_broker_with(first.clone(), &keys);
    let id = create_topic(&mut node.connect(), TOPIC, 1, &[]);
    for (round, next) in (0..).zip([second, first]) {
        // Kafka 4.3.1 forgets the markers of a transaction whose time runs out before it knows who leads its
        // partitions, as it is when it was away: its state is CompleteAbort, and the partitions have it open for ever.
        let timeout_ms = if is_foreign_broker(&next) { LONG_MS } else { 1000 };
        let alive = live(&mut node.connect(), round, timeout_ms);
        node.kill();
        node.restart_as(next);
        let mut connection = node.connect();
        go_on(&mut connection, alive, round, timeout_ms);
        assert_eq!(read_committed(&mut connection, id), expected(round + 1));
    }
}

#[test]
fn of_apaches_node_by_ours_and_back() {
    relay(Apache::of("4.3.1").broker(), broker());
}

#[test]
fn of_our_node_by_apaches_and_back() {
    relay(broker(), Apache::of("4.3.1").broker());
}
