//! Walks the records of a batch, lazily.
//!
//! For those who must look inside: the metadata log, compaction, the search for a time. Neither Produce
//! nor Fetch is among them. Headers are handed out unread, because records that older programs stored may
//! carry a header count of −1, and a key or a time can be read all the same.

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::batch::{Batch, TimestampType};
use super::compression::{CompressionError, decompress};
use super::varint;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// Why the records of a batch cannot be walked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The attributes name a codec that does not exist.
    #[error("codec {0} does not exist")]
    UnknownCodec(u8),
    /// The records cannot be unpacked.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A negative count of records.
    #[error("a batch says that it holds {0} records")]
    Count(i32),
    /// A record's length, or that of a field, goes past the end, or is below −1.
    #[error("record {index}: {what}")]
    Record {
        /// Its place in the batch.
        index: i32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Bytes after the last record.
    #[error("{0} bytes after the last record")]
    Left(usize),
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its position in the partition.
    pub offset: Offset,
    /// Its own time, or the batch's under log append time.
    pub timestamp: Timestamp,
    /// None for a null key.
    pub key: Option<Bytes>,
    /// None for a null value: a tombstone.
    pub value: Option<Bytes>,
    /// Not read yet.
    pub headers: Headers,
}

/// The headers of a record (KIP-82), not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    bytes: Bytes,
}

/// A header: a key, and a value that may be null.
#[cfg(any(test, feature = "internals"))]
pub type Header = (Bytes, Option<Bytes>);

impl Headers {
    /// Reads them all; None if they are not well formed.
    #[cfg(any(test, feature = "internals"))]
    pub fn read(&self) -> Option<Vec<Header>> {
        let mut left = self.bytes.clone();
        let count = usize::try_from(take_varint(&mut left)?).ok()?;
        // A header takes two bytes at least, so the count reserves no more than the bytes justify.
        let mut headers = Vec::with_capacity(count.min(left.len() / 2));
        for _ in 0..count {
            let key = take_nullable(&mut left)?.into_option()?;
            headers.push((key, take_nullable(&mut left)?.into_option()));
        }
        left.is_empty().then_some(headers)
    }
}

/// The records of `batch`. Compressed ones are unpacked first, up to `limit_bytes`.
pub fn iterate(batch: &Batch, limit_bytes: usize) -> Result<RecordIter, RecordError> {
    let header = &batch.header;
    if header.record_count < 0 {
        return Err(RecordError::Count(header.record_count));
    }
    let unknown = RecordError::UnknownCodec((header.attributes & 7) as u8);
    let codec = header.compression().ok_or(unknown)?;
    Ok(RecordIter {
        left: decompress(codec, &batch.payload(), limit_bytes)?,
        index: 0,
        count: header.record_count,
        base_offset: header.base_offset,
        base_timestamp: header.base_timestamp,
        log_append_time: (header.timestamp_type() == TimestampType::LogAppendTime)
            .then_some(header.max_timestamp),
        failed: false,
    })
}

/// See [`iterate`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordIter {
    left: Bytes,
    index: i32,
    count: i32,
    base_offset: Offset,
    base_timestamp: Timestamp,
    log_append_time: Option<Timestamp>,
    failed: bool,
}

