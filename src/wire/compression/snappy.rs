//! Snappy as Kafka has it: raw blocks in the framing of xerial's snappy-java.
//!
//! A stream is a header (8 bytes of magic, two versions) and blocks, each after its length. Some clients
//! send one raw block without the framing; Java and librdkafka read that too.

use std::io;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
/// What snappy-java puts into a block.
const BLOCK_BYTES: usize = 32 * 1024;
/// A block unpacks to 64 bytes for each three at most, so one that claims more lies.
const MOST_OUT_FOR_ONE_IN: usize = 22;

/// Packs `payload` as snappy-java does.
pub fn compress(payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(HEADER_BYTES + payload.len() / 2);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    let mut encoder = snap::raw::Encoder::new();
    for block in payload.chunks(BLOCK_BYTES) {
        let packed = encoder.compress_vec(block).map_err(io::Error::other)?;
        out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(out)
}

/// Unpacks block by block.
pub struct Reader<'a> {
    packed: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    given: usize,
}

impl<'a> Reader<'a> {
    /// Nothing is unpacked yet.
    pub fn new(payload: &'a [u8]) -> Self {
        let framed = payload.len() >= HEADER_BYTES && payload.starts_with(&MAGIC);
        let packed = if framed { payload.get(HEADER_BYTES..).unwrap_or_default() } else { payload };
        Self { packed, framed, block: Vec::new(), given: 0 }
    }

    /// As `std::io::Read`. A block of more than `left_bytes` is cut after one byte more than these, which
    /// is enough for its caller to see that there are too many.
    pub fn read(&mut self, into: &mut [u8], left_bytes: usize) -> io::Result<usize> {
        while self.given == self.block.len() {
            if self.packed.is_empty() {
                return Ok(0);
            }
            self.next_block(left_bytes)?;
        }
        let rest = self.block.get(self.given..).unwrap_or_default();
        let read = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        self.given += read;
        Ok(read)
    }

    fn next_block(&mut self, left_bytes: usize) -> io::Result<()> {
        let packed =
            if self.framed { self.take_framed()? } else { std::mem::take(&mut self.packed) };
        let claimed = snap::raw::decompress_len(packed).map_err(io::Error::other)?;
        if claimed > packed.len().saturating_mul(MOST_OUT_FOR_ONE_IN) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.given = 0;
        self.block.clear();
        if claimed > left_bytes {
            self.block.resize(left_bytes + 1, 0);
            return Ok(());
        }
        self.block.resize(claimed, 0);
        let mut decoder = snap::raw::Decoder::new();
        decoder.decompress(packed, &mut self.block).map_err(io::Error::other)?;
        Ok(())
    }

    fn take_framed(&mut self) -> io::Result<&'a [u8]> {
        // Streams may be concatenated: a header where a length would be.
        while let Some(rest) = self.packed.strip_prefix(&MAGIC[..]) {
            self.packed =
                rest.get(HEADER_BYTES - MAGIC.len()..).ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        let cut = io::ErrorKind::UnexpectedEof;
        let (length, rest) = self.packed.split_first_chunk::<4>().ok_or(cut)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, rest) = rest.split_at_checked(length).ok_or(cut)?;
        self.packed = rest;
        Ok(block)
    }
}
