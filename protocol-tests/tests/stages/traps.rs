//! What a full broker meets badly in the stages: one test a trap.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use protocol_tests::program::{Program, is_foreign};
use protocol_tests::record_batch::RecordBatch;

use super::base::ask_api_versions;
use super::client::{Client, request};
use super::consuming::{ask_fetch_of, fetch_request, words};
use super::files::{self, FRUIT, Topic, data_log};
use super::listing::{ask_listing, expected};
use super::place::{Place, alone};
use super::producing::{answered, ask_produce, batch};
use super::random::Random;
use super::run::{OUTPUT_BYTES_MAX, Run};

/// The feature level in the files: 3.8-IV0.
const METADATA_VERSION: i16 = 20;

macro_rules! traps {
    ($( $(#[$doc:meta])* $name:ident $trap:path; )*) => { $(
        $(#[$doc])*
        #[test]
        fn $name() {
            alone(concat!("traps::", stringify!($name)), |place| {
                $trap(place, &mut Random::of(stringify!($name)));
            });
        }
    )* };
}

traps! {
    ids_are_read_with_and_without_padding ids;
    the_log_of_the_metadata_goes_on_above_its_epoch metadata_log;
    an_empty_directory_becomes_an_empty_cluster no_metadata;
    an_old_metadata_version_is_kept metadata_version;
    indexes_are_made_and_the_log_stays_as_it_is indexes;
    old_records_are_still_there_after_a_restart old_records;
    both_streams_stay_open_and_hold_little streams;
    a_full_pipe_blocks_nothing full_pipe;
    sigterm_ends_it_although_clients_hold_connections held_connections;
    a_listing_that_ends_at_the_limit_has_no_cursor cursor;
    each_fetch_with_epoch_0_is_answered_in_full full_fetches;
    an_unknown_topic_is_answered_without_waiting no_wait;
    a_topic_that_a_request_names_is_not_created no_creation;
    every_partition_takes_the_first_batch_of_producer_0 producer_0;
}

/// A topic with `messages` words in each partition, on disk.
fn topic(place: &Place, partitions: usize, messages: i32, random: &mut Random) -> Topic {
    let name = random.distinct(&FRUIT, 1)[0];
    let partitions = (0..partitions).map(|_| words(messages, random)).collect();
    let topic = Topic::new(name, partitions, random);
    files::write(place, std::slice::from_ref(&topic));
    topic
}

fn serves(client: &mut Client, topic: &Topic, random: &mut Random) {
    let partition = ask_fetch_of(client, topic.id, random);
    assert_eq!(partition.error, 0);
    assert_eq!(partition.records, files::data_batches(&topic.partitions[0]));
}

/// 1: the files of the stages pad some ids; here all are the other way round.
fn ids(place: &Place, random: &mut Random) {
    let topic = topic(place, 1, 1, random);
    let meta = place.logs.join("meta.properties");
    let text = fs::read_to_string(&meta).unwrap();
    let text =
        text.replace("AQ==", "AQ").replace("IAAAAAAAQACAAAAAAAAAAQ", "IAAAAAAAQACAAAAAAAAAAQ==");
    fs::write(meta, text).unwrap();
    let unpadded = files::padded(topic.id);
    let text = format!("version: 0\ntopic_id: {}\n", unpadded.trim_end_matches('='));
    let directory = place.logs.join(format!("{}-0", topic.name));
    fs::write(directory.join("partition.metadata"), text).unwrap();
    let run = Run::start(place);
    serves(&mut run.connect(), &topic, random);
    run.stop();
}

/// 2 and 3: offset 1, epoch 1, no quorum-state; node 1 leads without ever having been registered.
fn metadata_log(place: &Place, random: &mut Random) {
    let topic = topic(place, 2, 1, random);
    let directory = place.logs.join("__cluster_metadata-0");
    let before = metadata_bytes(&directory);
    let run = Run::start(place);
    let answer = ask_listing(&mut run.connect(), &[topic.name], 2, random);
    assert_eq!(answer.topics, [expected(&topic)]);
    run.stop();
    let after = metadata_bytes(&directory);
    assert!(after.starts_with(&before), "what was written by hand is still there");
    let added = RecordBatch::all(&after[before.len()..]).unwrap();
    assert!(!added.is_empty() && added.iter().all(|batch| batch.partition_leader_epoch >= 2));
    assert_eq!(added[0].base_offset, 5, "after one feature, one topic, two partitions from 1");
}

/// All segments, one after another: Kafka begins a new one, because the first is old.
fn metadata_bytes(directory: &Path) -> Vec<u8> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    logs.sort();
    logs.iter().flat_map(|path| fs::read(path).unwrap()).collect()
}

/// 4
fn no_metadata(place: &Place, random: &mut Random) {
    files::write(place, &[]);
    let run = Run::start(place);
    let mut client = run.connect();
    let answer = ask_api_versions(&mut client, random.correlation_id());
    assert!(level(&answer.finalized).is_some(), "{answer:?}");
    assert_eq!(ask_listing(&mut client, &[], 1, random).topics, []);
    run.stop();
}

fn level(finalized: &[(String, i16)]) -> Option<i16> {
    finalized.iter().find(|(name, _)| name == "metadata.version").map(|(_, level)| *level)
}

/// 5, also after a restart.
fn metadata_version(place: &Place, random: &mut Random) {
    topic(place, 1, 0, random);
    for _ in 0..2 {
        let run = Run::start(place);
        let answer = ask_api_versions(&mut run.connect(), random.correlation_id());
        assert_eq!(level(&answer.finalized), Some(METADATA_VERSION));
        run.stop();
    }
}

/// 7 and 8: records that no parser takes, one producer and sequence in every batch, and no index files.
fn indexes(place: &Place, random: &mut Random) {
    let topic = topic(place, 1, 7, random);
    let log = data_log(place, topic.name, 0);
    let run = Run::start(place);
    serves(&mut run.connect(), &topic, random);
    run.stop();
    for extension in ["index", "timeindex"] {
        assert!(log.with_extension(extension).exists(), "{extension}");
    }
    assert_eq!(fs::read(&log).unwrap(), files::data_batches(&topic.partitions[0]));
}

/// 9: they are older than the retention, which is not looked at right away.
fn old_records(place: &Place, random: &mut Random) {
    let topic = topic(place, 1, 3, random);
    for _ in 0..3 {
        let run = Run::start(place);
        serves(&mut run.connect(), &topic, random);
        run.stop();
    }
}

/// 11 and 12: the end of a stream, or 30,000 bytes on it, counts as the program's end. Apache says more than that.
fn streams(place: &Place, random: &mut Random) {
    if is_foreign() {
        return;
    }
    let topic = topic(place, 1, 1, random);
    let run = Run::start(place);
    for number in 0..200 {
        let mut stream = TcpStream::connect(("127.0.0.1", place.client_port)).ok();
        if number == 0 && stream.is_none() {
            drop(run.connect());
            stream = TcpStream::connect(("127.0.0.1", place.client_port)).ok();
        }
        stream.unwrap().write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    serves(&mut run.connect(), &topic, random);
    let seen = run
        .program
        .streams(|streams| streams.each_ref().map(|stream| (stream.is_closed, stream.bytes.len())));
    for (is_closed, bytes) in seen {
        assert!(!is_closed && bytes <= OUTPUT_BYTES_MAX, "{seen:?}");
    }
    run.stop();
}

/// 12: nobody reads the pipes, and clients give every reason to complain. Apache waits for who does not read.
fn full_pipe(place: &Place, random: &mut Random) {
    if is_foreign() {
        return;
    }
    let topic = topic(place, 1, 1, random);
    let run = Run::start_with(place, Program::start_unread);
    drop(run.connect());
    for _ in 0..2000 {
        let mut stream = TcpStream::connect(("127.0.0.1", place.client_port)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        // Until it is closed.
        let _ = stream.read(&mut [0]);
    }
    serves(&mut run.connect(), &topic, random);
    run.stop();
}

/// 15: and the next one binds the same ports at once.
fn held_connections(place: &Place, random: &mut Random) {
    let topic = topic(place, 1, 1, random);
    let mut held = Vec::new();
    for _ in 0..2 {
        let run = Run::start(place);
        held.push(run.connect());
        let mut client = run.connect();
        serves(&mut client, &topic, random);
        held.push(client);
        let (status, time) = run.stop_and_tell();
        assert!(status.is_some() && time < Duration::from_secs(2), "{status:?} after {time:?}");
    }
}

/// 21
fn cursor(place: &Place, random: &mut Random) {
    let topic = topic(place, 3, 0, random);
    let run = Run::start(place);
    let mut client = run.connect();
    for (limit, seen, cursor) in [(4, 3, None), (3, 3, None), (2, 2, Some(2)), (1, 1, Some(1))] {
        let answer = ask_listing(&mut client, &[topic.name], limit, random);
        assert_eq!(answer.topics[0].partitions.len(), seen);
        assert_eq!(answer.cursor, cursor.map(|index| (topic.name.to_owned(), index)));
    }
    run.stop();
}

/// 22: session 0 with epoch 0 asks for a new session, also a second time.
fn full_fetches(place: &Place, random: &mut Random) {
    let topic = topic(place, 1, 2, random);
    let run = Run::start(place);
    let mut client = run.connect();
    for _ in 0..3 {
        serves(&mut client, &topic, random);
    }
    run.stop();
}

/// 23: `max_wait_ms` is 500.
fn no_wait(place: &Place, random: &mut Random) {
    topic(place, 1, 0, random);
    let run = Run::start(place);
    let mut client = run.connect();
    ask_api_versions(&mut client, 1);
    let began = Instant::now();
    client.send(&fetch_request(&[files::topic_id([0; 6])], 1));
    client.receive();
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    run.stop();
}

/// 27: neither by Produce nor by DescribeTopicPartitions.
fn no_creation(place: &Place, random: &mut Random) {
    topic(place, 1, 0, random);
    let run = Run::start(place);
    let mut client = run.connect();
    ask_produce(&mut client, &[("nowhere", 0, batch(1, random))], random);
    for _ in 0..2 {
        let answer = ask_listing(&mut client, &["nowhere"], 1, random);
        assert_eq!((answer.topics[0].error, answer.topics[0].partitions.len()), (3, 0));
    }
    run.stop();
}

/// 28: and a second batch with the same sequence is the first one again, not a new one (KIP-98).
fn producer_0(place: &Place, random: &mut Random) {
    let topic = topic(place, 3, 0, random);
    let run = Run::start(place);
    let mut client = run.connect();
    for _ in 0..2 {
        for index in 0..3 {
            let sent = [(topic.name, index, batch(2, random))];
            let answer = answered(&ask_produce(&mut client, &sent, random), &sent)[0];
            assert_eq!((answer.error, answer.base_offset), (0, 0));
        }
    }
    run.stop();
}

/// 16 to 20 and 24 to 26 are in every stage; here, that a request of no API ends one connection only.
#[test]
fn an_unknown_api_ends_one_connection_only() {
    alone("traps::an_unknown_api_ends_one_connection_only", |place| {
        files::write(place, &[]);
        let run = Run::start(place);
        let mut client = run.connect();
        let mut other = run.connect();
        other.send(&request(999, 0, 1));
        ask_api_versions(&mut client, 1);
        run.stop();
    });
}
