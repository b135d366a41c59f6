//! Looks at the records of a batch in place: nothing is copied, and no reference is counted.
//!
//! For compaction, which looks at each key and copies what stays as it is.

use super::record_iter::RecordError;
use super::varint::{put_signed, put_signed_long, take_signed, take_signed_long};

/// A record, as it lies in the payload of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Its offset less the batch's base offset.
    pub offset_delta: i32,
    /// Its time less the batch's base timestamp.
    pub timestamp_delta: i64,
    /// None for a null key.
    pub key: Option<&'a [u8]>,
    /// False for a null value: a tombstone.
    pub has_value: bool,
    /// All of it, its length included.
    whole: &'a [u8],
    /// Key, value and headers, with their lengths.
    from_key: &'a [u8],
}

impl RecordView<'_> {
    /// Appends it to another payload, where its time counts from another base.
    pub fn put(&self, into: &mut Vec<u8>, timestamp_delta: i64) {
        if timestamp_delta == self.timestamp_delta {
            into.extend_from_slice(self.whole);
            return;
        }
        let start = into.len();
        into.push(0);
        put_signed_long(into, timestamp_delta);
        put_signed(into, self.offset_delta);
        let body_bytes = into.len() - start + self.from_key.len();
        let head_end = into.len();
        put_signed(into, body_bytes as i32);
        // The length comes first, and is known last.
        let length_bytes = into.len() - head_end;
        if let Some(record) = into.get_mut(start..) {
            record.rotate_right(length_bytes);
        }
        into.extend_from_slice(self.from_key);
    }
}

/// The records of an unpacked payload of `count` records. Ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordViews<'a> {
    left: &'a [u8],
    index: i32,
    count: i32,
    failed: bool,
}

impl<'a> RecordViews<'a> {
    /// Nothing is looked at yet.
    pub const fn new(payload: &'a [u8], count: i32) -> Self {
        Self { left: payload, index: 0, count, failed: false }
    }

    fn read(&mut self) -> Result<RecordView<'a>, &'static str> {
        let before = self.left;
        let length = take_signed(&mut self.left).ok_or("no length")?;
        let mut body = take(&mut self.left, length).ok_or("its length goes past the end")?;
        let whole = before.get(..before.len() - self.left.len()).unwrap_or_default();
        let (_attributes, rest) = body.split_first().ok_or("no attributes")?;
        body = rest;
        let timestamp_delta = take_signed_long(&mut body).ok_or("no timestamp")?;
        let offset_delta = take_signed(&mut body).ok_or("no offset")?;
        let from_key = body;
        let key = take_nullable(&mut body).ok_or("its key goes past the end")?;
        let value = take_nullable(&mut body).ok_or("its value goes past the end")?;
        let has_value = value.is_some();
        Ok(RecordView { offset_delta, timestamp_delta, key, has_value, whole, from_key })
    }
}

impl<'a> Iterator for RecordViews<'a> {
    type Item = Result<RecordView<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.index >= self.count {
            self.failed = true;
            return (!self.left.is_empty()).then_some(Err(RecordError::Left(self.left.len())));
        }
        let index = self.index;
        self.index += 1;
        let record = self.read().map_err(|what| RecordError::Record { index, what });
        self.failed = record.is_err();
        Some(record)
    }
}

fn take<'a>(left: &mut &'a [u8], length: i32) -> Option<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(usize::try_from(length).ok()?)?;
    *left = rest;
    Some(taken)
}

/// A field, which may be null. The outer None is for one that goes past the end.
#[expect(clippy::option_option, reason = "null and damaged are two things")]
fn take_nullable<'a>(left: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match take_signed(left)? {
        -1 => Some(None),
        length => take(left, length).map(Some),
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::offset::Offset;
    use crate::types::time::Timestamp;
    use crate::wire::batch::{Batch, BatchHeader};
    use crate::wire::batch_builder::BatchBuilder;
    use crate::wire::record_iter::iterate;

    type Given = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

    fn built(records: &[Given]) -> Batch {
        let mut builder = BatchBuilder::new(Offset(5));
        for (time, key, value) in records {
            let headers = [("name", Some(&b"content"[..]))];
            builder.push(Timestamp(*time), key.as_deref(), value.as_deref(), &headers);
        }
        builder.build_batch()
    }

    fn given() -> impl Strategy<Value = Vec<Given>> {
        let bytes = || any::<Option<Vec<u8>>>();
        prop::collection::vec((0..1_i64 << 40, bytes(), bytes()), 1..9)
    }

    proptest! {
        #[test]
        fn what_is_looked_at_is_what_is_read(records in given()) {
            let batch = built(&records);
            let payload = batch.payload();
            let views = RecordViews::new(&payload, batch.header.record_count);
            let views: Vec<_> = views.map(Result::unwrap).collect();
            let read = iterate(&batch, 0).unwrap().map(Result::unwrap);
            for (view, read) in views.iter().zip(read) {
                prop_assert_eq!(view.key, read.key.as_deref());
                prop_assert_eq!(view.has_value, read.value.is_some());
                prop_assert_eq!(5 + i64::from(view.offset_delta), read.offset.0);
            }
            prop_assert_eq!(views.len(), records.len());
        }

        #[test]
        fn a_record_moves_to_another_base_and_stays_what_it_was(records in given(), base in 0..1_i64 << 41) {
            let batch = built(&records);
            let payload = batch.payload();
            let old = batch.header.base_timestamp.0;
            let mut moved = vec![7];
            for view in RecordViews::new(&payload, batch.header.record_count) {
                let view = view.unwrap();
                view.put(&mut moved, view.timestamp_delta + old - base);
            }
            let header = BatchHeader { base_timestamp: Timestamp(base), ..batch.header };
            let other = Batch::assemble(header, &moved[1..]);
            let read: Vec<_> = iterate(&other, 0).unwrap().map(Result::unwrap).collect();
            let expected: Vec<_> = iterate(&batch, 0).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_bytes_end(payload: Vec<u8>, count: i32) {
            prop_assert!(RecordViews::new(&payload, count).count() <= payload.len() + 1);
        }
    }

    /// Records whose lengths lie, and how many they are said to be.
    pub const LYING_LENGTHS: [(&[u8], i32); 8] = [
        (&[], 1),
        (&[0x01], 1),                      // length −1
        (&[0x7e, 0, 0, 0, 1, 1, 0], 1),    // length past the end
        (&[0x00], 1),                      // empty body
        (&[0x0c, 0, 0, 0, 3, 1, 0], 1),    // key length −2
        (&[0x0c, 0, 0, 0, 1, 0x20, 0], 1), // value past the end of the record
        (&[0x0c, 0, 0, 0, 1, 1, 0], 2),    // fewer records than said
        (&[0x0c, 0, 0, 0, 1, 1, 0, 9], 1), // bytes left
    ];

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for (payload, count) in LYING_LENGTHS {
            let walk: Vec<_> = RecordViews::new(payload, count).collect();
            assert!(walk.last().unwrap().is_err(), "{payload:x?}");
        }
    }
}
