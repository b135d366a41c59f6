//! Makes record batches: for the metadata log, snapshots, markers, and tests.
//!
//! One builder makes one batch. Offsets are consecutive from the base offset; the base timestamp is that
//! of the first record, as Kafka's builder has it.

use bytes::Bytes;

use super::batch::{Attributes, BATCH_HEADER_BYTES, Batch, BatchHeader};
use super::compression::{Codec, CompressionError, compress};
use super::varint;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// A header of a record: a key, and a value that may be null.
pub type HeaderRef<'a> = (&'a str, Option<&'a [u8]>);

/// What a control record says, by the second number of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum ControlType {
    /// A transaction's records count for nothing.
    Abort = 0,
    /// A transaction's records count.
    Commit = 1,
    /// A new leader of the metadata quorum.
    LeaderChange = 2,
    /// The first record of a snapshot.
    SnapshotHeader = 3,
    /// The last record of a snapshot.
    SnapshotFooter = 4,
    /// The version of KRaft in use (KIP-853).
    KRaftVersion = 5,
    /// The voters of the metadata quorum (KIP-853).
    KRaftVoters = 6,
}

impl ControlType {
    /// The type that a control record's key names.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let (_version, rest) = key.split_first_chunk::<2>()?;
        Some(match i16::from_be_bytes(*rest.first_chunk()?) {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            _ => return None,
        })
    }

    /// The key of such a record: version 0, and the type.
    pub const fn key(self) -> [u8; 4] {
        let [high, low] = (self as i16).to_be_bytes();
        [0, 0, high, low]
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    attributes: Attributes,
    /// Room for the header, and the records behind it.
    bytes: Vec<u8>,
}

/// How many bytes a batch has room for at first: a marker, or a record or two of a coordinator.
const FIRST_BYTES: usize = 256;

impl BatchBuilder {
    /// An empty batch whose first record will be at `base_offset`.
    pub fn new(base_offset: Offset) -> Self {
        let header = BatchHeader {
            base_offset,
            batch_length: 0,
            partition_leader_epoch: LeaderEpoch::UNKNOWN,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: -1,
            record_count: 0,
        };
        let mut bytes = Vec::with_capacity(FIRST_BYTES);
        bytes.resize(BATCH_HEADER_BYTES, 0);
        Self { header, attributes: Attributes::default(), bytes }
    }

    /// Written in this epoch.
    #[must_use]
    pub const fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// Written by this idempotent producer.
    #[must_use]
    pub const fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = sequence;
        self
    }

    /// Part of a transaction.
    #[must_use]
    pub const fn transactional(mut self) -> Self {
        self.attributes.transactional = true;
        self
    }

    /// Adds a record.
    #[must_use]
    #[cfg(any(test, feature = "internals"))]
    pub fn record(self, time: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.record_with_headers(time, key, value, &[])
    }

    /// Adds a record with headers.
    #[must_use]
    #[cfg(any(test, feature = "internals"))]
    pub fn record_with_headers(
        mut self,
        time: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) -> Self {
        self.push(time, key, value, headers);
        self
    }

    /// Adds a record for brokers, and makes the whole batch one of these.
    #[must_use]
    pub fn control_record(mut self, kind: ControlType, time: Timestamp, value: &[u8]) -> Self {
        self.attributes.control = true;
        self.push(time, Some(&kind.key()), Some(value), &[]);
        self
    }

    /// Adds a record, for those who do so in a loop.
    pub fn push(
        &mut self,
        time: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp = time;
        }
        header.max_timestamp = header.max_timestamp.max(time);
        header.last_offset_delta += 1;
        header.record_count += 1;
        let time_delta = time.0.wrapping_sub(header.base_timestamp.0);
        let offset_delta = header.last_offset_delta;
        let count = headers.len() as i32;
        // The length comes first, so it is known before anything is written: no record needs a buffer of its own.
        let length_bytes = 1
            + varint::signed_long_len_bytes(time_delta)
            + varint::signed_len_bytes(offset_delta)
            + nullable_len_bytes(key)
            + nullable_len_bytes(value)
            + varint::signed_len_bytes(count)
            + headers.iter().map(header_len_bytes).sum::<usize>();
        let into = &mut self.bytes;
        into.reserve(varint::VARINT_MAX_BYTES + length_bytes);
        varint::put_signed(into, length_bytes as i32);
        into.push(0);
        varint::put_signed_long(into, time_delta);
        varint::put_signed(into, offset_delta);
        put_nullable(into, key);
        put_nullable(into, value);
        varint::put_signed(into, count);
        for (name, content) in headers {
            put_nullable(into, Some(name.as_bytes()));
            put_nullable(into, *content);
        }
    }

    /// The batch, uncompressed.
    pub fn build(self) -> Bytes {
        self.build_batch().bytes
    }

    /// The batch, its records packed with `codec` at Kafka's default level.
    pub fn build_compressed(self, codec: Codec) -> Result<Batch, CompressionError> {
        let batch = self.build_batch();
        let packed = compress(codec, None, &batch.payload())?;
        Ok(batch.with_payload(codec, &packed))
    }

    /// The batch, uncompressed, with its header.
    pub fn build_batch(mut self) -> Batch {
        self.attributes.codec = Codec::None;
        self.header.attributes = self.attributes.to_bits();
        Batch::seal(self.header, self.bytes)
    }
}

fn header_len_bytes((name, content): &HeaderRef<'_>) -> usize {
    nullable_len_bytes(Some(name.as_bytes())) + nullable_len_bytes(*content)
}

