//! Walks the records of a batch to find out whether they are any, and materialises none.
//!
//! Two sources: the bytes of an uncompressed batch, and a stream that unpacks a compressed one through one
//! small buffer. A fault of the form ends the walk, as it does in Kafka; faults of the content (no key, a
//! time out of range) are collected, because the answer names the records.

use std::io::{BufRead, BufReader};

use super::{BatchRules, RECORD_FAULTS_MAX, out_of_range};
use crate::types::time::Timestamp;
use crate::wire::batch::{BatchHeader, TimestampType};
use crate::wire::compression::{Codec, CompressionError, Unpacker};
use crate::wire::produce::RecordFault;
use crate::wire::varint::{self, VARLONG_MAX_BYTES};

/// Why a walk did not come to a good end.
pub enum WalkError {
    /// These bytes are not the records that the header announces.
    Invalid(&'static str),
    /// They cannot be unpacked.
    Compression(CompressionError),
    /// The records are well formed, and some are refused.
    Faults(Faults),
}

/// The records that are refused.
#[derive(Default)]
pub struct Faults {
    /// All of them.
    pub count: usize,
    /// Whether one of them is about time, which gives the answer its code.
    pub any_timestamp: bool,
    /// The first of them.
    pub named: Vec<Fault>,
}

/// A record that is refused.
pub struct Fault {
    record: Seen,
    kind: FaultKind,
    partial: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    NoKey,
    OutOfRange,
    LogAppendTime,
}

/// What the checks need of a record.
#[derive(Clone, Copy)]
struct Seen {
    index: i32,
    timestamp: Timestamp,
    key_bytes: i32,
    value_bytes: i32,
}

/// Where records come from.
pub trait Source {
    /// A varint of 32 bits.
    fn signed(&mut self) -> Option<i32>;
    /// A varint of 64 bits.
    fn signed_long(&mut self) -> Option<i64>;
    /// Steps over bytes.
    fn skip(&mut self, bytes: usize) -> Option<()>;
    /// How many bytes were taken so far.
    fn taken_bytes(&self) -> usize;
    /// Whether that was all.
    fn is_at_end(&mut self) -> bool;
    /// Why there was nothing more, if the source knows.
    fn fault(&self) -> Option<CompressionError>;
    /// Whether Kafka looks at such a batch through its stream of partial records.
    const PARTIAL: bool;
}

/// The largest timestamp of a batch whose records are all in order.
pub fn walk<S: Source>(
    mut source: S,
    header: &BatchHeader,
    rules: &BatchRules<'_>,
) -> Result<Timestamp, WalkError> {
    let kind = header.timestamp_type();
    let log_append_time = (kind == TimestampType::LogAppendTime).then_some(header.max_timestamp);
    let mut faults = Faults::default();
    let mut max_timestamp = Timestamp::NONE;
    for index in 0..header.record_count {
        let seen = record(&mut source, index, header.base_timestamp, log_append_time);
        let record = match (seen, source.fault()) {
            (Ok(record), _) => record,
            (Err(_), Some(error)) => return Err(WalkError::Compression(error)),
            (Err(what), None) => return Err(WalkError::Invalid(what)),
        };
        max_timestamp = max_timestamp.max(record.timestamp);
        if let Some(kind) = fault_of(&record, kind, rules) {
            faults.add(Fault { record, kind, partial: S::PARTIAL });
        }
    }
    if !source.is_at_end() {
        return Err(WalkError::Invalid("bytes are left after the last record"));
    }
    if let Some(error) = source.fault() {
        return Err(WalkError::Compression(error));
    }
    if faults.count > 0 { Err(WalkError::Faults(faults)) } else { Ok(max_timestamp) }
}

/// Steps over one record.
#[inline]
fn record<S: Source>(
    source: &mut S,
    index: i32,
    base_timestamp: Timestamp,
    log_append_time: Option<Timestamp>,
) -> Result<Seen, &'static str> {
    const CUT: &str = "a record ends within a field";
    let length = source.signed().ok_or("there are fewer records than announced")?;
    let length = usize::try_from(length).map_err(|_| "a record's length is negative")?;
    let end = source.taken_bytes().saturating_add(length);
    source.skip(1).ok_or(CUT)?;
    let timestamp_delta = source.signed_long().ok_or(CUT)?;
    let offset_delta = source.signed().ok_or(CUT)?;
    if offset_delta != index {
        return Err("the offset deltas are not 0, 1, 2 and so on");
    }
    let key_bytes = nullable(source, end)?;
    let value_bytes = nullable(source, end)?;
    let headers = source.signed().ok_or(CUT)?;
    if headers != 0 {
        skip_headers(source, headers, end)?;
    }
    if source.taken_bytes() != end {
        return Err("a record has another length than it says");
    }
    let own_time = Timestamp(base_timestamp.0.wrapping_add(timestamp_delta));
    let timestamp = log_append_time.unwrap_or(own_time);
    Ok(Seen { index, timestamp, key_bytes, value_bytes })
}

