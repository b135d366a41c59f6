//! What is seen of transactions from outside: their ends in the logs (WriteTxnMarkers), DescribeProducers,
//! DescribeTransactions and ListTransactions.

use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest, ProducerId,
    WriteTxnMarkersRequest,
};
use protocol_tests::fields::Writer;
use protocol_tests::requests::{text, topic_name};

use super::script::Script;
use super::transactions::{
    Producer, TIMESTAMP, add_partitions, begin, end, produce, producer, settle, transactional_id,
};

fn marker(
    producer: Producer,
    committed: bool,
    coordinator_epoch: i32,
    topics: &[(&str, &[i32])],
) -> WritableTxnMarker {
    let topic = |(name, partitions): &(&str, &[i32])| {
        WritableTxnMarkerTopic::default()
            .with_name(topic_name(name))
            .with_partition_indexes(partitions.to_vec())
    };
    WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_transaction_result(committed)
        .with_coordinator_epoch(coordinator_epoch)
        .with_topics(topics.iter().map(topic).collect())
}

/// A transaction that has a record in partition 0.
fn open(script: &mut Script, id: &'static str) -> Producer {
    // The second epoch, so that there is one before it.
    producer(script, id);
    let p = producer(script, id);
    add_partitions(script, 3, p, &[("t", &[0])]);
    produce(script, 11, p, ("t", 0), 0);
    p
}

/// Version 1 of the request, by hand: a coordinator writes what it has decided, and whoever may speak for it.
#[test]
fn write_txn_markers() {
    let mut script = begin("write-txn-markers");
    script.topic("t", 2, &[]);
    let p = open(&mut script, "p");
    let ask = |script: &mut Script, markers: Vec<WritableTxnMarker>| {
        let request = WriteTxnMarkersRequest::default().with_markers(markers);
        script.ask_hiding(1, &request, |answer| {
            answer.markers.sort_by_key(|marker| marker.producer_id.0);
            for marker in &mut answer.markers {
                marker.topics.sort_by(|one, other| one.name.cmp(&other.name));
                for topic in &mut marker.topics {
                    topic.partitions.sort_by_key(|partition| partition.partition_index);
                }
            }
        });
    };
    let t0: &[(&str, &[i32])] = &[("t", &[0])];
    // An epoch that is over; then the end, twice; then a coordinator that is over, and the opposite of the end.
    ask(&mut script, vec![marker(p.at(p.epoch - 1), true, 5, t0)]);
    ask(&mut script, vec![marker(p, true, 5, t0)]);
    ask(&mut script, vec![marker(p, true, 5, t0)]);
    ask(&mut script, vec![marker(p, true, 4, t0)]);
    ask(&mut script, vec![marker(p, false, 6, t0)]);
    ask(&mut script, vec![marker(p, true, -1, t0)]);
    // Who never wrote anything here, and who is in a later life.
    ask(&mut script, vec![marker(Producer { id: 77, ..p }, true, 0, t0)]);
    ask(&mut script, vec![marker(p.at(p.epoch + 3), true, 7, t0)]);
    ask(&mut script, vec![marker(p, true, 7, t0)]);
    // What does not exist.
    ask(&mut script, vec![marker(p.at(9), true, 7, &[("t", &[0, 1, 5, -1]), ("unknown", &[0])])]);
    ask(&mut script, vec![marker(p.at(9), true, 7, &[("", &[0])])]);
    let q = open(&mut script, "q");
    ask(&mut script, vec![marker(p.at(9), true, 7, t0), marker(q, false, 0, t0)]);
    describe_producers(&mut script, &[("t", &[0, 1])]);
    script.end();
}

/// Version 2 says under which version of transactions a marker is checked (KIP-1228): under the second its epoch is above
/// that of the records.
#[test]
fn write_txn_markers_of_version_2() {
    let mut script = begin("write-txn-markers-2");
    script.topic("t", 1, &[]);
    let ask = |script: &mut Script, producer: Producer, coordinator_epoch: i32, version: i8| {
        let topic =
            |to: Writer, (): &()| to.compact(b"t").array(&[0], |to, index| to.i32(*index)).tags();
        let marker = |to: Writer, (): &()| {
            let to = to.i64(producer.id).i16(producer.epoch).i8(1).array(&[()], topic);
            to.i32(coordinator_epoch).i8(version).tags()
        };
        let body = Writer::default().array(&[()], marker).tags().0;
        script.ask_bytes(27, 2, true, &body, |_| ());
    };
    let p = open(&mut script, "p");
    for version in [0, 1, 2, 3, -1] {
        ask(&mut script, p.at(0), 3, version);
    }
    ask(&mut script, p, 3, 2);
    ask(&mut script, p.at(p.epoch + 1), 3, 2);
    ask(&mut script, p.at(p.epoch + 1), 3, 2);
    ask(&mut script, p.at(p.epoch + 1), 2, 2);
    ask(&mut script, p, 4, 2);
    ask(&mut script, p, 4, 1);
    let q = open(&mut script, "q");
    ask(&mut script, q, 0, 1);
    ask(&mut script, q, 0, 1);
    ask(&mut script, q, 0, 2);
    describe_producers(&mut script, &[("t", &[0])]);
    script.end();
}

