//! The worker with a decider of texts and a store in memory that writes down what is done to it.

use std::sync::{Arc, Mutex};

use super::worker::*;
use super::*;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::controller::{ControllerStart, Reply, Request};
use crate::kernel::metadata::image::Provenance;
use crate::kernel::raft::machine::{Raft, RaftStart, VotersOrigin};
use crate::kernel::raft::snapshot_id::SnapshotId;
use crate::kernel::raft::view::QuorumView;
use crate::kernel::raft::voters::{Endpoint, VoterSet};
use crate::shell::drivers::controller::decider::{Decider, Publication};
use crate::shell::drivers::controller::handle::{Call, Message};
use crate::shell::drivers::metadata_log::loader::{Loader, Replay};
use crate::shell::drivers::metadata_log::replayer::Replayer;
use crate::types::epoch::{BrokerEpoch, LeaderEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{DirectoryId, NodeId};
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};
use crate::wire::batch::Batches as Walk;
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;
use tokio::sync::oneshot;

/// What happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("; ")
    }
}

/// Answers a text with the offset its records begin at; `no` writes nothing.
struct Texts {
    diary: Diary,
    activation: Vec<&'static str>,
    farewell: Vec<&'static str>,
    kept: Vec<Bytes>,
}

fn written(text: &str) -> Written {
    let values = text.split_whitespace().map(|word| Bytes::from(word.to_owned())).collect();
    Written { values, atomic: true }
}

impl Decide for Texts {
    type Request = String;
    type Reply = i64;

    fn decide(&mut self, _now: Now, next: Offset, request: String) -> Decision<i64> {
        if request == "no" {
            return Decision { written: Written::default(), reply: Err(ErrorCode::InvalidRequest) };
        }
        Decision { written: written(&request), reply: Ok(next.0) }
    }

    fn activate(&mut self, _now: Now, _next: Offset) -> Option<Written> {
        (!self.activation.is_empty()).then(|| written(self.activation.remove(0)))
    }

    fn idle(&mut self, _now: Now, _next: Offset) -> Written {
        written("noop")
    }

    fn leave(&mut self, _now: Now, _next: Offset) -> Option<Written> {
        (!self.farewell.is_empty()).then(|| written(self.farewell.remove(0)))
    }

    fn publish(&mut self, _now: Now, quorum: QuorumView) {
        assert_eq!((quorum.leader_id, quorum.voters.len()), (NodeId(1), 1));
        assert_eq!(quorum.voters[0].log_end_offset, quorum.high_watermark);
        assert_eq!(quorum.voters[0].endpoints[0].0, "CONTROLLER");
        let last = quorum.high_watermark.0 - 1;
        self.diary.note(format!("publish {last} of {}", quorum.leader_epoch.0));
    }

    fn snapshot(&self) -> Vec<Bytes> {
        vec![Bytes::from_static(b"all")]
    }
}

impl Replay for Texts {
    fn replay(&mut self, value: &Bytes) -> Result<(), String> {
        self.kept.push(value.clone());
        Ok(())
    }

    fn keep(&mut self) {}

    fn forget(&mut self) {}
}

#[derive(Clone)]
struct Memory {
    diary: Diary,
    log: Vec<Bytes>,
    end: Offset,
    snapshot_due: bool,
    fail_flush: bool,
}

impl MetadataStore for Memory {
    fn end_offset(&self) -> Offset {
        self.end
    }

    fn persist_quorum_state(&mut self, text: &str) -> io::Result<()> {
        self.diary.note(format!("state {}", &text[..30]));
        Ok(())
    }

    fn append(&mut self, batch: Bytes, _now: Now) -> io::Result<()> {
        for batch in Walk::new(batch.clone()) {
            let header = batch.unwrap().header;
            assert_eq!(header.base_offset, self.end, "offsets begin at the end of the log");
            self.end = header.last_offset().next();
            self.diary.note(format!("append {}", header.record_count));
        }
        self.log.push(batch);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.diary.note("flush");
        if self.fail_flush { Err(io::Error::other("no space")) } else { Ok(()) }
    }

