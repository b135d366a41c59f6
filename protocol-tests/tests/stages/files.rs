//! What lies on disk before a stage, byte for byte as the tester writes it.

use std::fs;
use std::path::Path;

use protocol_tests::fields::Writer;
use protocol_tests::record_batch::RecordBatch;

use super::place::Place;
use super::random::Random;

/// The names of topics, and the words of messages.
pub const FRUIT: [&str; 10] = [
    "apple",
    "orange",
    "banana",
    "pear",
    "grape",
    "pineapple",
    "mango",
    "strawberry",
    "raspberry",
    "blueberry",
];

/// When the data was written: older than the week of the default retention.
pub const DATA_TIMESTAMP: i64 = 1_726_045_973_899;
const FEATURE_TIMESTAMP: i64 = 1_726_045_943_832;
const TOPIC_TIMESTAMP: i64 = 1_726_045_957_397;
/// `directory.id`, as its bytes.
const DIRECTORY_ID: [u8; 16] = [0x10, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1];

/// A topic: its messages by partition.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: &'static str,
    pub id: [u8; 16],
    pub partitions: Vec<Vec<String>>,
}

impl Topic {
    /// With a random id, whose last twelve digits have no f, and whose base64 is the same in both alphabets:
    /// Kafka refuses the standard one's + and /.
    pub fn new(name: &'static str, partitions: Vec<Vec<String>>, random: &mut Random) -> Self {
        loop {
            let mut digits = || random.from(0, 15) * 16 + random.from(0, 15);
            let id = topic_id(std::array::from_fn(|_| digits() as u8));
            if !padded(id).contains(['+', '/']) {
                return Self { name, id, partitions };
            }
        }
    }

    /// Without messages.
    pub fn empty(name: &'static str, partitions: usize, random: &mut Random) -> Self {
        Self::new(name, vec![Vec::new(); partitions], random)
    }
}

/// `71a59a51-8968-4f8b-937e-` and six bytes.
pub fn topic_id(tail: [u8; 6]) -> [u8; 16] {
    let mut id = [0x71, 0xa5, 0x9a, 0x51, 0x89, 0x68, 0x4f, 0x8b, 0x93, 0x7e, 0, 0, 0, 0, 0, 0];
    id[10..].copy_from_slice(&tail);
    id
}

/// The log of a topic's partition.
pub fn data_log(place: &Place, topic: &str, partition: usize) -> std::path::PathBuf {
    place.logs.join(format!("{topic}-{partition}")).join(LOG)
}

const LOG: &str = "00000000000000000000.log";

/// Removes all that was there and writes what every stage has; and the topics, where there are some.
pub fn write(place: &Place, topics: &[Topic]) {
    let _ = fs::remove_dir_all(&place.logs);
    fs::create_dir_all(&place.logs).unwrap();
    fs::write(&place.properties, server_properties(place)).unwrap();
    fs::write(
        place.logs.join("meta.properties"),
        "#\n#Wed Sep 11 09:12:23 UTC 2024\ncluster.id=IAAAAAAAQACAAAAAAAAAAQ\n\
         directory.id=EAAAAAAAQACAAAAAAAAAAQ==\nnode.id=1\nversion=1\n",
    )
    .unwrap();
    fs::write(place.logs.join(".kafka_cleanshutdown"), r#"{"version":0,"brokerEpoch":10}"#)
        .unwrap();
    if topics.is_empty() {
        return;
    }
    let metadata = place.logs.join("__cluster_metadata-0");
    write_partition(&metadata, "AAAAAAAAAAAAAAAAAAAAAQ", &metadata_log(topics));
    for topic in topics {
        for (partition, messages) in topic.partitions.iter().enumerate() {
            let directory = place.logs.join(format!("{}-{partition}", topic.name));
            write_partition(&directory, &padded(topic.id), &data_batches(messages));
        }
    }
}

fn write_partition(directory: &Path, topic_id: &str, log: &[u8]) {
    fs::create_dir(directory).unwrap();
    let text = format!("version: 0\ntopic_id: {topic_id}");
    fs::write(directory.join("partition.metadata"), text).unwrap();
    fs::write(directory.join(LOG), log).unwrap();
}

fn server_properties(place: &Place) -> String {
    let (client, controller, logs) =
        (place.client_port, place.controller_port, place.logs.display());
    format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:{controller}\n\
         listeners=PLAINTEXT://:{client},CONTROLLER://:{controller}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,\
         SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\nlog.dirs={logs}"
    )
}

