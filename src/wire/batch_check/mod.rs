//! What a producer's batch must be before it may be appended (Kafka's `LogValidator`).
//!
//! Exactly one batch of format v2 for a partition, with a checksum that agrees and a header that does not
//! contradict itself. An uncompressed batch is walked record by record without an allocation, because one
//! damaged record would stop every consumer. A compressed batch stays closed, which is the whole of its
//! price elsewhere, unless something asks for a look inside: `ottla.validate.compressed`, a compacted topic
//! (each record needs a key), a topic with a codec of its own, a lower bound on timestamps, or a header
//! whose time is out of range, so that the answer names the records.
//!
//! Stricter than Kafka, which would store these and leave the consumers to fail: offset deltas other than
//! 0, 1, 2 … in an uncompressed batch, lengths below −1, and a delete horizon, which is compaction's to set.

mod walk;

use std::fmt::Write as _;

use bytes::Bytes;

use self::walk::{SliceSource, StreamSource, WalkError};
use super::batch::{
    BATCH_HEADER_BYTES, Batch, BatchHeader, LOG_OVERHEAD_BYTES, MAGIC_V2, TimestampType,
};
use super::compression::{Codec, CompressionError, compress, decompress};
use super::produce::RecordFault;
use crate::types::error_code::ErrorCode;
use crate::types::ids::PartitionId;
use crate::types::time::Timestamp;

/// How many errors of single records an answer names; the rest of a batch with more goes unnamed, and
/// clients fail those records with a general message.
pub const RECORD_FAULTS_MAX: usize = 100;

/// A compressed batch may unpack to this many times its own size, or its topic's largest message.
pub const UNPACKED_RATIO_MAX: usize = 32;

/// The smallest length Kafka's reader takes for a batch of any format.
const OLDEST_OVERHEAD_BYTES: i32 = 14;
const MAGIC_AT: usize = 16;
/// The low byte of a batch's attributes, and the bit of a transaction in it.
const ATTRIBUTES_AT: usize = 22;
const TRANSACTIONAL_BIT: u8 = 0x10;
const FIRST_PRODUCE_WITH_ZSTD: i16 = 7;

/// The codec that a topic's `compression.type` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetCompression {
    /// What the producer chose.
    #[default]
    Producer,
    /// This one, at a level of `compression.<codec>.level`.
    Codec(Codec, Option<i32>),
}

/// What a topic and a request ask of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchRules<'a> {
    /// The topic, for messages.
    pub topic: &'a str,
    /// The partition, for messages.
    pub partition: PartitionId,
    /// The version of the Produce request.
    pub api_version: i16,
    /// `max.message.bytes`.
    pub max_message_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// The broker's time.
    pub now: Timestamp,
    /// Whether `cleanup.policy` holds `compact`.
    pub compacted: bool,
    /// `ottla.validate.compressed`.
    pub validate_compressed: bool,
    /// `compression.type`.
    pub compression: TargetCompression,
}

/// Why a batch is not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRefusal {
    /// The partition's error.
    pub code: ErrorCode,
    /// What Kafka tells the client: only errors of single records come with words.
    pub message: Option<String>,
    /// Which records are to blame, where records are.
    pub record_errors: Vec<RecordFault>,
    /// What happened, for the log.
    pub reason: &'static str,
    /// Kafka sees it before it looks at the partition: the answer says nothing of the log then.
    pub at_first_sight: bool,
}

impl BatchRefusal {
    const fn new(code: ErrorCode, reason: &'static str) -> Self {
        Self { code, message: None, record_errors: Vec::new(), reason, at_first_sight: false }
    }

    const fn corrupt(reason: &'static str) -> Self {
        Self::new(ErrorCode::CorruptMessage, reason)
    }

    const fn invalid(reason: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRecord, reason)
    }
}

/// Why bytes do not even begin like a batch, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABatch {
    /// The length leaves no room for a header of any format.
    #[error("Record size {0} is less than the minimum record overhead ({OLDEST_OVERHEAD_BYTES})")]
    Length(i32),
    /// There is no such format.
    #[error("Invalid magic found in record: {0}")]
    Magic(i8),
}

impl From<NotABatch> for BatchRefusal {
    fn from(why: NotABatch) -> Self {
        Self::corrupt(match why {
            NotABatch::Length(_) => "the batch is shorter than any header",
            NotABatch::Magic(_) => "there is no such batch format",
        })
    }
}

/// Whether the first batch belongs to a transaction. Kafka asks this of all partitions before it looks at any of them,
/// and fails the whole request where it cannot tell.
pub fn begins_in_transaction(records: &[u8]) -> Result<bool, NotABatch> {
    let batch = next_batch(records)?.filter(|&(_, magic)| magic == MAGIC_V2);
    let attributes = records.get(ATTRIBUTES_AT).copied().unwrap_or_default();
    Ok(batch.is_some() && attributes & TRANSACTIONAL_BIT != 0)
}