impl RecordIter {
    fn read(&mut self) -> Result<Record, &'static str> {
        let length = take_varint(&mut self.left).ok_or("no length")?;
        let mut body = take(&mut self.left, length).ok_or("its length goes past the end")?;
        if body.try_get_u8().is_err() {
            return Err("no attributes");
        }
        let mut fields = &body[..];
        let timestamp_delta = varint::take_signed_long(&mut fields).ok_or("no timestamp")?;
        let offset_delta = varint::take_signed(&mut fields).ok_or("no offset")?;
        body.advance(body.len() - fields.len());
        let key = take_nullable(&mut body).ok_or("its key goes past the end")?;
        let value = take_nullable(&mut body).ok_or("its value goes past the end")?;
        let own_time = Timestamp(self.base_timestamp.0.wrapping_add(timestamp_delta));
        Ok(Record {
            offset: Offset(self.base_offset.0.wrapping_add(i64::from(offset_delta))),
            timestamp: self.log_append_time.unwrap_or(own_time),
            key: key.into_option(),
            value: value.into_option(),
            headers: Headers { bytes: body },
        })
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.index == self.count {
            self.failed = true;
            return (!self.left.is_empty()).then(|| Err(RecordError::Left(self.left.len())));
        }
        let index = self.index;
        self.index += 1;
        let record = self.read().map_err(|what| RecordError::Record { index, what });
        self.failed = record.is_err();
        Some(record)
    }
}

fn take_varint(left: &mut Bytes) -> Option<i32> {
    let mut bytes = &left[..];
    let value = varint::take_signed(&mut bytes)?;
    let taken = left.len() - bytes.len();
    left.advance(taken);
    Some(value)
}

fn take(left: &mut Bytes, length: i32) -> Option<Bytes> {
    let length = usize::try_from(length).ok()?;
    (length <= left.len()).then(|| left.split_to(length))
}

/// A field, which may be null. The outer None is for one that goes past the end.
fn take_nullable(left: &mut Bytes) -> Option<Field> {
    match take_varint(left)? {
        -1 => Some(Field::Null),
        length => take(left, length).map(Field::Bytes),
    }
}

enum Field {
    Null,
    Bytes(Bytes),
}

impl Field {
    fn into_option(self) -> Option<Bytes> {
        match self {
            Self::Null => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::batch_builder::BatchBuilder;

    fn batch_of(payload: &[u8], count: i32) -> Batch {
        let bytes = BatchBuilder::new(Offset(5)).record(Timestamp(1), None, None).build();
        let mut header = Batch::parse(&bytes).unwrap().header;
        header.record_count = count;
        Batch::assemble(header, payload)
    }

    #[test]
    fn a_stored_header_count_of_minus_one_is_no_obstacle() {
        // A batch of the protocol stage tests, whose value is `pineapple`.
        let mut payload = vec![0x1e, 0, 0, 0, 1, 0x12];
        payload.extend_from_slice(b"pineapple");
        payload.push(1);
        let records: Result<Vec<_>, _> = iterate(&batch_of(&payload, 1), 0).unwrap().collect();
        let records = records.unwrap();
        assert_eq!(records[0].value.as_deref(), Some(&b"pineapple"[..]));
        assert_eq!(records[0].offset, Offset(5));
        assert_eq!(records[0].headers.read(), None);
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for (payload, count) in [
            (&[][..], 1),
            (&[0x01], 1),                      // length −1
            (&[0x7e, 0, 0, 0, 1, 1, 0], 1),    // length past the end
            (&[0x00], 1),                      // empty body
            (&[0x0c, 0, 0, 0, 3, 1, 0], 1),    // key length −2
            (&[0x0c, 0, 0, 0, 1, 0x20, 0], 1), // value past the end of the record
            (&[0x0c, 0, 0, 0, 1, 1, 0], 2),    // fewer records than said
            (&[0x0c, 0, 0, 0, 1, 1, 0, 9], 1), // bytes left
        ] {
            let walk: Vec<_> = iterate(&batch_of(payload, count), 0).unwrap().collect();
            assert!(walk.last().unwrap().is_err(), "{payload:x?}");
            assert!(walk.len() <= 2);
        }
        assert_eq!(iterate(&batch_of(&[], -1), 0).unwrap_err(), RecordError::Count(-1));
    }

    proptest! {
        #[test]
        fn any_bytes_end(payload: Vec<u8>, count: i32) {
            if let Ok(records) = iterate(&batch_of(&payload, count), 1 << 20) {
                prop_assert!(records.count() <= payload.len() + 1);
            }
        }
    }
}
