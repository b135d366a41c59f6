//! Stages 13 to 18: Fetch.

use protocol_tests::fields::Writer;
use protocol_tests::record_batch::RecordBatch;

use super::answers::{Fetched, FetchedPartition};
use super::base;
use super::client::{Client, request};
use super::files::{self, FRUIT, Topic};
use super::listing::topic_with_sentences;
use super::place::Place;
use super::random::Random;
use super::run::Run;

/// Error 100.
const UNKNOWN_TOPIC_ID: i16 = 100;

pub fn is_listed(place: &Place, random: &mut Random) {
    base::lists(place, random, 1, 16);
}

/// Partition 0 of topics, from offset 0, in a new session, without limits.
pub fn fetch_request(topics: &[[u8; 16]], correlation_id: i32) -> Writer {
    let partition =
        |writer: Writer, (): &()| writer.i32(0).i32(-1).i64(0).i32(-1).i64(-1).i32(i32::MAX).tags();
    request(1, 16, correlation_id)
        .i32(500)
        .i32(1)
        .i32(i32::MAX)
        .i8(0)
        .i32(0)
        .i32(0)
        .array(topics, |writer, id| writer.raw(id).array(&[()], partition).tags())
        .array::<()>(&[], |writer, ()| writer)
        .compact(b"")
        .tags()
}

/// Fetches, and looks at what every answer has.
pub fn ask_fetch(client: &mut Client, topics: &[[u8; 16]], random: &mut Random) -> Fetched {
    let correlation_id = random.correlation_id();
    client.send(&fetch_request(topics, correlation_id));
    let answer = Fetched::decode(&client.body(correlation_id, true)).unwrap();
    assert_eq!((answer.throttle_time_ms, answer.error), (0, 0));
    answer
}

/// Fetches one topic: one partition is answered, number 0.
pub fn ask_fetch_of(client: &mut Client, id: [u8; 16], random: &mut Random) -> FetchedPartition {
    let answer = ask_fetch(client, &[id], random);
    let mut topics = answer.topics.unwrap();
    assert_eq!((topics.len(), topics[0].id, topics[0].partitions.len()), (1, id, 1));
    let partition = topics.remove(0).partitions.remove(0);
    assert_eq!(partition.index, 0);
    RecordBatch::all(&partition.records).unwrap();
    partition
}

/// One word in each of `count` messages.
pub fn words(count: i32, random: &mut Random) -> Vec<String> {
    (0..count).map(|_| FRUIT[random.from(0, 10) as usize].to_owned()).collect()
}

pub fn no_topics(place: &Place, random: &mut Random) {
    files::write(place, &[]);
    let run = Run::start(place);
    let answer = ask_fetch(&mut run.connect(), &[], random);
    assert!(answer.topics.unwrap().is_empty());
    run.stop();
}

pub fn unknown_topic(place: &Place, random: &mut Random) {
    let name = random.distinct(&FRUIT, 1)[0];
    let mut other = topic_with_sentences(name, 1, random);
    let number = random.from(10, 100) as u8;
    other.id = files::topic_id([0, 0, 0, 0, 0, number]);
    files::write(place, &[other]);
    let run = Run::start(place);
    let unknown = files::topic_id([0, 0, 0, 0, 0, number + 1]);
    let partition = ask_fetch_of(&mut run.connect(), unknown, random);
    assert_eq!(partition.error, UNKNOWN_TOPIC_ID);
    run.stop();
}

pub fn empty_topic(place: &Place, random: &mut Random) {
    serves(place, random, 0);
}

pub fn single_message(place: &Place, random: &mut Random) {
    serves(place, random, 1);
}

pub fn multiple_messages(place: &Place, random: &mut Random) {
    let count = random.from(2, 4);
    serves(place, random, count);
}

fn serves(place: &Place, random: &mut Random, messages: i32) {
    let name = random.distinct(&FRUIT, 1)[0];
    let messages = words(messages, random);
    let topic = Topic::new(name, vec![messages.clone()], random);
    files::write(place, std::slice::from_ref(&topic));
    let run = Run::start(place);
    let partition = ask_fetch_of(&mut run.connect(), topic.id, random);
    assert_eq!(partition.error, 0);
    assert_eq!(partition.records, files::data_batches(&messages));
    // Stricter than the tester.
    assert_eq!((partition.high_watermark, partition.log_start_offset), (messages.len() as i64, 0));
    run.stop();
}
