//! The records of `__transaction_state`.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{CoordinatorRecordError, ValueVersions, split, take_key};
use crate::wire::records::notation::{Field as _, RecordWriter, structure};

/// The only type there is.
const TRANSACTION_LOG: i16 = 0;
/// From this transaction.version on, values are flexible (KIP-890).
const FLEXIBLE_VALUES: i16 = 1;

structure! {
    /// Whose transaction it is.
    TransactionLogKey {
        /// The transactional id.
        0+ transactional_id: String;
    }
}

structure! {
    /// A transactional id's producer and the state of its transaction. Version 1 is flexible (KIP-890).
    TransactionLogValue {
        /// The producer.
        0+ producer_id: i64;
        /// Its epoch.
        0+ producer_epoch: i16;
        /// How long a transaction may take.
        0+ transaction_timeout_ms: i32;
        /// 0 empty, 1 ongoing, 2 prepared to commit, 3 prepared to abort, 4 committed, 5 aborted, 6 dead, 7 being
        /// fenced.
        0+ transaction_status: i8;
        /// What is written to; null if the transaction is empty.
        0+ transaction_partitions: Option<Vec<PartitionsSchema>>;
        /// When this record came to be, in milliseconds since 1970.
        0+ transaction_last_update_timestamp_ms: i64;
        /// When the transaction began, in milliseconds since 1970; −1 if there is none.
        0+ transaction_start_timestamp_ms: i64;
    }
    tagged {
        /// The producer id that the last transaction was committed with; −1 if there is none.
        1+ tag 0 previous_producer_id: i64 = -1;
        /// The producer id that the client was told to go on with; −1 if there is none.
        1+ tag 1 next_producer_id: i64 = -1;
        /// The transaction.version that the client works by.
        1+ tag 2 client_transaction_version: i16;
        /// The epoch that belongs to the next producer id; −1 if there is none.
        1+ tag 3 next_producer_epoch: i16 = -1;
    }
}

structure! {
    /// Partitions of a topic.
    PartitionsSchema {
        /// The topic.
        0+ topic: String;
        /// The partitions' indices.
        0+ partition_ids: Vec<i32>;
    }
}

/// A record of `__transaction_state`; without a value a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionLogRecord(pub TransactionLogKey, pub Option<TransactionLogValue>);

impl TransactionLogRecord {
    const VERSIONS: ValueVersions =
        ValueVersions { record_type: TRANSACTION_LOG, max: 1, flexible: 1 };

    /// Reads a record. None for a type that is not known, and for a version that is not: Kafka, too, goes on then.
    pub fn decode(
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<Option<Self>, CoordinatorRecordError> {
        let (record_type, body) = split(key).ok_or(CoordinatorRecordError::NoType)?;
        if record_type != TRANSACTION_LOG {
            return Ok(None);
        }
        let key = take_key(record_type, body)?;
        match Self::VERSIONS.take_nullable(value) {
            Ok(value) => Ok(Some(Self(key, value))),
            Err(CoordinatorRecordError::Version { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record's key and value, in the version that Kafka writes at a transaction.version.
    #[cfg(any(test, feature = "internals"))]
    pub fn encode(&self, transaction_version: i16) -> (Bytes, Option<Bytes>) {
        self.encode_version(i16::from(transaction_version >= FLEXIBLE_VALUES))
    }

    #[cfg(any(test, feature = "internals"))]
    pub(super) fn encode_version(&self, version: i16) -> (Bytes, Option<Bytes>) {
        let value = self.1.as_ref().map(|value| Self::VERSIONS.put(value, version));
        (super::put_key(TRANSACTION_LOG, &self.0), value)
    }
}

/// Appends the key of a record.
pub fn put_key(into: &mut Vec<u8>, transactional_id: &str) {
    with(into, false, |out| {
        TRANSACTION_LOG.put(0, out);
        out.text(transactional_id);
    });
}

/// Appends the value of a record, in the version that Kafka writes at a transaction.version. The partitions, which may be
/// null, come from elsewhere than the rest.
pub fn put_value<'a>(
    into: &mut Vec<u8>,
    value: &TransactionLogValue,
    partitions: Option<impl ExactSizeIterator<Item = (&'a str, &'a [i32])>>,
    transaction_version: i16,
) {
    let version = i16::from(transaction_version >= FLEXIBLE_VALUES);
    with(into, version >= FLEXIBLE_VALUES, |out| {
        version.put(version, out);
        value.producer_id.put(version, out);
        value.producer_epoch.put(version, out);
        value.transaction_timeout_ms.put(version, out);
        value.transaction_status.put(version, out);
        out.long_length(partitions.as_ref().map(ExactSizeIterator::len));
        for (topic, indexes) in partitions.into_iter().flatten() {
            out.text(topic);
            out.long_length(Some(indexes.len()));
            for index in indexes {
                index.put(version, out);
            }
            out.no_tagged_fields();
        }
        value.transaction_last_update_timestamp_ms.put(version, out);
        value.transaction_start_timestamp_ms.put(version, out);
        if version >= FLEXIBLE_VALUES {
            put_tagged(value, out);
        }
    });
}

/// Each is written only where it differs from its default.
fn put_tagged(value: &TransactionLogValue, out: &mut RecordWriter) {
    let number = |tag: u32, number: i64| {
        (number != -1).then(|| (tag, SmallVec::<[u8; 8]>::from(number.to_be_bytes())))
    };
    let short = |tag: u32, number: i16, default: i16| {
        (number != default).then(|| (tag, SmallVec::from_slice(&number.to_be_bytes())))
    };
    let fields = [
        number(0, value.previous_producer_id),
        number(1, value.next_producer_id),
        short(2, value.client_transaction_version, 0),
        short(3, value.next_producer_epoch, -1),
    ];
    out.unsigned(fields.iter().flatten().count() as u32);
    for (tag, bytes) in fields.iter().flatten() {
        out.unsigned(*tag);
        out.unsigned(bytes.len() as u32);
        out.slice(bytes);
    }
}

fn with(into: &mut Vec<u8>, flexible: bool, put: impl FnOnce(&mut RecordWriter)) {
    let mut out = RecordWriter::after(std::mem::take(into), flexible);
    put(&mut out);
    *into = out.into_vec();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::records::samples::{Sample as _, numbers};

    /// What is put from pieces is what the declaration says.
    #[test]
    fn pieces_are_written_as_the_whole_is() {
        for seed in 0..200 {
            let mut draw = numbers(seed);
            let key = TransactionLogKey::sample(&mut draw);
            let mut value = TransactionLogValue::sample(&mut draw);
            if seed % 3 == 0 {
                value.previous_producer_id = -1;
                value.client_transaction_version = 0;
            }
            for transaction_version in 0..=2 {
                let record = TransactionLogRecord(key.clone(), Some(value.clone()));
                let whole = record.encode(transaction_version);
                let (mut put_in_key, mut put_in_value) = (b"k".to_vec(), b"v".to_vec());
                put_key(&mut put_in_key, &key.transactional_id);
                let partitions = value.transaction_partitions.as_ref();
                let partitions = partitions.map(|topics| {
                    topics.iter().map(|it| (it.topic.as_str(), it.partition_ids.as_slice()))
                });
                put_value(&mut put_in_value, &value, partitions, transaction_version);
                assert_eq!(
                    (&put_in_key[1..], &put_in_value[1..]),
                    (&whole.0[..], &whole.1.unwrap()[..])
                );
            }
        }
    }
}