    fn is_snapshot_due(&self, _now: Now) -> bool {
        self.snapshot_due
    }

    fn write_snapshot(
        &mut self,
        id: SnapshotId,
        last_contained: Timestamp,
        bytes: &[u8],
        _now: Now,
    ) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        let read = crate::kernel::raft::checkpoint::Checkpoint::decode(&bytes).unwrap();
        assert_eq!(read.last_contained_log_timestamp, last_contained);
        self.snapshot_due = false;
        self.diary.note(format!("snapshot {} of {}", id.file_name(), read.values.len()));
        Ok(())
    }

    fn clean(&mut self, _now: Now) -> io::Result<()> {
        self.diary.note("clean");
        Ok(())
    }

    fn close(&mut self, _now: Now) -> io::Result<()> {
        self.diary.note("close");
        Ok(())
    }
}

fn at(ms: u64) -> Now {
    Now { mono: Mono(Duration::from_millis(ms)), wall: Timestamp(1000 + ms as i64) }
}

fn raft(end: i64) -> Raft {
    let endpoint = Endpoint { host: "localhost".to_owned(), port: 9093 };
    let voters = VoterSet::of_static([(NodeId(1), endpoint)], "CONTROLLER");
    Raft::new(RaftStart {
        local: voters.0[&NodeId(1)].clone(),
        voters,
        voters_origin: VotersOrigin::Config,
        kraft_version: 0,
        quorum_state: None,
        last_epoch: LeaderEpoch(0),
        log_end: Offset(end),
    })
    .unwrap()
}

