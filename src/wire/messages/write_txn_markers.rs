//! WriteTxnMarkers, versions 1 and 2: version 2 says under which version of transactions a marker is checked (KIP-1228).
//!
//! Its answer looks as in version 1, which the protocol crate writes.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use crate::types::epoch::ProducerEpoch;
use crate::types::ids::{PartitionId, ProducerId};
use crate::wire::fields::{Malformed, Reader};

const FIRST_WITH_TRANSACTION_VERSION: i16 = 2;

/// An id, an epoch, a result, a count, an epoch, and the end.
const MARKER_MIN_BYTES: usize = 8 + 2 + 1 + 1 + 4 + 1;
/// A name, a count, and the end.
const TOPIC_MIN_BYTES: usize = 1 + 1 + 1;
/// An index.
const PARTITION_BYTES: usize = 4;

/// One marker, and where it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritableTxnMarker {
    /// The producer.
    pub producer_id: ProducerId,
    /// The epoch for the marker.
    pub producer_epoch: ProducerEpoch,
    /// Whether the records count.
    pub committed: bool,
    /// Partitions by topic. The names are slices of the frame.
    pub topics: Vec<(StrBytes, Vec<PartitionId>)>,
    /// The epoch of the coordinator that decided.
    pub coordinator_epoch: i32,
    /// The `transaction.version` under which the marker is checked; 0 before version 2.
    pub transaction_version: i16,
}

/// Reads a request, which need not have passed the guard.
pub fn decode(version: i16, body: Bytes) -> Result<Vec<WritableTxnMarker>, Malformed> {
    let mut from = Reader::new(body, true);
    let count = from.count(MARKER_MIN_BYTES)?;
    let markers = (0..count).map(|_| marker(&mut from, version)).collect::<Result<_, _>>()?;
    from.tags(|_, _| Ok(false))?;
    Ok(markers)
}

fn marker(from: &mut Reader, version: i16) -> Result<WritableTxnMarker, Malformed> {
    let (producer_id, producer_epoch) = (ProducerId(from.i64()?), ProducerEpoch(from.i16()?));
    let committed = from.i8()? != 0;
    let count = from.count(TOPIC_MIN_BYTES)?;
    let topics = (0..count).map(|_| topic(from)).collect::<Result<_, _>>()?;
    let coordinator_epoch = from.i32()?;
    let transaction_version =
        if version >= FIRST_WITH_TRANSACTION_VERSION { i16::from(from.i8()?) } else { 0 };
    from.tags(|_, _| Ok(false))?;
    Ok(WritableTxnMarker {
        producer_id,
        producer_epoch,
        committed,
        topics,
        coordinator_epoch,
        transaction_version,
    })
}

fn topic(from: &mut Reader) -> Result<(StrBytes, Vec<PartitionId>), Malformed> {
    let name = from.text()?;
    let count = from.count(PARTITION_BYTES)?;
    let partitions = (0..count).map(|_| from.i32().map(PartitionId)).collect::<Result<_, _>>()?;
    from.tags(|_, _| Ok(false))?;
    Ok((name, partitions))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::write_txn_markers_response::{
        WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    };
    use kafka_protocol::messages::{TopicName, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

    use super::*;
    use crate::wire::messages::encode;

    fn bytes(hex: &str) -> Bytes {
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.as_bytes().chunks(2).map(byte).collect()
    }

    /// The bytes are those of Apache Kafka's own classes, release 4.3.1.
    #[test]
    fn write_txn_markers_reads_both_versions() {
        let check = |version, body: &str, transaction_version| {
            let expected = WritableTxnMarker {
                producer_id: ProducerId(7),
                producer_epoch: ProducerEpoch(3),
                committed: true,
                topics: vec![(
                    StrBytes::from_static_str("t"),
                    vec![PartitionId(1), PartitionId(2)],
                )],
                coordinator_epoch: 5,
                transaction_version,
            };
            assert_eq!(decode(version, bytes(body)), Ok(vec![expected]));
            for length in 0..body.len() / 2 {
                assert!(decode(version, bytes(body).slice(..length)).is_err(), "{length}");
            }
        };
        let begin = "02000000000000000700030102027403000000010000000200000000050";
        check(1, &format!("{begin}000"), 0);
        check(2, &format!("{begin}20000"), 2);
    }

    #[test]
    fn its_counts_are_never_taken_on_trust() {
        let marker = "0200000000000000070003010202";
        assert_eq!(decode(2, bytes("ffffffff07")), Err(Malformed::Elements));
        assert_eq!(decode(2, bytes("00")), Err(Malformed::Null));
        let topics = "020000000000000007000301ffffffff07";
        assert_eq!(decode(2, bytes(topics)), Err(Malformed::Elements));
        let partitions = format!("{marker}74ffffffff0700000000000000000000");
        assert_eq!(decode(2, bytes(&partitions)), Err(Malformed::Elements));
    }

    #[test]
    fn write_txn_markers_answers_version_2_as_1() {
        let partition =
            WritableTxnMarkerPartitionResult::default().with_partition_index(1).with_error_code(47);
        let topic = WritableTxnMarkerTopicResult::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_partitions(vec![partition]);
        let marker =
            WritableTxnMarkerResult::default().with_producer_id(7.into()).with_topics(vec![topic]);
        let answer = WriteTxnMarkersResponse::default().with_markers(vec![marker]);
        for version in [1, 2] {
            let mut out = BytesMut::new();
            encode::<WriteTxnMarkersRequest>(version, &answer, &mut out).unwrap();
            assert_eq!(out, bytes("0200000000000000070202740200000001002f00000000"));
        }
    }
}