/// Checks what a producer sent for one partition and gives back the batch to append: a slice of `records`
/// unless the topic wants another time or codec.
pub fn check_produced(records: &Bytes, rules: &BatchRules<'_>) -> Result<Batch, BatchRefusal> {
    let batch = only_batch(records, rules.api_version)
        .map_err(|refusal| BatchRefusal { at_first_sight: true, ..refusal })?;
    let codec = check_header(&batch, rules)?;
    let target = match rules.compression {
        TargetCompression::Codec(target, level) if target != codec => Some((target, level)),
        _ => None,
    };
    if let Some((target, level)) = target {
        return recompressed(&batch, codec, target, level, rules);
    }
    let walked = if codec == Codec::None {
        Some(walk::walk(SliceSource::new(payload(&batch)), &batch.header, rules))
    } else if must_open(&batch.header, rules) {
        let unpacked = StreamSource::new(codec, payload(&batch), unpacked_max_bytes(&batch, rules));
        Some(walk::walk(unpacked.map_err(of_compression)?, &batch.header, rules))
    } else {
        None
    };
    let max_timestamp = match walked {
        Some(walked) => walked.map_err(|error| of_walk(error, rules))?,
        None => batch.header.max_timestamp,
    };
    Ok(timed(batch, max_timestamp, rules))
}

/// The one batch in `records`. What follows it may be anything that is too short to be a batch, as Kafka has
/// it, and is cut off.
fn only_batch(records: &Bytes, api_version: i16) -> Result<Batch, BatchRefusal> {
    let Some((size_bytes, magic)) = next_batch(records)? else {
        return Err(BatchRefusal::invalid("there is no batch"));
    };
    if magic != MAGIC_V2 {
        return Err(BatchRefusal::invalid("the batch is older than format v2"));
    }
    let attributes = records.get(ATTRIBUTES_AT).copied().unwrap_or_default();
    if api_version < FIRST_PRODUCE_WITH_ZSTD && Codec::of_id(attributes & 7) == Some(Codec::Zstd) {
        let code = ErrorCode::UnsupportedCompressionType;
        return Err(BatchRefusal::new(code, "zstd before version 7"));
    }
    if next_batch(records.get(size_bytes..).unwrap_or_default())?.is_some() {
        return Err(BatchRefusal::invalid("there is more than one batch"));
    }
    let bytes = records.slice(..size_bytes);
    match BatchHeader::parse(&bytes) {
        Ok(header) => Ok(Batch { header, bytes }),
        Err(_) => Err(BatchRefusal::corrupt("the batch is shorter than its header")),
    }
}

/// Size and format of the batch at the start of `bytes`; None if they end before it does.
fn next_batch(bytes: &[u8]) -> Result<Option<(usize, i8)>, NotABatch> {
    let Some((_, after_offset)) = bytes.split_at_checked(8) else { return Ok(None) };
    let Some(length) = after_offset.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    if length < OLDEST_OVERHEAD_BYTES {
        return Err(NotABatch::Length(length));
    }
    let Some(magic) = bytes.get(MAGIC_AT) else { return Ok(None) };
    let magic = *magic as i8;
    if !(0..=MAGIC_V2).contains(&magic) {
        return Err(NotABatch::Magic(magic));
    }
    let size_bytes = LOG_OVERHEAD_BYTES + length as usize;
    Ok((size_bytes <= bytes.len()).then_some((size_bytes, magic)))
}

/// Everything that the header says, in Kafka's order; the codec.
fn check_header(batch: &Batch, rules: &BatchRules<'_>) -> Result<Codec, BatchRefusal> {
    let header = &batch.header;
    if header.base_offset.0 != 0 {
        return Err(BatchRefusal::invalid("the base offset is not 0"));
    }
    if batch.bytes.len() > rules.max_message_bytes {
        let code = ErrorCode::MessageTooLarge;
        return Err(BatchRefusal::new(code, "the batch is larger than max.message.bytes"));
    }
    if batch.check_crc().is_err() {
        return Err(BatchRefusal::corrupt("the checksum is wrong"));
    }
    let Some(codec) = header.compression() else {
        let code = ErrorCode::UnsupportedCompressionType;
        return Err(BatchRefusal::new(code, "there is no such codec"));
    };
    if header.record_count <= 0 {
        return Err(BatchRefusal::invalid("the count of records is not positive"));
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count) {
        return Err(BatchRefusal::invalid("the last offset contradicts the count of records"));
    }
    if header.is_control() {
        return Err(BatchRefusal::invalid("clients do not write control records"));
    }
    if header.has_delete_horizon() {
        return Err(BatchRefusal::invalid("clients do not set a delete horizon"));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(BatchRefusal::invalid("a producer id comes without a sequence number"));
    }
    Ok(codec)
}

