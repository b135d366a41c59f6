//! Topics come, grow and go.

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{CreatePartitionsRequest, DeleteTopicsRequest};

use super::*;
use crate::types::ids::TopicId;

fn ok() -> (i16, String) {
    (0, "-".to_owned())
}

fn refusal(code: i16, message: &str) -> (i16, String) {
    (code, message.to_owned())
}

#[test]
fn a_topic_is_its_record_its_configuration_and_its_partitions() {
    let mut node = Node::new(&[("num.partitions", "2")]);
    let (records, answers) = node.create(vec![topic("foo", -1, -1, &[("retention.ms", "-1")])]);
    assert_eq!(
        records,
        "topic foo\n\
         config 2:foo retention.ms=-1\n\
         partition 0 [1] isr [1] leader 1\n\
         partition 1 [1] isr [1] leader 1"
    );
    assert_eq!(answers, [ok()]);
    let (records, answers) = node.create(vec![assigned("bar", &[(1, &[1]), (0, &[1])])]);
    assert_eq!(
        records,
        "topic bar\n\
         partition 0 [1] isr [1] leader 1\n\
         partition 1 [1] isr [1] leader 1"
    );
    assert_eq!(answers, [ok()]);
}

/// One topic, refused.
fn check_refused(topic: &CreatableTopic, code: i16, message: &str) {
    let mut node = Node::new(&[]);
    node.create(vec![self::topic("a.b", 1, 1, &[])]);
    let (records, answers) = node.create(vec![topic.clone()]);
    assert_eq!(answers, [refusal(code, message)], "{topic:?}");
    assert_eq!(records, "");
}

#[test]
fn what_cannot_be_a_topic_is_refused_in_kafkas_words() {
    check_refused(&topic("a.b", 1, 1, &[]), 36, "Topic 'a.b' already exists.");
    check_refused(&topic("a_b", 1, 1, &[]), 17, "Topic 'a_b' collides with existing topic: a.b");
    check_refused(
        &topic("", 1, 1, &[]),
        17,
        "Topic name is invalid: the empty string is not allowed",
    );
    check_refused(
        &topic("__cluster_metadata", 1, 1, &[]),
        42,
        "Creation of internal topic __cluster_metadata is prohibited.",
    );
    check_refused(
        &topic("t", 0, 1, &[]),
        37,
        "Number of partitions was set to an invalid non-positive value.",
    );
    check_refused(
        &topic("t", 1, 0, &[]),
        38,
        "Replication factor must be larger than 0, or -1 to use the default value.",
    );
    check_refused(
        &topic("t", 1, 2, &[]),
        38,
        "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because \
         only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
    );
    check_refused(&topic("t", 1, 1, &[("foo", "1")]), 40, "Unknown topic config name: foo");
    check_refused(
        &topic("t", 1, 1, &[("retention.ms", "x")]),
        40,
        "Invalid value x for configuration retention.ms: Not a number of type LONG",
    );
    let long = "x".repeat(32_768);
    check_refused(
        &topic("t", 1, 1, &[("leader.replication.throttled.replicas", &long)]),
        40,
        "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
    );
    let null = CreatableTopicConfig::default().with_name(text("a")).with_value(None);
    check_refused(
        &topic("t", 1, 1, &[]).with_configs(vec![null]),
        40,
        "Null value not supported for topic configs: a",
    );
}

