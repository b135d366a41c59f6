//! The fields that messages are made of, read and written, in the old and in the flexible form (KIP-482).
//!
//! For the messages with a codec of their own: Produce and Fetch. Nothing is allocated on a peer's word:
//! a length is compared with the bytes that are left, a count with the bytes that so many elements take
//! at least, and with the elements that one request may have.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use smallvec::SmallVec;
use thiserror::Error;
use uuid::Uuid;

use super::frame::LENGTH_BYTES;
use super::reply::{Chunk, Reply};
use super::varint;

/// How many elements of arrays one request may have. An element takes more memory than bytes in the frame,
/// so the frame's limit alone would not bound it. No client comes near: Kafka's largest clusters have
/// 200,000 partitions in all.
pub const REQUEST_MAX_ELEMENTS: usize = 200_000;

/// The longest text that Kafka reads, whatever the form of its length.
pub const TEXT_MAX_BYTES: usize = i16::MAX as usize;

/// Why a request cannot be read. The connection is closed: where the next field starts is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It ends within a field, or a length goes past its end.
    #[error("it ends within a field")]
    Cut,
    /// A length below −1, or a text longer than [`TEXT_MAX_BYTES`].
    #[error("a length is negative or too large")]
    Length,
    /// Null where null means nothing.
    #[error("a field that may not be null is null")]
    Null,
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// More elements than the bytes can hold, or than a request may have.
    #[error("an array has more elements than fit or are allowed")]
    Elements,
    /// A tagged field which is longer or shorter than it says, or whose tag is no signed number.
    #[error("a tagged field has another length than it says, or its tag is too large")]
    Tag,
    /// A structure that may be null is neither null nor there.
    #[error("a structure is neither null nor there")]
    Presence,
    /// A version that this codec does not know.
    #[error("version {0} is not known")]
    Version(i16),
}

/// Reads fields off the front of a request.
#[derive(Debug)]
pub struct Reader {
    left: Bytes,
    flexible: bool,
    elements_left: usize,
}

impl Reader {
    /// Reads `body`. What is left at the end is no error: Kafka ignores it.
    pub const fn new(body: Bytes, flexible: bool) -> Self {
        Self { left: body, flexible, elements_left: REQUEST_MAX_ELEMENTS }
    }

