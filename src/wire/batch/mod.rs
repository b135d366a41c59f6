//! Record batches of format v2, as views on bytes that came from a client or a file.
//!
//! A batch is not taken apart: 61 bytes of header say all that the log needs. Its first 16 bytes (base
//! offset, length, leader epoch) and the magic byte lie outside the checksum, so a leader writes a prefix
//! of its own and the client's bytes from 16 on, untouched. What changes anything else (log append time,
//! another codec) makes a new batch.

use bytes::Bytes;
use thiserror::Error;

use super::compression::Codec;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// Base offset and length: what precedes the part that the length counts.
pub const LOG_OVERHEAD_BYTES: usize = 12;
/// Base offset, length and leader epoch: what a leader writes anew.
pub const BATCH_PREFIX_BYTES: usize = 16;
/// Everything before the first record.
pub const BATCH_HEADER_BYTES: usize = 61;
/// The only format there is since Kafka 4.0.
pub const MAGIC_V2: i8 = 2;

const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
/// From here on the checksum counts.
pub const CHECKED_FROM: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Fewer bytes than a header.
    #[error("{have_bytes} bytes are too few for a batch header")]
    HeaderCut {
        /// What there is.
        have_bytes: usize,
    },
    /// Not format v2.
    #[error("magic {0} is not 2")]
    Magic(i8),
    /// A length that is too small for the header.
    #[error("batch length {0} is smaller than a header")]
    Length(i32),
    /// The length says more than there is.
    #[error("a batch of {size_bytes} bytes has only {have_bytes}")]
    Cut {
        /// What the header says.
        size_bytes: usize,
        /// What there is.
        have_bytes: usize,
    },
    /// Offsets that no log gives out: below 0, falling, or the last number that there is, after which there is no end.
    #[error("no log has offsets from {base_offset} to {last_offset_delta} above it")]
    Offsets {
        /// The first.
        base_offset: Offset,
        /// How far the last is above it.
        last_offset_delta: i32,
    },
    /// The checksum does not fit the bytes.
    #[error("stored crc {stored}, computed crc {computed}")]
    Crc {
        /// In the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
}

/// Who gave the records their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// The producer.
    #[default]
    CreateTime,
    /// The broker, at the append: one time for the whole batch.
    LogAppendTime,
}

/// The header of a batch: 61 bytes, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record, also of one that compaction removed.
    pub base_offset: Offset,
    /// Bytes after this field.
    pub batch_length: i32,
    /// The epoch of the leader that appended it.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, time type and flags.
    pub attributes: i16,
    /// The last offset minus the first; compaction keeps it.
    pub last_offset_delta: i32,
    /// What timestamps of records are counted from; the delete horizon where that flag is set.
    pub base_timestamp: Timestamp,
    /// The largest timestamp, or the log append time.
    pub max_timestamp: Timestamp,
    /// −1 for a producer without idempotence.
    pub producer_id: ProducerId,
    /// −1 for a producer without idempotence.
    pub producer_epoch: ProducerEpoch,
    /// The sequence number of the first record; −1 without idempotence.
    pub base_sequence: i32,
    /// How many records there are.
    pub record_count: i32,
}

