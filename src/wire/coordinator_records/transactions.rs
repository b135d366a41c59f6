//! The records of `__transaction_state`.

use bytes::Bytes;

use super::{CoordinatorRecordError, ValueVersions, put_key, split, take_key};
use crate::wire::records::notation::structure;

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
    pub fn encode(&self, transaction_version: i16) -> (Bytes, Option<Bytes>) {
        self.encode_version(i16::from(transaction_version >= FLEXIBLE_VALUES))
    }

    pub(super) fn encode_version(&self, version: i16) -> (Bytes, Option<Bytes>) {
        let value = self.1.as_ref().map(|value| Self::VERSIONS.put(value, version));
        (put_key(TRANSACTION_LOG, &self.0), value)
    }
}