    /// One byte.
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        self.left.try_get_i8().map_err(|_| Malformed::Cut)
    }

    /// Two bytes.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        self.left.try_get_i16().map_err(|_| Malformed::Cut)
    }

    /// Two bytes without a sign.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.left.try_get_u16().map_err(|_| Malformed::Cut)
    }

    /// Four bytes.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.left.try_get_i32().map_err(|_| Malformed::Cut)
    }

    /// Eight bytes.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.left.try_get_i64().map_err(|_| Malformed::Cut)
    }

    /// Eight bytes of a fraction.
    pub fn f64(&mut self) -> Result<f64, Malformed> {
        self.left.try_get_f64().map_err(|_| Malformed::Cut)
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        self.left.try_get_u128().map(Uuid::from_u128).map_err(|_| Malformed::Cut)
    }

    /// A text that may not be null: a slice of the frame.
    pub fn text(&mut self) -> Result<StrBytes, Malformed> {
        self.nullable_text()?.ok_or(Malformed::Null)
    }

    /// A text that may be null: a slice of the frame.
    pub fn nullable_text(&mut self) -> Result<Option<StrBytes>, Malformed> {
        let length = if self.flexible {
            self.compact_length()?
        } else {
            from_signed(i32::from(self.i16()?))?
        };
        let Some(length) = length else { return Ok(None) };
        if length > TEXT_MAX_BYTES {
            return Err(Malformed::Length);
        }
        let text = StrBytes::try_from(self.take(length)?).map_err(|_| Malformed::Text)?;
        Ok(Some(text))
    }

    /// Bytes that may be null: a slice of the frame.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        let length = self.long_length()?;
        length.map(|length| self.take(length)).transpose()
    }

    /// The count of an array whose elements take at least `element_min_bytes` each.
    pub fn count(&mut self, element_min_bytes: usize) -> Result<usize, Malformed> {
        self.nullable_count(element_min_bytes)?.ok_or(Malformed::Null)
    }

    /// The same of an array that may be null.
    pub fn nullable_count(&mut self, element_min_bytes: usize) -> Result<Option<usize>, Malformed> {
        let Some(count) = self.long_length()? else { return Ok(None) };
        let fits = count <= self.left.len() / element_min_bytes.max(1);
        let budget = self.elements_left.checked_sub(count).filter(|_| fits);
        self.elements_left = budget.ok_or(Malformed::Elements)?;
        Ok(Some(count))
    }

    /// Whether it reads the flexible form.
    pub const fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// How many bytes are left.
    pub fn left_bytes(&self) -> usize {
        self.left.len()
    }

    /// The tagged fields at the end of a structure: `known` reads those it knows and says so, with the
    /// bytes of just that field; the others are stepped over. In the old form there are none.
    pub fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned()? {
            let tag = self.unsigned()?;
            let length = self.unsigned()? as usize;
            let mut field = Self {
                left: self.take(length)?,
                flexible: true,
                elements_left: self.elements_left,
            };
            if known(tag, &mut field)? && !field.left.is_empty() {
                return Err(Malformed::Tag);
            }
            self.elements_left = field.elements_left;
        }
        Ok(())
    }

    /// An unsigned varint.
    pub fn unsigned(&mut self) -> Result<u32, Malformed> {
        let mut bytes = &self.left[..];
        let value = varint::take_unsigned(&mut bytes).ok_or(Malformed::Cut)?;
        let taken = self.left.len() - bytes.len();
        self.left.advance(taken);
        Ok(value)
    }

    /// The length of bytes or the count of an array.
    fn long_length(&mut self) -> Result<Option<usize>, Malformed> {
        if self.flexible { self.compact_length() } else { from_signed(self.i32()?) }
    }

    /// Lengths of the flexible form are one more than they mean; zero is null.
    fn compact_length(&mut self) -> Result<Option<usize>, Malformed> {
        let length = self.unsigned()?;
        // Kafka reads the number as signed.
        if length > i32::MAX as u32 {
            return Err(Malformed::Length);
        }
        Ok(length.checked_sub(1).map(|length| length as usize))
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.left.len() {
            return Err(Malformed::Cut);
        }
        Ok(self.left.split_to(length))
    }
}

fn from_signed(length: i32) -> Result<Option<usize>, Malformed> {
    match length {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Malformed::Length),
    }
}

/// Writes an answer: its length prefix, its header, its fields, and pieces that lie elsewhere.
#[derive(Debug)]
pub struct Writer {
    out: BytesMut,
    flexible: bool,
    /// Where in `out` other pieces come in, and how many of them.
    cuts: SmallVec<[(usize, usize); 4]>,
    elsewhere_bytes: usize,
}

/// A tag and what writes its field, or nothing where the field has its default.
pub type TaggedField<'a> = Option<(u32, &'a dyn Fn(&mut Writer))>;

impl Writer {
    /// Starts an answer with room for a body of about `body_bytes`.
    pub fn answer(correlation_id: i32, flexible: bool, body_bytes: usize) -> Self {
        let mut out = BytesMut::with_capacity(LENGTH_BYTES + 5 + body_bytes);
        out.put_i32(0);
        out.put_i32(correlation_id);
        if flexible {
            out.put_u8(0);
        }
        Self { out, flexible, cuts: SmallVec::new(), elsewhere_bytes: 0 }
    }