#[test]
fn assignments_by_hand_are_checked_in_kafkas_words() {
    for (assignments, message) in [
        (
            &[(0, &[1][..]), (0, &[1])][..],
            "Found multiple manual partition assignments for partition 0",
        ),
        (&[(0, &[])], "The manual partition assignment includes an empty replica list."),
        (
            &[(0, &[7])],
            "The manual partition assignment includes broker 7, but no such broker is registered.",
        ),
        (&[(0, &[1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        (&[(1, &[1])], "partitions should be a consecutive 0-based integer sequence"),
    ] {
        check_refused(&assigned("t", assignments), 39, message);
    }
    let one: &[(i32, &[i32])] = &[(0, &[1])];
    check_refused(
        &assigned("t", one).with_replication_factor(1),
        42,
        "A manual partition assignment was specified, but replication factor was not set to -1.",
    );
    check_refused(
        &assigned("t", one).with_num_partitions(1),
        42,
        "A manual partition assignment was specified, but numPartitions was not set to -1.",
    );
}

#[test]
fn a_name_that_is_there_twice_is_answered_once_and_spoils_no_other() {
    let mut node = Node::new(&[]);
    let (records, answers) =
        node.create(vec![topic("a", 1, 1, &[]), topic("b", 1, 1, &[]), topic("a", 1, 1, &[])]);
    assert_eq!(records, "topic b\npartition 0 [1] isr [1] leader 1");
    assert_eq!(answers, [ok(), refusal(42, "Duplicate topic name.")]);
    // Names that collide with each other only are both created, as in Kafka.
    let (_, answers) = node.create(vec![topic("x.y", 1, 1, &[]), topic("x_y", 1, 1, &[])]);
    assert_eq!(answers, [ok(), ok()]);
}

#[test]
fn too_much_at_once_is_refused_as_a_whole() {
    let mut node = Node::new(&[]);
    let message = "Excessively large number of partitions per request.";
    let (records, answers) = node.create(vec![topic("a", 9_999, 1, &[]), topic("b", 2, 1, &[])]);
    assert_eq!((records.as_str(), answers), ("", vec![refusal(44, message); 2]));
    // 10,000 partitions are as many as there may be, but their topic's record is one more.
    let message = "Unable to perform excessively large batch operation.";
    let (records, answers) = node.create(vec![topic("a", 10_000, 1, &[])]);
    assert_eq!((records.as_str(), answers), ("", vec![refusal(44, message)]));
    let (_, answers) = node.create(vec![topic("a", 9_999, 1, &[])]);
    assert_eq!(answers, [ok()]);
}

#[test]
fn what_no_batch_can_hold_is_refused_and_leaves_no_trace() {
    let mut node = Node::new(&[]);
    let request = CreateTopicsRequest::default().with_topics(vec![topic("a", 1, 1, &[])]);
    let request = Request::CreateTopics(request);
    let mut random = || [7; 16];
    let (output, reply) = node.controller.decide(&request, &mut random, &|_| false);
    assert_eq!(output, Output::default());
    let Reply::CreateTopics(response) = reply else { panic!("{reply:?}") };
    assert_eq!(response.topics[0].error_code, 44);
    assert!(node.controller.image().topics.named("a").is_none());
}

#[test]
fn validation_alone_writes_nothing_and_answers_the_same() {
    let mut node = Node::new(&[]);
    let topics = vec![topic("a", 3, 1, &[("segment.ms", "7")])];
    let request = CreateTopicsRequest::default().with_topics(topics).with_validate_only(true);
    let (records, reply) = node.ask(&Request::CreateTopics(request));
    assert_eq!(records, []);
    let Reply::CreateTopics(response) = reply else { panic!("{reply:?}") };
    let topic = &response.topics[0];
    assert_eq!((topic.error_code, topic.num_partitions, topic.replication_factor), (0, 3, 1));
}

#[test]
fn the_answer_tells_the_configuration_and_where_it_is_from() {
    let mut node = Node::new(&[("log.retention.hours", "2"), ("compression.type", "lz4")]);
    let topics = vec![topic("a", 1, 1, &[("segment.ms", " 7")])];
    let request = CreateTopicsRequest::default().with_topics(topics);
    let (_, reply) = node.ask(&Request::CreateTopics(request));
    let Reply::CreateTopics(response) = reply else { panic!("{reply:?}") };
    let configs = response.topics[0].configs.as_ref().unwrap();
    let of = |name: &str| {
        let row = configs.iter().find(|row| &*row.name == name).unwrap();
        assert!(!row.read_only && !row.is_sensitive);
        (row.value.as_deref(), row.config_source)
    };
    assert_eq!(of("segment.ms"), (Some(" 7"), 1));
    assert_eq!(of("retention.ms"), (Some("7200000"), 4));
    assert_eq!(of("compression.type"), (Some("lz4"), 4));
    assert_eq!(of("retention.bytes"), (Some("-1"), 5));
    assert!(configs.is_sorted_by(|a, b| a.name < b.name));
    assert!(configs.iter().all(|row| &*row.name != "internal.segment.bytes"));
}

/// The answers about each topic of the request: name, code, words.
fn delete(
    node: &mut Node,
    names: &[&str],
    states: &[(Option<&str>, Uuid)],
) -> (String, Vec<(Option<String>, i16, String)>) {
    let name = |name: &str| TopicName(text(name));
    let state = |(topic, id): &(Option<&str>, Uuid)| {
        DeleteTopicState::default().with_name(topic.map(name)).with_topic_id(*id)
    };
    let request = DeleteTopicsRequest::default()
        .with_topic_names(names.iter().map(|topic| name(topic)).collect())
        .with_topics(states.iter().map(state).collect());
    let (records, reply) = node.ask(&Request::DeleteTopics(request));
    let Reply::DeleteTopics(response) = reply else { panic!("{reply:?}") };
    let answers = response.responses.iter().map(|topic| {
        let message = topic.error_message.as_deref().unwrap_or("-").to_owned();
        (topic.name.as_ref().map(|name| name.to_string()), topic.error_code, message)
    });
    (show(&records), answers.collect())
}

fn id_of(node: &Node, name: &str) -> Uuid {
    node.controller.image().topics.named(name).unwrap().id.0
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut node = Node::new(&[]);
    node.create(vec![
        topic("a", 1, 1, &[("segment.ms", "7")]),
        topic("b", 1, 1, &[]),
        topic("c", 1, 1, &[]),
    ]);
    let (a, b) = (id_of(&node, "a"), id_of(&node, "b"));
    let (records, answers) = delete(&mut node, &["a"], &[(None, b)]);
    let expected = [format!("remove {}", uuid_to_text(a)), format!("remove {}", uuid_to_text(b))];
    assert_eq!(records, expected.join("\n"));
    let done = |name: &str| (Some(name.to_owned()), 0, "-".to_owned());
    assert_eq!(answers, [done("a"), done("b")]);
    let image = node.controller.image();
    assert!(image.topics.named("a").is_none() && image.topics.of_id(TopicId(b)).is_none());
    assert_eq!(image.overrides(2, "a"), None);
    assert!(image.topics.named("c").is_some());
}

#[test]
fn what_cannot_be_deleted_is_answered_in_kafkas_words() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 1, 1, &[]), topic("b", 1, 1, &[])]);
    let (a, nil, other) = (id_of(&node, "a"), Uuid::nil(), Uuid::from_u128(0xabcd));
    let mut check =
        |names: &[&str], states: &[(Option<&str>, Uuid)], expected: (Option<&str>, i16, &str)| {
            let (records, answers) = delete(&mut node, names, states);
            let (name, code, message) = expected;
            let expected = (name.map(str::to_owned), code, message.to_owned());
            assert_eq!((records.as_str(), answers), ("", vec![expected]), "{names:?} {states:?}");
        };
    check(&["x"], &[], (Some("x"), 3, "This server does not host this topic-partition."));
    check(&[], &[(None, other)], (None, 100, "This server does not host this topic ID."));
    check(&[], &[(None, nil)], (None, 42, "Neither topic name nor id were specified."));
    check(
        &[],
        &[(Some("a"), a)],
        (Some("a"), 42, "You may not specify both topic name and topic id."),
    );
    check(&["a", "a"], &[], (Some("a"), 42, "Duplicate topic name."));
    check(&[], &[(None, a), (None, a)], (None, 42, "Duplicate topic id."));
    check(
        &[],
        &[(Some("a"), nil), (None, a)],
        (Some("a"), 42, "The provided topic name maps to an ID that was already supplied."),
    );
    let mut node = Node::new(&[("delete.topic.enable", "false")]);
    let (_, answers) = delete(&mut node, &["a"], &[]);
    assert_eq!(answers, [(Some("a".to_owned()), 73, "-".to_owned())]);
}