fn payload(batch: &Batch) -> &[u8] {
    batch.bytes.get(BATCH_HEADER_BYTES..).unwrap_or_default()
}

fn unpacked_max_bytes(batch: &Batch, rules: &BatchRules<'_>) -> usize {
    batch.bytes.len().max(rules.max_message_bytes).saturating_mul(UNPACKED_RATIO_MAX)
}

/// Whether the header of a compressed batch leaves a question that only its records answer.
fn must_open(header: &BatchHeader, rules: &BatchRules<'_>) -> bool {
    let log_append = |kind: TimestampType| kind == TimestampType::LogAppendTime;
    let unset = header.max_timestamp == Timestamp::NONE;
    let suspicious = if log_append(rules.timestamp_type) {
        log_append(header.timestamp_type())
    } else if log_append(header.timestamp_type()) {
        unset || out_of_range(header.max_timestamp, rules)
    } else {
        // The smallest timestamp stands nowhere but in the records.
        rules.timestamp_before_max_ms < i64::MAX
            || (!unset && out_of_range(header.max_timestamp, rules))
    };
    suspicious || rules.validate_compressed || rules.compacted
}

/// With Java's arithmetic, overflow and all.
fn out_of_range(timestamp: Timestamp, rules: &BatchRules<'_>) -> bool {
    let age_ms = rules.now.0.wrapping_sub(timestamp.0);
    age_ms > rules.timestamp_before_max_ms || age_ms.wrapping_neg() > rules.timestamp_after_max_ms
}

/// The batch with the time that the topic wants, copied only if that is another one.
fn timed(batch: Batch, max_timestamp: Timestamp, rules: &BatchRules<'_>) -> Batch {
    match rules.timestamp_type {
        TimestampType::LogAppendTime => batch.with_log_append_time(rules.now),
        TimestampType::CreateTime => {
            let header = &batch.header;
            let same_type = header.timestamp_type() == TimestampType::CreateTime;
            if same_type && header.max_timestamp == max_timestamp {
                return batch;
            }
            batch.with_time(TimestampType::CreateTime, max_timestamp)
        }
    }
}

/// The batch in the topic's codec. Its records are unpacked anyway, so they are all looked at.
fn recompressed(
    batch: &Batch,
    codec: Codec,
    target: Codec,
    level: Option<i32>,
    rules: &BatchRules<'_>,
) -> Result<Batch, BatchRefusal> {
    let limit_bytes = unpacked_max_bytes(batch, rules);
    let unpacked = decompress(codec, &batch.payload(), limit_bytes).map_err(of_compression)?;
    let walked = walk::walk(SliceSource::new(&unpacked), &batch.header, rules);
    let max_timestamp = walked.map_err(|error| of_walk(error, rules))?;
    let packed = compress(target, level, &unpacked).map_err(of_compression)?;
    let batch = batch.with_payload(target, &packed);
    if batch.bytes.len() > rules.max_message_bytes {
        let reason = "in the topic's codec, the batch is larger than max.message.bytes";
        return Err(BatchRefusal::new(ErrorCode::MessageTooLarge, reason));
    }
    Ok(timed(batch, max_timestamp, rules))
}

const fn of_compression(error: CompressionError) -> BatchRefusal {
    match error {
        CompressionError::Damaged(_) => BatchRefusal::invalid("the records cannot be unpacked"),
        // Java splits a batch that is too large and sends the halves.
        CompressionError::TooLarge { .. } => {
            BatchRefusal::new(ErrorCode::MessageTooLarge, "the records unpack to too much")
        }
    }
}

fn of_walk(error: WalkError, rules: &BatchRules<'_>) -> BatchRefusal {
    let faults = match error {
        WalkError::Invalid(reason) => return BatchRefusal::invalid(reason),
        WalkError::Compression(error) => return of_compression(error),
        WalkError::Faults(faults) => faults,
    };
    let named: Vec<RecordFault> = faults.named.iter().map(|fault| fault.in_words(rules)).collect();
    let (code, message) = if faults.any_timestamp {
        let message = "One or more records have been rejected due to invalid timestamp";
        (ErrorCode::InvalidTimestamp, message.to_owned())
    } else {
        (ErrorCode::InvalidRecord, summary(faults.count, &named))
    };
    let reason = "records are refused";
    BatchRefusal {
        code,
        message: Some(message),
        record_errors: named,
        reason,
        at_first_sight: false,
    }
}

/// Kafka's words, down to the way in which Java prints a list.
fn summary(count: usize, named: &[RecordFault]) -> String {
    let mut out = format!(
        "One or more records have been rejected due to {count} record errors in total, and only \
         showing the first three errors at most: ["
    );
    for (index, fault) in named.iter().take(3).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let message = fault.message.as_deref().unwrap_or_default();
        let batch_index = fault.batch_index;
        // Writing to a String does not fail.
        let _ = write!(out, "{comma}RecordError(batchIndex={batch_index}, message='{message}')");
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests;