    /// Two bytes.
    pub fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    /// Four bytes.
    pub fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    /// Eight bytes.
    pub fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.out.put_u128(value.as_u128());
    }

    /// A text that may be null. One that is too long for the old form's 16 bits is cut there.
    pub fn nullable_text(&mut self, text: Option<&str>) {
        match (self.flexible, text) {
            (true, text) => self.compact_text(text),
            (false, None) => self.out.put_i16(-1),
            (false, Some(text)) => {
                let text = text.get(..text.floor_char_boundary(i16::MAX as usize)).unwrap_or(text);
                self.out.put_i16(text.len() as i16);
                self.out.put_slice(text.as_bytes());
            }
        }
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.nullable_text(Some(text));
    }

    /// The count of an array, None for null.
    pub fn count(&mut self, count: Option<usize>) {
        match (self.flexible, count) {
            (true, count) => self.unsigned(count.map_or(0, |count| count as u32 + 1)),
            (false, count) => self.out.put_i32(count.map_or(-1, |count| count as i32)),
        }
    }

    /// Makes room for this many calls of [`Writer::elsewhere`].
    pub fn reserve_elsewhere(&mut self, calls: usize) {
        self.cuts.reserve(calls);
    }

    /// Bytes that are written from where they are. Never null: librdkafka drops the rest of such an answer.
    pub fn elsewhere<'a>(&mut self, pieces: impl Iterator<Item = &'a Chunk> + Clone) {
        let length: usize = pieces.clone().map(Chunk::len_bytes).sum();
        // A byte array's length is written as an array's count is.
        self.count(Some(length));
        let pieces = pieces.count();
        if pieces > 0 {
            self.cuts.push((self.out.len(), pieces));
            self.elsewhere_bytes += length;
        }
    }

    /// The tagged fields at the end of a structure, in ascending order; in the old form there are none.
    pub fn tags<const N: usize>(&mut self, fields: [TaggedField<'_>; N]) {
        if !self.flexible {
            return;
        }
        let fields = fields.into_iter().flatten();
        self.unsigned(fields.clone().count() as u32);
        for (tag, write) in fields {
            let mut field = Self {
                out: BytesMut::new(),
                flexible: true,
                cuts: SmallVec::new(),
                elsewhere_bytes: 0,
            };
            write(&mut field);
            self.unsigned(tag);
            self.unsigned(field.out.len() as u32);
            self.out.put_slice(&field.out);
        }
    }

    /// The whole answer. `pieces` are those of [`Writer::elsewhere`], in the same order.
    pub fn finish<'a>(mut self, mut pieces: impl Iterator<Item = &'a Chunk>) -> Reply {
        let length = self.out.len() - LENGTH_BYTES + self.elsewhere_bytes;
        if let Some(prefix) = self.out.first_chunk_mut::<LENGTH_BYTES>() {
            *prefix = (length as i32).to_be_bytes();
        }
        let out = self.out.freeze();
        if self.cuts.is_empty() {
            return Reply::of_bytes(out);
        }
        let mut reply = Reply::default();
        // One piece of our own before each cut and after the last, and what comes in between.
        let elsewhere = self.cuts.iter().map(|(_, count)| count);
        reply.chunks.reserve(self.cuts.len() + 1 + elsewhere.sum::<usize>());
        let mut from = 0;
        for (at, count) in self.cuts {
            if at > from {
                reply.chunks.push(Chunk::Bytes(out.slice(from..at)));
            }
            reply.chunks.extend(pieces.by_ref().take(count).cloned());
            from = at;
        }
        if from < out.len() {
            reply.chunks.push(Chunk::Bytes(out.slice(from..)));
        }
        reply
    }

    fn compact_text(&mut self, text: Option<&str>) {
        self.unsigned(text.map_or(0, |text| text.len() as u32 + 1));
        self.out.put_slice(text.unwrap_or_default().as_bytes());
    }

    fn unsigned(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }
}

/// A node as the tagged field of an answer names it, for leaders that are not where the client thought
/// (KIP-951).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEndpoint {
    /// The node.
    pub node_id: crate::types::ids::NodeId,
    /// Where clients reach it.
    pub host: String,
    /// Where clients reach it.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

impl NodeEndpoint {
    /// Writes them all.
    pub fn write_all(endpoints: &[Self], into: &mut Writer) {
        into.count(Some(endpoints.len()));
        for endpoint in endpoints {
            into.i32(endpoint.node_id.0);
            into.text(&endpoint.host);
            into.i32(endpoint.port);
            into.nullable_text(endpoint.rack.as_deref());
            into.tags([]);
        }
    }
}

/// The leader of a partition as far as the answering node knows (KIP-951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentLeader {
    /// −1 if there is none.
    pub leader_id: crate::types::ids::NodeId,
    /// Its epoch.
    pub leader_epoch: crate::types::epoch::LeaderEpoch,
}

impl CurrentLeader {
    /// Writes it.
    pub fn write(self, into: &mut Writer) {
        into.i32(self.leader_id.0);
        into.i32(self.leader_epoch.0);
        into.tags([]);
    }
}