fn skip_headers<S: Source>(source: &mut S, count: i32, end: usize) -> Result<(), &'static str> {
    let count = usize::try_from(count).map_err(|_| "a record's count of headers is negative")?;
    for _ in 0..count {
        if nullable(source, end)? < 0 {
            return Err("a header's key is null");
        }
        nullable(source, end)?;
    }
    Ok(())
}

/// Steps over a field that may be null, whose length is −1 then.
#[inline]
fn nullable<S: Source>(source: &mut S, end: usize) -> Result<i32, &'static str> {
    let length = source.signed().ok_or("a record ends within a length")?;
    if length > 0 {
        // Not beyond its record, lest a stream be unpacked for nothing.
        let left = end.saturating_sub(source.taken_bytes());
        let fits = Some(length as usize).filter(|length| *length <= left);
        fits.and_then(|length| source.skip(length)).ok_or("a field goes past its record")?;
    } else if length < -1 {
        return Err("a field's length is below -1");
    }
    Ok(length)
}

/// What is wrong with a record, in Kafka's order: the key first, then the time.
#[inline]
fn fault_of(record: &Seen, kind: TimestampType, rules: &BatchRules<'_>) -> Option<FaultKind> {
    if rules.compacted && record.key_bytes < 0 {
        return Some(FaultKind::NoKey);
    }
    if rules.timestamp_type == TimestampType::CreateTime && record.timestamp != Timestamp::NONE {
        return out_of_range(record.timestamp, rules).then_some(FaultKind::OutOfRange);
    }
    (kind == TimestampType::LogAppendTime).then_some(FaultKind::LogAppendTime)
}

impl Faults {
    #[cold]
    fn add(&mut self, fault: Fault) {
        self.count += 1;
        self.any_timestamp |= fault.kind != FaultKind::NoKey;
        if self.named.len() < RECORD_FAULTS_MAX {
            self.named.push(fault);
        }
    }
}

impl Fault {
    /// In Kafka's words. The base offset is 0, so a record's offset is its index.
    pub fn in_words(&self, rules: &BatchRules<'_>) -> RecordFault {
        let Seen { index, timestamp, key_bytes, value_bytes } = self.record;
        let message = match self.kind {
            FaultKind::NoKey => format!(
                "Compacted topic cannot accept message without key in topic partition {}-{}",
                rules.topic, rules.partition
            ),
            FaultKind::OutOfRange => format!(
                "Timestamp {} of message with offset {index} is out of range. The timestamp should \
                 be within [{}, {}]",
                timestamp.0,
                rules.now.0.wrapping_sub(rules.timestamp_before_max_ms),
                rules.now.0.wrapping_add(rules.timestamp_after_max_ms)
            ),
            FaultKind::LogAppendTime => {
                let class = if self.partial { "PartialDefaultRecord" } else { "DefaultRecord" };
                // A whole record says 0 for null, a partial one says −1.
                let least = if self.partial { -1 } else { 0 };
                format!(
                    "Invalid timestamp type in message {class}(offset={index}, timestamp={}, \
                     key={} bytes, value={} bytes). Producer should not set timestamp type to \
                     LogAppendTime.",
                    timestamp.0,
                    key_bytes.max(least),
                    value_bytes.max(least)
                )
            }
        };
        RecordFault { batch_index: index, message: Some(message) }
    }
}

