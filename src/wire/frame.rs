//! The frame around a request: its 4-byte length, its header, the header of its answer.
//!
//! A frame that breaks these rules ends its connection: there is no correlation id to answer to, or
//! no agreement about where the next frame starts.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;
use thiserror::Error;

/// The length prefix of every frame.
pub const LENGTH_BYTES: usize = 4;

/// Why a frame cannot be taken.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length prefix is negative or above `socket.request.max.bytes`.
    #[error("a frame of {length_bytes} bytes was announced, at most {max_bytes} are allowed")]
    Length {
        /// What the peer announced.
        length_bytes: i32,
        /// The limit.
        max_bytes: i32,
    },
    /// The header ends before its last field, or a length in it lies.
    #[error("the request header is malformed")]
    Header,
    /// No such API, so not even the header's version is known.
    #[error("API key {0} is unknown")]
    UnknownApiKey(i16),
}

/// What every request begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub api_key: i16,
    /// Which version of it.
    pub api_version: i16,
    /// What the answer repeats.
    pub correlation_id: i32,
    /// What the client calls itself; a slice of the frame, copy it to keep it.
    pub client_id: Option<StrBytes>,
}

/// The length of the next frame (without the prefix) if four bytes of it are there.
pub fn announced_length(buffered: &[u8], max_bytes: i32) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = buffered.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length_bytes = i32::from_be_bytes(*prefix);
    if length_bytes < 0 || length_bytes > max_bytes {
        return Err(FrameError::Length { length_bytes, max_bytes });
    }
    Ok(Some(length_bytes as usize))
}

/// Splits a frame (without its length prefix) into header and body.
pub fn split(mut frame: Bytes) -> Result<(RequestHeader, Bytes), FrameError> {
    if frame.len() < 8 {
        return Err(FrameError::Header);
    }
    let api_key = frame.get_i16();
    let api_version = frame.get_i16();
    let correlation_id = frame.get_i32();
    let key = ApiKey::try_from(api_key).map_err(|()| FrameError::UnknownApiKey(api_key))?;
    // ControlledShutdown 0 had a header without a client id; Kafka 4 does not speak it any more.
    let client_id = take_client_id(&mut frame)?;
    if key.request_header_version(api_version) >= 2 {
        skip_tags(&mut frame)?;
    }
    Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, frame))
}

fn take_client_id(frame: &mut Bytes) -> Result<Option<StrBytes>, FrameError> {
    let length = frame.try_get_i16().map_err(|_| FrameError::Header)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| FrameError::Header)?;
    if length > frame.len() {
        return Err(FrameError::Header);
    }
    let text = StrBytes::try_from(frame.split_to(length)).map_err(|_| FrameError::Header)?;
    Ok(Some(text))
}

/// Steps over tagged fields (KIP-482): none of a request header means anything to us.
fn skip_tags(frame: &mut Bytes) -> Result<(), FrameError> {
    let count = take_uvarint(frame)?;
    // Each tag takes at least two bytes, so a larger count cannot be true.
    if count as usize > frame.len() / 2 {
        return Err(FrameError::Header);
    }
    for _ in 0..count {
        take_uvarint(frame)?;
        let size = take_uvarint(frame)? as usize;
        if size > frame.len() {
            return Err(FrameError::Header);
        }
        frame.advance(size);
    }
    Ok(())
}

fn take_uvarint(frame: &mut Bytes) -> Result<u32, FrameError> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = frame.try_get_u8().map_err(|_| FrameError::Header)?;
        if shift == 28 && byte > 0x0f {
            break;
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(FrameError::Header)
}

/// Starts an answer: length prefix and response header, room for a body of `body_bytes`, which may become longer.
///
/// `flexible` says whether the header carries tags (response header v1). ApiVersions answers never
/// do, so that a client which does not know our versions can read them (KIP-511).
pub fn begin_answer(correlation_id: i32, flexible: bool, body_bytes: usize) -> BytesMut {
    let header_bytes = if flexible { 5 } else { 4 };
    let mut out = BytesMut::with_capacity(LENGTH_BYTES + header_bytes + body_bytes);
    out.put_i32(0);
    out.put_i32(correlation_id);
    if flexible {
        out.put_u8(0);
    }
    out
}

/// The answer with its body is whole: its length is known.
pub fn end_answer(mut out: BytesMut) -> Bytes {
    let length = out.len().saturating_sub(LENGTH_BYTES) as i32;
    if let Some(prefix) = out.first_chunk_mut::<LENGTH_BYTES>() {
        *prefix = length.to_be_bytes();
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    #[test]
    fn a_length_is_known_from_four_bytes_and_bounded() {
        assert_eq!(announced_length(&[0, 0, 1], 100), Ok(None));
        assert_eq!(announced_length(&[0, 0, 0, 100, 9], 100), Ok(Some(100)));
        let too_long = FrameError::Length { length_bytes: 101, max_bytes: 100 };
        assert_eq!(announced_length(&[0, 0, 0, 101], 100), Err(too_long));
        let negative = FrameError::Length { length_bytes: -1, max_bytes: 100 };
        assert_eq!(announced_length(&[0xff; 4], 100), Err(negative));
    }

    #[test]
    fn a_flexible_header_has_tags_and_the_rest_is_body() {
        let bytes = [0, 18, 0, 4, 0, 0, 0, 7, 0, 2, b'm', b'e', 1, 5, 2, 8, 8, 42];
        let (header, body) = split(frame(&bytes)).unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (18, 4, 7));
        assert_eq!(header.client_id.as_deref(), Some("me"));
        assert_eq!(&body[..], [42]);
    }

    #[test]
    fn an_old_header_has_no_tags_and_a_client_id_may_be_null() {
        let bytes = [0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0];
        let (header, body) = split(frame(&bytes)).unwrap();
        assert_eq!(header.client_id, None);
        assert_eq!(body.len(), 4);
    }

    #[test]
    fn lying_headers_are_refused() {
        let cases: [&[u8]; 7] = [
            &[0, 18, 0, 4],
            &[0, 18, 0, 4, 0, 0, 0, 7, 0],
            &[0, 18, 0, 4, 0, 0, 0, 7, 0xff, 0xfe],
            &[0, 18, 0, 4, 0, 0, 0, 7, 0, 9, b'm'],
            &[0, 18, 0, 4, 0, 0, 0, 7, 0, 1, 0xff, 0],
            &[0, 18, 0, 4, 0, 0, 0, 7, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0, 18, 0, 4, 0, 0, 0, 7, 0, 0, 1, 0, 9, 1],
        ];
        for bytes in cases {
            assert_eq!(split(frame(bytes)), Err(FrameError::Header), "{bytes:?}");
        }
        let unknown = split(frame(&[0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(unknown, Err(FrameError::UnknownApiKey(0x7f00)));
    }

    #[test]
    fn an_answer_starts_with_its_length_and_id() {
        let answer = |flexible| {
            let mut out = begin_answer(7, flexible, 1);
            out.put_slice(b"ab");
            end_answer(out)
        };
        assert_eq!(&answer(false)[..], [0, 0, 0, 6, 0, 0, 0, 7, b'a', b'b']);
        assert_eq!(&answer(true)[..], [0, 0, 0, 7, 0, 0, 0, 7, 0, b'a', b'b']);
    }
}
