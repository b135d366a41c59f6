//! The codecs of record batches.
//!
//! Unpacking is a stream with a limit: no length that a block claims is believed, and a batch that unpacks
//! to more than its caller allows ends there, whatever it would have become. The few buffers that a codec
//! needs are bounded by its format (LZ4 blocks 4 MiB, zstd windows 128 MiB, which are touched only as far
//! as they are filled).

mod snappy;

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use thiserror::Error;

/// What a batch's records are compressed with; the low three bits of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Blocks in the framing of xerial's snappy-java.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

impl Codec {
    /// Every codec.
    #[cfg(any(test, feature = "internals"))]
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Its number in the attributes.
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number.
    pub const fn of_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name in `compression.type`, but for `uncompressed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// The largest window that a zstd frame may ask for: that of Kafka's own decoder.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Why records cannot be unpacked or packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompressionError {
    /// The bytes are not of that codec.
    #[error("the records are not {}", .0.name())]
    Damaged(Codec),
    /// They unpack to more than is allowed.
    #[error("the records unpack to more than {limit_bytes} bytes")]
    TooLarge {
        /// What is allowed.
        limit_bytes: usize,
    },
}

/// Unpacks a payload to at most `limit_bytes`. One that is not packed is not copied.
pub fn decompress(
    codec: Codec,
    payload: &Bytes,
    limit_bytes: usize,
) -> Result<Bytes, CompressionError> {
    if codec == Codec::None {
        return Ok(payload.clone());
    }
    let mut unpacked = Vec::new();
    let mut stream = Unpacker::new(codec, payload, limit_bytes)?;
    match stream.read_to_end(&mut unpacked) {
        Ok(_) => Ok(Bytes::from(unpacked)),
        Err(_) => Err(stream.fault()),
    }
}

/// Packs a payload. Levels are those of the codec; None for Kafka's default. LZ4 and snappy have none here.
pub fn compress(
    codec: Codec,
    level: Option<i32>,
    payload: &[u8],
) -> Result<Vec<u8>, CompressionError> {
    let packed = match codec {
        Codec::None => Ok(payload.to_vec()),
        Codec::Gzip => gzip(level, payload),
        Codec::Snappy => snappy::compress(payload),
        Codec::Lz4 => lz4(payload),
        Codec::Zstd => zstd::bulk::compress(payload, level.unwrap_or(ZSTD_LEVEL)),
    };
    packed.map_err(|_| CompressionError::Damaged(codec))
}

const ZSTD_LEVEL: i32 = 3;

fn gzip(level: Option<i32>, payload: &[u8]) -> io::Result<Vec<u8>> {
    let level = level.and_then(|level| u32::try_from(level).ok()).filter(|level| *level <= 9);
    let level = level.map_or_else(flate2::Compression::default, flate2::Compression::new);
    let mut into = GzEncoder::new(Vec::new(), level);
    into.write_all(payload)?;
    into.finish()
}

fn lz4(payload: &[u8]) -> io::Result<Vec<u8>> {
    // As Kafka writes them: its reader refuses blocks that depend on each other.
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut into = FrameEncoder::with_frame_info(info, Vec::new());
    into.write_all(payload)?;
    into.finish().map_err(io::Error::other)
}

/// Unpacks as it is read, and stops at its limit.
pub struct Unpacker<'a> {
    codec: Codec,
    inner: Inner<'a>,
    limit_bytes: usize,
    left_bytes: usize,
    over: bool,
}

enum Inner<'a> {
    Plain(&'a [u8]),
    Gzip(Box<MultiGzDecoder<&'a [u8]>>),
    Snappy(snappy::Reader<'a>),
    Lz4(Box<FrameDecoder<&'a [u8]>>),
    Zstd(zstd::stream::read::Decoder<'static, &'a [u8]>),
}

impl<'a> Unpacker<'a> {
    /// Nothing is read yet.
    pub fn new(
        codec: Codec,
        payload: &'a [u8],
        limit_bytes: usize,
    ) -> Result<Self, CompressionError> {
        let inner = match codec {
            Codec::None => Inner::Plain(payload),
            Codec::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(payload))),
            Codec::Snappy => Inner::Snappy(snappy::Reader::new(payload)),
            Codec::Lz4 => Inner::Lz4(Box::new(FrameDecoder::new(payload))),
            Codec::Zstd => {
                let failed = |_| CompressionError::Damaged(codec);
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(payload).map_err(failed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(failed)?;
                Inner::Zstd(decoder)
            }
        };
        Ok(Self { codec, inner, limit_bytes, left_bytes: limit_bytes, over: false })
    }

    /// What a failed read was about.
    pub const fn fault(&self) -> CompressionError {
        if self.over {
            CompressionError::TooLarge { limit_bytes: self.limit_bytes }
        } else {
            CompressionError::Damaged(self.codec)
        }
    }

    fn read_inner(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.inner {
            Inner::Plain(bytes) => bytes.read(into),
            Inner::Gzip(decoder) => decoder.read(into),
            Inner::Snappy(reader) => reader.read(into, self.left_bytes),
            Inner::Lz4(decoder) => decoder.read(into),
            Inner::Zstd(decoder) => decoder.read(into),
        }
    }
}

impl Read for Unpacker<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.left_bytes == 0 {
            // Whether this is the end, only one more byte can tell.
            self.over = self.read_inner(&mut [0])? > 0;
            return if self.over { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(0) };
        }
        let most = into.len().min(self.left_bytes);
        let read = self.read_inner(into.get_mut(..most).unwrap_or_default())?;
        self.left_bytes -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
