//! The broker is killed while clients work: nothing that was acknowledged is lost, and with idempotence nothing is
//! there twice or out of order.

use std::time::Duration;

use protocol_tests::node::Node;
use rdkafka::producer::{BaseProducer, Producer as _};

use super::librdkafka::{Sent, assert_no_more, config, consumer, create, enqueue, take};

const PARTITIONS: i32 = 3;
const RECORDS: i32 = 6000;
const LIMIT: Duration = Duration::from_mins(1);

/// Sends numbered records; `end` ends the broker after each third, and it starts again.
fn produce_through(end: fn(&mut Node), keys: &[(&str, &str)]) -> (Node, usize) {
    let mut node = Node::start();
    create(&node, "crash", PARTITIONS, &[]);
    let quick = [
        ("linger.ms", "1"),
        ("batch.num.messages", "50"),
        ("reconnect.backoff.ms", "20"),
        ("reconnect.backoff.max.ms", "100"),
        ("retry.backoff.ms", "20"),
    ];
    let producer: BaseProducer = config(&node, &[&quick, keys].concat()).create().unwrap();
    for number in 0..RECORDS {
        enqueue(&producer, "crash", number % PARTITIONS, &Sent::value(number.to_string()));
        if number % (RECORDS / 3) == RECORDS / 6 {
            // Some are acknowledged, some are on their way.
            producer.poll(Duration::from_millis(20));
            end(&mut node);
            node.restart();
        }
    }
    producer.flush(LIMIT).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
    (node, RECORDS as usize)
}

fn assert_each_once_in_order(node: &Node, count: usize) {
    let consumer = consumer(node, &[], "crash", PARTITIONS);
    let mut taken = take(&consumer, count);
    assert_no_more(&consumer);
    taken.sort_by_key(|(partition, offset, _)| (*partition, *offset));
    let each = RECORDS / PARTITIONS;
    for (at, (partition, offset, got)) in taken.iter().enumerate() {
        let at = at as i32;
        assert_eq!((*partition, *offset), (at / each, i64::from(at % each)));
        let number = at % each * PARTITIONS + at / each;
        assert_eq!(got, &Sent::value(number.to_string()));
    }
}

#[test]
fn idempotent_records_are_there_once_after_kills() {
    let keys = [("enable.idempotence", "true"), ("compression.codec", "lz4")];
    let (node, count) = produce_through(Node::kill, &keys);
    assert_each_once_in_order(&node, count);
}

#[test]
fn idempotent_records_are_there_once_after_stops() {
    let stop: fn(&mut Node) = |node| assert_eq!(node.stop().code(), Some(0));
    let (node, count) = produce_through(stop, &[("enable.idempotence", "true")]);
    assert_each_once_in_order(&node, count);
}

/// Without idempotence a record may be there twice, but it is there.
#[test]
fn acknowledged_records_are_there_after_kills() {
    let (node, count) = produce_through(Node::kill, &[("enable.idempotence", "false")]);
    let consumer = consumer(&node, &[], "crash", PARTITIONS);
    let mut seen = vec![false; count];
    let mut missing = count;
    while missing > 0 {
        for (_, _, got) in take(&consumer, 1) {
            let text = String::from_utf8(got.value.unwrap()).unwrap();
            let number = text.parse::<usize>().unwrap();
            missing -= usize::from(!std::mem::replace(&mut seen[number], true));
        }
    }
}

/// What was read before is read again, byte for byte, whichever way the broker ended.
#[test]
fn what_was_consumed_stays() {
    let mut node = Node::start();
    create(&node, "stays", 1, &[]);
    let producer: BaseProducer = config(&node, &[("linger.ms", "0")]).create().unwrap();
    let mut known = Vec::new();
    for round in 0..4 {
        for number in 0..100 {
            enqueue(&producer, "stays", 0, &Sent::value(format!("{round} {number}")));
        }
        producer.flush(LIMIT).unwrap();
        let taken = take(&consumer(&node, &[], "stays", 1), known.len() + 100);
        assert_eq!(taken[..known.len()], known);
        known = taken;
        if round % 2 == 0 {
            node.kill();
        } else {
            node.stop();
        }
        node.restart();
    }
    assert_eq!(take(&consumer(&node, &[], "stays", 1), known.len()), known);
}