fn worker(activation: &[&'static str], diary: &Diary) -> Worker<Texts, Memory> {
    let texts = Texts {
        diary: diary.clone(),
        activation: activation.to_vec(),
        farewell: vec!["bye"],
        kept: Vec::new(),
    };
    let memory = Memory {
        diary: diary.clone(),
        log: Vec::new(),
        end: Offset(0),
        snapshot_due: false,
        fail_flush: false,
    };
    Worker::new(texts, memory, raft(0), Some(Duration::from_millis(500)))
}

fn started(diary: &Diary) -> Worker<Texts, Memory> {
    let mut worker = worker(&[], diary);
    worker.start(at(0)).unwrap();
    diary.take();
    worker
}

type Answer = oneshot::Receiver<Result<i64, ErrorCode>>;

fn calls(texts: &[&str]) -> (Vec<Call<String, i64>>, Vec<Answer>) {
    texts
        .iter()
        .map(|text| {
            let (reply, answer) = oneshot::channel();
            (Call { request: (*text).to_owned(), reply }, answer)
        })
        .unzip()
}

#[test]
fn a_start_flushes_once_and_publishes_what_it_wrote() {
    let diary = Diary::default();
    let mut worker = worker(&["a b", "c"], &diary);
    worker.start(at(0)).unwrap();
    assert_eq!(
        diary.take(),
        "state {\"clusterId\":\"\",\"leaderId\":1,\"; append 1; append 3; flush; publish 3 of 1"
    );
}

#[test]
fn a_start_that_writes_nothing_else_still_flushes_its_election() {
    let diary = Diary::default();
    let mut worker = worker(&[], &diary);
    worker.start(at(0)).unwrap();
    assert!(diary.take().ends_with("append 1; flush; publish 0 of 1"));
}

#[test]
fn all_that_wait_are_written_at_once_and_answered_after() {
    let diary = Diary::default();
    let mut worker = started(&diary);
    let (calls, mut answers) = calls(&["a b", "no", "c"]);
    worker.serve(calls, at(1)).unwrap();
    assert_eq!(diary.take(), "append 3; flush; publish 3 of 1");
    // Each decision knew where its records would be.
    let answers: Vec<_> = answers.iter_mut().map(|answer| answer.try_recv().unwrap()).collect();
    assert_eq!(answers, [Ok(1), Err(ErrorCode::InvalidRequest), Ok(3)]);
}

#[test]
fn a_refusal_writes_and_publishes_nothing() {
    let diary = Diary::default();
    let mut worker = started(&diary);
    let (calls, mut answers) = calls(&["no"]);
    worker.serve(calls, at(1)).unwrap();
    assert_eq!(diary.take(), "");
    assert_eq!(answers[0].try_recv().unwrap(), Err(ErrorCode::InvalidRequest));
}

#[test]
fn nobody_is_answered_and_nothing_published_when_the_flush_fails() {
    let diary = Diary::default();
    let texts = Texts {
        diary: diary.clone(),
        activation: Vec::new(),
        farewell: Vec::new(),
        kept: Vec::new(),
    };
    let memory = Memory {
        diary: diary.clone(),
        log: Vec::new(),
        end: Offset(0),
        snapshot_due: false,
        fail_flush: true,
    };
    let mut worker = Worker::new(texts, memory, raft(0), None);
    let failure = worker.start(at(0)).unwrap_err();
    assert_eq!(failure.to_string(), "cannot flush the metadata log: no space");
    let (calls, mut answers) = calls(&["a"]);
    assert!(worker.serve(calls, at(1)).is_err());
    assert!(answers[0].try_recv().is_err());
    assert!(!diary.take().contains("publish"));
}

#[test]
fn an_idle_log_gets_a_record_each_interval_and_a_busy_one_does_not() {
    let diary = Diary::default();
    let mut worker = started(&diary);
    worker.on_time(at(499)).unwrap();
    assert_eq!(diary.take(), "");
    worker.on_time(at(500)).unwrap();
    assert_eq!(diary.take(), "append 1; flush; publish 1 of 1");
    let (calls, _answers) = calls(&["a"]);
    worker.serve(calls, at(900)).unwrap();
    diary.take();
    worker.on_time(at(1399)).unwrap();
    assert_eq!(diary.take(), "");
}

#[test]
fn snapshots_and_cleaning_have_their_times() {
    let diary = Diary::default();
    let mut worker = started(&diary);
    worker.store_mut().snapshot_due = true;
    worker.on_time(at(1)).unwrap();
    assert_eq!(diary.take(), "snapshot 00000000000000000001-0000000001.checkpoint of 1");
    worker.on_time(at(60_000)).unwrap();
    assert_eq!(diary.take(), "append 1; flush; publish 1 of 1; clean");
}

#[test]
fn what_was_written_is_read_again() {
    let diary = Diary::default();
    let mut worker = worker(&["a b"], &diary);
    worker.start(at(0)).unwrap();
    let (calls, _answers) = calls(&["c", "d e"]);
    worker.serve(calls, at(1)).unwrap();
    let log = worker.store_mut().log.concat();
    let mut image = Texts { diary, activation: Vec::new(), farewell: Vec::new(), kept: Vec::new() };
    let mut loader = Loader::new(&mut image);
    loader.batches(&log.into()).unwrap();
    let loaded = loader.finish();
    assert_eq!((loaded.next, loaded.last_epoch), (Offset(6), LeaderEpoch(1)));
    assert_eq!(image.kept, ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_stop_answers_what_is_queued_says_farewell_and_closes() {
    let diary = Diary::default();
    let running = Running::start(worker(&[], &diary), Clock::new(), |_| {}).unwrap();
    let handle = running.handle();
    let (queued, mut answers) = calls(&["a", "b"]);
    for call in queued {
        handle.send(Message::Call(call));
    }
    running.stop().unwrap();
    for answer in &mut answers {
        assert!(answer.try_recv().unwrap().is_ok());
    }
    assert!(diary.take().ends_with("append 1; flush; close"));
    // Whoever asks after that is told that there is no controller.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(handle.call("late".to_owned()));
    assert_eq!(answer, Err(ErrorCode::NotController));
}

#[test]
fn a_caller_waits_without_a_thread_and_gets_its_own_answer() {
    let diary = Diary::default();
    let running = Running::start(worker(&[], &diary), Clock::new(), |_| {}).unwrap();
    let handle = running.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (yes, no) = runtime.block_on(async {
        tokio::join!(handle.call("a".to_owned()), handle.call("no".to_owned()))
    });
    assert!(yes.unwrap() >= 1);
    assert_eq!(no, Err(ErrorCode::InvalidRequest));
    running.stop().unwrap();
}

fn create_topic(name: &str) -> Request {
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_num_partitions(1)
        .with_replication_factor(1);
    Request::CreateTopics(CreateTopicsRequest::default().with_topics(vec![topic]))
}

fn start_of_a_controller() -> ControllerStart {
    let keys = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.voters", "1@localhost:9093"),
    ];
    let texts = keys.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    ControllerStart {
        config: Arc::new(BrokerConfig::new(&texts.collect()).unwrap()),
        open_transaction: None,
        kraft_version: 0,
        bootstrap: Vec::new(),
        broker_listeners: Vec::new(),
        controller_listeners: Vec::new(),
        broker_incarnation_id: uuid::Uuid::from_u128(0xb1),
        controller_incarnation_id: uuid::Uuid::from_u128(0xc1),
        log_dirs: vec![DirectoryId(uuid::Uuid::from_u128(0xd1))],
        previous_broker_epoch: BrokerEpoch::UNKNOWN,
    }
}

#[test]
fn the_controllers_topic_is_durable_published_and_in_the_log() {
    let (diary, seen) = (Diary::default(), Diary::default());
    let seer = seen.clone();
    let publisher = move |publication: Publication| {
        let Publication { image, changes, quorum, .. } = publication;
        assert_eq!(image.at.offset.next(), quorum.high_watermark);
        let topics: Vec<&str> =
            image.topics.by_name.keys().map(crate::types::ids::TopicName::as_str).collect();
        seer.note(format!(
            "{} topics {topics:?} new {}",
            image.at.offset,
            changes.topics_created.len()
        ));
    };
    let decider =
        Decider::new(start_of_a_controller(), Replayer::default().into_delta(), publisher);
    let memory = Memory {
        diary: diary.clone(),
        log: Vec::new(),
        end: Offset(0),
        snapshot_due: false,
        fail_flush: false,
    };
    let mut worker = Worker::new(decider, memory, raft(0), None);
    worker.start(at(0)).unwrap();
    assert_eq!(seen.take(), "7 topics [] new 0");
    diary.take();

    let (reply, mut answer) = oneshot::channel();
    worker.serve(vec![Call { request: create_topic("foo"), reply }], at(1)).unwrap();
    assert_eq!(diary.take(), "append 2; flush");
    assert_eq!(seen.take(), "9 topics [\"foo\"] new 1");
    let Ok(Reply::CreateTopics(response)) = answer.try_recv().unwrap() else { panic!() };
    assert_eq!(response.topics[0].error_code, 0);

    worker.store_mut().snapshot_due = true;
    worker.on_time(at(2)).unwrap();
    let said = diary.take();
    assert_eq!(said, "snapshot 00000000000000000010-0000000001.checkpoint of 5");

    let log = worker.store_mut().log.concat();
    let mut replayer = Replayer::default();
    let mut loader = Loader::new(&mut replayer);
    loader.batches(&log.into()).unwrap();
    let loaded = loader.finish();
    let (image, _) = replayer.into_delta().finish(Provenance {
        offset: Offset(loaded.next.0 - 1),
        epoch: loaded.last_epoch,
        timestamp: loaded.last_timestamp,
    });
    assert!(image.topics.named("foo").is_some());
    assert!(!image.brokers[&NodeId(1)].fenced);
}