/// The records of an uncompressed batch.
pub struct SliceSource<'a> {
    left: &'a [u8],
    total_bytes: usize,
}

impl<'a> SliceSource<'a> {
    /// From the first record on.
    pub const fn new(records: &'a [u8]) -> Self {
        Self { left: records, total_bytes: records.len() }
    }
}

impl Source for SliceSource<'_> {
    const PARTIAL: bool = false;

    #[inline]
    fn signed(&mut self) -> Option<i32> {
        varint::take_signed(&mut self.left)
    }

    #[inline]
    fn signed_long(&mut self) -> Option<i64> {
        varint::take_signed_long(&mut self.left)
    }

    #[inline]
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.get(bytes..)?;
        Some(())
    }

    #[inline]
    fn taken_bytes(&self) -> usize {
        self.total_bytes - self.left.len()
    }

    fn is_at_end(&mut self) -> bool {
        self.left.is_empty()
    }

    fn fault(&self) -> Option<CompressionError> {
        None
    }
}

/// What a stream is read through.
const STREAM_BUFFER_BYTES: usize = 8 * 1024;

/// The records of a compressed batch.
pub struct StreamSource<'a> {
    stream: BufReader<Unpacker<'a>>,
    taken_bytes: usize,
    fault: Option<CompressionError>,
}

impl<'a> StreamSource<'a> {
    /// From the first record on, up to `limit_bytes` of unpacked ones.
    pub fn new(
        codec: Codec,
        records: &'a [u8],
        limit_bytes: usize,
    ) -> Result<Self, CompressionError> {
        let unpacker = Unpacker::new(codec, records, limit_bytes)?;
        let stream = BufReader::with_capacity(STREAM_BUFFER_BYTES, unpacker);
        Ok(Self { stream, taken_bytes: 0, fault: None })
    }

    /// What is unpacked and not yet taken; None at the end or after a fault.
    fn buffered(&mut self) -> Option<&[u8]> {
        if self.stream.fill_buf().is_err() {
            self.fault = Some(self.stream.get_ref().fault());
            return None;
        }
        Some(self.stream.buffer()).filter(|bytes| !bytes.is_empty())
    }

    fn take_byte(&mut self) -> Option<u8> {
        let byte = *self.buffered()?.first()?;
        self.stream.consume(1);
        self.taken_bytes += 1;
        Some(byte)
    }

    /// The bytes of one varint, of which the last says so.
    fn take_varint(&mut self) -> Option<([u8; VARLONG_MAX_BYTES], usize)> {
        let mut bytes = [0; VARLONG_MAX_BYTES];
        for (index, into) in bytes.iter_mut().enumerate() {
            *into = self.take_byte()?;
            if *into < 0x80 {
                return Some((bytes, index + 1));
            }
        }
        None
    }
}

impl Source for StreamSource<'_> {
    const PARTIAL: bool = true;

    fn signed(&mut self) -> Option<i32> {
        let (bytes, length) = self.take_varint()?;
        varint::take_signed(&mut bytes.get(..length)?)
    }

    fn signed_long(&mut self) -> Option<i64> {
        let (bytes, length) = self.take_varint()?;
        varint::take_signed_long(&mut bytes.get(..length)?)
    }

    fn skip(&mut self, mut bytes: usize) -> Option<()> {
        while bytes > 0 {
            let step = self.buffered()?.len().min(bytes);
            self.stream.consume(step);
            self.taken_bytes += step;
            bytes -= step;
        }
        Some(())
    }

    fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    fn is_at_end(&mut self) -> bool {
        self.buffered().is_none()
    }

    fn fault(&self) -> Option<CompressionError> {
        self.fault
    }
}
