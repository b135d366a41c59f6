//! The records of the coordinators' internal topics, declared in the notation of [`records`](super::records).
//!
//! A record's key is the number of its type (16 bits) and a body in the old form; its value is the number of its version
//! (16 bits) and a body; no value is a tombstone. A type that is not known is skipped, as Kafka skips what a newer
//! broker left behind (KIP-915): share and streams groups are such. A type that is known and does not read is an
//! error, for whoever skips it serves a state that never was. What follows a body is ignored, as Kafka ignores it.
//!
//! Nothing that was read keeps the batch it was read from: texts and bytes are copies.
//!
//! - [`groups`]: `__consumer_offsets`, as `GroupRecord`; its records are in [`offsets`], [`classic`], [`consumer`].
//! - [`consumer_protocol`]: what the members of a classic group wrote into it.
//! - [`transactions`]: `__transaction_state`, as `TransactionLogRecord`.

pub mod classic;
pub mod consumer;
pub mod consumer_protocol;
pub mod groups;
pub mod offsets;
pub mod transactions;

use bytes::{Buf, Bytes};

use super::fields::{Malformed, Reader};
use super::records::notation::{Field, RecordWriter};

/// Why a key and a value are not a coordinator's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinatorRecordError {
    /// The key has no room for a type.
    #[error("its key has no type")]
    NoType,
    /// The key's body does not read.
    #[error("the key of a record of type {record_type}: {source}")]
    Key {
        /// The type.
        record_type: i16,
        /// What is wrong.
        source: Malformed,
    },
    /// The value has no room for a version.
    #[error("the value of a record of type {record_type} has no version")]
    NoVersion {
        /// The type.
        record_type: i16,
    },
    /// A version of the value that does not exist.
    #[error("version {version} of records of type {record_type} is not known")]
    Version {
        /// The type.
        record_type: i16,
        /// The version.
        version: i16,
    },
    /// The value's body does not read.
    #[error("the value of a record of type {record_type}: {source}")]
    Value {
        /// The type.
        record_type: i16,
        /// What is wrong.
        source: Malformed,
    },
}

/// The versions that the value of a type has.
#[derive(Clone, Copy, Debug)]
struct ValueVersions {
    record_type: i16,
    max: i16,
    /// The first in the flexible form.
    flexible: i16,
}

impl ValueVersions {
    fn take<V: Field>(self, value: &Bytes) -> Result<V, CoordinatorRecordError> {
        let record_type = self.record_type;
        let (version, body) =
            split(value).ok_or(CoordinatorRecordError::NoVersion { record_type })?;
        if !(0..=self.max).contains(&version) {
            return Err(CoordinatorRecordError::Version { record_type, version });
        }
        V::take(&mut Reader::new(body, version >= self.flexible), version)
            .map_err(|source| CoordinatorRecordError::Value { record_type, source })
    }

    fn take_nullable<V: Field>(
        self,
        value: Option<&Bytes>,
    ) -> Result<Option<V>, CoordinatorRecordError> {
        value.map(|value| self.take(value)).transpose()
    }

    fn put<V: Field>(self, value: &V, version: i16) -> Bytes {
        let mut out = RecordWriter::new(version >= self.flexible);
        version.put(version, &mut out);
        value.put(version, &mut out);
        out.finish()
    }
}

/// The number in front, and what follows.
fn split(bytes: &Bytes) -> Option<(i16, Bytes)> {
    let mut body = bytes.clone();
    let number = body.try_get_i16().ok()?;
    Some((number, body))
}

fn take_key<K: Field>(record_type: i16, body: Bytes) -> Result<K, CoordinatorRecordError> {
    K::take(&mut Reader::new(body, false), 0)
        .map_err(|source| CoordinatorRecordError::Key { record_type, source })
}

fn put_key<K: Field>(record_type: i16, key: &K) -> Bytes {
    let mut out = RecordWriter::new(false);
    record_type.put(0, &mut out);
    key.put(0, &mut out);
    out.finish()
}

#[cfg(test)]
mod tests;
