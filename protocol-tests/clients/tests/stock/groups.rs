//! librdkafka's groups: they share partitions, know a static member again, and go on from what they committed after
//! the node was killed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use protocol_tests::node::Node;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionListElem;

use super::librdkafka::{Sent, config, create, enqueue};

const PARTITIONS: i32 = 4;
/// How often members of classic groups come.
const BEATS: (&str, &str) = ("heartbeat.interval.ms", "50");
const LIMIT: Duration = Duration::from_mins(1);

/// Counts the assignments that a member got.
#[derive(Default)]
pub struct Assignments(AtomicUsize);

impl ClientContext for Assignments {}

impl ConsumerContext for Assignments {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Assign(_)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A member with what it has read: partition and offset.
struct Member {
    consumer: BaseConsumer<Assignments>,
    read: Vec<(i32, i64)>,
}

impl Member {
    fn join(node: &Node, group: &str, keys: &[(&str, &str)]) -> Self {
        let quick = [
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("reconnect.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "100"),
        ];
        let config = config(node, &[&quick, keys].concat());
        let consumer: BaseConsumer<Assignments> =
            config.create_with_context(Assignments::default()).unwrap();
        consumer.subscribe(&["t"]).unwrap();
        Self { consumer, read: Vec::new() }
    }

    /// Lets the client work, and keeps what it reads. While the node is away there are errors.
    fn poll(&mut self) {
        if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(10)) {
            self.read.push((message.partition(), message.offset()));
        }
    }

    fn owned(&self) -> BTreeSet<i32> {
        self.consumer
            .assignment()
            .unwrap()
            .elements()
            .iter()
            .map(TopicPartitionListElem::partition)
            .collect()
    }

    fn assignments(&self) -> usize {
        self.consumer.context().0.load(Ordering::Relaxed)
    }
}

/// Lets all work until the condition is true.
fn until(members: &mut [&mut Member], what: &str, is_true: impl Fn(&[&mut Member]) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_true(members) {
        let state: Vec<_> = members.iter().map(|it| (it.owned(), it.read.len())).collect();
        assert!(Instant::now() < deadline, "{what}: {state:?}");
        for member in members.iter_mut() {
            member.poll();
        }
    }
}

fn owns(member: &Member, count: usize) -> bool {
    member.owned().len() == count
}

/// So many records in each partition, after those that are there.
fn produce(node: &Node, each: i32) {
    let producer: BaseProducer = config(node, &[("linger.ms", "0")]).create().unwrap();
    for number in 0..each * PARTITIONS {
        enqueue(&producer, "t", number % PARTITIONS, &Sent::value(number.to_string()));
    }
    producer.flush(LIMIT).unwrap();
}

/// Every record of these offsets, once.
fn all(offsets: std::ops::Range<i64>) -> Vec<(i32, i64)> {
    (0..PARTITIONS).flat_map(|partition| offsets.clone().map(move |it| (partition, it))).collect()
}

fn sorted(reads: &[&Member]) -> Vec<(i32, i64)> {
    let mut all: Vec<_> = reads.iter().flat_map(|it| it.read.iter().copied()).collect();
    all.sort_unstable();
    all
}

fn begin() -> Node {
    // Members of KIP-848 are told by the node how often to come.
    let node = Node::start_with(&[
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "100"),
    ]);
    create(&node, "t", PARTITIONS, &[]);
    node
}

/// With each way to take partitions away: all at once, one by one (KIP-429), and by the node's word (KIP-848).
#[test]
fn two_members_share_and_one_leaves() {
    let strategy = |name| [("partition.assignment.strategy", name), BEATS];
    let by_node = [("group.protocol", "consumer")];
    for keys in [&strategy("range")[..], &strategy("cooperative-sticky"), &by_node] {
        let node = begin();
        let mut first = Member::join(&node, "g", keys);
        until(&mut [&mut first], "alone", |it| owns(it[0], 4));
        let mut second = Member::join(&node, "g", keys);
        until(&mut [&mut first, &mut second], "shared", |it| owns(it[0], 2) && owns(it[1], 2));
        assert!(first.owned().is_disjoint(&second.owned()));
        produce(&node, 10);
        let halves = |it: &[&mut Member]| it.iter().all(|it| it.read.len() == 20);
        until(&mut [&mut first, &mut second], "read", halves);
        assert_eq!(sorted(&[&first, &second]), all(0..10), "{keys:?}");
        drop(second);
        until(&mut [&mut first], "alone again", |it| owns(it[0], 4));
    }
}

/// Its assignment waits for a static member, without a rebalance (KIP-345); a second one of its name ends the first.
#[test]
fn a_static_member_comes_back() {
    let node = begin();
    let static_member =
        |name: &str| Member::join(&node, "g", &[("group.instance.id", name), BEATS]);
    let (mut first, mut second) = (static_member("first"), static_member("second"));
    until(&mut [&mut first, &mut second], "shared", |it| owns(it[0], 2) && owns(it[1], 2));
    let (of_first, assignments) = (first.owned(), second.assignments());
    drop(first);
    let mut first = static_member("first");
    until(&mut [&mut first, &mut second], "back", |it| owns(it[0], 2));
    assert_eq!((first.owned(), second.assignments()), (of_first.clone(), assignments));

    let mut again = static_member("first");
    until(&mut [&mut again, &mut second], "in its place", |it| owns(it[0], 2));
    assert_eq!((again.owned(), second.assignments()), (of_first, assignments));
    let is_fenced = |member: &mut Member| {
        member.poll();
        let fatal = member.consumer.client().fatal_error();
        fatal.is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
    };
    let deadline = Instant::now() + LIMIT;
    while !is_fenced(&mut first) {
        assert!(Instant::now() < deadline, "the first one goes on");
    }
}

/// The members go on without a rebalance, and who comes later begins where they committed.
#[test]
fn a_group_goes_on_after_kills() {
    let mut node = begin();
    let mut first = Member::join(&node, "g", &[BEATS]);
    let mut second = Member::join(&node, "g", &[BEATS]);
    until(&mut [&mut first, &mut second], "shared", |it| owns(it[0], 2) && owns(it[1], 2));
    let assignments = [first.assignments(), second.assignments()];
    for round in 1..=3 {
        produce(&node, 10);
        let all_read = |it: &[&mut Member]| it.iter().all(|it| it.read.len() == 20 * round);
        until(&mut [&mut first, &mut second], "goes on", all_read);
        if round < 3 {
            for member in [&first, &second] {
                member.consumer.commit_consumer_state(CommitMode::Sync).unwrap();
            }
            node.kill();
            node.restart();
        }
    }
    assert_eq!(sorted(&[&first, &second]), all(0..30));
    assert_eq!([first.assignments(), second.assignments()], assignments);
    // What was read after the last commit is read by those who come then.
    drop((first, second));
    let mut third = Member::join(&node, "g", &[BEATS]);
    until(&mut [&mut third], "resumed", |it| it[0].read.len() == 40);
    assert_eq!(sorted(&[&third]), all(20..30));
}
