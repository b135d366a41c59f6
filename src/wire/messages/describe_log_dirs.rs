//! The answer of DescribeLogDirs: version 5 says of each directory whether it is cordoned (KIP-1066).

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::DescribeLogDirsResponse;
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use kafka_protocol::protocol::Encodable as _;

use super::CodecError;
use crate::wire::varint;

const FIRST_WITH_CORDONED: i16 = 5;

/// Appends the body of an answer; `is_cordoned` says which directories take no new partitions.
pub fn encode(
    version: i16,
    answer: &DescribeLogDirsResponse,
    is_cordoned: impl Fn(&DescribeLogDirsResult) -> bool,
    out: &mut BytesMut,
) -> Result<(), CodecError> {
    if version < FIRST_WITH_CORDONED {
        return Ok(answer.encode(out, version)?);
    }
    out.put_i32(answer.throttle_time_ms);
    out.put_i16(answer.error_code);
    let mut count = Vec::new();
    varint::put_unsigned(&mut count, answer.results.len() as u32 + 1);
    out.put_slice(&count);
    for result in &answer.results {
        result.encode(out, FIRST_WITH_CORDONED - 1)?;
        // Behind the last field is the count of tagged fields, of which there are none: the new field goes
        // before it.
        out.truncate(out.len() - 1);
        out.put_u8(u8::from(is_cordoned(result)));
        out.put_u8(NO_TAGS);
    }
    out.put_u8(NO_TAGS);
    Ok(())
}

const NO_TAGS: u8 = 0;