impl BatchHeader {
    /// Decodes the header at the start of `bytes`, which may go on after it. Says nothing about the rest.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let cut = BatchError::HeaderCut { have_bytes: bytes.len() };
        let header: &[u8; BATCH_HEADER_BYTES] = bytes.first_chunk().ok_or(cut)?;
        let magic = header[MAGIC_AT] as i8;
        if magic != MAGIC_V2 {
            return Err(BatchError::Magic(magic));
        }
        let batch_length = i32::from_be_bytes(field::<LENGTH_AT, 4>(header));
        if batch_length < (BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32 {
            return Err(BatchError::Length(batch_length));
        }
        Ok(Self {
            base_offset: Offset(i64::from_be_bytes(field::<0, 8>(header))),
            batch_length,
            partition_leader_epoch: LeaderEpoch(i32::from_be_bytes(field::<12, 4>(header))),
            crc: u32::from_be_bytes(field::<CRC_AT, 4>(header)),
            attributes: i16::from_be_bytes(field::<CHECKED_FROM, 2>(header)),
            last_offset_delta: i32::from_be_bytes(field::<23, 4>(header)),
            base_timestamp: Timestamp(i64::from_be_bytes(field::<27, 8>(header))),
            max_timestamp: Timestamp(i64::from_be_bytes(field::<MAX_TIMESTAMP_AT, 8>(header))),
            producer_id: ProducerId(i64::from_be_bytes(field::<43, 8>(header))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field::<51, 2>(header))),
            base_sequence: i32::from_be_bytes(field::<53, 4>(header)),
            record_count: i32::from_be_bytes(field::<57, 4>(header)),
        })
    }

    /// The 61 bytes, with the checksum as it stands in this header.
    pub fn to_bytes(self) -> [u8; BATCH_HEADER_BYTES] {
        let mut bytes = [0; BATCH_HEADER_BYTES];
        let prefix =
            Batch::prefix(self.base_offset, self.batch_length, self.partition_leader_epoch);
        put::<0, 16>(&mut bytes, prefix);
        bytes[MAGIC_AT] = MAGIC_V2 as u8;
        put::<CRC_AT, 4>(&mut bytes, self.crc.to_be_bytes());
        put::<CHECKED_FROM, 2>(&mut bytes, self.attributes.to_be_bytes());
        put::<23, 4>(&mut bytes, self.last_offset_delta.to_be_bytes());
        put::<27, 8>(&mut bytes, self.base_timestamp.0.to_be_bytes());
        put::<MAX_TIMESTAMP_AT, 8>(&mut bytes, self.max_timestamp.0.to_be_bytes());
        put::<43, 8>(&mut bytes, self.producer_id.0.to_be_bytes());
        put::<51, 2>(&mut bytes, self.producer_epoch.0.to_be_bytes());
        put::<53, 4>(&mut bytes, self.base_sequence.to_be_bytes());
        put::<57, 4>(&mut bytes, self.record_count.to_be_bytes());
        bytes
    }

    /// The codec of the records; None for a number that no codec has.
    pub const fn compression(&self) -> Option<Codec> {
        Codec::of_id((self.attributes & CODEC_BITS) as u8)
    }

    /// Whose clock the records carry.
    pub const fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Part of a transaction (also a marker that ends one).
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Written by brokers for brokers: its records are no one's data.
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// The base timestamp is the time at which compaction may drop tombstones (KIP-534).
    pub const fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON_BIT != 0
    }

    /// From this time on compaction may drop what the batch has of tombstones, or the marker that it is (KIP-534).
    #[must_use]
    pub const fn with_delete_horizon(self, horizon: Timestamp) -> Self {
        let attributes = self.attributes | DELETE_HORIZON_BIT;
        Self { attributes, base_timestamp: horizon, ..self }
    }

    /// The same batch without its records: what it says of its producer and its offsets stays.
    #[must_use]
    pub const fn without_records(self) -> Self {
        let attributes = self.attributes & !(CODEC_BITS | DELETE_HORIZON_BIT);
        Self { attributes, base_timestamp: Timestamp::NONE, record_count: 0, ..self }
    }

    /// Written by an idempotent producer.
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id.0 > ProducerId::NONE.0
    }

    /// The offset of the last record, also of one that compaction removed.
    pub const fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.wrapping_add(self.last_offset_delta as i64))
    }

    /// Whether a log can have given out these offsets. What comes from a producer may say anything: it is given others.
    pub const fn check_offsets(&self) -> Result<(), BatchError> {
        let Self { base_offset, last_offset_delta, .. } = *self;
        let has_end = base_offset.0.checked_add(last_offset_delta as i64 + 1).is_some();
        if base_offset.0 >= 0 && last_offset_delta >= 0 && has_end {
            Ok(())
        } else {
            Err(BatchError::Offsets { base_offset, last_offset_delta })
        }
    }

    /// The sequence number of the last record, which wraps after 2³¹ − 1; −1 without idempotence.
    pub const fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        (self.base_sequence as u32).wrapping_add(self.last_offset_delta as u32) as i32 & i32::MAX
    }

    /// The size of the whole batch.
    pub const fn size_bytes(&self) -> usize {
        LOG_OVERHEAD_BYTES + self.batch_length as usize
    }
}

fn field<const AT: usize, const N: usize>(header: &[u8; BATCH_HEADER_BYTES]) -> [u8; N] {
    const { assert!(AT + N <= BATCH_HEADER_BYTES) };
    let mut field = [0; N];
    field.copy_from_slice(&header[AT..AT + N]);
    field
}

fn put<const AT: usize, const N: usize>(header: &mut [u8; BATCH_HEADER_BYTES], field: [u8; N]) {
    const { assert!(AT + N <= BATCH_HEADER_BYTES) };
    header[AT..AT + N].copy_from_slice(&field);
}

/// The checksum of a batch, given everything from [`CHECKED_FROM`] on.
pub fn crc_of(checked: &[u8]) -> u32 {
    crc32c::crc32c(checked)
}

/// One whole batch: a slice of the frame or the file that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its header, decoded.
    pub header: BatchHeader,
    /// All of its bytes, header included.
    pub bytes: Bytes,
}

