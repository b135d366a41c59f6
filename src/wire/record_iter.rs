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

/// One record as it lies among the others, for those who look at many and keep nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSlice<'a> {
    /// Its position in the partition.
    pub offset: Offset,
    /// Its own time, or the batch's under log append time.
    pub timestamp: Timestamp,
    /// None for a null key.
    pub key: Option<&'a [u8]>,
    /// None for a null value: a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
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
        let mut left = &self.bytes[..];
        let count = usize::try_from(varint::take_signed(&mut left)?).ok()?;
        // A header takes two bytes at least, so the count reserves no more than the bytes justify.
        let mut headers = Vec::with_capacity(count.min(left.len() / 2));
        for _ in 0..count {
            let key = take_nullable(&mut left)?.into_option()?;
            let value = take_nullable(&mut left)?.into_option();
            let own = |slice: &[u8]| self.bytes.slice_ref(slice);
            headers.push((own(key), value.map(own)));
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
        walk: Walk {
            index: 0,
            count: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time: (header.timestamp_type() == TimestampType::LogAppendTime)
                .then_some(header.max_timestamp),
            failed: false,
        },
    })
}

/// See [`iterate`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordIter {
    left: Bytes,
    walk: Walk,
}

impl RecordIter {
    /// The same records, borrowed: what is looked at is not counted as kept, which costs more than the look.
    pub fn slices(&self) -> RecordSlices<'_> {
        RecordSlices { left: &self.left, walk: self.walk }
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut left = &self.left[..];
        let next = self.walk.next(&mut left);
        let whole = &self.left;
        let next = next.map(|record| {
            record.map(|record| Record {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(|key| whole.slice_ref(key)),
                value: record.value.map(|value| whole.slice_ref(value)),
                headers: Headers { bytes: whole.slice_ref(record.headers) },
            })
        });
        self.left.advance(self.left.len() - left.len());
        next
    }
}

/// See [`RecordIter::slices`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordSlices<'a> {
    left: &'a [u8],
    walk: Walk,
}

impl<'a> Iterator for RecordSlices<'a> {
    type Item = Result<RecordSlice<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next(&mut self.left)
    }
}

/// How far a walk has come, and what its batch says.
#[derive(Clone, Copy, Debug)]
struct Walk {
    index: i32,
    count: i32,
    base_offset: Offset,
    base_timestamp: Timestamp,
    log_append_time: Option<Timestamp>,
    failed: bool,
}

impl Walk {
    fn next<'a>(&mut self, left: &mut &'a [u8]) -> Option<Result<RecordSlice<'a>, RecordError>> {
        if self.failed {
            return None;
        }
        if self.index == self.count {
            self.failed = true;
            return (!left.is_empty()).then_some(Err(RecordError::Left(left.len())));
        }
        let index = self.index;
        self.index += 1;
        let record = self.read(left).map_err(|what| RecordError::Record { index, what });
        self.failed = record.is_err();
        Some(record)
    }

    fn read<'a>(&self, left: &mut &'a [u8]) -> Result<RecordSlice<'a>, &'static str> {
        let length = varint::take_signed(left).ok_or("no length")?;
        let mut body = take(left, length).ok_or("its length goes past the end")?;
        let (_attributes, rest) = body.split_first().ok_or("no attributes")?;
        body = rest;
        let timestamp_delta = varint::take_signed_long(&mut body).ok_or("no timestamp")?;
        let offset_delta = varint::take_signed(&mut body).ok_or("no offset")?;
        let key = take_nullable(&mut body).ok_or("its key goes past the end")?;
        let value = take_nullable(&mut body).ok_or("its value goes past the end")?;
        let own_time = Timestamp(self.base_timestamp.0.wrapping_add(timestamp_delta));
        Ok(RecordSlice {
            offset: Offset(self.base_offset.0.wrapping_add(i64::from(offset_delta))),
            timestamp: self.log_append_time.unwrap_or(own_time),
            key: key.into_option(),
            value: value.into_option(),
            headers: body,
        })
    }
}

fn take<'a>(left: &mut &'a [u8], length: i32) -> Option<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(usize::try_from(length).ok()?)?;
    *left = rest;
    Some(taken)
}

/// A field, which may be null. The outer None is for one that goes past the end.
fn take_nullable<'a>(left: &mut &'a [u8]) -> Option<Field<'a>> {
    match varint::take_signed(left)? {
        -1 => Some(Field::Null),
        length => take(left, length).map(Field::Bytes),
    }
}

enum Field<'a> {
    Null,
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    const fn into_option(self) -> Option<&'a [u8]> {
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
    use crate::wire::record_view::tests::LYING_LENGTHS;

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
        for (payload, count) in LYING_LENGTHS {
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
                let slices: Vec<_> = records.slices().collect();
                prop_assert!(slices.len() <= payload.len() + 1);
                let owned: Vec<_> = records.clone().collect();
                prop_assert_eq!(slices.len(), owned.len());
                for (slice, owned) in slices.into_iter().zip(owned) {
                    let seen = owned.as_ref().map(|it| (it.offset, it.key.as_deref(), it.value.as_deref()));
                    prop_assert_eq!(slice.as_ref().map(|it| (it.offset, it.key, it.value)), seen);
                }
            }
        }
    }
}