fn more(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment = |brokers: &&[i32]| {
        let brokers = brokers.iter().map(|id| BrokerId(*id)).collect();
        CreatePartitionsAssignment::default().with_broker_ids(brokers)
    };
    let assignments = assignments.map(|all| all.iter().map(assignment).collect());
    CreatePartitionsTopic::default()
        .with_name(TopicName(text(name)))
        .with_count(count)
        .with_assignments(assignments)
}

fn extend(
    node: &mut Node,
    topics: Vec<CreatePartitionsTopic>,
    validate_only: bool,
) -> (String, Vec<(i16, String)>) {
    let request =
        CreatePartitionsRequest::default().with_topics(topics).with_validate_only(validate_only);
    let (records, reply) = node.ask(&Request::CreatePartitions(request));
    let Reply::CreatePartitions(response) = reply else { panic!("{reply:?}") };
    let answers = response
        .results
        .iter()
        .map(|topic| (topic.error_code, topic.error_message.as_deref().unwrap_or("-").to_owned()));
    (show(&records), answers.collect())
}

#[test]
fn a_topic_gets_more_partitions() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 1, 1, &[])]);
    let new = "partition 1 [1] isr [1] leader 1\npartition 2 [1] isr [1] leader 1";
    assert_eq!(extend(&mut node, vec![more("a", 3, None)], true), (new_none(), vec![ok()]));
    assert_eq!(extend(&mut node, vec![more("a", 3, None)], false), (new.to_owned(), vec![ok()]));
    let by_hand = more("a", 4, Some(&[&[1]]));
    let (records, answers) = extend(&mut node, vec![by_hand], false);
    assert_eq!((records.as_str(), answers), ("partition 3 [1] isr [1] leader 1", vec![ok()]));
}

