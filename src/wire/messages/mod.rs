//! Messages through the protocol crate, at the versions of Kafka 4.3: some are newer than the crate.
//!
//! The crate was generated from Kafka 4.1. Since then ListOffsets 11 and DescribeLogDirs 5 came; their
//! requests look as in the version before, and so does ListOffsets' answer. DescribeLogDirs' answer has a
//! field more, which is written here. OffsetCommit 10 and OffsetFetch 10 speak of topics by their id: requests and
//! answers of these versions have codecs of their own, which trust nothing; so has the request of WriteTxnMarkers 2. All
//! other requests must have passed [`super::guard`].

pub mod describe_log_dirs;
pub mod offset_commit;
pub mod offset_fetch;
pub mod write_txn_markers;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Encodable as _, Request};

/// Why the crate does not read a request or does not write an answer.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

const LIST_OFFSETS: i16 = 2;
const WRITE_TXN_MARKERS: i16 = 27;
const DESCRIBE_LOG_DIRS: i16 = 35;

/// Which of the crate's versions a request of `version` looks like.
pub const fn crate_version(api_key: i16, version: i16) -> i16 {
    match (api_key, version) {
        (LIST_OFFSETS, 11) | (WRITE_TXN_MARKERS, 2) | (DESCRIBE_LOG_DIRS, 5) => version - 1,
        _ => version,
    }
}

/// Reads a request's body, which stays as it is but for what is read.
pub fn decode<R: Request>(version: i16, body: &mut Bytes) -> Result<R, CodecError> {
    Ok(R::decode(body, crate_version(R::KEY, version))?)
}

/// Appends the body of the answer to a request `R`. DescribeLogDirs has [`describe_log_dirs::encode`].
pub fn encode<R: Request>(
    version: i16,
    answer: &R::Response,
    out: &mut BytesMut,
) -> Result<(), CodecError> {
    if R::KEY == DESCRIBE_LOG_DIRS {
        return Err("the answer of DescribeLogDirs has a codec of its own".into());
    }
    Ok(answer.encode(out, crate_version(R::KEY, version))?)
}

#[cfg(test)]
mod tests;