fn describe_producers(script: &mut Script, topics: &[(&str, &[i32])]) {
    let topic = |(name, partitions): &(&str, &[i32])| {
        TopicRequest::default()
            .with_name(topic_name(name))
            .with_partition_indexes(partitions.to_vec())
    };
    let request =
        DescribeProducersRequest::default().with_topics(topics.iter().map(topic).collect());
    // Kafka answers in the order of hash tables.
    script.ask_hiding(0, &request, |answer| {
        answer.topics.sort_by(|one, other| one.name.cmp(&other.name));
        for topic in &mut answer.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
            for partition in &mut topic.partitions {
                partition.active_producers.sort_by_key(|producer| producer.producer_id.0);
                // Those who never wrote are known since a marker came.
                let markers = partition.active_producers.iter_mut();
                let markers = markers.filter(|producer| producer.last_timestamp != TIMESTAMP);
                markers.for_each(|producer| producer.last_timestamp = 0);
            }
        }
    });
}

#[test]
fn producers_and_transactions_described() {
    let mut script = begin("transactions-described");
    script.topic("t", 2, &[]);
    let (p, q) = (open(&mut script, "p"), open(&mut script, "q"));
    producer(&mut script, "empty");
    add_partitions(&mut script, 3, q, &[("t", &[1])]);
    script.ask(4, &end(p, true));
    settle(&script, "p");
    let r = open(&mut script, "r");
    script.ask(4, &end(r, false));
    settle(&script, "r");
    for topics in [
        &[][..],
        &[("t", &[][..])],
        &[("t", &[0, 1])],
        &[("t", &[0, 7, -1, 0]), ("unknown", &[0, 1]), ("", &[0])],
        &[("t", &[1]), ("t", &[1])],
    ] {
        describe_producers(&mut script, topics);
    }
    for ids in [&[][..], &["p"], &["q", "unknown", "", "empty", "p"], &["r", "r"]] {
        let ids = ids.iter().map(|id| transactional_id(id)).collect();
        let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
        script.ask_hiding(0, &request, |answer| {
            for state in &mut answer.transaction_states {
                state.transaction_start_time_ms = state.transaction_start_time_ms.signum();
                state.topics.sort_by(|one, other| one.topic.cmp(&other.topic));
                state.topics.iter_mut().for_each(|topic| topic.partitions.sort_unstable());
            }
        });
    }
    list_transactions(&mut script, [p.id, q.id]);
    script.end();
}

fn list_transactions(script: &mut Script, [p, q]: [i64; 2]) {
    let mut ask = |version: i16, request: &ListTransactionsRequest| {
        script.ask_hiding(version, request, |answer| {
            let states = &mut answer.transaction_states;
            states.sort_by(|one, other| one.transactional_id.cmp(&other.transactional_id));
            answer.unknown_state_filters.sort();
        });
    };
    // Below zero is any duration; before version 1 that is not said.
    let all = || ListTransactionsRequest::default().with_duration_filter(-1);
    for version in 0..=2 {
        ask(version, &all());
        for states in [
            &["Ongoing"][..],
            &["Empty", "CompleteCommit"],
            &["CompleteAbort", "Dead", "PrepareCommit"],
            &["ongoing"],
            &["Whatever", "", "Ongoing"],
        ] {
            let states = states.iter().map(|state| text(*state)).collect();
            ask(version, &all().with_state_filters(states));
        }
        for producers in [&[p][..], &[q, p], &[99], &[-1, q]] {
            let producers: Vec<_> = producers.iter().map(|id| ProducerId(*id)).collect();
            ask(version, &all().with_producer_id_filters(producers.clone()));
            let ongoing = vec![text("Ongoing")];
            let request = all().with_producer_id_filters(producers).with_state_filters(ongoing);
            ask(version, &request);
        }
        if version >= 1 {
            for duration_ms in [i64::MIN, 0, 3_600_000, i64::MAX] {
                ask(version, &all().with_duration_filter(duration_ms));
            }
        }
        if version >= 2 {
            for pattern in ["", ".*", "p|r", "e.*y", "p", "^q$", "[", "(?=p)p", "a{1,2}{3}"] {
                ask(version, &all().with_transactional_id_pattern(Some(text(pattern))));
            }
        }
    }
}