fn nullable_len_bytes(field: Option<&[u8]>) -> usize {
    match field {
        None => varint::signed_len_bytes(-1),
        Some(bytes) => varint::signed_len_bytes(bytes.len() as i32) + bytes.len(),
    }
}

fn put_nullable(into: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => varint::put_signed(into, -1),
        Some(bytes) => {
            varint::put_signed(into, bytes.len() as i32);
            into.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::indexmap::IndexMap;
    use kafka_protocol::protocol::StrBytes;
    use kafka_protocol::records as theirs;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::record_iter::iterate;

    #[derive(Clone, Debug)]
    struct Given {
        time: i64,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
    }

    fn given() -> impl Strategy<Value = Vec<Given>> {
        let header = ("[a-z]{0,9}", any::<Option<Vec<u8>>>());
        let record = (
            0..1_i64 << 40,
            any::<Option<Vec<u8>>>(),
            any::<Option<Vec<u8>>>(),
            prop::collection::vec(header, 0..3),
        );
        let record = record.prop_map(|(time, key, value, mut headers)| {
            headers.sort();
            headers.dedup_by(|a, b| a.0 == b.0);
            Given { time, key, value, headers }
        });
        prop::collection::vec(record, 1..9)
    }

    fn build(records: &[Given]) -> Batch {
        let mut builder = BatchBuilder::new(Offset(70)).leader_epoch(LeaderEpoch(3)).producer(
            ProducerId(9),
            ProducerEpoch(1),
            4,
        );
        for record in records {
            let headers: Vec<_> =
                record.headers.iter().map(|(name, value)| (&name[..], value.as_deref())).collect();
            builder.push(
                Timestamp(record.time),
                record.key.as_deref(),
                record.value.as_deref(),
                &headers,
            );
        }
        builder.build_batch()
    }

    proptest! {
        #[test]
        fn the_protocol_crate_reads_what_is_built(records in given()) {
            let batch = build(&records);
            batch.check_crc().unwrap();
            let mut bytes = batch.bytes;
            let read = theirs::RecordBatchDecoder::decode(&mut bytes).unwrap().records;
            prop_assert_eq!(read.len(), records.len());
            for (index, (read, given)) in read.iter().zip(&records).enumerate() {
                prop_assert_eq!(read.offset, 70 + index as i64);
                prop_assert_eq!(read.timestamp, given.time);
                prop_assert_eq!(read.producer_id, 9);
                prop_assert_eq!(read.sequence, 4 + index as i32);
                prop_assert_eq!(read.key.as_deref(), given.key.as_deref());
                prop_assert_eq!(read.value.as_deref(), given.value.as_deref());
                let expected: IndexMap<StrBytes, Option<Bytes>> = given
                    .headers
                    .iter()
                    .map(|(k, v)| (StrBytes::from_string(k.clone()), v.clone().map(Bytes::from)))
                    .collect();
                prop_assert_eq!(&read.headers, &expected);
            }
        }

        #[test]
        fn what_is_built_is_walked(records in given()) {
            let batch = build(&records);
            let header = BatchHeader::parse(&batch.bytes).unwrap();
            prop_assert_eq!(header, batch.header);
            prop_assert_eq!(header.last_offset(), Offset(69 + records.len() as i64));
            let latest = records.iter().map(|record| record.time).max().unwrap();
            prop_assert_eq!(header.max_timestamp, Timestamp(latest));
            let walk: Result<Vec<_>, _> = iterate(&batch, 0).unwrap().collect();
            for (index, (read, given)) in walk.unwrap().iter().zip(&records).enumerate() {
                prop_assert_eq!(read.offset, Offset(70 + index as i64));
                prop_assert_eq!(read.timestamp, Timestamp(given.time));
                prop_assert_eq!(read.key.as_deref(), given.key.as_deref());
                prop_assert_eq!(read.value.as_deref(), given.value.as_deref());
                let headers: Vec<_> = read.headers.read().unwrap();
                prop_assert_eq!(headers.len(), given.headers.len());
            }
        }
    }

    #[test]
    fn a_compressed_batch_holds_the_same_records() {
        let builder = BatchBuilder::new(Offset(3))
            .record(Timestamp(5), Some(b"key"), Some(b"value"))
            .record(Timestamp(6), None, None);
        let plain: Vec<_> = iterate(&builder.clone().build_batch(), 0).unwrap().collect();
        assert_eq!(plain.len(), 2);
        for codec in Codec::ALL {
            let batch = builder.clone().build_compressed(codec).unwrap();
            batch.check_crc().unwrap();
            assert_eq!(batch.header.compression(), Some(codec));
            assert_eq!(iterate(&batch, 1000).unwrap().collect::<Vec<_>>(), plain);
            assert!(codec == Codec::None || iterate(&batch, 10).is_err(), "{codec:?} is bounded");
        }
    }

    #[test]
    fn a_control_batch_says_so() {
        let batch = BatchBuilder::new(Offset(1))
            .control_record(ControlType::LeaderChange, Timestamp(5), b"x")
            .build_batch();
        assert!(batch.header.is_control());
        let record = iterate(&batch, 0).unwrap().next().unwrap().unwrap();
        let key = record.key.unwrap();
        assert_eq!(&key[..], [0, 0, 0, 2]);
        assert_eq!(ControlType::of_key(&key), Some(ControlType::LeaderChange));
        assert_eq!(ControlType::of_key(&[0, 0, 0]), None);
        assert_eq!(ControlType::of_key(&[0, 0, 0, 99]), None);
    }
}