fn new_none() -> String {
    String::new()
}

#[test]
fn every_topic_that_cannot_grow_is_answered_in_kafkas_words() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 2, 1, &[]), topic("b", 1, 1, &[]), topic("c", 1, 1, &[])]);
    let twice = || more("b", 2, None);
    for (topics, expected) in [
        (vec![more("x", 2, None)], refusal(3, "-")),
        (vec![more("a", 2, None)], refusal(37, "Topic already has 2 partition(s).")),
        (
            vec![more("a", -1, None)],
            refusal(37, "The topic a currently has 2 partition(s); -1 would not be an increase."),
        ),
        (
            vec![more("a", 4, Some(&[&[1]]))],
            refusal(
                39,
                "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
            ),
        ),
        (
            vec![more("a", 3, Some(&[&[9]]))],
            refusal(
                39,
                "The manual partition assignment includes broker 9, but no such broker is registered.",
            ),
        ),
        (vec![twice(), twice()], refusal(42, "Duplicate topic name.")),
        (
            vec![more("a", i32::MAX, None)],
            refusal(44, "Unable to perform excessively large batch operation."),
        ),
    ] {
        let expected = (new_none(), vec![expected]);
        assert_eq!(extend(&mut node, topics.clone(), false), expected, "{topics:?}");
    }
    let (records, answers) = extend(&mut node, vec![more("a", 1, None), more("c", 2, None)], false);
    assert_eq!(records, "partition 1 [1] isr [1] leader 1");
    assert_eq!(answers.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [37, 0]);
}
