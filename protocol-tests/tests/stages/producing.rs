//! Stages 19 to 25: Produce.

use std::fs;

use protocol_tests::fields::{Reader, Writer};
use protocol_tests::record_batch::{RecordBatch, crc_of};

use super::answers::{Produced, ProducedPartition};
use super::base;
use super::client::{Client, request};
use super::consuming::words;
use super::files::{self, DATA_TIMESTAMP, FRUIT, Topic, data_log};
use super::listing::{UNKNOWN_TOPIC_OR_PARTITION, topic_with_sentences};
use super::place::Place;
use super::random::Random;
use super::run::Run;

pub fn is_listed(place: &Place, random: &mut Random) {
    base::lists(place, random, 0, 11);
}

/// What goes to one partition: topic, number, batch.
pub type Sent<'a> = (&'a str, i32, Vec<u8>);

/// One batch of one word in each record, from producer 0 without an InitProducerId before.
pub fn batch(records: i32, random: &mut Random) -> Vec<u8> {
    let empty = RecordBatch::new(DATA_TIMESTAMP).from_producer(0, 0, 0);
    let words = words(records, random);
    words.iter().fold(empty, |batch, word| batch.record(None, Some(word.as_bytes()))).sealed()
}

/// Produces with acks -1. Partitions of one topic follow each other in `sent`.
pub fn ask_produce(client: &mut Client, sent: &[Sent<'_>], random: &mut Random) -> Produced {
    let correlation_id = random.correlation_id();
    let topics: Vec<_> = sent.chunk_by(|one, next| one.0 == next.0).collect();
    let partition =
        |writer: Writer, (_, index, batch): &Sent<'_>| writer.i32(*index).compact(batch).tags();
    let topic = |writer: Writer, partitions: &&[Sent<'_>]| {
        writer.compact(partitions[0].0.as_bytes()).array(partitions, partition).tags()
    };
    let request = request(0, 11, correlation_id).uvarint(0).i16(-1).i32(30_000);
    client.send(&request.array(&topics, topic).tags());
    let answer = Produced::decode(&client.body(correlation_id, true)).unwrap();
    assert_eq!(answer.throttle_time_ms, 0);
    answer
}

/// The answer to what was sent, in any order of topics and partitions.
pub fn answered(answer: &Produced, sent: &[Sent<'_>]) -> Vec<ProducedPartition> {
    let count: usize = answer.topics.iter().map(|(_, partitions)| partitions.len()).sum();
    assert_eq!(count, sent.len(), "{answer:?}");
    let find = |(topic, index, _): &Sent<'_>| {
        let (_, partitions) = answer.topics.iter().find(|(name, _)| name == topic).unwrap();
        *partitions.iter().find(|partition| partition.index == *index).unwrap()
    };
    sent.iter().map(find).collect()
}

/// Looks into the file right after the answer.
fn check_file(place: &Place, (topic, index, batch): &Sent<'_>) {
    let bytes = fs::read(data_log(place, topic, *index as usize)).unwrap();
    let first = RecordBatch::take(&mut Reader(&bytes));
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(crc_of(&bytes), crc_of(batch));
    // Stricter than the tester: nothing is allocated ahead of the data.
    assert_eq!(bytes.len(), batch.len());
}

pub fn invalid_topic_or_partition(place: &Place, random: &mut Random) {
    let name = random.distinct(&FRUIT, 1)[0];
    let mut topic = topic_with_sentences(name, 1, random);
    topic.partitions[0] = words(1, random);
    files::write(place, &[topic]);
    let run = Run::start(place);
    let mut client = run.connect();
    let unknown = format!("UNKNOWN_TOPIC_{}", random.from(1, 100));
    for (topic, index) in [(name, random.from(100, 1000)), (unknown.as_str(), 0)] {
        let sent = [(topic, index, batch(1, random))];
        let answer = ask_produce(&mut client, &sent, random);
        let error = UNKNOWN_TOPIC_OR_PARTITION;
        let (base_offset, log_append_time_ms, log_start_offset) = (-1, -1, -1);
        assert_eq!(
            answered(&answer, &sent),
            [ProducedPartition { index, error, base_offset, log_append_time_ms, log_start_offset }]
        );
    }
    // Not created by the request either, whatever auto.create.topics.enable says.
    assert!(!place.logs.join(format!("{unknown}-0")).exists());
    run.stop();
}

pub fn valid_topic_and_partition(place: &Place, random: &mut Random) {
    let names = random.distinct(&FRUIT, 1);
    produces(place, random, &[(names[0], 1)], 1);
}

pub fn single_record(place: &Place, random: &mut Random) {
    let names = random.distinct(&FRUIT, 1);
    produces(place, random, &[(names[0], 1)], 1);
}

pub fn multiple_records(place: &Place, random: &mut Random) {
    let names = random.distinct(&FRUIT, 1);
    let records = random.from(2, 4);
    produces(place, random, &[(names[0], 1)], records);
}

pub fn multiple_partitions(place: &Place, random: &mut Random) {
    let names = random.distinct(&FRUIT, 1);
    let (partitions, records) = (random.from(2, 4), random.from(2, 4));
    produces(place, random, &[(names[0], partitions)], records);
}

pub fn multiple_topics(place: &Place, random: &mut Random) {
    let names = random.distinct(&FRUIT, 2);
    let topics: Vec<_> = names.iter().map(|name| (*name, random.from(1, 3))).collect();
    produces(place, random, &topics, 2);
}

/// One request with a batch for each partition of empty topics.
fn produces(place: &Place, random: &mut Random, topics: &[(&'static str, i32)], records: i32) {
    let on_disk: Vec<_> = topics
        .iter()
        .map(|(name, partitions)| Topic::empty(name, *partitions as usize, random))
        .collect();
    files::write(place, &on_disk);
    let run = Run::start(place);
    let partitions = topics.iter().flat_map(|(name, count)| (0..*count).map(move |i| (*name, i)));
    let sent: Vec<Sent<'_>> =
        partitions.map(|(name, index)| (name, index, batch(records, random))).collect();
    let answer = ask_produce(&mut run.connect(), &sent, random);
    let produced = answered(&answer, &sent);
    for (partition, one) in produced.into_iter().zip(&sent) {
        let (index, error) = (one.1, 0);
        let (base_offset, log_append_time_ms, log_start_offset) = (0, -1, 0);
        assert_eq!(
            partition,
            ProducedPartition { index, error, base_offset, log_append_time_ms, log_start_offset }
        );
        check_file(place, one);
    }
    run.stop();
}
