//! Stages 8 to 12: DescribeTopicPartitions.

use protocol_tests::fields::Writer;

use super::answers::{ListedPartition, ListedTopic, Listing};
use super::base;
use super::client::{Client, request};
use super::files::{self, FRUIT, Topic};
use super::place::Place;
use super::random::Random;
use super::run::Run;

/// Error 3.
pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

pub fn is_listed(place: &Place, random: &mut Random) {
    base::lists(place, random, 75, 0);
}

fn listing_request(topics: &[&str], limit: i32, correlation_id: i32) -> Writer {
    request(75, 0, correlation_id)
        .array(topics, |writer, name| writer.compact(name.as_bytes()).tags())
        .i32(limit)
        .i8(-1)
        .tags()
}

/// Asks for topics.
pub fn ask_listing(
    client: &mut Client,
    topics: &[&str],
    limit: i32,
    random: &mut Random,
) -> Listing {
    let correlation_id = random.correlation_id();
    client.send(&listing_request(topics, limit, correlation_id));
    Listing::decode(&client.body(correlation_id, true)).unwrap()
}

/// Six words joined by spaces.
pub fn sentence(random: &mut Random) -> String {
    let words: Vec<_> = (0..6).map(|_| FRUIT[random.from(0, 10) as usize]).collect();
    words.join(" ")
}

/// A topic with a sentence in each partition.
pub fn topic_with_sentences(name: &'static str, partitions: usize, random: &mut Random) -> Topic {
    let partitions = (0..partitions).map(|_| vec![sentence(random)]).collect();
    Topic::new(name, partitions, random)
}

/// What Kafka answers for a topic on disk. Stricter than the tester: who leads is looked at as well. (Not in which epoch:
/// Kafka raises it when the broker registers.)
pub fn expected(topic: &Topic) -> ListedTopic {
    let partition =
        |index| ListedPartition { error: 0, index, leader: 1, replicas: vec![1], isr: vec![1] };
    let partitions = (0..topic.partitions.len() as i32).map(partition).collect();
    ListedTopic { error: 0, name: Some(topic.name.to_owned()), id: topic.id, partitions }
}

pub fn unknown_topic(place: &Place, random: &mut Random) {
    let name = random.distinct(&FRUIT, 1)[0];
    let other = topic_with_sentences(name, 1, random);
    files::write(place, &[other]);
    let run = Run::start(place);
    let name = format!("UNKNOWN_TOPIC_{}", random.from(1, 100));
    let answer = ask_listing(&mut run.connect(), &[&name], 1, random);
    let error = UNKNOWN_TOPIC_OR_PARTITION;
    let topic = ListedTopic { error, name: Some(name), id: [0; 16], partitions: Vec::new() };
    assert_eq!((answer.topics, answer.cursor), (vec![topic], None));
    run.stop();
}

pub fn single_partition(place: &Place, random: &mut Random) {
    one_topic(place, random, 1);
}

pub fn multiple_partitions(place: &Place, random: &mut Random) {
    one_topic(place, random, 2);
}

fn one_topic(place: &Place, random: &mut Random, partitions: usize) {
    let name = random.distinct(&FRUIT, 1)[0];
    let topic = topic_with_sentences(name, partitions, random);
    files::write(place, std::slice::from_ref(&topic));
    let run = Run::start(place);
    let answer = ask_listing(&mut run.connect(), &[name], partitions as i32, random);
    assert_eq!((answer.topics, answer.cursor), (vec![expected(&topic)], None));
    run.stop();
}

pub fn multiple_topics(place: &Place, random: &mut Random) {
    let names = random.distinct(&FRUIT, 2);
    let number = random.from(10, 100) as u8;
    let mut topics: Vec<_> = names
        .iter()
        .zip([1, 2])
        .map(|(name, partitions)| topic_with_sentences(name, partitions, random))
        .collect();
    for (topic, number) in topics.iter_mut().zip([number, number + 1]) {
        topic.id = files::topic_id([0, 0, 0, 0, 0, number]);
    }
    files::write(place, &topics);
    let run = Run::start(place);
    let answer = ask_listing(&mut run.connect(), &names, 3, random);
    topics.sort_by_key(|topic| topic.name);
    let expected: Vec<_> = topics.iter().map(expected).collect();
    assert_eq!((answer.topics, answer.cursor), (expected, None));
    run.stop();
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_request_is_the_recorded_one() {
        let recorded = "004b000000000001000c6b61666b612d7465737465720002066d616e676f0000000001ff00";
        let bytes = super::listing_request(&["mango"], 1, 1).0;
        assert_eq!(protocol_tests::fields::hex(&bytes), recorded);
    }
}
