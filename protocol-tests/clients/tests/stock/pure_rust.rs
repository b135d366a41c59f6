//! rskafka: protocol code that owes nothing to librdkafka's or Kafka's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use protocol_tests::node::Node;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work);
}

async fn connect(node: &Node) -> Client {
    ClientBuilder::new(vec![node.address().to_string()]).build().await.unwrap()
}

async fn partition(client: &Client, topic: &str) -> PartitionClient {
    client.partition_client(topic, 0, UnknownTopicHandling::Retry).await.unwrap()
}

/// Milliseconds, which is what the protocol has.
fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000 + 1000 * seconds).unwrap()
}

fn records() -> Vec<Record> {
    let record = |key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &[u8])]| Record {
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: headers.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect(),
        timestamp: time(0),
    };
    let mut records = vec![
        record(Some(b"key"), Some(b"value"), &[("a", b"1"), ("b", b"")]),
        record(None, Some(b""), &[]),
        record(Some(b""), None, &[]),
        record(None, None, &[]),
    ];
    records.extend((0..200).map(|number| Record {
        key: None,
        value: Some(format!("value {number} ").repeat(number).into_bytes()),
        headers: BTreeMap::new(),
        timestamp: time(number as i64),
    }));
    records
}

#[test]
fn what_goes_in_comes_out_with_every_codec() {
    let node = Node::start();
    run(async {
        let client = connect(&node).await;
        for (name, compression) in [
            ("none", Compression::NoCompression),
            ("gzip", Compression::Gzip),
            ("snappy", Compression::Snappy),
            ("lz4", Compression::Lz4),
            ("zstd", Compression::Zstd),
        ] {
            client.controller_client().unwrap().create_topic(name, 1, 1, 5000).await.unwrap();
            let partition = partition(&client, name).await;
            let sent = records();
            let offsets = partition.produce(sent.clone(), compression).await.unwrap();
            assert_eq!(offsets, (0..sent.len() as i64).collect::<Vec<_>>());
            let (got, high_watermark) =
                partition.fetch_records(0, 1..10_000_000, 1000).await.unwrap();
            assert_eq!(high_watermark, sent.len() as i64);
            for (at, (got, sent)) in got.iter().zip(&sent).enumerate() {
                assert_eq!((got.offset, &got.record), (at as i64, sent), "{name}");
            }
            assert_eq!(got.len(), sent.len());
        }
    });
}

#[test]
fn topics_and_records_are_administered() {
    let node = Node::start();
    run(async {
        let client = connect(&node).await;
        let controller = client.controller_client().unwrap();
        controller.create_topic("pure", 3, 1, 5000).await.unwrap();
        assert!(controller.create_topic("pure", 3, 1, 5000).await.is_err());
        let topics = client.list_topics().await.unwrap();
        assert_eq!(
            (topics.len(), topics[0].name.as_str(), topics[0].partitions.len()),
            (1, "pure", 3)
        );

        let partition = partition(&client, "pure").await;
        partition.produce(records(), Compression::NoCompression).await.unwrap();
        let end = records().len() as i64;
        assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 0);
        assert_eq!(partition.get_offset(OffsetAt::Latest).await.unwrap(), end);
        assert_eq!(partition.get_offset(OffsetAt::Timestamp(time(150))).await.unwrap(), 154);
        partition.delete_records(10, 5000).await.unwrap();
        assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 10);
        assert!(partition.fetch_records(3, 1..1000, 100).await.is_err());

        controller.delete_topic("pure", 5000).await.unwrap();
        assert!(client.list_topics().await.unwrap().is_empty());
    });
}