/// Standard base64 of 16 bytes, with its padding.
pub fn padded(id: [u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut text = String::new();
    for three in id[..15].chunks(3) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        text.extend([digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]);
    }
    text.extend([digit(u32::from(id[15]) >> 2), digit(u32::from(id[15]) << 4)]);
    text + "=="
}

/// One batch a message. The header count of every record is -1: Kafka's own parser throws on it.
pub fn data_batches(messages: &[String]) -> Vec<u8> {
    let batch = |(offset, message): (usize, &String)| {
        let mut batch = RecordBatch::new(DATA_TIMESTAMP).from_producer(0, 0, 0);
        batch.base_offset = offset as i64;
        batch.record_with_header_count(None, Some(message.as_bytes()), -1).sealed()
    };
    messages.iter().enumerate().flat_map(batch).collect()
}

/// The log of the cluster's metadata: a batch with the feature level, then one a topic. It starts at 1.
fn metadata_log(topics: &[Topic]) -> Vec<u8> {
    let level = Writer::default().raw(&[1, 12, 0]).compact(b"metadata.version").i16(20).tags().0;
    let mut log = metadata_batch(1, FEATURE_TIMESTAMP, &[level]);
    let mut offset = 2;
    for topic in topics {
        let name = topic.name.as_bytes();
        let mut values =
            vec![Writer::default().raw(&[1, 2, 0]).compact(name).raw(&topic.id).tags().0];
        values.extend((0..topic.partitions.len()).map(|partition| {
            let ids = |writer: Writer, ids: &[i32]| writer.array(ids, |writer, id| writer.i32(*id));
            let writer = Writer::default().raw(&[1, 3, 1]).i32(partition as i32).raw(&topic.id);
            let writer = ids(ids(ids(ids(writer, &[1]), &[1]), &[]), &[]);
            let writer = writer.i32(1).i32(0).i32(0);
            writer.array(&[DIRECTORY_ID], |writer, id| writer.raw(id)).tags().0
        }));
        log.extend(metadata_batch(offset, TOPIC_TIMESTAMP, &values));
        offset += values.len() as i64;
    }
    log
}

fn metadata_batch(base_offset: i64, timestamp: i64, values: &[Vec<u8>]) -> Vec<u8> {
    let mut batch = RecordBatch::new(timestamp);
    (batch.base_offset, batch.partition_leader_epoch) = (base_offset, 1);
    values.iter().fold(batch, |batch, value| batch.record(None, Some(value))).sealed()
}

#[cfg(test)]
mod tests {
    use protocol_tests::fields::hex;

    use super::*;

    #[test]
    fn a_data_batch_is_the_recorded_one() {
        assert_eq!(
            hex(&data_batches(&["pineapple".to_owned()])),
            "0000000000000000000000410000000002cf35bf6200000000000000000191e05b6d8b00000191e05b6d8b\
             0000000000000000000000000000000000011e000000011270696e656170706c6501"
        );
    }

    #[test]
    fn the_metadata_log_is_the_recorded_one() {
        let topic =
            Topic { name: "foo", id: topic_id([0, 0, 0, 0, 0, 1]), partitions: vec![vec![]] };
        assert_eq!(
            hex(&metadata_log(&[topic])),
            "00000000000000010000004f0000000102b069457c00000000000000000191e05af81800000191e05af818\
             ffffffffffffffffffffffffffff000000013a000000012e010c00116d657461646174612e76657273696f\
             6e00140000\
             00000000000000020000009a000000010203391bc900000000000100000191e05b2d1500000191e05b2d15\
             ffffffffffffffffffffffffffff000000023c000000013001020004666f6f71a59a5189684f8b937e0000\
             00000001000090010000020182010103010000000071a59a5189684f8b937e000000000001020000000102\
             00000001010100000001000000000000000002100000000000400080000000000000010000"
        );
    }

    #[test]
    fn ids_are_padded_base64() {
        assert_eq!(padded(DIRECTORY_ID), "EAAAAAAAQACAAAAAAAAAAQ==");
    }
}