impl Batch {
    /// The batch at the start of `bytes`; what follows it is left alone. The checksum is not computed.
    pub fn parse(bytes: &Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let size_bytes = header.size_bytes();
        if bytes.len() < size_bytes {
            return Err(BatchError::Cut { size_bytes, have_bytes: bytes.len() });
        }
        Ok(Self { header, bytes: bytes.slice(..size_bytes) })
    }

    /// Compares the checksum.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = crc_of(self.bytes.get(CHECKED_FROM..).unwrap_or_default());
        let stored = self.header.crc;
        if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
    }

    /// The records, compressed if they are.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(BATCH_HEADER_BYTES.min(self.bytes.len())..)
    }

    /// What a leader writes in front of `bytes[16..]`: outside the checksum, so nothing is computed anew.
    pub fn prefix(base: Offset, batch_length: i32, epoch: LeaderEpoch) -> [u8; BATCH_PREFIX_BYTES] {
        let mut prefix = [0; BATCH_PREFIX_BYTES];
        prefix[..8].copy_from_slice(&base.0.to_be_bytes());
        prefix[8..12].copy_from_slice(&batch_length.to_be_bytes());
        prefix[12..].copy_from_slice(&epoch.0.to_be_bytes());
        prefix
    }

    /// A copy that says when the broker appended it.
    #[must_use]
    pub fn with_log_append_time(&self, now: Timestamp) -> Self {
        self.with_time(TimestampType::LogAppendTime, now)
    }

    /// A copy with another type of time and another largest timestamp.
    #[must_use]
    pub fn with_time(&self, timestamp_type: TimestampType, max_timestamp: Timestamp) -> Self {
        let mut header = BatchHeader { max_timestamp, ..self.header };
        match timestamp_type {
            TimestampType::CreateTime => header.attributes &= !LOG_APPEND_TIME_BIT,
            TimestampType::LogAppendTime => header.attributes |= LOG_APPEND_TIME_BIT,
        }
        Self::assemble(header, &self.payload())
    }

    /// A copy whose records are in another codec.
    #[must_use]
    pub fn with_payload(&self, codec: Codec, payload: &[u8]) -> Self {
        let mut header = self.header;
        header.attributes = header.attributes & !CODEC_BITS | i16::from(codec.id());
        Self::assemble(header, payload)
    }

    /// Puts a header and records together; length and checksum are computed here. Bits of the attributes
    /// that mean nothing yet are cleared, as Kafka does whenever it writes a header.
    pub fn assemble(header: BatchHeader, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(BATCH_HEADER_BYTES + payload.len());
        bytes.resize(BATCH_HEADER_BYTES, 0);
        bytes.extend_from_slice(payload);
        Self::seal(header, bytes)
    }

    /// The same where the records already lie behind room for the header.
    pub fn seal(mut header: BatchHeader, mut bytes: Vec<u8>) -> Self {
        if bytes.len() < BATCH_HEADER_BYTES {
            bytes.resize(BATCH_HEADER_BYTES, 0);
        }
        header.attributes &=
            CODEC_BITS | LOG_APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT | DELETE_HORIZON_BIT;
        header.batch_length = (bytes.len() - LOG_OVERHEAD_BYTES) as i32;
        bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
        header.crc = crc_of(&bytes[CHECKED_FROM..]);
        bytes[CRC_AT..CHECKED_FROM].copy_from_slice(&header.crc.to_be_bytes());
        Self { header, bytes: Bytes::from(bytes) }
    }
}

/// The attributes of a batch to be built.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// The codec of the records.
    pub codec: Codec,
    /// Whose time the records carry.
    pub timestamp_type: TimestampType,
    /// Part of a transaction.
    pub transactional: bool,
    /// Written for brokers.
    pub control: bool,
}

impl Attributes {
    /// As the header carries them.
    pub fn to_bits(self) -> i16 {
        let flag = |set: bool, bit: i16| if set { bit } else { 0 };
        i16::from(self.codec.id())
            | flag(self.timestamp_type == TimestampType::LogAppendTime, LOG_APPEND_TIME_BIT)
            | flag(self.transactional, TRANSACTIONAL_BIT)
            | flag(self.control, CONTROL_BIT)
    }
}

/// Walks batches that lie one after another. Ends after the first error; a cut batch at the end is one.
#[derive(Clone, Debug)]
pub struct Batches {
    left: Bytes,
}

impl Batches {
    /// The batches in `bytes`.
    pub const fn new(bytes: Bytes) -> Self {
        Self { left: bytes }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        match Batch::parse(&self.left) {
            Ok(batch) => {
                self.left = self.left.slice(batch.bytes.len()..);
                Some(Ok(batch))
            }
            Err(error) => {
                self.left = Bytes::new();
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests;
